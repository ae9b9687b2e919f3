//! What the images for docs/FOOTPRINT.md share: each is one client of DTLS on a bare Cortex-M4, with nothing else in
//! it. It connects, sends one record, gets it back, and reports how deep its stack was.
//!
//! The machine is QEMU's `mps2-an386`. Datagrams go over its serial port, each behind its length in two bytes; a
//! report is text behind the length with its highest bit set.

use core::cell::UnsafeCell;
use core::convert::Infallible;
use core::mem::{MaybeUninit, size_of};
use core::panic::PanicInfo;
use core::ptr;

use rand_core::{TryCryptoRng, TryRng};
use sedge_crypto::{Rfc7925, RustCrypto};
use sedge_dtls::{
    CipherSuite, ClientConfig, ClientHandshake, Content, ContentType, Context, Credentials, Of, Profile,
    Progress, Records, Session, Versions,
};
use sedge_time::Instant;

/// The cryptography of all images: what RFC 7925 asks for, in portable Rust.
pub type Provider = Rfc7925<RustCrypto>;
pub const PROVIDER: Provider = Rfc7925(RustCrypto);

/// One line of the table.
pub trait Image {
    /// What is linked.
    type Profile: Profile<Crypto = Provider>;
    const VERSIONS: Versions;

    /// Who the device is, and whom it believes.
    fn credentials() -> impl Credentials<Provider>;
}

/// Where the image's memory is: not on the stack, which is what is measured.
struct Memory<P: Profile> {
    handshake: MaybeUninit<ClientHandshake<P>>,
    session: MaybeUninit<Session>,
    datagram: [u8; DATAGRAM],
}

pub struct Static<I: Image>(UnsafeCell<Memory<I::Profile>>);

// SAFETY: there is one thread, and `run` borrows the memory once.
unsafe impl<I: Image> Sync for Static<I> {}

impl<I: Image> Static<I> {
    pub const fn new() -> Self {
        Self(UnsafeCell::new(Memory {
            handshake: MaybeUninit::uninit(),
            session: MaybeUninit::uninit(),
            datagram: [0; DATAGRAM],
        }))
    }
}

const DATAGRAM: usize = 1200;

/// Measures the client in `memory`.
pub fn run<I: Image>(memory: &'static Static<I>) -> ! {
    stack::paint();
    serial::start();
    // SAFETY: this is the only borrow, for the image runs once.
    let memory = unsafe { &mut *memory.0.get() };
    let ticks = talk::<I>(memory);
    let figures = [
        ("handshake", size_of::<ClientHandshake<I::Profile>>()),
        ("session", size_of::<Session>()),
        ("stack", stack::used()),
        ("instructions", ticks.unwrap_or(0) as usize * INSTRUCTIONS_PER_TICK),
    ];
    serial::report(ticks.is_some(), &figures);
    loop {}
}

/// QEMU runs one instruction per nanosecond (`-icount shift=0`), and the machine's clock ticks every 40.
const INSTRUCTIONS_PER_TICK: usize = 40;

/// A whole connection: how many ticks the handshake's calls took.
///
/// Each step is a function of its own, so that what one needs of the stack is gone before the next begins.
fn talk<I: Image>(memory: &mut Memory<I::Profile>) -> Option<u32> {
    let Memory { handshake, session, datagram } = memory;
    let mut rng = Noise(0x2545_f491_4f6c_dd1d);
    let mut credentials = I::credentials();
    // Nothing is lost on a serial line, so no timer ever fires.
    let mut cx = Context::new(&PROVIDER, &mut rng, Instant::EPOCH);
    let start = clock::now();
    let handshake = connect::<I>(handshake, &mut cx, &mut credentials)?;
    let mut ticks = clock::since(start);
    loop {
        ticks += transmit(handshake, datagram)?;
        let len = serial::receive(datagram);
        let start = clock::now();
        let progress = receive(handshake, &mut cx, &mut credentials, datagram.get_mut(..len)?);
        ticks += clock::since(start);
        match progress {
            Progress::Continue => {}
            Progress::Complete => break,
            Progress::Failed(_) => return None,
        }
    }
    ticks += transmit(handshake, datagram)?;
    let session = establish(handshake, session)?;
    exchange::<I::Profile>(session, datagram).then_some(ticks)
}

