//! IEEE 802.15.4 with 6LoWPAN, from the host's packet to the air and back.

mod control;
mod fragments;
mod recovery;

use std::collections::BTreeMap;

use sedge_time::{Duration, Instant};

use super::packet::destination;
use super::{ConfigError, Core, DropReason, Event, Jammer, LinkReport, Lower, NodeConfig, NodeId, PacketId};
use crate::adaptation::iphc::{Contexts, Ends, compress, decompress};
use crate::adaptation::recovery::{self as recoverable, Incoming, Passage, Sending};
use crate::adaptation::{Adaptation, Forwarding, Reassembly, VirtualBuffers, fragment};
use crate::kernel::Queue;
use crate::mac::{Address, Indication, Job, Mac, Macs, To};
use crate::phy::{Air, Phy};
use crate::routing::{self, Routes, Routing, Rpl, Tree};

/// A network of IEEE 802.15.4 radios at 2.4 GHz.
#[derive(Clone, Debug, Default)]
pub struct Ieee802154 {
    /// The channel.
    pub phy: Phy,
    /// How nodes use it.
    pub mac: Mac,
    /// How packets become frames.
    pub adaptation: Adaptation,
    /// How packets find their way.
    pub routing: Routing,
    /// Prefixes of addresses outside that frames shorten, besides the network's own.
    pub contexts: Vec<[u8; 8]>,
}

#[derive(Debug)]
pub(super) struct Stack {
    macs: Macs,
    adaptation: Adaptation,
    contexts: Contexts,
    nodes: Vec<Node>,
    routes: Routes,
    sensitivity_dbm: Vec<f64>,
    timers: Queue<Timer>,
    handles: u64,
}

#[derive(Debug)]
struct Node {
    reassembly: Reassembly,
    passing: VirtualBuffers,
    /// Packets whose fragments are recovered end to end: from here, to here, through here.
    sending: Vec<Sending>,
    incoming: Vec<Incoming>,
    passages: Vec<Passage>,
    tag: u16,
    forwards: bool,
    /// The addresses that neighbours have registered here.
    registered: BTreeMap<NodeId, [u8; 16]>,
    registrations: u8,
}

#[derive(Debug)]
enum Timer {
    Reassembly(NodeId),
    /// An answer is due to what a node asked in this round about the packet with this tag.
    Recovery(NodeId, u8, u32),
    Routing(routing::Timer),
}

/// The dispatch of a packet whose headers are as they were
/// ([RFC 4944 section 5.1](https://www.rfc-editor.org/rfc/rfc4944#section-5.1)).
const UNCOMPRESSED: u8 = 0x41;

impl Stack {
    pub(super) fn new(
        config: Ieee802154,
        core: &mut Core,
        nodes: &[NodeConfig],
    ) -> Result<Self, ConfigError> {
        let Ieee802154 { phy, mac, adaptation, routing, contexts } = config;
        if !(11..=26).contains(&phy.channel) {
            return Err(ConfigError(format!("channel {}: 11 to 26 are at 2.4 GHz", phy.channel)));
        }
        core.addressing = mac.addressing;
        let air = Air::new(phy, core.streams, nodes, &core.positions);
        let routes =
            match routing {
                Routing::Star => Routes::Tree(Tree::star(nodes.len())),
                Routing::ShortestPaths => Routes::Tree(Tree::shortest(nodes, &air.links())),
                Routing::Static(parents) if parents.len() == nodes.len() => Tree::of(parents)
                    .map(Routes::Tree)
                    .ok_or_else(|| ConfigError("the parents go in a circle, or one is no node".to_owned()))?,
                Routing::Static(parents) => {
                    return Err(ConfigError(format!("{} parents for {} nodes", parents.len(), nodes.len())));
                }
                Routing::Rpl(rpl) => {
                    let root = core.address(NodeId(0)).octets();
                    Routes::Rpl(Box::new(Rpl::new(rpl, root, nodes, &core.streams)))
                }
            };
        let node = |(index, config): (usize, &NodeConfig)| {
            let most = adaptation.reassemblies * if index == 0 { 8 } else { 1 };
            let timeout = adaptation.reassembly_timeout;
            Node {
                reassembly: Reassembly::new(most, timeout),
                passing: VirtualBuffers::new(adaptation.virtual_buffers, timeout),
                sending: Vec::new(),
                incoming: Vec::new(),
                passages: Vec::new(),
                tag: index as u16,
                forwards: index == 0 || config.role.forwards(),
                registered: BTreeMap::new(),
                registrations: 0,
            }
        };
        let mut prefixes = vec![core.prefix()];
        prefixes.extend(contexts);
        let mut stack = Self {
            macs: Macs::new(mac, air, core, nodes),
            adaptation,
            contexts: Contexts::new(&prefixes),
            nodes: nodes.iter().enumerate().map(node).collect(),
            routes,
            sensitivity_dbm: nodes.iter().map(|node| node.profile.sensitivity_dbm.value).collect(),
            timers: Queue::default(),
            handles: 0,
        };
        for index in 0..nodes.len() {
            let node = NodeId(index as u16);
            stack.macs.set_parent(node, stack.routes.parent(node));
        }
        stack.join(core);
        Ok(stack)
    }

