//! Messages on their way out: written where they are sealed.

use rand_core::Rng as _;
use sedge_coap::{Code, Token, Transmission, Type, WriteError, Writer, empty_message};
use sedge_dtls::{ContentType, Of, Profile};
use sedge_endpoint::SendError;
use sedge_time::{Duration, Instant};

use super::exchange::Awaits;
use super::{Channel, Line, Number, Purpose};
use crate::memory::Memory;

/// Writes a message's options and payload.
pub(crate) type Fill<'f> = &'f mut dyn FnMut(&mut Writer<'_>);

impl<M: Memory> Line<M> {
    /// Sends a new message in the place `number`; says under which serial number.
    ///
    /// # Errors
    /// [`SendError`]; then nothing was sent.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        number: Number,
        purpose: Purpose,
        method: Code,
        fill: Fill<'_>,
    ) -> Result<u16, SendError> {
        if !self.is_connected() {
            return Err(SendError::NotConnected);
        }
        let confirmable = purpose != Purpose::NonConfirmable;
        let outstanding = self.exchanges.as_ref().iter().filter(|exchange| exchange.is_outstanding()).count();
        if confirmable && outstanding >= usize::from(self.config.endpoint.transmission.nstart) {
            return Err(SendError::Busy);
        }
        let before = (self.next_token, self.message_ids);
        let token = if purpose == Purpose::Ping { Token::EMPTY } else { self.new_token() };
        self.next_serial = self.next_serial.wrapping_add(1);
        let serial = self.next_serial;
        let exchange = self.exchanges.as_mut().get_mut(usize::from(number)).ok_or(SendError::Full)?;
        (exchange.serial, exchange.token, exchange.observation) = (serial, token, None);
        let sent = self.send(now, number, purpose, method, fill);
        if sent.is_err() {
            self.cancel(number);
            // As many tokens and Message IDs as records are used at most.
            (self.next_token, self.message_ids) = before;
        }
        sent.map(|()| serial)
    }

    /// Sends the message of an exchange, which has its token, under a new Message ID.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        number: Number,
        purpose: Purpose,
        method: Code,
        fill: Fill<'_>,
    ) -> Result<(), SendError> {
        let message_id = self.new_message_id(now)?;
        let random = self.rng.next_u32();
        let exchange = self.exchanges.as_mut().get_mut(usize::from(number)).ok_or(SendError::Full)?;
        exchange.message_id = message_id;
        let transmission = Transmission::start(now, &self.config.endpoint.transmission, random);
        exchange.observes = purpose == Purpose::Observe;
        exchange.awaits = match purpose {
            Purpose::Request | Purpose::Observe => Awaits::Acknowledgement { transmission },
            Purpose::Ping => Awaits::Pong { transmission },
            Purpose::NonConfirmable => Awaits::Response { until: now + self.lifetime },
        };
        self.send_again(number, method, fill)
    }

    /// Sends the message of an exchange once more, as it was.
    pub(crate) fn send_again(
        &mut self,
        number: Number,
        method: Code,
        fill: Fill<'_>,
    ) -> Result<(), SendError> {
        let exchange = self.exchanges.as_ref().get(usize::from(number)).ok_or(SendError::Full)?;
        let (message_id, token) = (exchange.message_id, exchange.token);
        let kind = match exchange.awaits {
            Awaits::Acknowledgement { .. } | Awaits::Pong { .. } => Type::Con,
            _ => Type::Non,
        };
        self.send_message(kind, method, message_id, token, fill)
    }

    /// Ends an observation and tells the server so: the request once more, with Observe = 1
    /// ([RFC 7641 section 3.6](https://www.rfc-editor.org/rfc/rfc7641#section-3.6)). If that is lost the next notification
    /// is answered with a reset, which says the same.
    pub(crate) fn deregister(&mut self, now: Instant, number: Number, fill: Fill<'_>) {
        let Some(exchange) = self.exchanges.as_mut().get_mut(usize::from(number)) else { return };
        let (token, known) = (exchange.token, exchange.awaits_response());
        exchange.clear();
        if let (true, Ok(message_id)) = (known, self.new_message_id(now)) {
            let _unreliable = self.send_message(Type::Con, Code::GET, message_id, token, fill);
        }
    }

    /// An acknowledgement or a reset.
    pub(super) fn send_empty(&mut self, kind: Type, message_id: u16) {
        let bytes = empty_message(kind, message_id);
        let _lost = self.seal(ContentType::APPLICATION_DATA, &mut |room| copy(&bytes, room));
    }

    fn send_message(
        &mut self,
        kind: Type,
        code: Code,
        message_id: u16,
        token: Token,
        fill: Fill<'_>,
    ) -> Result<(), SendError> {
        self.seal(ContentType::APPLICATION_DATA, &mut |room| {
            let mut writer = Writer::new(room, kind, code, message_id, token);
            fill(&mut writer);
            writer.finish().map_err(|error| match error {
                WriteError::BufferTooSmall => SendError::TooLong,
                _ => SendError::Malformed,
            })
        })
    }

    /// Writes a record where it will be sent from.
    pub(super) fn seal(
        &mut self,
        kind: ContentType,
        fill: &mut dyn FnMut(&mut [u8]) -> Result<usize, SendError>,
    ) -> Result<(), SendError> {
        if self.must_save() {
            return Err(SendError::NoRoom);
        }
        // What becomes of it if there is no room for another datagram.
        let mut outcome = Err(SendError::NoRoom);
        let (channel, crypto) = (&mut self.channel, &self.crypto);
        self.outbox.transmit(&mut |buffer| {
            outcome = match channel {
                Channel::Off | Channel::Handshake(_) => Err(SendError::NotConnected),
                Channel::Plain => fill(buffer),
                Channel::Session(session) => {
                    let limit = buffer.len().saturating_sub(session.overhead()).min(session.max_plaintext());
                    let headroom = session.headroom();
                    let room = buffer.get_mut(headroom..headroom + limit);
                    room.ok_or(SendError::TooLong).and_then(&mut *fill).and_then(|len| {
                        let layer = Of::<M::Dtls>::new(crypto);
                        session.seal(&layer, kind, buffer, len).map_err(|_| SendError::TooLong)
                    })
                }
            };
            outcome.unwrap_or(0)
        });
        if <M::Dtls as Profile>::DTLS_1_3 {
            self.send_own();
        }
        outcome.map(drop)
    }

    pub(super) const fn is_connected(&self) -> bool {
        matches!(self.channel, Channel::Plain | Channel::Session(_))
    }

    /// Message IDs go in sequence ([RFC 7252 section 4.4](https://www.rfc-editor.org/rfc/rfc7252#section-4.4)). On plain
    /// CoAP none comes again within its lifetime, which is a speed limit.
    fn new_message_id(&mut self, now: Instant) -> Result<u16, SendError> {
        let lifetime = match self.channel {
            Channel::Plain => self.lifetime,
            _ => Duration::ZERO,
        };
        self.message_ids.next(now, lifetime).ok_or(SendError::Busy)
    }

    /// Under DTLS tokens are counted, so that none comes again while the keys are the same
    /// ([RFC 9175 section 4.2](https://www.rfc-editor.org/rfc/rfc9175#section-4.2)); without, they must be hard to guess.
    fn new_token(&mut self) -> Token {
        if matches!(self.channel, Channel::Plain) {
            return Token::from_u64(self.rng.next_u64(), 8);
        }
        self.next_token = self.next_token.wrapping_add(1);
        let bytes = (u32::BITS - self.next_token.leading_zeros()).div_ceil(8).max(1);
        Token::from_u64(self.next_token.into(), bytes as usize)
    }
}

/// Copies a whole message to the front of `room`.
pub(super) fn copy(bytes: &[u8], room: &mut [u8]) -> Result<usize, SendError> {
    room.get_mut(..bytes.len()).ok_or(SendError::TooLong)?.copy_from_slice(bytes);
    Ok(bytes.len())
}
