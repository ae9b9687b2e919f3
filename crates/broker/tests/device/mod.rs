//! A device for tests: a blocking client over a real socket, whose every step the test decides.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration as StdDuration, Instant as StdInstant};

use rand_core::UnwrapErr;
use sedge_broker::Key;
use sedge_coap::block::Block;
use sedge_coap::{Code, ContentFormat, Message, OptionNumber, Writer};
use sedge_crypto::RustCrypto;
use sedge_dtls::{CipherSuite, ClientPsk, Credentials, Psk, PskOnly};
use sedge_endpoint::memory::{self, PagedMemory};
use sedge_endpoint::{
    CidLayout, Config, Connect, Endpoint, Event, ExchangeId, Host, Incoming, Request, SessionId,
};
use sedge_time::Instant;

type Entropy = UnwrapErr<getrandom::SysRng>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path(SocketAddr);

impl memory::Path for Path {
    fn cookie_bytes(&self, _: &mut [u8; 32]) -> usize {
        0
    }
}

struct Socket {
    udp: UdpSocket,
    login: Option<(Vec<u8>, Psk)>,
    /// How many of the next datagrams get lost, on the way here and on the way there.
    losses: Losses,
}

#[derive(Default)]
struct Losses {
    received: usize,
    sent: usize,
}

impl Host<RustCrypto> for Socket {
    type Path = Path;

    fn transmit(&mut self, path: &Path, fill: impl FnOnce(&mut [u8]) -> usize) -> bool {
        let mut buf = [0; 1400];
        let len = fill(&mut buf);
        if len > 0 && !due(&mut self.losses.sent) {
            let _sent = self.udp.send_to(&buf[..len], path.0).unwrap();
        }
        true
    }

    fn credentials(&mut self, _: SessionId) -> impl Credentials<RustCrypto> {
        let (identity, psk) = self.login.as_ref().expect("a login");
        ClientPsk { identity, psk }
    }
}

/// What came back, taken out of its datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) exchange: ExchangeId,
    pub(crate) code: Code,
    pub(crate) payload: Vec<u8>,
    pub(crate) observe: Option<u32>,
    pub(crate) block1: Option<Block>,
    pub(crate) block2: Option<Block>,
    pub(crate) content_format: Option<ContentFormat>,
    pub(crate) max_age: Option<u32>,
    pub(crate) size1: Option<u32>,
    pub(crate) echo: Option<Vec<u8>>,
    pub(crate) location: Vec<Vec<u8>>,
}

impl Reply {
    fn new(exchange: ExchangeId, message: &Message<'_>) -> Self {
        Self {
            exchange,
            code: message.code(),
            payload: message.payload().to_vec(),
            observe: message.observe(),
            block1: message.block1(),
            block2: message.block2(),
            content_format: message.content_format(),
            max_age: message.uint(OptionNumber::MAX_AGE),
            size1: message.size1(),
            echo: message.echo().map(<[u8]>::to_vec),
            location: message.location_path().map(<[u8]>::to_vec).collect(),
        }
    }
}

pub(crate) struct Device {
    endpoint: Endpoint<PagedMemory<Path, PskOnly<RustCrypto>, Entropy>>,
    socket: Socket,
    server: Path,
    session: Option<SessionId>,
    start: StdInstant,
    /// Replies that nobody has taken yet.
    replies: Vec<Reply>,
    pub(crate) closed: bool,
}

impl Device {
    fn new(server: SocketAddr) -> Self {
        let start = StdInstant::now();
        let parts = PagedMemory::parts(4, 2, 64);
        let config = Config { cid: CidLayout::new(1, 0, 0, 4).unwrap(), ..Config::default() };
        let rng = UnwrapErr(getrandom::SysRng);
        Self {
            endpoint: Endpoint::new(Instant::EPOCH, config, RustCrypto, rng, parts),
            socket: Socket { udp: Self::bind(server), login: None, losses: Losses::default() },
            server: Path(server),
            session: None,
            start,
            replies: Vec::new(),
            closed: false,
        }
    }

