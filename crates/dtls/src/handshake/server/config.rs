//! What a server offers, and how it says no.

use crate::alert::{Alert, AlertDescription};
use crate::handshake::{Transport, flight};
use crate::record::ContentType;
use crate::suite::CipherSuite;

/// What a server offers.
#[derive(Clone, Copy, Debug)]
pub struct ServerConfig<'a> {
    /// The suites it accepts, the preferred first.
    pub suites: &'a [CipherSuite],
    /// The path and the peer.
    pub transport: Transport,
}

impl Default for ServerConfig<'_> {
    /// Every suite, and [`Transport::default`].
    fn default() -> Self {
        Self { suites: CipherSuite::ALL, transport: Transport::default() }
    }
}

/// A ClientHello that was well formed and unacceptable. Nothing is kept for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) description: AlertDescription,
    pub(super) sequence: u64,
}

impl Refusal {
    /// Why.
    pub const fn description(&self) -> AlertDescription {
        self.description
    }

    /// Writes the fatal alert that tells the client, and returns the datagram's length; `None` if `buf` is
    /// shorter than 15 bytes.
    pub fn write(&self, buf: &mut [u8]) -> Option<usize> {
        let alert = Alert::fatal(self.description).to_bytes();
        flight::write_plaintext(&mut self.sequence.clone(), ContentType::ALERT, &alert, buf)
    }
}
