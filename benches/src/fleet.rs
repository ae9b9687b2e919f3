//! The load generator: thousands of DTLS clients behind one socket.
//!
//! All of 127.0.0.0/8 is this machine, so a socket bound to every address can be any number of peers: each
//! client has a source address of its own, named in the control message of every datagram it sends
//! (IP_PKTINFO), and learns from the same control message that an answer is for it.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::{thread, time};

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt, sockopt,
};
use sedge_crypto::{Crypto, CryptoRng, HostCrypto, NamedGroup, PublicKey, Signature, public_key_from_info};
use sedge_dtls::{
    AlertDescription, CertificateType, CipherSuite, ClientConfig, ClientHandshake, Content, ContentType,
    Context, Credentials, PeerCertificate, Progress, Psk, Records, Session, Verified, Versions,
};
use sedge_endpoint::memory::Hosted;
use sedge_time::Instant;

use crate::net::{DATAGRAM, Receiver, enlarge_buffers};
use crate::pki::KeyPair;
use crate::process::ServerProcess;

/// Every client's key. What is measured does not depend on it, and it opens nothing else.
pub(crate) const KEY: [u8; 16] = *b"benchmarks only!";

const FIRST: u32 = u32::from_be_bytes([127, 64, 0, 1]);

/// The address of a client.
pub(crate) const fn address(client: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(FIRST + client)
}

/// The clients' common socket.
pub(crate) struct FleetSocket {
    socket: UdpSocket,
    server: SockaddrIn,
    control: Vec<u8>,
    buffer: Box<[u8; DATAGRAM]>,
    /// What [`later`](Self::later) was asked to send.
    outgoing: Vec<(u32, Vec<u8>)>,
}

impl FleetSocket {
    pub(crate) fn new(server: SocketAddrV4) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        enlarge_buffers(&socket)?;
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        Ok(Self {
            socket,
            server: server.into(),
            control: nix::cmsg_space!(in_pktinfo),
            buffer: Box::new([0; DATAGRAM]),
            outgoing: Vec::new(),
        })
    }

    pub(crate) fn port(&self) -> io::Result<u16> {
        self.socket.local_addr().map(|address| address.port())
    }

    pub(crate) fn send(&self, client: u32, datagram: &[u8]) -> io::Result<()> {
        let source = in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: in_addr { s_addr: address(client).to_bits().to_be() },
            ipi_addr: in_addr { s_addr: 0 },
        };
        let control = [ControlMessage::Ipv4PacketInfo(&source)];
        let slices = [IoSlice::new(datagram)];
        sendmsg(self.socket.as_raw_fd(), &slices, &control, MsgFlags::empty(), Some(&self.server))?;
        Ok(())
    }

    /// Sends once nothing is left to read. What takes the clients' time is done first, so that the server finds much at
    /// once and does not sleep in between, however fast it is.
    pub(crate) fn later(&mut self, client: u32, datagram: &[u8]) {
        self.outgoing.push((client, datagram.into()));
    }

    fn flush(&mut self) -> io::Result<()> {
        let outgoing = std::mem::take(&mut self.outgoing);
        outgoing.iter().try_for_each(|(client, datagram)| self.send(*client, datagram))
    }

    /// The next datagram and the client it is for; `None` if none comes within `patience`.
    ///
    /// It looks again after a nap instead of waiting in the kernel: a server whose every datagram wakes
    /// somebody pays for that, and one that is slower than its clients pays for each, which says nothing about a
    /// server whose clients are elsewhere.
    pub(crate) fn receive(&mut self, patience: time::Duration) -> io::Result<Option<(u32, &mut [u8])>> {
        let mut since = None;
        let (len, client) = loop {
            let mut slices = [IoSliceMut::new(&mut self.buffer[..])];
            let control = Some(&mut self.control[..]);
            let fd = self.socket.as_raw_fd();
            match recvmsg::<SockaddrIn>(fd, &mut slices, control, MsgFlags::MSG_DONTWAIT) {
                Ok(message) => {
                    let to = message.cmsgs()?.find_map(|control| match control {
                        ControlMessageOwned::Ipv4PacketInfo(info) => Some(u32::from_be(info.ipi_addr.s_addr)),
                        _ => None,
                    });
                    let to = to.ok_or_else(|| io::Error::other("no IP_PKTINFO"))?;
                    break (message.bytes, to.wrapping_sub(FIRST));
                }
                Err(Errno::EAGAIN) if !self.outgoing.is_empty() => self.flush()?,
                Err(Errno::EAGAIN) if nap(&mut since, patience) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        };
        Ok(Some((client, &mut self.buffer[..len])))
    }
}

