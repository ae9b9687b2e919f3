//! A client and a server in memory, with a link between them whose every datagram has a scripted fate.
#![allow(unreachable_pub, reason = "one name for a helper, wherever it is used")]

use sedge_crypto::NamedGroup;
use sedge_dtls::*;
use sedge_time::{Duration, Instant};

use crate::party::{Party, TestRng, Watched};
use crate::support::Link;
pub use crate::support::seal;
pub use crate::support::{Direction, Fate, LATENCY, Peer, undisturbed};

pub type Client = ClientHandshake<Full<Watched>>;
pub type Server = ServerHandshake<Full<Watched>>;

/// What both sides are set up with.
#[derive(Clone)]
pub struct Setup {
    pub client: Party,
    pub server: Party,
    pub client_versions: Versions,
    pub server_versions: Versions,
    pub client_suites: Vec<CipherSuite>,
    pub server_suites: Vec<CipherSuite>,
    pub client_groups: Vec<NamedGroup>,
    pub server_groups: Vec<NamedGroup>,
    pub client_certificate: ClientCertificate,
    pub client_cid: Option<ConnectionId>,
    pub server_cid: ConnectionId,
    pub client_transport: Transport,
    pub server_transport: Transport,
    /// Whether the server asks for a cookie.
    pub cookie: bool,
    pub seed: u64,
}

pub const GROUPS: &[NamedGroup] = &[NamedGroup::Secp256r1, NamedGroup::X25519];

impl Setup {
    pub fn new(client: Party, server: Party) -> Self {
        Self {
            client,
            server,
            client_versions: Versions::ONLY_1_3,
            server_versions: Versions::ONLY_1_3,
            client_suites: CipherSuite::ALL.to_vec(),
            server_suites: CipherSuite::ALL.to_vec(),
            client_groups: GROUPS.to_vec(),
            server_groups: GROUPS.to_vec(),
            client_certificate: ClientCertificate::Required,
            client_cid: Some(ConnectionId::EMPTY),
            server_cid: ConnectionId::new(b"\x01\x00\x00\x2a\x00\x07\x00\x01").unwrap(),
            client_transport: Transport::default(),
            server_transport: Transport::default(),
            cookie: true,
            seed: 1,
        }
    }

    /// A pre-shared key alone.
    pub fn psk() -> Self {
        Self { client_groups: vec![], ..Self::psk_dhe() }
    }

    /// A pre-shared key and key shares.
    pub fn psk_dhe() -> Self {
        Self::new(Party::psk_client(), Party::psk_server())
    }

    pub fn client_config(&self) -> ClientConfig<'_> {
        ClientConfig {
            versions: self.client_versions,
            suites: &self.client_suites,
            groups: &self.client_groups,
            own_cid: self.client_cid,
            transport: self.client_transport,
        }
    }

    pub fn server_config(&self) -> ServerConfig<'_> {
        ServerConfig {
            versions: self.server_versions,
            suites: &self.server_suites,
            groups: &self.server_groups,
            client_certificate: self.client_certificate,
            transport: self.server_transport,
        }
    }
}