    /// Sends a packet on its way: from the host, or for another.
    fn route(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        from: Option<NodeId>,
        id: PacketId,
        packet: Vec<u8>,
    ) {
        let Some(to) = destination(&packet) else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        if to[0] == 0xff {
            return self.transmit(core, now, node, To::Everyone, id, &packet);
        }
        let target = core.node_at(to);
        let link_local = to.starts_with(&[0xfe, 0x80]);
        let next = match target {
            Some(target) if target == node => return core.deliver(now, node, id, packet),
            Some(target) if link_local => Some(target),
            // What is for nobody here leaves through the border router, whose host knows the way.
            None if node == NodeId(0) => return core.deliver(now, node, id, packet),
            target => self.next_hop(core, now, node, from, target.unwrap_or(NodeId(0))),
        };
        match next {
            Some(next) => {
                if from.is_some() {
                    core.trace(now, node, Event::Forwarded { id, next });
                }
                self.transmit(core, now, node, To::Node(next), id, &packet);
            }
            None => core.drop(now, node, Some(id), DropReason::NoRoute),
        }
    }

    /// The next node on the way to `target`; the routing may have something to say about it.
    fn next_hop(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        from: Option<NodeId>,
        target: NodeId,
    ) -> Option<NodeId> {
        let next = self.routes.next_hop(now, node, from, target);
        self.act(core, now);
        next
    }

    /// Sends a packet over one link.
    fn transmit(&mut self, core: &mut Core, now: Instant, node: NodeId, to: To, id: PacketId, packet: &[u8]) {
        let Some((headers, covered)) = compress(packet, self.ends(node, to), &self.contexts) else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        if packet.len() > self.adaptation.mtu {
            return core.drop(now, node, Some(id), DropReason::TooLong);
        }
        self.handles += 1;
        let handle = self.handles;
        let room = self.macs.payload_room();
        let whole = headers.len() + packet.len() - covered;
        if let (To::Node(next), Forwarding::Recover) = (to, self.adaptation.forwarding)
            && whole > room
        {
            return self.recover(core, now, node, next, id, [&headers, &packet[covered..]].concat());
        }
        let payloads = if whole <= room {
            vec![[&headers, &packet[covered..]].concat()]
        } else {
            let state = &mut self.nodes[node.index()];
            state.tag = state.tag.wrapping_add(1);
            fragment::cut(packet, &headers, covered, state.tag, room)
        };
        if payloads.len() > self.macs.room(node) {
            return core.drop(now, node, Some(id), DropReason::QueueFull);
        }
        if payloads.len() > 1 {
            core.trace(now, node, Event::Fragmented { id, count: payloads.len() as u16 });
        }
        let paced = payloads.len() > 1 && self.adaptation.forwarding == Forwarding::Fragments;
        let pause = if paced { self.adaptation.gap } else { Duration::ZERO };
        for payload in payloads {
            let job = Job::data(to, payload, Some(id), handle).followed_by(pause);
            if let Err(reason) = self.macs.submit(core, now, node, job) {
                self.macs.cancel(node, handle);
                return core.drop(now, node, Some(id), reason);
            }
        }
    }

    fn ends(&self, from: NodeId, to: To) -> Ends {
        let addressing = self.macs.mac().addressing;
        let destination = match to {
            To::Node(to) => addressing.of(to),
            To::Everyone => Address::BROADCAST,
        };
        Ends { source: addressing.of(from), destination }
    }

