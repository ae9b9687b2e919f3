//! Noise at the receivers.

use std::rc::Rc;

use sedge_time::{Duration, Instant};

use super::power::attowatts;
use crate::kernel::{Purpose, Streams};

/// Noise at the receivers.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Noise {
    /// Each receiver's own, from its sensitivity: 0.4 dB below the signal of which 1 % of 20-byte frames are lost.
    #[default]
    Sensitivity,
    /// A recording, played back in a circle; each node begins somewhere else in it.
    Recorded {
        /// Levels in the channel.
        dbm: Rc<[f32]>,
        /// Time between two of them.
        step: Duration,
    },
}

/// The ratio at which 1 % of 20-byte frames are lost.
const SENSITIVITY_RATIO_DB: f64 = 0.4;

impl Noise {
    /// Power of the noise at a node now, in attowatts.
    #[inline]
    pub(super) fn attowatts(&self, streams: &Streams, floor: u64, node: usize, now: Instant) -> u64 {
        match self {
            Self::Recorded { dbm, step } if !dbm.is_empty() => {
                let begin = streams.unit(Purpose::NOISE, node as u64, 0) * dbm.len() as f64;
                let steps = now.as_micros() / step.as_micros().max(1);
                let place = (begin as u64).wrapping_add(steps) % dbm.len() as u64;
                // A recording cannot be quieter than the receiver.
                attowatts(f64::from(dbm[place as usize])).max(floor)
            }
            _ => floor,
        }
    }
}

/// The noise floor of a receiver with this sensitivity, in dBm.
pub(super) fn floor_dbm(sensitivity_dbm: f64) -> f64 {
    sensitivity_dbm - SENSITIVITY_RATIO_DB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_go_round_and_differ_between_nodes() {
        let noise = Noise::Recorded {
            dbm: (0..100).map(|level| -90.0 + level as f32 / 10.0).collect(),
            step: Duration::from_millis(1),
        };
        let streams = Streams::new(1);
        let at =
            |node, millis| noise.attowatts(&streams, 1, node, Instant::EPOCH + Duration::from_millis(millis));
        assert_eq!(at(3, 7), at(3, 107));
        assert_ne!(at(3, 7), at(3, 8));
        assert_ne!(at(3, 7), at(4, 7));
        assert_eq!(noise.attowatts(&streams, u64::MAX, 3, Instant::EPOCH), u64::MAX);
    }
}
