//! A client and a server in memory, with a link between them whose every datagram has a scripted fate.
#![allow(unreachable_pub, reason = "one name for a helper, wherever it is used")]

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

use sedge_crypto::{
    Aead, AeadError, Crypto, CryptoRng, KeyError, KeyShare, NamedGroup, PublicKey, RustCrypto,
    RustEphemeralKey, RustHash, RustMac, RustSigningKey, Secret, Signature, Tag, TryCryptoRng, TryRng,
};
use sedge_dtls::*;
use sedge_time::{Duration, Instant};

pub const IDENTITY: &[u8] = b"sensor-7";
/// The same device under a name that fills a narrow path.
pub const LONG_IDENTITY: &[u8] = &[b'i'; 120];
pub const KEY: [u8; 16] = *b"0123456789abcdef";
pub const PRINCIPAL: u32 = 41;

/// Deterministic and good enough to be different every time: SplitMix64.
#[derive(Clone, Debug)]
pub struct TestRng(pub u64);

impl TryRng for TestRng {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in dst.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

thread_local! {
    pub static SEALED: RefCell<HashSet<(Vec<u8>, Vec<u8>)>> = RefCell::default();
}

/// The portable provider under guard: no two records of one [`World`] are sealed with the same key and nonce.
#[derive(Debug)]
pub struct Watched;

impl Crypto for Watched {
    type Hash = RustHash;
    type Mac = RustMac;
    type EphemeralKey = RustEphemeralKey;
    type SigningKey = RustSigningKey;

    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        let fresh = SEALED.with_borrow_mut(|sealed| sealed.insert((key.to_vec(), nonce.to_vec())));
        assert!(fresh, "a nonce was used twice");
        RustCrypto.seal(aead, key, nonce, aad, in_out)
    }

    fn open(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        RustCrypto.open(aead, key, nonce, aad, in_out, tag)
    }

    fn sha256(&self) -> RustHash {
        RustCrypto.sha256()
    }

    fn hmac_sha256(&self, key: &[u8]) -> RustMac {
        RustCrypto.hmac_sha256(key)
    }

    fn encrypt_block(&self, key: &[u8; 16], block: &mut [u8; 16]) {
        RustCrypto.encrypt_block(key, block);
    }

    fn ephemeral_key<R: CryptoRng + ?Sized>(
        &self,
        group: NamedGroup,
        rng: &mut R,
    ) -> Result<Self::EphemeralKey, KeyError> {
        RustCrypto.ephemeral_key(group, rng)
    }

    fn key_share(&self, key: &Self::EphemeralKey) -> KeyShare {
        RustCrypto.key_share(key)
    }

    fn agree(&self, key: &Self::EphemeralKey, peer: &[u8]) -> Result<Secret<32>, KeyError> {
        RustCrypto.agree(key, peer)
    }

    fn signing_key(&self, scalar: &Secret<32>) -> Result<Self::SigningKey, KeyError> {
        RustCrypto.signing_key(scalar)
    }

    fn public_key(&self, key: &Self::SigningKey) -> PublicKey {
        RustCrypto.public_key(key)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &self,
        key: &Self::SigningKey,
        digest: &[u8; 32],
        rng: &mut R,
    ) -> Result<Signature, KeyError> {
        RustCrypto.sign(key, digest, rng)
    }

    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        RustCrypto.verify(key, digest, signature)
    }
}

/// The key table of the tests' server.
pub fn lookup(identity: &[u8]) -> Option<(Psk, u32)> {
    [IDENTITY, LONG_IDENTITY].contains(&identity).then(|| (Psk::new(&KEY).unwrap(), PRINCIPAL))
}

pub fn cid(bytes: &[u8]) -> ConnectionId {
    ConnectionId::new(bytes).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// What both sides are set up with.
#[derive(Clone)]
pub struct Setup {
    pub identity: Vec<u8>,
    pub key: Vec<u8>,
    pub client_suites: Vec<CipherSuite>,
    pub server_suites: Vec<CipherSuite>,
    pub client_cid: Option<ConnectionId>,
    pub server_cid: ConnectionId,
    pub client: Transport,
    pub server: Transport,
    pub seed: u64,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            identity: IDENTITY.to_vec(),
            key: KEY.to_vec(),
            client_suites: vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
            server_suites: CipherSuite::ALL.to_vec(),
            client_cid: Some(ConnectionId::EMPTY),
            server_cid: cid(b"\x01\x00\x00\x2a\x00\x07\x00\x01"),
            client: Transport::default(),
            server: Transport::default(),
            seed: 1,
        }
    }
}

