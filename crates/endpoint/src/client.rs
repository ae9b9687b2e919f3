//! A client's commands: requests, observations, pings.

use sedge_coap::{Code, Message, OptionNumber, Token, Type, Writer, empty_message};
use sedge_time::Instant;

use crate::endpoint::Endpoint;
use crate::exchange::{ExchangeId, State};
use crate::host::HostOf;
use crate::memory::{Buffer, Memory, Pool};
use crate::session::{Channel, SessionId};
use crate::transmit::{SendError, copy};

/// The head of a request; the rest is written by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Code,
    /// Whether it is sent again until it is acknowledged.
    pub confirmable: bool,
    /// Whether the caller writes Observe = 0 and expects notifications (RFC 7641).
    pub observe: bool,
    /// The token, or `None` for a new one. A later block of the same transfer, or the end of an observation,
    /// may need that of an earlier request.
    pub token: Option<Token>,
}

impl Request {
    /// A confirmable request without Observe.
    pub const fn confirmable(method: Code) -> Self {
        Self { method, confirmable: true, observe: false, token: None }
    }
}

impl<M: Memory> Endpoint<M> {
    /// Sends a request: `write` adds its options and payload.
    ///
    /// Its fate comes as [`Event::Response`](crate::Event::Response) or
    /// [`Event::Failed`](crate::Event::Failed), or with the end of the session.
    ///
    /// # Errors
    /// [`SendError`]; then nothing was sent and there is no exchange.
    pub fn request<H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        request: Request,
        host: &mut H,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<ExchangeId, SendError> {
        self.check_ready(session, request.confirmable)?;
        let token = match request.token {
            Some(token) => token,
            None => self.new_token(session),
        };
        let message_id = self.new_message_id(now, session)?;
        let kind = if request.confirmable { Type::Con } else { Type::Non };
        let mut message = M::Buffer::default();
        let keep = request.confirmable || request.observe;
        let (state, deadline) = self.awaiting_answer(now, request.confirmable, request.observe);
        // The exchange exists before the datagram does, so that a full pool sends nothing.
        let exchange = self
            .open_exchange(session, message_id, token, deadline, state, M::Buffer::default())
            .ok_or(SendError::Full)?;
        let sent = self.send_to(session, host, |buf| {
            let mut writer = Writer::new(buf, kind, request.method, message_id, token);
            write(&mut writer);
            let len = writer.finish().map_err(write_error)?;
            let fits = !keep || message.store(buf.get(..len).unwrap_or_default());
            if fits { Ok(len) } else { Err(SendError::TooLong) }
        });
        if let Err(error) = sent {
            let _undone = self.remove_exchange(exchange.slot);
            return Err(error);
        }
        if let Some(stored) = self.exchanges.get_mut(exchange.slot) {
            stored.message = message;
        }
        self.counters.requests_sent += 1;
        Ok(exchange)
    }

    /// Forgets a request or observation without telling the peer, who learns it by a reset when it sends
    /// the next response or notification (RFC 7641 section 3.6). Says whether there was one.
    pub fn cancel(&mut self, exchange: ExchangeId) -> bool {
        self.exchange_slot(exchange).and_then(|slot| self.remove_exchange(slot)).is_some()
    }

