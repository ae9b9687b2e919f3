//! What an endpoint asks of its surroundings while it works.

use sedge_crypto::Crypto;
use sedge_dtls::Credentials;

use crate::memory::{CryptoOf, Memory};
use crate::session::SessionId;

/// The endpoint's surroundings, lent to every call that may send something.
pub trait Host<C: Crypto> {
    /// A network path to a peer.
    type Path;

    /// Sends one datagram: `fill` writes it into the buffer it is given and returns its length; zero means
    /// that nothing is to be sent.
    ///
    /// The buffer should have room for the largest UDP payload that the path takes without fragmentation. A
    /// host without room for another datagram returns `false` without calling `fill`; the datagram then
    /// counts as lost on the way, and what must arrive is sent again in its time.
    fn transmit(&mut self, path: &Self::Path, fill: impl FnOnce(&mut [u8]) -> usize) -> bool;

    /// Who this side is in a handshake, and whom it believes. The number that it gives for the peer comes back in
    /// [`Event::Connected`](crate::Event::Connected) and with every request.
    ///
    /// Whoever neither dials nor accepts need not implement this.
    fn credentials(&mut self, session: SessionId) -> impl Credentials<C> {
        let _ = session;
        NoCredentials
    }

    /// Whether this host wants the secrets of its sessions, to look at captures of its own traffic.
    const DANGEROUS_KEY_LOG: bool = false;

    /// Learns a secret of a session, as [`KeyLog::secret`](sedge_dtls::KeyLog::secret) does; called only if
    /// [`DANGEROUS_KEY_LOG`](Self::DANGEROUS_KEY_LOG). Whoever learns it can read and forge the session.
    fn dangerous_log_keys(&mut self, label: &'static str, client_random: &[u8; 32], secret: &[u8]) {
        let _ = (label, client_random, secret);
    }
}

/// A [`Host`] for the endpoints with this memory.
pub trait HostOf<M: Memory>: Host<CryptoOf<M>, Path = M::Path> {}

impl<M: Memory, H: Host<CryptoOf<M>, Path = M::Path>> HostOf<M> for H {}

/// Nobody, who believes nobody.
struct NoCredentials;

impl<C: Crypto> Credentials<C> for NoCredentials {}
