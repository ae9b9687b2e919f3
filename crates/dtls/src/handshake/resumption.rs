//! What is kept of a session so that a later handshake can take it up again.

use core::fmt;

use sedge_crypto::Secret;
use sedge_time::{Duration, Instant};

use crate::handshake::Authentication;
use crate::session::ImportError;
use crate::suite::CipherSuite;
use crate::wire::{Reader, Writer};

/// What is kept of a session so that a later handshake can take it up again: by a client, or in a server's cache.
///
/// It holds the session's secret: whoever reads it can impersonate both sides.
#[derive(Clone, PartialEq, Eq)]
pub struct Resumption {
    pub(crate) saved: SavedSession,
    /// How the peer knows it.
    pub(crate) handle: Handle,
    /// When it was received (RFC 8446 section 4.2.11.1).
    pub(crate) received: Instant,
    /// What hides its age on the wire; of DTLS 1.3 only.
    pub(crate) age_add: u32,
}

/// What of a session outlives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SavedSession {
    /// The suite that was negotiated, and has to be again.
    pub(crate) suite: CipherSuite,
    /// The master secret of DTLS 1.2, or the resumption pre-shared key of DTLS 1.3 in its first 32 bytes.
    pub(crate) secret: Secret<48>,
    /// Who the peer is, in the caller's own numbers.
    pub(crate) principal: u32,
    /// When it is good no more.
    pub(crate) expires: Instant,
    /// Whether the session had the extended master secret (RFC 7627).
    pub(crate) extended_master_secret: bool,
    /// How the peer proved who it is.
    pub(crate) authentication: Authentication,
}

/// How the peer knows a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) kind: HandleKind,
    len: u16,
    bytes: [u8; Resumption::MAX_TICKET],
}

/// What a [`Handle`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandleKind {
    /// RFC 5246 section 7.4.1.2.
    SessionId = 0,
    /// RFC 5077.
    Ticket = 1,
}

impl SavedSession {
    /// The resumption pre-shared key of DTLS 1.3.
    pub(crate) fn psk(&self) -> &[u8] {
        self.secret.expose().first_chunk::<32>().map_or(&[], |psk| psk)
    }
}

impl Resumption {
    /// The longest ticket that is kept, in bytes: what GnuTLS seals, with a server's certificate in it, has 358. A
    /// session whose ticket is longer is not resumed.
    pub const MAX_TICKET: usize = 512;

    /// The suite of the session.
    pub const fn suite(&self) -> CipherSuite {
        self.saved.suite
    }

    /// When it is good no more.
    pub const fn expires(&self) -> Instant {
        self.saved.expires
    }

    /// The caller's own number for the peer.
    pub const fn principal(&self) -> u32 {
        self.saved.principal
    }

    /// How the peer proved who it is.
    pub const fn authentication(&self) -> Authentication {
        self.saved.authentication
    }

    /// The session identifier that a server's cache finds it by; empty if it is known by a ticket.
    pub fn session_id(&self) -> &[u8] {
        match self.handle.kind {
            HandleKind::SessionId => self.handle.as_bytes(),
            HandleKind::Ticket => &[],
        }
    }

    /// The ticket that a client shows; empty if it is known by a session identifier.
    pub(crate) fn ticket(&self) -> &[u8] {
        match self.handle.kind {
            HandleKind::Ticket => self.handle.as_bytes(),
            HandleKind::SessionId => &[],
        }
    }
}

/// The layout's version, its first byte.
const LAYOUT: u8 = 1;

impl Resumption {
    /// Length of what [`export`](Self::export) writes, in bytes.
    pub const EXPORTED_LEN: usize = 1 + 2 + 1 + 1 + 4 + 48 + 8 + 8 + 4 + 1 + 2 + Self::MAX_TICKET;

