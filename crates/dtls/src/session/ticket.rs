//! Tickets of DTLS 1.3 as a client receives them (RFC 8446 section 4.6.1).

use core::fmt;

use sedge_crypto::Secret;
use sedge_time::{Duration, Instant};

use crate::handshake::Authentication;
use crate::handshake::resumption::{Handle, HandleKind, Resumption, SavedSession};
use crate::suite::CipherSuite;

/// A ticket that a server sent: the session can be resumed with it.
#[derive(Clone)]
pub struct Ticket<'d> {
    pub(crate) suite: CipherSuite,
    pub(crate) lifetime_secs: u32,
    pub(crate) age_add: u32,
    pub(crate) ticket: &'d [u8],
    pub(crate) psk: Secret<32>,
}

impl Ticket<'_> {
    /// What has to be kept so that a later handshake can take the session up again
    /// ([`Credentials::remember`](crate::Credentials::remember)); `None` if the ticket is longer than
    /// [`Resumption::MAX_TICKET`]. Who the server is, the handshake said
    /// ([`Established`](crate::Established)).
    pub fn resumption(
        &self,
        now: Instant,
        principal: u32,
        authentication: Authentication,
    ) -> Option<Resumption> {
        let mut secret = Secret::zero();
        secret.expose_mut().first_chunk_mut::<32>()?.copy_from_slice(self.psk.expose());
        let lifetime = Duration::from_secs(self.lifetime_secs.into());
        Some(Resumption {
            saved: SavedSession {
                suite: self.suite,
                secret,
                principal,
                expires: now + lifetime,
                extended_master_secret: true,
                authentication,
            },
            handle: Handle::new(HandleKind::Ticket, self.ticket)?,
            received: now,
            age_add: self.age_add,
        })
    }

    /// For how many seconds the server takes it, from now on.
    pub const fn lifetime_secs(&self) -> u32 {
        self.lifetime_secs
    }
}

impl fmt::Debug for Ticket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { suite, lifetime_secs, .. } = self;
        f.debug_struct("Ticket")
            .field("suite", suite)
            .field("lifetime_secs", lifetime_secs)
            .finish_non_exhaustive()
    }
}
