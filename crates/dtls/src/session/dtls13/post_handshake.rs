//! Handshake messages after the handshake: KeyUpdate, Connection IDs, tickets, and their ACKs
//! (RFC 9147 sections 5.8.4, 7, 8 and 9).
//!
//! ```text
//! KeyUpdate            ----->
//!                      <-----  ACK         (now our records are of the next epoch)
//! data of epoch 4      ----->              (now the peer forgets the keys of epoch 3)
//! ```
//! One message of ours is outstanding at a time. The session keeps what it takes to write it again, not the message;
//! when to write it again is the caller's to say, who has a clock.

use sedge_crypto::{Crypto, Secret};

use super::parts::Part;
use super::{Cids, Extra, Session13, Unprotected, flag};
use crate::cid::ConnectionId;
use crate::discard::Discard;
use crate::dtls13::ack::{self, RecordNumber};
use crate::dtls13::message::{self, NewSessionTicket};
use crate::dtls13::protection::{OpenError, OpenedRecord};
use crate::handshake::message::{Fragment, HANDSHAKE_HEADER, MessageType, write_header};
use crate::record::ContentType;
use crate::session::{Content, RecordLayer, Role, Ticket};
use crate::wire::Writer;

/// Which message of ours awaits its ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outstanding {
    Nothing,
    /// Whether the peer is asked to do the same.
    KeyUpdate(bool),
    /// The ticket that the handshake sent.
    Ticket,
    NewConnectionId,
    /// How many are asked for.
    RequestConnectionId(u8),
}

impl Session13 {
    /// Whether [`poll_transmit`](Self::poll_transmit) has something to write.
    pub(crate) fn pending(&self) -> bool {
        self.has(flag::ACK_DUE | flag::SEND_DUE) || self.wants_update()
    }

    /// Whether a KeyUpdate is to be begun, and can be.
    fn wants_update(&self) -> bool {
        let last_epoch = self.write_epoch == u16::MAX || self.next_message == u16::MAX;
        self.has(flag::UPDATE_WANTED)
            && !self.is_outstanding()
            && !self.has(flag::STREAM_UNKNOWN)
            && !last_epoch
    }

    pub(crate) fn is_outstanding(&self) -> bool {
        self.outstanding != Outstanding::Nothing
    }

    /// Whether the outstanding message is to be sent.
    pub(crate) const fn has_to_send(&self) -> bool {
        self.has(flag::SEND_DUE)
    }

    pub(crate) fn retransmit(&mut self) {
        if self.is_outstanding() {
            self.set(flag::SEND_DUE);
        }
    }

    /// Replaces our keys as soon as the peer knows of it.
    pub(crate) const fn update_keys(&mut self, request: bool) {
        self.set(if request { flag::UPDATE_WANTED | flag::UPDATE_REQUESTED } else { flag::UPDATE_WANTED });
    }

    /// RFC 9147 section 9: for a session whose records to us have an identifier, one of the same length.
    pub(crate) fn new_connection_id(&mut self, cid: &ConnectionId) -> bool {
        let fits = !cid.is_empty() && cid.len() == self.cids.own().len();
        match Cids::new(cid.as_bytes(), self.cids.peer()) {
            Some(cids) if fits && self.begin(Outstanding::NewConnectionId) => self.cids = cids,
            _ => return false,
        }
        self.set(flag::CID_REPLACED);
        true
    }

    /// RFC 9147 section 9: for a session whose records to the peer have an identifier.
    pub(crate) fn request_connection_ids(&mut self, count: u8) -> bool {
        !self.cids.peer().is_empty() && self.begin(Outstanding::RequestConnectionId(count))
    }

    /// Makes a message the outstanding one, if there is none and numbers are left.
    pub(crate) fn begin(&mut self, message: Outstanding) -> bool {
        let free = !self.is_outstanding() && !self.has(flag::STREAM_UNKNOWN);
        let Some(next) = self.next_message.checked_add(1).filter(|_| free) else { return false };
        self.next_message = next;
        self.outstanding = message;
        self.outstanding_since = self.next_sequence as u16;
        self.set(flag::SEND_DUE);
        true
    }