impl Setup {
    fn client_psk<'a>(&'a self, psk: &'a Psk) -> ClientPsk<'a> {
        ClientPsk { identity: &self.identity, psk }
    }

    fn connect(&self, rng: &mut TestRng, now: Instant) -> ClientHandshake<PskOnly<Watched>> {
        let config = ClientConfig {
            versions: Versions::ONLY_1_2,
            suites: &self.client_suites,
            own_cid: self.client_cid,
            transport: self.client,
            ..ClientConfig::default()
        };
        let mut cx = Context::new(&Watched, rng, now);
        let psk = Psk::new(&self.key).unwrap();
        ClientHandshake::connect(&mut cx, &mut self.client_psk(&psk), &config).unwrap()
    }
}

/// One side of the connection.
#[allow(clippy::large_enum_variant, reason = "there are two of them")]
pub enum Peer<H> {
    Absent,
    Handshaking(H),
    Established(Session),
    Failed(Failure),
}

impl<H> Peer<H> {
    pub fn session(&mut self) -> &mut Session {
        match self {
            Self::Established(session) => session,
            _ => panic!("not established"),
        }
    }

    pub fn is_established(&self) -> bool {
        matches!(self, Self::Established(_))
    }
}

/// Seals a record of any kind.
pub fn seal(session: &mut Session, content_type: ContentType, text: &[u8]) -> Vec<u8> {
    let mut record = vec![0; text.len() + session.overhead()];
    let at = session.headroom();
    record[at..at + text.len()].copy_from_slice(text);
    assert_eq!(session.seal(&Watched, content_type, &mut record, text.len()), Ok(record.len()));
    record
}

/// Opens a record with application data.
pub fn open(session: &mut Session, mut record: Vec<u8>) -> Result<(Vec<u8>, bool), Discard> {
    let opened = session.open(&Watched, &mut record)?;
    match opened.content {
        Content::ApplicationData(data) => Ok((data.to_vec(), opened.newest)),
        other => panic!("{other:?}"),
    }
}

pub struct World {
    pub setup: Setup,
    pub now: Instant,
    pub rng: TestRng,
    pub cookies: CookieKeys<Watched>,
    pub client: Peer<ClientHandshake<PskOnly<Watched>>>,
    pub server: Peer<ServerHandshake<PskOnly<Watched>>>,
    pub principal: Option<u32>,
    /// The server's session from before the client started over (RFC 6347 section 4.2.8).
    pub predecessor: Option<Session>,
    /// Every datagram that was sent.
    pub trace: Vec<(Direction, Vec<u8>)>,
    pub discards: Vec<(Direction, Discard)>,
    pub received: Vec<(Direction, Vec<u8>)>,
    pub refusal: Option<Refusal>,
    /// The link; the argument is the datagram's place in `trace`.
    pub fate: Fate,
    in_flight: BTreeMap<(Instant, u64), (Direction, Vec<u8>)>,
    serial: u64,
}

pub const SERVER_ADDRESS_OF_CLIENT: &[u8] = b"192.0.2.1:4711";

/// When the copies of a datagram arrive: none for a lost one.
pub type Fate = Box<dyn FnMut(usize, Direction, &[u8]) -> Vec<Duration>>;

pub const LATENCY: Duration = Duration::from_millis(10);

pub fn undisturbed(_: usize, _: Direction, _: &[u8]) -> Vec<Duration> {
    vec![LATENCY]
}

impl World {
    pub fn new(setup: Setup) -> Self {
        SEALED.with_borrow_mut(HashSet::clear);
        let mut rng = TestRng(setup.seed);
        let cookies = CookieKeys::new(&Watched, &mut rng);
        let now = Instant::from_micros(1_000_000);
        let client = setup.connect(&mut rng, now);
        Self {
            now,
            rng,
            cookies,
            client: Peer::Handshaking(client),
            server: Peer::Absent,
            principal: None,
            predecessor: None,
            trace: Vec::new(),
            discards: Vec::new(),
            received: Vec::new(),
            refusal: None,
            fate: Box::new(undisturbed),
            in_flight: BTreeMap::new(),
            serial: 0,
            setup,
        }
    }

    /// Both sides established over a link without faults.
    pub fn established(setup: Setup) -> Self {
        let mut world = Self::new(setup);
        world.run();
        assert!(world.client.is_established() && world.server.is_established(), "{:?}", world.discards);
        world
    }

    /// The client loses its memory and dials again from the same address. Returns its old session.
    pub fn reconnect(&mut self) -> Session {
        let handshake = self.setup.connect(&mut self.rng, self.now);
        match std::mem::replace(&mut self.client, Peer::Handshaking(handshake)) {
            Peer::Established(session) => session,
            _ => panic!("not established"),
        }
    }

