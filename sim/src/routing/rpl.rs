//! RPL in storing mode ([RFC 6550](https://www.rfc-editor.org/rfc/rfc6550)): real DIO, DIS and DAO messages, timed by
//! Trickle ([RFC 6206](https://www.rfc-editor.org/rfc/rfc6206)), with the objective functions OF0
//! ([RFC 6552](https://www.rfc-editor.org/rfc/rfc6552)) and MRHOF by ETX
//! ([RFC 6719](https://www.rfc-editor.org/rfc/rfc6719)).
//!
//! Left out: several instances and versions, non-storing mode, the hop-by-hop option. What that option would say about a
//! packet that goes the wrong way is read from whom it came from ([`down`]); the hop limit ends what remains.

mod down;
mod message;

use std::collections::{BTreeMap, BTreeSet};

use sedge_time::{Duration, Instant};

use crate::Random;
use crate::kernel::{Purpose, Streams};
use crate::mac::To;
use crate::network::{NodeConfig, NodeId, Role};
use down::{Below, Unacknowledged};
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
    /// Time to ask who is there, or to tell the parent, unless the node has begun anew since.
    Refresh(NodeId, u32),
    /// Time to tell the parent what has changed.
    Tell(NodeId),
    /// The parent should have acknowledged this message by now.
    Overdue(NodeId, u8),
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
    /// Whether an interval is under way: it is none before the first parent and after a restart.
    speaking: bool,
    epoch: u32,
    heard: u8,
    /// Of what it says about its own place.
    sequence: u8,
    messages: u8,
    telling: bool,
    /// What the parent has yet to be told of.
    untold: BTreeSet<NodeId>,
    /// What the parent was told and has not acknowledged.
    unacknowledged: Vec<Unacknowledged>,
    /// How often in a row it has not.
    unheard: u32,
    /// Counts the times that it has forgotten who lies below (DTSN), and has to be told anew.
    forgotten: u8,
    boots: u32,
    random: Random,
}