type Cx<'a> = Context<'a, Provider, Noise>;

#[inline(never)]
fn connect<'m, I: Image>(
    memory: &'m mut MaybeUninit<ClientHandshake<I::Profile>>,
    cx: &mut Cx<'_>,
    credentials: &mut impl Credentials<Provider>,
) -> Option<&'m mut ClientHandshake<I::Profile>> {
    let config = ClientConfig {
        versions: I::VERSIONS,
        suites: &[
            CipherSuite::TLS_AES_128_CCM_8_SHA256,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
            CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
        ],
        groups: &[sedge_crypto::NamedGroup::Secp256r1],
        ..ClientConfig::default()
    };
    Some(memory.write(ClientHandshake::connect(cx, credentials, &config).ok()?))
}

/// Sends what there is to be sent: how many ticks it took, but for the serial line.
fn transmit<P: Profile<Crypto = Provider>>(
    handshake: &mut ClientHandshake<P>,
    datagram: &mut [u8; DATAGRAM],
) -> Option<u32> {
    let mut ticks = 0;
    loop {
        let start = clock::now();
        let len = write(handshake, datagram);
        ticks += clock::since(start);
        match len {
            Some(len) => serial::send(datagram.get(..len)?),
            None => return Some(ticks),
        }
    }
}

#[inline(never)]
fn write<P: Profile<Crypto = Provider>>(
    handshake: &mut ClientHandshake<P>,
    datagram: &mut [u8; DATAGRAM],
) -> Option<usize> {
    handshake.poll_transmit(&PROVIDER, datagram)
}

#[inline(never)]
fn receive<P: Profile<Crypto = Provider>>(
    handshake: &mut ClientHandshake<P>,
    cx: &mut Cx<'_>,
    credentials: &mut impl Credentials<Provider>,
    datagram: &mut [u8],
) -> Progress {
    let mut outcome = Progress::Continue;
    for record in Records::new(datagram, 0) {
        match handshake.receive(cx, credentials, record) {
            Ok(Progress::Continue) | Err(_) => {}
            Ok(progress) => outcome = progress,
        }
    }
    outcome
}

#[inline(never)]
fn establish<'m, P: Profile>(
    handshake: &mut ClientHandshake<P>,
    memory: &'m mut MaybeUninit<Session>,
) -> Option<&'m mut Session> {
    Some(memory.write(handshake.take_session()?.session))
}

/// Sends a record and waits until its content comes back.
#[inline(never)]
fn exchange<P: Profile<Crypto = Provider>>(session: &mut Session, datagram: &mut [u8; DATAGRAM]) -> bool {
    let layer = Of::<P>::new(&PROVIDER);
    let at = session.headroom();
    let Some(room) = datagram.get_mut(at..at + READING.len()) else { return false };
    room.copy_from_slice(READING);
    match session.seal(&layer, ContentType::APPLICATION_DATA, datagram, READING.len()) {
        Ok(len) => serial::send(datagram.get(..len).unwrap_or_default()),
        Err(_) => return false,
    }
    loop {
        let len = serial::receive(datagram);
        for record in Records::new(datagram.get_mut(..len).unwrap_or_default(), 0) {
            let Ok(opened) = session.open(&layer, record) else { continue };
            if let Content::ApplicationData(answer) = opened.content {
                return answer == READING;
            }
        }
    }
}

const READING: &[u8] = b"21.5";

/// Not random at all: what an image costs does not depend on it, and it protects nothing.
struct Noise(u64);

impl TryRng for Noise {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.try_next_u64()? >> 32) as u32)
    }

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
mod stack {
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
mod clock {
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
mod serial {
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

/// Makes the image: its vectors, its memory and its start.
#[macro_export]
macro_rules! image {
    ($image:ty) => {
        static MEMORY: footprint::Static<$image> = footprint::Static::new();

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
            footprint::run(&MEMORY)
        }
    };
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
