//! A device's clock, which need not be right.

use sedge_time::{Duration, Instant};

/// How a device's clock goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drift {
    /// It runs fast by so many billionths.
    ppb: i64,
    /// Since this true time,
    since: Instant,
    /// at which it showed this.
    shown: Instant,
}

impl Drift {
    /// A clock that is right.
    pub(crate) const NONE: Self = Self { ppb: 0, since: Instant::EPOCH, shown: Instant::EPOCH };

    /// The same clock, which goes differently from now on.
    pub(crate) fn change(self, now: Instant, ppm: f64) -> Self {
        // Slower than half or faster than double is no clock any more.
        let ppb = (ppm * 1000.0).clamp(-5e8, 1e9) as i64;
        Self { ppb, since: now, shown: self.shows(now) }
    }

    /// What the clock shows at a true time.
    pub(crate) fn shows(self, now: Instant) -> Instant {
        self.shown + scaled(now.saturating_since(self.since), 1_000_000_000 + self.ppb, 1_000_000_000)
    }

    /// The first true time at which it shows `shown`.
    pub(crate) fn when(self, shown: Instant) -> Instant {
        let rate = 1_000_000_000 + self.ppb;
        let mut at = self.since + scaled(shown.saturating_since(self.shown), 1_000_000_000, rate);
        // What rounding took away.
        while self.shows(at) < shown {
            at += Duration::from_micros(1);
        }
        at
    }
}

fn scaled(duration: Duration, numerator: i64, denominator: i64) -> Duration {
    let product = i128::from(duration.as_micros()) * i128::from(numerator) / i128::from(denominator);
    Duration::from_micros(u64::try_from(product).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_is_early() {
        let at = |secs: u64| Instant::from_micros(secs * 1_000_000);
        let fast = Drift::NONE.change(at(100), 50_000.0);
        assert_eq!(fast.shows(at(200)), at(205));
        assert_eq!(fast.when(at(205)), at(200));
        let slow = fast.change(at(200), -50_000.0);
        assert_eq!(slow.shows(at(300)), at(300));
        for target in [205_000_001, 210_333_333, 299_999_999].map(Instant::from_micros) {
            let when = slow.when(target);
            assert!(slow.shows(when) >= target);
            assert!(slow.shows(Instant::from_micros(when.as_micros() - 1)) < target);
        }
    }
}
