//! Exchanges: messages of ours that await something, and requests of a peer that await our answer.

use sedge_coap::observe::Observation;
use sedge_coap::{Key, Token, Transmission};
use sedge_time::Instant;

use crate::session::SessionId;

/// The end of a session's list of exchanges.
pub(crate) const NO_EXCHANGE: u32 = u32::MAX;

/// One exchange of one endpoint; never reused, so an old name never reaches a new exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId {
    pub(crate) slot: u32,
    pub(crate) serial: u32,
}

/// A message that awaits something.
pub struct Exchange<B> {
    pub(crate) session: SessionId,
    pub(crate) serial: u32,
    /// The next exchange of the same session.
    pub(crate) next: u32,
    pub(crate) message_id: u16,
    pub(crate) token: Token,
    /// When to do something about it; its timer is checked against this.
    pub(crate) deadline: Instant,
    pub(crate) state: State,
    /// The message as it goes on the wire, to send it again; empty for notifications, which are rendered
    /// afresh, and for requests of a peer.
    pub(crate) message: B,
}

/// What an exchange awaits.
pub(crate) enum State {
    /// A confirmable request of ours: its acknowledgement.
    Request { transmission: Transmission, observe: bool },
    /// A request of ours that was acknowledged, or needs no acknowledgement: its response.
    Response { observe: bool },
    /// An observation of ours: notifications, until Max-Age and some patience have passed.
    Observing { observation: Observation },
    /// A separate response of ours: its acknowledgement.
    SeparateResponse { transmission: Transmission },
    /// A confirmable notification of ours: its acknowledgement.
    Notification { transmission: Transmission, key: u64 },
    /// An empty confirmable message of ours: the reset that proves that the peer is there.
    Ping { transmission: Transmission },
    /// A peer's request: the application's answer. A confirmable one is acknowledged when the deadline comes.
    Deferred { confirmable: bool, acknowledged: bool, no_response: u8, duplicate_key: Option<Key> },
}

impl State {
    /// Whether the exchange counts against NSTART.
    pub(crate) fn is_outstanding(&self) -> bool {
        matches!(
            self,
            Self::Request { .. }
                | Self::SeparateResponse { .. }
                | Self::Notification { .. }
                | Self::Ping { .. }
        )
    }
}
