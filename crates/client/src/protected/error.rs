//! What can go wrong with protected topics.

use core::fmt;

use sedge_coap::Code;
use sedge_group::OpenError;

use crate::error::Error;

/// Why an operation on a protected topic failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtectError<E> {
    /// The request itself failed.
    Client(Error<E>),
    /// The topic is none of the groups that were given.
    NotAGroup,
    /// The key distribution centre refuses: 4.03 if the client may not, 4.04 if the topic is not protected.
    Centre(Code),
    /// The key distribution centre's answer makes no sense.
    Answer,
    /// Publishers of this group countersign: it takes a key to sign with ([`Group::signing`](super::Group::signing)) and a name.
    NoSigningKey,
    /// The client has not been told what the operator calls it ([`Group::named`](super::Group::named)).
    NoName,
    /// The memory for sequence numbers failed.
    Storage,
    /// The protected value, or the message, does not fit the buffer for it.
    ScratchTooSmall {
        /// How many bytes it takes.
        needed: usize,
    },
    /// The value cannot be encrypted: it is too long for the cipher.
    TooLong,
}

impl<E> ProtectError<E> {
    /// Whether waiting would not help: it is not that the topic is not protected yet.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::Centre(Code::NOT_FOUND))
    }
}

impl<E> From<Error<E>> for ProtectError<E> {
    fn from(error: Error<E>) -> Self {
        Self::Client(error)
    }
}

impl<E: fmt::Display> fmt::Display for ProtectError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::NotAGroup => f.write_str("the topic is not among the protected ones"),
            Self::Centre(code) => write!(f, "the key distribution centre answered {code:?}"),
            Self::Answer => f.write_str("the key distribution centre's answer makes no sense"),
            Self::NoSigningKey => f.write_str("publishers of this topic sign, and there is no key for that"),
            Self::NoName => f.write_str("the client does not know its name in the group"),
            Self::Storage => f.write_str("the memory for sequence numbers failed"),
            Self::ScratchTooSmall { needed } => write!(f, "the protected value takes {needed} bytes"),
            Self::TooLong => f.write_str("the value is too long to be encrypted"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> core::error::Error for ProtectError<E> {}

/// Why a value was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It came in the open, on a topic that is protected.
    Plain,
    /// It came protected, on a topic that is not, so nobody has the key.
    Protected,
    /// It did not open.
    Open(OpenError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("not protected, on a topic that is"),
            Self::Protected => f.write_str("protected, on a topic that is not"),
            Self::Open(error) => error.fmt(f),
        }
    }
}
