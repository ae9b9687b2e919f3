//! What can go wrong, and for whom.

use core::fmt;

use sedge_coap::Code;
use sedge_endpoint::SendError;

use crate::core::SubscriptionId;
use crate::disconnect::Disconnect;
use crate::security::SecurityError;

/// Why an operation failed. `E` is the error of the network underneath.
///
/// None of these ends the client: the next operation tries again, with a new connection if it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error<E> {
    /// The network refused to send or to receive.
    Network(E),
    /// There is no connection; this is what became of the last one, or of the last attempt at one.
    Disconnected(Disconnect),
    /// The server did not answer in time.
    Timeout,
    /// The server rejected the message.
    Reset,
    /// The server answered, but with this error.
    Refused(Code),
    /// The server gave the value, but does not notify: the topic has as many subscribers as it may.
    NotObserved,
    /// A subscription is over, and this is what the server said; 4.04 when the topic is gone.
    Ended {
        /// The subscription; its name is not used again.
        subscription: SubscriptionId,
        /// The server's last word.
        code: Code,
    },
    /// What came does not fit the buffer that was given; it is dropped.
    BufferTooSmall {
        /// Its size in bytes, as far as known.
        needed: Option<u32>,
    },
    /// The representation changed each time while its blocks were fetched.
    KeepsChanging,
    /// The request cannot be sent as it is.
    Send(SendError),
    /// There are as many subscriptions as there is memory for.
    NoRoom,
    /// The client cannot be what it is told to be.
    Security(SecurityError),
    /// A topic's name is longer than the memory for it.
    NameTooLong,
    /// The client was closed.
    Closed,
    /// Nothing is sent before the session is [saved](crate::Client::save); then the call may be repeated.
    Unsaved,
}

impl<E> From<Failure> for Error<E> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Disconnected(reason) => Self::Disconnected(reason),
            Failure::Timeout => Self::Timeout,
            Failure::Reset => Self::Reset,
            Failure::BufferTooSmall { needed } => Self::BufferTooSmall { needed },
            Failure::KeepsChanging => Self::KeepsChanging,
            Failure::Send(error) => Self::Send(error),
            Failure::Closed => Self::Closed,
        }
    }
}

/// Why a [`Transfer`](crate::Transfer) came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no connection for as long as the patience lasted.
    Disconnected(Disconnect),
    /// No answer in time.
    Timeout,
    /// The server rejected the message.
    Reset,
    /// The answer does not fit the buffer.
    BufferTooSmall {
        /// Its size in bytes, as far as known.
        needed: Option<u32>,
    },
    /// The answer changed each time while its blocks were fetched.
    KeepsChanging,
    /// The request cannot be sent as it is.
    Send(SendError),
    /// The client was closed.
    Closed,
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(error) => write!(f, "the network failed: {error}"),
            Self::Disconnected(reason) => write!(f, "no connection: {reason}"),
            Self::Timeout => f.write_str("the server did not answer"),
            Self::Reset => f.write_str("the server rejected the message"),
            Self::Refused(code) => write!(f, "the server answered {code:?}"),
            Self::NotObserved => f.write_str("the topic has as many subscribers as it may"),
            Self::Ended { code, .. } => write!(f, "the subscription has ended: {code:?}"),
            Self::BufferTooSmall { needed: Some(bytes) } => {
                write!(f, "{bytes} bytes do not fit the buffer")
            }
            Self::BufferTooSmall { needed: None } => f.write_str("it does not fit the buffer"),
            Self::KeepsChanging => f.write_str("the value changed again and again while it was fetched"),
            Self::Send(error) => write!(f, "it cannot be sent: {error}"),
            Self::NoRoom => f.write_str("there is no room for another subscription"),
            Self::Security(error) => error.fmt(f),
            Self::NameTooLong => f.write_str("the topic's name is too long"),
            Self::Closed => f.write_str("the client was closed"),
            Self::Unsaved => f.write_str("the session is to be saved first"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> core::error::Error for Error<E> {}
