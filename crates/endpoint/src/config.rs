//! What an endpoint is told once.

use sedge_coap::TransmissionParameters;
use sedge_dtls::Transport;
use sedge_time::Duration;

use crate::session::CidLayout;

/// The settings of an endpoint.
#[derive(Clone, Debug)]
pub struct Config {
    /// CoAP's timing (RFC 7252 section 4.8), NSTART included.
    pub transmission: TransmissionParameters,
    /// The Connection IDs we give to peers for what they send us (RFC 9146).
    pub cid: CidLayout,
    /// Whether handshakes of peers are answered; a device leaves this off.
    pub accept: bool,
    /// How handshakes treat path and peer: datagram size, patience, what to insist on.
    pub dtls: Transport,
    /// How many peers may speak plain CoAP at once. Their addresses prove nothing, so whoever makes them up must
    /// not fill the table for those who have keys.
    pub plain_peers: u32,
    /// How long a session may be silent before it is forgotten; zero means for ever.
    pub idle_timeout: Duration,
    /// When the pool of handshakes is full, the oldest one gives way if it is older than this.
    pub handshake_grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            transmission: TransmissionParameters::default(),
            cid: CidLayout::NONE,
            accept: false,
            dtls: Transport::default(),
            plain_peers: 1024,
            idle_timeout: Duration::ZERO,
            handshake_grace: Duration::from_secs(5),
        }
    }
}
