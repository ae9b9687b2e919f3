//! What was seen: counted always, printed to standard error if wanted.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use sedge_coap::{Message, Type};

use super::dtls::{self, Content};
use super::handshake::{KeyExchange, ServerHello, messages};
use super::message;
use crate::output::Style;

/// A record of the wire, shared by one client's socket and cryptography.
#[derive(Clone, Debug)]
pub(crate) struct Tape(Rc<RefCell<Inner>>);

/// Datagrams and bytes of UDP payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) sent_datagrams: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) received_datagrams: u64,
    pub(crate) received_bytes: u64,
}

impl Traffic {
    /// What came after `earlier`.
    pub(crate) const fn since(self, earlier: Self) -> Self {
        Self {
            sent_datagrams: self.sent_datagrams - earlier.sent_datagrams,
            sent_bytes: self.sent_bytes - earlier.sent_bytes,
            received_datagrams: self.received_datagrams - earlier.received_datagrams,
            received_bytes: self.received_bytes - earlier.received_bytes,
        }
    }

    /// Both ways.
    pub(crate) const fn bytes(self) -> u64 {
        self.sent_bytes + self.received_bytes
    }
}

#[derive(Debug)]
struct Inner {
    traffic: Traffic,
    /// Whether what is seen is printed.
    verbose: bool,
    /// Whether DTLS is spoken.
    secure: bool,
    style: Style,
    /// Plaintexts whose records have not been sent yet.
    sealed: VecDeque<Vec<u8>>,
    /// Sealed records that arrived and were not opened yet, with the size of their datagram.
    arrived: VecDeque<(Option<u8>, usize)>,
    /// What the datagram that is being opened or sent has had in it so far, beside CoAP.
    parts: Vec<String>,
    /// Everything that was opened, if it is kept.
    opened: Option<Vec<Vec<u8>>>,
    /// The group of the last key exchange.
    group: Option<u16>,
    key_exchange: KeyExchange,
    /// Message IDs of confirmable messages: sent, and received.
    seen: [BTreeSet<u16>; 2],
}

