//! Datagrams over [embassy-net](https://docs.rs/embassy-net), and time by [embassy-time](https://docs.rs/embassy-time).

#[cfg(feature = "embassy-net")]
mod socket;

#[cfg(feature = "embassy-net")]
pub use socket::{Memory, Refused, Socket};

/// The clock of embassy's executor, which starts at zero and goes on while the processor sleeps.
#[cfg(feature = "embassy-time")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

#[cfg(feature = "embassy-time")]
impl sedge_client::Clock for Clock {
    fn now(&self) -> sedge_time::Instant {
        sedge_time::Instant::from_micros(embassy_time::Instant::now().as_micros())
    }

    async fn sleep_until(&mut self, deadline: sedge_time::Instant) {
        embassy_time::Timer::at(embassy_time::Instant::from_micros(deadline.as_micros())).await;
    }
}
