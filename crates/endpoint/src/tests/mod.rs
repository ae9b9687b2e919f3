//! Two endpoints and a wire between them on which anything can happen.

use std::collections::VecDeque;
use std::vec::Vec;

use core::convert::Infallible;

use rand_core::{CryptoRng, TryCryptoRng, TryRng};
use sedge_coap::{Code, Message, OptionNumber};
use sedge_crypto::{Crypto, RustCrypto, Secret, Signature, public_key_from_info, subject_public_key_info};
use sedge_dtls::{
    AlertDescription, CertificateType, Credentials, Full, PeerCertificate, Psk, Verified, Versions,
};
use sedge_time::{Duration, Instant};

use crate::memory::{FixedMemory, Hosted, Memory, PagedMemory, Path};
use crate::{
    CidLayout, CloseReason, Config, Connect, Endpoint, Event, ExchangeId, Host, Incoming, SendError,
    SessionId, Ticket,
};

mod chaos;
mod coap;
mod early;
mod paths;
mod sessions;

/// An address on the test wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address(u8);

impl Path for Address {
    fn cookie_bytes(&self, out: &mut [u8; 32]) -> usize {
        out[0] = self.0;
        1
    }
}

/// Predictable, and good enough for a test: SplitMix64.
pub(crate) struct TestRng(pub(crate) u64);

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ z >> 31)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

pub(crate) type Server = PagedMemory<Address, Hosted<RustCrypto>, TestRng>;
pub(crate) type Device = FixedMemory<Address, Full<RustCrypto>, TestRng, 1, 1, 4, 256, 5>;

pub(crate) const SERVER: Address = Address(1);
pub(crate) const DEVICE: Address = Address(2);
const IDENTITY: &[u8] = b"device-7";
const PRINCIPAL: u32 = 77;

/// What a host sends ends up here.
pub(crate) struct Outbox {
    /// Who dials.
    pub(crate) identity: Vec<u8>,
    pub(crate) key: Psk,
    pub(crate) sent: VecDeque<(Address, Vec<u8>)>,
    /// Refuse so many datagrams.
    pub(crate) refuse: usize,
    /// Both sides show raw public keys instead.
    pub(crate) by_key: Option<KeyPair>,
}

/// A side's key, and whether it believes the other's.
pub(crate) struct KeyPair {
    pub(crate) scalar: Secret<32>,
    pub(crate) info: Vec<u8>,
    pub(crate) believes: bool,
}

impl KeyPair {
    pub(crate) fn new(number: u8, believes: bool) -> Self {
        let scalar = Secret::new([number; 32]);
        let key = RustCrypto.signing_key(&scalar).unwrap();
        let info = subject_public_key_info(&RustCrypto.public_key(&key)).to_vec();
        Self { scalar, info, believes }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self { identity: IDENTITY.to_vec(), key: psk(), sent: VecDeque::new(), refuse: 0, by_key: None }
    }
}

/// A device's own key, and the server's table of one.
impl<C: Crypto> Credentials<C> for &Outbox {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        self.by_key.is_none().then_some((&self.identity, &self.key))
    }

    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        (identity == IDENTITY).then(|| (psk(), PRINCIPAL))
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        let own = self.by_key.as_ref().filter(|_| kind == CertificateType::RawPublicKey && index == 0)?;
        Some(&own.info)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &C,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        let key = crypto.signing_key(&self.by_key.as_ref()?.scalar).ok()?;
        crypto.sign(&key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        if self.by_key.is_some() { &[CertificateType::RawPublicKey] } else { &[] }
    }

    fn verify(&mut self, _: &C, shown: &PeerCertificate<'_>) -> Result<Verified, AlertDescription> {
        let public_key = public_key_from_info(shown.entries().next().unwrap()).unwrap();
        match self.by_key.as_ref().is_some_and(|own| own.believes) {
            true => Ok(Verified { public_key, principal: PRINCIPAL }),
            false => Err(AlertDescription::BAD_CERTIFICATE),
        }
    }
}

