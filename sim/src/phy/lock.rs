//! A frame on its way into a receiver.

use sedge_time::Instant;

use super::oqpsk::ln_survival;
use super::past::Order;

/// A frame that is being received by somebody who has to decide its fate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lock {
    pub(super) node: u16,
    /// The number of the emission.
    pub(super) on: Order,
    /// Its power here.
    pub(super) attowatts: u64,
    noise: u64,
    /// From here on the present segment goes.
    since: Instant,
    /// Logarithms of the chances that all bits so far survived: everything counted, and noise alone.
    pub(super) ln_all: f64,
    pub(super) ln_noise: f64,
}

const MICROS_A_BIT: f64 = 4.0;

impl Lock {
    pub(super) const fn new(node: u16, on: Order, first_bit: Instant, attowatts: u64, noise: u64) -> Self {
        Self { node, on, attowatts, noise, since: first_bit, ln_all: 0.0, ln_noise: 0.0 }
    }

    /// Ends a segment: `ambient` is the power of everything on the air during it, this frame included.
    pub(super) fn close(&mut self, now: Instant, ambient: u64) {
        if now <= self.since {
            return;
        }
        let bits = now.saturating_since(self.since).as_micros() as f64 / MICROS_A_BIT;
        let others = ambient.saturating_sub(self.attowatts);
        let against = |power: u64| bits * ln_survival(self.attowatts as f64 / power as f64);
        let noise = against(self.noise);
        self.ln_all += if others == 0 { noise } else { against(self.noise + others) };
        self.ln_noise += noise;
        self.since = now;
    }
}
