//! IEEE 802.15.4: frames, their protection, and access to the channel without slots.
//!
//! Frames are real bytes from their control field to their check sequence. A node that has something to send
//! waits a random number of back-off periods, looks whether the channel is clear, turns its radio around and
//! sends; if it asked for an acknowledgement and none comes, it begins again:
//!
//! ```text
//!  Idle -> Backoff -> Assess -> Turn -> Send -> Await -> Space -> Idle
//!            ^          | busy                    | no acknowledgement
//!            +----------+-------------------------+
//! ```
//!
//! A sleeping node's frames wait at its parent until it asks for them.

mod frame;
mod indirect;
mod job;
mod machine;
mod receive;
mod security;
mod writing;

pub(crate) use frame::SplitOff;
pub use frame::{Address, FrameType, Header, fcs};
pub(crate) use job::{Indication, Job, To};
pub(crate) use machine::Macs;
pub use security::{LinkSecurity, Protection, SecurityLevel};

use sedge_time::Duration;

use crate::network::NodeId;

/// The longest frame, its check sequence included.
pub const MAX_FRAME: usize = 127;

/// How frames name nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// By 16 bits.
    #[default]
    Short,
    /// By 64 bits.
    Extended,
}

/// When a channel counts as busy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cca {
    /// Power above a threshold (mode 1).
    Energy {
        /// The threshold.
        dbm: f64,
    },
    /// A frame is being received (mode 2).
    Carrier,
    /// Either (mode 3).
    EnergyOrCarrier {
        /// The threshold.
        dbm: f64,
    },
}

/// How nodes use the channel. The defaults are those of IEEE 802.15.4-2006 at 2.4 GHz.
#[derive(Clone, Debug)]
pub struct Mac {
    /// The network's identifier.
    pub pan: u16,
    /// How frames name nodes.
    pub addressing: Addressing,
    /// Link-layer security, if any.
    pub security: Option<LinkSecurity>,
    /// macMinBE.
    pub min_be: u8,
    /// macMaxBE.
    pub max_be: u8,
    /// macMaxCSMABackoffs.
    pub max_backoffs: u8,
    /// macMaxFrameRetries.
    pub max_retries: u8,
    /// Whether unicast frames ask for an acknowledgement.
    pub acknowledge: bool,
    /// When the channel counts as busy. The default is -75 dBm, 10 dB above what the standard asks for as sensitivity.
    pub cca: Cca,
    /// From the end of sending until the receiver hears.
    pub ready: Duration,
    /// How many frames wait in a node.
    pub queue: usize,
    /// macTransactionPersistenceTime: how long a frame waits for a sleeping node.
    pub persistence: Duration,
    /// How long a node listens for what an acknowledgement announced (macMaxFrameTotalWaitTime).
    pub listen: Duration,
}

impl Default for Mac {
    fn default() -> Self {
        Self {
            pan: 0x5ed6,
            addressing: Addressing::Short,
            security: None,
            min_be: 3,
            max_be: 5,
            max_backoffs: 4,
            max_retries: 3,
            acknowledge: true,
            cca: Cca::Energy { dbm: -75.0 },
            // nRF52840 product specification: the fast ramp-up takes 40 us.
            ready: Duration::from_micros(40),
            queue: 48,
            persistence: Duration::from_micros(7_680_000),
            listen: Duration::from_micros(19_520),
        }
    }
}

/// aUnitBackoffPeriod: 20 symbols.
pub const UNIT_BACKOFF: Duration = Duration::from_micros(320);
/// Time of one assessment: 8 symbols.
pub const CCA_TIME: Duration = Duration::from_micros(128);
/// aTurnaroundTime: 12 symbols.
pub const TURNAROUND: Duration = Duration::from_micros(192);
/// macAckWaitDuration: 54 symbols.
pub const ACK_WAIT: Duration = Duration::from_micros(864);

/// Pause after a frame of this length (macMinSIFSPeriod, macMinLIFSPeriod).
pub const fn spacing(bytes: usize) -> Duration {
    Duration::from_micros(if bytes <= 18 { 192 } else { 640 })
}

/// The 64-bit identifier of a node: locally administered.
pub const fn eui64(node: NodeId) -> [u8; 8] {
    let [high, low] = node.0.to_be_bytes();
    [0x02, 0x5e, 0xd6, 0xff, 0xfe, 0, high, low]
}

impl Addressing {
    /// The address of a node.
    pub const fn of(self, node: NodeId) -> Address {
        match self {
            Self::Short => Address::Short(crate::network::short_address(node)),
            Self::Extended => Address::Extended(eui64(node)),
        }
    }
}
