//! Access to the channel: the machine in the figure of the [module above](super).

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use sedge_time::{Duration, Instant};

use super::{ACK_WAIT, CCA_TIME, Cca, Indication, Job, Mac, TURNAROUND, To, UNIT_BACKOFF, spacing};
use crate::Random;
use crate::kernel::{Purpose, Queue};
use crate::network::{Core, DropReason, Event, NodeConfig, NodeId, RadioState, Role};
use crate::phy::{Air, Mode, Transmission, Wanted, airtime};

/// The MACs of all nodes, and the air between them.
#[derive(Debug)]
pub(crate) struct Macs {
    pub(super) mac: Mac,
    pub(crate) air: Air,
    pub(super) nodes: Vec<Node>,
    pub(super) queue: Queue<Step>,
    pub(super) indications: VecDeque<Indication>,
    pub(super) received: Vec<crate::phy::Reception>,
    pub(super) jammer: Option<usize>,
    /// Who may be awaiting an acknowledgement.
    pub(super) awaiting: Vec<NodeId>,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) jobs: VecDeque<Job>,
    pub(super) phase: Phase,
    /// Timers of an earlier epoch mean nothing any more.
    epoch: u32,
    backoffs: u8,
    exponent: u8,
    tries: u8,
    was_busy: bool,
    pub(super) sequence: u8,
    pub(super) counter: u32,
    random: Random,
    /// The acknowledgement that it owes.
    pub(super) reply: Option<Rc<[u8]>>,
    /// What it has on the air, and since when.
    pub(super) on_air: bool,
    /// What it does for others, with times as its clock makes them,
    pub(super) role: Role,
    /// and as they would be by a clock that is right.
    pub(super) nominal: Role,
    pub(super) awake: bool,
    pub(super) parent: Option<NodeId>,
    /// Until when it listens for what was announced.
    pub(super) listen_until: Instant,
    /// Sequence number and frame counter of the last frame from each neighbour.
    pub(super) heard: BTreeMap<NodeId, (u8, u32)>,
    /// Frames that wait for sleeping nodes.
    pub(super) waiting: VecDeque<Job>,
}

impl Node {
    /// Whether it awaits an acknowledgement.
    pub(super) const fn awaits(&self) -> bool {
        matches!(self.phase, Phase::Await { .. })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    Backoff,
    Assess,
    Turn,
    Send,
    Await { sequence: u8, frame: u64 },
    Space,
}

#[derive(Debug)]
pub(super) enum Step {
    Assess(NodeId, u32),
    Assessed(NodeId, u32),
    Transmit(NodeId, u32),
    Sent(NodeId, u64),
    Ready(NodeId),
    AckTimeout(NodeId, u32),
    Spaced(NodeId, u32),
    Reply(NodeId),
    Poll(NodeId),
    Quiet(NodeId),
    Expire(NodeId),
    Toggle(usize),
    Move(NodeId),
}

impl Macs {
    pub(crate) fn new(mac: Mac, air: Air, core: &mut Core, nodes: &[NodeConfig]) -> Self {
        let node = |(index, config): (usize, &NodeConfig)| {
            let mut random = core.streams.stream(Purpose::BACKOFF, index as u64);
            Node {
                jobs: VecDeque::new(),
                phase: Phase::Idle,
                epoch: 0,
                backoffs: 0,
                exponent: 0,
                tries: 0,
                was_busy: false,
                sequence: random.bits() as u8,
                counter: 0,
                random,
                reply: None,
                on_air: false,
                role: config.role.by_clock(config.clock_ppm),
                nominal: config.role,
                awake: false,
                parent: None,
                listen_until: Instant::EPOCH,
                heard: BTreeMap::new(),
                waiting: VecDeque::new(),
            }
        };
        let mut macs = Self {
            nodes: nodes.iter().enumerate().map(node).collect(),
            mac,
            air,
            queue: Queue::default(),
            indications: VecDeque::new(),
            received: Vec::new(),
            jammer: None,
            awaiting: Vec::new(),
        };
        macs.start(core);
        macs
    }

