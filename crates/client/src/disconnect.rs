//! Why there is no connection.

use core::fmt;

use sedge_dtls::AlertDescription;
use sedge_endpoint::CloseReason;

use crate::security::NotBelieved;

/// How a connection, or an attempt at one, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disconnect {
    /// Nothing answered.
    Unreachable,
    /// The server answered, but not to our proof of who we are: it does not know this identity, or with another
    /// key. (To give no answer then is what keeps identities from being guessed.)
    NotAccepted,
    /// The server refused the handshake, and said why.
    HandshakeRefused(AlertDescription),
    /// The server did not prove to us who it is.
    NotBelieved(NotBelieved),
    /// The server ended the session, and said why.
    Alert(AlertDescription),
    /// The server said goodbye.
    ByServer,
    /// We did.
    ByUs,
    /// The server no longer acknowledged anything: it has lost the session, or is out of reach.
    Silent,
    /// The session has used up its sequence numbers.
    Exhausted,
    /// The network refused to carry our datagrams.
    Network,
    /// The handshake cannot be made with the settings given.
    Misconfigured,
}

impl Disconnect {
    /// What the endpoint's word means to a client that `heard` something from the server during the handshake.
    pub(crate) const fn new(reason: CloseReason, heard: bool) -> Self {
        match reason {
            CloseReason::HandshakeTimeout if heard => Self::NotAccepted,
            CloseReason::HandshakeTimeout => Self::Unreachable,
            CloseReason::HandshakeFailed(alert) => Self::HandshakeRefused(alert),
            CloseReason::Alert(alert) => Self::Alert(alert),
            CloseReason::ByPeer => Self::ByServer,
            CloseReason::ByUs => Self::ByUs,
            CloseReason::Idle => Self::Silent,
            CloseReason::Exhausted => Self::Exhausted,
        }
    }

    /// Whether it was the handshake that came to nothing.
    pub(crate) const fn is_refusal(self) -> bool {
        matches!(self, Self::HandshakeRefused(_) | Self::NotAccepted | Self::Unreachable)
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("nothing answers"),
            Self::NotAccepted => f.write_str("the server does not accept this identity and key"),
            Self::HandshakeRefused(alert) => write!(f, "the server refused the handshake: {alert}"),
            Self::NotBelieved(why) => write!(f, "the server is not believed: {why}"),
            Self::Alert(alert) => write!(f, "the server ended the session: {alert}"),
            Self::ByServer => f.write_str("the server closed the session"),
            Self::ByUs => f.write_str("the session was closed"),
            Self::Silent => f.write_str("the server no longer answers"),
            Self::Exhausted => f.write_str("the session has used up its sequence numbers"),
            Self::Network => f.write_str("the network refuses"),
            Self::Misconfigured => f.write_str("the settings do not allow a handshake"),
        }
    }
}
