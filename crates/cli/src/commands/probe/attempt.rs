//! One handshake with the server, and everything that can be seen of it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rand_core::UnwrapErr;
use sedge_client::tokio::{Socket, TokioClock};
use sedge_client::{Clock as _, Datagram as _, PublicKey, Secret, Versions};
use sedge_crypto::{
    Crypto as _, CryptoRng, KeyError, NamedGroup, RustCrypto, Signature, public_key_from_info,
    subject_public_key_info,
};
use sedge_dtls::{
    AlertDescription, CertificateType, CipherSuite, ClientConfig, ClientHandshake, ConnectionId, Content,
    Context, Credentials, Established, Failure, Full, PeerCertificate, Progress, Psk, Records, Resumption,
    Retransmission, Transport, Verified,
};
use sedge_x509::authority::{Issuer, PrivateKey, SerialNumber, Template};
use sedge_x509::{Certificate, PeerName};

use crate::commands::ca::{now, validity};
use crate::identity::Version;
use crate::trace::dtls::inner;
use crate::trace::handshake::{Handshake, KeyExchange, ServerHello, encrypted_extensions, kind, messages};
use crate::trace::{TapCrypto, Tape, Traffic};

type Rng = UnwrapErr<getrandom::SysRng>;
type Client = ClientHandshake<Full<TapCrypto>>;

/// What one handshake offers.
#[derive(Clone)]
pub(super) struct Offer<'a> {
    pub(super) version: Version,
    /// Whether the other version is offered too.
    pub(super) with_other: bool,
    pub(super) suites: &'a [CipherSuite],
    pub(super) groups: &'a [NamedGroup],
    /// The kinds of certificate that are believed; with none, a pre-shared key is offered, which is no server's.
    pub(super) believes: &'a [CertificateType],
    /// A session to resume.
    pub(super) resume: Option<Resumption>,
    /// Who the client says it is; nothing if it shows nothing.
    pub(super) nobody: Option<&'a Nobody>,
}

/// A client whom no server knows: a server that insists on clients with public keys shows itself only to those who
/// have one of the kind that it wants.
pub(super) struct Nobody {
    key: PrivateKey,
    info: [u8; 91],
    certificate: Vec<u8>,
}

impl Nobody {
    /// A new key, with a certificate of its own making.
    pub(super) fn new() -> Result<Self, KeyError> {
        let rng = &mut UnwrapErr(getrandom::SysRng);
        let key = PrivateKey::generate(&RustCrypto, rng)?;
        let template = Template::client("sedge-probe", validity(now(), 1));
        let serial = SerialNumber::random(rng);
        let (_, certificate) = Issuer::self_signed(RustCrypto, &key, &template, &serial, rng)?;
        let info = subject_public_key_info(&key.public_key(&RustCrypto)?);
        Ok(Self { key, info, certificate })
    }
}

/// What was seen.
#[derive(Default)]
pub(super) struct Observation {
    /// Whether anything came.
    pub(super) answered: bool,
    /// Whether the server asked for a cookie before anything else.
    pub(super) cookie: bool,
    /// And it did so as DTLS 1.2 does, by a HelloVerifyRequest.
    pub(super) asks_like_1_2: bool,
    pub(super) hello: Option<ServerHello>,
    pub(super) group: Option<u16>,
    key_exchange: KeyExchange,
    /// The extensions that stand under encryption in DTLS 1.3; `None` if they were not to be seen, for a server that
    /// takes nothing but pre-shared keys shows them to those who have one.
    pub(super) encrypted_extensions: Option<Vec<u16>>,
    pub(super) asks_for_certificate: bool,
    pub(super) shown: Option<Shown>,
    /// The alert that the server sent.
    pub(super) alert: Option<AlertDescription>,
    pub(super) completed: bool,
    pub(super) resumed: bool,
    pub(super) resumption: Option<Resumption>,
    /// All of it, both ways.
    pub(super) traffic: Traffic,
    /// What had been sent and received before the server could know that the client receives.
    pub(super) unproved: Traffic,
}

/// What the server has shown of itself.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) kind: CertificateType,
    pub(super) entries: Vec<Vec<u8>>,
}

