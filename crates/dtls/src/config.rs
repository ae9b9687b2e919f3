//! How a client and a server are set up.

use core::fmt;

use sedge_crypto::NamedGroup;

use crate::cid::ConnectionId;
use crate::handshake::Transport;
use crate::suite::CipherSuite;

/// Which versions of DTLS a side is willing to speak, of those that its [`Profile`](crate::Profile) has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// DTLS 1.2.
    pub dtls_1_2: bool,
    /// DTLS 1.3, which goes first where both are possible.
    pub dtls_1_3: bool,
}

impl Versions {
    /// Both.
    pub const ALL: Self = Self { dtls_1_2: true, dtls_1_3: true };
    /// DTLS 1.2 alone.
    pub const ONLY_1_2: Self = Self { dtls_1_2: true, dtls_1_3: false };
    /// DTLS 1.3 alone.
    pub const ONLY_1_3: Self = Self { dtls_1_2: false, dtls_1_3: true };
}

/// What a client offers. Who it is, its [`Credentials`](crate::Credentials) say.
#[derive(Clone, Copy, Debug)]
pub struct ClientConfig<'a> {
    /// The versions it offers.
    pub versions: Versions,
    /// The suites it offers, of both versions, the preferred first; at most [`MAX_SUITES`](Self::MAX_SUITES). Those
    /// for which it has no credentials are left out.
    pub suites: &'a [CipherSuite],
    /// The groups for key agreement it offers, the preferred first.
    pub groups: &'a [NamedGroup],
    /// Its own Connection ID: `None` does not offer the extension; an empty one says "I put yours into my
    /// records, you put none into yours", which is what a client with one connection wants.
    pub own_cid: Option<ConnectionId>,
    /// The path and the peer.
    pub transport: Transport,
}

impl ClientConfig<'_> {
    /// How many suites a client can offer.
    pub const MAX_SUITES: usize = 12;
}

impl Default for ClientConfig<'_> {
    /// Every suite that its credentials allow, and to put the server's Connection ID into its records.
    fn default() -> Self {
        Self {
            versions: Versions::ALL,
            suites: CipherSuite::ALL,
            groups: &[NamedGroup::Secp256r1, NamedGroup::X25519],
            own_cid: Some(ConnectionId::EMPTY),
            transport: Transport::default(),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The identity is longer than [`MAX_IDENTITY`](crate::MAX_IDENTITY).
    IdentityTooLong,
    /// Too many suites, or none for which there are a version and credentials.
    UnusableSuites,
    /// The record size limit is not between 64 and 16384.
    RecordSizeLimit,
    /// The ClientHello does not fit into the profile's [`Flight`](crate::Profile::Flight).
    FlightTooLong,
    /// No key share could be made: the source of randomness, or the provider of cryptography, does not work.
    NoKeyShare,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdentityTooLong => "the PSK identity is longer than 128 bytes",
            Self::UnusableSuites => {
                "there is no cipher suite for these versions and credentials, or too many"
            }
            Self::RecordSizeLimit => "the record size limit is not between 64 and 16384",
            Self::FlightTooLong => "the ClientHello is longer than the memory for it",
            Self::NoKeyShare => "no key share could be made",
        })
    }
}

impl core::error::Error for ConfigError {}

/// What a server offers. Who it is and whom it believes, its [`Credentials`](crate::Credentials) say.
#[derive(Clone, Copy, Debug)]
pub struct ServerConfig<'a> {
    /// The versions it speaks.
    pub versions: Versions,
    /// The suites it accepts, of both versions, the preferred first.
    pub suites: &'a [CipherSuite],
    /// The groups for key agreement it accepts, the preferred first.
    pub groups: &'a [NamedGroup],
    /// Whether a client that authenticates by no pre-shared key must show a certificate.
    pub client_certificate: ClientCertificate,
    /// The path and the peer.
    pub transport: Transport,
}

impl Default for ServerConfig<'_> {
    /// Every version, suite and group, client certificates required, and [`Transport::default`].
    fn default() -> Self {
        Self {
            versions: Versions::ALL,
            suites: CipherSuite::ALL,
            groups: &[NamedGroup::Secp256r1, NamedGroup::X25519],
            client_certificate: ClientCertificate::Required,
            transport: Transport::default(),
        }
    }
}

/// What a server wants of clients without a pre-shared key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// It does not ask: such clients stay anonymous, as principal 0.
    NotAsked,
    /// It asks; a client without one stays anonymous, as principal 0.
    Optional,
    /// It asks, and refuses a client without one.
    Required,
}
