//! What a handshake came to.

use sedge_dtls::CipherSuite;

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

/// How a peer proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// Not at all.
    Anonymous,
    /// By a pre-shared key.
    PreSharedKey,
    /// By a raw public key ([RFC 7250](https://www.rfc-editor.org/rfc/rfc7250)).
    RawPublicKey,
    /// By an X.509 certificate.
    Certificate,
}

impl core::fmt::Display for Version {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Dtls12 => "DTLS 1.2",
            Self::Dtls13 => "DTLS 1.3",
        })
    }
}

impl core::fmt::Display for Authentication {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "nothing",
            Self::PreSharedKey => "pre-shared key",
            Self::RawPublicKey => "raw public key",
            Self::Certificate => "certificate",
        })
    }
}
