//! Everything below IPv6: nodes that send packets to one another over a modelled medium.
//!
//! A [`Network`] is sans-I/O: packets go in with [`Network::send`], virtual time with [`Network::advance`], and
//! what has arrived comes out of [`Network::poll`], after either. Whoever drives it calls `advance` at each
//! [`deadline`](Network::deadline) in turn. The same [`Config`], seed and calls give the same
//! [`hash`](Network::hash).
//!
//! ```
//! use sedge_sim::network::{Config, Ideal, Medium, Network, NodeConfig, NodeId, PacketId};
//! use sedge_time::{Duration, Instant};
//!
//! let ideal = Ideal { delay: Duration::from_millis(5), ..Ideal::default() };
//! let config = Config {
//!     nodes: vec![NodeConfig::default(); 2],
//!     medium: Medium::Ideal(ideal),
//!     ..Config::default()
//! };
//! let mut network = Network::new(config, 7)?;
//! let [from, to] = [NodeId(0), NodeId(1)].map(|node| network.address(node));
//! let packet = sedge_sim::network::udp_packet((from, 1000), (to, 2000), b"hello");
//! network.send(Instant::EPOCH, NodeId(0), PacketId(1), packet);
//! while let Some(now) = network.deadline() {
//!     network.advance(now, &mut |_| ());
//! }
//! assert_eq!(network.poll().map(|arrived| arrived.node), Some(NodeId(1)));
//! # Ok::<(), sedge_sim::network::ConfigError>(())
//! ```

mod config;
mod core;
mod ideal;
mod ieee802154;
pub(crate) mod packet;
mod trace;

use std::net::Ipv6Addr;

use sedge_time::{Duration, Instant};

use crate::energy::Energy;
use crate::kernel::Streams;
pub use config::{Config, ConfigError, Ideal, Jammer, Medium, NodeConfig, Prefix, Role, TraceOptions};
pub(crate) use core::{Core, Cut, node_of, short_address};
pub use core::{Counters, Delivered};
pub use ieee802154::Ieee802154;
pub use packet::udp_packet;
pub use trace::{DropReason, Event, Outcome, RadioState, Trace};

/// A node by its number; 0 is the border router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

impl NodeId {
    /// The place of this node in lists by node.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A packet by the number that its sender gave it, so that a trace can say which packet a frame belonged to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(pub u64);

impl PacketId {
    /// The packets of the network itself, as those of its routing.
    pub const CONTROL: Self = Self(u64::MAX);
}

/// One direction between two nodes, as it was when asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkReport {
    /// Who sends.
    pub from: NodeId,
    /// Who receives.
    pub to: NodeId,
    /// Power at the receiver, if the medium has such a thing.
    pub rssi_dbm: f64,
    /// Chance that a full frame survives, without interference.
    pub prr: f64,
    /// Expected transmissions until a frame is acknowledged, as the routing estimates it.
    pub etx: Option<f64>,
}

/// What a medium does beneath a [`Network`].
pub(crate) trait Lower: std::fmt::Debug {
    fn send(&mut self, core: &mut Core, now: Instant, node: NodeId, id: PacketId, packet: Vec<u8>);
    fn deadline(&self) -> Option<Instant>;
    fn advance(&mut self, core: &mut Core, now: Instant);
    fn set_alive(&mut self, _core: &mut Core, _now: Instant, _node: NodeId, _alive: bool) {}
    fn set_awake(&mut self, _core: &mut Core, _now: Instant, _node: NodeId, _awake: bool) {}
    fn set_clock(&mut self, _node: NodeId, _ppm: f64) {}
    fn moved(&mut self, _core: &mut Core, _now: Instant, _node: NodeId) {}
    fn jam(&mut self, _core: &mut Core, _now: Instant, _jammer: Option<Jammer>) {}
    fn links(&self, _core: &Core) -> Vec<LinkReport> {
        Vec::new()
    }
    fn parent(&self, _node: NodeId) -> Option<NodeId> {
        None
    }
}

/// Nodes and the medium between them; see the [module](self).
#[derive(Debug)]
pub struct Network {
    core: Core,
    lower: Box<dyn Lower>,
}

impl Network {
    /// A network whose chances are those of `seed`.
    ///
    /// # Errors
    /// If the configuration contradicts itself.
    pub fn new(config: Config, seed: u64) -> Result<Self, ConfigError> {
        config.check()?;
        let mut core = Core::new(&config, Streams::new(seed));
        let lower = config.medium.build(&mut core, &config.nodes)?;
        Ok(Self { core, lower })
    }

