//! The packets of the network itself: its routing, and registration.

use std::net::Ipv6Addr;

use sedge_time::Instant;

use super::super::packet::{HEADER_LEN, checksum, packet};
use super::super::{Core, DropReason, Event, NodeId, PacketId};
use super::{Stack, Timer};
use crate::adaptation::iphc::interface;
use crate::mac::{To, eui64};
use crate::routing::{self, Action, Registration, Routes};

const ICMPV6: u8 = 58;
/// All RPL nodes on a link ([RFC 6550 section 20.19](https://www.rfc-editor.org/rfc/rfc6550#section-20.19)).
const ALL_RPL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x1a);

impl Stack {
    /// Lets the routing begin; sleeping nodes listen until they have a parent.
    pub(super) fn join(&mut self, core: &mut Core) {
        if let Routes::Rpl(_) = self.routes {
            for index in 1..self.nodes.len() {
                self.macs.set_awake(core, Instant::EPOCH, NodeId(index as u16), true);
            }
        }
        self.act(core, Instant::EPOCH);
    }

    /// Takes in a packet that is the network's own; `false` if it is not.
    pub(super) fn control(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        from: NodeId,
        rssi_dbm: f64,
        packet: &[u8],
    ) -> bool {
        let Routes::Rpl(rpl) = &mut self.routes else { return false };
        let Some((header, body)) = packet.split_first_chunk::<HEADER_LEN>() else { return false };
        if header[6] != ICMPV6 || checksum(&header[8..24], &header[24..], ICMPV6, body) != 0 {
            return false;
        }
        if let Some(message) = Registration::read(body) {
            self.registration(core, now, node, from, message);
            return true;
        }
        let taken = rpl.receive(now, node, from, rssi_dbm - self.sensitivity_dbm[node.index()], body);
        self.act(core, now);
        taken
    }

    /// Lets the routing learn from what became of a frame.
    pub(super) fn learn(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        to: To,
        handle: u64,
        outcome: Result<u8, DropReason>,
    ) {
        let (Routes::Rpl(rpl), To::Node(to)) = (&mut self.routes, to) else { return };
        // A busy channel and a child that sleeps say nothing about the link.
        let outcome = match outcome {
            Ok(repeated) => Ok(repeated),
            Err(DropReason::NoAck) => Err(()),
            Err(_) => return,
        };
        if handle != u64::MAX || outcome.is_err() {
            rpl.feedback(now, node, to, outcome);
            self.act(core, now);
        }
    }

    pub(super) fn routing_timer(&mut self, core: &mut Core, now: Instant, timer: routing::Timer) {
        if let Routes::Rpl(rpl) = &mut self.routes {
            rpl.timer(now, timer);
            self.act(core, now);
        }
    }

    pub(super) fn restart(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        if let Routes::Rpl(rpl) = &mut self.routes {
            rpl.restart(now, node);
            self.act(core, now);
        }
    }

    pub(super) fn act(&mut self, core: &mut Core, now: Instant) {
        loop {
            let Routes::Rpl(rpl) = &mut self.routes else { return };
            let actions = rpl.take_actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                match action {
                    Action::Send(node, to, body) if core.alive[node.index()] => {
                        self.send_control(core, now, node, to, body)
                    }
                    Action::Send(..) => {}
                    Action::Timer(at, timer) => self.timers.push(at, Timer::Routing(timer)),
                    Action::Parent(node, parent, rank) => {
                        core.trace(now, node, Event::Parent { parent, rank });
                        self.macs.set_parent(node, parent);
                        self.macs.set_awake(core, now, node, parent.is_none());
                        if let Some(parent) = parent {
                            self.register(core, now, node, parent);
                        }
                    }
                }
            }
        }
    }

    /// Asks a new parent to keep the node's address, so that nobody has to ask for it by multicast.
    fn register(&mut self, core: &mut Core, now: Instant, node: NodeId, parent: NodeId) {
        let state = &mut self.nodes[node.index()];
        state.registrations = state.registrations.wrapping_add(1);
        let transaction = state.registrations;
        let address = core.address(node).octets();
        let asked = Registration::Asked { address, transaction, owner: eui64(node) };
        let body = asked.write(self.macs.mac().addressing.of(node));
        self.send_control(core, now, node, To::Node(parent), body);
    }

    fn registration(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        from: NodeId,
        message: Registration,
    ) {
        let Registration::Asked { address, transaction, owner } = message else { return };
        // Status 1 of RFC 8505: somebody else has this address.
        let registered = &mut self.nodes[node.index()].registered;
        let taken = registered.iter().any(|(other, present)| *other != from && *present == address);
        if !taken {
            registered.insert(from, address);
        }
        let answer = Registration::Answered { address, transaction, owner, status: u8::from(taken) };
        let body = answer.write(self.macs.mac().addressing.of(node));
        self.send_control(core, now, node, To::Node(from), body);
    }

    fn send_control(&mut self, core: &mut Core, now: Instant, node: NodeId, to: To, mut body: Vec<u8>) {
        let addressing = self.macs.mac().addressing;
        let link_local = |node| {
            let mut octets = [0; 16];
            octets[..2].copy_from_slice(&[0xfe, 0x80]);
            octets[8..].copy_from_slice(&interface(addressing.of(node)).unwrap_or_default());
            Ipv6Addr::from(octets)
        };
        let source = link_local(node);
        let destination = match to {
            To::Node(to) => link_local(to),
            To::Everyone => ALL_RPL_NODES,
        };
        let sum = checksum(&source.octets(), &destination.octets(), ICMPV6, &body);
        body[2..4].copy_from_slice(&sum.to_be_bytes());
        let packet = packet(source, destination, ICMPV6, 255, &body);
        self.transmit(core, now, node, to, PacketId::CONTROL, &packet);
    }
}