impl<C: Crypto> Host<C> for Outbox {
    type Path = Address;

    fn transmit(&mut self, path: &Address, fill: impl FnOnce(&mut [u8]) -> usize) -> bool {
        if self.refuse > 0 {
            self.refuse -= 1;
            return false;
        }
        let mut buf = [0; 1280];
        let len = fill(&mut buf);
        if len > 0 {
            self.sent.push_back((*path, buf[..len].to_vec()));
        }
        true
    }

    fn credentials(&mut self, _: SessionId) -> impl Credentials<C> {
        &*self
    }
}

pub(crate) fn psk() -> Psk {
    Psk::new(&[0x5e; 16]).unwrap()
}

/// An event without its borrow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Connected(SessionId, u32, Option<SessionId>),
    Closed(SessionId, CloseReason),
    Request(Code, Vec<u8>),
    Response(ExchangeId, Code, Vec<u8>, bool),
    Other(std::string::String),
}

/// One side: an endpoint, its address and what it saw.
pub(crate) struct Side<M: Memory<Path = Address>> {
    pub(crate) endpoint: Endpoint<M>,
    pub(crate) out: Outbox,
    pub(crate) at: Address,
    pub(crate) seen: Vec<Seen>,
    pub(crate) tickets: Vec<Ticket>,
    /// Answer requests at once with 2.04 and this payload, or keep the tickets.
    pub(crate) answer: Option<Vec<u8>>,
}

impl<M: Memory<Path = Address>> Side<M> {
    pub(crate) fn take(&mut self, now: Instant, from: Address, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        let mut incoming = Incoming::new(from, &mut datagram);
        while let Some(event) = self.endpoint.receive(now, &mut incoming, &mut self.out) {
            let seen = match event {
                Event::Connected { session, principal, replaced, .. } => {
                    Seen::Connected(session, principal, replaced)
                }
                Event::Closed { session, reason, .. } => Seen::Closed(session, reason),
                Event::Request { ticket, message } => {
                    let seen = Seen::Request(message.code(), message.payload().to_vec());
                    match &self.answer {
                        Some(payload) => {
                            let (endpoint, out) = (&mut self.endpoint, &mut self.out);
                            let sent = endpoint.respond(now, ticket, out, Code::CHANGED, |w| {
                                w.payload(payload);
                            });
                            // What was held back goes out when the request is repeated.
                            assert!(matches!(sent, Ok(()) | Err(SendError::Busy)), "{sent:?}");
                        }
                        None => self.tickets.push(ticket),
                    }
                    seen
                }
                Event::Response { exchange, message, last, .. } => {
                    Seen::Response(exchange, message.code(), message.payload().to_vec(), last)
                }
                other => Seen::Other(std::format!("{other:?}")),
            };
            self.seen.push(seen);
        }
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(event) = self.endpoint.expire(now, &mut self.out) {
            match event {
                Event::Closed { session, reason, .. } => self.seen.push(Seen::Closed(session, reason)),
                Event::Render { notification, .. } => self
                    .endpoint
                    .renotify(now, notification, false, &mut self.out, Code::CONTENT, |w| {
                        w.option_uint(OptionNumber::OBSERVE, 9).payload(b"again");
                    })
                    .unwrap(),
                other => self.seen.push(Seen::Other(std::format!("{other:?}"))),
            }
        }
    }
}

