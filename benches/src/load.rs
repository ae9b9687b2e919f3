//! A closed loop of requests, and servers that take turns at answering it.

use std::io;
use std::time::Duration;

use sedge_coap::{Code, Message, OptionNumber, Token, Type, Writer};

use crate::cpu::Samples;
use crate::fleet::{Fleet, FleetSocket};
use crate::net::DATAGRAM;
use crate::process::ServerProcess;

/// Sessions that take part.
pub(crate) const CLIENTS: u32 = 16;
/// Requests under way at once, over all sessions.
const WINDOW: u32 = 128;
const PATIENCE: Duration = Duration::from_secs(2);

/// What a request looks like, and how its answer is recognised.
pub(crate) enum Load {
    /// The bytes themselves.
    Raw(FleetSocket),
    /// The bytes as DTLS application data.
    Dtls(Fleet),
    /// A confirmable CoAP request over DTLS.
    Coap { fleet: Fleet, request: CoapRequest, sent: u32 },
}

/// A request that a server answers within the acknowledgement.
pub(crate) struct CoapRequest {
    pub(crate) method: Code,
    pub(crate) path: &'static [&'static str],
    /// Whether the value goes with the request.
    pub(crate) carries: bool,
    /// Whether it comes back with the response, whose code is of class 2.
    pub(crate) returns: bool,
}

impl CoapRequest {
    /// Writes the request with the given Message ID and token.
    pub(crate) fn write(&self, buffer: &mut [u8], number: u32, value: &[u8]) -> usize {
        let token = Token::new(&number.to_be_bytes()).unwrap_or_default();
        let mut writer = Writer::new(buffer, Type::Con, self.method, number as u16, token);
        let _ = writer.path(self.path);
        if self.carries {
            let _ = writer.option_uint(OptionNumber::CONTENT_FORMAT, 42).payload(value);
        }
        writer.finish().unwrap_or(0)
    }

    fn is_answered_by(&self, response: &[u8], value: &[u8]) -> bool {
        Message::parse(response).is_ok_and(|message| {
            message.kind() == Type::Ack
                && message.code().0 >> 5 == 2
                && (!self.returns || message.payload() == value)
        })
    }
}

impl Load {
    /// Makes one request and waits for its answer.
    pub(crate) fn once(&mut self, value: &[u8]) -> io::Result<()> {
        let datagram = self.prepare(0, value)?;
        self.send(0, &datagram)?;
        match self.receive(value)? {
            Some(true) => Ok(()),
            outcome => Err(io::Error::other(format!("no answer, or not the right one ({outcome:?})"))),
        }
    }

    /// Sends `count` requests, `WINDOW` at a time, and waits for all answers.
    fn run(&mut self, count: u32, value: &[u8]) -> io::Result<()> {
        for _ in 0..count / WINDOW {
            // What takes the client's time is done first, so that the server does not wait in between.
            let datagrams = (0..WINDOW).map(|i| self.prepare(i % CLIENTS, value));
            let datagrams = datagrams.collect::<io::Result<Vec<_>>>()?;
            for (i, datagram) in (0..WINDOW).zip(&datagrams) {
                self.send(i % CLIENTS, datagram)?;
            }
            let mut answered = 0;
            while answered < WINDOW {
                match self.receive(value)? {
                    None => {
                        return Err(io::Error::other(format!("{} answers are missing", WINDOW - answered)));
                    }
                    Some(true) => answered += 1,
                    Some(false) => {}
                }
            }
        }
        Ok(())
    }

    fn prepare(&mut self, client: u32, value: &[u8]) -> io::Result<Vec<u8>> {
        let copy = |buffer: &mut [u8]| {
            buffer[..value.len()].copy_from_slice(value);
            value.len()
        };
        match self {
            Self::Raw(_) => Ok(value.to_vec()),
            Self::Dtls(fleet) => fleet.seal(client, copy),
            Self::Coap { fleet, request, sent } => {
                *sent += 1;
                fleet.seal(client, |buffer| request.write(&mut buffer[..DATAGRAM / 2], *sent, value))
            }
        }
    }

    fn send(&self, client: u32, datagram: &[u8]) -> io::Result<()> {
        match self {
            Self::Raw(socket) => socket.send(client, datagram),
            Self::Dtls(fleet) | Self::Coap { fleet, .. } => fleet.send(client, datagram),
        }
    }

    /// Whether what came next is an answer; `None` if nothing came.
    fn receive(&mut self, value: &[u8]) -> io::Result<Option<bool>> {
        let mut right = false;
        let came = match self {
            Self::Raw(socket) => match socket.receive(PATIENCE)? {
                Some((_, datagram)) => {
                    right = datagram == value;
                    true
                }
                None => false,
            },
            Self::Dtls(fleet) => fleet.receive(PATIENCE, |_, plaintext| right = plaintext == value)?,
            Self::Coap { fleet, request, .. } => {
                fleet.receive(PATIENCE, |_, plaintext| right = request.is_answered_by(plaintext, value))?
            }
        };
        Ok(came.then_some(right))
    }
}

/// A server, its clients, and what they have measured so far.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) server: ServerProcess,
    pub(crate) load: Load,
    /// Requests per second of server CPU time.
    pub(crate) rates: Samples,
}

impl Contender {
    /// One repetition.
    pub(crate) fn repeat(&mut self, count: u32, value: &[u8]) -> Result<f64, String> {
        let Self { name, server, load, .. } = self;
        let (seconds, outcome) = server.cpu_seconds(|| load.run(count, value))?;
        outcome.map_err(|error| format!("{name}: {error}"))?;
        Ok(f64::from(count / WINDOW * WINDOW) / seconds)
    }
}

/// Lets all contenders take turns; the first round warms up.
pub(crate) fn take_turns(
    contenders: &mut [Contender],
    repetitions: usize,
    count: u32,
    value: &[u8],
) -> Result<(), String> {
    for repetition in 0..=repetitions {
        for contender in &mut *contenders {
            let rate = contender.repeat(count, value)?;
            if repetition > 0 {
                contender.rates.push(rate);
            }
        }
    }
    Ok(())
}
