//! What the board gives besides the network: a clock, entropy, and QEMU's semihosting for a console and arguments.

use core::cell::Cell;
use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use cortex_m::interrupt::{self, Mutex};
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use cortex_m_semihosting::{debug, hprintln, nr, syscall};
use rand_core::{TryCryptoRng, TryRng};
use sedge_client::Clock;
use sedge_time::{Duration, Instant};

/// The processor's clock in hertz.
const CLOCK: u32 = 25_000_000;
/// How long a tick is.
const TICK: Duration = Duration::from_millis(1);

static TICKS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

/// Has the timer interrupt every [`TICK`].
pub fn start_clock() {
    if let Some(mut parts) = cortex_m::Peripherals::take() {
        parts.SYST.set_clock_source(SystClkSource::Core);
        parts.SYST.set_reload(CLOCK / 1_000 - 1);
        parts.SYST.clear_current();
        parts.SYST.enable_counter();
        parts.SYST.enable_interrupt();
    }
}

#[exception]
fn SysTick() {
    interrupt::free(|cs| {
        let ticks = TICKS.borrow(cs);
        ticks.set(ticks.get() + 1);
    });
}

/// Sleeps until an interrupt.
pub fn wait_for_interrupt() {
    cortex_m::asm::wfi();
}

/// Time since the start, in ticks of a millisecond.
pub struct Ticks;

impl Ticks {
    pub fn after_a_second() -> Instant {
        Ticks.now() + Duration::from_secs(1)
    }
}

impl Clock for Ticks {
    fn now(&self) -> Instant {
        Instant::EPOCH + TICK.saturating_mul(interrupt::free(|cs| TICKS.borrow(cs).get()))
    }

    async fn sleep_until(&mut self, deadline: Instant) {
        poll_fn(|_| if self.now() < deadline { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

/// What the future comes to, or nothing if `deadline` comes first.
pub async fn until<T>(deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if Ticks.now() < deadline => Poll::Pending,
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Random numbers of the host's; a real board has a generator of its own (the nRF52840's is the RNG peripheral).
pub struct Entropy {
    file: usize,
}

impl Entropy {
    pub fn open() -> Option<Self> {
        const NAME: &[u8] = b"/dev/urandom\0";
        const READ_BINARY: usize = 1;
        // SAFETY: QEMU reads the name, which ends with a zero.
        let file = unsafe { syscall!(OPEN, NAME.as_ptr(), READ_BINARY, NAME.len() - 1) };
        (file != usize::MAX).then_some(Self { file })
    }
}

impl TryRng for Entropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        // SAFETY: QEMU writes at most that many bytes there.
        let missing = unsafe { syscall!(READ, self.file, into.as_mut_ptr(), into.len()) };
        if missing != 0 {
            // There is no going on with keys that can be guessed.
            exit_failure("the entropy has run out");
        }
        Ok(())
    }
}

impl TryCryptoRng for Entropy {}

/// The words behind QEMU's `arg=`.
pub fn command_line(memory: &mut [u8]) -> Option<&str> {
    let mut block = [memory.as_mut_ptr() as usize, memory.len()];
    // SAFETY: QEMU writes the text and its end into the memory, and its length into the block.
    let refused = unsafe { cortex_m_semihosting::syscall1(nr::GET_CMDLINE, block.as_mut_ptr() as usize) };
    if refused != 0 {
        return None;
    }
    // SAFETY: the compiler is not to know that the block was written to.
    let len = unsafe { core::ptr::read_volatile(&raw const block[1]) };
    core::str::from_utf8(memory.get(..len)?).ok()
}

pub fn exit_success() -> ! {
    loop {
        debug::exit(debug::EXIT_SUCCESS);
    }
}

pub fn exit_failure(why: &str) -> ! {
    hprintln!("{}", why);
    loop {
        debug::exit(debug::EXIT_FAILURE);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit_failure("panic")
}
