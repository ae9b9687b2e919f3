//! The broker: the endpoint, the topics and the subscriptions of the real one, put together as one of its shards does,
//! on a simulated host.

mod requests;
mod wire;

use std::net::{Ipv6Addr, SocketAddrV6};
use std::rc::Rc;

use sedge_access::Policy as Rules;
use sedge_crypto::RustCrypto;
use sedge_endpoint::memory::{Hosted, PagedMemory};
use sedge_endpoint::{CidLayout, Event, Incoming};
use sedge_pubsub::{BodyLimits, Frontend, Policy, Settings, Topics, UnixTime};
use sedge_time::{Duration, Instant};

use super::credentials::Directory;
use super::io::Outgoing;
use super::protection::{Protection, tag};
use super::random::SimulatedRng;
use super::stack::{MAX_DATAGRAM, Stack};
use crate::network::NodeId;
use crate::record::{Kind, MessageId, SharedRecord};
use wire::{Link, Outlet, Wire};

pub(crate) use wire::Peer;

pub(super) type Memory = PagedMemory<Peer, Hosted<RustCrypto>, SimulatedRng>;

/// What the broker is told once.
#[derive(Clone, Debug)]
pub(crate) struct BrokerConfig {
    pub(crate) endpoint: sedge_endpoint::Config,
    pub(crate) policy: Policy,
    pub(crate) sessions: usize,
}

/// The broker on the border router.
pub(crate) struct Broker {
    config: BrokerConfig,
    stack: Stack,
    link: Link,
    frontend: Frontend,
    topics: Topics,
    /// No roles and no segments: each device's own rights decide.
    policy: Rules,
    directory: Rc<Directory>,
    /// The operator's, who is a member of the groups; the broker itself is of none.
    protection: Option<Protection>,
    record: SharedRecord,
    buffer: Vec<u8>,
}

/// The wall clock at the beginning of every run: 22 November 2026.
pub(super) const EPOCH: u64 = 1_795_305_600;
/// What devices may send in blocks.
const LIMITS: BodyLimits =
    BodyLimits { bytes: 4 << 20, bodies: 4096, per_session: 2, timeout: Duration::from_secs(300) };
/// How many handshakes may be under way.
const HANDSHAKES: usize = 4096;

pub(super) const fn unix(now: Instant) -> UnixTime {
    UnixTime(EPOCH + now.as_micros() / 1_000_000)
}

/// A Connection ID just long enough for so many sessions.
pub(crate) fn cid_layout(sessions: usize) -> CidLayout {
    let slot_bits = (usize::BITS - sessions.saturating_sub(1).leading_zeros()).max(1);
    CidLayout::new((slot_bits + 4).div_ceil(8) as u8, 0, 0, slot_bits as u8).unwrap_or(CidLayout::NONE)
}

impl Broker {
    pub(crate) fn new(
        now: Instant,
        address: Ipv6Addr,
        config: BrokerConfig,
        directory: Rc<Directory>,
        record: SharedRecord,
        rng: SimulatedRng,
    ) -> Self {
        let stack = Stack::new(address, super::COAPS, 64, 1);
        let settings = Settings { max_value: 4 << 20, history_bytes: 8 << 20, ..Settings::default() };
        let wire = Wire::new(directory.clone(), record.clone());
        Self {
            link: Link::new(now, &config, wire, rng),
            frontend: Frontend::new(config.policy, LIMITS),
            topics: Topics::new(settings),
            config,
            stack,
            policy: Rules::default(),
            directory,
            protection: None,
            record,
            buffer: vec![0; MAX_DATAGRAM],
        }
    }

