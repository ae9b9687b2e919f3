//! What an endpoint is told once.

use sedge_coap::TransmissionParameters;
use sedge_crypto::NamedGroup;
use sedge_dtls::{CipherSuite, ClientCertificate, ServerConfig, Transport, Versions};
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
    /// How handshakes treat path and peer: datagram size, patience, what to insist on. Whether they agree on return
    /// routability checks, [`path_validation`](Self::path_validation) says.
    pub dtls: Transport,
    /// The versions of DTLS that a peer's handshake may speak, of those that the
    /// [`Profile`](sedge_dtls::Profile) has. For dialling out, [`Connect`](crate::Connect) says so.
    pub versions: Versions,
    /// The cipher suites that a peer's handshake may choose from, the preferred first.
    pub suites: &'static [CipherSuite],
    /// The groups for key agreement that a peer's handshake may choose from, the preferred first.
    pub groups: &'static [NamedGroup],
    /// Whether a peer that dials in without a pre-shared key must show a certificate.
    pub client_certificate: ClientCertificate,
    /// What has to be shown before a session moves to another path.
    pub path_validation: PathValidation,
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
        let server = ServerConfig::default();
        Self {
            transmission: TransmissionParameters::default(),
            cid: CidLayout::NONE,
            accept: false,
            dtls: server.transport,
            versions: server.versions,
            suites: CipherSuite::ALL,
            groups: &[NamedGroup::Secp256r1, NamedGroup::X25519],
            client_certificate: server.client_certificate,
            path_validation: PathValidation::default(),
            plain_peers: 1024,
            idle_timeout: Duration::ZERO,
            handshake_grace: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// What a peer's handshake is told.
    pub(crate) fn server(&self) -> ServerConfig<'_> {
        ServerConfig {
            versions: self.versions,
            suites: self.suites,
            groups: self.groups,
            client_certificate: self.client_certificate,
            transport: self.transport(),
        }
    }

    /// What every handshake is told of path and peer.
    pub(crate) fn transport(&self) -> Transport {
        Transport { return_routability: self.path_validation.offer, ..self.dtls }
    }
}

/// What has to be shown before a session moves to another path
/// ([RFC 9853 section 5](https://www.rfc-editor.org/rfc/rfc9853#section-5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathValidation {
    /// Whether return routability checks are offered and answered. Without them, a session moves at once as RFC 9146
    /// section 6 has it, and only the amount that is sent to the new path is limited.
    pub offer: bool,
    /// Which path is asked first.
    pub procedure: Procedure,
    /// How long an answer is waited for while the round-trip time to a peer is not known. It is three round-trip times
    /// once it is.
    pub timeout: Duration,
}

impl Default for PathValidation {
    /// [`Procedure::Automatic`], and 1 s as RFC 9853 section 5.5 has it.
    fn default() -> Self {
        Self { offer: true, procedure: Procedure::Automatic, timeout: Duration::from_secs(1) }
    }
}

/// Which path is asked first when a session seems to have moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Procedure {
    /// The new one ([RFC 9853 section 5.1](https://www.rfc-editor.org/rfc/rfc9853#section-5.1)): it is enough that
    /// the peer receives there. A new binding of a NAT costs one round trip.
    Basic,
    /// The old one ([RFC 9853 section 5.2](https://www.rfc-editor.org/rfc/rfc9853#section-5.2)), and the new one only
    /// after the old one was silent or the peer said that it has left it. Somebody who forwards copies of records
    /// faster than the network does cannot put himself between the two. A new binding of a NAT costs the time-out in
    /// addition.
    Enhanced,
    /// [`Enhanced`](Self::Enhanced) if the peer was heard over the old path within the last
    /// [`RECENT`](Self::RECENT), when a NAT has no reason to make a new binding; otherwise [`Basic`](Self::Basic).
    Automatic,
}

impl Procedure {
    /// How long ago a peer must have been heard for [`Procedure::Automatic`] to believe that its path still works.
    /// NATs keep a binding for at least 30 s in practice, and for 2 minutes as RFC 4787 asks them to.
    pub const RECENT: Duration = Duration::from_secs(10);
}
