//! Time: the board's counter of microseconds, which has 32 bits and is carried on to 64.

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::ptr;
use core::task::Poll;

use cortex_m::interrupt::{self, Mutex};
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use sedge_client::Clock;
use sedge_time::{Duration, Instant};

use super::chip;

const COUNTER: usize = chip::FPGA_IO + 0x18;
const PRESCALE: usize = chip::FPGA_IO + 0x1c;
/// How often a sleeping device looks around: every millisecond.
const LOOKS_A_SECOND: u32 = 1_000;

/// What the counter said last, with the 32 bits that it lacks.
static LAST: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

/// Time since the start.
///
/// It starts at zero whatever the counter says, so that no wrap of it is ever seen.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    start: u64,
}

impl Ticks {
    /// Starts the counter at `first`, for which a device that does not test its clock takes zero.
    pub fn start(first: u64) -> Self {
        interrupt::free(|cs| LAST.borrow(cs).set(first));
        // SAFETY: the counter and its prescaler are there on this board, and touch no memory.
        unsafe {
            ptr::write_volatile(PRESCALE as *mut u32, chip::CLOCK / 1_000_000 - 1);
            ptr::write_volatile(COUNTER as *mut u32, first as u32);
        }
        if let Some(mut parts) = cortex_m::Peripherals::take() {
            parts.SYST.set_clock_source(SystClkSource::Core);
            parts.SYST.set_reload(chip::CLOCK / LOOKS_A_SECOND - 1);
            parts.SYST.clear_current();
            parts.SYST.enable_counter();
            parts.SYST.enable_interrupt();
        }
        Self { start: first }
    }

    /// The time.
    pub fn time(&self) -> Instant {
        Instant::EPOCH + Duration::from_micros(count().wrapping_sub(self.start))
    }
}

/// The counter with all 64 bits. It has to be looked at before it has gone round twice, in 71 minutes.
fn count() -> u64 {
    interrupt::free(|cs| {
        let last = LAST.borrow(cs);
        // SAFETY: as above.
        let low = unsafe { ptr::read_volatile(COUNTER as *const u32) };
        let passed = low.wrapping_sub(last.get() as u32);
        last.set(last.get().wrapping_add(passed.into()));
        last.get()
    })
}

#[exception]
fn SysTick() {
    let _noted = count();
}

impl Clock for Ticks {
    fn now(&self) -> Instant {
        self.time()
    }

    async fn sleep_until(&mut self, deadline: Instant) {
        poll_fn(|_| if self.time() < deadline { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

/// What the future comes to, or nothing if `deadline` comes first.
pub async fn until<T>(clock: &Ticks, deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if clock.time() < deadline => Poll::Pending,
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
