//! The product's DTLS engine behind one blocking socket, with everything in the test's hands: what is sent can be
//! kept, spoilt, repeated or sent from elsewhere.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use getrandom::SysRng;
use rand_core::UnwrapErr;
use sedge_crypto::RustCrypto;
use sedge_dtls::{
    CipherSuite, ClientConfig, ClientHandshake, ClientPsk, ConnectionId, Content, ContentType, Context,
    CookieKeys, Discard, Failure, Hello, Progress, Psk, PskOnly, Records, ServerConfig, ServerHandshake,
    Session, Transport,
};

/// How long a test waits for what should come at once.
pub const SOON: Duration = Duration::from_secs(5);

/// Who connects, and how.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The PSK identity.
    pub name: Vec<u8>,
    /// The pre-shared key.
    pub key: Vec<u8>,
    /// The Connection ID that it wants in what it receives; `None` does not offer the extension.
    pub cid: Option<ConnectionId>,
    /// What it offers, the preferred first.
    pub suites: Vec<CipherSuite>,
    /// How it treats the path.
    pub transport: Transport,
}

impl Identity {
    /// An identity that offers every suite and takes no Connection ID but sends one.
    pub fn new(name: &str, key: &[u8]) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            key: key.to_vec(),
            cid: Some(ConnectionId::EMPTY),
            suites: CipherSuite::ALL.to_vec(),
            transport: Transport::default(),
        }
    }
}

/// One end of an established connection.
#[derive(Debug)]
pub struct Connection {
    /// The socket; not connected, so that datagrams can go anywhere and come from anywhere.
    pub socket: UdpSocket,
    /// Where the peer is.
    pub remote: SocketAddr,
    /// The session.
    pub session: Session,
    /// Every datagram so far, in order.
    pub log: Vec<Datagram>,
    /// How many of them were the handshake.
    pub handshake_len: usize,
    /// How often the peer asked for renegotiation.
    pub renegotiations: usize,
    /// What was dropped since the handshake, and why.
    pub discards: Vec<Discard>,
}

/// A datagram that crossed the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Whether this end sent it.
    pub sent: bool,
    /// Its payload.
    pub bytes: Vec<u8>,
}

fn sent(bytes: &[u8]) -> Datagram {
    Datagram { sent: true, bytes: bytes.to_vec() }
}

fn received(bytes: &[u8]) -> Datagram {
    Datagram { sent: false, bytes: bytes.to_vec() }
}

fn now() -> sedge_time::Instant {
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    sedge_time::Instant::EPOCH + EPOCH.get_or_init(Instant::now).elapsed().into()
}

