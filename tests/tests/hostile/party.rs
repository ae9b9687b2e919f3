//! A device with everything in its hands: what it offers, whom it believes, and every datagram.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use sedge_crypto::{Crypto as _, CryptoRng, NamedGroup, PublicKey, RustCrypto, Secret, Signature};
use sedge_dtls::{
    AlertDescription, Authentication, CertificateType, CipherSuite, ClientConfig, ClientHandshake,
    ConnectionId, Content, Context, Credentials, Established, Failure, PeerCertificate, Present, Profile,
    Progress, Psk, Records, Resumption, Retransmission, Transport, Verified, Versions,
};
use sedge_tests::device::Device;
use sedge_tests::dtls::{Connection, receive, socket_towards};
use sedge_x509::authority::PrivateKey;
use sedge_x509::{Certificate, Expected, PeerName, PinnedIssuer};

use crate::site::{BROKER, rng, unix_now};

/// Who connects, and how.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) psk: Option<(Vec<u8>, Psk)>,
    shown: Vec<(CertificateType, Vec<u8>)>,
    key: Option<Secret<32>>,
    pub(crate) believes: Vec<CertificateType>,
    broker_key: PublicKey,
    issuer: PublicKey,
    pub(crate) versions: Versions,
    pub(crate) suites: Vec<CipherSuite>,
    pub(crate) groups: Vec<NamedGroup>,
    pub(crate) cid: Option<ConnectionId>,
    pub(crate) transport: Transport,
    pub(crate) wants_tickets: bool,
    pub(crate) resumption: Option<Resumption>,
}

/// What a handshake came to.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) connection: Connection,
    pub(crate) authentication: Authentication,
    pub(crate) resumed: bool,
}

impl Connected {
    pub(crate) fn device(self) -> Device {
        Device::over(self.connection)
    }
}

/// The time of all handshakes here.
pub(crate) fn now() -> sedge_time::Instant {
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    sedge_time::Instant::EPOCH + EPOCH.get_or_init(Instant::now).elapsed().into()
}

/// Sends again soon, and gives up after so many times.
pub(crate) const fn patience(attempts: u8) -> Retransmission {
    Retransmission {
        initial: sedge_time::Duration::from_millis(150),
        maximum: sedge_time::Duration::from_millis(2_400),
        attempts,
    }
}

/// Everything, with room for flights that no server has memory for.
struct Lavish;

impl Profile for Lavish {
    type Crypto = RustCrypto;
    type Flight = [u8; 8192];
    type ServerFlight = [u8; 0];
    const SERVER: bool = false;
    type Server = sedge_dtls::Absent;
    type Inbox = [u8; 4096];
    const DTLS_1_2: bool = true;
    const DTLS_1_3: bool = true;
    type Dtls13 = Present;
    const PSK: bool = true;
    const ECDHE: bool = true;
    type Ephemeral = Present;
    const CERTIFICATES: bool = true;
    const RESUMPTION: bool = true;
}

impl Party {
    /// Nobody yet, who knows the broker's key and who certifies it.
    pub(crate) fn new(broker_key: PublicKey, issuer: PublicKey) -> Self {
        Self {
            psk: None,
            shown: Vec::new(),
            key: None,
            believes: Vec::new(),
            broker_key,
            issuer,
            versions: Versions::ALL,
            suites: CipherSuite::ALL.to_vec(),
            groups: vec![NamedGroup::Secp256r1, NamedGroup::X25519],
            cid: Some(ConnectionId::EMPTY),
            transport: Transport { retransmission: patience(8), ..Transport::default() },
            wants_tickets: false,
            resumption: None,
        }
    }

    /// Shows these entries, for the first of which it has this key.
    pub(crate) fn shows(&mut self, kind: CertificateType, entries: Vec<Vec<u8>>, key: &PrivateKey) {
        self.shown = entries.into_iter().map(|entry| (kind, entry)).collect();
        self.key = Some(key.scalar().clone());
    }

    /// Without the key that it needs, of whatever kind.
    pub(crate) fn lose_key(&mut self) {
        if let Some((_, psk)) = &mut self.psk {
            *psk = crate::site::unknown_psk();
        }
        if self.key.is_some() {
            self.key = Some(crate::site::new_key().scalar().clone());
        }
    }

    /// With patience for so many retransmissions only.
    pub(crate) fn patient(mut self, attempts: u8) -> Self {
        self.transport.retransmission = patience(attempts);
        self
    }

    /// Connects.
    pub(crate) fn connect(&mut self, remote: SocketAddr) -> Result<Connected, Failure> {
        self.connect_from(socket_towards(remote), remote, |_, datagram| vec![datagram])
    }

    /// Connects, which has to succeed.
    pub(crate) fn device(&mut self, remote: SocketAddr) -> Device {
        self.connect(remote).unwrap_or_else(|failure| panic!("{failure}")).device()
    }