impl Observation {
    /// Whether the server has chosen something of this offer.
    pub(super) fn accepts(&self, offer: &Offer<'_>) -> bool {
        let is_1_3 = offer.version == Version::Dtls13;
        self.hello.as_ref().is_some_and(|hello| {
            hello.is_1_3 == is_1_3 && offer.suites.iter().any(|suite| suite.0 == hello.suite)
        })
    }

    /// Whether everything was to be seen that the server says about extensions.
    pub(super) fn shows_extensions(&self) -> bool {
        self.encrypted_extensions.is_some() || self.hello.as_ref().is_some_and(|hello| !hello.is_1_3)
    }

    /// Whether the server knows an extension.
    pub(super) fn has(&self, number: u16) -> bool {
        self.encrypted_extensions.as_ref().is_some_and(|seen| seen.contains(&number))
            || self.hello.as_ref().is_some_and(|hello| hello.has(number))
    }
}

/// Makes a handshake with the server at `address`, called `host`, and gives up after `limit`.
pub(super) async fn attempt(
    address: SocketAddr,
    host: &str,
    offer: &Offer<'_>,
    limit: Duration,
) -> io::Result<Observation> {
    let socket = Socket::connect(address).await?;
    let mut attempt = Attempt {
        socket,
        clock: TokioClock::new(),
        crypto: TapCrypto { tape: Tape::keeping() },
        rng: UnwrapErr(getrandom::SysRng),
        spy: Spy::new(host, offer),
        seen: Observation::default(),
        flights: 0,
    };
    let ended = tokio::time::timeout(limit, attempt.run(offer)).await;
    attempt.seen.shown = attempt.spy.shown.take();
    attempt.seen.resumption = attempt.seen.resumption.take().or(attempt.spy.kept.take());
    match ended {
        Ok(Ok(())) => Ok(attempt.seen),
        // Whatever was seen until then is what there is to see. A server that has time for one client only may go on
        // waiting for this one.
        Err(_) => {
            if attempt.seen.hello.is_some() {
                attempt.leave().await?;
            }
            Ok(attempt.seen)
        }
        Ok(Err(error)) => Err(error),
    }
}

struct Attempt<'a> {
    socket: Socket,
    clock: TokioClock,
    crypto: TapCrypto,
    rng: Rng,
    spy: Spy<'a>,
    seen: Observation,
    /// How often the client had something to say.
    flights: u32,
}

