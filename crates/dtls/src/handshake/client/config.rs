//! Who a client is and what it offers.

use core::fmt;

use crate::cid::ConnectionId;
use crate::handshake::Transport;
use crate::psk::Psk;
use crate::suite::CipherSuite;

/// Who a client is and what it offers.
#[derive(Clone, Copy, Debug)]
pub struct ClientConfig<'a> {
    /// Its PSK identity, at most [`MAX_IDENTITY`](crate::MAX_IDENTITY) bytes.
    pub identity: &'a [u8],
    /// The key that goes with it.
    pub psk: &'a Psk,
    /// The suites it offers, the preferred first; at most [`MAX_SUITES`](Self::MAX_SUITES).
    pub suites: &'a [CipherSuite],
    /// Its own Connection ID: `None` does not offer the extension; an empty one says "I put yours into my
    /// records, you put none into yours", which is what a client with one connection wants.
    pub own_cid: Option<ConnectionId>,
    /// The path and the peer.
    pub transport: Transport,
}

impl<'a> ClientConfig<'a> {
    /// How many suites a client can offer.
    pub const MAX_SUITES: usize = 4;

    /// Offers TLS_PSK_WITH_AES_128_CCM_8 and to put the server's Connection ID into its records.
    pub const fn new(identity: &'a [u8], psk: &'a Psk, transport: Transport) -> Self {
        let suites = &[CipherSuite::TLS_PSK_WITH_AES_128_CCM_8];
        Self { identity, psk, suites, own_cid: Some(ConnectionId::EMPTY), transport }
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The identity is longer than [`MAX_IDENTITY`](crate::MAX_IDENTITY).
    IdentityTooLong,
    /// No suite that this crate speaks, one that it does not, or more than [`ClientConfig::MAX_SUITES`].
    UnusableSuites,
    /// The record size limit is not between 64 and 16384.
    RecordSizeLimit,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdentityTooLong => "the PSK identity is longer than 128 bytes",
            Self::UnusableSuites => "the list of cipher suites is empty, too long or names an unknown one",
            Self::RecordSizeLimit => "the record size limit is not between 64 and 16384",
        })
    }
}

impl core::error::Error for ConfigError {}
