//! What time does: retransmissions, time-outs, late acknowledgements, idle sessions.

use sedge_coap::{Expiry, Type};
use sedge_time::{Duration, Instant};

use crate::endpoint::{Endpoint, sweep_period};
use crate::event::{CloseReason, Event, FailReason};
use crate::exchange::{ExchangeId, State};
use crate::host::HostOf;
use crate::memory::{Memory, Pool, TimerKey, Timers};
use crate::session::{Channel, SessionId};

impl<M: Memory> Endpoint<M> {
    /// Does what is due at `now`. Call it again until it returns `None`; each event is one thing that came
    /// of it.
    pub fn expire<H: HostOf<M>>(&mut self, now: Instant, host: &mut H) -> Option<Event<'static>> {
        while let Some(key) = self.timers.pop(now) {
            let event = match key {
                TimerKey::Exchange(slot) => self.expire_exchange(now, slot, host),
                TimerKey::Session(slot) => self.expire_session(now, slot, host),
            };
            if event.is_some() {
                return event;
            }
        }
        self.sweep(now, host)
    }

    fn expire_session<H: HostOf<M>>(
        &mut self,
        now: Instant,
        slot: u32,
        host: &mut H,
    ) -> Option<Event<'static>> {
        let session = self.session_in(slot)?;
        match self.peer(session)?.channel {
            Channel::Handshake { .. } => self.expire_handshake(now, session, host),
            Channel::Dtls(_) => {
                self.expire_validation(now, session, host);
                self.expire_outstanding(now, session, host);
                let event = self.expire_handshake(now, session, host);
                self.arm_session(session);
                event
            }
            Channel::Plain => None,
        }
    }

    fn expire_exchange<H: HostOf<M>>(
        &mut self,
        now: Instant,
        slot: u32,
        host: &mut H,
    ) -> Option<Event<'static>> {
        let exchange = self.exchanges.get_mut(slot)?;
        // A superseded timer: the exchange has moved on, or the slot holds another one.
        if exchange.deadline > now {
            return None;
        }
        let (session, token, message_id) = (exchange.session, exchange.token, exchange.message_id);
        let id = ExchangeId { slot, serial: exchange.serial };
        match &mut exchange.state {
            State::Request { transmission, .. }
            | State::SeparateResponse { transmission }
            | State::Ping { transmission }
            | State::Notification { transmission, .. } => {
                match transmission.expire(now, &self.config.transmission) {
                    Expiry::Wait => return None,
                    Expiry::Retransmit => {}
                    Expiry::GiveUp => return self.give_up(slot),
                }
                let deadline = transmission.deadline();
                exchange.deadline = deadline;
                let key = match exchange.state {
                    State::Notification { key, .. } => Some(key),
                    _ => None,
                };
                let _armed = self.timers.arm(deadline, TimerKey::Exchange(slot));
                self.counters.retransmissions += 1;
                if let Some(key) = key {
                    return Some(Event::Render { notification: id, session, key, token });
                }
                self.send_stored(slot, host);
                None
            }
            State::Response { .. } => {
                let _done = self.remove_exchange(slot);
                Some(Event::Failed { session, exchange: id, reason: FailReason::Timeout })
            }
            State::Observing { .. } => {
                self.register_again(now, slot, host);
                None
            }
            State::Deferred { acknowledged, .. } => {
                *acknowledged = true;
                exchange.deadline = Instant::DISTANT_FUTURE;
                self.send_empty(session, Type::Ack, message_id, host);
                None
            }
        }
    }

    /// MAX_RETRANSMIT is reached (RFC 7252 section 4.2).
    fn give_up(&mut self, slot: u32) -> Option<Event<'static>> {
        let exchange = self.remove_exchange(slot)?;
        let session = exchange.session;
        self.counters.timeouts += 1;
        Some(match exchange.state {
            State::Notification { key, .. } => Event::Lost { session, key },
            State::SeparateResponse { .. } => Event::Delivered { session },
            _ => {
                let exchange = ExchangeId { slot, serial: exchange.serial };
                Event::Failed { session, exchange, reason: FailReason::Timeout }
            }
        })
    }

    /// Looks for sessions that were silent for too long, a whole round each time it is due.
    fn sweep<H: HostOf<M>>(&mut self, now: Instant, host: &mut H) -> Option<Event<'static>> {
        if now < self.sweep_at {
            return None;
        }
        let idle = self.config.idle_timeout;
        while self.sweep_slot < self.sessions.slots() {
            let slot = self.sweep_slot;
            self.sweep_slot += 1;
            let Some(peer) = self.sessions.get(slot) else { continue };
            let heard = Instant::EPOCH + Duration::from_secs(peer.last_heard.into());
            if matches!(peer.channel, Channel::Handshake { .. }) || now.saturating_since(heard) < idle {
                continue;
            }
            let session = SessionId { slot, generation: peer.generation };
            self.counters.sessions_idle += 1;
            self.say_goodbye(session, host);
            let principal = self.remove_session(session).unwrap_or(0);
            return Some(Event::Closed { session, principal, reason: CloseReason::Idle });
        }
        self.sweep_slot = 0;
        self.sweep_at = now + sweep_period(idle);
        None
    }
}
