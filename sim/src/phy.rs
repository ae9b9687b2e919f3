//! The radio channel: how much of a signal arrives, what disturbs it, and which frames survive.
//!
//! Every receiver knows the power of everything on the air that it can hear, in whole attowatts, so that adding
//! and taking away leaves no rounding behind. A receiver locks on a frame whose beginning it hears well enough;
//! from then on each change of what disturbs it closes a segment, and the bits of a segment survive with the
//! chance that its ratio of signal to noise and interference gives ([`ber`]).

mod air;
mod bursts;
mod config;
mod hearing;
mod interferer;
mod lock;
mod noise;
mod oqpsk;
mod past;
mod power;
mod propagation;

pub(crate) use air::{Air, Mode, Reception, Transmission, Wanted};
pub use config::{FrameLoss, Phy, ReceptionModel};
pub use interferer::Interferer;
pub use noise::Noise;
pub use oqpsk::{ber, per};
pub use propagation::{Loss, Propagation};

use sedge_time::Duration;

/// Time of one byte at 250 kbit/s.
pub const BYTE: Duration = Duration::from_micros(32);

/// Bytes that the radio sends before a frame: preamble, delimiter and length.
pub const HEADER_BYTES: u64 = 6;

/// How long a frame of this many bytes is on the air.
pub const fn airtime(bytes: usize) -> Duration {
    BYTE.saturating_mul(HEADER_BYTES + bytes as u64)
}