/// A socket on a port of its own, on the loopback interface of the peer's address family.
///
/// # Panics
/// If there is none.
pub fn socket_towards(remote: SocketAddr) -> UdpSocket {
    let local: SocketAddr = match (remote, remote.ip().is_loopback()) {
        (SocketAddr::V4(_), true) => ([127, 0, 0, 1], 0).into(),
        (SocketAddr::V4(_), false) => ([0, 0, 0, 0], 0).into(),
        (SocketAddr::V6(_), _) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    UdpSocket::bind(local).expect("a free port")
}

/// One datagram, if one comes in time.
///
/// # Panics
/// If the socket breaks.
pub fn receive(socket: &UdpSocket, within: Duration) -> Option<(Vec<u8>, SocketAddr)> {
    let deadline = Instant::now() + within;
    let mut buffer = vec![0; 65_535];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        socket.set_read_timeout(Some(left)).expect("a time-out above zero");
        match socket.recv_from(&mut buffer) {
            Ok((length, from)) => return Some((buffer[..length].to_vec(), from)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return None;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

impl Connection {
    /// Connects to a server, as the client.
    ///
    /// # Errors
    /// Why the handshake failed.
    pub fn connect(remote: SocketAddr, identity: &Identity) -> Result<Self, Failure> {
        Self::connect_from(socket_towards(remote), remote, identity, |_, datagram| vec![datagram])
    }

    /// Connects from this socket; `network` sees each datagram that would be sent, with its number counted from
    /// zero, and says which are.
    ///
    /// # Errors
    /// Why the handshake failed.
    ///
    /// # Panics
    /// If the identity cannot be used at all.
    pub fn connect_from(
        socket: UdpSocket,
        remote: SocketAddr,
        identity: &Identity,
        mut network: impl FnMut(usize, Vec<u8>) -> Vec<Vec<u8>>,
    ) -> Result<Self, Failure> {
        let psk = Psk::new(&identity.key).expect("a key of 1 to 64 bytes");
        let config = ClientConfig {
            suites: &identity.suites,
            own_cid: identity.cid,
            transport: identity.transport,
            ..ClientConfig::default()
        };
        let mut credentials = ClientPsk { identity: &identity.name, psk: &psk };
        let (crypto, mut rng) = (RustCrypto, UnwrapErr(SysRng));
        let mut log = Vec::new();
        let mut context = Context::new(&crypto, &mut rng, now());
        let mut handshake =
            ClientHandshake::connect(&mut context, &mut credentials, &config).expect("a usable identity");
        let mut count = 0;
        let mut buffer = vec![0; 2_048];
        let mut flush = |handshake: &mut ClientHandshake<PskOnly<RustCrypto>>, log: &mut Vec<_>| {
            while let Some(length) = handshake.poll_transmit(&crypto, &mut buffer) {
                log.push(sent(&buffer[..length]));
                for datagram in network(count, buffer[..length].to_vec()) {
                    let _ = socket.send_to(&datagram, remote);
                }
                count += 1;
            }
        };
        let own_cid_len = identity.cid.map_or(0, |cid| cid.len());
        loop {
            flush(&mut handshake, &mut log);
            let deadline = handshake.deadline().expect("a handshake waits for something");
            let incoming = receive(&socket, deadline.saturating_since(now()).into());
            context.now = now();
            let Some((mut datagram, _)) = incoming.filter(|(_, from)| *from == remote) else {
                handshake.expire(&mut context, &mut credentials)?;
                continue;
            };
            log.push(received(&datagram));
            let mut complete = false;
            for record in Records::new(&mut datagram, own_cid_len) {
                match handshake.receive(&mut context, &mut credentials, record) {
                    Ok(Progress::Continue) | Err(_) => {}
                    Ok(Progress::Complete) => complete = true,
                    Ok(Progress::Failed(failure)) => {
                        flush(&mut handshake, &mut log);
                        return Err(failure);
                    }
                }
            }
            if complete {
                flush(&mut handshake, &mut log);
                let established = handshake.take_session().expect("the handshake is complete");
                return Ok(Self {
                    socket,
                    remote,
                    session: established.session,
                    handshake_len: log.len(),
                    log,
                    renegotiations: 0,
                    discards: Vec::new(),
                });
            }
        }
    }

    /// Seals application data into a datagram, which the test may send, now or later or twice or not at all.
    ///
    /// # Panics
    /// If it does not fit into a record.
    pub fn seal(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; plaintext.len() + self.session.overhead()];
        let start = self.session.headroom();
        buffer[start..start + plaintext.len()].copy_from_slice(plaintext);
        let sealed =
            self.session.seal(&RustCrypto, ContentType::APPLICATION_DATA, &mut buffer, plaintext.len());
        buffer.truncate(sealed.expect("it fits into a record"));
        buffer
    }

    /// Sends application data.
    pub fn send(&mut self, plaintext: &[u8]) {
        let datagram = self.seal(plaintext);
        self.send_datagram(&datagram);
    }

    /// Sends a datagram as it is.
    ///
    /// # Panics
    /// If the socket breaks.
    pub fn send_datagram(&mut self, datagram: &[u8]) {
        self.log.push(sent(datagram));
        self.socket.send_to(datagram, self.remote).expect("sent");
    }

    /// Goes on from another source port.
    pub fn rebind(&mut self) {
        self.socket = socket_towards(self.remote);
    }

    /// The next application data, if some comes in time.
    pub fn receive(&mut self, within: Duration) -> Option<Vec<u8>> {
        match self.next(within)? {
            Received::Data(data) => Some(data),
            Received::Closed => None,
        }
    }

    /// Whether the peer says goodbye in time.
    pub fn is_closed(&mut self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Some(Received::Closed) => return true,
                Some(Received::Data(_)) => {}
                None => return false,
            }
        }
    }

    fn next(&mut self, within: Duration) -> Option<Received> {
        let deadline = Instant::now() + within;
        let own_cid_len = self.session.own_cid().len();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (mut datagram, from) = receive(&self.socket, left)?;
            self.log.push(received(&datagram));
            for record in Records::new(&mut datagram, own_cid_len) {
                match self.session.open(&RustCrypto, record) {
                    Ok(opened) => {
                        if opened.newest {
                            self.remote = from;
                        }
                        match opened.content {
                            Content::ApplicationData(data) => return Some(Received::Data(data.to_vec())),
                            Content::Alert(alert) if alert.ends_connection() => {
                                return Some(Received::Closed);
                            }
                            Content::FinishedAgain => {
                                let mut buffer = vec![0; 256];
                                if let Some(length) = self.session.last_flight(&RustCrypto, &mut buffer) {
                                    self.log.push(sent(&buffer[..length]));
                                    let _ = self.socket.send_to(&buffer[..length], self.remote);
                                }
                            }
                            Content::Renegotiation => self.renegotiations += 1,
                            Content::ReturnRoutability(_)
                            | Content::Ticket(_)
                            | Content::ConnectionIdWanted(_)
                            | Content::Nothing => {}
                            Content::Alert(_) => {}
                        }
                    }
                    Err(discard) => self.discards.push(discard),
                }
            }
        }
    }

    /// Says goodbye.
    ///
    /// # Panics
    /// If the session cannot seal any more.
    pub fn close(mut self) {
        let mut buffer = vec![0; 128];
        let length = self.session.close_notify(&RustCrypto, &mut buffer).expect("one more record");
        self.send_datagram(&buffer[..length]);
    }
}