/// A device, a server, a clock.
pub(crate) struct World {
    pub(crate) now: Instant,
    /// What the device offers.
    pub(crate) versions: Versions,
    pub(crate) server: Side<Server>,
    pub(crate) device: Side<Device>,
    /// Every datagram delivered, with whether it came from the device.
    pub(crate) wire: Vec<(bool, Vec<u8>)>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_config(|_| {})
    }

    pub(crate) fn with_config(change: impl Fn(&mut Config)) -> Self {
        let now = Instant::from_micros(5_000_000);
        let mut server =
            Config { accept: true, cid: CidLayout::new(4, 4, 3, 20).unwrap(), ..Config::default() };
        let mut device = Config::default();
        change(&mut server);
        change(&mut device);
        let server = Endpoint::new(now, server, RustCrypto, TestRng(1), Server::parts(4, 2, 64));
        let device = Endpoint::new(now, device, RustCrypto, TestRng(2), crate::Parts::default());
        Self {
            now,
            versions: Versions::ONLY_1_2,
            server: side(server, SERVER, Some(b"ok".to_vec())),
            device: side(device, DEVICE, None),
            wire: Vec::new(),
        }
    }

    pub(crate) fn dial(&mut self) -> SessionId {
        self.dial_with(&psk())
    }

    pub(crate) fn dial_with(&mut self, psk: &Psk) -> SessionId {
        self.device.out.key = psk.clone();
        let connect = Connect { versions: self.versions, ..Connect::default() };
        self.device.endpoint.connect(self.now, SERVER, &connect, &mut self.device.out).unwrap()
    }

    /// Delivers until nothing is on its way.
    pub(crate) fn settle(&mut self) {
        self.settle_through(|_, datagram| std::vec![datagram]);
    }

    /// Delivers until nothing is on its way; `link` says what becomes of each datagram (true: from the device).
    pub(crate) fn settle_through(&mut self, mut link: impl FnMut(bool, Vec<u8>) -> Vec<Vec<u8>>) {
        for _ in 0..1000 {
            let (from_device, to, datagram) = if let Some((to, datagram)) = self.device.out.sent.pop_front() {
                (true, to, datagram)
            } else if let Some((to, datagram)) = self.server.out.sent.pop_front() {
                (false, to, datagram)
            } else {
                return;
            };
            for datagram in link(from_device, datagram) {
                self.wire.push((from_device, datagram.clone()));
                if from_device && to == SERVER {
                    self.server.take(self.now, self.device.at, &datagram);
                } else if !from_device && to == self.device.at {
                    self.device.take(self.now, SERVER, &datagram);
                }
            }
        }
        panic!("the two never come to rest");
    }

    /// Lets time pass until either side sends or sees something, or nothing is left to wait for.
    pub(crate) fn tick(&mut self) {
        let seen = self.server.seen.len() + self.device.seen.len();
        loop {
            let next = [self.server.endpoint.deadline(), self.device.endpoint.deadline()];
            let Some(next) = next.into_iter().flatten().min() else { return };
            self.now = next.max(self.now);
            self.server.expire(self.now);
            self.device.expire(self.now);
            let silent = self.server.out.sent.is_empty() && self.device.out.sent.is_empty();
            if !silent || self.server.seen.len() + self.device.seen.len() > seen {
                return;
            }
        }
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        self.now += span;
        self.server.expire(self.now);
        self.device.expire(self.now);
    }

    /// A world with one session; what was seen on the way is forgotten.
    pub(crate) fn connected() -> (Self, SessionId, SessionId) {
        Self::connected_with(Versions::ONLY_1_2, |_| {})
    }

    pub(crate) fn connected_with(
        versions: Versions,
        change: impl Fn(&mut Config),
    ) -> (Self, SessionId, SessionId) {
        let mut world = Self { versions, ..Self::with_config(change) };
        let session = world.dial();
        world.settle();
        let Some(&Seen::Connected(server, PRINCIPAL, None)) = world.server.seen.first() else {
            panic!("{:?}", world.server.seen)
        };
        world.server.seen.clear();
        world.device.seen.clear();
        world.wire.clear();
        (world, session, server)
    }
}

fn side<M: Memory<Path = Address>>(endpoint: Endpoint<M>, at: Address, answer: Option<Vec<u8>>) -> Side<M> {
    Side { endpoint, out: Outbox::default(), at, seen: Vec::new(), tickets: Vec::new(), answer }
}

/// The type, code, Message ID and payload of a message that `parse` can read.
pub(crate) fn summary(bytes: &[u8]) -> (sedge_coap::Type, Code, u16) {
    let message = Message::parse(bytes).unwrap();
    (message.kind(), message.code(), message.message_id())
}
