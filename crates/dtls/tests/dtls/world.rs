//! A client and a server in memory, with a link between them whose every datagram has a scripted fate.
#![allow(unreachable_pub, reason = "one name for a helper, wherever it is used")]

use sedge_dtls::*;
use sedge_time::{Duration, Instant};

use crate::support::*;

/// The same device under a name that fills a narrow path.
pub const LONG_IDENTITY: &[u8] = &[b'i'; 120];

/// The key table of the tests' server.
pub fn lookup(identity: &[u8]) -> Option<(Psk, u32)> {
    [IDENTITY, LONG_IDENTITY].contains(&identity).then(|| (Psk::new(&KEY).unwrap(), PRINCIPAL))
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
    link: Link,
}

pub const SERVER_ADDRESS_OF_CLIENT: &[u8] = b"192.0.2.1:4711";

impl World {
    pub fn new(setup: Setup) -> Self {
        Watched::forget();
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
            link: Link::default(),
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
        if let Some((at, direction, datagram)) = self.link.next() {
            self.now = self.now.max(at);
            self.deliver(direction, datagram);
        }
    }

    /// A man in the middle changes what is on the link.
    pub fn rewrite(&mut self, change: impl FnMut(Direction, &mut [u8])) {
        self.link.rewrite(change);
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
            let arrival = self.link.arrival();
            let deadlines = [self.client_deadline(), self.server_deadline(), arrival];
            let Some(next) = deadlines.into_iter().flatten().min() else { return };
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            if arrival == Some(next) {
                self.step();
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
        let delays = (self.fate)(self.trace.len(), direction, &datagram);
        self.link.send(self.now, delays, direction, &datagram);
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
