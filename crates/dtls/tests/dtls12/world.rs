//! A client and a server of DTLS 1.2 with a link between them whose every datagram has a scripted fate.

use sedge_crypto::NamedGroup;
use sedge_dtls::*;
use sedge_time::{Duration, Instant};

use crate::party::Party;
use crate::support::{Direction, Fate, Link, TestRng, Watched, cid, open, seal, undisturbed};

pub type Client = ClientHandshake<Full<Watched>>;
pub type Server = ServerHandshake<Full<Watched>>;

/// What both sides are set up with.
#[derive(Clone)]
pub struct Setup {
    pub client_suites: Vec<CipherSuite>,
    pub server_suites: Vec<CipherSuite>,
    pub client_groups: Vec<NamedGroup>,
    pub server_groups: Vec<NamedGroup>,
    pub client_certificate: ClientCertificate,
    pub client_cid: Option<ConnectionId>,
    pub server_cid: ConnectionId,
    pub transport: Transport,
    pub server_versions: Versions,
}

impl Setup {
    pub fn new(suite: CipherSuite) -> Self {
        Self {
            client_suites: vec![suite],
            server_suites: CipherSuite::ALL.to_vec(),
            client_groups: vec![NamedGroup::Secp256r1, NamedGroup::X25519],
            server_groups: vec![NamedGroup::Secp256r1, NamedGroup::X25519],
            client_certificate: ClientCertificate::Optional,
            client_cid: Some(ConnectionId::EMPTY),
            server_cid: cid(b"slot0042"),
            transport: Transport::default(),
            server_versions: Versions::ONLY_1_2,
        }
    }
}

/// One side's handshake, and what came of it.
pub enum Side<H> {
    Absent,
    Handshaking(Box<H>),
    Established(Box<Established>),
    Failed(Failure),
}

impl<H> Side<H> {
    pub fn established(&mut self) -> &mut Established {
        match self {
            Self::Established(established) => established,
            _ => panic!("not established"),
        }
    }

    pub fn is_established(&self) -> bool {
        matches!(self, Self::Established(_))
    }

    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Failed(failure) => Some(*failure),
            _ => None,
        }
    }
}

/// Changes a datagram on its way.
pub type Tamper = Box<dyn FnMut(usize, Direction, &mut Vec<u8>)>;

pub struct World {
    pub setup: Setup,
    pub client_party: Party,
    pub server_party: Party,
    pub now: Instant,
    pub rng: TestRng,
    cookies: CookieKeys<Watched>,
    pub client: Side<Client>,
    pub server: Side<Server>,
    /// The server's session from before the client started over (RFC 6347 section 4.2.8).
    predecessor: Option<Box<Established>>,
    pub refusal: Option<AlertDescription>,
    /// Every datagram that was sent.
    pub trace: Vec<(Direction, Vec<u8>)>,
    pub discards: Vec<(Direction, Discard)>,
    pub fate: Fate,
    /// A man in the middle; the first argument is the datagram's place in `trace`.
    pub tamper: Tamper,
    link: Link,
}

impl World {
    pub fn new(setup: Setup, client_party: Party, server_party: Party) -> Self {
        Watched::forget();
        let mut rng = TestRng(1);
        let cookies = CookieKeys::new(&Watched, &mut rng);
        let mut world = Self {
            setup,
            client_party,
            server_party,
            now: Instant::from_micros(1_000_000),
            rng,
            cookies,
            client: Side::Absent,
            server: Side::Absent,
            predecessor: None,
            refusal: None,
            trace: Vec::new(),
            discards: Vec::new(),
            fate: Box::new(undisturbed),
            tamper: Box::new(|_, _, _| {}),
            link: Link::default(),
        };
        world.connect();
        world
    }

    /// The client starts (again), with what its party remembers.
    pub fn connect(&mut self) {
        let Self { setup, rng, client_party, now, .. } = self;
        let config = ClientConfig {
            versions: Versions::ONLY_1_2,
            suites: &setup.client_suites,
            groups: &setup.client_groups,
            own_cid: setup.client_cid,
            transport: setup.transport,
        };
        let mut cx = Context::new(&Watched, rng, *now);
        let client = ClientHandshake::connect(&mut cx, client_party, &config).unwrap();
        self.client = Side::Handshaking(Box::new(client));
        self.server = Side::Absent;
        self.predecessor = None;
        self.trace.clear();
    }

