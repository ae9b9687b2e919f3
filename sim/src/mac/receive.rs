//! What a receiver does with a frame.

use std::rc::Rc;

use sedge_time::Instant;

use super::frame::{Address, DATA_REQUEST, FrameType, Header, fcs};
use super::machine::{Macs, Phase, Step};
use super::{Indication, TURNAROUND, eui64, security};
use crate::network::{Core, Event, NodeId, Outcome};
use crate::phy::{Reception, Transmission, Wanted};

impl Macs {
    /// A frame has ended; these receivers had locked on it.
    pub(super) fn arrive(
        &mut self,
        core: &mut Core,
        now: Instant,
        from: NodeId,
        sent: &Transmission,
        received: &[Reception],
    ) {
        for reception in received {
            let node = reception.node;
            let outcome = match reception.outcome {
                Outcome::Ok => self.take(core, now, reception, from, sent),
                other => other,
            };
            let Reception { rssi_dbm, lqi, .. } = *reception;
            core.trace(now, node, Event::Received { frame: sent.frame, rssi_dbm, lqi, outcome });
        }
    }

    /// Takes a frame in, whose bits have all survived.
    fn take(
        &mut self,
        core: &mut Core,
        now: Instant,
        reception: &Reception,
        from: NodeId,
        sent: &Transmission,
    ) -> Outcome {
        let Reception { node, rssi_dbm, .. } = *reception;
        let Some((bytes, check)) = sent.bytes.split_last_chunk::<2>() else { return Outcome::Noise };
        if fcs(bytes) != u16::from_le_bytes(*check) {
            return Outcome::Noise;
        }
        let mut rest = bytes;
        let Some(header) = Header::read(&mut rest) else { return Outcome::Noise };
        if header.frame_type == FrameType::Acknowledgement {
            self.acknowledged(core, now, node, &header, sent);
            return Outcome::Ok;
        }
        let broadcast = header.destination == Address::BROADCAST;
        if header.pan != self.mac.pan || !(broadcast || header.destination == self.mac.addressing.of(node)) {
            return Outcome::NotForMe;
        }
        let command = header.frame_type == FrameType::Command;
        let open = bytes.len() - rest.len() + usize::from(command);
        let payload = match (&self.mac.security, header.protection) {
            (None, None) => rest.to_vec(),
            (Some(security), Some(protection)) if protection.level == security.level => {
                let Some(payload) = security::open(&security.key, eui64(from), protection, bytes, open)
                else {
                    return Outcome::Security;
                };
                if command { rest[..1].to_vec() } else { payload }
            }
            _ => return Outcome::Security,
        };
        let asks = command && payload.first() == Some(&DATA_REQUEST);
        let more = asks && self.waits_for(node, from);
        let state = &mut self.nodes[node.index()];
        if header.acknowledge {
            let mut reply = Vec::with_capacity(5);
            Header::acknowledgement(header.sequence, more).write(&mut reply);
            reply.extend_from_slice(&fcs(&reply).to_le_bytes());
            state.reply = Some(Rc::from(reply));
            self.queue.push(now + TURNAROUND, Step::Reply(node));
        }
        let counter = header.protection.map_or(0, |protection| protection.counter);
        let last = state.heard.insert(from, (header.sequence, counter));
        let duplicate = last.is_some_and(|(sequence, _)| sequence == header.sequence);
        // A counter that is not greater than the last was sent before it: somebody plays it again.
        let replayed = header.protection.is_some() && last.is_some_and(|(_, last)| counter < last);
        if replayed {
            state.heard.extend(last.map(|last| (from, last)));
        }
        if asks {
            if !duplicate {
                self.release(core, now, node, from);
            }
        } else if !header.pending {
            state.listen_until = Instant::EPOCH;
        }
        self.settle(core, now, node);
        if duplicate || replayed {
            return if duplicate { Outcome::Duplicate } else { Outcome::Security };
        }
        if header.pending && self.sleeps(node) {
            self.ask_parent(core, now, node);
        }
        if !command {
            self.indications.push_back(Indication::Received {
                node,
                from,
                payload,
                id: sent.id,
                broadcast,
                rssi_dbm,
            });
        }
        Outcome::Ok
    }

    fn acknowledged(
        &mut self,
        core: &mut Core,
        now: Instant,
        node: NodeId,
        header: &Header,
        sent: &Transmission,
    ) {
        let state = &self.nodes[node.index()];
        let Phase::Await { sequence, .. } = state.phase else { return };
        let mine = sent.wanted == Wanted::Node(node) && sequence == header.sequence;
        let Some(job) = state.jobs.front().filter(|_| mine) else { return };
        let bytes = job.built.as_ref().map_or(0, |(_, bytes)| bytes.len());
        let polled = job.command;
        self.finish(core, now, node, Ok(bytes));
        if header.pending {
            if polled {
                let state = &mut self.nodes[node.index()];
                state.listen_until = now + self.mac.listen;
                self.queue.push(state.listen_until, Step::Quiet(node));
                self.settle(core, now, node);
            } else if self.sleeps(node) {
                self.ask_parent(core, now, node);
            }
        }
    }

    /// Sends the acknowledgement that a node owes.
    pub(super) fn reply(&mut self, core: &mut Core, now: Instant, node: NodeId) {
        let Some(bytes) = self.nodes[node.index()].reply.take() else { return };
        if self.nodes[node.index()].on_air || !core.alive[node.index()] {
            return;
        }
        let frame = self.air.number_frame();
        let to = self.owed(&bytes, node);
        let sent =
            Transmission { frame, wanted: to, acknowledgement: true, id: None, bytes, row: node.index() };
        self.put_on_air(core, now, node, sent, 0);
    }

    /// To whom an acknowledgement goes: it does not say, but its sequence number is that of the last frame of one
    /// neighbour, who awaits it.
    fn owed(&self, bytes: &[u8], node: NodeId) -> Wanted {
        let heard = &self.nodes[node.index()].heard;
        let awaits = |other: &NodeId| {
            let state = &self.nodes[other.index()];
            let to = state.jobs.front().map(|job| job.to);
            matches!(state.phase, Phase::Await { sequence, .. } if Some(&sequence) == bytes.get(2))
                && to == Some(super::To::Node(node))
                && heard.contains_key(other)
        };
        // Of several who await the same number, one at most can be told: always the same.
        let first = self.awaiting.iter().copied().filter(awaits).min();
        first.map_or(Wanted::Nobody, Wanted::Node)
    }
}
