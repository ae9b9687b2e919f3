//! What else sends on the channel.

use sedge_time::Duration;

use crate::Random;

/// A source of interference that is on and off by turns, as a Wi-Fi network is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interferer {
    /// Where it is, in metres.
    pub position: [f64; 3],
    /// Its power within the 2 MHz of the channel: 13 dB less than all of a 40 MHz Wi-Fi signal's, 10 dB less than a
    /// 20 MHz one's.
    pub power_dbm: f64,
    /// Mean length of a burst (exponential).
    pub on: Duration,
    /// Mean pause between bursts (exponential); zero for one that never stops.
    pub off: Duration,
}

impl Interferer {
    /// How long the next burst, or the next pause, is.
    pub(super) fn next(&self, random: &mut Random, burst: bool) -> Duration {
        let mean = if burst { self.on } else { self.off }.as_micros() as f64;
        let draw = -mean * (1.0 - random.unit()).ln();
        Duration::from_micros((draw as u64).max(1))
    }
}
