//! What nodes do with fragments that are recovered end to end
//! ([RFC 8931 section 6](https://www.rfc-editor.org/rfc/rfc8931#section-6)).

use sedge_time::{Duration, Instant};

use super::super::packet::HEADER_LEN;
use super::super::{Core, DropReason, Event, NodeId, PacketId};
use super::{Stack, Timer};
use crate::adaptation::iphc::{compress, decompress};
use crate::adaptation::recovery::{Incoming, Passage, Received, Recoverable, Sending};
use crate::mac::{Job, To};

/// Handles of recoverable fragments: one that fails is sent again by its first sender, if that learns of it.
pub(super) const RECOVERED: u64 = 1 << 61;

impl Stack {
    /// Cuts a compressed packet that does not fit one frame, and sends the first fragment.
    pub(super) fn recover(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        next: NodeId,
        id: PacketId,
        datagram: Vec<u8>,
    ) {
        let tag = self.next_tag(node);
        let Some(mut sending) = Sending::new(tag, next, id, datagram, self.macs.payload_room()) else {
            return core.drop(now, node, Some(id), DropReason::TooLong);
        };
        core.trace(now, node, Event::Fragmented { id, count: sending.fragments() });
        let due = sending.fragments_due();
        self.nodes[node.index()].sending.push(sending);
        self.send_fragments(core, now, node, tag, due);
    }

    fn next_tag(&mut self, node: NodeId) -> u8 {
        let state = &mut self.nodes[node.index()];
        state.tag = state.tag.wrapping_add(1);
        state.tag as u8
    }