pub struct World {
    pub setup: Setup,
    pub now: Instant,
    pub rng: TestRng,
    pub cookies: CookieKeys<Watched>,
    pub client: Peer<Client>,
    /// A client's handshake whose session was taken early, until the server is known to have the last flight.
    pub lingering: Option<Client>,
    /// Whether the client takes its session early.
    pub early: bool,
    pub server: Peer<Server>,
    /// The server's session from before the client started over, which is good until the new one is.
    pub predecessor: Option<Session>,
    /// Whom each side believes the other one to be.
    pub principals: (Option<u32>, Option<u32>),
    pub authentications: (Option<Authentication>, Option<Authentication>),
    pub resumed: (Option<bool>, Option<bool>),
    /// Every datagram that was sent.
    pub trace: Vec<(Direction, Vec<u8>)>,
    pub discards: Vec<(Direction, Discard)>,
    pub received: Vec<(Direction, Vec<u8>)>,
    pub refusal: Option<AlertDescription>,
    /// How many Connection IDs the client asked for.
    pub wanted: Option<u8>,
    /// The lines of both sides' key logs.
    pub keys: Vec<(&'static str, [u8; 32], Vec<u8>)>,
    /// The link; the argument is the datagram's place in `trace`.
    pub fate: Fate,
    /// A man in the middle, who changes what is sent.
    pub meddle: Option<Meddle>,
    link: Link,
    /// When sessions with something outstanding send it again.
    retransmit_at: Option<Instant>,
}

pub const ADDRESS: &[u8] = b"192.0.2.1:4711";

/// Changes what is sent.
pub type Meddle = Box<dyn FnMut(Direction, &mut Vec<u8>)>;

struct Keys<'a>(&'a mut Vec<(&'static str, [u8; 32], Vec<u8>)>);

impl KeyLog for Keys<'_> {
    fn secret(&mut self, label: &'static str, client_random: &[u8; 32], secret: &[u8]) {
        self.0.push((label, *client_random, secret.to_vec()));
    }
}

macro_rules! context {
    ($world:ident, $keys:ident) => {{
        Context {
            crypto: &Watched,
            rng: &mut $world.rng,
            now: $world.now,
            dangerous_key_log: Some(&mut $keys),
        }
    }};
}

impl World {
    pub fn new(mut setup: Setup) -> Self {
        Watched::forget();
        let mut rng = TestRng(setup.seed);
        let cookies = CookieKeys::new(&Watched, &mut rng);
        let now = Instant::from_micros(1_000_000);
        let client = connect(&mut setup, &mut rng, now);
        Self {
            now,
            rng,
            cookies,
            client: Peer::Handshaking(client),
            lingering: None,
            early: false,
            server: Peer::Absent,
            predecessor: None,
            principals: (None, None),
            authentications: (None, None),
            resumed: (None, None),
            trace: Vec::new(),
            discards: Vec::new(),
            received: Vec::new(),
            refusal: None,
            wanted: None,
            keys: Vec::new(),
            fate: Box::new(undisturbed),
            meddle: None,
            link: Link::default(),
            retransmit_at: None,
            setup,
        }
    }

    /// Both sides established over a link without faults.
    pub fn established(setup: Setup) -> Self {
        let mut world = Self::new(setup);
        world.run();
        world.assert_established();
        world
    }

    #[track_caller]
    pub fn assert_established(&self) {
        let states = (self.client.is_established(), self.server.is_established());
        let failures = (self.client.failure(), self.server.failure(), self.refusal);
        assert_eq!(states, (true, true), "{failures:?} {:?}", self.discards);
    }

    /// The client dials again, with what it has learned.
    pub fn reconnect(&mut self) {
        self.client = Peer::Handshaking(connect(&mut self.setup, &mut self.rng, self.now));
    }

