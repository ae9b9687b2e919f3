//! What is wrong with a datagram that is no message, and what its sender is owed.

use core::fmt;

use super::Reaction;
use crate::Type;

/// Why a datagram is no well-formed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// It ends before its header, token or an option does.
    Truncated,
    /// Its version is not 1.
    UnknownVersion,
    /// Its token length is 9 to 15.
    TokenLength,
    /// Its code is 0.00, but there is more than a header.
    EmptyWithContent,
    /// It is Non-confirmable and empty.
    EmptyNon,
    /// It is an Acknowledgement with a request in it.
    RequestInAck,
    /// It is a Reset that is not empty.
    ResetWithContent,
    /// Its code is of class 1, 6 or 7.
    ReservedClass,
    /// An option's delta or length nibble is 15, but the byte is not the payload marker.
    ReservedNibble,
    /// An option number passes 65535.
    OptionNumber,
    /// A payload marker is followed by no payload.
    MarkerWithoutPayload,
}

impl Malformed {
    /// A few words for a log or a counter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::UnknownVersion => "unknown version",
            Self::TokenLength => "token length above 8",
            Self::EmptyWithContent => "empty message with content",
            Self::EmptyNon => "empty non-confirmable message",
            Self::RequestInAck => "request in an acknowledgement",
            Self::ResetWithContent => "reset with content",
            Self::ReservedClass => "reserved code class",
            Self::ReservedNibble => "reserved option nibble",
            Self::OptionNumber => "option number above 65535",
            Self::MarkerWithoutPayload => "payload marker without payload",
        }
    }
}

/// A datagram that is no well-formed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    malformed: Malformed,
    header: [u8; 4],
}

impl ParseError {
    pub(super) const fn new(malformed: Malformed, header: [u8; 4]) -> Self {
        Self { malformed, header }
    }

    /// What is wrong.
    pub const fn malformed(&self) -> Malformed {
        self.malformed
    }

    /// The Message ID that a Reset must carry; 0 if the datagram was too short to have one.
    pub const fn message_id(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    /// What the sender is owed: a Reset for a Confirmable message, nothing for any other
    /// ([RFC 7252 section 4.2](https://www.rfc-editor.org/rfc/rfc7252#section-4.2),
    /// [section 4.3](https://www.rfc-editor.org/rfc/rfc7252#section-4.3)).
    ///
    /// A Non-confirmable message may be answered with a Reset or ignored; here it is ignored.
    pub const fn reaction(&self) -> Reaction {
        // Section 3: a version that is not known is ignored. A datagram without a header has version 0.
        if self.header[0] >> 6 == 1 && matches!(Type::from_bits(self.header[0] >> 4), Type::Con) {
            Reaction::Reset
        } else {
            Reaction::Ignore
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.malformed.as_str())
    }
}

impl core::error::Error for ParseError {}
