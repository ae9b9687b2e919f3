//! What is kept of a session so that a later handshake can take it up again.

use core::fmt;

use sedge_crypto::Secret;
use sedge_time::Instant;

use crate::suite::CipherSuite;

/// What is kept of a session so that a later handshake can take it up again: by a client, or in a server's cache.
///
/// It holds the session's secret: whoever reads it can impersonate both sides.
#[derive(Clone, PartialEq, Eq)]
pub struct Resumption {
    pub(crate) saved: SavedSession,
    /// How the peer knows it.
    pub(crate) handle: Handle,
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
    SessionId,
    /// RFC 5077.
    Ticket,
}

impl Resumption {
    /// The longest ticket that is kept, in bytes. A session whose ticket is longer is not resumed.
    pub const MAX_TICKET: usize = 256;

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
    pub(crate) fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { bytes, len: u8::try_from(id.len()).ok()? })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}
