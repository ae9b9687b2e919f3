//! The message layer: what an incoming CoAP message means for the exchanges (RFC 7252 section 4, RFC 7641).

use rand_core::Rng as _;
use sedge_coap::observe::{Notification, Observation};
use sedge_coap::{Code, Message, Reaction, Type, empty_message};
use sedge_time::Instant;

use crate::duplicates::Outcome;
use crate::endpoint::Endpoint;
use crate::event::{Event, FailReason, Ticket};
use crate::exchange::{ExchangeId, State};
use crate::host::HostOf;
use crate::memory::{Buffer, Memory, Pool};
use crate::session::SessionId;
use crate::transmit::{Link, copy};

impl<M: Memory> Endpoint<M> {
    /// Takes in one message. At most one event comes of it.
    pub(crate) fn receive_message<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        bytes: &'d [u8],
        host: &mut H,
    ) -> Option<Event<'d>> {
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.counters.malformed_messages += 1;
                if error.reaction() == Reaction::Reset {
                    self.send_empty(session, Type::Rst, error.message_id(), host);
                }
                return None;
            }
        };
        match (message.kind(), message.code()) {
            (Type::Con, Code::EMPTY) => {
                self.send_empty(session, Type::Rst, message.message_id(), host);
                None
            }
            (Type::Ack, Code::EMPTY) => self.acknowledged(now, session, message.message_id()),
            (Type::Rst, Code::EMPTY) => self.reset(session, message.message_id()),
            (Type::Con | Type::Non, code) if code.is_request() => {
                self.incoming_request(now, session, message, host)
            }
            (Type::Con | Type::Non, code) if code.is_response() => {
                self.separate_response(now, session, message, host)
            }
            (Type::Ack, code) if code.is_response() => self.piggybacked_response(now, session, message),
            // RFC 7252 sections 4.2 and 4.3: a code that has no meaning here; a confirmable one is rejected.
            (kind, _) => {
                self.counters.malformed_messages += 1;
                if kind == Type::Con {
                    self.send_empty(session, Type::Rst, message.message_id(), host);
                }
                None
            }
        }
    }

    fn incoming_request<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        message: Message<'d>,
        host: &mut H,
    ) -> Option<Event<'d>> {
        let safe = matches!(message.code(), Code::GET | Code::FETCH);
        let duplicate_key = (!safe).then(|| self.duplicate_key(session, &message));
        if let Some(key) = duplicate_key
            && let Some(outcome) = self.check_duplicate(now, key, message.kind())
        {
            self.counters.duplicates += 1;
            // RFC 7252 section 4.3: a repeated non-confirmable message is silently ignored.
            if message.kind() == Type::Con {
                self.answer_again(session, &message, outcome, host);
            }
            return None;
        }
        let principal = self.peer(session)?.principal;
        self.counters.requests_received += 1;
        let ticket = Ticket {
            session,
            principal,
            token: message.token(),
            message_id: message.message_id(),
            confirmable: message.kind() == Type::Con,
            duplicate_key,
            no_response: message.no_response().unwrap_or(0),
        };
        Some(Event::Request { ticket, message })
    }

    /// Gives a repeated message the answer that the first one got.
    fn answer_again<H: HostOf<M>>(
        &mut self,
        session: SessionId,
        message: &Message<'_>,
        outcome: Option<Outcome>,
        host: &mut H,
    ) {
        let id = message.message_id();
        let code = match outcome {
            Some(Outcome::Acknowledged) => return self.send_empty(session, Type::Ack, id, host),
            Some(Outcome::Code(code)) => [code.0],
            Some(Outcome::Response(_)) => [0],
            None => {
                // The answer is still to come. If the request was acknowledged, that got lost.
                let acknowledged = self.find_exchange(session, |exchange| {
                    exchange.message_id == id
                        && matches!(exchange.state, State::Deferred { acknowledged: true, .. })
                });
                if acknowledged.is_some() {
                    self.send_empty(session, Type::Ack, id, host);
                }
                return;
            }
        };
        let kept = match outcome {
            Some(Outcome::Response(slot)) => self.replies.get(slot).map(Buffer::bytes),
            _ => Some(&code[..]),
        };
        let peer = self.sessions.get_mut(session.slot).filter(|peer| peer.generation == session.generation);
        let (Some(peer), Some((code, rest))) = (peer, kept.and_then(<[u8]>::split_first)) else { return };
        let token = message.token();
        let [_, _, high, low] = empty_message(Type::Ack, id);
        let header = [0x60 | token.len() as u8, *code, high, low];
        // If it is lost again, the peer asks again.
        let Self { crypto, validations, counters, .. } = self;
        let _lost = Link::<M> { crypto, validations, counters }.send(peer, host, |buf| {
            let mut len = 0;
            for part in [&header[..], token.as_bytes(), rest] {
                len += copy(part, buf.get_mut(len..).unwrap_or_default())?;
            }
            Ok(len)
        });
    }

    /// An empty acknowledgement.
    fn acknowledged<'d>(&mut self, now: Instant, session: SessionId, message_id: u16) -> Option<Event<'d>> {
        let Some(slot) = self.find_exchange(session, |exchange| {
            exchange.message_id == message_id && exchange.state.is_outstanding()
        }) else {
            self.counters.unmatched += 1;
            return None;
        };
        match self.exchanges.get(slot)?.state {
            State::Request { observe, .. } => {
                let lifetime = self.config.transmission.exchange_lifetime();
                self.set_state(slot, State::Response { observe }, now + lifetime);
                None
            }
            State::Notification { key, .. } => {
                let _done = self.remove_exchange(slot);
                Some(Event::Acknowledged { session, key })
            }
            State::SeparateResponse { .. } => {
                let _done = self.remove_exchange(slot);
                Some(Event::Delivered { session })
            }
            _ => None,
        }
    }

    /// A reset (RFC 7252 section 4.2).
    fn reset<'d>(&mut self, session: SessionId, message_id: u16) -> Option<Event<'d>> {
        self.counters.resets_received += 1;
        let found = self.find_exchange(session, |exchange| {
            exchange.message_id == message_id
                && (exchange.state.is_outstanding() || matches!(exchange.state, State::Response { .. }))
        });
        let Some(slot) = found else { return Some(Event::Reset { session, message_id }) };
        let exchange = self.remove_exchange(slot)?;
        let id = ExchangeId { slot, serial: exchange.serial };
        match exchange.state {
            State::Notification { key, .. } => Some(Event::Rejected { session, key }),
            State::SeparateResponse { .. } => Some(Event::Delivered { session }),
            State::Ping { .. } => Some(Event::Pong { session, exchange: id }),
            _ => Some(Event::Failed { session, exchange: id, reason: FailReason::Reset }),
        }
    }

    /// A response within the acknowledgement of a request (RFC 7252 section 5.2.1).
    fn piggybacked_response<'d>(
        &mut self,
        now: Instant,
        session: SessionId,
        message: Message<'d>,
    ) -> Option<Event<'d>> {
        let found = self.find_exchange(session, |exchange| {
            exchange.message_id == message.message_id()
                && exchange.token == message.token()
                && matches!(exchange.state, State::Request { .. })
        });
        match found {
            Some(slot) => self.deliver(now, slot, message),
            None => {
                self.counters.unmatched += 1;
                None
            }
        }
    }

    /// A response in a message of its own, or a notification (RFC 7252 section 5.2.2, RFC 7641 section 3.2).
    fn separate_response<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        message: Message<'d>,
        host: &mut H,
    ) -> Option<Event<'d>> {
        let found = self.find_exchange(session, |exchange| {
            exchange.token == message.token()
                && matches!(
                    exchange.state,
                    State::Request { .. } | State::Response { .. } | State::Observing { .. }
                )
        });
        let confirmable = message.kind() == Type::Con;
        let key = self.duplicate_key(session, &message);
        match (found, confirmable.then(|| self.check_duplicate(now, key, Type::Con)).flatten()) {
            // The peer missed our acknowledgement.
            (_, Some(outcome)) => {
                self.counters.duplicates += 1;
                match outcome {
                    Some(_) => self.send_empty(session, Type::Ack, message.message_id(), host),
                    None => self.send_empty(session, Type::Rst, message.message_id(), host),
                }
                None
            }
            // Nobody waits for it. This also tells a server to forget an observation.
            (None, None) => {
                self.counters.unmatched += 1;
                self.send_empty(session, Type::Rst, message.message_id(), host);
                None
            }
            (Some(slot), None) => {
                if confirmable {
                    self.send_empty(session, Type::Ack, message.message_id(), host);
                    self.record_outcome(key, Outcome::Acknowledged);
                }
                self.deliver(now, slot, message)
            }
        }
    }

    /// Hands a response to the owner of the request, and decides whether more may follow.
    fn deliver<'d>(&mut self, now: Instant, slot: u32, message: Message<'d>) -> Option<Event<'d>> {
        let random = self.rng.next_u32();
        let exchange = self.exchanges.get_mut(slot)?;
        let id = ExchangeId { slot, serial: exchange.serial };
        let session = exchange.session;
        let observation = match &mut exchange.state {
            State::Observing { observation } => match observation.receive(now, &message, random) {
                Notification::Stale => {
                    self.counters.stale_notifications += 1;
                    return None;
                }
                Notification::Fresh => Some(*observation),
                Notification::Last => None,
            },
            State::Request { observe: true, .. } | State::Response { observe: true } => {
                Observation::start(now, &message, random)
            }
            _ => None,
        };
        self.counters.responses_received += 1;
        match observation {
            Some(observation) => {
                self.set_state(slot, State::Observing { observation }, observation.renew_at());
            }
            None => drop(self.remove_exchange(slot)),
        }
        Some(Event::Response { session, exchange: id, message, last: observation.is_none() })
    }
}
