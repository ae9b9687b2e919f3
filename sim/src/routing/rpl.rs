//! RPL in storing mode ([RFC 6550](https://www.rfc-editor.org/rfc/rfc6550)): real DIO, DIS and DAO messages, timed by
//! Trickle ([RFC 6206](https://www.rfc-editor.org/rfc/rfc6206)), with the objective functions OF0
//! ([RFC 6552](https://www.rfc-editor.org/rfc/rfc6552)) and MRHOF by ETX
//! ([RFC 6719](https://www.rfc-editor.org/rfc/rfc6719)).
//!
//! Left out: several instances and versions, non-storing mode, DAO acknowledgements, No-Path DAOs, the hop-by-hop
//! option with its loop detection (the hop limit ends loops).

mod message;

use std::collections::{BTreeMap, BTreeSet};

use sedge_time::{Duration, Instant};

use crate::Random;
use crate::kernel::{Purpose, Streams};
use crate::mac::To;
use crate::network::{NodeConfig, NodeId, Role};
use message::Message;

/// How RPL forms its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RplConfig {
    /// What makes one way better than another.
    pub objective: Objective,
    /// The shortest interval between two DIOs (Imin).
    pub shortest: Duration,
    /// How often the interval doubles.
    pub doublings: u8,
    /// After hearing this many consistent DIOs in an interval a node stays silent.
    pub redundancy: u8,
    /// How often a node tells its parent what lies below.
    pub refresh: Duration,
}

/// An objective function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// Few hops.
    Of0,
    /// Few expected transmissions, with hysteresis.
    #[default]
    Mrhof,
}

impl Default for RplConfig {
    fn default() -> Self {
        Self {
            objective: Objective::Mrhof,
            shortest: Duration::from_millis(4_096),
            doublings: 8,
            redundancy: 10,
            refresh: Duration::from_secs(120),
        }
    }
}

/// MinHopRankIncrease: what one perfect link adds to a rank.
const STEP: u16 = 128;
const INFINITE_RANK: u16 = 0xffff;
/// PARENT_SWITCH_THRESHOLD of MRHOF.
const HYSTERESIS: u16 = 192;
/// A neighbour heard with less than this above the sensitivity is no candidate for OF0.
const MARGIN_DB: f64 = 5.0;

#[derive(Debug)]
pub(crate) struct Rpl {
    config: RplConfig,
    root: [u8; 16],
    nodes: Vec<Node>,
    actions: Vec<Action>,
}

