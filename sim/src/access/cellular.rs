//! LTE-M and NB-IoT: a modem that connects to send, lingers, listens now and then, and sleeps.
//!
//! ```text
//!            packet to send, or update due
//!  Sleeping ----------------------------> Connecting -> Connected
//!     ^  (PSM)                               ^             | nothing for `inactivity`
//!     |                                      |             v
//!     +--- `active_time` is over ------------+---------- Idle (eDRX)
//!                                        paged
//! ```
//!
//! What arrives for a modem that sleeps waits in the network until it connects by itself; for one that is idle, until
//! its next paging occasion.

use std::collections::VecDeque;

use sedge_time::{Duration, Instant};

use crate::Random;
use crate::kernel::{Purpose, Queue};
use crate::link::Probability;
use crate::network::packet::destination;
use crate::network::{Core, DropReason, Event, Lower, NodeConfig, NodeId, PacketId, RadioState};

/// A cellular network, as its operator set it and as far as a device notices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cellular {
    /// From the decision to send until the connection stands: random access and RRC set-up, the least and the most.
    pub connect: (Duration, Duration),
    /// One way over a connection, the least and the most.
    pub latency: (Duration, Duration),
    /// Bits a second, up.
    pub up_bits: u64,
    /// Bits a second, down.
    pub down_bits: u64,
    /// How long a connection lingers after the last packet: the RRC tail, which the network sets.
    pub inactivity: Duration,
    /// How long the modem can be paged after a connection (T3324); with zero it sleeps at once.
    pub active_time: Duration,
    /// Time between paging occasions while it is idle (eDRX cycle).
    pub paging_cycle: Duration,
    /// Time between updates (T3412); zero for a modem that never sleeps.
    pub update: Duration,
    /// How many packets the network keeps for a modem that cannot be reached.
    pub kept: usize,
    /// Chance that a packet is lost for good, after all that the radio repeats.
    pub loss: Probability,
}

impl Cellular {
    /// LTE-M with power saving: an RRC tail of 10 s, eDRX of 81.92 s for three minutes, an update every 12 hours.
    pub fn lte_m() -> Self {
        Self {
            connect: (Duration::from_millis(150), Duration::from_millis(600)),
            latency: (Duration::from_millis(50), Duration::from_millis(120)),
            up_bits: 300_000,
            down_bits: 300_000,
            inactivity: Duration::from_secs(10),
            active_time: Duration::from_secs(180),
            paging_cycle: Duration::from_millis(81_920),
            update: Duration::from_secs(12 * 3_600),
            kept: 8,
            loss: Probability::NEVER,
        }
    }

    /// NB-IoT with power saving.
    pub fn nb_iot() -> Self {
        Self {
            connect: (Duration::from_millis(800), Duration::from_millis(2_500)),
            latency: (Duration::from_millis(250), Duration::from_millis(900)),
            up_bits: 20_000,
            down_bits: 25_000,
            ..Self::lte_m()
        }
    }
}

#[derive(Debug)]
pub(crate) struct Cell {
    config: Cellular,
    modems: Vec<Modem>,
    queue: Queue<Step>,
}

#[derive(Debug)]
struct Modem {
    state: State,
    epoch: u32,
    random: Random,
    up: VecDeque<(PacketId, Vec<u8>)>,
    down: VecDeque<(PacketId, Vec<u8>)>,
    /// When the link is free again, up and down.
    free: [Instant; 2],
    /// Paging occasions lie this far after multiples of the cycle.
    paging_phase: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sleeping,
    Idle,
    Connecting,
    Connected,
}

#[derive(Debug)]
enum Step {
    Connected(NodeId, u32),
    Inactive(NodeId, u32),
    Sleep(NodeId, u32),
    Page(NodeId, u32),
    Update(NodeId),
    Arrive(NodeId, PacketId, Vec<u8>),
    /// At the base station, where it may turn round to another device.
    Climb(NodeId, PacketId, Vec<u8>),
}

impl Cell {
    pub(crate) fn new(config: Cellular, core: &mut Core, nodes: &[NodeConfig]) -> Self {
        let modem = |index: usize| {
            let mut random = core.streams.stream(Purpose::ACCESS, index as u64);
            let cycle = config.paging_cycle.as_micros().max(1);
            let paging_phase = Duration::from_micros(random.bits() % cycle);
            Modem {
                state: State::Sleeping,
                epoch: 0,
                random,
                up: VecDeque::new(),
                down: VecDeque::new(),
                free: [Instant::EPOCH; 2],
                paging_phase,
            }
        };
        let mut cell =
            Self { config, modems: (0..nodes.len()).map(modem).collect(), queue: Queue::default() };
        for index in 1..nodes.len() {
            let node = NodeId(index as u16);
            if config.update > Duration::ZERO {
                let phase = cell.modems[index].random.bits() % config.update.as_micros();
                cell.queue.push(Instant::from_micros(phase), Step::Update(node));
            } else {
                cell.rest(core, Instant::EPOCH, node);
            }
        }
        cell
    }

    fn between(&mut self, node: NodeId, (least, most): (Duration, Duration)) -> Duration {
        let share = self.modems[node.index()].random.unit();
        least + Duration::from_micros(((most - least).as_micros() as f64 * share) as u64)
    }

    fn enter(&mut self, core: &mut Core, now: Instant, node: NodeId, state: State) {
        let modem = &mut self.modems[node.index()];
        modem.state = state;
        modem.epoch += 1;
        let radio = match state {
            State::Sleeping => RadioState::Sleep,
            State::Idle => RadioState::Idle,
            State::Connecting => RadioState::Turnaround,
            State::Connected => RadioState::Transmit,
        };
        core.radio(now, node, radio);
    }

