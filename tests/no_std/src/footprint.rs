//! What the images for docs/FOOTPRINT.md share: each is one client of DTLS on a bare Cortex-M4, with nothing else in
//! it. It connects, sends one record, gets it back, and reports how deep its stack was.

#[path = "footprint/board.rs"]
mod board;

use core::cell::UnsafeCell;
use core::mem::{MaybeUninit, size_of};

use board::{Noise, clock, serial, stack};
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
    let handshake = memory.write(ClientHandshake::new(cx.crypto, &config));
    handshake.start(cx, credentials, &config).ok()?;
    Some(handshake)
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

/// Makes the image: its memory and its start.
#[macro_export]
macro_rules! image {
    ($image:ty) => {
        static MEMORY: footprint::Static<$image> = footprint::Static::new();

        boot!(footprint::run(&MEMORY));
    };
}