/// What RPL wants done.
#[derive(Debug)]
pub(crate) enum Action {
    /// Send this ICMPv6 message from a node.
    Send(NodeId, To, Vec<u8>),
    /// A node has another parent.
    Parent(NodeId, Option<NodeId>, u16),
    /// Come back.
    Timer(Instant, Timer),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {
    /// The moment within a Trickle interval at which to speak.
    Speak(NodeId, u32),
    /// The end of a Trickle interval.
    Interval(NodeId, u32),
    /// Time to ask who is there, or to tell the parent.
    Refresh(NodeId),
    /// Time to tell the parent what has changed.
    Tell(NodeId),
}

#[derive(Debug)]
struct Node {
    rank: u16,
    parent: Option<NodeId>,
    neighbours: BTreeMap<NodeId, Neighbour>,
    /// The way down to each below.
    below: BTreeMap<NodeId, Below>,
    forwards: bool,
    interval: Duration,
    epoch: u32,
    heard: u8,
    /// Of what it says about its own place.
    sequence: u8,
    messages: u8,
    telling: bool,
    /// What the parent has yet to be told of.
    untold: BTreeSet<NodeId>,
    random: Random,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Below {
    next: NodeId,
    /// Counts what the target has said about its place: an older word does not undo a newer one.
    sequence: u8,
    heard: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Neighbour {
    rank: u16,
    /// Expected transmissions, in steps of 1/128.
    etx: u16,
    usable: bool,
}

impl Node {
    fn tell_all(&mut self, own: NodeId) {
        self.untold.insert(own);
        self.untold.extend(self.below.keys());
    }
}

impl Rpl {
    pub(crate) fn new(config: RplConfig, root: [u8; 16], nodes: &[NodeConfig], streams: &Streams) -> Self {
        let node = |(index, node): (usize, &NodeConfig)| Node {
            rank: if index == 0 { STEP } else { INFINITE_RANK },
            parent: None,
            neighbours: BTreeMap::new(),
            below: BTreeMap::new(),
            forwards: index == 0 || node.role.forwards(),
            interval: config.shortest,
            epoch: 0,
            heard: 0,
            sequence: 0,
            messages: 0,
            telling: false,
            untold: BTreeSet::new(),
            random: streams.stream(Purpose::ROUTING, index as u64),
        };
        debug_assert!(nodes.iter().skip(1).all(|node| node.role != Role::BorderRouter));
        let mut rpl =
            Self { config, root, nodes: nodes.iter().enumerate().map(node).collect(), actions: Vec::new() };
        for index in 0..nodes.len() {
            let node = NodeId(index as u16);
            if index == 0 {
                rpl.begin_interval(Instant::EPOCH, node);
            } else {
                rpl.later(Instant::EPOCH, node, Duration::from_secs(5), Timer::Refresh);
            }
        }
        rpl
    }

    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(crate) fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.nodes[node.index()].parent
    }

    pub(crate) fn next_hop(&self, node: NodeId, target: NodeId) -> Option<NodeId> {
        let state = &self.nodes[node.index()];
        state.below.get(&target).map(|below| below.next).or(state.parent)
    }

    /// Expected transmissions to a neighbour, if it is one.
    pub(crate) fn etx(&self, node: NodeId, to: NodeId) -> Option<f64> {
        self.nodes[node.index()].neighbours.get(&to).map(|neighbour| f64::from(neighbour.etx) / 128.0)
    }

    /// Forgets what a node knew, and begins again.
    pub(crate) fn restart(&mut self, now: Instant, node: NodeId) {
        let root = node == NodeId(0);
        let state = &mut self.nodes[node.index()];
        state.neighbours.clear();
        state.below.clear();
        state.epoch += 1;
        state.interval = self.config.shortest;
        if root {
            self.begin_interval(now, node);
        } else if state.parent.take().is_some() {
            state.rank = INFINITE_RANK;
            self.actions.push(Action::Parent(node, None, INFINITE_RANK));
        }
    }

    pub(crate) fn timer(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::Speak(node, epoch) => {
                let state = &self.nodes[node.index()];
                if state.epoch == epoch && state.heard < self.config.redundancy && state.rank != INFINITE_RANK
                {
                    self.speak(node);
                }
            }
            Timer::Interval(node, epoch) if self.nodes[node.index()].epoch == epoch => {
                let most = self.config.shortest.saturating_mul(1 << self.config.doublings.min(40));
                let state = &mut self.nodes[node.index()];
                state.interval = state.interval.saturating_mul(2).min(most);
                self.begin_interval(now, node);
            }
            Timer::Interval(..) => {}
            Timer::Refresh(node) => {
                let state = &mut self.nodes[node.index()];
                let oldest = now - self.config.refresh.saturating_mul(3);
                state.below.retain(|_, below| below.heard >= oldest);
                if state.parent.is_some() {
                    state.sequence = state.sequence.wrapping_add(1);
                    state.untold.insert(node);
                    self.tell(node);
                    self.later(now, node, self.config.refresh, Timer::Refresh);
                } else {
                    self.actions.push(Action::Send(node, To::Everyone, message::solicitation()));
                    self.later(now, node, Duration::from_secs(5), Timer::Refresh);
                }
            }
            Timer::Tell(node) => {
                self.nodes[node.index()].telling = false;
                self.tell(node);
            }
        }
    }

    /// A message has arrived, with its signal this much above the receiver's sensitivity.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        node: NodeId,
        from: NodeId,
        margin_db: f64,
        body: &[u8],
    ) -> bool {
        let Some(message) = Message::read(body) else { return false };
        match message {
            Message::Solicitation => {
                if self.nodes[node.index()].forwards && self.nodes[node.index()].rank != INFINITE_RANK {
                    self.reset(now, node);
                }
            }
            Message::Information { rank, .. } => self.information(now, node, from, rank, margin_db),
            Message::Advertisement { targets } => {
                let state = &mut self.nodes[node.index()];
                let mut news = false;
                for (target, sequence) in targets.into_iter().filter(|&(target, _)| target != node) {
                    let known = state.below.get(&target).copied();
                    if known.is_some_and(|known| (sequence.wrapping_sub(known.sequence) as i8) < 0) {
                        continue;
                    }
                    state.below.insert(target, Below { next: from, sequence, heard: now });
                    if known.is_none_or(|known| (known.next, known.sequence) != (from, sequence)) {
                        state.untold.insert(target);
                        news = true;
                    }
                }
                if news {
                    self.tell_soon(now, node);
                }
            }
        }
        true
    }

    /// What the link layer learned from sending to a neighbour: how many times it repeated, or that it gave up.
    pub(crate) fn feedback(&mut self, now: Instant, node: NodeId, to: NodeId, outcome: Result<u8, ()>) {
        let sample = outcome.map_or(10, |repeated| u32::from(repeated) + 1) * 128;
        let state = &mut self.nodes[node.index()];
        if let Some(neighbour) = state.neighbours.get_mut(&to) {
            neighbour.etx = ((u32::from(neighbour.etx) * 9 + sample) / 10).min(0xffff) as u16;
        }
        if state.parent == Some(to) {
            self.choose(now, node);
            if outcome.is_err() {
                // It may have been what the parent was told.
                self.nodes[node.index()].tell_all(node);
                self.tell_soon(now, node);
            }
        }
    }

