//! What a handshake came to.

use sedge_dtls::{Authentication, CipherSuite};

/// What the handshake of a session came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The version of DTLS.
    pub version: Version,
    /// The cipher suite.
    pub suite: CipherSuite,
    /// How the peer proved who it is.
    pub authentication: Authentication,
    /// Whether an earlier session was taken up again; then the peer proved itself back then.
    pub resumed: bool,
}

/// A version of DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// [RFC 6347](https://www.rfc-editor.org/rfc/rfc6347).
    Dtls12,
    /// [RFC 9147](https://www.rfc-editor.org/rfc/rfc9147).
    Dtls13,
}

impl core::fmt::Display for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Dtls12 => "DTLS 1.2",
            Self::Dtls13 => "DTLS 1.3",
        })
    }
}
