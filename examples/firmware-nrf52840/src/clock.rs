//! Time: the 32.768 kHz counter (RTC1) that embassy keeps, which goes on while the processor sleeps.

use embassy_time::Timer;
use sedge_client::Clock;
use sedge_time::Instant;

pub struct Rtc;

impl Clock for Rtc {
    fn now(&self) -> Instant {
        Instant::from_micros(embassy_time::Instant::now().as_micros())
    }

    async fn sleep_until(&mut self, deadline: Instant) {
        Timer::at(embassy_time::Instant::from_micros(deadline.as_micros())).await;
    }
}