    /// Ends an observation and tells the peer so: the request once more, with Observe = 1 (RFC 7641 section
    /// 3.6). The answer comes as an ordinary, last response; the returned name replaces the old one.
    ///
    /// # Errors
    /// [`SendError`]; the observation then goes on.
    pub fn deregister<H: HostOf<M>>(
        &mut self,
        now: Instant,
        exchange: ExchangeId,
        host: &mut H,
    ) -> Result<ExchangeId, SendError> {
        let slot = self.exchange_slot(exchange).ok_or(SendError::Gone)?;
        let observed = self.exchanges.get_mut(slot).ok_or(SendError::Gone)?;
        let session = observed.session;
        let original = core::mem::take(&mut observed.message);
        let message = Message::parse(original.bytes()).map_err(|_| SendError::Malformed)?;
        let request = Request {
            method: message.code(),
            confirmable: true,
            observe: false,
            token: Some(message.token()),
        };
        let sent = self.request(now, session, request, host, |writer| {
            for (number, value) in message.options() {
                if number == OptionNumber::OBSERVE {
                    writer.option_uint(number, 1);
                } else {
                    writer.option(number, value);
                }
            }
            writer.payload(message.payload());
        });
        if let Some(observed) = self.exchanges.get_mut(slot) {
            observed.message = original;
        }
        let sent = sent?;
        let _ended = self.remove_exchange(slot);
        Ok(sent)
    }

    /// Asks the peer for a sign of life: an empty confirmable message, which it must reject (RFC 7252 section
    /// 4.3). The answer is [`Event::Pong`](crate::Event::Pong).
    ///
    /// # Errors
    /// [`SendError`].
    pub fn ping<H: HostOf<M>>(
        &mut self,
        now: Instant,
        session: SessionId,
        host: &mut H,
    ) -> Result<ExchangeId, SendError> {
        self.check_ready(session, true)?;
        let message_id = self.new_message_id(now, session)?;
        let bytes = empty_message(Type::Con, message_id);
        let mut message = M::Buffer::default();
        if !message.store(&bytes) {
            return Err(SendError::TooLong);
        }
        let transmission = self.start_transmission(now);
        let deadline = transmission.deadline();
        let state = State::Ping { transmission };
        let exchange = self
            .open_exchange(session, message_id, Token::default(), deadline, state, message)
            .ok_or(SendError::Full)?;
        if let Err(error) = self.send_to(session, host, |buf| copy(&bytes, buf)) {
            let _undone = self.remove_exchange(exchange.slot);
            return Err(error);
        }
        Ok(exchange)
    }

    /// Whether a message may be sent at all, and within NSTART if it is confirmable.
    pub(crate) fn check_ready(&self, session: SessionId, confirmable: bool) -> Result<(), SendError> {
        let peer = self.peer(session).ok_or(SendError::Gone)?;
        if matches!(peer.channel, Channel::Handshake { .. }) {
            return Err(SendError::NotConnected);
        }
        if confirmable && peer.outstanding >= self.config.transmission.nstart {
            return Err(SendError::Busy);
        }
        Ok(())
    }

    fn awaiting_answer(&mut self, now: Instant, confirmable: bool, observe: bool) -> (State, Instant) {
        if confirmable {
            let transmission = self.start_transmission(now);
            let deadline = transmission.deadline();
            (State::Request { transmission, observe }, deadline)
        } else {
            (State::Response { observe }, now + self.config.transmission.exchange_lifetime())
        }
    }

    /// Registers an observation anew: the stored request in a new message (RFC 7641 section 3.3.1).
    pub(crate) fn register_again<H: HostOf<M>>(&mut self, now: Instant, slot: u32, host: &mut H) {
        let Some(session) = self.exchanges.get(slot).map(|exchange| exchange.session) else { return };
        let Ok(message_id) = self.new_message_id(now, session) else { return };
        let (state, deadline) = self.awaiting_answer(now, true, true);
        if let Some(exchange) = self.exchanges.get_mut(slot) {
            exchange.message_id = message_id;
            if let [first, _, high, low, ..] = exchange.message.bytes_mut() {
                // Confirmable, whatever the first registration was.
                *first &= 0xcf;
                [*high, *low] = message_id.to_be_bytes();
            }
        }
        self.set_state(slot, state, deadline);
        self.send_stored(slot, host);
    }
}

/// The caller's mistake in writing a message, as an error of sending it.
pub(crate) fn write_error(error: sedge_coap::WriteError) -> SendError {
    match error {
        sedge_coap::WriteError::BufferTooSmall => SendError::TooLong,
        _ => SendError::Malformed,
    }
}
