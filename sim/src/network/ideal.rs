//! A medium without radio.

use sedge_time::Instant;

use super::packet::destination;
use super::{Core, DropReason, Ideal, Lower, NodeId, PacketId};
use crate::Random;
use crate::kernel::{Purpose, Queue};

#[derive(Debug)]
pub(super) struct IdealMedium {
    ideal: Ideal,
    random: Random,
    queue: Queue<Arrival>,
}

#[derive(Debug)]
struct Arrival {
    node: NodeId,
    id: PacketId,
    packet: Vec<u8>,
}

impl IdealMedium {
    pub(super) fn new(ideal: Ideal, core: &Core) -> Self {
        Self { ideal, random: core.streams.stream(Purpose::IDEAL, 0), queue: Queue::default() }
    }
}

impl Lower for IdealMedium {
    fn send(&mut self, core: &mut Core, now: Instant, node: NodeId, id: PacketId, packet: Vec<u8>) {
        let Some(destination) = destination(&packet) else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        // What is for nobody here leaves through the border router.
        let to = core.node_at(destination).unwrap_or(NodeId(0));
        if core.cut(node, to) {
            return core.drop(now, node, Some(id), DropReason::Partitioned);
        }
        if self.random.unit() < self.ideal.loss.get() {
            return core.drop(now, node, Some(id), DropReason::Lost);
        }
        self.queue.push(now + self.ideal.delay, Arrival { node: to, id, packet });
    }

    fn deadline(&self) -> Option<Instant> {
        self.queue.deadline()
    }

    fn advance(&mut self, core: &mut Core, now: Instant) {
        while let Some((at, Arrival { node, id, packet })) = self.queue.pop(now) {
            if core.alive[node.index()] {
                core.deliver(at, node, id, packet);
            } else {
                core.drop(at, node, Some(id), DropReason::Dead);
            }
        }
    }
}
