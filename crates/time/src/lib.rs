//! Instants and durations in microseconds, whose epoch the host chooses.
//!
//! Nothing in the protocol crates reads a clock: every input carries the [`Instant`] at which it happened,
//! so the same code runs on a microcontroller's tick counter, on a server's monotonic clock and on a
//! simulator's virtual time.
#![no_std]

use core::ops::{Add, AddAssign, Sub};

/// A point on the host's monotonic clock, in microseconds since an epoch that the host chooses.
///
/// Arithmetic saturates: an instant never wraps and never panics. At one microsecond per tick the range
/// lasts 584,000 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

/// A span of time in microseconds. Arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Instant {
    /// The host's epoch.
    pub const EPOCH: Self = Self(0);
    /// Later than anything that will happen.
    pub const DISTANT_FUTURE: Self = Self(u64::MAX);

    /// The instant `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time since `earlier`, or zero if `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span.
    pub const MAX: Self = Self(u64::MAX);

    /// A span of `micros` microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A span of `secs` seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// The span in microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The span in whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// The span in whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The span `factor` times over.
    pub const fn saturating_mul(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// This share of the span: `numerator / denominator`, rounded down; a zero denominator counts as one.
    ///
    /// Used to spread back-off by a random share without floating point.
    pub const fn fraction(self, numerator: u32, denominator: u32) -> Self {
        let (numerator, denominator) =
            (numerator as u64, if denominator == 0 { 1 } else { denominator as u64 });
        // In two parts, neither of which needs more than 64 bits.
        let whole = (self.0 / denominator).saturating_mul(numerator);
        let rest = self.0 % denominator * numerator / denominator;
        Self(whole.saturating_add(rest))
    }

    /// The part of the span that is `share / 2^32` of it, rounded down: a division that costs none, so small devices take
    /// this one to spread things at random.
    pub const fn part(self, share: u32) -> Self {
        let (high, low) = (self.0 >> 32, self.0 & u32::MAX as u64);
        Self(high * share as u64 + ((low * share as u64) >> 32))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Duration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Duration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl From<Duration> for core::time::Duration {
    fn from(span: Duration) -> Self {
        Self::from_micros(span.0)
    }
}

impl From<core::time::Duration> for Duration {
    fn from(span: core::time::Duration) -> Self {
        Self(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Instant::DISTANT_FUTURE + Duration::from_secs(1), Instant::DISTANT_FUTURE);
        assert_eq!(Instant::EPOCH - Duration::from_secs(1), Instant::EPOCH);
        assert_eq!(Instant::EPOCH.saturating_since(Instant::from_micros(5)), Duration::ZERO);
        assert_eq!(Duration::MAX.saturating_mul(2), Duration::MAX);
    }

    #[test]
    fn fraction_is_exact_and_total() {
        let span = Duration::from_secs(2);
        assert_eq!(span.fraction(3, 2), Duration::from_secs(3));
        assert_eq!(span.fraction(1, 0), span);
        assert_eq!(
            Duration::MAX.fraction(u32::MAX - 1, u32::MAX).as_micros(),
            u64::MAX - u64::MAX / u64::from(u32::MAX)
        );
        assert_eq!(span.part(1 << 31), Duration::from_secs(1));
        assert_eq!(span.part(u32::MAX), Duration::from_micros(1_999_999));
        assert_eq!(Duration::MAX.part(1 << 31), Duration::from_micros(u64::MAX / 2));
        assert_eq!(Duration::MAX.fraction(2, 1), Duration::MAX);
    }
}
