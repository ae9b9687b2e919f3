//! A server's commands: answers at once and later, and notifications.

use sedge_coap::{Code, Token, Type, Writer, empty_message};
use sedge_time::Instant;

use crate::client::write_error;
use crate::duplicates::Outcome;
use crate::endpoint::Endpoint;
use crate::event::Ticket;
use crate::exchange::{ExchangeId, State};
use crate::host::HostOf;
use crate::memory::{Buffer, Memory, Pool};
use crate::session::SessionId;
use crate::transmit::{Link, SendError, copy};

/// A notification to send (RFC 7641 section 4.2). The caller writes the Observe option itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The observation, in the caller's numbering: comes back with the notification's fate.
    pub key: u64,
    /// The token of the observation's request.
    pub token: Token,
    /// 2.05, or an error, which ends the observation.
    pub code: Code,
    /// Whether it is sent again until it is acknowledged.
    pub confirmable: bool,
}

impl<M: Memory> Endpoint<M> {
    /// Answers a request: within the acknowledgement of a confirmable one, in a message of its own
    /// otherwise. `write` adds options and payload.
    ///
    /// A repetition of the request gets the same answer again, without anyone being asked (except for GET
    /// and FETCH, which are answered afresh).
    ///
    /// # Errors
    /// [`SendError`]. After [`SendError::TooLong`] or [`SendError::Malformed`] nothing was sent and the
    /// ticket is used up; answer such cases by not writing them.
    pub fn respond<H: HostOf<M>>(
        &mut self,
        now: Instant,
        ticket: Ticket,
        host: &mut H,
        code: Code,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), SendError> {
        let Ticket { session, token, message_id, confirmable, duplicate_key, .. } = ticket;
        self.counters.responses_sent += 1;
        let unwanted = unwanted(ticket.no_response, code);
        let (kind, id) = match (confirmable, unwanted) {
            (true, _) => (Type::Ack, message_id),
            (false, false) => (Type::Non, self.new_message_id(now, session)?),
            // A repetition of it is ignored, since it is remembered.
            (false, true) => return Ok(()),
        };
        let keep = confirmable && duplicate_key.is_some();
        let mut outcome = Some(if unwanted { Outcome::Acknowledged } else { Outcome::Code(code) });
        let replies = &mut self.replies;
        let peer = self.sessions.get_mut(session.slot).filter(|peer| peer.generation == session.generation);
        let peer = peer.ok_or(SendError::Gone)?;
        let Self { crypto, validations, counters, .. } = self;
        let sent = Link::<M> { crypto, validations, counters }.send(peer, host, |buf| {
            if unwanted {
                return copy(&empty_message(kind, id), buf);
            }
            let mut writer = Writer::new(buf, kind, code, id, token);
            write(&mut writer);
            let len = writer.finish().map_err(write_error)?;
            let after_token = buf.get(4 + token.len()..len).unwrap_or_default();
            if keep && !after_token.is_empty() {
                // Too long or too many to keep: a repetition learns the code at least.
                let mut reply = M::Buffer::default();
                let stored = reply.store_joined(&[code.0], after_token);
                let slot = if stored { replies.insert(reply) } else { None };
                outcome = Some(slot.map_or(Outcome::Code(code), Outcome::Response));
            }
            Ok(len)
        });
        self.send_own(session, host);
        if matches!(sent, Err(SendError::TooLong | SendError::Malformed)) {
            outcome = None;
        }
        if let (Some(key), Some(outcome)) = (duplicate_key, outcome) {
            self.record_outcome(key, outcome);
        }
        sent
    }

    /// Keeps a request for later. A confirmable one is acknowledged by itself if the answer takes long; the
    /// answer then goes out in a message of its own (RFC 7252 section 5.2.2).
    ///
    /// # Errors
    /// The ticket, if the pool of exchanges is full or the session has ended.
    pub fn defer(&mut self, now: Instant, ticket: Ticket) -> Result<ExchangeId, Ticket> {
        let Ticket { session, confirmable, no_response, duplicate_key, .. } = ticket;
        let state = State::Deferred { confirmable, acknowledged: false, no_response, duplicate_key };
        // Half of what the peer waits before it sends again.
        let acknowledge_at = now + self.config.transmission.ack_timeout.fraction(1, 2);
        let deadline = if confirmable { acknowledge_at } else { Instant::DISTANT_FUTURE };
        let nothing = M::Buffer::default();
        self.open_exchange(session, ticket.message_id, ticket.token, deadline, state, nothing).ok_or(ticket)
    }