#[derive(Clone, Copy, Debug)]
struct Neighbour {
    rank: u16,
    /// Expected transmissions, in steps of 1/128.
    etx: u16,
    usable: bool,
    forgotten: u8,
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
            speaking: false,
            epoch: 0,
            heard: 0,
            sequence: 0,
            messages: 0,
            telling: false,
            untold: BTreeSet::new(),
            unacknowledged: Vec::new(),
            unheard: 0,
            forgotten: 0,
            boots: 0,
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
                rpl.later(Instant::EPOCH, node, Duration::from_secs(5), Timer::Refresh(node, 0));
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
        state.untold.clear();
        state.unacknowledged.clear();
        state.forgotten = state.forgotten.wrapping_add(1);
        state.epoch += 1;
        state.boots += 1;
        state.speaking = false;
        state.interval = self.config.shortest;
        if root {
            return self.begin_interval(now, node);
        }
        if state.parent.take().is_some() {
            state.rank = INFINITE_RANK;
            self.actions.push(Action::Parent(node, None, INFINITE_RANK));
        }
        let boots = self.nodes[node.index()].boots;
        self.later(now, node, Duration::from_secs(2), Timer::Refresh(node, boots));
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
            Timer::Refresh(node, boots) if self.nodes[node.index()].boots == boots => {
                let state = &mut self.nodes[node.index()];
                state.below.retain(|_, below| below.expires > now);
                let after = if state.parent.is_some() {
                    state.sequence = state.sequence.wrapping_add(1);
                    state.untold.insert(node);
                    self.tell(now, node);
                    self.config.refresh
                } else {
                    self.actions.push(Action::Send(node, To::Everyone, message::solicitation()));
                    Duration::from_secs(5)
                };
                self.later(now, node, after, timer);
            }
            Timer::Refresh(..) => {}
            Timer::Tell(node) => {
                self.nodes[node.index()].telling = false;
                self.tell(now, node);
            }
            Timer::Overdue(node, message) => self.overdue(now, node, message),
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
            Message::Information { rank, forgotten } => {
                self.information(now, node, from, rank, forgotten, margin_db);
            }
            Message::Advertisement { sequence, acknowledge, targets } => {
                self.advertised(now, node, from, &targets);
                if acknowledge {
                    let answer = message::acknowledgement(sequence);
                    self.actions.push(Action::Send(node, To::Node(from), answer));
                }
            }
            Message::Acknowledgement { sequence } => self.acknowledged(node, from, sequence),
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
        }
    }

    fn information(
        &mut self,
        now: Instant,
        node: NodeId,
        from: NodeId,
        rank: u16,
        forgotten: u8,
        margin_db: f64,
    ) {
        let state = &mut self.nodes[node.index()];
        state.heard = state.heard.saturating_add(1);
        if node == NodeId(0) {
            return;
        }
        // Until there is experience: a strong signal is worth one transmission, a weak one up to four.
        let guess = 128.0 * (1.0 + ((15.0 - margin_db) / 5.0).clamp(0.0, 3.0));
        let stranger = Neighbour { rank, etx: guess as u16, usable: false, forgotten };
        let neighbour = state.neighbours.entry(from).or_insert(stranger);
        neighbour.rank = rank;
        neighbour.usable = margin_db >= MARGIN_DB;
        let has_forgotten = std::mem::replace(&mut neighbour.forgotten, forgotten) != forgotten;
        self.choose(now, node);
        if has_forgotten && self.parent(node) == Some(from) {
            self.nodes[node.index()].tell_all(node);
            self.tell_soon(now, node);
        }
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
            !state.leads_to(**id) && (neighbour.rank < state.rank || state.parent == Some(**id))
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
        let state = &mut self.nodes[node.index()];
        let before = std::mem::replace(&mut state.parent, parent);
        state.rank = rank;
        if parent != before {
            state.sequence = state.sequence.wrapping_add(1);
            if let Some(before) = before {
                self.take_leave(now, node, before);
            }
            let state = &mut self.nodes[node.index()];
            state.unacknowledged.clear();
            state.tell_all(node);
            self.actions.push(Action::Parent(node, parent, rank));
            self.tell_soon(now, node);
            if parent.is_none() {
                // Whoever came this way has to look for another (poisoning, RFC 6550 section 8.2.2.5).
                self.speak(node);
            } else if self.nodes[node.index()].forwards {
                self.reset(now, node);
            }
        }
    }

    fn speak(&mut self, node: NodeId) {
        let state = &self.nodes[node.index()];
        let message = message::information(state.rank, state.forgotten, self.root, &self.config);
        self.actions.push(Action::Send(node, To::Everyone, message));
    }

    fn reset(&mut self, now: Instant, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        if state.interval > self.config.shortest || !state.speaking {
            state.interval = self.config.shortest;
            self.begin_interval(now, node);
        }
    }

    /// A Trickle interval: the node may speak at a random moment of its second half.
    fn begin_interval(&mut self, now: Instant, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        state.epoch += 1;
        state.speaking = true;
        state.heard = 0;
        let half = state.interval.as_micros() / 2;
        let moment = Duration::from_micros(half + (state.random.unit() * half as f64) as u64);
        let (epoch, interval) = (state.epoch, state.interval);
        self.actions.push(Action::Timer(now + moment, Timer::Speak(node, epoch)));
        self.actions.push(Action::Timer(now + interval, Timer::Interval(node, epoch)));
    }

    /// After this time, give or take half of it.
    fn later(&mut self, now: Instant, node: NodeId, after: Duration, timer: Timer) {
        let share = 0.5 + self.nodes[node.index()].random.unit();
        let after = Duration::from_micros((after.as_micros() as f64 * share) as u64);
        self.actions.push(Action::Timer(now + after, timer));
    }
}
