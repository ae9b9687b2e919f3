//! What every medium shares: who the nodes are, what they counted, and what has happened.

use std::collections::VecDeque;
use std::net::Ipv6Addr;
use std::rc::Rc;

use sedge_time::{Duration, Instant};

use super::{Config, DropReason, Event, NodeId, PacketId, Prefix, RadioState, Trace, TraceOptions};
use crate::adaptation::iphc::interface;
use crate::energy::Meter;
use crate::kernel::{Fingerprint, Streams};
use crate::mac::Addressing;

/// A packet that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// At whose host.
    pub node: NodeId,
    /// The number its sender gave it.
    pub id: PacketId,
    /// The whole IPv6 packet.
    pub packet: Vec<u8>,
}

/// What a node has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that its host gave it to send.
    pub accepted: u64,
    /// Packets that it gave its host.
    pub delivered: u64,
    /// Packets that it sent on for others.
    pub forwarded: u64,
    /// Packets, its own or others', that ended here.
    pub dropped: u64,
    /// Frames sent, each try counted, acknowledgements not.
    pub frames: u64,
    /// Acknowledgements sent.
    pub acknowledgements: u64,
    /// Frames that were sent again for want of an acknowledgement.
    pub retries: u64,
    /// Frames given up for want of an acknowledgement.
    pub unacknowledged: u64,
    /// Times that the channel was busy when it was about to send.
    pub busy: u64,
    /// Frames given up because the channel was always busy.
    pub access_failures: u64,
    /// Frames received whole.
    pub received: u64,
    /// Frames received and lost to noise.
    pub noise: u64,
    /// Frames received and lost to another transmission.
    pub collisions: u64,
    /// Frames received twice.
    pub duplicates: u64,
    /// Time on the air.
    pub airtime: Duration,
}

/// Which side of a cut each node is on, while there is one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Option<Rc<[bool]>>);

impl Cut {
    /// One that keeps these of so many nodes from the others.
    pub(crate) fn around(count: usize, island: &[NodeId]) -> Self {
        let mut inside = vec![false; count];
        island.iter().for_each(|node| inside[node.index()] = true);
        Self(Some(inside.into()))
    }

    /// Whether it lies between two nodes.
    pub(crate) fn between(&self, one: NodeId, other: NodeId) -> bool {
        self.0.as_ref().is_some_and(|island| island[one.index()] != island[other.index()])
    }
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) streams: Streams,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) positions: Vec<[f64; 3]>,
    pub(crate) alive: Vec<bool>,
    pub(crate) meters: Vec<Meter>,
    pub(crate) powers_dbm: Vec<f64>,
    pub(crate) counters: Vec<Counters>,
    pub(crate) delivered: VecDeque<Delivered>,
    cut: Cut,
    /// Addresses end with what frames name a node by.
    pub(crate) addressing: Addressing,
    prefix: Prefix,
    options: TraceOptions,
    events: Vec<Trace>,
}

impl Core {
    pub(crate) fn new(config: &Config, streams: Streams) -> Self {
        let nodes = &config.nodes;
        Self {
            streams,
            fingerprint: Fingerprint::default(),
            positions: nodes.iter().map(|node| node.position).collect(),
            alive: vec![true; nodes.len()],
            meters: nodes.iter().map(|node| Meter::new(node.profile.clone(), node.power_dbm)).collect(),
            powers_dbm: nodes.iter().map(|node| node.power_dbm).collect(),
            counters: vec![Counters::default(); nodes.len()],
            delivered: VecDeque::new(),
            cut: Cut::default(),
            addressing: Addressing::default(),
            prefix: config.prefix,
            options: config.trace,
            events: Vec::new(),
        }
    }

    /// The address whose last half is the one that the node's address in frames makes
    /// ([RFC 4944 section 6](https://www.rfc-editor.org/rfc/rfc4944#section-6), with the universal bit clear as in
    /// [RFC 6282 section 3.2.2](https://www.rfc-editor.org/rfc/rfc6282#section-3.2.2)).
    pub(crate) fn address(&self, node: NodeId) -> Ipv6Addr {
        let mut octets = [0; 16];
        octets[..8].copy_from_slice(&self.prefix.0);
        if let Some(interface) = interface(self.addressing.of(node)) {
            octets[8..].copy_from_slice(&interface);
        }
        octets.into()
    }

