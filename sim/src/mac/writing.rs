//! The bytes of a node's frames.

use std::rc::Rc;

use super::frame::{Address, FrameType, Header, fcs};
use super::machine::Macs;
use super::security::{self, Protection};
use super::{MAX_FRAME, To, eui64};
use crate::network::NodeId;

impl Macs {
    /// How many bytes of payload fit a data frame.
    pub(crate) fn payload_room(&self) -> usize {
        let header = self.header(NodeId(0), To::Node(NodeId(0)), FrameType::Data, 0, 0);
        let mic = self.mac.security.as_ref().map_or(0, |security| security.level.mic_len());
        MAX_FRAME - 2 - header.len() - mic
    }

    fn header(&self, node: NodeId, to: To, frame_type: FrameType, sequence: u8, counter: u32) -> Header {
        let security = self.mac.security.as_ref();
        Header {
            frame_type,
            pending: false,
            acknowledge: self.mac.acknowledge && to != To::Everyone,
            sequence,
            pan: self.mac.pan,
            destination: match to {
                To::Node(to) => self.mac.addressing.of(to),
                To::Everyone => Address::BROADCAST,
            },
            source: self.mac.addressing.of(node),
            protection: security.map(|security| Protection {
                level: security.level,
                counter,
                key: security.index,
            }),
        }
    }

    /// The bytes of the first job's frame, made when it is sent for the first time.
    pub(super) fn frame(&mut self, node: NodeId) -> Option<(u8, Rc<[u8]>)> {
        let state = &self.nodes[node.index()];
        let job = state.jobs.front()?;
        if let Some(built) = &job.built {
            return Some(built.clone());
        }
        let kind = if job.command { FrameType::Command } else { FrameType::Data };
        let mut header = self.header(node, job.to, kind, state.sequence, state.counter);
        header.pending = job.pending;
        let mut bytes = Vec::with_capacity(MAX_FRAME);
        header.write(&mut bytes);
        // Which command it is stays readable.
        let open = bytes.len() + usize::from(job.command);
        bytes.extend_from_slice(&job.payload);
        if let (Some(security), Some(protection)) = (&self.mac.security, header.protection) {
            security::seal(&security.key, eui64(node), protection, &mut bytes, open);
        }
        bytes.extend_from_slice(&fcs(&bytes).to_le_bytes());
        let built = (header.sequence, Rc::from(bytes));
        let state = &mut self.nodes[node.index()];
        state.sequence = state.sequence.wrapping_add(1);
        state.counter += 1;
        state.jobs.front_mut()?.built = Some(built.clone());
        Some(built)
    }
}