    fn connect(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        if matches!(self.modems[node.index()].state, State::Connecting | State::Connected) {
            return;
        }
        self.enter(core, now, node, State::Connecting);
        let wait = self.between(node, self.config.connect);
        self.queue.push(now + wait, Step::Connected(node, self.modems[node.index()].epoch));
    }

    /// Sends everything that waits, both ways; the connection lingers from the last bit on.
    fn flush(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let mut last = now;
        for way in 0..2 {
            loop {
                let modem = &mut self.modems[node.index()];
                let Some((id, packet)) = (if way == 0 { &mut modem.up } else { &mut modem.down }).pop_front()
                else {
                    break;
                };
                let rate = if way == 0 { self.config.up_bits } else { self.config.down_bits };
                let time = Duration::from_micros(packet.len() as u64 * 8_000_000 / rate.max(1));
                let end = modem.free[way].max(now) + time;
                modem.free[way] = end;
                last = last.max(end);
                let lost = modem.random.unit() < self.config.loss.get();
                let arrival = end + self.between(node, self.config.latency);
                if lost {
                    core.drop(now, node, Some(id), DropReason::Lost);
                } else if way == 0 {
                    self.queue.push(arrival, Step::Climb(node, id, packet));
                } else {
                    self.queue.push(arrival, Step::Arrive(node, id, packet));
                }
            }
        }
        let modem = &mut self.modems[node.index()];
        modem.epoch += 1;
        self.queue.push(last + self.config.inactivity, Step::Inactive(node, modem.epoch));
    }

    /// After a connection: idle for a while, then asleep.
    fn rest(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let sleeps = self.config.update > Duration::ZERO;
        if sleeps && self.config.active_time == Duration::ZERO {
            return self.enter(core, now, node, State::Sleeping);
        }
        self.enter(core, now, node, State::Idle);
        let epoch = self.modems[node.index()].epoch;
        if sleeps {
            self.queue.push(now + self.config.active_time, Step::Sleep(node, epoch));
        }
    }

    /// A packet for a device has reached the network.
    fn descend(&mut self, core: &mut Core, now: Instant, node: NodeId, id: PacketId, packet: Vec<u8>) {
        let modem = &mut self.modems[node.index()];
        if modem.down.len() >= self.config.kept {
            return core.drop(now, node, Some(id), DropReason::QueueFull);
        }
        modem.down.push_back((id, packet));
        match modem.state {
            State::Connected => self.flush(core, now, node),
            State::Idle => {
                let cycle = self.config.paging_cycle.as_micros().max(1);
                let since = now.as_micros().wrapping_sub(modem.paging_phase.as_micros()) % cycle;
                self.queue.push(now + Duration::from_micros(cycle - since), Step::Page(node, modem.epoch));
            }
            State::Sleeping | State::Connecting => {}
        }
    }

    fn update(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        self.queue.push(now + self.config.update, Step::Update(node));
        if !core.alive[node.index()] || self.modems[node.index()].state != State::Sleeping {
            return;
        }
        core.charge_update(now, node);
        // The network takes the opportunity.
        if !self.modems[node.index()].down.is_empty() {
            self.connect(core, now, node);
        }
    }
}

impl Lower for Cell {
    fn send(&mut self, core: &mut Core, now: Instant, node: NodeId, id: PacketId, packet: Vec<u8>) {
        let Some(to) = destination(&packet) else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        let target = core.node_at(to).unwrap_or(NodeId(0));
        if target == node {
            return core.deliver(now, node, id, packet);
        }
        if node == NodeId(0) {
            return self.descend(core, now, target, id, packet);
        }
        let modem = &mut self.modems[node.index()];
        modem.up.push_back((id, packet));
        match modem.state {
            State::Connected => self.flush(core, now, node),
            _ => self.connect(core, now, node),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.queue.deadline()
    }

    fn advance(&mut self, core: &mut Core, now: Instant) {
        while let Some((at, step)) = self.queue.pop(now) {
            let is = |node: NodeId, epoch: u32| self.modems[node.index()].epoch == epoch;
            match step {
                Step::Connected(node, epoch) if is(node, epoch) => {
                    self.enter(core, at, node, State::Connected);
                    self.flush(core, at, node);
                }
                Step::Inactive(node, epoch) if is(node, epoch) => self.rest(core, at, node),
                Step::Sleep(node, epoch) if is(node, epoch) => self.enter(core, at, node, State::Sleeping),
                Step::Page(node, epoch) if is(node, epoch) => self.connect(core, at, node),
                Step::Update(node) => self.update(core, at, node),
                Step::Arrive(node, id, packet) if core.alive[node.index()] => {
                    core.deliver(at, node, id, packet)
                }
                Step::Arrive(node, id, _) => core.drop(at, node, Some(id), DropReason::Dead),
                Step::Climb(from, id, packet) => {
                    let to = destination(&packet).and_then(|to| core.node_at(to)).unwrap_or(NodeId(0));
                    if core.cut(from, to) {
                        core.drop(at, from, Some(id), DropReason::Partitioned);
                    } else if to == NodeId(0) {
                        core.deliver(at, to, id, packet);
                    } else {
                        core.trace(at, NodeId(0), Event::Forwarded { id, next: to });
                        self.descend(core, at, to, id, packet);
                    }
                }
                _ => {}
            }
        }
    }

    fn set_alive(&mut self, core: &mut Core, now: Instant, node: NodeId, alive: bool) {
        let modem = &mut self.modems[node.index()];
        modem.up.clear();
        modem.epoch += 1;
        modem.state = State::Sleeping;
        if alive {
            core.radio(now, node, RadioState::Sleep);
        }
    }

    fn parent(&self, node: NodeId) -> Option<NodeId> {
        (node != NodeId(0)).then_some(NodeId(0))
    }
}
