//! The ways down: who lies below whom, as DAO messages tell it from parent to parent
//! ([RFC 6550 section 9](https://www.rfc-editor.org/rfc/rfc6550#section-9)).
//!
//! Each parent acknowledges what it is told, and is told again until it does. A packet that comes back from where the way
//! down leads, shows that this way is none any more
//! ([section 11.2.2.3](https://www.rfc-editor.org/rfc/rfc6550#section-11.2.2.3)): the way is forgotten, the packet goes on
//! upwards, and takes the wrong ways before it along.

use sedge_time::{Duration, Instant};

use super::message::{self, Target};
use super::{Action, Node, Rpl, RplConfig, Timer};
use crate::mac::To;
use crate::network::NodeId;

/// What a node knows of one below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Below {
    /// The neighbour through which it is reached; none if no way leads there any more.
    next: Option<NodeId>,
    /// Counts what the target has said about its place: an older word does not undo a newer one.
    sequence: u8,
    /// How long that may be believed: as long as who told it, no longer.
    pub(super) expires: Instant,
}

/// A message to the parent.
#[derive(Clone, Debug)]
pub(super) struct Unacknowledged {
    message: u8,
    targets: Vec<NodeId>,
}

/// After this time a parent is told again; doubled each time up to [`PATIENCE_DOUBLINGS`] times.
const PATIENCE: Duration = Duration::from_secs(4);
const PATIENCE_DOUBLINGS: u32 = 4;
/// News is held for about so long, to go together with what others below may have to tell.
const GATHER: Duration = Duration::from_secs(2);

/// What makes a lifetime of a moment.
#[derive(Clone, Copy)]
struct Lifetimes<'c> {
    config: &'c RplConfig,
    now: Instant,
}

impl RplConfig {
    /// The unit of lifetimes in DAO messages, in seconds: three refreshes are at most 250 of them.
    pub(super) fn unit_secs(&self) -> u64 {
        (3 * self.refresh.as_millis() / 250_000).max(1)
    }

    /// For how long a node says that it can be reached, in those units.
    pub(super) fn lifetime(&self) -> u8 {
        (3 * self.refresh.as_millis() / 1_000 / self.unit_secs()).min(254) as u8
    }
}

impl Lifetimes<'_> {
    fn until(&self, expires: Instant) -> u8 {
        let left = expires.saturating_since(self.now).as_millis() / 1_000;
        (left / self.config.unit_secs()).min(254) as u8
    }
}

impl Node {
    /// What this node, `own`, has to say about a target.
    fn place(&self, own: NodeId, target: NodeId, lifetimes: Lifetimes<'_>) -> Option<Target> {
        if target == own {
            let lifetime = lifetimes.config.lifetime();
            return Some(Target { node: own, sequence: self.sequence, lifetime });
        }
        let below = self.below.get(&target)?;
        let lifetime = if below.next.is_some() { lifetimes.until(below.expires) } else { 0 };
        Some(Target { node: target, sequence: below.sequence, lifetime })
    }

    /// Whether a way down leads to this node.
    pub(super) fn leads_to(&self, target: NodeId) -> bool {
        self.below.get(&target).is_some_and(|below| below.next.is_some())
    }

    /// Everything has to be told.
    pub(super) fn tell_all(&mut self, own: NodeId) {
        self.untold.insert(own);
        self.untold.extend(self.below.keys());
    }
}

impl Rpl {
    /// The next node on the way to `target`, of a packet that came from a neighbour or from here.
    pub(crate) fn next_hop(
        &mut self,
        now: Instant,
        node: NodeId,
        from: Option<NodeId>,
        target: NodeId,
    ) -> Option<NodeId> {
        let state = &mut self.nodes[node.index()];
        let mut lost = false;
        if let Some(below) = state.below.get_mut(&target) {
            match below.next {
                Some(next) if Some(next) == from => {
                    below.next = None;
                    lost = true;
                }
                Some(next) => return Some(next),
                None => {}
            }
        }
        let parent = state.parent;
        if lost {
            state.untold.insert(target);
            self.tell_soon(now, node);
        }
        if target == NodeId(0) && parent.is_some() && parent == from {
            // What goes up comes from above: a circle, which news of ranks ends.
            self.reset(now, node);
            return None;
        }
        parent
    }

