//! Requests and responses over the message layer: piggybacked, separate, reset
//! ([RFC 7252 section 5.2](https://www.rfc-editor.org/rfc/rfc7252#section-5.2),
//! [section 5.3](https://www.rfc-editor.org/rfc/rfc7252#section-5.3)).
//!
//! ```text
//!   Request (client)                                   Reply (server)
//!
//!   Confirmable --------------------- CON ------------> response at hand?
//!     |  ^ Transmission                                   | yes      | no, and the deadline came
//!     |  +-- retransmits                                  |          v
//!     |<------------ ACK with the response ---------------+        empty ACK
//!     |                                                              |
//!   empty ACK: retransmission ends <---------------------------------+
//!     v                                                              v
//!   Waiting <--------------- CON or NON with the response ------- response at hand
//! ```

use sedge_time::{Duration, Instant};

use crate::{Code, Expiry, Message, Token, Transmission, TransmissionParameters, Type, empty_message};

/// A request that was sent and waits for its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    token: Token,
    message_id: u16,
    transmission: Option<Transmission>,
}

/// What a received message means for a [`Request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Nothing: it belongs to something else.
    Unrelated,
    /// The request has arrived, the response will come by itself.
    Acknowledged,
    /// It is the response.
    Response {
        /// The acknowledgement that the peer is to be sent for it, if it is Confirmable.
        acknowledge: Option<[u8; 4]>,
    },
    /// The peer cannot process the request.
    Reset,
}

impl Request {
    /// A Confirmable request was sent.
    pub const fn confirmable(message_id: u16, token: Token, transmission: Transmission) -> Self {
        Self { token, message_id, transmission: Some(transmission) }
    }

    /// A Non-confirmable request was sent.
    pub const fn non_confirmable(message_id: u16, token: Token) -> Self {
        Self { token, message_id, transmission: None }
    }

    /// The token.
    pub const fn token(&self) -> Token {
        self.token
    }

    /// The Message ID, the same for every retransmission.
    pub const fn message_id(&self) -> u16 {
        self.message_id
    }

    /// When to call [`expire`](Self::expire); `None` once the request was acknowledged, or if it is
    /// Non-confirmable. How long to wait for the response then is the application's choice.
    pub fn deadline(&self) -> Option<Instant> {
        self.transmission.map(|transmission| transmission.deadline())
    }

    /// Time has come to `now`.
    pub fn expire(&mut self, now: Instant, parameters: &TransmissionParameters) -> Expiry {
        match &mut self.transmission {
            Some(transmission) => transmission.expire(now, parameters),
            None => Expiry::Wait,
        }
    }

    /// A message came from the peer that the request was sent to.
    pub fn receive(&mut self, message: &Message<'_>) -> Incoming {
        let (same_id, same_token) = (message.message_id() == self.message_id, message.token() == self.token);
        match message.kind() {
            Type::Rst if same_id => Incoming::Reset,
            Type::Ack if same_id && message.code() == Code::EMPTY => {
                self.transmission = None;
                Incoming::Acknowledged
            }
            // Section 5.3.2: in a piggybacked response both must match.
            Type::Ack if same_id && same_token => Incoming::Response { acknowledge: None },
            Type::Con if same_token && message.code().is_response() => {
                let acknowledge = Some(empty_message(Type::Ack, message.message_id()));
                Incoming::Response { acknowledge }
            }
            Type::Non if same_token && message.code().is_response() => {
                Incoming::Response { acknowledge: None }
            }
            _ => Incoming::Unrelated,
        }
    }
}

/// A request that was received and waits for its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    token: Token,
    message_id: u16,
    // `None` if no acknowledgement is owed: for a Non-confirmable request, or because it was sent.
    acknowledge_at: Option<Instant>,
}

impl Reply {
    /// `request` came at `now`.
    ///
    /// The empty acknowledgement falls due after a quarter of ACK_TIMEOUT, which leaves the path the rest
    /// before the client sends again.
    pub fn to(request: &Message<'_>, now: Instant, parameters: &TransmissionParameters) -> Self {
        let patience: Duration = parameters.ack_timeout.fraction(1, 4);
        Self {
            token: request.token(),
            message_id: request.message_id(),
            acknowledge_at: (request.kind() == Type::Con).then(|| now + patience),
        }
    }