    /// Sends these fragments of a packet of its own, and waits for an answer to the last.
    fn send_fragments(&mut self, core: &mut Core, now: Instant, node: NodeId, tag: u8, due: Vec<Vec<u8>>) {
        let Some(sending) = self.nodes[node.index()].sending.iter().find(|sending| sending.tag == tag) else {
            return;
        };
        let (next, id, round) = (sending.next, sending.id, sending.round);
        let gap = self.adaptation.gap;
        let patience = self.adaptation.patience + gap.saturating_mul(due.len() as u64);
        self.timers.push(now + patience, Timer::Recovery(node, tag, round));
        for payload in due {
            self.send_recoverable(core, now, node, next, id, payload, gap);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a fragment, its place and what follows it")]
    fn send_recoverable(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        to: NodeId,
        id: PacketId,
        payload: Vec<u8>,
        pause: Duration,
    ) {
        let job = Job::data(To::Node(to), payload, Some(id), RECOVERED).followed_by(pause);
        // What finds no room is lost as on the air, and recovered like it.
        let _lost = self.macs.submit(core, now, node, job);
    }

    /// Nobody has said in time what came of a packet.
    pub(super) fn unanswered(&mut self, core: &mut Core, now: Instant, node: NodeId, tag: u8, round: u32) {
        let repetitions = self.adaptation.repetitions;
        let state = &mut self.nodes[node.index()];
        let of = |sending: &Sending| sending.tag == tag && sending.round == round;
        let Some(place) = state.sending.iter().position(of) else { return };
        if let Some(again) = state.sending[place].ask_again(repetitions) {
            return self.send_fragments(core, now, node, tag, vec![again]);
        }
        let given_up = state.sending.swap_remove(place);
        let Sending { next, id, .. } = given_up;
        self.send_recoverable(core, now, node, next, id, given_up.abort(), Duration::ZERO);
        core.drop(now, node, Some(id), DropReason::Unrecovered);
    }

    /// Takes a fragment in.
    pub(super) fn recoverable(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        from: NodeId,
        id: PacketId,
        payload: &[u8],
    ) {
        let mut rest = payload;
        let Some(fragment) = Recoverable::read(&mut rest) else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        let tag = fragment.tag;
        let state = &mut self.nodes[node.index()];
        state.incoming.retain(|incoming| incoming.expires > now);
        state.passages.retain(|passage| passage.expires > now);
        if let Some(place) = state.passages.iter().position(|way| (way.from, way.tag) == (from, tag)) {
            return self.pass_recoverable(core, now, node, place, id, fragment, rest);
        }
        let known = state.incoming.iter().position(|incoming| (incoming.from, incoming.tag) == (from, tag));
        let place = match known {
            Some(place) if fragment.offset == 0 => {
                state.incoming.swap_remove(place);
                return;
            }
            Some(place) => place,
            None if fragment.offset == 0 => return,
            None if fragment.sequence == 0 => {
                let Some(headers) = decompress(rest, self.ends(from, To::Node(node)), &self.contexts, None)
                else {
                    return core.drop(now, node, Some(id), DropReason::Malformed);
                };
                if !self.is_for(core, node, &headers.bytes[24..HEADER_LEN]) {
                    return self.open_passage(
                        core,
                        now,
                        node,
                        from,
                        id,
                        fragment,
                        headers.bytes,
                        headers.compressed,
                        rest,
                    );
                }
                let expires = now + self.adaptation.reassembly_timeout;
                let most = self.adaptation.reassemblies * if node == NodeId(0) { 8 } else { 1 };
                let state = &mut self.nodes[node.index()];
                if state.incoming.iter().filter(|incoming| !incoming.is_whole()).count() >= most {
                    core.drop(now, node, Some(id), DropReason::ReassemblyFull);
                    return self.report(
                        core,
                        now,
                        node,
                        from,
                        id,
                        Received { congested: true, tag, bitmap: 0 },
                    );
                }
                state.incoming.push(Incoming::new(from, fragment, expires));
                state.incoming.len() - 1
            }
            // A fragment of nothing that is known here: its sender has to begin anew.
            None => {
                return self.report(core, now, node, from, id, Received { congested: false, tag, bitmap: 0 });
            }
        };
        let expires = now + self.adaptation.reassembly_timeout;
        let incoming = &mut self.nodes[node.index()].incoming[place];
        incoming.expires = expires;
        let whole = incoming.take(fragment, rest).map(<[u8]>::to_vec);
        let report = incoming.report(fragment.congested);
        if fragment.asks || whole.is_some() {
            self.report(core, now, node, from, id, report);
        }
        let Some(datagram) = whole else { return };
        core.trace(now, node, Event::Reassembled { id });
        match decompress(&datagram, self.ends(from, To::Node(node)), &self.contexts, None) {
            Some(mut headers) => {
                headers.bytes.extend_from_slice(&datagram[headers.compressed..]);
                self.input(core, now, node, from, id, headers.bytes);
            }
            None => core.drop(now, node, Some(id), DropReason::Malformed),
        }
    }

    /// Says what has come of a packet.
    fn report(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        to: NodeId,
        id: PacketId,
        report: Received,
    ) {
        self.send_recoverable(core, now, node, to, id, report.write(), Duration::ZERO);
    }

    /// Remembers the way of a packet for another, and sends its first fragment on.
    #[expect(clippy::too_many_arguments, reason = "a fragment, its place and its headers")]
    fn open_passage(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        from: NodeId,
        id: PacketId,
        fragment: Recoverable,
        mut headers: Vec<u8>,
        compressed: usize,
        content: &[u8],
    ) {
        let refuse = Received { congested: false, tag: fragment.tag, bitmap: 0 };
        if let Err(reason) = self.may_forward(node, &headers) {
            core.drop(now, node, Some(id), reason);
            return self.report(core, now, node, from, id, refuse);
        }
        headers[7] -= 1;
        let target = core.node_at(&headers[24..HEADER_LEN]).unwrap_or(NodeId(0));
        let Some(next) = self.next_hop(core, now, node, Some(from), target) else {
            core.drop(now, node, Some(id), DropReason::NoRoute);
            return self.report(core, now, node, from, id, refuse);
        };
        let open = self.nodes[node.index()].passages.iter().filter(|passage| !passage.done).count();
        if open >= self.adaptation.virtual_buffers {
            core.drop(now, node, Some(id), DropReason::ReassemblyFull);
            return self.report(core, now, node, from, id, Received { congested: true, ..refuse });
        }
        let Some((own, covered)) = compress(&headers, self.ends(node, To::Node(next)), &self.contexts) else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        let first = [&own, &headers[covered..], &content[compressed..]].concat();
        let grown = first.len() as i32 - content.len() as i32;
        let passage = Passage {
            from,
            tag: fragment.tag,
            next,
            next_tag: self.next_tag(node),
            grown,
            done: false,
            expires: now + self.adaptation.reassembly_timeout,
        };
        self.nodes[node.index()].passages.push(passage);
        core.trace(now, node, Event::Forwarded { id, next });
        self.send_on(core, now, node, passage, id, fragment, first);
    }

    /// Sends a fragment of a packet whose way is known on.
    #[expect(clippy::too_many_arguments, reason = "a fragment and its place")]
    fn pass_recoverable(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        place: usize,
        id: PacketId,
        fragment: Recoverable,
        content: &[u8],
    ) {
        let passage = &mut self.nodes[node.index()].passages[place];
        passage.expires = now + self.adaptation.reassembly_timeout;
        let passage = *passage;
        if fragment.offset == 0 {
            self.nodes[node.index()].passages.swap_remove(place);
            return self.send_on(core, now, node, passage, id, fragment, Vec::new());
        }
        if fragment.sequence > 0 {
            return self.send_on(core, now, node, passage, id, fragment, content.to_vec());
        }
        // The first one again: its headers are written again as the first time.
        let Some(headers) =
            decompress(content, self.ends(passage.from, To::Node(node)), &self.contexts, None)
        else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        let mut bytes = headers.bytes;
        bytes[7] = bytes[7].saturating_sub(1);
        let Some((own, covered)) = compress(&bytes, self.ends(node, To::Node(passage.next)), &self.contexts)
        else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        let first = [&own, &bytes[covered..], &content[headers.compressed..]].concat();
        self.send_on(core, now, node, passage, id, fragment, first);
    }

    #[expect(clippy::too_many_arguments, reason = "a fragment and its place")]
    fn send_on(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        passage: Passage,
        id: PacketId,
        fragment: Recoverable,
        content: Vec<u8>,
    ) {
        let offset = match fragment.offset {
            0 => 0,
            offset => (i32::from(offset) + passage.grown).clamp(1, 0xffff) as u16,
        };
        let size = content.len() as u16;
        let congested = fragment.congested || self.is_congested(node);
        let header = Recoverable { congested, tag: passage.next_tag, size, offset, ..fragment };
        let mut payload = Vec::with_capacity(crate::mac::MAX_FRAME);
        header.write(&mut payload);
        payload.extend_from_slice(&content);
        self.send_recoverable(core, now, node, passage.next, id, payload, Duration::ZERO);
    }

    /// Whether the queue in front of the radio is half full.
    fn is_congested(&self, node: NodeId) -> bool {
        self.macs.room(node) * 2 < self.macs.mac().queue
    }

    /// Takes in what another says of a packet: its own, or one that passes through.
    pub(super) fn reported(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        from: NodeId,
        id: PacketId,
        payload: &[u8],
    ) {
        let Some(received) = Received::read(payload) else {
            return core.drop(now, node, Some(id), DropReason::Malformed);
        };
        let congested = received.congested || self.is_congested(node);
        let state = &mut self.nodes[node.index()];
        let of = |way: &Passage| (way.next, way.next_tag) == (from, received.tag);
        if let Some(place) = state.passages.iter().position(of) {
            let passage = &mut state.passages[place];
            passage.done |= received.bitmap == Received::ALL;
            let Passage { from: back, tag, .. } = *passage;
            // What is given up needs no way any more; what has come may still be asked about.
            if received.bitmap == 0 {
                state.passages.swap_remove(place);
            }
            return self.report(core, now, node, back, id, Received { congested, tag, ..received });
        }
        let of = |sending: &Sending| (sending.next, sending.tag) == (from, received.tag);
        let Some(place) = state.sending.iter().position(of) else { return };
        let sending = &mut state.sending[place];
        if received.bitmap == 0 {
            let (id, begun) = (sending.id, sending.begun);
            if begun >= self.adaptation.repetitions {
                state.sending.swap_remove(place);
                return core.drop(now, node, Some(id), DropReason::Unrecovered);
            }
            let tag = self.next_tag(node);
            self.nodes[node.index()].sending[place].begin_again(tag);
            // Not at once: whoever gave it up may need a while.
            let round = self.nodes[node.index()].sending[place].round;
            self.timers.push(now + self.adaptation.patience, Timer::Recovery(node, tag, round));
            return;
        }
        if sending.learn(received, self.adaptation.window) {
            state.sending.swap_remove(place);
            return;
        }
        let tag = sending.tag;
        let due = sending.fragments_due();
        self.send_fragments(core, now, node, tag, due);
    }
}
