//! What happens in a network, as events.

use std::rc::Rc;

use sedge_time::{Duration, Instant};

use super::{Counters, NodeId, PacketId};
use crate::kernel::Fingerprint;

/// Something that happened at a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// When.
    pub at: Instant,
    /// Where.
    pub node: NodeId,
    /// What.
    pub event: Event,
}

/// What can happen at a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The host gave a packet to send.
    Accepted {
        /// Which packet.
        id: PacketId,
        /// Its length.
        bytes: usize,
    },
    /// A packet was given to the host.
    Delivered {
        /// Which packet.
        id: PacketId,
        /// Its length.
        bytes: usize,
    },
    /// A packet, or a frame that belongs to none, goes no further.
    Dropped {
        /// Which packet.
        id: Option<PacketId>,
        /// Why.
        reason: DropReason,
    },
    /// A packet did not fit one frame.
    Fragmented {
        /// Which packet.
        id: PacketId,
        /// How many fragments it makes.
        count: u16,
    },
    /// All fragments of a packet are here.
    Reassembled {
        /// Which packet.
        id: PacketId,
    },
    /// A packet, or a fragment of it, is sent on for another.
    Forwarded {
        /// Which packet.
        id: PacketId,
        /// To whom.
        next: NodeId,
    },
    /// A frame waits before it looks whether the channel is clear.
    Backoff {
        /// Whose packet's frame it is.
        id: Option<PacketId>,
        /// For how many back-off periods.
        periods: u8,
    },
    /// The channel was not clear.
    CcaBusy {
        /// Whose packet's frame waits.
        id: Option<PacketId>,
    },
    /// A frame goes on the air.
    Sent {
        /// The number of this transmission.
        frame: u64,
        /// When it ends.
        until: Instant,
        /// On which channel.
        channel: u8,
        /// With how much power.
        power_dbm: f64,
        /// The number of times it has been sent before.
        attempt: u8,
        /// Whose packet's frame it is.
        id: Option<PacketId>,
        /// Whether it is an acknowledgement.
        acknowledgement: bool,
        /// The frame from its control field to its check sequence.
        bytes: Rc<[u8]>,
    },
    /// A frame on which the receiver had locked has ended.
    Received {
        /// The number of the transmission.
        frame: u64,
        /// Power at the receiver.
        rssi_dbm: f64,
        /// Link quality from 0 to 255.
        lqi: u8,
        /// What became of it.
        outcome: Outcome,
    },
    /// No acknowledgement came.
    NoAck {
        /// Whose packet's frame it was.
        id: Option<PacketId>,
        /// The number of the transmission.
        frame: u64,
        /// Whether it is sent again.
        again: bool,
    },
    /// The radio changed its state.
    Radio {
        /// To this one.
        state: RadioState,
    },
    /// The processor worked for a while.
    Cpu {
        /// How long.
        time: Duration,
    },
    /// A modem showed the network that it is still there.
    Updated {
        /// How long it took.
        time: Duration,
    },
    /// The node chose another way to the border router.
    Parent {
        /// Through this neighbour.
        parent: Option<NodeId>,
        /// Its own rank from now on.
        rank: u16,
    },
}

/// Why something goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// Chance took it (ideal medium).
    Lost,
    /// The node, or the one it is for, is switched off.
    Dead,
    /// The network is cut in between.
    Partitioned,
    /// It is no IPv6 packet, or no frame that makes sense.
    Malformed,
    /// Nobody has this address, or no way leads there.
    NoRoute,
    /// The hop limit was used up.
    HopLimit,
    /// The queue in front of the radio was full.
    QueueFull,
    /// It is larger than the network carries.
    TooLong,
    /// The channel was always busy.
    ChannelAccess,
    /// No acknowledgement came, whatever was tried.
    NoAck,
    /// A sleeping child did not ask for it in time.
    Expired,
    /// Fragments were missing when the time was up.
    ReassemblyTimeout,
    /// There was no room to put fragments together.
    ReassemblyFull,
    /// Link-layer security refused it.
    Security,
    /// Fragments were lost whatever was tried to recover them.
    Unrecovered,
}