    /// Writes the next datagram with an ACK or a handshake message.
    pub(crate) fn poll_transmit<L: RecordLayer>(&mut self, layer: &L, buf: &mut [u8]) -> Option<usize> {
        let crypto = layer.crypto();
        if self.has(flag::ACK_DUE) {
            return self.write_ack(crypto, buf);
        }
        if self.wants_update() {
            let request = self.has(flag::UPDATE_REQUESTED);
            if self.begin(Outstanding::KeyUpdate(request)) {
                self.clear(flag::UPDATE_WANTED | flag::UPDATE_REQUESTED);
            }
        }
        if !self.has(flag::SEND_DUE) {
            return None;
        }
        let message_seq = self.next_message.checked_sub(1)?;
        let len = match self.outstanding {
            Outstanding::KeyUpdate(request) => {
                self.write_message(MessageType::KEY_UPDATE, message_seq, buf, &|out| {
                    out.u8(request.into());
                })
            }
            // The ticket itself is gone. If the client has it, it takes this for a repetition, and if not, for a ticket
            // that has expired; either way the messages behind it can be taken in turn.
            Outstanding::Ticket if L::SERVER => {
                self.write_message(MessageType::NEW_SESSION_TICKET, message_seq, buf, &|out| {
                    NewSessionTicket { lifetime: 0, age_add: 0, nonce: &[], ticket: &[0] }.write(out);
                })
            }
            Outstanding::Nothing | Outstanding::Ticket => None,
            Outstanding::NewConnectionId => {
                let own = ConnectionId::new(self.cids.own())?;
                self.write_message(MessageType::NEW_CONNECTION_ID, message_seq, buf, &|out| {
                    message::write_new_connection_id(out, &own);
                })
            }
            Outstanding::RequestConnectionId(count) => {
                self.write_message(MessageType::REQUEST_CONNECTION_ID, message_seq, buf, &|out| out.u8(count))
            }
        }?;
        let written = self.seal(crypto, ContentType::HANDSHAKE, buf, len, false).ok()?;
        self.clear(flag::SEND_DUE);
        Some(written)
    }

    /// Sends the outstanding message, as it was written by the handshake.
    pub(crate) fn write_handshake<C: Crypto>(
        &mut self,
        crypto: &C,
        buf: &mut [u8],
        message: &[u8],
    ) -> Option<usize> {
        buf.get_mut(self.headroom()..)?.get_mut(..message.len())?.copy_from_slice(message);
        let len = self.seal(crypto, ContentType::HANDSHAKE, buf, message.len(), false).ok()?;
        self.clear(flag::SEND_DUE);
        Some(len)
    }

    /// Writes a message to where it will be sealed, and returns its length with its header.
    fn write_message(
        &self,
        message_type: MessageType,
        message_seq: u16,
        buf: &mut [u8],
        body: &dyn Fn(&mut Writer<'_>),
    ) -> Option<usize> {
        let room = buf.get_mut(self.headroom()..)?;
        let (header, room) = room.split_at_mut_checked(HANDSHAKE_HEADER)?;
        let mut out = Writer::new(room);
        body(&mut out);
        let length = out.finish()?;
        write_header(&mut Writer::new(header), message_type, message_seq, length);
        Some(header.len() + length)
    }

    /// Writes an ACK of the handshake record that came last, if one is due.
    pub(crate) fn write_ack<C: Crypto>(&mut self, crypto: &C, buf: &mut [u8]) -> Option<usize> {
        if !self.has(flag::ACK_DUE) {
            return None;
        }
        let number = match self.has(flag::ACK_OF_HANDSHAKE) {
            true => RecordNumber { epoch: 2, sequence: self.ack_age.into() },
            false => {
                let sequence = u64::from(self.highest).checked_sub(self.ack_age.into())?;
                RecordNumber { epoch: self.read_epoch.into(), sequence }
            }
        };
        let len = self.write_ack_of(crypto, buf, [number], false)?;
        self.clear(flag::ACK_DUE | flag::ACK_OF_HANDSHAKE);
        Some(len)
    }

    pub(crate) fn write_ack_of<C: Crypto>(
        &mut self,
        crypto: &C,
        buf: &mut [u8],
        numbers: impl IntoIterator<Item = RecordNumber>,
        with_length: bool,
    ) -> Option<usize> {
        let headroom = self.headroom() + if with_length { 2 } else { 0 };
        let mut out = Writer::new(buf.get_mut(headroom..)?);
        ack::write(&mut out, numbers);
        let len = out.finish()?;
        self.seal(crypto, ContentType::ACK, buf, len, with_length).ok()
    }

    /// The peer has these records.
    pub(super) fn acknowledged<C: Crypto>(
        &mut self,
        crypto: &C,
        body: &[u8],
    ) -> Result<Content<'static>, Discard> {
        let sent = self.next_sequence;
        let since = sent.wrapping_sub(u32::from((sent as u16).wrapping_sub(self.outstanding_since)));
        let mut numbers = ack::parse(body).ok_or(Discard::MalformedContent)?;
        // Only handshake records are acknowledged, and since then there was only one message in any.
        let ours = |number: RecordNumber| {
            number.epoch == u64::from(self.write_epoch)
                && (u64::from(since)..u64::from(sent)).contains(&number.sequence)
        };
        if !self.is_outstanding() || !numbers.any(ours) {
            return Ok(Content::Nothing);
        }
        if matches!(self.outstanding, Outstanding::KeyUpdate(_)) {
            self.write = self.write.next(crypto);
            self.write_epoch += 1;
            self.next_sequence = 0;
        }
        self.outstanding = Outstanding::Nothing;
        self.clear(flag::SEND_DUE);
        Ok(Content::Nothing)
    }