    /// The node that has this address, if it is of this network.
    pub(crate) fn node_at(&self, address: &[u8]) -> Option<NodeId> {
        let (prefix, interface) = address.split_at_checked(8)?;
        let number = match *interface {
            [0, 0, 0, 0xff, 0xfe, 0, high, low] => [high, low],
            [0, 0x5e, 0xd6, 0xff, 0xfe, 0, high, low] if self.addressing == Addressing::Extended => {
                let number = NodeId(u16::from_be_bytes([high, low]));
                short_address(number).to_be_bytes()
            }
            _ => return None,
        };
        let node = node_of(u16::from_be_bytes(number))?;
        let known = prefix == self.prefix.0 || prefix == [0xfe, 0x80, 0, 0, 0, 0, 0, 0];
        (known && node.index() < self.positions.len()).then_some(node)
    }

    pub(crate) fn prefix(&self) -> [u8; 8] {
        self.prefix.0
    }

    /// Whether a cut lies between two nodes.
    pub(crate) fn cut(&self, one: NodeId, other: NodeId) -> bool {
        self.cut.between(one, other)
    }

    /// The cut that there is at present.
    pub(crate) fn present_cut(&self) -> Cut {
        self.cut.clone()
    }

    pub(super) fn set_island(&mut self, now: Instant, island: Option<&[NodeId]>) {
        self.cut = island.map_or_else(Cut::default, |nodes| Cut::around(self.positions.len(), nodes));
        self.fingerprint.absorb_words([now.as_micros(), u64::MAX, island.map_or(0, <[_]>::len) as u64]);
    }

    pub(super) fn set_alive(&mut self, now: Instant, node: NodeId, alive: bool) {
        self.alive[node.index()] = alive;
        self.radio(now, node, if alive { RadioState::Sleep } else { RadioState::Off });
    }

    /// Notes that a radio changed its state.
    pub(crate) fn radio(&mut self, now: Instant, node: NodeId, state: RadioState) {
        if self.meters[node.index()].switch(now, state) && self.options.radio {
            self.events.push(Trace { at: now, node, event: Event::Radio { state } });
        }
    }

    /// Charges a node for waking up to send or to ask.
    pub(crate) fn charge_wake(&mut self, now: Instant, node: NodeId) {
        let meter = &mut self.meters[node.index()];
        let (time, charge) = (meter.profile().wake_cpu_us.value, meter.profile().wake_uc.value);
        let time = Duration::from_micros(time as u64);
        meter.charge_cpu(time);
        meter.charge_uc(charge);
        self.trace(now, node, Event::Cpu { time });
    }

    /// Charges a modem for the update with which it shows the network that it is still there.
    pub(crate) fn charge_update(&mut self, now: Instant, node: NodeId) {
        let meter = &mut self.meters[node.index()];
        let profile = meter.profile();
        let millijoules = profile.update_mj.as_ref().map_or(0.0, |figure| figure.value);
        let seconds = profile.update_s.as_ref().map_or(0.0, |figure| figure.value);
        let charge = millijoules * 1_000.0 / profile.volts.value;
        meter.charge_uc(charge);
        let time = Duration::from_micros((seconds * 1e6) as u64);
        self.trace(now, node, Event::Updated { time });
    }

    pub(crate) fn deliver(&mut self, now: Instant, node: NodeId, id: PacketId, packet: Vec<u8>) {
        self.trace(now, node, Event::Delivered { id, bytes: packet.len() });
        self.delivered.push_back(Delivered { node, id, packet });
    }

    pub(crate) fn drop(&mut self, now: Instant, node: NodeId, id: Option<PacketId>, reason: DropReason) {
        self.trace(now, node, Event::Dropped { id, reason });
    }

    /// Notes what happened: in the fingerprint and the counters always, for whoever looks if it was asked for.
    pub(crate) fn trace(&mut self, at: Instant, node: NodeId, event: Event) {
        event.count(&mut self.counters[node.index()], at);
        event.absorb(at, node, &mut self.fingerprint);
        let shown = if event.is_frame() { self.options.frames } else { self.options.packets };
        if shown {
            self.events.push(Trace { at, node, event });
        }
    }

    pub(super) fn take_events(&mut self) -> Vec<Trace> {
        std::mem::take(&mut self.events)
    }
}

/// The short address of a node: none is 0, and the reserved ones from 0xfffe are out of reach.
pub(crate) const fn short_address(node: NodeId) -> u16 {
    node.0 + 1
}

/// The node that has this short address.
pub(crate) const fn node_of(short: u16) -> Option<NodeId> {
    match short.checked_sub(1) {
        Some(node) if short < 0xfffe => Some(NodeId(node)),
        _ => None,
    }
}
