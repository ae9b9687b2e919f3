//! One message, from the wish to send it to its end.

use std::fmt;
use std::num::NonZeroU32;

use sedge_time::{Duration, Instant};

use crate::network::NodeId;

/// Names a message of one run, counted from 1 in the order in which they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(NonZeroU32);

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A device publishes to a topic.
    Publication,
    /// The operator publishes to a topic that devices observe.
    Command,
    /// A device fetches something long, block by block.
    Download,
    /// A device makes a session with the broker.
    Handshake,
}

/// How a message ended, as far as its sender knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Not known yet, or nobody waits to know it.
    Open,
    /// It was acknowledged, or completed.
    Done,
    /// It was refused with an error of class 4 or 5.
    Refused,
    /// It was given up.
    Failed,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its name.
    pub id: MessageId,
    /// What it is for.
    pub kind: Kind,
    /// The device that sends it; of a command, the border router.
    pub node: NodeId,
    /// The bytes of its body.
    pub bytes: u32,
    /// When it was to be sent.
    pub created: Instant,
    /// When it was first where it was to go.
    pub arrived: Option<Instant>,
    /// When its sender knew how it went.
    pub concluded: Option<Instant>,
    /// How it went.
    pub outcome: Outcome,
    /// How many are to get it.
    pub expected: u32,
    /// How many have got it.
    pub arrivals: u32,
    /// The sum of the times that took, for their mean.
    pub total_latency: Duration,
    /// IPv6 packets, both ways, answers and repetitions included.
    pub packets: u32,
    /// Frames on the air, repetitions and every hop included.
    pub frames: u32,
    /// How many of these were repetitions of the MAC.
    pub retries: u32,
    /// How often a frame was not acknowledged.
    pub unacknowledged: u32,
    /// Microseconds that its frames occupied the channel.
    pub airtime_us: u64,
}

impl MessageId {
    pub(crate) const FIRST: Self = Self(NonZeroU32::MIN);

    /// The message with this number.
    pub const fn from_number(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0.get()
    }

    pub(crate) const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl Message {
    pub(crate) const fn new(id: MessageId, kind: Kind, node: NodeId, created: Instant, bytes: usize) -> Self {
        Self {
            id,
            kind,
            node,
            bytes: bytes as u32,
            created,
            arrived: None,
            concluded: None,
            outcome: Outcome::Open,
            expected: 1,
            arrivals: 0,
            total_latency: Duration::from_micros(0),
            packets: 0,
            frames: 0,
            retries: 0,
            unacknowledged: 0,
            airtime_us: 0,
        }
    }

    /// How long it took to the first who got it.
    pub fn latency(&self) -> Option<Duration> {
        Some(self.arrived?.saturating_since(self.created))
    }

    pub(crate) fn arrived(&mut self, now: Instant) {
        let _first = self.arrived.get_or_insert(now);
        self.arrivals = self.arrivals.saturating_add(1);
        let took = now.saturating_since(self.created).as_micros();
        self.total_latency = Duration::from_micros(self.total_latency.as_micros().saturating_add(took));
    }

    pub(crate) fn conclude(&mut self, now: Instant, outcome: Outcome) {
        self.concluded = Some(now);
        self.outcome = outcome;
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Publication, Self::Command, Self::Download, Self::Handshake];

    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publication => "publication",
            Self::Command => "command",
            Self::Download => "download",
            Self::Handshake => "handshake",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Outcome {
    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
