//! What can be told of a datagram without its keys.

use std::fmt;

/// What a datagram carries, by its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flight {
    /// A ClientHello, with which a handshake begins.
    ClientHello,
    /// Another message of a handshake.
    Handshake,
    /// An alert.
    Alert,
    /// A record of a session.
    Record,
    /// A record of a session of DTLS 1.3.
    Record13,
    /// CoAP without security.
    Plain,
}

impl Flight {
    /// Looks at a datagram.
    pub(super) fn of(datagram: &[u8]) -> Self {
        match *datagram {
            // RFC 6347 section 4.1: type, version, epoch, sequence number, length; then the handshake's type.
            [22, 254, _, 0, 0, _, _, _, _, _, _, _, _, 1, ..] => Self::ClientHello,
            [20 | 22, 254, ..] => Self::Handshake,
            [21, 254, ..] => Self::Alert,
            [23 | 25, 254, ..] => Self::Record,
            // RFC 9147 section 4: the unified header; epoch 2 is the handshake's.
            [first, ..] if first >> 5 == 1 && first & 3 == 2 => Self::Handshake,
            [first, ..] if first >> 5 == 1 => Self::Record13,
            _ => Self::Plain,
        }
    }
}

impl fmt::Display for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientHello => "a ClientHello",
            Self::Handshake => "handshake messages",
            Self::Alert => "an alert",
            Self::Record | Self::Record13 => "a DTLS record",
            Self::Plain => "plain CoAP",
        })
    }
}