    fn information(&mut self, now: Instant, node: NodeId, from: NodeId, rank: u16, margin_db: f64) {
        let state = &mut self.nodes[node.index()];
        state.heard = state.heard.saturating_add(1);
        if node == NodeId(0) {
            return;
        }
        // Until there is experience: a strong signal is worth one transmission, a weak one up to four.
        let guess = 128.0 * (1.0 + ((15.0 - margin_db) / 5.0).clamp(0.0, 3.0));
        let neighbour =
            state.neighbours.entry(from).or_insert(Neighbour { rank, etx: guess as u16, usable: false });
        neighbour.rank = rank;
        neighbour.usable = margin_db >= MARGIN_DB;
        self.choose(now, node);
    }

    /// The rank that a node would have behind this neighbour.
    fn cost(&self, neighbour: &Neighbour) -> u16 {
        if neighbour.rank == INFINITE_RANK {
            return INFINITE_RANK;
        }
        let added = match self.config.objective {
            // RFC 6552 section 4.1: a step of rank of 3, the default.
            Objective::Of0 if neighbour.usable => 3 * STEP,
            Objective::Of0 => return INFINITE_RANK,
            Objective::Mrhof => neighbour.etx.max(STEP),
        };
        neighbour.rank.saturating_add(added)
    }

    fn choose(&mut self, now: Instant, node: NodeId) {
        let state = &self.nodes[node.index()];
        // Who is below can be no parent.
        let candidates = state.neighbours.iter().filter(|(id, neighbour)| {
            !state.below.contains_key(id) && (neighbour.rank < state.rank || state.parent == Some(**id))
        });
        let best = candidates.map(|(&id, neighbour)| (self.cost(neighbour), id)).min();
        let best = best.filter(|&(cost, _)| cost < INFINITE_RANK);
        let present = state
            .parent
            .and_then(|parent| state.neighbours.get(&parent))
            .map(|neighbour| self.cost(neighbour));
        let (parent, rank) = match (best, present) {
            (Some((cost, _)), Some(present))
                if present.saturating_sub(cost) < HYSTERESIS && present < INFINITE_RANK =>
            {
                (state.parent, present)
            }
            (Some((cost, id)), _) => (Some(id), cost),
            (None, _) => (None, INFINITE_RANK),
        };
        let changed = parent != state.parent;
        let state = &mut self.nodes[node.index()];
        state.parent = parent;
        state.rank = rank;
        if changed {
            let state = &mut self.nodes[node.index()];
            state.sequence = state.sequence.wrapping_add(1);
            state.tell_all(node);
            self.actions.push(Action::Parent(node, parent, rank));
            self.tell_soon(now, node);
            if self.nodes[node.index()].forwards {
                self.reset(now, node);
            }
        }
    }

    fn speak(&mut self, node: NodeId) {
        let rank = self.nodes[node.index()].rank;
        let message = message::information(rank, self.root, &self.config);
        self.actions.push(Action::Send(node, To::Everyone, message));
    }

    /// Tells the parent what is new about who lies below, in as many messages as it takes.
    fn tell(&mut self, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        let Some(parent) = state.parent else { return };
        let place = |target: NodeId| match state.below.get(&target) {
            _ if target == node => Some((node, state.sequence)),
            below => below.map(|below| (target, below.sequence)),
        };
        let targets: Vec<(NodeId, u8)> =
            std::mem::take(&mut state.untold).into_iter().filter_map(place).collect();
        for some in targets.chunks(message::TARGETS) {
            state.messages = state.messages.wrapping_add(1);
            let message = message::advertisement(state.messages, self.root, some);
            self.actions.push(Action::Send(node, To::Node(parent), message));
        }
    }

    /// Soon, together with what others below may have to tell.
    fn tell_soon(&mut self, now: Instant, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        if node != NodeId(0) && !state.telling {
            state.telling = true;
            self.later(now, node, Duration::from_secs(2), Timer::Tell);
        }
    }

    fn reset(&mut self, now: Instant, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        if state.interval > self.config.shortest || state.epoch == 0 {
            state.interval = self.config.shortest;
            self.begin_interval(now, node);
        }
    }

    /// A Trickle interval: the node may speak at a random moment of its second half.
    fn begin_interval(&mut self, now: Instant, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        state.epoch += 1;
        state.heard = 0;
        let half = state.interval.as_micros() / 2;
        let moment = Duration::from_micros(half + (state.random.unit() * half as f64) as u64);
        let (epoch, interval) = (state.epoch, state.interval);
        self.actions.push(Action::Timer(now + moment, Timer::Speak(node, epoch)));
        self.actions.push(Action::Timer(now + interval, Timer::Interval(node, epoch)));
    }

    /// After this time, give or take half of it.
    fn later(&mut self, now: Instant, node: NodeId, after: Duration, timer: fn(NodeId) -> Timer) {
        let share = 0.5 + self.nodes[node.index()].random.unit();
        let after = Duration::from_micros((after.as_micros() as f64 * share) as u64);
        self.actions.push(Action::Timer(now + after, timer(node)));
    }
}
