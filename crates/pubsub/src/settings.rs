//! What a broker's operator chooses about topics.

use crate::Rate;

/// The settings of [`Topics`](crate::Topics).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether a caller that may publish to a name creates the topic by its first publication.
    pub auto_create: bool,
    /// How many topics there may be.
    pub max_topics: usize,
    /// How many recent values a topic keeps for subscribers that are behind, at least 1.
    pub history: u16,
    /// How many bytes those values may have together; the newest is kept whatever its size.
    pub history_bytes: usize,
    /// The longest value, in bytes.
    pub max_value: u32,
    /// How fast one topic may be published to.
    pub rate: Rate,
    /// Whether a publication is acknowledged only when the store holds it, unless the topic says.
    pub durable: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auto_create: true,
            max_topics: 100_000,
            history: 16,
            history_bytes: 1 << 20,
            max_value: 256 << 10,
            rate: Rate { per_second: 10_000, burst: 10_000 },
            durable: false,
        }
    }
}
