//! What can be wrong.

use core::fmt;

use crate::cbor::{self, NoRoom};

/// Why a message, a key or a token could not be read, or not be made.
///
/// It is for counters and logs. Whoever sent the message learns at most that it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// Not the CBOR that belongs there.
    Cbor(cbor::Error),
    /// Not the array that such a message is.
    Structure,
    /// A header parameter of the wrong type, one that comes twice, or two that exclude each other.
    Header,
    /// A header parameter is critical that is not understood, or is not there.
    Critical,
    /// The message does not name the key's algorithm.
    Algorithm,
    /// The key is not for this: another type, length, algorithm or purpose.
    Key,
    /// The message has no initialisation vector, or one of the wrong length.
    Nonce,
    /// The content is elsewhere, or is not.
    Detached,
    /// The external data is longer than [`MAX_AAD`](crate::MAX_AAD) allows.
    AadTooLong,
    /// The tag or the signature is not right.
    NotAuthentic,
    /// The plaintext is longer than the algorithm allows, or the provider has not got the algorithm.
    Provider,
    /// The buffer is too short.
    NoRoom {
        /// How many bytes it takes.
        needed: usize,
    },
    /// A claim of the wrong type, or proof of possession of more than one key.
    Claim,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cbor(error) => return error.fmt(f),
            Self::Structure => "not the structure of such a message",
            Self::Header => "a header parameter is malformed",
            Self::Critical => "a critical header parameter is not understood",
            Self::Algorithm => "the message is not of the key's algorithm",
            Self::Key => "the key is not for this",
            Self::Nonce => "the initialisation vector is missing or has the wrong length",
            Self::Detached => "the content is not in the message, or should not be",
            Self::AadTooLong => "the external data is too long",
            Self::NotAuthentic => "not authentic",
            Self::Provider => "the provider of cryptography cannot do this",
            Self::NoRoom { needed } => return NoRoom { needed: *needed }.fmt(f),
            Self::Claim => "a claim is malformed",
        })
    }
}

impl core::error::Error for Error {}

impl From<cbor::Error> for Error {
    fn from(error: cbor::Error) -> Self {
        Self::Cbor(error)
    }
}

impl From<NoRoom> for Error {
    fn from(NoRoom { needed }: NoRoom) -> Self {
        Self::NoRoom { needed }
    }
}