    fn indicate(&mut self, core: &mut Core, now: Instant, indication: Indication) {
        match indication {
            Indication::Received { node, from, payload, id, broadcast, rssi_dbm } => {
                let id = id.unwrap_or_default();
                let to = if broadcast { To::Everyone } else { To::Node(node) };
                if recoverable::Recoverable::begins(&payload) {
                    return self.recoverable(core, now, node, from, id, &payload);
                }
                if recoverable::Received::begins(&payload) {
                    return self.reported(core, now, node, from, id, &payload);
                }
                if fragment::Fragment::begins(&payload) {
                    return self.fragment(core, now, node, from, id, &payload);
                }
                let packet = if payload.first() == Some(&UNCOMPRESSED) {
                    Some(payload[1..].to_vec())
                } else {
                    decompress(&payload, self.ends(from, to), &self.contexts, None).map(|mut headers| {
                        headers.bytes.extend_from_slice(&payload[headers.compressed..]);
                        headers.bytes
                    })
                };
                match packet {
                    Some(packet) if self.control(core, now, node, from, rssi_dbm, &packet) => {}
                    Some(packet) => self.input(core, now, node, from, id, packet),
                    None => core.drop(now, node, Some(id), DropReason::Malformed),
                }
            }
            Indication::Done { node, to, handle, id, outcome } => {
                self.learn(core, now, node, to, handle, outcome);
                let Err(reason) = outcome else { return };
                if handle == u64::MAX || handle == recovery::RECOVERED {
                    // A poll that nobody acknowledged, or a fragment: another one comes.
                    return;
                }
                self.macs.cancel(node, handle);
                if let To::Node(next) = to
                    && handle & fragments::PASSING != 0
                {
                    self.nodes[node.index()].passing.close(next, handle as u16);
                }
                core.drop(now, node, id, reason);
            }
        }
    }

    /// A packet has arrived over one link.
    fn input(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        from: NodeId,
        id: PacketId,
        mut packet: Vec<u8>,
    ) {
        let Some(to) = destination(&packet) else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        if to[0] == 0xff || self.is_for(core, node, to) {
            return core.deliver(now, node, id, packet);
        }
        if let Err(reason) = self.may_forward(node, &packet) {
            return core.drop(now, node, Some(id), reason);
        }
        packet[7] -= 1;
        self.route(core, now, node, Some(from), id, packet);
    }

    fn is_for(&self, core: &Core, node: NodeId, to: &[u8]) -> bool {
        core.node_at(to).unwrap_or(NodeId(0)) == node
    }

    fn may_forward(&self, node: NodeId, packet: &[u8]) -> Result<(), DropReason> {
        if !self.nodes[node.index()].forwards {
            return Err(DropReason::NoRoute);
        }
        if packet[7] <= 1 { Err(DropReason::HopLimit) } else { Ok(()) }
    }
}

impl Lower for Stack {
    fn send(&mut self, core: &mut Core, now: Instant, node: NodeId, id: PacketId, packet: Vec<u8>) {
        self.route(core, now, node, None, id, packet);
    }

    fn deadline(&self) -> Option<Instant> {
        [self.macs.deadline(), self.timers.deadline()].into_iter().flatten().min()
    }

    fn advance(&mut self, core: &mut Core, now: Instant) {
        // One instant at a time, whoever drives: layers above hear of a frame before the next event below.
        while let Some(at) = self.deadline().filter(|&at| at <= now) {
            self.macs.advance(core, at);
            while let Some(indication) = self.macs.next_indication() {
                self.indicate(core, at, indication);
            }
            while let Some((at, timer)) = self.timers.pop(at) {
                match timer {
                    Timer::Reassembly(node) => {
                        for id in self.nodes[node.index()].reassembly.expire(at) {
                            core.drop(at, node, id, DropReason::ReassemblyTimeout);
                        }
                    }
                    Timer::Recovery(node, tag, round) => self.unanswered(core, at, node, tag, round),
                    Timer::Routing(timer) => self.routing_timer(core, at, timer),
                }
            }
        }
    }

    fn set_alive(&mut self, core: &mut Core, now: Instant, node: NodeId, alive: bool) {
        self.macs.set_alive(core, now, node, alive);
        let state = &mut self.nodes[node.index()];
        state.reassembly.clear();
        state.passing.clear();
        state.sending.clear();
        state.incoming.clear();
        state.passages.clear();
        self.restart(core, now, node);
    }

    fn set_awake(&mut self, core: &mut Core, now: Instant, node: NodeId, awake: bool) {
        self.macs.set_awake(core, now, node, awake);
    }

    fn set_clock(&mut self, node: NodeId, ppm: f64) {
        self.macs.set_clock(node, ppm);
    }

    fn moved(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        self.macs.moved(core, now, node);
    }

    fn jam(&mut self, core: &mut Core, now: Instant, jammer: Option<Jammer>) {
        self.macs.jam(core, now, jammer);
    }

    fn links(&self, _core: &Core) -> Vec<LinkReport> {
        let mut links = self.macs.air.links();
        if let Routes::Rpl(rpl) = &self.routes {
            links.iter_mut().for_each(|link| link.etx = rpl.etx(link.from, link.to));
        }
        links
    }

    fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.routes.parent(node)
    }
}

#[cfg(test)]
mod tests;