    /// The token of the response.
    pub const fn token(&self) -> Token {
        self.token
    }

    /// When the empty acknowledgement is due, if one is owed.
    pub const fn deadline(&self) -> Option<Instant> {
        self.acknowledge_at
    }

    /// The empty acknowledgement, if one is owed; the response will then be separate.
    pub fn acknowledge(&mut self) -> Option<[u8; 4]> {
        self.acknowledge_at.take().map(|_| empty_message(Type::Ack, self.message_id))
    }

    /// The type and Message ID of the response: piggybacked while an acknowledgement is owed, otherwise
    /// `separate`, with the ID that the caller provides.
    pub fn header(&self, separate: Type, message_id: impl FnOnce() -> u16) -> (Type, u16) {
        match self.acknowledge_at {
            Some(_) => (Type::Ack, self.message_id),
            None => (separate, message_id()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: TransmissionParameters = TransmissionParameters::DEFAULT;

    fn request() -> Request {
        let transmission = Transmission::start(Instant::EPOCH, &PARAMETERS, 0);
        Request::confirmable(0x7d34, Token::new(b"t").unwrap(), transmission)
    }

    fn receive(request: &mut Request, bytes: &[u8]) -> Incoming {
        request.receive(&Message::parse(bytes).unwrap())
    }

    /// RFC 7252 figures 4 to 6, and those of appendix A.
    #[test]
    fn a_response_comes_piggybacked_or_separately() {
        assert_eq!(receive(&mut request(), b"\x61\x45\x7d\x34t"), Incoming::Response { acknowledge: None });

        let mut separate = request();
        assert_eq!(receive(&mut separate, b"\x60\x00\x7d\x34"), Incoming::Acknowledged);
        assert_eq!(separate.deadline(), None);
        let acknowledge = Some(*b"\x60\x00\xad\x7b");
        assert_eq!(receive(&mut separate, b"\x41\x45\xad\x7bt"), Incoming::Response { acknowledge });
        assert_eq!(receive(&mut request(), b"\x51\x45\xad\x7bt"), Incoming::Response { acknowledge: None });
        // The separate response overtakes the acknowledgement.
        assert_eq!(receive(&mut request(), b"\x41\x45\xad\x7bt"), Incoming::Response { acknowledge });
        assert_eq!(receive(&mut request(), b"\x70\x00\x7d\x34"), Incoming::Reset);
    }

    #[test]
    fn what_does_not_match_changes_nothing() {
        let mut request = request();
        for bytes in [
            &b"\x61\x45\x7d\x35t"[..], // another ID
            b"\x61\x45\x7d\x34u",      // another token
            b"\x60\x45\x7d\x34",       // no token
            b"\x60\x00\x7d\x35",
            b"\x70\x00\x7d\x35",
            b"\x41\x45\x7d\x34u",
            b"\x41\x01\x7d\x34t", // a request
        ] {
            assert_eq!(receive(&mut request, bytes), Incoming::Unrelated);
        }
        let due = request.deadline().unwrap();
        assert_eq!(request.expire(due, &PARAMETERS), Expiry::Retransmit);
    }

    #[test]
    fn a_reply_is_piggybacked_until_its_acknowledgement_went_out() {
        let message = Message::parse(b"\x41\x01\x7d\x34t").unwrap();
        let mut reply = Reply::to(&message, Instant::EPOCH, &PARAMETERS);
        assert_eq!(reply.deadline(), Some(Instant::from_micros(500_000)));
        assert_eq!(reply.header(Type::Con, || 9), (Type::Ack, 0x7d34));
        assert_eq!(reply.acknowledge(), Some(*b"\x60\x00\x7d\x34"));
        assert_eq!((reply.acknowledge(), reply.deadline()), (None, None));
        assert_eq!(reply.header(Type::Con, || 9), (Type::Con, 9));

        let message = Message::parse(b"\x51\x01\x7d\x34t").unwrap();
        let mut reply = Reply::to(&message, Instant::EPOCH, &PARAMETERS);
        assert_eq!(reply.acknowledge(), None);
        assert_eq!(reply.header(Type::Non, || 9), (Type::Non, 9));
    }
}
