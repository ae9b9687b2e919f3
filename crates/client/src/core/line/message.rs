//! The message layer: what a message from the server means for the exchanges
//! ([RFC 7252 section 4](https://www.rfc-editor.org/rfc/rfc7252#section-4), RFC 7641).

use rand_core::Rng as _;
use sedge_coap::observe::Observation;
use sedge_coap::{Code, Expiry, Message, Reaction, Type};
use sedge_endpoint::FailReason;
use sedge_time::{Duration, Instant};

use super::exchange::{Awaits, Exchange};
use super::{Event, Line, Number, Purpose};
use crate::memory::Memory;

impl<M: Memory> Line<M> {
    /// Takes in one message. At most one event comes of it.
    pub(super) fn receive_message<'d>(&mut self, now: Instant, bytes: &'d [u8]) -> Option<Event<'d>> {
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.counters.malformed_messages += 1;
                if error.reaction() == Reaction::Reset {
                    self.send_empty(Type::Rst, error.message_id());
                }
                return None;
            }
        };
        let (kind, code, id) = (message.kind(), message.code(), message.message_id());
        match (kind, code) {
            (Type::Ack, Code::EMPTY) => self.acknowledged(now, id),
            (Type::Rst, Code::EMPTY) => self.reset(id),
            (Type::Ack, _) if code.is_response() => {
                let answered = self.sent_as(id).filter(|(_, exchange)| {
                    exchange.awaits_acknowledgement() && exchange.token == message.token()
                });
                let answered = answered.map(|(number, _)| number);
                self.deliver(now, answered, message)
            }
            (Type::Con | Type::Non, _) if code.is_response() => self.separate_response(now, message),
            // A ping is answered like this, and so is a request: a client serves nothing (RFC 7252 section 4.2).
            (Type::Con, _) => {
                self.send_empty(Type::Rst, id);
                None
            }
            _ => None,
        }
    }

    /// An empty acknowledgement.
    fn acknowledged(&mut self, now: Instant, id: u16) -> Option<Event<'static>> {
        let until = now + self.lifetime;
        match self.sent_as(id) {
            Some((_, exchange)) if exchange.awaits_acknowledgement() => {
                exchange.awaits = Awaits::Response { until };
            }
            _ => self.counters.unmatched += 1,
        }
        None
    }

    /// A reset (RFC 7252 section 4.2).
    fn reset(&mut self, id: u16) -> Option<Event<'static>> {
        let (what, exchange) = self.sent_as(id)?;
        exchange.clear();
        Some(if exchange.purpose == Purpose::Ping {
            Event::Pong
        } else {
            Event::Failed { what, reason: FailReason::Reset }
        })
    }

    /// A response in a message of its own, or a notification (RFC 7252 section 5.2.2, RFC 7641 section 3.2).
    fn separate_response<'d>(&mut self, now: Instant, message: Message<'d>) -> Option<Event<'d>> {
        let id = message.message_id();
        let confirmable = message.kind() == Type::Con;
        if confirmable && self.acknowledged.contains(&Some(id)) {
            // The server missed our acknowledgement.
            self.counters.duplicates += 1;
            self.send_empty(Type::Ack, id);
            return None;
        }
        let token = message.token();
        let found = self.find(|exchange| exchange.awaits_response() && exchange.token == token);
        match (found, confirmable) {
            (Some(_), true) => {
                self.acknowledged_at = (self.acknowledged_at + 1) % self.acknowledged.len() as u8;
                if let Some(oldest) = self.acknowledged.get_mut(usize::from(self.acknowledged_at)) {
                    *oldest = Some(id);
                }
                self.send_empty(Type::Ack, id);
            }
            (Some(_), false) => {}
            // Nobody waits for it. This also tells a server to forget an observation.
            (None, _) => self.send_empty(Type::Rst, id),
        }
        self.deliver(now, found, message)
    }

    /// Hands a response to the owner of the request, and decides whether more may follow.
    fn deliver<'d>(
        &mut self,
        now: Instant,
        found: Option<Number>,
        message: Message<'d>,
    ) -> Option<Event<'d>> {
        let Some(to) = found else {
            self.counters.unmatched += 1;
            return None;
        };
        let random = self.rng.next_u32();
        let exchange = self.exchanges.as_mut().get_mut(usize::from(to))?;
        let observes = exchange.purpose == Purpose::Observe;
        let observation = if observes { Observation::start(now, &message, random) } else { None };
        if let (Some(known), Some(new)) = (&exchange.observation, &observation)
            // The answer to a renewal says what there is now, whatever its number.
            && message.kind() != Type::Ack
            && !new.is_fresher_than(known)
        {
            self.counters.stale_notifications += 1;
            return None;
        }
        let last = observation.is_none();
        exchange.observation = observation;
        exchange.awaits = if last { Awaits::Nothing } else { Awaits::Notifications };
        self.counters.responses_received += 1;
        Some(Event::Response { to, message, last })
    }

    /// Does what is due for one exchange, if anything is.
    pub(super) fn expire_exchange(&mut self, now: Instant) -> Option<Event<'static>> {
        let what = self.find(|exchange| exchange.deadline(Duration::ZERO) <= now)?;
        let exchange = self.exchanges.as_mut().get_mut(usize::from(what))?;
        if let Awaits::Acknowledgement(transmission) = &mut exchange.awaits
            && transmission.expire(now, &self.config.endpoint.transmission) == Expiry::Retransmit
        {
            self.counters.retransmissions += 1;
            return Some(Event::Render(what));
        }
        if let Awaits::Notifications = exchange.awaits {
            return Some(Event::Render(what));
        }
        exchange.clear();
        self.counters.timeouts += 1;
        Some(Event::Failed { what, reason: FailReason::Timeout })
    }

    /// Whether an observation is to be renewed, rather than a message to be repeated.
    pub(crate) fn is_observing(&self, number: Number) -> bool {
        let exchange = self.exchanges.as_ref().get(usize::from(number));
        exchange.is_some_and(|exchange| matches!(exchange.awaits, Awaits::Notifications))
    }

    /// Forgets an exchange without telling the server, who learns it by a reset.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn cancel(&mut self, number: Number) {
        if let Some(exchange) = self.exchanges.as_mut().get_mut(usize::from(number)) {
            exchange.clear();
        }
    }

    /// The serial number of an exchange that awaits something.
    pub(crate) fn serial(&self, number: Number) -> Option<u16> {
        let exchange = self.exchanges.as_ref().get(usize::from(number))?;
        (!matches!(exchange.awaits, Awaits::Nothing)).then_some(exchange.serial)
    }

    /// What was sent under this Message ID, if it awaits an answer of any kind.
    #[cfg_attr(target_os = "none", inline(never))]
    fn sent_as(&mut self, id: u16) -> Option<(Number, &mut Exchange)> {
        (0..).zip(self.exchanges.as_mut()).find(|(_, exchange)| {
            exchange.message_id == id
                && matches!(exchange.awaits, Awaits::Acknowledgement(_) | Awaits::Response { .. })
        })
    }

    fn find(&self, is_it: impl Fn(&Exchange) -> bool) -> Option<Number> {
        let at = self.exchanges.as_ref().iter().position(is_it)?;
        Number::try_from(at).ok()
    }
}