/// What became of a frame that a receiver had locked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It arrived, and was for this node.
    Ok,
    /// It arrived, and was for another.
    NotForMe,
    /// It had arrived before.
    Duplicate,
    /// Noise destroyed it.
    Noise,
    /// Another transmission or an interferer destroyed it.
    Collision,
    /// The receiver turned to something else before it ended.
    Aborted,
    /// Its security header or code was wrong.
    Security,
}

/// What a radio does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RadioState {
    /// Nothing, because the node is switched off.
    Off,
    /// Nothing, at the price of the node's sleep.
    #[default]
    Sleep,
    /// It wakes up now and then to hear whether somebody calls.
    Idle,
    /// It starts, or turns from one to the other.
    Turnaround,
    /// It listens.
    Receive,
    /// It sends.
    Transmit,
}

impl Event {
    /// Whether it belongs to a frame rather than a packet.
    pub(super) fn is_frame(&self) -> bool {
        matches!(
            self,
            Self::Backoff { .. }
                | Self::CcaBusy { .. }
                | Self::Sent { .. }
                | Self::Received { .. }
                | Self::NoAck { .. }
        )
    }

    pub(super) fn count(&self, counters: &mut Counters, at: Instant) {
        match self {
            Self::Accepted { .. } => counters.accepted += 1,
            Self::Delivered { .. } => counters.delivered += 1,
            Self::Forwarded { .. } => counters.forwarded += 1,
            Self::Dropped { reason, .. } => {
                counters.dropped += 1;
                counters.access_failures += u64::from(*reason == DropReason::ChannelAccess);
            }
            Self::CcaBusy { .. } => counters.busy += 1,
            Self::Sent { acknowledgement, until, .. } => {
                *(if *acknowledgement { &mut counters.acknowledgements } else { &mut counters.frames }) += 1;
                counters.airtime = counters.airtime + until.saturating_since(at);
            }
            Self::NoAck { again, .. } => {
                *(if *again { &mut counters.retries } else { &mut counters.unacknowledged }) += 1;
            }
            Self::Received { outcome, .. } => match outcome {
                Outcome::Ok => counters.received += 1,
                Outcome::Noise => counters.noise += 1,
                Outcome::Collision => counters.collisions += 1,
                Outcome::Duplicate => counters.duplicates += 1,
                Outcome::NotForMe | Outcome::Aborted | Outcome::Security => {}
            },
            _ => {}
        }
    }

    pub(super) fn absorb(&self, at: Instant, node: NodeId, fingerprint: &mut Fingerprint) {
        let packet = |id: &Option<PacketId>| id.map_or(u64::MAX, |id| id.0);
        let (kind, first, second) = match self {
            Self::Accepted { id, bytes } => (0, id.0, *bytes as u64),
            Self::Delivered { id, bytes } => (1, id.0, *bytes as u64),
            Self::Dropped { id, reason } => (2, packet(id), *reason as u64),
            Self::Fragmented { id, count } => (3, id.0, u64::from(*count)),
            Self::Reassembled { id } => (4, id.0, 0),
            Self::Forwarded { id, next } => (5, id.0, u64::from(next.0)),
            Self::Backoff { id, periods } => (6, packet(id), u64::from(*periods)),
            Self::CcaBusy { id } => (7, packet(id), 0),
            Self::Sent { frame, until, .. } => (8, *frame, until.as_micros()),
            Self::Received { frame, outcome, .. } => (9, *frame, *outcome as u64),
            Self::NoAck { id, frame, .. } => (10, packet(id), *frame),
            Self::Radio { state } => (11, *state as u64, 0),
            Self::Cpu { time } => (12, time.as_micros(), 0),
            Self::Updated { time } => (14, time.as_micros(), 0),
            Self::Parent { parent, rank } => {
                (13, parent.map_or(u64::MAX, |node| node.0.into()), u64::from(*rank))
            }
        };
        fingerprint.absorb_words([at.as_micros(), kind << 32 | u64::from(node.0), first, second]);
        if let Self::Sent { bytes, .. } = self {
            fingerprint.absorb(bytes);
        }
    }
}
