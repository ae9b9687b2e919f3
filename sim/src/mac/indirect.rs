//! Frames for nodes that sleep: they wait at the parent until the child asks for them.

use sedge_time::{Duration, Instant};

use super::machine::{Macs, Phase, Step};
use super::{Indication, Job, To};
use crate::network::{Core, DropReason, Jammer, NodeId, Role};
use crate::phy::Interferer;

impl Macs {
    /// Whether frames to this node have to wait until it asks.
    pub(crate) fn sleeps(&self, node: NodeId) -> bool {
        let state = &self.nodes[node.index()];
        matches!(state.role, Role::Sleepy { .. }) && !state.awake
    }

    /// Says whom a sleeping node asks.
    pub(crate) fn set_parent(&mut self, node: NodeId, parent: Option<NodeId>) {
        self.nodes[node.index()].parent = parent;
    }

    /// Keeps a sleeping node's receiver on; what waits for it goes out at once.
    pub(crate) fn set_awake(&mut self, core: &mut Core, now: Instant, node: NodeId, awake: bool) {
        self.nodes[node.index()].awake = awake;
        self.settle(core, now, node);
        if let (true, Some(parent)) = (awake, self.nodes[node.index()].parent) {
            while self.waits_for(parent, node) {
                self.release(core, now, parent, node);
            }
        }
    }

    /// A node's clock runs fast by so many millionths from its next poll on.
    pub(crate) fn set_clock(&mut self, node: NodeId, ppm: f64) {
        let state = &mut self.nodes[node.index()];
        state.role = state.nominal.by_clock(ppm);
    }

    pub(super) fn keep_waiting(&mut self, now: Instant, node: NodeId, job: Job) -> Result<(), DropReason> {
        let state = &mut self.nodes[node.index()];
        if state.waiting.len() >= self.mac.queue {
            return Err(DropReason::QueueFull);
        }
        let expires = now + self.mac.persistence;
        state.waiting.push_back(Job { expires: Some(expires), ..job });
        self.queue.push(expires, Step::Expire(node));
        Ok(())
    }

    pub(super) fn waits_for(&self, node: NodeId, child: NodeId) -> bool {
        self.nodes[node.index()].waiting.iter().any(|job| job.to == To::Node(child))
    }

    /// Sends the first frame that waits for a child.
    pub(super) fn release(&mut self, core: &mut Core, now: Instant, node: NodeId, child: NodeId) {
        let state = &mut self.nodes[node.index()];
        let Some(place) = state.waiting.iter().position(|job| job.to == To::Node(child)) else { return };
        let Some(mut job) = state.waiting.remove(place) else { return };
        job.pending = self.waits_for(node, child);
        let state = &mut self.nodes[node.index()];
        // The child listens for a short while only: ahead of everything that has not begun.
        let under_way = !matches!(state.phase, Phase::Idle | Phase::Space);
        state.jobs.insert(usize::from(under_way).min(state.jobs.len()), job);
        if state.phase == Phase::Idle {
            self.begin(core, now, node);
        }
    }

    pub(super) fn expire(&mut self, _core: &mut Core, now: Instant, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        let expired = |job: &Job| job.expires.is_some_and(|expires| expires <= now);
        let (gone, kept): (Vec<Job>, Vec<Job>) = state.waiting.drain(..).partition(expired);
        state.waiting = kept.into();
        for Job { to, handle, id, .. } in gone {
            let outcome = Err(DropReason::Expired);
            self.indications.push_back(Indication::Done { node, to, handle, id, outcome });
        }
    }

    pub(super) fn poll_parent(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let Role::Sleepy { poll } = self.nodes[node.index()].role else { return };
        self.queue.push(now + poll, Step::Poll(node));
        if core.alive[node.index()] && self.sleeps(node) {
            self.ask_parent(core, now, node);
        }
    }

    pub(super) fn ask_parent(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let state = &self.nodes[node.index()];
        let asks_already = state.jobs.iter().any(|job| job.command);
        let Some(parent) = state.parent.filter(|_| !asks_already) else { return };
        // With a full queue there is enough to do; the next poll comes.
        let _ = self.submit(core, now, node, Job::data_request(parent));
    }

    /// Looks again who hears whom, after a node has moved. What is on the air keeps the power it began with, so the
    /// move waits until nothing is.
    pub(crate) fn moved(&mut self, core: &Core, now: Instant, node: NodeId) {
        if self.air.is_quiet() {
            self.air.moved(&core.positions, &core.powers_dbm, node);
        } else {
            self.queue.push(now + Duration::from_micros(320), Step::Move(node));
        }
    }

    /// Switches a jammer on, or the present one off.
    pub(crate) fn jam(&mut self, core: &Core, now: Instant, jammer: Option<Jammer>) {
        if let Some(source) = self.jammer.take() {
            self.air.silence(now, source);
        }
        let Some(Jammer { position, power_dbm, duty, burst }) = jammer else { return };
        let pause = burst.as_micros() as f64 * (1.0 / duty.get().max(1e-6) - 1.0);
        let off = Duration::from_micros(pause as u64);
        let source = self.air.add_source(&core.positions, Interferer { position, power_dbm, on: burst, off });
        self.jammer = Some(source);
        self.queue.push(now, Step::Toggle(source));
    }
}
