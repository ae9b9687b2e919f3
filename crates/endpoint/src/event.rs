//! What an endpoint tells its owner.

use sedge_coap::{Key, Message, Token};
use sedge_dtls::AlertDescription;

use crate::agreed::Agreed;
use crate::exchange::ExchangeId;
use crate::session::SessionId;

/// Something that happened. An event may borrow the datagram that caused it, never the endpoint, so its
/// receiver is free to answer at once.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'d> {
    /// A handshake completed; the peer is who `principal` says.
    Connected {
        /// The new session.
        session: SessionId,
        /// The number that the [`Host`](crate::Host)'s credentials gave for the peer; zero for none.
        principal: u32,
        /// Version, suite, and how the peer proved who it is.
        agreed: Agreed,
        /// The older session on the same path that has ended by this, with everything on it.
        replaced: Option<SessionId>,
    },
    /// The peer has shown that it receives on the path that its session has moved to. What was held back with
    /// [`SendError::Busy`](crate::SendError::Busy) can be sent.
    Moved {
        /// The session.
        session: SessionId,
    },
    /// A session is over, and with it all its exchanges and observations.
    Closed {
        /// The session; its name is not used again.
        session: SessionId,
        /// Who it was; zero if that was not known yet.
        principal: u32,
        /// Why.
        reason: CloseReason,
    },
    /// A request to answer. Repetitions of a request never come here; they get the first one's answer.
    Request {
        /// What to give back with the answer.
        ticket: Ticket,
        /// The request.
        message: Message<'d>,
    },
    /// An answer to a request of ours, or a notification for an observation of ours.
    Response {
        /// The session it came over.
        session: SessionId,
        /// The request.
        exchange: ExchangeId,
        /// The response. Notifications that are older than one already seen never come here.
        message: Message<'d>,
        /// Whether the exchange has ended with this.
        last: bool,
    },
    /// A request, observation or ping of ours came to nothing.
    Failed {
        /// The session it went over.
        session: SessionId,
        /// The request.
        exchange: ExchangeId,
        /// Why.
        reason: FailReason,
    },
    /// The peer answered a ping.
    Pong {
        /// The session.
        session: SessionId,
        /// The ping.
        exchange: ExchangeId,
    },
    /// A confirmable notification arrived.
    Acknowledged {
        /// The session.
        session: SessionId,
        /// What [`Endpoint::notify`](crate::Endpoint::notify) was given.
        key: u64,
    },
    /// The peer does not know the observation (any more): it has ended.
    Rejected {
        /// The session.
        session: SessionId,
        /// What [`Endpoint::notify`](crate::Endpoint::notify) was given.
        key: u64,
    },
    /// A confirmable notification was never acknowledged: the observation has ended (RFC 7641 section 4.5).
    Lost {
        /// The session.
        session: SessionId,
        /// What [`Endpoint::notify`](crate::Endpoint::notify) was given.
        key: u64,
    },
    /// A notification must go out again: answer with [`Endpoint::renotify`](crate::Endpoint::renotify).
    Render {
        /// What to give back.
        notification: ExchangeId,
        /// The session.
        session: SessionId,
        /// What [`Endpoint::notify`](crate::Endpoint::notify) was given.
        key: u64,
        /// The observation's token.
        token: Token,
    },
    /// A separate response of ours was acknowledged, so that the session has room under NSTART again.
    Delivered {
        /// The session.
        session: SessionId,
    },
    /// The peer rejected a non-confirmable message of ours.
    Reset {
        /// The session.
        session: SessionId,
        /// The Message ID of that message.
        message_id: u16,
    },
}

/// The right to answer one request. Answer at once with [`Endpoint::respond`](crate::Endpoint::respond), or
/// keep it for later with [`Endpoint::defer`](crate::Endpoint::defer). Dropping it answers nothing.
#[derive(Debug)]
#[must_use = "a peer waits for the answer"]
pub struct Ticket {
    pub(crate) session: SessionId,
    pub(crate) principal: u32,
    pub(crate) token: Token,
    pub(crate) message_id: u16,
    pub(crate) confirmable: bool,
    /// Under which the outcome is remembered; `None` for GET and FETCH, which may be answered afresh.
    pub(crate) duplicate_key: Option<Key>,
    /// The bits of the No-Response option (RFC 7967): which classes of answer the peer does not want.
    pub(crate) no_response: u8,
}

impl Ticket {
    /// The session the request came over.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Who asks: the number that the [`Host`](crate::Host)'s credentials gave; zero on plain CoAP.
    pub const fn principal(&self) -> u32 {
        self.principal
    }

    /// The request's token, which names an observation.
    pub const fn token(&self) -> Token {
        self.token
    }

    /// Whether the request was confirmable.
    pub const fn is_confirmable(&self) -> bool {
        self.confirmable
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer said goodbye with an authenticated close_notify.
    ByPeer,
    /// We were told to.
    ByUs,
    /// The peer sent an authenticated fatal alert with this description (RFC 5246 section 7.2).
    Alert(AlertDescription),
    /// One side of the handshake refused it, and said why. Whoever does not know the key gets no answer at
    /// all, which is [`CloseReason::HandshakeTimeout`].
    HandshakeFailed(AlertDescription),
    /// The peer did not answer the handshake in time.
    HandshakeTimeout,
    /// Nothing was heard for the configured time.
    Idle,
    /// The session has used up its sequence numbers.
    Exhausted,
}

/// Why a request of ours came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailReason {
    /// No acknowledgement, or no response, in the time that RFC 7252 section 4.8.2 gives.
    Timeout,
    /// The peer rejected the message.
    Reset,
}
