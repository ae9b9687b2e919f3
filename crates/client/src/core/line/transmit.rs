//! Messages on their way out: written where they are sealed.

use rand_core::Rng as _;
use sedge_coap::{Token, Transmission, Type, WriteError, Writer, empty_message};
use sedge_dtls::{ContentType, Of, Profile};
use sedge_endpoint::SendError;
use sedge_time::{Duration, Instant};

use super::exchange::Awaits;
use super::{Channel, Line, Number, Outgoing, Purpose};
use crate::memory::Memory;

impl<M: Memory> Line<M> {
    /// Sends a new message in the place `number`; says under which serial number.
    ///
    /// # Errors
    /// [`SendError`]; then nothing was sent.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        number: Number,
        message: &Outgoing<'_>,
    ) -> Result<u16, SendError> {
        let purpose = message.purpose();
        let outstanding = self.exchanges.as_ref().iter().filter(|exchange| exchange.is_outstanding()).count();
        let nstart = usize::from(self.config.endpoint.transmission.nstart);
        if purpose != Purpose::NonConfirmable && outstanding >= nstart {
            return Err(SendError::Busy);
        }
        let before = (self.next_token, self.message_ids);
        let token = if purpose == Purpose::Ping { Token::EMPTY } else { self.new_token() };
        self.next_serial = self.next_serial.wrapping_add(1);
        let serial = self.next_serial;
        let exchange = self.exchanges.as_mut().get_mut(usize::from(number)).ok_or(SendError::Full)?;
        (exchange.serial, exchange.token, exchange.observation) = (serial, token, None);
        exchange.purpose = purpose;
        let sent = self.send(now, number, message);
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
        message: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        let message_id = self.new_message_id(now)?;
        let random = self.rng.next_u32();
        let exchange = self.exchanges.as_mut().get_mut(usize::from(number)).ok_or(SendError::Full)?;
        exchange.message_id = message_id;
        exchange.awaits = match exchange.purpose {
            Purpose::NonConfirmable => Awaits::Response { until: now + self.lifetime },
            _ => {
                let parameters = &self.config.endpoint.transmission;
                Awaits::Acknowledgement(Transmission::start(now, parameters, random))
            }
        };
        self.send_again(number, message)
    }

    /// Sends the message of an exchange once more, as it was.
    pub(crate) fn send_again(&mut self, number: Number, message: &Outgoing<'_>) -> Result<(), SendError> {
        let exchange = self.exchanges.as_ref().get(usize::from(number)).ok_or(SendError::Full)?;
        let kind = if exchange.is_outstanding() { Type::Con } else { Type::Non };
        self.send_message(kind, exchange.message_id, exchange.token, message)
    }

    /// Ends an observation and tells the server so: the request once more, with Observe = 1
    /// ([RFC 7641 section 3.6](https://www.rfc-editor.org/rfc/rfc7641#section-3.6)). If that is lost the next notification
    /// is answered with a reset, which says the same.
    pub(crate) fn deregister(&mut self, now: Instant, number: Number, message: &Outgoing<'_>) {
        let Some(exchange) = self.exchanges.as_mut().get_mut(usize::from(number)) else { return };
        let (token, known) = (exchange.token, exchange.awaits_response());
        exchange.clear();
        if let (true, Ok(message_id)) = (known, self.new_message_id(now)) {
            let _unreliable = self.send_message(Type::Con, message_id, token, message);
        }
    }

    fn send_message(
        &mut self,
        kind: Type,
        message_id: u16,
        token: Token,
        message: &Outgoing<'_>,
    ) -> Result<(), SendError> {
        let size = self.config.block_size;
        let mut writer = Writer::new(self.room()?, kind, message.method(), message_id, token);
        message.write(&mut writer, size);
        let len = writer.finish().map_err(|error| match error {
            WriteError::BufferTooSmall => SendError::TooLong,
            _ => SendError::Malformed,
        })?;
        self.seal(ContentType::APPLICATION_DATA, len)
    }

    /// An acknowledgement or a reset.
    pub(super) fn send_empty(&mut self, kind: Type, message_id: u16) {
        let _lost = self.send_bytes(ContentType::APPLICATION_DATA, &empty_message(kind, message_id));
    }

    /// Sends a record with this content.
    pub(super) fn send_bytes(&mut self, kind: ContentType, bytes: &[u8]) -> Result<(), SendError> {
        let place = self.room()?.get_mut(..bytes.len()).ok_or(SendError::TooLong)?;
        place.copy_from_slice(bytes);
        self.seal(kind, bytes.len())
    }

    /// Where the content of the next record is to be written, from which it is [sealed](Self::seal) and sent.
    fn room(&mut self) -> Result<&mut [u8], SendError> {
        if self.must_save() {
            return Err(SendError::NoRoom);
        }
        let room = self.outbox.room().ok_or(SendError::NoRoom)?;
        match &self.channel {
            Channel::Plain if M::PLAIN => Ok(room),
            Channel::Off | Channel::Plain | Channel::Handshake(_) => Err(SendError::NotConnected),
            Channel::Session(session) => {
                let limit = room.len().saturating_sub(session.overhead()).min(session.max_plaintext());
                let headroom = session.headroom();
                room.get_mut(headroom..headroom + limit).ok_or(SendError::TooLong)
            }
        }
    }

    /// Sends the first `len` bytes of what was written into the [room](Self::room).
    fn seal(&mut self, kind: ContentType, len: usize) -> Result<(), SendError> {
        let mut sealed = Ok(len);
        if let Channel::Session(session) = &mut self.channel {
            let layer = Of::<M::Dtls>::new(&self.crypto);
            let room = self.outbox.room().ok_or(SendError::NoRoom)?;
            sealed = session.seal(&layer, kind, room, len).map_err(|_| SendError::TooLong);
        }
        self.outbox.commit(sealed?);
        if <M::Dtls as Profile>::DTLS_1_3 {
            self.send_own();
        }
        Ok(())
    }

    /// Whether there is CoAP without DTLS. Seen by the compiler: a client that never does that has no code for it.
    pub(super) const fn is_plain(&self) -> bool {
        M::PLAIN && matches!(self.channel, Channel::Plain)
    }

    /// Message IDs go in sequence ([RFC 7252 section 4.4](https://www.rfc-editor.org/rfc/rfc7252#section-4.4)). On plain
    /// CoAP none comes again within its lifetime, which is a speed limit.
    fn new_message_id(&mut self, now: Instant) -> Result<u16, SendError> {
        let lifetime = if self.is_plain() { self.lifetime } else { Duration::ZERO };
        self.message_ids.next(now, lifetime).ok_or(SendError::Busy)
    }

    /// Under DTLS tokens are counted, so that none comes again while the keys are the same
    /// ([RFC 9175 section 4.2](https://www.rfc-editor.org/rfc/rfc9175#section-4.2)); without, they must be hard to guess.
    fn new_token(&mut self) -> Token {
        if self.is_plain() {
            return Token::from_u64(self.rng.next_u64(), 8);
        }
        self.next_token = self.next_token.wrapping_add(1);
        let bytes = (u32::BITS - self.next_token.leading_zeros()).div_ceil(8).max(1);
        Token::from_u64(self.next_token.into(), bytes as usize)
    }
}
