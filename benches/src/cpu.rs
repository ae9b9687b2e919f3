//! CPU time (user and system) of a thread or process, and statistics over repetitions.

use std::io;
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// A clock that runs only while its thread or process does, in user or kernel mode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuClock(ClockId);

impl CpuClock {
    /// The clock of the calling thread.
    pub(crate) const fn this_thread() -> Self {
        Self(ClockId::CLOCK_THREAD_CPUTIME_ID)
    }

    /// The clock of all threads of a process together.
    pub(crate) fn of_process(pid: u32) -> io::Result<Self> {
        Ok(Self(clock_getcpuclockid(Pid::from_raw(pid as i32))?))
    }

    /// CPU time used so far.
    pub(crate) fn read(self) -> io::Result<Duration> {
        Ok(self.0.now()?.into())
    }
}

/// CPU seconds of the calling thread that `work` takes.
pub(crate) fn cpu_seconds(work: impl FnOnce()) -> f64 {
    let clock = CpuClock::this_thread();
    let start = clock.read().unwrap_or_default();
    work();
    (clock.read().unwrap_or_default() - start).as_secs_f64()
}

/// The median of a few figures; 0 for none.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        len if len % 2 == 1 => sorted[len / 2],
        len => (sorted[len / 2 - 1] + sorted[len / 2]) / 2.0,
    }
}

/// One contender of a comparison: its name and the figures of its repetitions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(pub(crate) Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    pub(crate) fn median(&self) -> f64 {
        median(&self.0)
    }

    /// Lowest and highest.
    pub(crate) fn range(&self) -> (f64, f64) {
        self.0.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &figure| {
            (low.min(figure), high.max(figure))
        })
    }

    /// Repetition by repetition, `self / other`. Repetitions alternate, so that what else the machine does
    /// falls on both alike.
    pub(crate) fn ratios_to(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect())
    }
}
