//! Bluetooth Low Energy: connection events at fixed intervals, in each of which a few packets go both ways.

use std::collections::VecDeque;

use sedge_time::{Duration, Instant};

use crate::Random;
use crate::kernel::{Purpose, Queue};
use crate::link::Probability;
use crate::network::packet::destination;
use crate::network::{Core, DropReason, Event, Lower, NodeConfig, NodeId, PacketId, RadioState};

/// How the connections of a central are set up; 1 Mbit/s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ble {
    /// connInterval: from one connection event to the next.
    pub interval: Duration,
    /// connPeripheralLatency: how many events a device with nothing to send may leave out.
    pub latency: u32,
    /// Payload of one link-layer packet: 27 bytes, or up to 251 with the data length extension.
    pub octets: usize,
    /// How many packets each way fit one event.
    pub packets: u32,
    /// Chance that an exchange of two packets fails; the event ends, and the next repeats it.
    pub loss: Probability,
    /// How many bytes wait in each direction.
    pub queue: usize,
}

impl Default for Ble {
    /// An event each 50 ms, of which a device with nothing to send leaves out nine in ten.
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(50),
            latency: 9,
            octets: 251,
            packets: 6,
            loss: Probability::NEVER,
            queue: 16_384,
        }
    }
}

/// Bytes around the payload of a link-layer packet: preamble, access address, header, MIC, CRC.
const AROUND: u64 = 1 + 4 + 2 + 4 + 3;
/// Time between two packets of an event (T_IFS).
const SPACE: Duration = Duration::from_micros(150);
/// Header of an L2CAP channel's packet, with the length of what it carries.
const L2CAP: usize = 6;

#[derive(Debug)]
pub(crate) struct Connections {
    config: Ble,
    devices: Vec<Device>,
    queue: Queue<Step>,
}

#[derive(Debug)]
struct Device {
    random: Random,
    anchor: Duration,
    epoch: u32,
    up: Way,
    down: Way,
}

/// Packets that wait in one direction, and how many bytes of the first have gone.
#[derive(Debug, Default)]
struct Way {
    packets: VecDeque<(PacketId, Vec<u8>)>,
    gone: usize,
    waiting: usize,
}

#[derive(Debug)]
enum Step {
    Event(NodeId, u32),
    Ended(NodeId),
}

impl Connections {
    pub(crate) fn new(config: Ble, core: &mut Core, nodes: &[NodeConfig]) -> Self {
        let device = |index: usize| {
            let mut random = core.streams.stream(Purpose::ACCESS, index as u64);
            let anchor = Duration::from_micros(random.bits() % config.interval.as_micros().max(1));
            Device { random, anchor, epoch: 0, up: Way::default(), down: Way::default() }
        };
        let devices = (0..nodes.len()).map(device).collect();
        let mut connections = Self { config, devices, queue: Queue::default() };
        for index in 1..nodes.len() {
            connections.plan(Instant::EPOCH, NodeId(index as u16), false);
        }
        connections
    }

    /// Plans the next event: the very next if the device has something to send, else the last it may not leave out.
    fn plan(&mut self, now: Instant, node: NodeId, at_once: bool) {
        let device = &mut self.devices[node.index()];
        let interval = self.config.interval.as_micros().max(1);
        let anchor = device.anchor.as_micros();
        let next = (now.as_micros().saturating_sub(anchor) / interval + 1) * interval + anchor;
        let events = if at_once { 0 } else { u64::from(self.config.latency) };
        device.epoch += 1;
        self.queue.push(Instant::from_micros(next + events * interval), Step::Event(node, device.epoch));
    }

