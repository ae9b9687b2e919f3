//! What goes into the MAC, and what comes out.

use std::rc::Rc;

use sedge_time::Duration;

use super::frame::DATA_REQUEST;
use crate::network::{DropReason, NodeId, PacketId};

/// Whom a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Node(NodeId),
    Everyone,
}

/// A frame to send.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) to: To,
    pub(crate) payload: Vec<u8>,
    pub(crate) id: Option<PacketId>,
    /// By which the layer above knows it; the same for all fragments of a packet.
    pub(crate) handle: u64,
    /// How long the node pauses after it at least.
    pub(super) pause: Duration,
    pub(super) command: bool,
    /// Whether the receiver has to be told that more waits for it.
    pub(super) pending: bool,
    /// The frame, once it has been sent: a repetition is the same to the bit.
    pub(super) built: Option<(u8, Rc<[u8]>)>,
    /// Until when it may go back to waiting for a sleeping node.
    pub(super) expires: Option<sedge_time::Instant>,
}

impl Job {
    pub(crate) fn data(to: To, payload: Vec<u8>, id: Option<PacketId>, handle: u64) -> Self {
        Self {
            to,
            payload,
            id,
            handle,
            pause: Duration::ZERO,
            command: false,
            pending: false,
            built: None,
            expires: None,
        }
    }

    pub(crate) fn followed_by(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    pub(super) fn data_request(parent: NodeId) -> Self {
        Self { command: true, ..Self::data(To::Node(parent), vec![DATA_REQUEST], None, u64::MAX) }
    }
}

/// What the MAC tells the layer above.
#[derive(Clone, Debug)]
pub(crate) enum Indication {
    /// A payload has arrived.
    Received {
        node: NodeId,
        from: NodeId,
        payload: Vec<u8>,
        id: Option<PacketId>,
        broadcast: bool,
        rssi_dbm: f64,
    },
    /// A job is done, after so many repetitions, or has failed.
    Done { node: NodeId, to: To, handle: u64, id: Option<PacketId>, outcome: Result<u8, DropReason> },
}