    /// A child has told who lies below it.
    pub(super) fn advertised(&mut self, now: Instant, node: NodeId, from: NodeId, targets: &[Target]) {
        let state = &mut self.nodes[node.index()];
        let mut news = false;
        for target in targets.iter().filter(|target| target.node != node) {
            let known = state.below.get(&target.node).copied();
            let age = |known: Below| target.sequence.wrapping_sub(known.sequence) as i8;
            if known.is_some_and(|known| age(known) < 0) {
                continue;
            }
            let next = (target.lifetime > 0).then_some(from);
            if next.is_none() && known.and_then(|known| known.next) != Some(from) {
                // The way that is lost is none of these.
                continue;
            }
            let lifetime = Duration::from_secs(self.config.unit_secs() * u64::from(target.lifetime));
            // What is lost is remembered as long as it might be said by others.
            let lifetime = if next.is_some() { lifetime } else { self.config.refresh };
            let expires = now + lifetime;
            state.below.insert(target.node, Below { next, sequence: target.sequence, expires });
            if known.is_none_or(|known| (known.next, known.sequence) != (next, target.sequence)) {
                state.untold.insert(target.node);
                news = true;
            }
        }
        if news {
            self.tell_soon(now, node);
        }
    }

    /// The parent has acknowledged a message.
    pub(super) fn acknowledged(&mut self, node: NodeId, from: NodeId, message: u8) {
        let state = &mut self.nodes[node.index()];
        if state.parent == Some(from) {
            state.unacknowledged.retain(|sent| sent.message != message);
            state.unheard = 0;
        }
    }

    /// The parent should have acknowledged a message by now: if it has not, it is told the same in a new one.
    pub(super) fn overdue(&mut self, now: Instant, node: NodeId, message: u8) {
        let state = &mut self.nodes[node.index()];
        let Some(place) = state.unacknowledged.iter().position(|sent| sent.message == message) else {
            return;
        };
        let sent = state.unacknowledged.swap_remove(place);
        state.untold.extend(sent.targets);
        state.unheard += 1;
        self.tell_soon(now, node);
    }

    /// Tells the parent what is new about who lies below, in as many messages as it takes.
    pub(super) fn tell(&mut self, now: Instant, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        let Some(parent) = state.parent else { return };
        let lifetimes = Lifetimes { config: &self.config, now };
        let targets: Vec<Target> = std::mem::take(&mut state.untold)
            .into_iter()
            .filter_map(|target| state.place(node, target, lifetimes))
            .collect();
        let patience = PATIENCE.saturating_mul(1 << state.unheard.min(PATIENCE_DOUBLINGS));
        for some in targets.chunks(message::TARGETS) {
            let state = &mut self.nodes[node.index()];
            state.messages = state.messages.wrapping_add(1);
            let number = state.messages;
            let targets = some.iter().map(|target| target.node).collect();
            state.unacknowledged.push(Unacknowledged { message: number, targets });
            let message = message::advertisement(number, true, self.root, some);
            self.actions.push(Action::Send(node, To::Node(parent), message));
            self.later(now, node, patience, Timer::Overdue(node, number));
        }
    }

    /// Tells one who is the parent no more that nobody is reached through this node now.
    pub(super) fn take_leave(&mut self, now: Instant, node: NodeId, parent: NodeId) {
        let state = &mut self.nodes[node.index()];
        let lifetimes = Lifetimes { config: &self.config, now };
        let everyone = state.below.keys().copied().chain([node]);
        let gone: Vec<Target> = everyone
            .filter_map(|target| state.place(node, target, lifetimes))
            .filter(|target| target.lifetime > 0)
            .map(|target| Target { lifetime: 0, ..target })
            .collect();
        for some in gone.chunks(message::TARGETS) {
            let state = &mut self.nodes[node.index()];
            state.messages = state.messages.wrapping_add(1);
            let message = message::advertisement(state.messages, false, self.root, some);
            self.actions.push(Action::Send(node, To::Node(parent), message));
        }
    }

    /// Soon, together with what others below may have to tell.
    pub(super) fn tell_soon(&mut self, now: Instant, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        if node != NodeId(0) && !state.telling {
            state.telling = true;
            self.later(now, node, GATHER, Timer::Tell(node));
        }
    }
}