    /// Delivers the next datagram on the link, if there is one.
    pub fn step(&mut self) {
        if let Some(((at, _), (direction, datagram))) = self.in_flight.pop_first() {
            self.now = self.now.max(at);
            self.deliver(direction, datagram);
        }
    }

    /// A man in the middle changes what is on the link.
    pub fn rewrite(&mut self, mut change: impl FnMut(Direction, &mut [u8])) {
        for (direction, datagram) in self.in_flight.values_mut() {
            change(*direction, datagram);
        }
    }

    /// Seals application data in one side's session.
    pub fn seal(&mut self, direction: Direction, text: &[u8]) -> Vec<u8> {
        let session = match direction {
            Direction::ToServer => self.client.session(),
            Direction::ToClient => self.server.session(),
        };
        seal(session, ContentType::APPLICATION_DATA, text)
    }

    /// Lets things happen until nothing is left to happen.
    pub fn run(&mut self) {
        self.run_for(Duration::from_secs(600));
    }

    pub fn run_for(&mut self, limit: Duration) {
        let end = self.now + limit;
        loop {
            self.transmit();
            let arrival = self.in_flight.keys().next().map(|(at, _)| *at);
            let deadlines = [self.client_deadline(), self.server_deadline(), arrival];
            let Some(next) = deadlines.into_iter().flatten().min() else { return };
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (direction, datagram)) = self.in_flight.pop_first().unwrap();
                self.deliver(direction, datagram);
            } else {
                self.expire();
            }
        }
    }

    fn client_deadline(&self) -> Option<Instant> {
        match &self.client {
            Peer::Handshaking(handshake) => handshake.deadline(),
            _ => None,
        }
    }

    fn server_deadline(&self) -> Option<Instant> {
        match &self.server {
            Peer::Handshaking(handshake) => handshake.deadline(),
            _ => None,
        }
    }

    fn expire(&mut self) {
        let psk = Psk::new(&self.setup.key).unwrap();
        let mut cx = Context::new(&Watched, &mut self.rng, self.now);
        if let Peer::Handshaking(handshake) = &mut self.client
            && let Err(failure) = handshake.expire(&mut cx, &mut self.setup.client_psk(&psk))
        {
            self.transmit();
            self.client = Peer::Failed(failure);
        }
        if let Peer::Handshaking(handshake) = &mut self.server
            && let Err(failure) = handshake.expire(self.now)
        {
            self.transmit();
            self.server = self.predecessor.take().map_or(Peer::Failed(failure), Peer::Established);
        }
    }

    /// Puts what both sides have to send on the link.
    pub fn transmit(&mut self) {
        let mut buf = [0; 2048];
        loop {
            let sent = match (&mut self.client, &mut self.server) {
                (Peer::Handshaking(client), server) => {
                    match (client.poll_transmit(&Watched, &mut buf), server) {
                        (Some(len), _) => Some((Direction::ToServer, len)),
                        (None, Peer::Handshaking(server)) => {
                            server.poll_transmit(&Watched, &mut buf).map(|len| (Direction::ToClient, len))
                        }
                        (None, _) => None,
                    }
                }
                (_, Peer::Handshaking(server)) => {
                    server.poll_transmit(&Watched, &mut buf).map(|len| (Direction::ToClient, len))
                }
                _ => None,
            };
            let Some((direction, len)) = sent else { break };
            self.send(direction, buf[..len].to_vec());
        }
        self.settle();
    }

    /// Puts a datagram on the link.
    pub fn send(&mut self, direction: Direction, datagram: Vec<u8>) {
        for delay in (self.fate)(self.trace.len(), direction, &datagram) {
            self.serial += 1;
            let _ = self.in_flight.insert((self.now + delay, self.serial), (direction, datagram.clone()));
        }
        self.trace.push((direction, datagram));
    }

    /// Takes the sessions out of handshakes that are complete.
    fn settle(&mut self) {
        if let Peer::Handshaking(handshake) = &mut self.client
            && let Some(Established { session, .. }) = handshake.take_session()
        {
            self.client = Peer::Established(session);
        }
        if let Peer::Handshaking(handshake) = &mut self.server
            && let Some(Established { session, principal, .. }) = handshake.take_session()
        {
            self.principal = Some(principal);
            self.predecessor = None;
            self.server = Peer::Established(session);
        }
    }

    pub fn deliver(&mut self, direction: Direction, mut datagram: Vec<u8>) {
        match direction {
            Direction::ToServer => self.deliver_to_server(&mut datagram),
            Direction::ToClient => self.deliver_to_client(&mut datagram),
        }
    }

    fn deliver_to_server(&mut self, datagram: &mut [u8]) {
        let mut cx = Context::new(&Watched, &mut self.rng, self.now);
        if is_client_hello(datagram) {
            let mut reply = [0; HELLO_VERIFY_REQUEST_LEN];
            let config = ServerConfig {
                versions: Versions::ONLY_1_2,
                suites: &self.setup.server_suites,
                transport: self.setup.server,
                ..ServerConfig::default()
            };
            match hello(&Watched, &self.cookies, &config, SERVER_ADDRESS_OF_CLIENT, datagram, &mut reply) {
                Hello::Reply(len) => {
                    return self.send(Direction::ToClient, reply[..len].to_vec());
                }
                Hello::Discard(discard) => return self.discards.push((Direction::ToServer, discard)),
                Hello::Accept(verified) => {
                    let pending =
                        matches!(&self.server, Peer::Handshaking(server) if server.answers(&verified));
                    if !pending {
                        let cid = self.setup.server_cid;
                        match ServerHandshake::accept(&mut cx, &mut lookup, &config, &verified, cid) {
                            Ok(handshake) => {
                                let before =
                                    std::mem::replace(&mut self.server, Peer::Handshaking(handshake));
                                if let Peer::Established(session) = before {
                                    self.predecessor = Some(session);
                                }
                            }
                            Err(refusal) => {
                                self.refusal = Some(refusal);
                                let mut buf = [0; 32];
                                let len = refusal.write(&mut buf).unwrap();
                                self.send(Direction::ToClient, buf[..len].to_vec());
                            }
                        }
                        return;
                    }
                }
            }
        }
        for record in Records::new(datagram, self.setup.server_cid.len()) {
            let mut cx = Context::new(&Watched, &mut self.rng, self.now);
            let mut failed = None;
            if let Some(session) = &mut self.predecessor {
                match session.open(&Watched, &mut record.to_vec()) {
                    Ok(Opened { content: Content::ApplicationData(data), .. }) => {
                        self.received.push((Direction::ToServer, data.to_vec()));
                        continue;
                    }
                    Ok(_) => continue,
                    Err(_) => {}
                }
            }
            match &mut self.server {
                Peer::Handshaking(handshake) => match handshake.receive(&mut cx, &mut lookup, record) {
                    Ok(Progress::Failed(failure)) => failed = Some(failure),
                    Ok(Progress::Continue) => {}
                    Ok(Progress::Complete) => self.transmit(),
                    Err(discard) => self.discards.push((Direction::ToServer, discard)),
                },
                Peer::Established(session) => match session.open(&Watched, record) {
                    Ok(Opened { content: Content::ApplicationData(data), .. }) => {
                        self.received.push((Direction::ToServer, data.to_vec()));
                    }
                    Ok(Opened { content: Content::FinishedAgain, .. }) => {
                        let mut buf = [0; 256];
                        let len = session.last_flight(&Watched, &mut buf).unwrap();
                        self.send(Direction::ToClient, buf[..len].to_vec());
                    }
                    Ok(_) => {}
                    Err(discard) => self.discards.push((Direction::ToServer, discard)),
                },
                Peer::Absent | Peer::Failed(_) => {}
            }
            if let Some(failure) = failed {
                self.transmit();
                self.server = Peer::Failed(failure);
            }
        }
    }

    fn deliver_to_client(&mut self, datagram: &mut [u8]) {
        let cid_len = self.setup.client_cid.unwrap_or_default().len();
        let psk = Psk::new(&self.setup.key).unwrap();
        for record in Records::new(datagram, cid_len) {
            let mut cx = Context::new(&Watched, &mut self.rng, self.now);
            let mut failed = None;
            match &mut self.client {
                Peer::Handshaking(handshake) => {
                    match handshake.receive(&mut cx, &mut self.setup.client_psk(&psk), record) {
                        Ok(Progress::Failed(failure)) => failed = Some(failure),
                        Ok(Progress::Continue) => {}
                        Ok(Progress::Complete) => self.settle(),
                        Err(discard) => self.discards.push((Direction::ToClient, discard)),
                    }
                }
                Peer::Established(session) => match session.open(&Watched, record) {
                    Ok(Opened { content: Content::ApplicationData(data), .. }) => {
                        self.received.push((Direction::ToClient, data.to_vec()));
                    }
                    Ok(_) => {}
                    Err(discard) => self.discards.push((Direction::ToClient, discard)),
                },
                Peer::Absent | Peer::Failed(_) => {}
            }
            if let Some(failure) = failed {
                self.transmit();
                self.client = Peer::Failed(failure);
            }
        }
    }
}
