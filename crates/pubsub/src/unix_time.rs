//! Wall-clock time, which only `expiration-date` and ages that outlive a restart need.

/// Seconds since 1970-01-01T00:00Z, as the host's wall clock has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// The whole seconds since `earlier`; zero if the clock was set back past it.
    pub const fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
