//! What the handshakes of both versions and both sides have in common.

use core::fmt;

use sedge_crypto::{Crypto, CryptoRng};
use sedge_time::Instant;

use crate::alert::AlertDescription;
use crate::credentials::CertificateType;
use crate::session::Session;

pub(crate) mod extension;
pub(crate) mod flight;
pub(crate) mod hello;
pub(crate) mod inbox;
pub(crate) mod link;
pub(crate) mod message;
pub(crate) mod resumption;
pub(crate) mod ticket;
pub(crate) mod timer;

pub use timer::Retransmission;

/// What every call into a handshake needs from outside.
pub struct Context<'a, C, R: ?Sized> {
    /// The provider of cryptography.
    pub crypto: &'a C,
    /// Where randomness comes from.
    pub rng: &'a mut R,
    /// When the call happens.
    pub now: Instant,
    /// Whom to tell the secrets, if anyone. Whoever learns one can read and forge the connection: this
    /// is for looking at captures (`SSLKEYLOGFILE`) and for nothing else.
    pub dangerous_key_log: Option<&'a mut dyn KeyLog>,
}

impl<'a, C: Crypto, R: CryptoRng + ?Sized> Context<'a, C, R> {
    /// A context without a key log.
    pub fn new(crypto: &'a C, rng: &'a mut R, now: Instant) -> Self {
        Self { crypto, rng, now, dangerous_key_log: None }
    }
}

impl<C, R: ?Sized> fmt::Debug for Context<'_, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("now", &self.now).finish_non_exhaustive()
    }
}

/// Learns secrets; see [`Context::dangerous_key_log`].
pub trait KeyLog {
    /// A line `<label> <client_random> <secret>` of the
    /// [NSS key log format](https://www.rfc-editor.org/rfc/rfc9850): `CLIENT_RANDOM` with the master secret of DTLS
    /// 1.2, or one of the four labels of DTLS 1.3 with a traffic secret.
    fn secret(&mut self, label: &'static str, client_random: &[u8; 32], secret: &[u8]);
}

/// How a handshake treats the path and the peer, on either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The longest datagram sent, in bytes of UDP payload; at least [`MIN_MTU`](Self::MIN_MTU). Flights that
    /// are longer are sent in several, messages that are longer in fragments.
    ///
    /// A ClientHello should fit into one: a server that keeps nothing before the cookie has come back
    /// ([RFC 9147 section 5.1](https://www.rfc-editor.org/rfc/rfc9147#section-5.1)) has nowhere to put fragments together,
    /// and this crate's drop them ([`Discard::FragmentedClientHello`](crate::Discard::FragmentedClientHello)). It takes
    /// some 100 to 250 bytes, and a long name or a ticket on top.
    pub mtu: u16,
    /// The longest record plaintext that this side takes, in bytes from 64 to 16384, if it is to be announced
    /// ([RFC 8449](https://www.rfc-editor.org/rfc/rfc8449)). A peer that does not know the extension may send
    /// up to 16384.
    pub record_size_limit: Option<u16>,
    /// When flights are sent again.
    pub retransmission: Retransmission,
    /// Whether to agree on the return routability check
    /// ([RFC 9853](https://www.rfc-editor.org/rfc/rfc9853)) with a peer that knows it; then its messages
    /// ([`Content::ReturnRoutability`](crate::Content::ReturnRoutability)) have to be answered. Needs Connection IDs.
    pub return_routability: bool,
    /// Whether to go on with a peer that does not know the extended master secret
    /// ([RFC 7627](https://www.rfc-editor.org/rfc/rfc7627)). Without it, a man in the middle who shares a key
    /// with both sides can make two connections look like one.
    pub dangerous_allow_plain_master_secret: bool,
}

impl Transport {
    /// The smallest [`mtu`](Self::mtu): room for a record with the longest Connection ID and a part of a message.
    pub const MIN_MTU: u16 = 128;
}

impl Default for Transport {
    /// 1152 bytes (an IPv6 minimum MTU of 1280 with headers and some tunnelling), no record size limit, one
    /// second of patience at first, no return routability check, extended master secret required.
    fn default() -> Self {
        Self {
            mtu: 1152,
            record_size_limit: None,
            retransmission: Retransmission::default(),
            return_routability: false,
            dangerous_allow_plain_master_secret: false,
        }
    }
}

/// The longest plaintext of a record (RFC 5246 section 6.2.1).
pub(crate) const MAX_PLAINTEXT: u16 = 1 << 14;
/// The smallest record size limit (RFC 8449 section 4).
pub(crate) const MIN_RECORD_SIZE_LIMIT: u16 = 64;

/// How far a handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More is to come from the peer.
    Continue,
    /// Done: send what is left to send, then take the session.
    Complete,
    /// Over: send what is left to send (an alert), then drop the handshake.
    Failed(Failure),
}

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer. A server that does not know the identity, or knows another key for it, stays silent too.
    TimedOut,
    /// The peer said why.
    Refused(AlertDescription),
    /// The peer broke the protocol or offered nothing acceptable, and was told so.
    Aborted(AlertDescription),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no answer"),
            Self::Refused(description) => write!(f, "refused by the peer: {description}"),
            Self::Aborted(description) => write!(f, "aborted: {description}"),
        }
    }
}

impl core::error::Error for Failure {}

/// What a completed handshake leaves.
#[derive(Debug)]
pub struct Established {
    /// The connection.
    pub session: Session,
    /// The number that [`Credentials`](crate::Credentials) gave for the peer: on a server for its PSK identity or
    /// its certificate, on a client for the server's certificate; zero for none.
    pub principal: u32,
    /// How the peer proved who it is, or did in the session that was resumed.
    pub authentication: Authentication,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

/// How a peer proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Authentication {
    /// Not at all: a client that was not asked for a certificate, or showed none where it did not have to.
    Anonymous = 0,
    /// By a pre-shared key.
    PreSharedKey = 1,
    /// By a raw public key.
    RawPublicKey = 2,
    /// By an X.509 certificate.
    Certificate = 3,
}

impl fmt::Display for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "nothing",
            Self::PreSharedKey => "pre-shared key",
            Self::RawPublicKey => "raw public key",
            Self::Certificate => "certificate",
        })
    }
}

impl Authentication {
    pub(crate) const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Anonymous),
            1 => Some(Self::PreSharedKey),
            2 => Some(Self::RawPublicKey),
            3 => Some(Self::Certificate),
            _ => None,
        }
    }
}

impl From<CertificateType> for Authentication {
    fn from(kind: CertificateType) -> Self {
        match kind {
            CertificateType::X509 => Self::Certificate,
            CertificateType::RawPublicKey => Self::RawPublicKey,
        }
    }
}
