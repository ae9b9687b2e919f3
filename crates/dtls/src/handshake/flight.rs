//! Outgoing flights: kept as messages, sent as few datagrams as the path allows (RFC 6347 sections 4.2.3, 4.2.4).

use sedge_crypto::Crypto;

use super::message::{self, Fragment, HANDSHAKE_HEADER, MessageType};
use crate::profile::Buffer;
use crate::record::{ContentType, Header, RECORD_HEADER};
use crate::session::Session12;
use crate::wire::Writer;

/// The messages of one flight, and how much of it was sent.
///
/// Messages stand one behind the other, each in one piece with its header, exactly as they enter the
/// transcript. They are cut into records and fragments only when written to a datagram, so a retransmission
/// may be cut differently.
#[derive(Debug)]
pub(crate) struct Flight<B> {
    messages: B,
    len: usize,
    /// Where in `messages` ChangeCipherSpec stands; what follows is protected.
    change_cipher_spec: Option<usize>,
    cursor: Cursor,
}

/// What is to be sent next.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// Start of a message.
    message: usize,
    /// How much of its body was sent.
    offset: usize,
    /// Whether ChangeCipherSpec was sent.
    protected: bool,
}

/// Where the bytes of epoch 0 get their record numbers from, and how those of epoch 1 are sealed.
pub(crate) struct Outlet<'a, C: Crypto> {
    pub(crate) crypto: &'a C,
    pub(crate) sequence: &'a mut u64,
    pub(crate) session: Option<&'a mut Session12>,
}

impl<B: Buffer> Flight<B> {
    pub(crate) fn new() -> Self {
        let cursor = Cursor { message: 0, offset: 0, protected: false };
        Self { messages: B::zeroed(), len: 0, change_cipher_spec: None, cursor }
    }

    /// Forgets everything: a new flight begins.
    pub(crate) fn clear(&mut self) {
        (self.len, self.change_cipher_spec, self.cursor) = (0, None, Cursor::default());
    }

    /// Appends a message and returns it with its header, or `None` if it does not fit.
    pub(crate) fn push(
        &mut self,
        message_type: MessageType,
        message_seq: u16,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Option<&[u8]> {
        let from = self.len + HANDSHAKE_HEADER;
        let mut out = Writer::new(self.messages.bytes_mut().get_mut(from..)?);
        body(&mut out);
        let length = out.finish()?;
        self.append(message_type, message_seq, length)
    }

    /// Makes a message of the body that stands behind the room for its header.
    #[cfg_attr(target_os = "none", inline(never))]
    fn append(&mut self, message_type: MessageType, message_seq: u16, length: usize) -> Option<&[u8]> {
        let room = self.messages.bytes_mut().get_mut(self.len..)?;
        message::write_header(&mut Writer::new(room), message_type, message_seq, length);
        self.len += HANDSHAKE_HEADER + length;
        room.get(..HANDSHAKE_HEADER + length)
    }

    /// Appends ChangeCipherSpec.
    pub(crate) const fn change_cipher_spec(&mut self) {
        self.change_cipher_spec = Some(self.len);
    }

    /// Takes everything for sent.
    pub(crate) const fn sent(&mut self) {
        self.cursor.message = self.len;
    }

    /// Sends everything again.
    pub(crate) fn rewind(&mut self) {
        self.cursor = Cursor::default();
    }

    /// Writes the next datagram to `buf`, if something is left to send and `buf` has room for it.
    pub(crate) fn write_datagram<C: Crypto>(
        &mut self,
        outlet: &mut Outlet<'_, C>,
        buf: &mut [u8],
    ) -> Option<usize> {
        let mut used = 0;
        loop {
            let room = buf.get_mut(used..).unwrap_or_default();
            let change_cipher_spec =
                self.change_cipher_spec == Some(self.cursor.message) && !self.cursor.protected;
            let written = match change_cipher_spec {
                true => write_plaintext(outlet.sequence, ContentType::CHANGE_CIPHER_SPEC, &[1], room),
                false => self.write_record(outlet, room, used == 0),
            };
            let Some(len) = written else { break };
            self.cursor.protected |= change_cipher_spec;
            used += len;
        }
        (used > 0).then_some(used)
    }

    /// Writes a record with the next message. One that does not fit waits for the next datagram; only one that has
    /// a datagram for itself and is still too long is cut.
    ///
    /// RFC 6347 section 4.2.3 lets several messages share a record, which would save 13 bytes in flight 4, but
    /// TinyDTLS, the engine of Contiki-NG, RIOT and Zephyr, refuses a record that holds more than one.
    fn write_record<C: Crypto>(
        &mut self,
        outlet: &mut Outlet<'_, C>,
        buf: &mut [u8],
        starts_datagram: bool,
    ) -> Option<usize> {
        let Self { messages, len, change_cipher_spec, cursor } = self;
        let end = if cursor.protected { *len } else { change_cipher_spec.unwrap_or(*len) };
        if cursor.message >= end {
            return None;
        }
        let (headroom, overhead) = match &outlet.session {
            Some(session) if cursor.protected => (session.headroom(), session.overhead()),
            _ if cursor.protected => return None,
            _ => (RECORD_HEADER, RECORD_HEADER),
        };
        let (whole, _) = Fragment::parse(messages.bytes().get(cursor.message..end)?)?;
        let unsent = whole.body.get(cursor.offset..)?;
        let capacity = buf.len().checked_sub(overhead + HANDSHAKE_HEADER)?;
        let body = unsent.get(..capacity).unwrap_or(unsent);
        let cut = body.len() < unsent.len();
        if cut && (body.is_empty() || !starts_datagram) {
            return None;
        }
        let mut out = Writer::new(buf.get_mut(headroom..)?);
        Fragment { offset: cursor.offset, body, ..whole }.write(&mut out);
        let written = out.finish()?;
        if cut {
            cursor.offset += body.len();
        } else {
            cursor.message += HANDSHAKE_HEADER + whole.length;
            cursor.offset = 0;
        }
        match &mut outlet.session {
            Some(session) if cursor.protected => {
                session.seal(outlet.crypto, ContentType::HANDSHAKE, buf, written).ok()
            }
            _ => seal_plaintext(outlet.sequence, ContentType::HANDSHAKE, buf, written),
        }
    }
}

/// Writes a record of epoch 0.
pub(crate) fn write_plaintext(
    sequence: &mut u64,
    content_type: ContentType,
    content: &[u8],
    buf: &mut [u8],
) -> Option<usize> {
    buf.get_mut(RECORD_HEADER..)?.get_mut(..content.len())?.copy_from_slice(content);
    seal_plaintext(sequence, content_type, buf, content.len())
}

/// Writes the header of a record of epoch 0 whose content stands behind it already.
fn seal_plaintext(
    sequence: &mut u64,
    content_type: ContentType,
    buf: &mut [u8],
    length: usize,
) -> Option<usize> {
    let mut out = Writer::new(buf);
    Header { content_type, epoch: 0, sequence: *sequence }.write(&mut out, &[], length);
    *sequence += 1;
    Some(out.finish()? + length)
}
