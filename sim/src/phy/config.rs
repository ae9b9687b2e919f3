//! What the channel is like, as values.

use super::{Interferer, Noise, Propagation};
use crate::link::{Bursts, Probability};

/// The radio channel of a network.
#[derive(Clone, Debug)]
pub struct Phy {
    /// The channel, 11 to 26; it shows in captures.
    pub channel: u8,
    /// Path loss and shadowing.
    pub propagation: Propagation,
    /// Noise at the receivers.
    pub noise: Noise,
    /// How a frame's fate follows from its signal.
    pub reception: ReceptionModel,
    /// Losses that chance takes on top, frame by frame.
    pub loss: FrameLoss,
    /// Losses that come in bursts, on each direction of each link by itself.
    pub bursts: Option<Bursts>,
    /// What else sends on the channel.
    pub interferers: Vec<Interferer>,
    /// A frame is noticed if its beginning is at least this much above noise and interference.
    pub detection_db: f64,
    /// A frame that begins during another's preamble takes the receiver if it is this much stronger.
    pub capture_db: f64,
    /// Signals this far below the noise count for nothing.
    pub horizon_db: f64,
}

impl Default for Phy {
    fn default() -> Self {
        Self {
            channel: 15,
            propagation: Propagation::default(),
            noise: Noise::default(),
            reception: ReceptionModel::BitErrors,
            loss: FrameLoss::default(),
            bursts: None,
            interferers: Vec::new(),
            // Where half of all five-byte headers are wrong.
            detection_db: -3.0,
            capture_db: 3.0,
            horizon_db: 10.0,
        }
    }
}

impl Phy {
    /// [`detection_db`](Self::detection_db) as a ratio.
    pub(super) fn detection(&self) -> f64 {
        10_f64.powf(self.detection_db / 10.0)
    }
}

/// How a frame's fate follows from its signal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ReceptionModel {
    /// Bits fail by the ratio of signal to noise and interference, segment by segment.
    #[default]
    BitErrors,
    /// Without interference, frames survive with `1 / (1 + exp(-(rssi - rssi50_dbm) / scale_db))`.
    Logistic {
        /// Where half of the frames survive.
        rssi50_dbm: f64,
        /// How gradual the change is.
        scale_db: f64,
    },
}

/// Chances of loss that do not depend on signals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameLoss {
    /// Of data and commands.
    pub data: Probability,
    /// Of acknowledgements.
    pub acknowledgement: Probability,
}

impl Default for FrameLoss {
    fn default() -> Self {
        Self { data: Probability::NEVER, acknowledgement: Probability::NEVER }
    }
}
