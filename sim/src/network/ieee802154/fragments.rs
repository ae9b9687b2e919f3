//! What a node does with a fragment.

use sedge_time::Instant;

use super::super::packet::HEADER_LEN;
use super::super::{Core, DropReason, Event, NodeId, PacketId};
use super::{Stack, Timer};
use crate::adaptation::fragment::Fragment;
use crate::adaptation::iphc::{compress, decompress};
use crate::adaptation::{Forwarding, Taken};
use crate::mac::{Job, To};

impl Stack {
    pub(super) fn fragment(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        from: NodeId,
        id: PacketId,
        payload: &[u8],
    ) {
        let mut rest = payload;
        let Some(fragment) = Fragment::read(&mut rest) else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        let bytes = if fragment.offset == 0 {
            let size = Some(usize::from(fragment.size));
            let Some(headers) = decompress(rest, self.ends(from, To::Node(node)), &self.contexts, size)
            else {
                return core.drop(now, node, Some(id), DropReason::Malformed);
            };
            let payload = &rest[headers.compressed..];
            let passes = !self.is_for(core, node, &headers.bytes[24..HEADER_LEN]);
            if passes && self.adaptation.forwarding == Forwarding::Fragments {
                return self.pass_first(core, now, node, from, id, fragment, headers.bytes, payload);
            }
            [&headers.bytes, payload].concat()
        } else {
            let held = rest.len();
            if let Some((next, tag)) = self.nodes[node.index()].passing.next(now, from, fragment, held) {
                let mut onward = Vec::with_capacity(payload.len());
                Fragment { tag, ..fragment }.write(&mut onward);
                onward.extend_from_slice(rest);
                return self.pass(core, now, node, next, id, tag, onward);
            }
            rest.to_vec()
        };
        let state = &mut self.nodes[node.index()];
        match state.reassembly.take(now, from, fragment, &bytes, Some(id)) {
            Taken::Kept => {
                if let Some(at) = state.reassembly.deadline() {
                    self.timers.push(at, Timer::Reassembly(node));
                }
            }
            Taken::Whole(packet) => {
                core.trace(now, node, Event::Reassembled { id });
                self.input(core, now, node, from, id, packet);
            }
            Taken::Full => core.drop(now, node, Some(id), DropReason::ReassemblyFull),
            Taken::Malformed => core.drop(now, node, Some(id), DropReason::Malformed),
        }
    }

    /// Sends a first fragment on, with its headers compressed for the next link, and remembers its way.
    #[expect(clippy::too_many_arguments, reason = "a fragment, its place and its headers")]
    fn pass_first(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        from: NodeId,
        id: PacketId,
        fragment: Fragment,
        mut headers: Vec<u8>,
        payload: &[u8],
    ) {
        if let Err(reason) = self.may_forward(node, &headers) {
            return core.drop(now, node, Some(id), reason);
        }
        headers[7] -= 1;
        let target = core.node_at(&headers[24..HEADER_LEN]).unwrap_or(NodeId(0));
        let Some(next) = self.next_hop(core, now, node, Some(from), target) else {
            return core.drop(now, node, Some(id), DropReason::NoRoute);
        };
        let Some((compressed, covered)) = compress(&headers, self.ends(node, To::Node(next)), &self.contexts)
        else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        let state = &mut self.nodes[node.index()];
        state.tag = state.tag.wrapping_add(1);
        let tag = state.tag;
        let held = headers.len() + payload.len();
        if !state.passing.open(now, from, fragment, held, next, tag) {
            return core.drop(now, node, Some(id), DropReason::ReassemblyFull);
        }
        let mut onward = Vec::with_capacity(crate::mac::MAX_FRAME);
        Fragment { tag, ..fragment }.write(&mut onward);
        onward.extend_from_slice(&compressed);
        onward.extend_from_slice(&headers[covered..]);
        onward.extend_from_slice(payload);
        core.trace(now, node, Event::Forwarded { id, next });
        self.pass(core, now, node, next, id, tag, onward);
    }

    #[expect(clippy::too_many_arguments, reason = "a fragment and its place")]
    fn pass(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        next: NodeId,
        id: PacketId,
        tag: u16,
        payload: Vec<u8>,
    ) {
        // Handles of passing packets lie beside those of whole ones, and end with their tag.
        let handle = PASSING | u64::from(next.0) << 16 | u64::from(tag);
        let job = Job::data(To::Node(next), payload, Some(id), handle);
        if let Err(reason) = self.macs.submit(core, now, node, job) {
            self.nodes[node.index()].passing.close(next, tag);
            core.drop(now, node, Some(id), reason);
        }
    }
}

pub(super) const PASSING: u64 = 1 << 62;
