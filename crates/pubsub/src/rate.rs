//! How fast a topic may be published to: a token bucket in the form of one instant.

use sedge_time::{Duration, Instant};

/// So many publications a second on average, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Publications a second; 0 sets no limit.
    pub per_second: u32,
    /// Publications that may come at once after a pause; 0 counts as 1.
    pub burst: u32,
}

/// When the bucket is full again. The bucket is full if that has passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket(Instant);

impl Rate {
    fn interval(self) -> Duration {
        Duration::from_secs(1).fraction(1, self.per_second)
    }
}

impl Bucket {
    /// Takes a token.
    ///
    /// # Errors
    /// The time until there is one.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        if rate.per_second == 0 {
            return Ok(());
        }
        let depth = rate.interval().saturating_mul(u64::from(rate.burst.max(1)));
        let full = self.0.max(now) + rate.interval();
        let beyond = full.saturating_since(now + depth);
        if beyond > Duration::ZERO {
            return Err(beyond);
        }
        self.0 = full;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_average() {
        let rate = Rate { per_second: 10, burst: 3 };
        let mut bucket = Bucket::default();
        let mut now = Instant::from_micros(1_000_000_000);
        for _ in 0..3 {
            assert_eq!(bucket.take(rate, now), Ok(()));
        }
        assert_eq!(bucket.take(rate, now), Err(Duration::from_millis(100)));
        now += Duration::from_millis(99);
        assert_eq!(bucket.take(rate, now), Err(Duration::from_millis(1)));
        now += Duration::from_millis(1);
        assert_eq!(bucket.take(rate, now), Ok(()));
        assert!(bucket.take(rate, now).is_err());
        now += Duration::from_secs(60);
        for _ in 0..3 {
            assert_eq!(bucket.take(rate, now), Ok(()));
        }
        assert!(bucket.take(rate, now).is_err());
    }

    #[test]
    fn zero_sets_no_limit() {
        let mut bucket = Bucket::default();
        for _ in 0..1000 {
            assert_eq!(bucket.take(Rate { per_second: 0, burst: 0 }, Instant::EPOCH), Ok(()));
        }
    }
}