impl Tape {
    pub(crate) fn new(secure: bool, verbose: bool) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            traffic: Traffic::default(),
            verbose,
            secure,
            style: Style::stderr(),
            sealed: VecDeque::new(),
            arrived: VecDeque::new(),
            parts: Vec::new(),
            opened: None,
            group: None,
            key_exchange: KeyExchange::default(),
            seen: [BTreeSet::new(), BTreeSet::new()],
        })))
    }

    /// One that prints nothing and keeps what is opened, for [`take_opened`](Self::take_opened).
    pub(crate) fn keeping() -> Self {
        let tape = Self::new(true, false);
        tape.0.borrow_mut().opened = Some(Vec::new());
        tape
    }

    /// The plaintexts of the records that were opened since the last time.
    pub(crate) fn take_opened(&self) -> Vec<Vec<u8>> {
        self.0.borrow_mut().opened.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The group of the last key exchange, if there was one.
    pub(crate) fn group(&self) -> Option<u16> {
        self.0.borrow().group
    }

    /// Prints a line beside the messages, if they are printed.
    pub(crate) fn note(&self, text: impl std::fmt::Display) {
        let inner = self.0.borrow();
        if inner.verbose {
            eprintln!("{}", inner.style.bold(text));
        }
    }

    /// What was counted so far.
    pub(crate) fn traffic(&self) -> Traffic {
        self.0.borrow().traffic
    }

    /// A record is about to be sealed.
    pub(super) fn sealing(&self, plaintext: &[u8]) {
        let mut inner = self.0.borrow_mut();
        if inner.verbose {
            inner.sealed.push_back(plaintext.to_vec());
        }
    }

    /// A record was opened, or could not be.
    pub(super) fn opened(&self, plaintext: Option<&[u8]>) {
        let mut inner = self.0.borrow_mut();
        if let (Some(opened), Some(plaintext)) = (&mut inner.opened, plaintext) {
            opened.push(plaintext.to_vec());
        }
        if !inner.verbose {
            return;
        }
        let (content_type, datagram) = inner.arrived.pop_front().unwrap_or((None, 0));
        match plaintext {
            Some(plaintext) => inner.record(Direction::In, content_type, plaintext, datagram),
            None => inner.parts.push("record that nobody with our keys has made: dropped".into()),
        }
        if inner.arrived.is_empty() {
            inner.print_parts(Direction::In, datagram);
        }
    }

    /// A datagram goes out.
    pub(super) fn sent(&self, datagram: &[u8]) {
        let mut inner = self.0.borrow_mut();
        inner.traffic.sent_datagrams += 1;
        inner.traffic.sent_bytes += datagram.len() as u64;
        if !inner.verbose {
            return;
        }
        if !inner.secure {
            return inner.message(Direction::Out, datagram, datagram.len());
        }
        for record in dtls::records(datagram, None) {
            match record.content {
                Content::Clear(what) => inner.parts.push(what),
                Content::Sealed { content_type, .. } => {
                    let plaintext = inner.sealed.pop_front().unwrap_or_default();
                    inner.record(Direction::Out, content_type, &plaintext, datagram.len());
                }
                // Each is sent as soon as it is sealed, so all that were sealed are in it.
                Content::SealedRest => {
                    for plaintext in std::mem::take(&mut inner.sealed) {
                        inner.record(Direction::Out, None, &plaintext, datagram.len());
                    }
                }
            }
        }
        inner.print_parts(Direction::Out, datagram.len());
    }

    /// A datagram came in.
    pub(super) fn received(&self, datagram: &[u8]) {
        let mut inner = self.0.borrow_mut();
        inner.traffic.received_datagrams += 1;
        inner.traffic.received_bytes += datagram.len() as u64;
        if inner.secure {
            inner.note_group(datagram);
        }
        if !inner.verbose {
            return;
        }
        if !inner.secure {
            return inner.message(Direction::In, datagram, datagram.len());
        }
        inner.arrived.clear();
        inner.parts.clear();
        // We ask for records without a Connection ID.
        for record in dtls::records(datagram, Some(0)) {
            match record.content {
                Content::Clear(what) => inner.parts.push(what),
                Content::Sealed { content_type, .. } => {
                    inner.arrived.push_back((content_type, datagram.len()));
                }
                Content::SealedRest => inner.arrived.push_back((None, datagram.len())),
            }
        }
        if inner.arrived.is_empty() {
            inner.print_parts(Direction::In, datagram.len());
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Out,
    In,
}

impl Inner {
    /// Key exchanges of both versions begin in the clear.
    fn note_group(&mut self, datagram: &[u8]) {
        const HANDSHAKE: u8 = 22;
        let mut rest = datagram;
        while let [HANDSHAKE, _, _, 0, 0, _, _, _, _, _, _, high, low, after @ ..] = rest {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            for message in messages(after.get(..len).unwrap_or_default()) {
                match ServerHello::of(&message) {
                    Some(hello) => (self.group, self.key_exchange) = (hello.group, KeyExchange::default()),
                    None => {
                        self.key_exchange.take(&message);
                        self.group = self.key_exchange.group().or(self.group);
                    }
                }
            }
            rest = after.get(len..).unwrap_or_default();
        }
    }

    /// A record's plaintext.
    fn record(&mut self, direction: Direction, content_type: Option<u8>, plaintext: &[u8], datagram: usize) {
        let (content_type, content) = match content_type {
            Some(content_type) => (content_type, plaintext),
            None => match dtls::inner(plaintext) {
                Some(inner) => inner,
                None => return,
            },
        };
        match (content_type, content) {
            (23, content) => self.message(direction, content, datagram),
            (21, [level, description]) => self.parts.push(dtls::alert(*level, *description)),
            (other, content) => self.parts.push(dtls::clear(other, content)),
        }
    }

    fn message(&mut self, direction: Direction, bytes: &[u8], datagram: usize) {
        let mut lines = message::describe(bytes, self.style);
        let again = Message::parse(bytes).is_ok_and(|message| {
            message.kind() == Type::Con
                && !self.seen[usize::from(direction == Direction::In)].insert(message.message_id())
        });
        if again && let Some(first) = lines.first_mut() {
            first.push_str(&self.style.yellow(" (again)"));
        }
        let size = if self.secure {
            format!("{} B, with DTLS {datagram} B", bytes.len())
        } else {
            format!("{} B", bytes.len())
        };
        if let Some(first) = lines.first_mut() {
            first.push_str(&self.style.dim(format!("  {size}")));
        }
        self.write(direction, &lines.join("\n"));
    }

    fn print_parts(&mut self, direction: Direction, datagram: usize) {
        if !self.parts.is_empty() {
            let what = std::mem::take(&mut self.parts).join(" + ");
            self.write(direction, &format!("DTLS {what}{}", self.style.dim(format!("  {datagram} B"))));
        }
    }

    fn write(&self, direction: Direction, text: &str) {
        let arrow = match direction {
            Direction::Out => self.style.green("→"),
            Direction::In => self.style.cyan("←"),
        };
        eprintln!("{arrow} {text}");
    }
}
