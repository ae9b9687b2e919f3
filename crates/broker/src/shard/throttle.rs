//! Log entries that strangers can cause: seldom enough that they cannot fill a disk.

use sedge_time::{Duration, Instant};

/// One kind of log entry.
#[derive(Debug)]
pub(super) struct Throttle {
    interval: Duration,
    next: Instant,
    suppressed: u64,
}

impl Throttle {
    pub(super) const fn new(interval: Duration) -> Self {
        Self { interval, next: Instant::EPOCH, suppressed: 0 }
    }

    /// Whether to log this one; then with how many before it that were not.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        if now < self.next {
            self.suppressed += 1;
            return None;
        }
        self.next = now + self.interval;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_each_interval_tells_of_the_others() {
        let mut throttle = Throttle::new(Duration::from_secs(10));
        let at = |secs| Instant::EPOCH + Duration::from_secs(secs);
        assert_eq!(throttle.admit(at(0)), Some(0));
        assert_eq!(throttle.admit(at(1)), None);
        assert_eq!(throttle.admit(at(9)), None);
        assert_eq!(throttle.admit(at(10)), Some(2));
    }
}