    /// The address of a node in the network's prefix.
    pub fn address(&self, node: NodeId) -> Ipv6Addr {
        self.core.address(node)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.core.positions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands `node` a whole IPv6 packet to send. What cannot be sent shows as [`Event::Dropped`].
    pub fn send(&mut self, now: Instant, node: NodeId, id: PacketId, packet: Vec<u8>) {
        self.core.trace(now, node, Event::Accepted { id, bytes: packet.len() });
        if !self.core.alive[node.index()] {
            return self.core.drop(now, node, Some(id), DropReason::Dead);
        }
        self.lower.send(&mut self.core, now, node, id, packet);
    }

    /// When something happens next by itself. What [`poll`](Self::poll) has ready does not count.
    pub fn deadline(&self) -> Option<Instant> {
        self.lower.deadline()
    }

    /// Does everything that is due at `now`, and shows what happened since the last call.
    pub fn advance(&mut self, now: Instant, trace: &mut dyn FnMut(&Trace)) {
        self.lower.advance(&mut self.core, now);
        for event in self.core.take_events() {
            trace(&event);
        }
    }

    /// Whether [`poll`](Self::poll) has a packet ready.
    pub fn has_arrived(&self) -> bool {
        !self.core.delivered.is_empty()
    }

    /// Takes the next packet that has arrived at a node's host.
    pub fn poll(&mut self) -> Option<Delivered> {
        self.core.delivered.pop_front()
    }

    /// Switches a node on or off. A dead node neither sends nor hears, uses no energy and forgets what it held.
    pub fn set_alive(&mut self, now: Instant, node: NodeId, alive: bool) {
        self.core.set_alive(now, node, alive);
        self.lower.set_alive(&mut self.core, now, node, alive);
    }

    /// Keeps a sleepy node's receiver on, or lets it sleep between polls again.
    pub fn set_awake(&mut self, now: Instant, node: NodeId, awake: bool) {
        self.lower.set_awake(&mut self.core, now, node, awake);
    }

    /// Has a node's clock run fast by so many millionths from now on. A sleepy node's next poll is at its old time; all later
    /// ones come sooner. Media whose times are the network's and not the device's take no notice.
    pub fn set_clock(&mut self, node: NodeId, ppm: f64) {
        self.lower.set_clock(node, ppm);
    }

    /// Puts a node somewhere else.
    pub fn move_to(&mut self, now: Instant, node: NodeId, position: [f64; 3]) {
        self.core.positions[node.index()] = position;
        self.lower.moved(&mut self.core, now, node);
    }

    /// Cuts these nodes off from all others (but not from one another), or heals the cut.
    pub fn partition(&mut self, now: Instant, island: Option<&[NodeId]>) {
        self.core.set_island(now, island);
    }

    /// Switches a jammer on, or off.
    pub fn jam(&mut self, now: Instant, jammer: Option<Jammer>) {
        self.lower.jam(&mut self.core, now, jammer);
    }

    /// Charges a node for time its processor spends, for example on cryptography.
    pub fn charge_cpu(&mut self, now: Instant, node: NodeId, time: Duration) {
        self.core.meters[node.index()].charge_cpu(time);
        self.core.trace(now, node, Event::Cpu { time });
    }

    /// Takes events of a host into the run's fingerprint.
    pub fn absorb(&mut self, bytes: &[u8]) {
        self.core.fingerprint.absorb(bytes);
    }

    /// The fingerprint of the run so far.
    pub fn hash(&self) -> [u8; 32] {
        self.core.fingerprint.value()
    }

    /// What a node has used so far.
    pub fn energy(&self, node: NodeId, now: Instant) -> Energy {
        self.core.meters[node.index()].energy(now)
    }

    /// What a node has counted so far.
    pub fn counters(&self, node: NodeId) -> Counters {
        self.core.counters[node.index()]
    }

    /// Where a node is, in metres.
    pub fn position(&self, node: NodeId) -> [f64; 3] {
        self.core.positions[node.index()]
    }

    /// The links over which something can be heard.
    pub fn links(&self) -> Vec<LinkReport> {
        self.lower.links(&self.core)
    }

    /// The node through which this one reaches the border router, if it has one.
    pub fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.lower.parent(node)
    }
}

#[cfg(test)]
mod tests;
