//! QEMU's semihosting: files of the host, the command line, and the end.

use cortex_m_semihosting::{debug, hprintln, nr, syscall, syscall1};

/// A file of the host.
pub struct File {
    handle: usize,
}

/// What for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// C's `rb`.
    Read,
    /// C's `r+b`.
    Change,
}

impl File {
    /// `None` if it cannot be opened, or its name is longer than 127 bytes.
    pub fn open(name: &str, mode: Mode) -> Option<Self> {
        let mut terminated = [0; 128];
        terminated.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        if terminated.last() != Some(&0) {
            return None;
        }
        let mode: usize = match mode {
            Mode::Read => 1,
            Mode::Change => 3,
        };
        // SAFETY: QEMU reads the name, which ends with a zero.
        let handle = unsafe { syscall!(OPEN, terminated.as_ptr(), mode, name.len()) };
        (handle != usize::MAX).then_some(Self { handle })
    }

    /// Reads as many bytes as there is room for; says whether there were so many.
    pub fn read(&mut self, into: &mut [u8]) -> bool {
        // SAFETY: QEMU writes at most that many bytes there.
        unsafe { syscall!(READ, self.handle, into.as_mut_ptr(), into.len()) == 0 }
    }

    /// Writes all of it; says whether it did.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        // SAFETY: QEMU reads that many bytes there.
        unsafe { syscall!(WRITE, self.handle, bytes.as_ptr(), bytes.len()) == 0 }
    }

    /// Goes to a place in the file; says whether there is one.
    pub fn seek(&mut self, place: usize) -> bool {
        // SAFETY: no memory is touched.
        unsafe { syscall!(SEEK, self.handle, place) == 0 }
    }
}

/// The words behind QEMU's `arg=`.
pub fn command_line(memory: &mut [u8]) -> Option<&str> {
    let mut block = [memory.as_mut_ptr() as usize, memory.len()];
    // SAFETY: QEMU writes the text and its end into the memory, and its length into the block.
    let refused = unsafe { syscall1(nr::GET_CMDLINE, block.as_mut_ptr() as usize) };
    if refused != 0 {
        return None;
    }
    // SAFETY: the compiler is not to know that the block was written to.
    let len = unsafe { core::ptr::read_volatile(&raw const block[1]) };
    core::str::from_utf8(memory.get(..len)?).ok()
}

/// Ends QEMU, with success.
pub fn exit_success() -> ! {
    loop {
        debug::exit(debug::EXIT_SUCCESS);
    }
}

/// Ends QEMU, and says why.
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
