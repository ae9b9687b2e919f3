//! The connection to the server: when there is one, and when to try again.
//!
//! ```text
//!             due                    Connected
//!   Down -------------> Dialling ----------------> Up
//!    ^                     |                        |
//!    +---- back-off -------+------- lost -----------+        close: Closed, from anywhere
//! ```

use sedge_time::{Duration, Instant};

use crate::config::Backoff;
use crate::disconnect::Disconnect;

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// There is none; the next attempt begins at `until`. So many have failed in a row.
    Down { until: Instant, failures: u32 },
    /// A handshake is under way.
    Dialling { failures: u32 },
    /// It is there. What was refused before, in a row, counts again if the server turns out to refuse this one: it may
    /// say so after the session has begun.
    Up { failures: u32 },
    /// It was closed for good.
    Closed,
}

impl Link {
    /// The state after the connection, or the attempt at one, was lost.
    pub(crate) fn lost(self, now: Instant, reason: Disconnect, backoff: &Backoff, random: u32) -> Self {
        match self {
            Self::Closed => Self::Closed,
            // A session that worked says nothing against the next one, but a whole fleet may have lost theirs.
            Self::Up { .. } if !reason.is_refusal() => {
                Self::Down { until: now + spread(random), failures: 0 }
            }
            Self::Up { failures } | Self::Dialling { failures } | Self::Down { failures, .. } => {
                let failures = failures.saturating_add(1);
                Self::Down { until: now + backoff.wait(failures, random), failures }
            }
        }
    }
}

/// Up to half a second.
fn spread(random: u32) -> Duration {
    Duration::from_millis(500).part(random)
}
