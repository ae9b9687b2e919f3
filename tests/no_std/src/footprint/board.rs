//! The machine that images are measured on, QEMU's `mps2-an386`: its serial port, its timer, its stack.
//!
//! Datagrams go over the serial port, each behind its length in two bytes; a report is text behind the length with its
//! highest bit set.

use core::convert::Infallible;
use core::panic::PanicInfo;
use core::ptr;

use rand_core::{TryCryptoRng, TryRng};

/// Not random at all: what an image costs does not depend on it, and it protects nothing.
pub struct Noise(pub u64);

impl TryRng for Noise {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.try_next_u64()? >> 32) as u32)
    }

    // A real source is a driver, which is called.
    #[inline(never)]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        for byte in into {
            *byte = (self.try_next_u64()? >> 56) as u8;
        }
        Ok(())
    }
}

impl TryCryptoRng for Noise {}

/// The stack, painted before use so that its deepest use shows.
pub mod stack {
    use super::ptr;

    const PAINT: u32 = 0x5ed6_e5ed;
    /// What painting itself may use, below the local variable that it starts from.
    const OWN: usize = 128;

    unsafe extern "C" {
        static stack_end: u32;
        static stack_start: u32;
    }

    #[inline(never)]
    pub fn paint() {
        let here = 0_u32;
        let top = ptr::from_ref(&here).addr() & !3;
        let mut at = (&raw const stack_end).addr();
        while at < top - OWN {
            // SAFETY: RAM between the last variable and the stack's current end is nobody's.
            unsafe { ptr::write_volatile(at as *mut u32, PAINT) };
            at += 4;
        }
    }

    /// How many bytes of it were used since.
    pub fn used() -> usize {
        let start = (&raw const stack_start).addr();
        let mut at = (&raw const stack_end).addr();
        // SAFETY: as in `paint`; reading what the stack holds is harmless.
        while at < start && unsafe { ptr::read_volatile(at as *const u32) } == PAINT {
            at += 4;
        }
        start - at
    }
}

/// The processor's own timer, counting down.
pub mod clock {
    use super::ptr;

    const CONTROL: *mut u32 = 0xe000_e010 as *mut u32;
    const RELOAD: *mut u32 = 0xe000_e014 as *mut u32;
    const VALUE: *mut u32 = 0xe000_e018 as *mut u32;
    const MASK: u32 = 0x00ff_ffff;

    pub fn now() -> u32 {
        // SAFETY: these are the timer's registers on every Cortex-M4.
        unsafe {
            ptr::write_volatile(RELOAD, MASK);
            ptr::write_volatile(CONTROL, 0b101);
            ptr::read_volatile(VALUE)
        }
    }

    pub fn since(start: u32) -> u32 {
        start.wrapping_sub(now()) & MASK
    }
}

/// The machine's first serial port.
pub mod serial {
    use super::ptr;

    const DATA: *mut u32 = 0x4000_4000 as *mut u32;
    const STATE: *mut u32 = 0x4000_4004 as *mut u32;
    const CONTROL: *mut u32 = 0x4000_4008 as *mut u32;
    const BAUD_DIVIDER: *mut u32 = 0x4000_4010 as *mut u32;
    const REPORT: u16 = 0x8000;

    pub fn start() {
        // SAFETY: these are the port's registers.
        unsafe {
            ptr::write_volatile(BAUD_DIVIDER, 16);
            ptr::write_volatile(CONTROL, 0b11);
        }
    }

    fn put(byte: u8) {
        // SAFETY: as in `start`.
        unsafe {
            while ptr::read_volatile(STATE) & 1 != 0 {}
            ptr::write_volatile(DATA, byte.into());
        }
    }

    fn get() -> u8 {
        // SAFETY: as in `start`.
        unsafe {
            while ptr::read_volatile(STATE) & 2 == 0 {}
            ptr::read_volatile(DATA) as u8
        }
    }

    pub fn send(datagram: &[u8]) {
        (datagram.len() as u16).to_be_bytes().iter().chain(datagram).for_each(|&byte| put(byte));
    }

    pub fn receive(into: &mut [u8]) -> usize {
        let len = usize::from(u16::from_be_bytes([get(), get()]));
        for at in 0..len {
            let byte = get();
            if let Some(place) = into.get_mut(at) {
                *place = byte;
            }
        }
        len.min(into.len())
    }

    /// Whether all went well, and the figures, each a name and a number.
    pub fn report(well: bool, figures: &[(&str, usize)]) {
        let words = figures.iter().map(|(name, _)| name.len() + 11).sum::<usize>();
        (REPORT | (words as u16 + 1)).to_be_bytes().into_iter().for_each(put);
        put(if well { b'+' } else { b'-' });
        for &(name, figure) in figures {
            name.bytes().for_each(put);
            let mut unit = 1_000_000_000;
            put(b'=');
            for _ in 0..9 {
                unit /= 10;
                put(b'0' + (figure / unit % 10) as u8);
            }
            put(b'\n');
        }
    }
}

/// Makes an image of what is to be run: the vectors, and where the processor begins.
#[macro_export]
macro_rules! boot {
    ($run:expr) => {
        unsafe extern "C" {
            static stack_start: u32;
        }

        #[repr(C)]
        pub struct Vectors(*const u32, unsafe extern "C" fn() -> !);

        // SAFETY: it holds addresses, and nobody changes them.
        unsafe impl Sync for Vectors {}

        #[used]
        #[unsafe(link_section = ".vectors")]
        static VECTORS: Vectors = Vectors(&raw const stack_start, start);

        /// Where the processor begins.
        ///
        /// # Safety
        /// Nobody calls it but the processor, once.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn start() -> ! {
            $run
        }
    };
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
