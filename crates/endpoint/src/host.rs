//! What an endpoint asks of its surroundings while it works.

use sedge_dtls::Psk;

/// The endpoint's surroundings, lent to every call that may send something.
pub trait Host {
    /// A network path to a peer.
    type Path;

    /// Sends one datagram: `fill` writes it into the buffer it is given and returns its length; zero means
    /// that nothing is to be sent.
    ///
    /// The buffer should have room for the largest UDP payload that the path takes without fragmentation. A
    /// host without room for another datagram returns `false` without calling `fill`; the datagram then
    /// counts as lost on the way, and what must arrive is sent again in its time.
    fn transmit(&mut self, path: &Self::Path, fill: impl FnOnce(&mut [u8]) -> usize) -> bool;

    /// The key that belongs to a PSK identity, and the number of its owner in the caller's numbering, which
    /// comes back in [`Event::Connected`](crate::Event::Connected) and with every request.
    ///
    /// Whoever accepts no handshakes need not implement this.
    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        let _ = identity;
        None
    }

    /// Whether this host wants the secrets of its sessions, to look at captures of its own traffic.
    const DANGEROUS_KEY_LOG: bool = false;

    /// Learns the master secret of a session; called only if [`DANGEROUS_KEY_LOG`](Self::DANGEROUS_KEY_LOG).
    /// Whoever learns it can read and forge the session.
    fn dangerous_log_keys(&mut self, client_random: &[u8; 32], master_secret: &[u8; 48]) {
        let _ = (client_random, master_secret);
    }
}