    fn start(&mut self, core: &mut Core) {
        for index in 0..self.nodes.len() {
            let node = NodeId(index as u16);
            self.settle(core, Instant::EPOCH, node);
            if let Role::Sleepy { poll } = self.nodes[index].role {
                let phase = core.streams.unit(Purpose::NODE, index as u64, 0) * poll.as_micros() as f64;
                self.queue.push(Instant::from_micros(phase as u64), Step::Poll(node));
            }
        }
        for source in 0..self.air.configured_sources() {
            self.queue.push(Instant::EPOCH, Step::Toggle(source));
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.queue.deadline()
    }

    pub(crate) fn next_indication(&mut self) -> Option<Indication> {
        self.indications.pop_front()
    }

    pub(crate) fn mac(&self) -> &Mac {
        &self.mac
    }

    /// Puts a frame into a node's queue.
    pub(crate) fn submit(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        job: Job,
    ) -> Result<(), DropReason> {
        if let To::Node(to) = job.to
            && self.sleeps(to)
            && !job.command
        {
            return self.keep_waiting(now, node, job);
        }
        let state = &mut self.nodes[node.index()];
        if state.jobs.len() >= self.mac.queue {
            return Err(DropReason::QueueFull);
        }
        state.jobs.push_back(job);
        if state.phase == Phase::Idle {
            self.begin(core, now, node);
        }
        Ok(())
    }

    /// Forgets the frames that still wait under this handle.
    pub(crate) fn cancel(&mut self, node: NodeId, handle: u64) {
        let state = &mut self.nodes[node.index()];
        let under_way = usize::from(!matches!(state.phase, Phase::Idle | Phase::Space));
        let mut place = 0;
        state.jobs.retain(|job| {
            place += 1;
            place <= under_way || job.handle != handle
        });
        state.waiting.retain(|job| job.handle != handle);
    }

    pub(crate) fn room(&self, node: NodeId) -> usize {
        self.mac.queue.saturating_sub(self.nodes[node.index()].jobs.len())
    }

    pub(crate) fn advance(&mut self, core: &mut Core, now: Instant) {
        while let Some((at, step)) = self.queue.pop(now) {
            match step {
                Step::Assess(node, epoch) if self.is(node, epoch) => self.assess(core, at, node),
                Step::Assessed(node, epoch) if self.is(node, epoch) => self.assessed(core, at, node),
                Step::Transmit(node, epoch) if self.is(node, epoch) => self.transmit(core, at, node),
                Step::Sent(node, number) => self.sent(core, at, node, number),
                Step::Ready(node) => self.settle(core, at, node),
                Step::AckTimeout(node, epoch) if self.is(node, epoch) => self.ack_timeout(core, at, node),
                Step::Spaced(node, epoch) if self.is(node, epoch) => self.spaced(core, at, node),
                Step::Reply(node) => self.reply(core, at, node),
                Step::Poll(node) => self.poll_parent(core, at, node),
                Step::Quiet(node) => self.settle(core, at, node),
                Step::Expire(node) => self.expire(core, at, node),
                Step::Toggle(source) => self.toggle(at, source),
                Step::Move(node) => self.moved(core, at, node),
                _ => {}
            }
        }
    }

    fn is(&self, node: NodeId, epoch: u32) -> bool {
        self.nodes[node.index()].epoch == epoch
    }

    /// Begins with the first frame of the queue.
    pub(super) fn begin(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let asleep = !self.air.is_listening(node);
        let state = &mut self.nodes[node.index()];
        if state.jobs.is_empty() {
            state.phase = Phase::Idle;
            return self.settle(core, now, node);
        }
        if asleep && matches!(state.role, Role::Sleepy { .. }) {
            core.charge_wake(now, node);
        }
        let state = &mut self.nodes[node.index()];
        state.tries = 0;
        self.try_access(core, now, node);
    }

    fn try_access(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        state.backoffs = 0;
        state.exponent = self.mac.min_be;
        self.back_off(core, now, node);
    }

    fn back_off(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        let periods = (state.random.bits() >> 32) & ((1 << state.exponent) - 1);
        state.phase = Phase::Backoff;
        state.epoch += 1;
        let id = state.jobs.front().and_then(|job| job.id);
        self.queue.push(now + UNIT_BACKOFF.saturating_mul(periods), Step::Assess(node, state.epoch));
        core.trace(now, node, Event::Backoff { id, periods: periods as u8 });
        self.settle(core, now, node);
    }

    fn assess(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let busy = self.is_busy(now, node);
        let state = &mut self.nodes[node.index()];
        state.phase = Phase::Assess;
        state.was_busy = busy;
        self.queue.push(now + CCA_TIME, Step::Assessed(node, state.epoch));
        self.settle(core, now, node);
    }

    /// Whether the channel, or the radio itself, is in use. What overlaps an assessment is on the air at its
    /// beginning or at its end: no frame is as short as it.
    fn is_busy(&self, now: Instant, node: NodeId) -> bool {
        let state = &self.nodes[node.index()];
        let carrier = self.air.is_locked(node);
        let above = |dbm| self.air.energy_dbm(now, node) > dbm;
        let channel = match self.mac.cca {
            Cca::Energy { dbm } => above(dbm),
            Cca::Carrier => carrier,
            Cca::EnergyOrCarrier { dbm } => carrier || above(dbm),
        };
        channel || state.reply.is_some() || state.on_air
    }

    fn assessed(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let busy = self.is_busy(now, node) || self.nodes[node.index()].was_busy;
        let state = &mut self.nodes[node.index()];
        if !busy {
            state.phase = Phase::Turn;
            self.queue.push(now + TURNAROUND, Step::Transmit(node, state.epoch));
            return self.settle(core, now, node);
        }
        state.backoffs += 1;
        state.exponent = (state.exponent + 1).min(self.mac.max_be);
        let id = state.jobs.front().and_then(|job| job.id);
        let given_up = state.backoffs > self.mac.max_backoffs;
        core.trace(now, node, Event::CcaBusy { id });
        if given_up {
            self.finish(core, now, node, Err(DropReason::ChannelAccess));
        } else {
            self.back_off(core, now, node);
        }
    }

    fn transmit(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let Some((sequence, bytes)) = self.frame(node) else { return };
        let state = &mut self.nodes[node.index()];
        let Some(job) = state.jobs.front() else { return };
        let (to, id, attempt) = (job.to, job.id, state.tries);
        state.phase = Phase::Send;
        let wanted = match to {
            To::Node(to) => Wanted::Node(to),
            To::Everyone => Wanted::Everyone,
        };
        let frame = self.air.number_frame();
        let sent = Transmission { frame, wanted, acknowledgement: false, id, bytes, row: node.index() };
        if self.mac.acknowledge && matches!(to, To::Node(_)) {
            // Kept until the frame has ended.
            self.nodes[node.index()].phase = Phase::Await { sequence, frame };
            let nodes = &self.nodes;
            self.awaiting.retain(|&other| other != node && nodes[other.index()].awaits());
            self.awaiting.push(node);
        }
        self.put_on_air(core, now, node, sent, attempt);
    }

    pub(super) fn put_on_air(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        sent: Transmission,
        attempt: u8,
    ) {
        let until = now + airtime(sent.bytes.len());
        core.trace(
            now,
            node,
            Event::Sent {
                frame: sent.frame,
                until,
                channel: self.air.channel(),
                power_dbm: core.powers_dbm[node.index()],
                attempt,
                id: sent.id,
                acknowledgement: sent.acknowledgement,
                bytes: sent.bytes.clone(),
            },
        );
        self.nodes[node.index()].on_air = true;
        self.air.set_mode(node, Mode::Deaf);
        core.radio(now, node, RadioState::Transmit);
        let number = self.air.begin(now, sent, core.present_cut());
        self.queue.push(until, Step::Sent(node, number));
    }

    fn sent(&mut self, core: &mut Core, now: Instant, node: NodeId, number: u64) {
        let mut received = std::mem::take(&mut self.received);
        let ended = self.air.end(now, number, &mut received);
        let state = &mut self.nodes[node.index()];
        state.on_air = false;
        let Some(sent) = ended else { return };
        if core.alive[node.index()] {
            core.radio(now, node, RadioState::Turnaround);
            match state.phase {
                _ if sent.acknowledgement => {}
                Phase::Await { .. } => self.queue.push(now + ACK_WAIT, Step::AckTimeout(node, state.epoch)),
                Phase::Send => self.finish(core, now, node, Ok(sent.bytes.len())),
                _ => {}
            }
            self.queue.push(now + self.mac.ready, Step::Ready(node));
        }
        self.arrive(core, now, node, &sent, &received);
        received.clear();
        self.received = received;
    }

    fn ack_timeout(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        let Phase::Await { frame, .. } = state.phase else { return };
        state.tries += 1;
        let again = state.tries <= self.mac.max_retries;
        let id = state.jobs.front().and_then(|job| job.id);
        core.trace(now, node, Event::NoAck { id, frame, again });
        if again {
            self.try_access(core, now, node);
        } else {
            self.finish(core, now, node, Err(DropReason::NoAck));
        }
    }

    /// Ends the first job: it has been sent in so many bytes, or it has failed.
    pub(super) fn finish(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        outcome: Result<usize, DropReason>,
    ) {
        let state = &mut self.nodes[node.index()];
        let Some(job) = state.jobs.pop_front() else { return };
        state.epoch += 1;
        state.phase = Phase::Space;
        let repeated = state.tries;
        // After a failure just long enough for the layer above to take back what belongs to the frame.
        let pause = outcome.map_or(Duration::from_micros(1), |bytes| spacing(bytes).max(job.pause));
        self.queue.push(now + pause, Step::Spaced(node, state.epoch));
        if outcome.is_err() && job.expires.is_some_and(|expires| expires > now) {
            // It was for a sleeping node, which may ask again.
            self.nodes[node.index()].waiting.push_front(Job { built: None, ..job });
        } else {
            let Job { to, handle, id, .. } = job;
            let outcome = outcome.map(|_| repeated);
            self.indications.push_back(Indication::Done { node, to, handle, id, outcome });
        }
        self.settle(core, now, node);
    }

    fn spaced(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        self.nodes[node.index()].phase = Phase::Idle;
        self.begin(core, now, node);
    }

    /// Lets the radio do what it has to between two steps.
    pub(super) fn settle(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let state = &self.nodes[node.index()];
        if state.on_air || !core.alive[node.index()] {
            return;
        }
        let always = !matches!(state.role, Role::Sleepy { .. }) || state.awake;
        let (mode, radio) = match state.phase {
            _ if state.reply.is_some() => (Mode::Deaf, RadioState::Turnaround),
            Phase::Turn => (Mode::Deaf, RadioState::Turnaround),
            Phase::Assess | Phase::Await { .. } => (Mode::Listen, RadioState::Receive),
            _ if always || now < state.listen_until => (Mode::Listen, RadioState::Receive),
            _ => (Mode::Deaf, RadioState::Sleep),
        };
        self.air.set_mode(node, mode);
        core.radio(now, node, radio);
    }

    fn toggle(&mut self, now: Instant, source: usize) {
        if source >= self.air.configured_sources() && self.jammer != Some(source) {
            return;
        }
        let next = self.air.toggle(now, source);
        self.queue.push(now + next, Step::Toggle(source));
    }

    /// Forgets everything a node was about to do.
    pub(crate) fn set_alive(&mut self, core: &mut Core, now: Instant, node: NodeId, alive: bool) {
        let state = &mut self.nodes[node.index()];
        state.jobs.clear();
        state.waiting.clear();
        state.heard.clear();
        state.reply = None;
        state.phase = Phase::Idle;
        state.epoch += 1;
        state.listen_until = Instant::EPOCH;
        if alive {
            self.settle(core, now, node);
        } else {
            self.air.set_mode(node, Mode::Deaf);
        }
    }
}