enum Received {
    Data(Vec<u8>),
    Closed,
}

/// A server for one client.
#[derive(Debug)]
pub struct Listener {
    socket: UdpSocket,
    config: Identity,
}

impl Listener {
    /// Listens on a loopback port of its own for a client with this identity. The Connection ID is the one the
    /// server wants in what it receives.
    ///
    /// # Panics
    /// If there is no port.
    pub fn new(config: Identity) -> Self {
        Self { socket: UdpSocket::bind("127.0.0.1:0").expect("a free port"), config }
    }

    /// Where clients reach it.
    ///
    /// # Panics
    /// If the socket broke.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("an address")
    }

    /// Waits for the client and completes the handshake with it.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn accept(self, within: Duration) -> Result<Connection, String> {
        let deadline = Instant::now() + within;
        let (crypto, mut rng) = (RustCrypto, UnwrapErr(SysRng));
        let cookies = CookieKeys::new(&crypto, &mut rng);
        let config = ServerConfig {
            suites: &self.config.suites,
            transport: self.config.transport,
            ..ServerConfig::default()
        };
        let own_cid = self.config.cid.unwrap_or(ConnectionId::EMPTY);
        let mut lookup = |identity: &[u8]| {
            (identity == self.config.name).then(|| Psk::new(&self.config.key).map(|psk| (psk, 1))).flatten()
        };
        let mut context = Context::new(&crypto, &mut rng, now());
        let mut handshake: Option<(ServerHandshake<PskOnly<RustCrypto>>, SocketAddr)> = None;
        let mut log = Vec::new();
        let mut buffer = vec![0; 2_048];
        loop {
            if let Some((handshake, remote)) = &mut handshake {
                while let Some(length) = handshake.poll_transmit(&crypto, &mut buffer) {
                    log.push(sent(&buffer[..length]));
                    let _ = self.socket.send_to(&buffer[..length], *remote);
                }
            }
            let expiry = handshake.as_ref().and_then(|(handshake, _)| handshake.deadline());
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("no handshake in time; datagrams seen: {}", log.len()));
            }
            let wait = expiry.map_or(left, |at| left.min(at.saturating_since(now()).into()));
            let incoming = receive(&self.socket, wait);
            context.now = now();
            let Some((mut datagram, from)) = incoming else {
                if let Some((handshake, _)) = &mut handshake {
                    handshake.expire(context.now).map_err(|failure| failure.to_string())?;
                }
                continue;
            };
            log.push(received(&datagram));
            let address = from.to_string();
            if sedge_dtls::is_client_hello(&datagram) {
                match sedge_dtls::hello(
                    &RustCrypto,
                    &cookies,
                    &config,
                    address.as_bytes(),
                    &datagram,
                    &mut buffer,
                ) {
                    Hello::Reply(length) => {
                        log.push(sent(&buffer[..length]));
                        let _ = self.socket.send_to(&buffer[..length], from);
                    }
                    Hello::Accept(verified) => {
                        let known = handshake.as_ref().is_some_and(|(known, _)| known.answers(&verified));
                        if !known {
                            let accepted = ServerHandshake::accept(
                                &mut context,
                                &mut lookup,
                                &config,
                                &verified,
                                own_cid,
                            );
                            let accepted = accepted.map_err(|refusal| refusal.description().to_string())?;
                            handshake = Some((accepted, from));
                        }
                    }
                    Hello::Discard(_) => {}
                }
                continue;
            }
            let Some((running, remote)) = &mut handshake else { continue };
            for record in Records::new(&mut datagram, running.own_cid().len()) {
                match running.receive(&mut context, &mut lookup, record) {
                    Ok(Progress::Continue) | Err(_) => {}
                    Ok(Progress::Failed(failure)) => return Err(failure.to_string()),
                    Ok(Progress::Complete) => {
                        while let Some(length) = running.poll_transmit(&crypto, &mut buffer) {
                            log.push(sent(&buffer[..length]));
                            let _ = self.socket.send_to(&buffer[..length], *remote);
                        }
                        let established = running.take_session().ok_or("no session")?;
                        return Ok(Connection {
                            socket: self.socket,
                            remote: *remote,
                            session: established.session,
                            handshake_len: log.len(),
                            log,
                            renegotiations: 0,
                            discards: Vec::new(),
                        });
                    }
                }
            }
        }
    }
}
