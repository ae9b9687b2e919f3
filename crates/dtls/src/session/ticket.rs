//! Tickets of DTLS 1.3 as a client receives them (RFC 8446 section 4.6.1).

use core::fmt;

use sedge_crypto::Secret;

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