    fn bind(server: SocketAddr) -> UdpSocket {
        let socket = UdpSocket::bind(if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }).unwrap();
        socket.set_read_timeout(Some(StdDuration::from_millis(5))).unwrap();
        socket
    }

    fn now(&self) -> Instant {
        Instant::EPOCH + self.start.elapsed().into()
    }

    /// A handshake; `None` if it comes to nothing within `patience`.
    pub(crate) fn try_connect(
        server: SocketAddr,
        identity: &str,
        key: &Key,
        patience: StdDuration,
    ) -> Option<Self> {
        Self::try_connect_as(server, identity.as_bytes(), key.expose(), patience)
    }

    /// The same with any identity and any key.
    pub(crate) fn try_connect_as(
        server: SocketAddr,
        identity: &[u8],
        key: &[u8],
        patience: StdDuration,
    ) -> Option<Self> {
        let mut device = Self::new(server);
        device.socket.login = Some((identity.into(), Psk::new(key).unwrap()));
        let suites = &[CipherSuite::TLS_PSK_WITH_AES_128_CCM_8];
        let connect = Connect { suites, ..Connect::default() };
        let (now, server) = (device.now(), device.server);
        let session = device.endpoint.connect(now, server, &connect, &mut device.socket).unwrap();
        let until = StdInstant::now() + patience;
        while device.session.is_none() && !device.closed && StdInstant::now() < until {
            device.turn();
        }
        device.session.filter(|connected| *connected == session).map(|_| device)
    }

    pub(crate) fn connect(server: SocketAddr, identity: &str, key: &Key) -> Self {
        Self::try_connect(server, identity, key, StdDuration::from_secs(10)).expect("a session")
    }

    /// Without security.
    pub(crate) fn plain(server: SocketAddr) -> Self {
        let mut device = Self::new(server);
        let (now, server) = (device.now(), device.server);
        device.session = Some(device.endpoint.connect_plain(now, server).unwrap());
        device
    }

    /// Goes on from another source port, as behind a NAT that forgot.
    pub(crate) fn rebind(&mut self) {
        self.socket.udp = Self::bind(self.server.0);
    }

    /// Loses the next datagrams: so many that come, and so many that go.
    pub(crate) fn lose(&mut self, received: usize, sent: usize) {
        self.socket.losses = Losses { received, sent };
    }

    /// How many of those have not come or gone yet.
    pub(crate) fn still_to_lose(&self) -> (usize, usize) {
        (self.socket.losses.received, self.socket.losses.sent)
    }

    /// Takes in one datagram, or a few milliseconds of silence.
    fn turn(&mut self) {
        let now = self.now();
        let mut buf = [0; 2048];
        let Self { endpoint, socket, session, replies, closed, server, .. } = self;
        let mut hear = |event: Event<'_>| match event {
            Event::Connected { session: connected, .. } => *session = Some(connected),
            Event::Closed { .. } => *closed = true,
            Event::Response { exchange, message, .. } => replies.push(Reply::new(exchange, &message)),
            _ => {}
        };
        let received = socket.udp.recv_from(&mut buf);
        if let Ok((len, _)) = received
            && !due(&mut socket.losses.received)
        {
            // On plain CoAP nothing says which session a datagram is for but its path.
            let plain = buf[0] >> 6 == 1;
            let datagram = &mut buf[..len];
            let mut incoming =
                if plain { Incoming::plain(*server, datagram) } else { Incoming::new(*server, datagram) };
            while let Some(event) = endpoint.receive(now, &mut incoming, socket) {
                hear(event);
            }
        }
        while let Some(event) = endpoint.expire(now, socket) {
            hear(event);
        }
    }

    /// Sends a request and returns its name.
    pub(crate) fn send(&mut self, request: Request, write: impl FnOnce(&mut Writer<'_>)) -> ExchangeId {
        let now = self.now();
        let session = self.session.unwrap();
        self.endpoint.request(now, session, request, &mut self.socket, write).unwrap()
    }

    /// The next reply to `exchange`, or `None` after `patience`.
    pub(crate) fn reply(&mut self, exchange: ExchangeId, patience: StdDuration) -> Option<Reply> {
        let until = StdInstant::now() + patience;
        loop {
            if let Some(at) = self.replies.iter().position(|reply| reply.exchange == exchange) {
                return Some(self.replies.remove(at));
            }
            if StdInstant::now() >= until {
                return None;
            }
            self.turn();
        }
    }

    pub(crate) fn request(&mut self, method: Code, path: &str, write: impl FnOnce(&mut Writer<'_>)) -> Reply {
        let exchange = self.send(Request::confirmable(method), |writer| {
            writer.path(path.split('/'));
            write(writer);
        });
        self.reply(exchange, StdDuration::from_secs(10)).expect("a reply")
    }

    pub(crate) fn put(&mut self, path: &str, payload: &[u8]) -> Reply {
        self.request(Code::PUT, path, |writer| {
            writer.payload(payload);
        })
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.request(Code::GET, path, |_| {})
    }

    /// Observes, and returns the observation with its first reply.
    pub(crate) fn observe(&mut self, path: &str) -> (ExchangeId, Reply) {
        let request = Request { observe: true, ..Request::confirmable(Code::GET) };
        let exchange = self.send(request, |writer| {
            writer.option_uint(OptionNumber::OBSERVE, 0).path(path.split('/'));
        });
        (exchange, self.reply(exchange, StdDuration::from_secs(10)).expect("a reply"))
    }

    /// Observes where the broker asks for proof of this device's address first.
    pub(crate) fn observe_with_proof(&mut self, path: &str) -> (ExchangeId, Reply) {
        let (_, challenge) = self.observe(path);
        let request = Request { observe: true, ..Request::confirmable(Code::GET) };
        let exchange = self.send(request, |writer| {
            writer.option_uint(OptionNumber::OBSERVE, 0).path(path.split('/'));
            writer.option(OptionNumber::ECHO, challenge.echo.as_deref().expect("a challenge"));
        });
        (exchange, self.reply(exchange, StdDuration::from_secs(10)).expect("a reply"))
    }

    /// Forgets a request or an observation without telling anyone.
    pub(crate) fn forget(&mut self, exchange: ExchangeId) {
        assert!(self.endpoint.cancel(exchange));
    }

    /// Asks for something on a session that may end before it is answered; `None` if it does.
    pub(crate) fn get_or_end(&mut self, path: &str) -> Option<Reply> {
        let exchange = self.send(Request::confirmable(Code::GET), |writer| {
            writer.path(path.split('/'));
        });
        let mut reply = None;
        let answered = self.until(StdDuration::from_secs(10), |device| {
            reply = device.reply(exchange, StdDuration::ZERO);
            reply.is_some() || device.closed
        });
        assert!(answered, "neither an answer nor an end");
        reply
    }

    /// Takes in whatever comes until something is so; says whether that came in time.
    pub(crate) fn until(&mut self, patience: StdDuration, mut is_so: impl FnMut(&mut Self) -> bool) -> bool {
        let until = StdInstant::now() + patience;
        while !is_so(self) {
            if StdInstant::now() >= until {
                return false;
            }
            self.turn();
        }
        true
    }

    /// Whether the session ends within `patience`.
    pub(crate) fn closes(&mut self, patience: StdDuration) -> bool {
        self.until(patience, |device| device.closed)
    }
}

/// Counts one down, if there are any.
fn due(count: &mut usize) -> bool {
    let is_due = *count > 0;
    *count -= usize::from(is_due);
    is_due
}
