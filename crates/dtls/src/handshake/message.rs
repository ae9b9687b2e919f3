//! Handshake messages and their fragments (RFC 6347 section 4.2.2).

use crate::wire::{Reader, Writer};

/// `HandshakeType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageType(pub(crate) u8);

impl MessageType {
    pub(crate) const HELLO_REQUEST: Self = Self(0);
    pub(crate) const CLIENT_HELLO: Self = Self(1);
    pub(crate) const SERVER_HELLO: Self = Self(2);
    pub(crate) const HELLO_VERIFY_REQUEST: Self = Self(3);
    pub(crate) const NEW_SESSION_TICKET: Self = Self(4);
    pub(crate) const ENCRYPTED_EXTENSIONS: Self = Self(8);
    pub(crate) const REQUEST_CONNECTION_ID: Self = Self(9);
    pub(crate) const NEW_CONNECTION_ID: Self = Self(10);
    pub(crate) const CERTIFICATE: Self = Self(11);
    pub(crate) const SERVER_KEY_EXCHANGE: Self = Self(12);
    pub(crate) const CERTIFICATE_REQUEST: Self = Self(13);
    pub(crate) const SERVER_HELLO_DONE: Self = Self(14);
    pub(crate) const CERTIFICATE_VERIFY: Self = Self(15);
    pub(crate) const CLIENT_KEY_EXCHANGE: Self = Self(16);
    pub(crate) const FINISHED: Self = Self(20);
    pub(crate) const KEY_UPDATE: Self = Self(24);
    pub(crate) const MESSAGE_HASH: Self = Self(254);
}

/// Length of a handshake header.
pub(crate) const HANDSHAKE_HEADER: usize = 12;
/// Length of a Finished message's body.
pub(crate) const VERIFY_DATA: usize = 12;

/// A message, or a part of one, as it stands in a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment<'a> {
    pub(crate) message_type: MessageType,
    /// Length of the whole message's body.
    pub(crate) length: usize,
    pub(crate) message_seq: u16,
    pub(crate) offset: usize,
    pub(crate) body: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// The first fragment in `bytes`, and the bytes behind it.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut bytes = Reader::new(bytes);
        let message_type = MessageType(bytes.u8()?);
        let length = usize::try_from(bytes.u24()?).ok()?;
        let message_seq = bytes.u16()?;
        let offset = usize::try_from(bytes.u24()?).ok()?;
        let fragment_length = usize::try_from(bytes.u24()?).ok()?;
        let body = bytes.take(fragment_length)?;
        let inside = offset.checked_add(fragment_length)? <= length;
        inside.then_some((Self { message_type, length, message_seq, offset, body }, bytes.rest()))
    }

    /// The message, if this is all of it.
    pub(crate) fn whole(&self) -> Option<Message<'a>> {
        let Self { message_type, message_seq, body, .. } = *self;
        self.is_whole().then_some(Message { message_type, message_seq, body })
    }

    /// Whether this is all of the message.
    pub(crate) const fn is_whole(&self) -> bool {
        self.body.len() == self.length
    }

    /// Writes the fragment's header and body.
    pub(crate) fn write(&self, out: &mut Writer<'_>) {
        out.u8(self.message_type.0);
        out.u24(self.length as u32);
        out.u16(self.message_seq);
        out.u24(self.offset as u32);
        out.u24(self.body.len() as u32);
        out.bytes(self.body);
    }
}

/// A whole message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) message_type: MessageType,
    pub(crate) message_seq: u16,
    pub(crate) body: &'a [u8],
}

impl Message<'_> {
    /// The header the message has in the transcript: as if it had been sent in one piece
    /// (RFC 6347 section 4.2.6).
    pub(crate) fn header(&self) -> [u8; HANDSHAKE_HEADER] {
        let mut header = [0; HANDSHAKE_HEADER];
        write_header(&mut Writer::new(&mut header), self.message_type, self.message_seq, self.body.len());
        header
    }
}

/// Writes the header of a message in one piece.
pub(crate) fn write_header(out: &mut Writer<'_>, message_type: MessageType, message_seq: u16, length: usize) {
    out.u8(message_type.0);
    out.u24(length as u32);
    out.u16(message_seq);
    out.u24(0);
    out.u24(length as u32);
}
