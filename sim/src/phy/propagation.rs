//! How much of a signal is left at a distance.

use crate::kernel::{Purpose, Streams};

/// Path loss and what varies around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Propagation {
    /// Loss by distance.
    pub loss: Loss,
    /// Deviation of the shadowing between two places, in decibels.
    pub shadowing_db: f64,
    /// Deviation of what single transmitters radiate, in decibels: what makes links asymmetric.
    pub asymmetry_db: f64,
}

/// Loss by distance, in decibels over metres.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// `reference_db + 10 * exponent * log10(d)`.
    LogDistance {
        /// Loss at one metre.
        reference_db: f64,
        /// 2 in free space, 3 to 4 indoors.
        exponent: f64,
    },
    /// Indoors after [ITU-R P.1238](https://www.itu.int/rec/R-REC-P.1238):
    /// `20 * log10(f) + coefficient * log10(d) + floors - 28`, where `n` floors cost `15 + 4 * (n - 1)`.
    Indoor {
        /// Frequency in megahertz.
        megahertz: f64,
        /// 28 in a flat, 30 in an office, 22 in a hall.
        coefficient: f64,
        /// Height of a storey.
        storey_m: f64,
    },
    /// No loss worth speaking of up to a range, and nothing beyond.
    Disc {
        /// The range.
        range_m: f64,
    },
}

impl Default for Propagation {
    /// `40 + 35 * log10(d)` decibels with a shadowing of 4 dB.
    fn default() -> Self {
        Self {
            loss: Loss::LogDistance { reference_db: 40.0, exponent: 3.5 },
            shadowing_db: 4.0,
            asymmetry_db: 0.0,
        }
    }
}

/// The loss of a [`Loss::Disc`] within its range.
const DISC_LOSS_DB: f64 = 60.0;

impl Loss {
    /// Loss between two places; `None` if nothing arrives.
    pub fn decibels(&self, one: [f64; 3], other: [f64; 3]) -> Option<f64> {
        let distance = distance(one, other);
        match *self {
            Self::LogDistance { reference_db, exponent } => {
                Some(reference_db + 10.0 * exponent * distance.max(0.1).log10())
            }
            Self::Indoor { megahertz, coefficient, storey_m } => {
                let floors = ((one[2] / storey_m).floor() - (other[2] / storey_m).floor()).abs();
                let through = if floors > 0.0 { 15.0 + 4.0 * (floors - 1.0) } else { 0.0 };
                Some(20.0 * megahertz.log10() + coefficient * distance.max(1.0).log10() + through - 28.0)
            }
            Self::Disc { range_m } => (distance <= range_m).then_some(DISC_LOSS_DB),
        }
    }

    /// Beyond this distance the loss is always greater than this.
    pub(super) fn reach_m(&self, decibels: f64) -> f64 {
        match *self {
            Self::LogDistance { reference_db, exponent } => {
                10_f64.powf((decibels - reference_db) / 10.0 / exponent)
            }
            Self::Indoor { megahertz, coefficient, .. } => {
                10_f64.powf((decibels + 28.0 - 20.0 * megahertz.log10()) / coefficient).max(1.0)
            }
            Self::Disc { range_m } => range_m,
        }
    }
}

impl Propagation {
    /// Loss between two places with its shadowing, the same both ways and whoever asks first.
    pub(super) fn decibels(&self, streams: &Streams, one: [f64; 3], other: [f64; 3]) -> Option<f64> {
        let loss = self.loss.decibels(one, other)?;
        if self.shadowing_db == 0.0 {
            return Some(loss);
        }
        let [one, other] = [one, other].map(place);
        let shadow = streams.normal(Purpose::SHADOWING, one.min(other), one.max(other));
        Some(loss + self.shadowing_db * shadow)
    }

    /// What this transmitter radiates more than others.
    pub(super) fn offset_db(&self, streams: &Streams, node: usize) -> f64 {
        if self.asymmetry_db == 0.0 {
            return 0.0;
        }
        self.asymmetry_db * streams.normal(Purpose::SHADOWING, u64::MAX, node as u64)
    }
}

fn distance(one: [f64; 3], other: [f64; 3]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// A number for a place, to the millimetre.
fn place(position: [f64; 3]) -> u64 {
    position.iter().fold(0, |number: u64, coordinate| {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ ((coordinate * 1_000.0).round() as i64 as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_follows_its_formula() {
        let log = Propagation::default().loss;
        assert_eq!(log.decibels([0.0; 3], [10.0, 0.0, 0.0]), Some(75.0));
        assert!((log.reach_m(75.0) - 10.0).abs() < 1e-9);
        let indoor = Loss::Indoor { megahertz: 2_400.0, coefficient: 30.0, storey_m: 3.0 };
        let same_floor = indoor.decibels([0.0; 3], [10.0, 0.0, 0.0]).unwrap();
        assert!((same_floor - 69.604).abs() < 1e-3, "20 log 2400 + 30 - 28: {same_floor}");
        let above = indoor.decibels([0.0; 3], [0.0, 0.0, 10.0]).unwrap();
        assert!((above - same_floor - 23.0).abs() < 1e-9, "three floors cost 15 + 4 * 2");
    }

    #[test]
    fn shadowing_depends_on_the_places_alone() {
        let (propagation, streams) = (Propagation::default(), Streams::new(3));
        let pair = ([1.0, 2.0, 0.0], [30.0, 4.0, 1.0]);
        assert_eq!(
            propagation.decibels(&streams, pair.0, pair.1),
            propagation.decibels(&streams, pair.1, pair.0)
        );
        assert_ne!(
            propagation.decibels(&streams, pair.0, pair.1),
            propagation.decibels(&Streams::new(4), pair.0, pair.1)
        );
    }
}