    /// Answers a request that was [deferred](Self::defer).
    ///
    /// # Errors
    /// [`SendError`]; [`SendError::Gone`] if its session has ended. The request counts as answered either way.
    pub fn respond_deferred<H: HostOf<M>>(
        &mut self,
        now: Instant,
        deferred: ExchangeId,
        host: &mut H,
        code: Code,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), SendError> {
        let slot = self.exchange_slot(deferred).ok_or(SendError::Gone)?;
        let exchange = self.remove_exchange(slot).ok_or(SendError::Gone)?;
        let State::Deferred { confirmable, acknowledged, no_response, duplicate_key } = exchange.state else {
            return Err(SendError::Gone);
        };
        let ticket = Ticket {
            session: exchange.session,
            principal: 0,
            token: exchange.token,
            message_id: exchange.message_id,
            confirmable,
            duplicate_key,
            no_response,
        };
        if !acknowledged {
            return self.respond(now, ticket, host, code, write);
        }
        // From here on a repetition has its acknowledgement; the answer takes care of itself.
        if let Some(key) = duplicate_key {
            self.record_outcome(key, Outcome::Acknowledged);
        }
        if unwanted(no_response, code) {
            return Ok(());
        }
        self.counters.responses_sent += 1;
        self.send_separately(now, ticket.session, ticket.token, host, code, write)
    }

    /// Sends a confirmable response in a message of its own and keeps it until it is acknowledged.
    fn send_separately<H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        token: Token,
        host: &mut H,
        code: Code,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), SendError> {
        let id = self.new_message_id(now, session)?;
        let transmission = self.start_transmission(now);
        let deadline = transmission.deadline();
        let state = State::SeparateResponse { transmission };
        let exchange = self
            .open_exchange(session, id, token, deadline, state, M::Buffer::default())
            .ok_or(SendError::Full)?;
        let mut message = M::Buffer::default();
        let sent = self.send_to(session, host, |buf| {
            let mut writer = Writer::new(buf, Type::Con, code, id, token);
            write(&mut writer);
            let len = writer.finish().map_err(write_error)?;
            if message.store(buf.get(..len).unwrap_or_default()) { Ok(len) } else { Err(SendError::TooLong) }
        });
        if let Some(stored) = self.exchanges.get_mut(exchange.slot) {
            stored.message = message;
        }
        match sent {
            // No room just now: the retransmission will find some.
            Ok(()) | Err(SendError::NoRoom | SendError::Busy) => Ok(()),
            Err(error) => {
                let _undone = self.remove_exchange(exchange.slot);
                Err(error)
            }
        }
    }

    /// Sends a notification: `write` adds Observe, the other options and the payload. Returns its Message ID,
    /// by which the reset of a non-confirmable one can be recognised.
    ///
    /// A confirmable one ends in [`Event::Acknowledged`](crate::Event::Acknowledged),
    /// [`Event::Rejected`](crate::Event::Rejected) or [`Event::Lost`](crate::Event::Lost); in between,
    /// [`Event::Render`](crate::Event::Render) asks for it again. No copy is kept.
    ///
    /// # Errors
    /// [`SendError`]; then nothing was sent. [`SendError::Busy`] means that the session has used up NSTART.
    pub fn notify<H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        notification: Notification,
        host: &mut H,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<u16, SendError> {
        let Notification { key, token, code, confirmable } = notification;
        self.check_ready(session, confirmable)?;
        let id = self.new_message_id(now, session)?;
        let kind = if confirmable { Type::Con } else { Type::Non };
        let mut opened = None;
        if confirmable {
            let transmission = self.start_transmission(now);
            let deadline = transmission.deadline();
            let state = State::Notification { transmission, key };
            let exchange = self.open_exchange(session, id, token, deadline, state, M::Buffer::default());
            opened = Some(exchange.ok_or(SendError::Full)?);
        }
        let sent = self.send_to(session, host, |buf| {
            let mut writer = Writer::new(buf, kind, code, id, token);
            write(&mut writer);
            writer.finish().map_err(write_error)
        });
        match sent {
            // The path is not proven and has had its share: this counts as lost on the way, and what must arrive is
            // rendered again in its time.
            Ok(()) | Err(SendError::Busy) => {}
            Err(error) => {
                let _undone = opened.map(|exchange| self.remove_exchange(exchange.slot));
                return Err(error);
            }
        }
        self.counters.notifications_sent += 1;
        Ok(id)
    }

    /// Sends a notification again after [`Event::Render`](crate::Event::Render). `newer` says that it tells
    /// more than last time: it then gets a new Message ID (RFC 7641 section 4.5.2).
    ///
    /// # Errors
    /// [`SendError`]. Unless it is [`SendError::Gone`], the notification's next retransmission comes anyway.
    pub fn renotify<H: HostOf<M>>(
        &mut self,
        now: Instant,
        notification: ExchangeId,
        newer: bool,
        host: &mut H,
        code: Code,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), SendError> {
        let slot = self.exchange_slot(notification).ok_or(SendError::Gone)?;
        let exchange = self.exchanges.get(slot).ok_or(SendError::Gone)?;
        let (session, token, mut id) = (exchange.session, exchange.token, exchange.message_id);
        if newer {
            id = self.new_message_id(now, session)?;
            if let Some(exchange) = self.exchanges.get_mut(slot) {
                exchange.message_id = id;
            }
        }
        self.send_to(session, host, |buf| {
            let mut writer = Writer::new(buf, Type::Con, code, id, token);
            write(&mut writer);
            writer.finish().map_err(write_error)
        })
    }
}

/// Whether the requester asked not to be told (RFC 7967): bit `class - 1` stands for responses of a class.
fn unwanted(no_response: u8, code: Code) -> bool {
    let class = code.class();
    (1..=5).contains(&class) && no_response >> (class - 1) & 1 == 1
}