impl Attempt<'_> {
    async fn run(&mut self, offer: &Offer<'_>) -> io::Result<()> {
        let versions = match offer.version {
            _ if offer.with_other => Versions::ALL,
            Version::Dtls12 => Versions::ONLY_1_2,
            Version::Dtls13 => Versions::ONLY_1_3,
        };
        let config = ClientConfig {
            versions,
            suites: offer.suites,
            groups: offer.groups,
            own_cid: ConnectionId::new(b"sdg"),
            transport: Transport {
                record_size_limit: Some(1024),
                return_routability: true,
                retransmission: Retransmission { attempts: 3, ..Retransmission::default() },
                dangerous_allow_plain_master_secret: true,
                ..Transport::default()
            },
        };
        let now = self.clock.now();
        let mut cx = Context::new(&self.crypto, &mut self.rng, now);
        let Ok(mut client) = Client::connect(&mut cx, &mut self.spy, &config) else { return Ok(()) };
        let mut buffer = vec![0; 16 << 10];
        loop {
            self.send(&mut client).await?;
            let deadline = client.deadline();
            let mut waiting = self.clock;
            let len = tokio::select! {
                len = self.socket.receive(&mut buffer) => len?,
                () = async {
                    match deadline {
                        Some(deadline) => waiting.sleep_until(deadline).await,
                        None => std::future::pending().await,
                    }
                } => {
                    let now = self.clock.now();
                    let mut cx = Context::new(&self.crypto, &mut self.rng, now);
                    if client.expire(&mut cx, &mut self.spy).is_err() {
                        return self.send(&mut client).await;
                    }
                    continue;
                }
            };
            let datagram = buffer.get_mut(..len).unwrap_or_default();
            let enough = self.look(datagram);
            let mut established = None;
            for record in Records::new(datagram, client.own_cid().len()) {
                // What comes with the last record of the handshake is for the session.
                if let Some(established) = &mut established {
                    self.open(established, record);
                    continue;
                }
                let now = self.clock.now();
                let mut cx = Context::new(&self.crypto, &mut self.rng, now);
                let progress = client.receive(&mut cx, &mut self.spy, record);
                self.look_inside();
                match progress {
                    Ok(Progress::Complete) => {
                        self.send(&mut client).await?;
                        established = client.take_session();
                    }
                    Ok(Progress::Failed(failure)) => {
                        if let Failure::Refused(alert) = failure {
                            self.seen.alert = Some(alert);
                        }
                        return self.send(&mut client).await;
                    }
                    Ok(Progress::Continue) | Err(_) => {}
                }
            }
            if let Some(established) = established {
                return self.after(established, &mut buffer).await;
            }
            if enough {
                return self.leave().await;
            }
        }
    }

    async fn send(&mut self, client: &mut Client) -> io::Result<()> {
        let mut buffer = [0; 2048];
        let mut sent = false;
        while let Some(len) = client.poll_transmit(&self.crypto, &mut buffer) {
            sent = true;
            let datagram = buffer.get(..len).unwrap_or_default();
            self.seen.traffic.sent_datagrams += 1;
            self.seen.traffic.sent_bytes += len as u64;
            self.socket.send(datagram).await?;
        }
        self.flights += u32::from(sent);
        if self.flights == 1 {
            self.seen.unproved = self.seen.traffic;
        }
        Ok(())
    }

    /// Looks at what came in the clear; `true` if nothing more can be learned.
    fn look(&mut self, datagram: &[u8]) -> bool {
        let seen = &mut self.seen;
        seen.answered = true;
        seen.traffic.received_datagrams += 1;
        seen.traffic.received_bytes += datagram.len() as u64;
        if self.flights == 1 {
            seen.unproved.received_datagrams += 1;
            seen.unproved.received_bytes += datagram.len() as u64;
        }
        let mut enough = false;
        let mut rest = datagram;
        while let [content_type, _, _, 0, 0, _, _, _, _, _, _, high, low, after @ ..] = rest {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            let body = after.get(..len).unwrap_or_default();
            match (*content_type, body) {
                (22, body) => {
                    for message in messages(body) {
                        enough |= seen.note(&message) && !self.spy.has_certificates();
                    }
                }
                // Anybody can send it; but nobody else was asked.
                (21, [_, description]) => seen.alert = Some(AlertDescription(*description)),
                _ => {}
            }
            rest = after.get(len..).unwrap_or_default();
        }
        enough || seen.alert.is_some()
    }

    /// Looks at what came under encryption.
    fn look_inside(&mut self) {
        const HANDSHAKE: u8 = 22;
        for plaintext in self.crypto.tape.take_opened() {
            let Some((HANDSHAKE, body)) = inner(&plaintext) else { continue };
            for message in messages(body) {
                let _enough = self.seen.note(&message);
            }
        }
    }

    /// What the server sends when the handshake is over: a ticket, perhaps.
    async fn after(&mut self, mut established: Established, buffer: &mut [u8]) -> io::Result<()> {
        const PATIENCE: Duration = Duration::from_millis(250);
        self.seen.completed = true;
        self.seen.resumed = established.resumed;
        let mut answer = [0; 1024];
        while let Ok(len) = tokio::time::timeout(PATIENCE, self.socket.receive(buffer)).await {
            let datagram = buffer.get_mut(..len?).unwrap_or_default();
            self.seen.traffic.received_datagrams += 1;
            self.seen.traffic.received_bytes += datagram.len() as u64;
            for record in Records::new(datagram, established.session.own_cid().len()) {
                self.open(&mut established, record);
            }
            while let Some(len) = established.session.poll_transmit(&self.crypto, &mut answer) {
                self.seen.traffic.sent_datagrams += 1;
                self.seen.traffic.sent_bytes += len as u64;
                self.socket.send(answer.get(..len).unwrap_or_default()).await?;
            }
        }
        if let Ok(len) = established.session.close_notify(&self.crypto, &mut answer) {
            self.socket.send(answer.get(..len).unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// Looks at a record of the finished session.
    fn open(&mut self, established: &mut Established, record: &mut [u8]) {
        let Established { session, principal, authentication, .. } = established;
        let Ok(opened) = session.open(&self.crypto, record) else { return };
        match opened.content {
            Content::Ticket(ticket) => {
                let now = self.clock.now();
                self.seen.resumption = ticket.resumption(now, *principal, *authentication);
            }
            Content::Alert(alert) => {
                self.seen.alert = Some(alert.description);
                self.seen.completed &= alert.description == AlertDescription::CLOSE_NOTIFY;
            }
            _ => {}
        }
    }

    /// Tells the server that nothing more will come, so that it need not wait.
    async fn leave(&mut self) -> io::Result<()> {
        // user_canceled, fatal, in the clear, with a number that no record before it has had.
        const ALERT: [u8; 15] = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 90];
        self.socket.send(&ALERT).await
    }
}

impl Observation {
    /// Notes what a message says; `true` for the last of a server without certificates.
    fn note(&mut self, message: &Handshake<'_>) -> bool {
        if let Some(hello) = ServerHello::of(message) {
            self.cookie |= hello.is_retry;
            self.group = hello.group.or(self.group);
            if !hello.is_retry {
                self.hello = Some(hello);
            }
        }
        if let Some(numbers) = encrypted_extensions(message) {
            self.encrypted_extensions = Some(numbers);
        }
        match message.kind {
            kind::HELLO_VERIFY_REQUEST => (self.cookie, self.asks_like_1_2) = (true, true),
            kind::CERTIFICATE_REQUEST => self.asks_for_certificate = true,
            kind::SERVER_KEY_EXCHANGE => {
                self.key_exchange.take(message);
                self.group = self.key_exchange.group().or(self.group);
            }
            kind::SERVER_HELLO_DONE => return true,
            _ => {}
        }
        false
    }
}

/// Credentials that believe everything, and note it.
struct Spy<'a> {
    host: &'a str,
    nobody: Option<&'a Nobody>,
    believes: &'a [CertificateType],
    psk: Option<Psk>,
    shown: Option<Shown>,
    resume: Option<Resumption>,
    kept: Option<Resumption>,
}