    /// Takes in the handshake messages of one record: all of them, or else the record is not acknowledged. One that is
    /// passed over for its length is acknowledged all the same.
    pub(crate) fn post_handshake<'d, L: RecordLayer>(
        &mut self,
        layer: &L,
        mut messages: &'d [u8],
    ) -> Result<Content<'d>, Discard> {
        let (mut content, mut too_long) = (Content::Nothing, false);
        while !messages.is_empty() {
            let (fragment, rest) = Fragment::parse(messages).ok_or(Discard::MalformedHandshake)?;
            messages = rest;
            // RFC 9147 section 5.2: in turn. What was had before is acknowledged again.
            if fragment.message_seq < self.next_received {
                continue;
            }
            if fragment.message_seq > self.next_received {
                return Err(Discard::HandshakeEarly);
            }
            // RFC 9147 section 8: nothing comes behind a KeyUpdate in its epoch.
            if self.has(flag::NEXT_EPOCH_READ) {
                return Err(Discard::UnexpectedHandshake);
            }
            if !fragment.is_whole() {
                match self.part(&fragment)? {
                    Part::More => continue,
                    Part::Enough => {}
                    Part::TooLong => too_long = true,
                }
                self.next_received = self.next_received.checked_add(1).ok_or(Discard::UnexpectedHandshake)?;
                continue;
            }
            let new = self.message(layer, &fragment)?;
            self.next_received = self.next_received.checked_add(1).ok_or(Discard::UnexpectedHandshake)?;
            if !matches!(new, Content::Nothing) {
                content = new;
            }
        }
        self.set(flag::ACK_DUE);
        if too_long { Err(Discard::HandshakeTooLong) } else { Ok(content) }
    }

    fn message<'d, L: RecordLayer>(
        &mut self,
        layer: &L,
        message: &Fragment<'d>,
    ) -> Result<Content<'d>, Discard> {
        let Fragment { message_type, body, .. } = *message;
        match message_type {
            MessageType::KEY_UPDATE if self.read_epoch < u16::MAX => {
                let request = message::parse_key_update(body).ok_or(Discard::MalformedHandshake)?;
                self.set(flag::NEXT_EPOCH_READ);
                // One of ours that is on its way already is the answer (RFC 8446 section 4.6.3).
                if request && !matches!(self.outstanding, Outstanding::KeyUpdate(_)) {
                    self.set(flag::UPDATE_WANTED);
                }
                Ok(Content::Nothing)
            }
            MessageType::NEW_SESSION_TICKET if self.role() == Role::Client => {
                if !L::RESUMPTION {
                    return Ok(Content::Nothing);
                }
                let ticket = NewSessionTicket::parse(body).ok_or(Discard::MalformedHandshake)?;
                Ok(self.ticket(layer.crypto(), &ticket).map_or(Content::Nothing, Content::Ticket))
            }
            MessageType::NEW_CONNECTION_ID if !self.cids.peer().is_empty() => {
                let cid = message::parse_new_connection_id(body).ok_or(Discard::MalformedHandshake)?;
                let usable = cid.filter(|cid| !cid.is_empty());
                if let Some(cids) = usable.and_then(|cid| Cids::new(self.cids.own(), cid.as_bytes())) {
                    self.cids = cids;
                }
                Ok(Content::Nothing)
            }
            MessageType::REQUEST_CONNECTION_ID if !self.cids.own().is_empty() => {
                let count = message::parse_request_connection_id(body).ok_or(Discard::MalformedHandshake)?;
                Ok(Content::ConnectionIdWanted(count))
            }
            _ => Err(Discard::UnexpectedHandshake),
        }
    }

    /// RFC 8446 section 4.6.1: a ticket and its key. One of no lifetime is to be thrown away.
    pub(crate) fn ticket<'d, C: Crypto>(
        &self,
        crypto: &C,
        ticket: &NewSessionTicket<'d>,
    ) -> Option<Ticket<'d>> {
        let Extra::Resumption(secret) = &self.extra else { return None };
        let NewSessionTicket { lifetime, age_add, nonce, ticket } = *ticket;
        let psk: Secret<32> = secret.psk(crypto, nonce);
        (lifetime > 0).then(|| Ticket { suite: self.suite(), lifetime_secs: lifetime, age_add, ticket, psk })
    }

    /// RFC 9147 section 5.8.1: the client's last flight once more. Its ACK was lost, and is sent again.
    pub(super) fn finished_again<C: Crypto>(
        &mut self,
        crypto: &C,
        record: &mut [u8],
    ) -> Result<Unprotected<'static>, Discard> {
        let Extra::Handshake(secret) = &self.extra else { return Err(Discard::UnknownEpoch) };
        // Few records are sent in a handshake, so their numbers are near to 0.
        match secret.keys(crypto).open(crypto, self.aead, 0, record, self.cids.own().len()) {
            Ok(OpenedRecord { content_type: ContentType::HANDSHAKE, sequence, .. }) => {
                self.ack_age = u8::try_from(sequence).map_err(|_| Discard::Replayed)?;
                self.set(flag::ACK_DUE | flag::ACK_OF_HANDSHAKE);
                Ok(Unprotected::FinishedAgain)
            }
            Ok(_) => Err(Discard::UnexpectedContentType),
            Err(OpenError::TooShort) => Err(Discard::TooShort),
            Err(OpenError::BadTag) => Err(Discard::BadTag),
        }
    }
}