    /// Both sides have to be established, and understand each other.
    pub fn assert_established(&mut self) {
        let outcome = (self.client.is_established(), self.server.is_established());
        assert_eq!(
            outcome,
            (true, true),
            "{:?} {:?} {:?}",
            self.client.failure(),
            self.server.failure(),
            self.discards
        );
        let (client, server) =
            (&mut self.client.established().session, &mut self.server.established().session);
        assert_eq!(client.suite(), server.suite());
        for _ in 0..2 {
            let record = seal(client, ContentType::APPLICATION_DATA, b"21.5");
            assert_eq!(open(server, record), Ok((b"21.5".to_vec(), true)));
            let record = seal(server, ContentType::APPLICATION_DATA, b"2.04");
            assert_eq!(open(client, record), Ok((b"2.04".to_vec(), true)));
        }
    }

    pub fn run(&mut self) {
        self.run_for(Duration::from_secs(600));
    }

    /// Lets things happen until nothing is left to happen.
    pub fn run_for(&mut self, limit: Duration) {
        let end = self.now + limit;
        loop {
            self.transmit();
            let arrival = self.link.arrival();
            let client = match &self.client {
                Side::Handshaking(client) => client.deadline(),
                _ => None,
            };
            let server = match &self.server {
                Side::Handshaking(server) => server.deadline(),
                _ => None,
            };
            let Some(next) = [client, server, arrival].into_iter().flatten().min() else { return };
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

    /// Delivers the next datagram on the link, if there is one.
    pub fn step(&mut self) {
        if let Some((at, direction, datagram)) = self.link.next() {
            self.now = self.now.max(at);
            self.deliver(direction, &datagram);
        }
    }

    fn expire(&mut self) {
        let mut cx = Context::new(&Watched, &mut self.rng, self.now);
        if let Side::Handshaking(client) = &mut self.client
            && let Err(failure) = client.expire(&mut cx, &mut self.client_party)
        {
            self.transmit();
            self.client = Side::Failed(failure);
        }
        if let Side::Handshaking(server) = &mut self.server
            && let Err(failure) = server.expire(self.now)
        {
            self.transmit();
            self.server = self.predecessor.take().map_or(Side::Failed(failure), Side::Established);
        }
    }

    /// Puts what both sides have to send on the link.
    pub fn transmit(&mut self) {
        let mut buf = [0; 2048];
        loop {
            let mut sent = None;
            if let Side::Handshaking(client) = &mut self.client {
                sent = client.poll_transmit(&Watched, &mut buf).map(|len| (Direction::ToServer, len));
            }
            if let (Side::Handshaking(server), None) = (&mut self.server, sent) {
                sent = server.poll_transmit(&Watched, &mut buf).map(|len| (Direction::ToClient, len));
            }
            let Some((direction, len)) = sent else { break };
            self.send(direction, buf[..len].to_vec());
        }
        if let Side::Handshaking(client) = &mut self.client
            && let Some(established) = client.take_session()
        {
            self.client = Side::Established(Box::new(established));
        }
        if let Side::Handshaking(server) = &mut self.server
            && let Some(established) = server.take_session()
        {
            self.server = Side::Established(Box::new(established));
            self.predecessor = None;
        }
    }

    /// Puts a datagram on the link.
    pub fn send(&mut self, direction: Direction, datagram: Vec<u8>) {
        let mut altered = datagram.clone();
        (self.tamper)(self.trace.len(), direction, &mut altered);
        let delays = (self.fate)(self.trace.len(), direction, &datagram);
        self.link.send(self.now, delays, direction, &altered);
        self.trace.push((direction, datagram));
    }

    pub fn deliver(&mut self, direction: Direction, datagram: &[u8]) {
        match direction {
            Direction::ToServer => self.deliver_to_server(datagram),
            Direction::ToClient => self.deliver_to_client(&mut datagram.to_vec()),
        }
    }

    fn deliver_to_server(&mut self, datagram: &[u8]) {
        let mut cx = Context::new(&Watched, &mut self.rng, self.now);
        if is_client_hello(datagram) {
            let mut reply = [0; HELLO_REPLY_LEN];
            let config = ServerConfig {
                versions: self.setup.server_versions,
                suites: &self.setup.server_suites,
                groups: &self.setup.server_groups,
                client_certificate: self.setup.client_certificate,
                transport: self.setup.transport,
            };
            match hello(&Watched, &self.cookies, &config, b"client", datagram, &mut reply) {
                Hello::Reply(len) => return self.send(Direction::ToClient, reply[..len].to_vec()),
                Hello::Discard(discard) => return self.discards.push((Direction::ToServer, discard)),
                Hello::Accept(verified) => {
                    let known = matches!(&self.server, Side::Handshaking(it) if it.answers(&verified));
                    if !known {
                        let party = &mut self.server_party;
                        match ServerHandshake::accept(
                            &mut cx,
                            party,
                            &config,
                            &verified,
                            self.setup.server_cid,
                        ) {
                            Ok(server) => {
                                let server = Side::Handshaking(Box::new(server));
                                if let Side::Established(before) = std::mem::replace(&mut self.server, server)
                                {
                                    self.predecessor = Some(before);
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
        let mut datagram = datagram.to_vec();
        let cid_len = match &self.server {
            Side::Handshaking(server) => server.own_cid().len(),
            Side::Established(established) => established.session.own_cid().len(),
            Side::Absent | Side::Failed(_) => 0,
        };
        for record in Records::new(&mut datagram, cid_len) {
            if let Some(before) = &mut self.predecessor
                && let Ok(again) = late(&mut before.session, &mut record.to_vec())
            {
                self.again(Direction::ToServer, Ok(again));
                continue;
            }
            let mut cx = Context::new(&Watched, &mut self.rng, self.now);
            match &mut self.server {
                Side::Handshaking(server) => match server.receive(&mut cx, &mut self.server_party, record) {
                    Ok(Progress::Failed(failure)) => {
                        self.transmit();
                        self.server = Side::Failed(failure);
                    }
                    Ok(Progress::Continue) => {}
                    Ok(Progress::Complete) => self.transmit(),
                    Err(discard) => self.discards.push((Direction::ToServer, discard)),
                },
                Side::Established(established) => {
                    let again = late(&mut established.session, record);
                    self.again(Direction::ToServer, again);
                }
                Side::Absent | Side::Failed(_) => {}
            }
        }
    }

    fn deliver_to_client(&mut self, datagram: &mut [u8]) {
        let cid_len = self.setup.client_cid.unwrap_or_default().len();
        for record in Records::new(datagram, cid_len) {
            let mut cx = Context::new(&Watched, &mut self.rng, self.now);
            match &mut self.client {
                Side::Handshaking(client) => match client.receive(&mut cx, &mut self.client_party, record) {
                    Ok(Progress::Failed(failure)) => {
                        self.transmit();
                        self.client = Side::Failed(failure);
                    }
                    Ok(Progress::Continue) => {}
                    Ok(Progress::Complete) => self.transmit(),
                    Err(discard) => self.discards.push((Direction::ToClient, discard)),
                },
                Side::Established(established) => {
                    let again = late(&mut established.session, record);
                    self.again(Direction::ToClient, again);
                }
                Side::Absent | Side::Failed(_) => {}
            }
        }
    }

    fn again(&mut self, direction: Direction, outcome: Result<Option<Vec<u8>>, Discard>) {
        let back = match direction {
            Direction::ToServer => Direction::ToClient,
            Direction::ToClient => Direction::ToServer,
        };
        match outcome {
            Ok(Some(flight)) => self.send(back, flight),
            Ok(None) => {}
            Err(discard) => self.discards.push((direction, discard)),
        }
    }
}

/// What an established session has to send about a record of the handshake that comes late.
fn late(session: &mut Session, record: &mut [u8]) -> Result<Option<Vec<u8>>, Discard> {
    match session.open(&Watched, record)?.content {
        Content::FinishedAgain => {
            let mut buf = [0; 512];
            let len = session.last_flight(&Watched, &mut buf).unwrap();
            Ok(Some(buf[..len].to_vec()))
        }
        _ => Ok(None),
    }
}
