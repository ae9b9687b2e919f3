//! What the images of whole clients share: each is one device on a bare Cortex-M4, with nothing in it but the client
//! and what measures it. It connects, subscribes to a topic, publishes a value that takes several blocks, waits for
//! what it has subscribed to, and reports how deep its stack was.

#[path = "footprint/board.rs"]
mod board;
#[cfg(feature = "count")]
#[path = "counted.rs"]
mod counted;

use core::cell::UnsafeCell;
use core::mem::size_of;

use board::{Noise, clock, serial, stack};
use sedge_client::{
    ClientResources, Config, ContentFormat, Next, Polled, Profile, Request, Security, Target, Transfer,
    Versions,
};
use sedge_crypto::{NamedGroup, Rfc7925, RustCrypto};
use sedge_dtls::{CipherSuite, ClientHandshake, Session};
use sedge_time::Instant;

/// The cryptography of all images: what RFC 7925 asks for, in portable Rust.
pub type Provider = Rfc7925<RustCrypto>;
/// Two subscriptions, and datagrams of so many bytes.
pub type Memory<P, const DATAGRAM: usize> = ClientResources<P, Noise, 2, 3, DATAGRAM, 24>;

/// One line of the table.
pub trait Image {
    /// What is linked.
    type Profile: Profile<Crypto = Provider>;
    const VERSIONS: Versions;

    /// How the device and its server know each other.
    fn security() -> Option<Security<'static>>;

    /// What is published in place of a reading, and in which format. It stays where it is until the server has it.
    fn protect(reading: &'static [u8]) -> Option<(&'static [u8], ContentFormat)> {
        Some((reading, ContentFormat::TEXT))
    }

    /// What a later reading is published as, once the first has been protected.
    #[cfg(feature = "count")]
    fn protect_again<'b>(reading: &'b [u8], _: &'b mut [u8]) -> Option<(&'b [u8], ContentFormat)> {
        Some((reading, ContentFormat::TEXT))
    }
}

/// Where the image's memory is: not on the stack, which is what is measured.
pub struct Static<I: Image, const DATAGRAM: usize>(UnsafeCell<Memory<I::Profile, DATAGRAM>>);

// SAFETY: there is one thread, and `run` borrows the memory once.
unsafe impl<I: Image, const DATAGRAM: usize> Sync for Static<I, DATAGRAM> {}

impl<I: Image, const DATAGRAM: usize> Static<I, DATAGRAM> {
    pub const fn new() -> Self {
        Self(UnsafeCell::new(Memory::new()))
    }
}

/// Measures the client in `memory`.
pub fn run<I: Image, const DATAGRAM: usize>(memory: &'static Static<I, DATAGRAM>) -> ! {
    stack::paint();
    serial::start();
    // SAFETY: this is the only borrow, for the image runs once.
    let memory = unsafe { &mut *memory.0.get() };
    let mut client = start::<I, DATAGRAM>(memory);
    let value = I::protect(&READING);
    let ticks = client.as_deref_mut().zip(value).and_then(live::<I, DATAGRAM>);
    let figures = [
        ("handshake", size_of::<ClientHandshake<I::Profile>>()),
        ("session", size_of::<Session>()),
        ("stack", stack::used()),
        ("instructions", ticks.unwrap_or(0) as usize * INSTRUCTIONS_PER_TICK),
    ];
    serial::report(ticks.is_some(), &figures);
    #[cfg(feature = "count")]
    counted::report::<I, DATAGRAM>(client);
    loop {}
}

/// QEMU runs one instruction per nanosecond (`-icount shift=0`), and the machine's clock ticks every 40.
const INSTRUCTIONS_PER_TICK: usize = 40;

/// Nothing is lost on a serial line, so no timer ever fires.
const NOW: Instant = Instant::EPOCH;

type Device<P, const DATAGRAM: usize> = Polled<Memory<P, DATAGRAM>>;

#[inline(never)]
fn start<I: Image, const DATAGRAM: usize>(
    memory: &'static mut Memory<I::Profile, DATAGRAM>,
) -> Option<&'static mut Device<I::Profile, DATAGRAM>> {
    let mut config = Config::default();
    config.endpoint.versions = I::VERSIONS;
    config.endpoint.groups = &[NamedGroup::Secp256r1];
    config.endpoint.suites = &[
        CipherSuite::TLS_AES_128_CCM_8_SHA256,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
        CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
    ];
    let rng = Noise(0x2545_f491_4f6c_dd1d);
    memory.start(NOW, config, I::security()?, Rfc7925(RustCrypto), rng).ok()
}

/// Does what a device does: says how many ticks it took to connect, the serial line's not counted.
#[inline(never)]
fn live<I: Image, const DATAGRAM: usize>(
    (client, (value, format)): (&mut Device<I::Profile, DATAGRAM>, (&[u8], ContentFormat)),
) -> Option<u32> {
    let mut datagram = [0; DATAGRAM];
    let _valve = client.subscribe(NOW, Target::Topic("site/7/valve")).ok()?;
    let request = Request::publish("site/7/temp", format, value);
    let mut transfer = Some(Transfer::new(request, client.block_size(), &mut []));
    let (mut ticks, mut connected, mut told) = (0, None, false);
    loop {
        let begun = clock::now();
        let next = client.poll(NOW, transfer.as_mut());
        ticks += clock::since(begun);
        match next {
            Next::Send(datagram) => serial::send(datagram),
            Next::Connected => connected = Some(ticks),
            Next::Value(valve) => told = valve.payload == b"open",
            Next::Done => {
                let answer = transfer.take().and_then(|transfer| transfer.into_response().ok());
                answer.filter(|answer| answer.code.is_success())?;
            }
            Next::Wait(_) if told && transfer.is_none() => return connected,
            Next::Wait(_) => {
                let len = serial::receive(&mut datagram);
                let begun = clock::now();
                client.receive(NOW, datagram.get_mut(..len)?, transfer.as_mut());
                ticks += clock::since(begun);
            }
            _ => return None,
        }
    }
}

/// Long enough for three blocks.
const READING: [u8; 150] = [b'7'; 150];

/// Makes the image: its memory and its start.
#[macro_export]
macro_rules! client {
    ($image:ty, $datagram:literal) => {
        static MEMORY: client::Static<$image, $datagram> = client::Static::new();

        boot!(client::run(&MEMORY));
    };
}
