//! Both clocks: the one that only goes forward, and the one on the wall.

use nix::time::ClockId;
use sedge_pubsub::UnixTime;
use sedge_time::{Duration, Instant};

/// The monotonic clock of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// A clock whose epoch is a day ago, so that "long before now" can be said at the start too.
    pub(crate) fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }

    const BEFORE: Duration = Duration::from_secs(86_400);

    pub(crate) fn now(&self) -> Instant {
        Instant::EPOCH + Self::BEFORE + self.start.elapsed().into()
    }

    /// The instant in tokio's terms.
    pub(crate) fn to_tokio(self, instant: Instant) -> tokio::time::Instant {
        let since_start = instant.saturating_since(Instant::EPOCH + Self::BEFORE);
        let far = std::time::Duration::from_secs(86_400);
        tokio::time::Instant::from_std(
            self.start + std::time::Duration::from(since_start).min(self.start.elapsed() + far),
        )
    }

    /// Seconds since the start.
    pub(crate) fn uptime(&self) -> u64 {
        self.start.elapsed().as_secs()
    }
}

/// The time by the wall clock, as of the kernel's last tick: it is asked for with every request, and seconds are all
/// that is told of it.
pub(crate) fn unix() -> UnixTime {
    let now = ClockId::CLOCK_REALTIME_COARSE.now();
    UnixTime(now.map_or(0, |since| u64::try_from(since.tv_sec()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_the_system_s() {
        let system = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        assert!(system.abs_diff(unix().0) <= 2);
    }
}
