//! What the board gives besides the network: a clock, entropy, flash, and QEMU's semihosting for a console.

#[cfg_attr(feature = "an505", path = "an505.rs")]
#[cfg_attr(not(feature = "an505"), path = "an386.rs")]
pub(crate) mod chip;
mod clock;
mod entropy;
mod flash;
pub mod host;

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

pub use clock::{Ticks, until};
pub use entropy::Entropy;
pub use flash::Flash;

/// Runs the one task that there is, asleep between the clock's ticks.
pub fn run<T>(task: impl Future<Output = T>) -> T {
    let mut task = pin!(task);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match task.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => return outcome,
            // Until the next tick, or whatever else interrupts.
            Poll::Pending => cortex_m::asm::wfi(),
        }
    }
}