    /// All of it as bytes, secret included, to outlive a restart or a deep sleep: with the time that is left of it in
    /// place of when it ends, for clocks start anew.
    pub fn export(&self, now: Instant) -> Secret<{ Self::EXPORTED_LEN }> {
        let SavedSession { suite, secret, principal, expires, extended_master_secret, authentication } =
            &self.saved;
        let mut bytes = Secret::zero();
        let mut out = Writer::new(bytes.expose_mut());
        out.u8(LAYOUT);
        out.u16(suite.0);
        out.u8((*extended_master_secret).into());
        out.u8(*authentication as u8);
        out.bytes(&principal.to_be_bytes());
        out.bytes(secret.expose());
        out.bytes(&expires.saturating_since(now).as_micros().to_be_bytes());
        out.bytes(&now.saturating_since(self.received).as_micros().to_be_bytes());
        out.bytes(&self.age_add.to_be_bytes());
        out.u8(self.handle.kind as u8);
        out.u16(self.handle.len);
        out.bytes(&self.handle.bytes);
        bytes
    }

    /// What [`export`](Self::export) made `bytes` of; whoever knows how long that was ago passes a `now` that is so
    /// much later.
    pub fn import(now: Instant, bytes: &[u8]) -> Result<Self, ImportError> {
        Self::parse(now, bytes).ok_or(ImportError::Malformed)
    }

    fn parse(now: Instant, bytes: &[u8]) -> Option<Self> {
        let mut bytes = Reader::new(bytes);
        if bytes.u8()? != LAYOUT {
            return None;
        }
        let suite = CipherSuite(bytes.u16()?);
        let extended_master_secret = bytes.u8()? == 1;
        let authentication = Authentication::from_u8(bytes.u8()?)?;
        let principal = u32::from_be_bytes(bytes.array()?);
        let secret = Secret::new(bytes.array()?);
        let [left, age] = [bytes.array()?, bytes.array()?].map(u64::from_be_bytes).map(Duration::from_micros);
        let age_add = u32::from_be_bytes(bytes.array()?);
        let kind = match bytes.u8()? {
            0 => HandleKind::SessionId,
            1 => HandleKind::Ticket,
            _ => return None,
        };
        let len = usize::from(bytes.u16()?);
        let handle = Handle::new(kind, bytes.take(Self::MAX_TICKET)?.get(..len)?)?;
        let expires = now + left;
        let saved =
            SavedSession { suite, secret, principal, expires, extended_master_secret, authentication };
        bytes.is_empty().then_some(Self { saved, handle, received: now - age, age_add })
    }
}

impl Handle {
    pub(crate) fn new(kind: HandleKind, handle: &[u8]) -> Option<Self> {
        let mut bytes = [0; Resumption::MAX_TICKET];
        bytes.get_mut(..handle.len())?.copy_from_slice(handle);
        Some(Self { kind, len: u16::try_from(handle.len()).ok()?, bytes })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resumption").field("saved", &self.saved).finish_non_exhaustive()
    }
}

/// A session identifier (RFC 5246 section 7.4.1.2): up to 32 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionId {
    bytes: [u8; 32],
    len: u8,
}

impl SessionId {
    pub(crate) const EMPTY: Self = Self { bytes: [0; 32], len: 0 };

    pub(crate) fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { bytes, len: u8::try_from(id.len()).ok()? })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exported_is_imported_with_the_time_that_is_left() {
        let at = |secs| Instant::EPOCH + Duration::from_secs(secs);
        let resumption = Resumption {
            saved: SavedSession {
                suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
                secret: Secret::new([7; 48]),
                principal: 41,
                expires: at(1_000),
                extended_master_secret: true,
                authentication: Authentication::RawPublicKey,
            },
            handle: Handle::new(HandleKind::Ticket, b"a ticket").unwrap(),
            received: at(100),
            age_add: 99,
        };
        let bytes = resumption.export(at(400));
        // The clock has started anew, and shows 500 s.
        let back = Resumption::import(at(500), bytes.expose()).unwrap();
        assert_eq!((back.expires(), back.received), (at(1_100), at(200)));
        let same_clock = Resumption::import(at(400), bytes.expose()).unwrap();
        assert_eq!(same_clock, resumption);
        for len in 0..Resumption::EXPORTED_LEN {
            assert_eq!(Resumption::import(at(0), &bytes.expose()[..len]), Err(ImportError::Malformed));
        }
    }
}
