//! What a client is told once.

use sedge_coap::TransmissionParameters;
use sedge_coap::block::BlockSize;
use sedge_crypto::NamedGroup;
use sedge_dtls::{CipherSuite, ClientConfig, ConnectionId, Transport, Versions};
use sedge_time::Duration;

/// The settings of a client. The defaults suit a device behind a slow, lossy link.
#[derive(Clone, Debug)]
pub struct Config {
    /// Waiting between attempts to connect.
    pub backoff: Backoff,
    /// How long a request waits for a connection before it fails.
    pub patience: Duration,
    /// Whether a request fails when the network refuses a datagram. A device that moves between networks leaves
    /// this off: what is lost is sent again.
    pub fail_on_network_error: bool,
    /// How often the broker is asked for a subscribed topic that nobody has published to yet.
    pub topic_poll: Duration,
    /// By how much what is not urgent (renewing an observation, asking again for a topic) may be late, so that it is done
    /// when the radio is on anyway. Zero where power is plenty.
    pub slack: Duration,
    /// How many records may be sent before the session is [saved](crate::Polled::save) again; zero if it never is. The more,
    /// the less the storage wears. Less than [`LEAST_RESERVE`](Self::LEAST_RESERVE) counts as that; with the asynchronous
    /// client, whose calls begin anew after a save, it has to be more than the longest transfer has blocks. Of a session that
    /// was saved with less and is taken up again, less counts.
    pub reserve: u32,
    /// The largest block of a body that does not fit one datagram. It is lowered to what the datagram holds.
    pub block_size: BlockSize,
    /// CoAP's and DTLS's own settings.
    pub endpoint: Endpoint,
}

/// What a client is told of the protocols underneath.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// CoAP's timing ([RFC 7252 section 4.8](https://www.rfc-editor.org/rfc/rfc7252#section-4.8)), NSTART included.
    pub transmission: TransmissionParameters,
    /// How handshakes treat path and server: size of datagrams, patience, what to insist on.
    pub dtls: Transport,
    /// The versions of DTLS that are offered, of those that the [`Profile`](sedge_dtls::Profile) has.
    pub versions: Versions,
    /// The cipher suites that are offered, the preferred first.
    pub suites: &'static [CipherSuite],
    /// The groups for key agreement that are offered, the preferred first.
    pub groups: &'static [NamedGroup],
}

impl Default for Endpoint {
    /// Everything, and return routability checks are answered.
    fn default() -> Self {
        Self {
            transmission: TransmissionParameters::DEFAULT,
            dtls: Transport { return_routability: true, ..Transport::default() },
            versions: Versions::ALL,
            suites: CipherSuite::ALL,
            groups: &[NamedGroup::Secp256r1, NamedGroup::X25519],
        }
    }
}

impl From<&sedge_endpoint::Config> for Endpoint {
    /// What of an endpoint's settings matters to a client.
    fn from(config: &sedge_endpoint::Config) -> Self {
        Self {
            transmission: config.transmission,
            dtls: Transport { return_routability: config.path_validation.offer, ..config.dtls },
            versions: config.versions,
            suites: config.suites,
            groups: config.groups,
        }
    }
}

impl Endpoint {
    /// What a handshake is told. An empty Connection ID asks the server for one, and gives none to put into its records.
    pub(crate) const fn handshake(&self) -> ClientConfig<'_> {
        ClientConfig {
            versions: self.versions,
            suites: self.suites,
            groups: self.groups,
            own_cid: Some(ConnectionId::EMPTY),
            transport: self.dtls,
        }
    }
}

impl Config {
    /// The smallest [`reserve`](Self::reserve): as many records as a request takes with all its repetitions, and some.
    pub const LEAST_RESERVE: u32 = 16;
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            patience: Duration::from_secs(60),
            fail_on_network_error: false,
            topic_poll: Duration::from_secs(10),
            slack: Duration::ZERO,
            reserve: 0,
            block_size: BlockSize::MAX,
            endpoint: Endpoint::default(),
        }
    }
}

/// Waiting times that double from `first` to `most`, each shortened by a random part of up to a half, so that
/// a fleet that lost its broker at one moment does not come back at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(2), most: Duration::from_secs(300) }
    }
}

impl Backoff {
    /// The wait after `failures` failures in a row (at least one), given 32 random bits.
    pub fn wait(&self, failures: u32, random: u32) -> Duration {
        let mut full = self.first.min(self.most);
        // Step by step: a multiplication that saturates at 64 bits is long on a Cortex-M.
        for _ in 1..failures.min(33) {
            full = (full + full).min(self.most);
        }
        let half = full.part(1 << 31);
        // One more than half, so that the whole can come.
        half + (half + Duration::from_micros(1)).part(random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_spread_and_end() {
        let backoff = Backoff { first: Duration::from_secs(2), most: Duration::from_secs(60) };
        assert_eq!(backoff.wait(1, 0), Duration::from_secs(1));
        assert_eq!(backoff.wait(1, u32::MAX), Duration::from_secs(2));
        assert_eq!(backoff.wait(2, u32::MAX), Duration::from_secs(4));
        assert_eq!(backoff.wait(3, u32::MAX / 2).as_millis(), 6_000);
        assert_eq!(backoff.wait(6, u32::MAX), Duration::from_secs(60));
        assert_eq!(backoff.wait(u32::MAX, 0), Duration::from_secs(30));
    }
}
