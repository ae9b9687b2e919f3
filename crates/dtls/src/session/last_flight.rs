//! The last flight, kept in the session instead of a handshake (RFC 6347 section 4.2.4).
//!
//! Whoever sends it, the server in a full handshake and the client in one that resumes a session, must send it again
//! for as long as the peer repeats its own. Nothing in it depends on the handshake but the twelve bytes of
//! verify_data, two numbers and perhaps a ticket.

use sedge_crypto::Crypto;

use super::{Content, Role, Session12};
use crate::discard::Discard;
use crate::dtls12::ticket::Ticket;
use crate::handshake::message::{self, HANDSHAKE_HEADER, MessageType};
use crate::record::{ContentType, Header};
use crate::wire::Writer;

/// What NewSessionTicket, ChangeCipherSpec and Finished are made of.
#[derive(Clone, Debug)]
pub(crate) struct LastFlight {
    pub(crate) verify_data: [u8; 12],
    /// The Finished's message_seq.
    pub(crate) message_seq: u16,
    /// The next sequence number of epoch 0, for what comes before Finished.
    pub(crate) sequence: u32,
    /// A server's ticket for the client; its message comes right before Finished.
    pub(crate) ticket: Option<Ticket>,
}

impl Session12 {
    pub(crate) fn set_last_flight(&mut self, flight: LastFlight) {
        self.last_flight = Some(flight);
    }

    /// Sets the number of the first record of epoch 0 in the last flight.
    pub(crate) fn start_last_flight(&mut self, sequence: u32) {
        if let Some(flight) = &mut self.last_flight {
            flight.sequence = sequence;
        }
    }

    /// Writes this side's last flight to `buf`, under fresh record numbers, and returns the datagram's length; `None` if
    /// the last flight was the peer's, once the peer has sent application data, or if `buf` is too small.
    pub(crate) fn last_flight<C: Crypto>(&mut self, crypto: &C, buf: &mut [u8]) -> Option<usize> {
        let flight = self.last_flight.as_mut()?;
        let LastFlight { verify_data, message_seq, mut sequence, ticket } = flight.clone();
        flight.sequence = sequence.wrapping_add(2);

        let mut used = 0;
        if let Some(ticket) = &ticket {
            let mut header = [0; HANDSHAKE_HEADER];
            let mut body = [0; Ticket::BODY];
            let mut out = Writer::new(&mut body);
            ticket.write(&mut out);
            let len = out.finish()?;
            let ticket_seq = message_seq.wrapping_sub(1);
            let mut out = Writer::new(&mut header);
            message::write_header(&mut out, MessageType::NEW_SESSION_TICKET, ticket_seq, len);
            used += plaintext(buf, ContentType::HANDSHAKE, sequence, &[&header, body.get(..len)?])?;
            sequence = sequence.wrapping_add(1);
        }
        used += plaintext(buf.get_mut(used..)?, ContentType::CHANGE_CIPHER_SPEC, sequence, &[&[1]])?;
        let finished = buf.get_mut(used..)?;

        let mut out = Writer::new(finished.get_mut(self.headroom()..)?);
        message::write_header(&mut out, MessageType::FINISHED, message_seq, verify_data.len());
        out.bytes(&verify_data);
        let len = out.finish()?;
        Some(used + self.seal(crypto, ContentType::HANDSHAKE, finished, len).ok()?)
    }

    /// A handshake message inside an established session.
    pub(super) fn late_handshake(&self, plaintext: &[u8]) -> Result<Content<'static>, Discard> {
        let header = message::Fragment::parse(plaintext).ok_or(Discard::MalformedHandshake)?.0;
        match (self.role, header.message_type) {
            (_, MessageType::FINISHED) if self.last_flight.is_some() => Ok(Content::FinishedAgain),
            (_, MessageType::FINISHED) => Err(Discard::HandshakeRepeated),
            (Role::Server, MessageType::CLIENT_HELLO) | (Role::Client, MessageType::HELLO_REQUEST) => {
                Ok(Content::Renegotiation)
            }
            _ => Err(Discard::UnexpectedHandshake),
        }
    }
}

/// Writes a record of epoch 0.
fn plaintext(buf: &mut [u8], content_type: ContentType, sequence: u32, content: &[&[u8]]) -> Option<usize> {
    let mut out = Writer::new(buf);
    let header = Header { content_type, epoch: 0, sequence: sequence.into() };
    header.write(&mut out, &[], content.iter().map(|part| part.len()).sum());
    content.iter().for_each(|part| out.bytes(part));
    out.finish()
}
