//! How a broker delivers.

use sedge_coap::block::BlockSize;
use sedge_time::Duration;

/// The settings of [`Subscriptions`](super::Subscriptions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which notifications ask for an acknowledgement.
    pub reliability: Reliability,
    /// The largest payload that goes out in one message; the subscriber fetches the rest block by block.
    pub block: BlockSize,
    /// How long a subscriber that fetches blocks may be silent before the next value is sent regardless.
    pub fetch_patience: Duration,
    /// How many observations one session may have.
    pub max_per_session: usize,
}

/// Which notifications ask for an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reliability {
    /// All of them: one at a time to each subscriber, and each value until it is acknowledged.
    Confirmable,
    /// One after this many others, and one when `observer-check` wants it.
    EveryNth(u8),
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            reliability: Reliability::Confirmable,
            block: BlockSize::MAX,
            fetch_patience: Duration::from_secs(30),
            max_per_session: 1024,
        }
    }
}