impl<'a> Spy<'a> {
    fn new(host: &'a str, offer: &Offer<'a>) -> Self {
        // A key that nobody has: a server with pre-shared keys shows its choice before it needs one.
        let mut key = Secret::<16>::zero();
        let random = getrandom::fill(key.expose_mut()).ok();
        let psk = Psk::new(key.expose()).filter(|_| offer.believes.is_empty() && random.is_some());
        let resume = offer.resume.clone();
        Self { host, nobody: offer.nobody, believes: offer.believes, psk, shown: None, resume, kept: None }
    }

    const fn has_certificates(&self) -> bool {
        !self.believes.is_empty()
    }
}

impl Credentials<TapCrypto> for Spy<'_> {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        Some((b"sedge-probe", self.psk.as_ref()?))
    }

    fn server_name(&self) -> Option<&str> {
        Some(self.host).filter(|host| matches!(PeerName::of_host(host), PeerName::Dns(_)))
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        let shown: &[u8] = match kind {
            CertificateType::RawPublicKey => &self.nobody?.info,
            CertificateType::X509 => &self.nobody?.certificate,
        };
        (index == 0 && self.has_certificates()).then_some(shown)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &TapCrypto,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(&crypto.signing_key(self.nobody?.key.scalar()).ok()?, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        self.believes
    }

    fn verify(&mut self, _: &TapCrypto, shown: &PeerCertificate<'_>) -> Result<Verified, AlertDescription> {
        let entries: Vec<Vec<u8>> = shown.entries().map(<[u8]>::to_vec).collect();
        let first = entries.first().map(Vec::as_slice).unwrap_or_default();
        let public_key: Option<PublicKey> = match shown.kind {
            CertificateType::RawPublicKey => public_key_from_info(first).ok(),
            CertificateType::X509 => Certificate::parse(first).ok().map(|parsed| *parsed.public_key()),
        };
        self.shown = Some(Shown { kind: shown.kind, entries });
        let public_key = public_key.ok_or(AlertDescription::UNSUPPORTED_CERTIFICATE)?;
        Ok(Verified { public_key, principal: 0 })
    }

    fn wants_tickets(&self) -> bool {
        true
    }

    fn remember(&mut self, resumption: &Resumption) {
        self.kept = Some(resumption.clone());
    }

    fn recall(&mut self, session_id: &[u8]) -> Option<Resumption> {
        self.resume.clone().filter(|_| session_id.is_empty())
    }
}