    /// Delivers the next datagram on the link, if there is one.
    pub fn step(&mut self) {
        if let Some((at, direction, datagram)) = self.link.next() {
            self.now = self.now.max(at);
            self.deliver(direction, datagram);
        }
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
            let client = match &self.client {
                Peer::Handshaking(handshake) => handshake.deadline(),
                _ => self.lingering.as_ref().and_then(Client::deadline),
            };
            let server = match &self.server {
                Peer::Handshaking(handshake) => handshake.deadline(),
                _ => None,
            };
            let deadlines = [client, server, arrival, self.retransmit_at];
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

    fn expire(&mut self) {
        let mut keys = Vec::new();
        let mut log = Keys(&mut keys);
        if let Peer::Handshaking(handshake) = &mut self.client {
            let mut cx = context!(self, log);
            if let Err(failure) = handshake.expire(&mut cx, &mut self.setup.client) {
                self.transmit();
                self.client = Peer::Failed(failure);
            }
        }
        if let Some(handshake) = &mut self.lingering {
            let mut cx = context!(self, log);
            if let Err(failure) = handshake.expire(&mut cx, &mut self.setup.client) {
                self.transmit();
                (self.client, self.lingering) = (Peer::Failed(failure), None);
            }
        }
        if let Peer::Handshaking(handshake) = &mut self.server
            && let Err(failure) = handshake.expire(self.now)
        {
            self.transmit();
            self.server = self.predecessor.take().map_or(Peer::Failed(failure), Peer::Established);
        }
        if self.retransmit_at.is_some_and(|at| at <= self.now) {
            self.retransmit_at = None;
            for session in self.sessions().into_iter().flatten() {
                session.retransmit();
            }
        }
        self.keys.append(&mut keys);
    }

    fn sessions(&mut self) -> [Option<&mut Session>; 2] {
        let client = match &mut self.client {
            Peer::Established(session) => Some(session),
            _ => None,
        };
        let server = match &mut self.server {
            Peer::Established(session) => Some(session),
            _ => None,
        };
        [client, server]
    }

    /// Puts what both sides have to send on the link.
    pub fn transmit(&mut self) {
        let mut buf = [0; 2048];
        while let Some(len) = self.lingering.as_mut().and_then(|it| it.poll_transmit(&Watched, &mut buf)) {
            self.send(Direction::ToServer, buf[..len].to_vec());
        }
        while let Some(len) = match &mut self.client {
            Peer::Handshaking(client) => client.poll_transmit(&Watched, &mut buf),
            Peer::Established(session) => session.poll_transmit(&Watched, &mut buf),
            _ => None,
        } {
            self.send(Direction::ToServer, buf[..len].to_vec());
        }
        while let Some(len) = match &mut self.server {
            Peer::Handshaking(server) => server.poll_transmit(&Watched, &mut buf),
            Peer::Established(session) => session.poll_transmit(&Watched, &mut buf),
            _ => None,
        } {
            self.send(Direction::ToClient, buf[..len].to_vec());
        }
        self.settle();
        let outstanding = self.sessions().into_iter().flatten().any(|session| session.is_outstanding());
        self.retransmit_at = match (outstanding, self.retransmit_at) {
            (false, _) => None,
            (true, Some(at)) => Some(at),
            (true, None) => Some(self.now + Duration::from_secs(1)),
        };
    }

    /// Puts a datagram on the link.
    pub fn send(&mut self, direction: Direction, mut datagram: Vec<u8>) {
        if let Some(meddle) = &mut self.meddle {
            meddle(direction, &mut datagram);
        }
        let delays = (self.fate)(self.trace.len(), direction, &datagram);
        self.link.send(self.now, delays, direction, &datagram);
        self.trace.push((direction, datagram));
    }

    /// Takes the sessions out of handshakes that are complete.
    fn settle(&mut self) {
        if self.early
            && let Peer::Handshaking(handshake) = &mut self.client
            && let Some(Established { session, principal, authentication, resumed }) =
                handshake.take_session_early()
        {
            self.principals.0 = Some(principal);
            self.authentications.0 = Some(authentication);
            self.resumed.0 = Some(resumed);
            let before = std::mem::replace(&mut self.client, Peer::Established(session));
            let Peer::Handshaking(handshake) = before else { unreachable!() };
            self.lingering = Some(handshake);
        }
        if let Peer::Handshaking(handshake) = &mut self.client
            && let Some(Established { session, principal, authentication, resumed }) =
                handshake.take_session()
        {
            self.principals.0 = Some(principal);
            self.authentications.0 = Some(authentication);
            self.resumed.0 = Some(resumed);
            self.client = Peer::Established(session);
        }
        if let Peer::Handshaking(handshake) = &mut self.server
            && let Some(Established { session, principal, authentication, resumed }) =
                handshake.take_session()
        {
            self.principals.1 = Some(principal);
            self.authentications.1 = Some(authentication);
            self.resumed.1 = Some(resumed);
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
        if is_client_hello(datagram) {
            let mut reply = [0; HELLO_REPLY_LEN];
            let config = self.setup.server_config();
            let verdict = match self.setup.cookie {
                true => hello(&Watched, &self.cookies, &config, ADDRESS, datagram, &mut reply),
                false => dangerous_hello_without_cookie(&Watched, &self.cookies, &config, datagram),
            };
            match verdict {
                Hello::Reply(len) => {
                    assert!(len <= datagram.len(), "the answer is longer than the hello");
                    return self.send(Direction::ToClient, reply[..len].to_vec());
                }
                Hello::Discard(discard) => return self.discards.push((Direction::ToServer, discard)),
                Hello::Accept(verified) => {
                    let pending =
                        matches!(&self.server, Peer::Handshaking(server) if server.answers(&verified));
                    if !pending {
                        let cid = self.setup.server_cid;
                        let mut credentials = self.setup.server.clone();
                        let mut keys = Keys(&mut self.keys);
                        let mut cx = context!(self, keys);
                        match Server::accept(&mut cx, &mut credentials, &config, &verified, cid) {
                            Ok(handshake) => {
                                let before =
                                    std::mem::replace(&mut self.server, Peer::Handshaking(handshake));
                                if let Peer::Established(session) = before {
                                    self.predecessor = Some(session);
                                }
                            }
                            Err(refusal) => {
                                self.refusal = Some(refusal.description());
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
        let cid_len = match &self.server {
            Peer::Handshaking(server) => server.own_cid().len(),
            Peer::Established(session) => session.own_cid().len(),
            _ => 0,
        };
        for record in Records::new(datagram, cid_len) {
            self.server_takes(record);
        }
    }

    fn server_takes(&mut self, record: &mut [u8]) {
        match &mut self.server {
            Peer::Handshaking(handshake) => {
                let mut keys = Keys(&mut self.keys);
                let mut cx = context!(self, keys);
                match handshake.receive(&mut cx, &mut self.setup.server, record) {
                    Err(discard) => self.discards.push((Direction::ToServer, discard)),
                    Ok(Progress::Continue) => {}
                    Ok(Progress::Complete) => self.transmit(),
                    Ok(Progress::Failed(failure)) => {
                        self.transmit();
                        self.server = Peer::Failed(failure);
                    }
                }
            }
            Peer::Established(session) => {
                let mut buf = [0; 256];
                let reply = match session.open(&Watched, record) {
                    Ok(Opened { content: Content::FinishedAgain, .. }) => {
                        session.last_flight(&Watched, &mut buf)
                    }
                    Ok(Opened { content: Content::ApplicationData(data), .. }) => {
                        self.received.push((Direction::ToServer, data.to_vec()));
                        None
                    }
                    Ok(Opened { content: Content::ConnectionIdWanted(count), .. }) => {
                        self.wanted = Some(count);
                        None
                    }
                    Ok(_) => None,
                    Err(discard) => {
                        self.discards.push((Direction::ToServer, discard));
                        None
                    }
                };
                if let Some(len) = reply {
                    self.send(Direction::ToClient, buf[..len].to_vec());
                }
            }
            _ => {}
        }
    }

    fn deliver_to_client(&mut self, datagram: &mut [u8]) {
        let cid_len = match &self.client {
            Peer::Handshaking(client) => client.own_cid().len(),
            Peer::Established(session) => session.own_cid().len(),
            _ => 0,
        };
        for record in Records::new(datagram, cid_len) {
            self.client_takes(record);
        }
    }

    fn client_takes(&mut self, record: &mut [u8]) {
        match &mut self.client {
            Peer::Handshaking(handshake) => {
                let mut keys = Keys(&mut self.keys);
                let mut cx = context!(self, keys);
                match handshake.receive(&mut cx, &mut self.setup.client, record) {
                    Err(discard) => self.discards.push((Direction::ToClient, discard)),
                    Ok(Progress::Continue) => {}
                    Ok(Progress::Complete) => self.transmit(),
                    Ok(Progress::Failed(failure)) => {
                        self.transmit();
                        self.client = Peer::Failed(failure);
                    }
                }
            }
            Peer::Established(session) => match session.open(&Watched, record) {
                Ok(Opened { content: Content::ApplicationData(data), .. }) => {
                    self.received.push((Direction::ToClient, data.to_vec()));
                }
                Err(Discard::UnknownEpoch) if self.lingering.is_some() => self.linger(record),
                Ok(Opened { content: Content::Ticket(ticket), .. }) => {
                    let (principal, authentication) = (self.principals.0, self.authentications.0);
                    self.setup.client.resumption =
                        ticket.resumption(self.now, principal.unwrap(), authentication.unwrap());
                    self.lingering = None;
                }
                Ok(_) => self.lingering = None,
                Err(discard) => self.discards.push((Direction::ToClient, discard)),
            },
            _ => {}
        }
    }

    /// A record for a handshake whose session was taken early.
    fn linger(&mut self, record: &mut [u8]) {
        let Some(handshake) = &mut self.lingering else { return };
        let mut cx = Context::new(&Watched, &mut self.rng, self.now);
        match handshake.receive(&mut cx, &mut self.setup.client, record) {
            Err(discard) => self.discards.push((Direction::ToClient, discard)),
            Ok(Progress::Continue) => {}
            Ok(Progress::Complete) => self.lingering = None,
            Ok(Progress::Failed(failure)) => (self.client, self.lingering) = (Peer::Failed(failure), None),
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

    /// Data goes both ways and arrives.
    #[track_caller]
    pub fn exchange_data(&mut self) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            self.received.clear();
            let text = format!("{direction:?} at {}", self.now.as_micros());
            let record = self.seal(direction, text.as_bytes());
            self.send(direction, record);
            self.run_for(Duration::from_millis(50));
            assert_eq!(self.received, [(direction, text.into_bytes())], "{:?}", self.discards);
        }
    }
}

fn connect(setup: &mut Setup, rng: &mut TestRng, now: Instant) -> Client {
    let mut credentials = setup.client.clone();
    let mut cx = Context::new(&Watched, rng, now);
    Client::connect(&mut cx, &mut credentials, &setup.client_config()).unwrap()
}