    /// Connects from this socket; `network` sees each datagram that would be sent, with its number, and says which
    /// are.
    pub(crate) fn connect_from(
        &mut self,
        socket: UdpSocket,
        remote: SocketAddr,
        mut network: impl FnMut(usize, Vec<u8>) -> Vec<Vec<u8>>,
    ) -> Result<Connected, Failure> {
        let (suites, groups) = (self.suites.clone(), self.groups.clone());
        let config = ClientConfig {
            versions: self.versions,
            suites: &suites,
            groups: &groups,
            own_cid: self.cid,
            transport: self.transport,
        };
        let own_cid_len = self.cid.map_or(0, |cid| cid.len());
        let (crypto, mut rng) = (RustCrypto, rng());
        let mut context = Context::new(&crypto, &mut rng, now());
        let mut handshake = ClientHandshake::<Lavish>::connect(&mut context, self, &config).expect("usable");
        let (mut count, mut buffer) = (0, vec![0; 2_048]);
        let mut flush = |handshake: &mut ClientHandshake<Lavish>| {
            while let Some(length) = handshake.poll_transmit(&crypto, &mut buffer) {
                for datagram in network(count, buffer[..length].to_vec()) {
                    let _ = socket.send_to(&datagram, remote);
                }
                count += 1;
            }
        };
        loop {
            flush(&mut handshake);
            let deadline = handshake.deadline().expect("a handshake waits for something");
            let incoming = receive(&socket, deadline.saturating_since(now()).into());
            context.now = now();
            let Some((mut datagram, _)) = incoming.filter(|(_, from)| *from == remote) else {
                let expired = handshake.expire(&mut context, self);
                flush(&mut handshake);
                expired?;
                continue;
            };
            let mut connected: Option<Connected> = None;
            for record in Records::new(&mut datagram, own_cid_len) {
                if let Some(connected) = &mut connected {
                    // What stands behind the end of the handshake is the session's: a ticket, perhaps.
                    self.take(connected, record);
                    continue;
                }
                match handshake.receive(&mut context, self, record) {
                    Ok(Progress::Continue) | Err(_) => {}
                    Ok(Progress::Complete) => {
                        flush(&mut handshake);
                        let Established { session, authentication, resumed, .. } =
                            handshake.take_session().expect("it is complete");
                        let connection = Connection {
                            socket: socket.try_clone().expect("the same socket"),
                            remote,
                            session,
                            log: Vec::new(),
                            handshake_len: 0,
                            renegotiations: 0,
                            discards: Vec::new(),
                        };
                        connected = Some(Connected { connection, authentication, resumed });
                    }
                    Ok(Progress::Failed(failure)) => {
                        flush(&mut handshake);
                        return Err(failure);
                    }
                }
            }
            if let Some(mut connected) = connected {
                settle(&mut connected.connection);
                return Ok(connected);
            }
        }
    }

    /// Takes in a record of the session, for the sake of a ticket in it.
    fn take(&mut self, connected: &mut Connected, record: &mut [u8]) {
        if let Ok(opened) = connected.connection.session.open(&RustCrypto, record)
            && let Content::Ticket(ticket) = opened.content
        {
            self.resumption = ticket.resumption(now(), 0, connected.authentication);
        }
    }

    /// Connects and waits for a session that can be resumed.
    pub(crate) fn with_ticket(&mut self, remote: SocketAddr) -> Resumption {
        self.wants_tickets = true;
        self.resumption = None;
        let mut connected = self.connect(remote).unwrap_or_else(|failure| panic!("{failure}"));
        while self.resumption.is_none() {
            // In DTLS 1.3 it comes after the handshake.
            let (mut datagram, _) =
                receive(&connected.connection.socket, Duration::from_secs(5)).expect("a ticket");
            for record in Records::new(&mut datagram, self.cid.map_or(0, |cid| cid.len())) {
                self.take(&mut connected, record);
            }
        }
        settle(&mut connected.connection);
        connected.connection.close();
        self.resumption.clone().expect("a session to resume")
    }
}

/// Sends what a session has to say by itself.
pub(crate) fn settle(connection: &mut Connection) {
    let mut buffer = [0; 512];
    while let Some(length) = connection.session.poll_transmit(&RustCrypto, &mut buffer) {
        connection.send_datagram(&buffer[..length]);
    }
}

impl Credentials<RustCrypto> for Party {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        self.psk.as_ref().map(|(identity, psk)| (identity.as_slice(), psk))
    }

    fn server_name(&self) -> Option<&str> {
        self.believes.contains(&CertificateType::X509).then_some(BROKER)
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        self.shown.iter().filter(|(shown, _)| *shown == kind).nth(index).map(|(_, entry)| entry.as_slice())
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &RustCrypto,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        let key = crypto.signing_key(self.key.as_ref()?).ok()?;
        crypto.sign(&key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        &self.believes
    }

    fn verify(
        &mut self,
        crypto: &RustCrypto,
        shown: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        let first = shown.entries().next().unwrap_or_default();
        match shown.kind {
            CertificateType::RawPublicKey => {
                let known = sedge_crypto::subject_public_key_info(&self.broker_key);
                let believed = Verified { public_key: self.broker_key, principal: 0 };
                (first == known).then_some(believed).ok_or(AlertDescription::CERTIFICATE_UNKNOWN)
            }
            CertificateType::X509 => {
                let expected = Expected::server(PeerName::of_host(BROKER));
                let verified =
                    PinnedIssuer::new(self.issuer).verify(crypto, first, &expected, Some(unix_now()));
                let certificate: Certificate<'_> =
                    verified.map_err(|error| AlertDescription(error.alert()))?;
                Ok(Verified { public_key: *certificate.public_key(), principal: 0 })
            }
        }
    }

    fn wants_tickets(&self) -> bool {
        self.wants_tickets
    }

    fn remember(&mut self, resumption: &Resumption) {
        self.resumption = Some(resumption.clone());
    }

    fn recall(&mut self, _: &[u8]) -> Option<Resumption> {
        self.resumption.clone()
    }
}
