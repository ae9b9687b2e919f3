//! The server's last flight, kept in 16 bytes instead of a handshake (RFC 6347 section 4.2.4).
//!
//! The server sends the last flight of a full handshake and must send it again for as long as the client
//! repeats its own. Nothing in it depends on the handshake but the twelve bytes of verify_data and two numbers.

use sedge_crypto::Crypto;

use super::{Content, Role, Session12};
use crate::discard::Discard;
use crate::handshake::message::{self, MessageType};
use crate::record::{ContentType, Header, RECORD_HEADER};
use crate::wire::Writer;

/// What ChangeCipherSpec and Finished are made of.
#[derive(Clone, Debug)]
pub(crate) struct LastFlight {
    pub(crate) verify_data: [u8; 12],
    /// The Finished's message_seq.
    pub(crate) message_seq: u16,
    /// The next sequence number of epoch 0, for ChangeCipherSpec.
    pub(crate) sequence: u32,
}

impl Session12 {
    pub(crate) fn set_last_flight(&mut self, flight: LastFlight) {
        self.last_flight = Some(flight);
    }

    /// Writes the server's last flight (ChangeCipherSpec and Finished) to `buf`, under fresh record numbers, and
    /// returns the datagram's length; `None` for a client, once the peer has sent application data, or if
    /// `buf` is too small.
    pub(crate) fn last_flight<C: Crypto>(&mut self, crypto: &C, buf: &mut [u8]) -> Option<usize> {
        let flight = self.last_flight.as_mut()?;
        let LastFlight { verify_data, message_seq, sequence } = flight.clone();
        flight.sequence = sequence.wrapping_add(1);

        let ccs_len = RECORD_HEADER + 1;
        let (ccs, finished) = buf.split_at_mut_checked(ccs_len)?;
        let header =
            Header { content_type: ContentType::CHANGE_CIPHER_SPEC, epoch: 0, sequence: sequence.into() };
        let mut out = Writer::new(ccs);
        header.write(&mut out, &[], 1);
        out.u8(1);
        let _ = out.finish()?;

        let mut out = Writer::new(finished.get_mut(self.headroom()..)?);
        message::write_header(&mut out, MessageType::FINISHED, message_seq, verify_data.len());
        out.bytes(&verify_data);
        let len = out.finish()?;
        Some(ccs_len + self.seal(crypto, ContentType::HANDSHAKE, finished, len).ok()?)
    }

    /// A handshake message inside an established session.
    pub(super) fn late_handshake(&self, plaintext: &[u8]) -> Result<Content<'static>, Discard> {
        let header = message::Fragment::parse(plaintext).ok_or(Discard::MalformedHandshake)?.0;
        match (self.role, header.message_type) {
            (Role::Server, MessageType::FINISHED) if self.last_flight.is_some() => Ok(Content::FinishedAgain),
            (_, MessageType::FINISHED) => Err(Discard::HandshakeRepeated),
            (Role::Server, MessageType::CLIENT_HELLO) | (Role::Client, MessageType::HELLO_REQUEST) => {
                Ok(Content::Renegotiation)
            }
            _ => Err(Discard::UnexpectedHandshake),
        }
    }
}