/// Sleeps for a moment, unless that has gone on for `patience`.
fn nap(since: &mut Option<time::Instant>, patience: time::Duration) -> bool {
    if patience.is_zero() {
        return false;
    }
    let goes_on = since.get_or_insert_with(time::Instant::now).elapsed() < patience;
    if goes_on {
        thread::sleep(time::Duration::from_micros(200));
    }
    goes_on
}

/// Takes what comes to a fleet's socket, without looking at it, until it has been quiet for a while.
pub(crate) struct Drain(Receiver);

impl Drain {
    pub(crate) fn new() -> Self {
        Self(Receiver::new())
    }

    /// How many datagrams came from `server`, `enough` at most.
    pub(crate) fn run(
        &mut self,
        socket: &FleetSocket,
        server: &ServerProcess,
        enough: u32,
    ) -> io::Result<u32> {
        let (mut came, mut since) = (0, None);
        while came < enough {
            match self.0.receive(&socket.socket, MsgFlags::MSG_DONTWAIT) {
                Ok(count) => {
                    came += count as u32;
                    since = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !nap(&mut since, QUIET) && !server.is_busy() {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(came)
    }
}

/// When nothing came for this long and the server rests, nothing comes.
const QUIET: time::Duration = time::Duration::from_millis(200);

/// A client's part in what is going on.
enum Client {
    Handshaking(Box<ClientHandshake<Hosted<HostCrypto>>>, time::Instant),
    Connected(Box<Session>),
    Gone,
}

/// Clients, numbered from 0 in the order of their connecting.
pub(crate) struct Fleet {
    socket: FleetSocket,
    clients: Vec<Client>,
    crypto: HostCrypto,
    rng: UnwrapErr<SysRng>,
    epoch: time::Instant,
    identity: Identity,
    versions: Versions,
    /// How long each handshake took, from the first ClientHello to the client's Session.
    pub(crate) handshake_times: Vec<time::Duration>,
    /// UDP payload bytes sent and received in handshakes.
    pub(crate) handshake_bytes: (u64, u64),
}

/// Who all clients are.
pub(crate) enum Identity {
    /// They know a pre-shared key.
    Psk(Psk, String),
    /// They show a certificate, or the key in it.
    KeyPair(CertificateType, KeyPair),
}

impl Identity {
    /// Everybody's pre-shared key, under this name.
    pub(crate) fn psk(identity: &str) -> io::Result<Self> {
        let psk = Psk::new(&KEY).ok_or_else(|| io::Error::other("unusable key"))?;
        Ok(Self::Psk(psk, identity.into()))
    }
}

impl Credentials<HostCrypto> for &mut Identity {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        match self {
            Identity::Psk(psk, identity) => Some((identity.as_bytes(), psk)),
            Identity::KeyPair(..) => None,
        }
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        match self {
            Identity::KeyPair(own, pair) if *own == kind && index == 0 => Some(match kind {
                CertificateType::X509 => &pair.certificate,
                CertificateType::RawPublicKey => &pair.info,
            }),
            _ => None,
        }
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &HostCrypto,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        match self {
            Identity::KeyPair(_, pair) => crypto.sign(&pair.key, digest, rng).ok(),
            Identity::Psk(..) => None,
        }
    }

    fn believes(&self) -> &[CertificateType] {
        match self {
            Identity::KeyPair(CertificateType::X509, _) => &[CertificateType::X509],
            Identity::KeyPair(..) => &[CertificateType::RawPublicKey],
            Identity::Psk(..) => &[],
        }
    }

    /// Any server: what is measured is what the server does.
    fn verify(
        &mut self,
        _crypto: &HostCrypto,
        certificate: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        let shown = certificate.entries().next().unwrap_or_default();
        let key: Option<PublicKey> = match certificate.kind {
            CertificateType::X509 => {
                sedge_x509::Certificate::parse(shown).ok().map(|shown| *shown.public_key())
            }
            CertificateType::RawPublicKey => public_key_from_info(shown).ok(),
        };
        let public_key = key.ok_or(AlertDescription::BAD_CERTIFICATE)?;
        Ok(Verified { public_key, principal: 0 })
    }
}

/// One for each way to authenticate, so that every server agrees on the same.
const SUITES: &[CipherSuite] = &[
    CipherSuite::TLS_AES_128_CCM_8_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
    CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
];

/// How many handshakes are under way at once: enough to keep a server busy, few enough for its receive
/// buffer.
const WAVE: u32 = 128;
/// How long a datagram on loopback can take while the machine is busy with something else.
const PATIENCE: time::Duration = time::Duration::from_millis(500);

impl Fleet {
    /// Clients of `server`, which knows them all as `identity`, by DTLS 1.2.
    pub(crate) fn new(server: SocketAddrV4, identity: &str) -> io::Result<Self> {
        Self::with_identity(server, Identity::psk(identity)?, Versions::ONLY_1_2)
    }

    pub(crate) fn with_identity(
        server: SocketAddrV4,
        identity: Identity,
        versions: Versions,
    ) -> io::Result<Self> {
        Ok(Self {
            socket: FleetSocket::new(server)?,
            clients: Vec::new(),
            crypto: HostCrypto,
            rng: UnwrapErr(SysRng),
            epoch: time::Instant::now(),
            identity,
            versions,
            handshake_times: Vec::new(),
            handshake_bytes: (0, 0),
        })
    }

    pub(crate) fn len(&self) -> u32 {
        self.clients.len() as u32
    }

    pub(crate) fn socket(&self) -> &FleetSocket {
        &self.socket
    }

    /// Connects `count` more clients. Every one must complete its handshake; what is lost on the way is sent
    /// again, as DTLS has it.
    pub(crate) fn connect(&mut self, count: u32) -> Result<(), String> {
        self.connect_all(count).map_err(|error| format!("handshakes: {error}"))
    }

    fn connect_all(&mut self, count: u32) -> io::Result<()> {
        let end = self.len() + count;
        let mut under_way = 0;
        loop {
            while under_way < WAVE && self.len() < end {
                self.start()?;
                under_way += 1;
            }
            if under_way == 0 {
                return self.socket.flush();
            }
            let now = self.now();
            match self.socket.receive(PATIENCE)? {
                Some((client, datagram)) => {
                    let Some(state) = self.clients.get_mut(client as usize) else { continue };
                    let Client::Handshaking(handshake, _) = state else { continue };
                    self.handshake_bytes.1 += datagram.len() as u64;
                    let mut context = Context::new(&self.crypto, &mut self.rng, now);
                    let mut credentials = &mut self.identity;
                    let mut complete = false;
                    for record in Records::new(datagram, 0) {
                        match handshake.receive(&mut context, &mut credentials, record) {
                            Ok(Progress::Complete) => complete = true,
                            Ok(Progress::Failed(failure)) => return Err(io::Error::other(failure)),
                            Ok(Progress::Continue) | Err(_) => {}
                        }
                    }
                    self.transmit(client)?;
                    if complete {
                        self.finish(client)?;
                        under_way -= 1;
                    }
                }
                None => self.retransmit()?,
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.epoch.elapsed().as_micros() as u64)
    }

    fn start(&mut self) -> io::Result<()> {
        let client = self.len();
        let now = self.now();
        let mut context = Context::new(&self.crypto, &mut self.rng, now);
        let mut credentials = &mut self.identity;
        let config = ClientConfig {
            versions: self.versions,
            suites: SUITES,
            groups: &[NamedGroup::Secp256r1],
            ..ClientConfig::default()
        };
        let handshake =
            ClientHandshake::connect(&mut context, &mut credentials, &config).map_err(io::Error::other)?;
        self.clients.push(Client::Handshaking(Box::new(handshake), time::Instant::now()));
        self.transmit(client)
    }

    fn transmit(&mut self, client: u32) -> io::Result<()> {
        let Some(Client::Handshaking(handshake, _)) = self.clients.get_mut(client as usize) else {
            return Ok(());
        };
        let mut datagram = [0; DATAGRAM];
        while let Some(len) = handshake.poll_transmit(&self.crypto, &mut datagram) {
            self.handshake_bytes.0 += len as u64;
            self.socket.later(client, &datagram[..len]);
        }
        Ok(())
    }

    fn finish(&mut self, client: u32) -> io::Result<()> {
        let Some(state) = self.clients.get_mut(client as usize) else { return Ok(()) };
        let Client::Handshaking(handshake, started) = state else { return Ok(()) };
        self.handshake_times.push(started.elapsed());
        let established = handshake.take_session().ok_or_else(|| io::Error::other("no session"))?;
        *state = Client::Connected(Box::new(established.session));
        Ok(())
    }

    fn retransmit(&mut self) -> io::Result<()> {
        let now = self.now();
        let mut due = Vec::new();
        for (client, state) in self.clients.iter_mut().enumerate() {
            if let Client::Handshaking(handshake, _) = state
                && handshake.deadline().is_some_and(|deadline| deadline <= now)
            {
                let mut context = Context::new(&self.crypto, &mut self.rng, now);
                let mut credentials = &mut self.identity;
                handshake.expire(&mut context, &mut credentials).map_err(io::Error::other)?;
                due.push(client as u32);
            }
        }
        due.into_iter().try_for_each(|client| self.transmit(client))
    }

    /// Seals what `write` puts into the buffer as a client's next record, without sending it.
    pub(crate) fn seal(
        &mut self,
        client: u32,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> io::Result<Vec<u8>> {
        let Some(Client::Connected(session)) = self.clients.get_mut(client as usize) else {
            return Err(io::Error::other("not connected"));
        };
        let mut datagram = vec![0; DATAGRAM];
        let len = write(&mut datagram[session.headroom()..]);
        let len = session
            .seal(&self.crypto, ContentType::APPLICATION_DATA, &mut datagram, len)
            .map_err(io::Error::other)?;
        datagram.truncate(len);
        Ok(datagram)
    }

    pub(crate) fn send(&self, client: u32, datagram: &[u8]) -> io::Result<()> {
        self.socket.send(client, datagram)
    }

    /// The next application data, decrypted, and the client it is for; `None` if there is none for a while.
    pub(crate) fn receive(
        &mut self,
        patience: time::Duration,
        mut read: impl FnMut(u32, &mut [u8]),
    ) -> io::Result<bool> {
        let Some((client, datagram)) = self.socket.receive(patience)? else { return Ok(false) };
        if let Some(Client::Connected(session)) = self.clients.get_mut(client as usize) {
            for record in Records::new(datagram, 0) {
                if let Ok(opened) = session.open(&self.crypto, record)
                    && let Content::ApplicationData(plaintext) = opened.content
                {
                    read(client, plaintext);
                }
            }
        }
        Ok(true)
    }

    /// How long one exchange takes, from the request's sending to its answer's decryption. It looks for the answer
    /// without a pause, for a nap would be most of what it measures.
    pub(crate) fn round_trip(
        &mut self,
        client: u32,
        request: &[u8],
        mut is_answer: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<Option<time::Duration>> {
        let start = time::Instant::now();
        self.socket.send(client, request)?;
        while start.elapsed() < time::Duration::from_secs(2) {
            let mut answered = false;
            self.receive(time::Duration::ZERO, |from, plaintext| {
                answered |= from == client && is_answer(plaintext);
            })?;
            if answered {
                return Ok(Some(start.elapsed()));
            }
        }
        Ok(None)
    }

    /// Says goodbye for every client.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        for (client, state) in self.clients.iter_mut().enumerate() {
            let mut datagram = [0; DATAGRAM];
            if let Client::Connected(session) = state {
                let len = session.close_notify(&self.crypto, &mut datagram).map_err(io::Error::other)?;
                self.socket.send(client as u32, &datagram[..len])?;
            }
            *state = Client::Gone;
        }
        Ok(())
    }
}