    /// Has the operator protect commands.
    pub(crate) fn protect(&mut self, protection: Protection) {
        self.protection = Some(protection);
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.link.endpoint.deadline(), self.frontend.deadline()].into_iter().flatten().min()
    }

    /// How many sessions there are.
    pub(crate) fn sessions(&self) -> usize {
        self.link.endpoint.session_count()
    }

    /// The endpoint's counters.
    pub(crate) fn counters(&self) -> &sedge_endpoint::Counters {
        self.link.endpoint.counters()
    }

    /// Takes in a packet, which belongs to `message`.
    pub(crate) fn packet_in(&mut self, now: Instant, packet: Vec<u8>, message: Option<MessageId>) {
        self.stack.packet_in(now, packet);
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some((len, from)) = self.stack.receive(&mut buffer) {
            self.link.wire.cause = message;
            let peer = self.link.wire.nat.outside(from);
            self.receive(now, peer, &mut buffer[..len]);
        }
        self.buffer = buffer;
        self.link.wire.cause = None;
        self.deliver(now);
    }

    /// The next packet for the network.
    pub(crate) fn packet_out(&mut self, now: Instant) -> Option<Outgoing> {
        loop {
            if let Some(bytes) = self.stack.packet_out() {
                return Some(Outgoing { message: self.link.wire.sending, bytes });
            }
            let (peer, datagram, message) = self.link.wire.outgoing.pop_front()?;
            // Who is behind a binding that was given up hears nothing.
            if let Some(to) = self.link.wire.nat.inside(peer) {
                self.link.wire.sending = message;
                let _sent = self.stack.send(now, to, &datagram);
            }
        }
    }

    /// Does what is due.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.link.wire.repeating = true;
        while let Some(event) = self.link.endpoint.expire(now, &mut self.link.wire) {
            self.event(now, event);
        }
        self.frontend.expire(now, &mut Outlet { link: &mut self.link, now });
        self.frontend.expire_bodies(now);
        self.deliver(now);
        self.link.wire.repeating = false;
    }

    /// Starts anew: topics and their values are in the store, sessions are not.
    pub(crate) fn restart(&mut self, now: Instant, rng: SimulatedRng) {
        let mut wire = Wire::new(self.directory.clone(), self.record.clone());
        wire.nat = std::mem::take(&mut self.link.wire.nat);
        self.link = Link::new(now, &self.config, wire, rng);
        self.frontend = Frontend::new(self.config.policy, LIMITS);
    }

    /// From now on the device's datagrams come from another port.
    pub(crate) fn rebind(&mut self, device: Ipv6Addr) {
        self.link.wire.nat.rebind(device);
    }

    /// The operator publishes to a topic. Returns the message.
    pub(crate) fn publish(&mut self, now: Instant, topic: &str, bytes: usize) -> MessageId {
        let message = self.record.borrow_mut().begin(now, Kind::Command, NodeId(0), bytes);
        self.record.borrow_mut().expect(message, topic);
        self.link.wire.cause = Some(message);
        let mut body = super::device::body(message, bytes);
        if let Some(protection) = &mut self.protection {
            body = protection.seal(&RustCrypto, topic, &body);
            self.record.borrow_mut().protect(tag(&body), message);
        }
        self.publish_as_operator(now, topic, &body, self.protection.is_some());
        self.deliver(now);
        self.link.wire.cause = None;
        message
    }

    /// The operator publishes something for devices to fetch.
    pub(crate) fn offer(&mut self, now: Instant, topic: &str, bytes: usize) {
        self.publish_as_operator(now, topic, &vec![0xf1; bytes], false);
        self.deliver(now);
    }

    fn receive(&mut self, now: Instant, peer: SocketAddrV6, datagram: &mut [u8]) {
        let path = Peer(peer);
        let mut incoming = match self.directory.is_plain() {
            true => Incoming::plain(path, datagram),
            false => Incoming::new(path, datagram),
        };
        while let Some(event) = self.link.endpoint.receive(now, &mut incoming, &mut self.link.wire) {
            self.event(now, event);
        }
    }

    fn event(&mut self, now: Instant, event: Event<'_>) {
        match event {
            Event::Request { ticket, message } => self.request(now, ticket, &message),
            Event::Connected { replaced, .. } => {
                replaced.into_iter().for_each(|replaced| self.frontend.close(replaced.to_u64()));
                let mut record = self.record.borrow_mut();
                record.sessions += 1;
                if let Some(handshake) = self.link.wire.cause {
                    record.arrived(now, NodeId(0), handshake);
                }
            }
            Event::Closed { session, .. } => self.frontend.close(session.to_u64()),
            event => self.frontend.event(now, &event, &mut Outlet { link: &mut self.link, now }),
        }
    }

    fn deliver(&mut self, now: Instant) {
        while self.frontend.deliver(now, 512, &mut Outlet { link: &mut self.link, now }) {}
    }
}