    /// One connection event: packets go both ways until there are none, it is full, or one is lost.
    fn event(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        if !core.alive[node.index()] {
            return self.plan(now, node, false);
        }
        core.charge_wake(now, node);
        let mut end = now;
        let mut listened = Duration::ZERO;
        let mut sent = Duration::ZERO;
        for packet in 0..self.config.packets {
            let device = &mut self.devices[node.index()];
            if packet > 0 && device.up.packets.is_empty() && device.down.packets.is_empty() {
                break;
            }
            let [down, up] = [&device.down, &device.up].map(|way| way.next(self.config.octets));
            let [down_time, up_time] =
                [down, up].map(|bytes| Duration::from_micros(8 * (AROUND + bytes as u64)));
            listened = listened + down_time;
            sent = sent + up_time;
            end = end + down_time + SPACE + up_time + SPACE;
            if device.random.unit() < self.config.loss.get() || core.cut(NodeId(0), node) {
                break;
            }
            if let Some((id, packet)) = device.down.take(down) {
                core.deliver(end, node, id, packet);
            }
            if let Some((id, packet)) = device.up.take(up) {
                self.arrive(core, end, id, packet);
            }
        }
        // The two alternate; the meter counts them one after the other.
        core.radio(now, node, RadioState::Receive);
        core.radio(now + listened, node, RadioState::Transmit);
        core.radio(now + listened + sent, node, RadioState::Turnaround);
        self.queue.push(end, Step::Ended(node));
        let device = &self.devices[node.index()];
        let more = !device.up.packets.is_empty() || !device.down.packets.is_empty();
        self.plan(end, node, more);
    }

    /// A packet has reached the central.
    fn arrive(&mut self, core: &mut Core, now: Instant, id: PacketId, packet: Vec<u8>) {
        let to = destination(&packet).and_then(|to| core.node_at(to)).unwrap_or(NodeId(0));
        if to == NodeId(0) {
            core.deliver(now, to, id, packet);
        } else {
            core.trace(now, NodeId(0), Event::Forwarded { id, next: to });
            self.submit(core, now, to, id, packet, false);
        }
    }

    fn submit(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        id: PacketId,
        packet: Vec<u8>,
        up: bool,
    ) {
        let most = self.config.queue;
        let device = &mut self.devices[node.index()];
        let way = if up { &mut device.up } else { &mut device.down };
        if way.waiting + packet.len() > most {
            return core.drop(now, node, Some(id), DropReason::QueueFull);
        }
        way.waiting += packet.len() + L2CAP;
        way.packets.push_back((id, packet));
        if up {
            // A device need not wait for the events it may leave out; the central has to.
            self.plan(now, node, true);
        }
    }
}

impl Way {
    /// How many bytes go with the next packet of the link layer.
    fn next(&self, octets: usize) -> usize {
        self.packets.front().map_or(0, |(_, packet)| (packet.len() + L2CAP - self.gone).min(octets))
    }

    /// Takes so many bytes away; the packet whose last ones they were.
    fn take(&mut self, bytes: usize) -> Option<(PacketId, Vec<u8>)> {
        self.gone += bytes;
        let whole = self.packets.front().is_some_and(|(_, packet)| self.gone == packet.len() + L2CAP);
        if !whole {
            return None;
        }
        self.waiting -= self.gone;
        self.gone = 0;
        self.packets.pop_front()
    }
}

impl Lower for Connections {
    fn send(&mut self, core: &mut Core, now: Instant, node: NodeId, id: PacketId, packet: Vec<u8>) {
        let Some(to) = destination(&packet) else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        let target = core.node_at(to).unwrap_or(NodeId(0));
        if target == node {
            core.deliver(now, node, id, packet);
        } else if node == NodeId(0) {
            self.submit(core, now, target, id, packet, false);
        } else {
            self.submit(core, now, node, id, packet, true);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.queue.deadline()
    }

    fn advance(&mut self, core: &mut Core, now: Instant) {
        while let Some((at, step)) = self.queue.pop(now) {
            match step {
                Step::Event(node, epoch) if self.devices[node.index()].epoch == epoch => {
                    self.event(core, at, node)
                }
                Step::Event(..) => {}
                Step::Ended(node) if core.alive[node.index()] => core.radio(at, node, RadioState::Sleep),
                Step::Ended(_) => {}
            }
        }
    }

    fn set_alive(&mut self, _core: &mut Core, _now: Instant, node: NodeId, _alive: bool) {
        let device = &mut self.devices[node.index()];
        device.up = Way::default();
        device.down = Way::default();
    }

    fn parent(&self, node: NodeId) -> Option<NodeId> {
        (node != NodeId(0)).then_some(NodeId(0))
    }
}
