//! The client of `client_psk_1_2` with its other face: what `async` functions cost a device that has an executor.
#![no_std]
#![no_main]

#[path = "../footprint/board.rs"]
mod board;

use core::cell::{Cell, UnsafeCell};
use core::convert::Infallible;
use core::future::{Future, pending, ready};
use core::mem::{MaybeUninit, size_of};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use board::{Noise, clock, serial, stack};
use sedge_client::{
    Client, ClientResources, Clock, Config, ContentFormat, Datagram, Psk, Security, Versions,
};
use sedge_crypto::{NamedGroup, Rfc7925, RustCrypto};
use sedge_dtls::{Absent, CipherSuite, ClientHandshake, Profile, Session};
use sedge_time::Instant;

struct Device;

impl Profile for Device {
    type Crypto = Rfc7925<RustCrypto>;
    type Flight = [u8; 416];
    type ServerFlight = [u8; 0];
    const SERVER: bool = false;
    type Server = Absent;
    type Inbox = [u8; 192];
    const DTLS_1_2: bool = true;
    const DTLS_1_3: bool = false;
    type Dtls13 = Absent;
    const PSK: bool = true;
    const ECDHE: bool = false;
    type Ephemeral = Absent;
    const CERTIFICATES: bool = false;
    const RESUMPTION: bool = false;
}

/// The ticks that were not spent in the serial port.
struct Meter {
    ticks: Cell<u32>,
    begun: Cell<u32>,
}

impl Meter {
    fn read(&self) -> u32 {
        self.ticks.get() + clock::since(self.begun.get())
    }

    fn without<T>(&self, away: impl FnOnce() -> T) -> T {
        self.ticks.set(self.read());
        let outcome = away();
        self.begun.set(clock::now());
        outcome
    }
}

/// The serial port.
struct Port(&'static Meter);

impl Datagram for Port {
    type Error = Infallible;

    fn send(&mut self, datagram: &[u8]) -> impl Future<Output = Result<(), Infallible>> {
        self.0.without(|| serial::send(datagram));
        ready(Ok(()))
    }

    fn receive(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<usize, Infallible>> {
        ready(Ok(self.0.without(|| serial::receive(buffer))))
    }
}

/// Nothing is lost on a serial line, so no timer ever fires.
struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant::EPOCH
    }

    fn sleep_until(&mut self, _: Instant) -> impl Future<Output = ()> {
        pending()
    }
}

type Connection = Client<ClientResources<Device, Noise, 2, 3, 256, 24>, Port, Still>;

/// Where the client is: not on the stack, which is what is measured.
struct Static<T>(UnsafeCell<MaybeUninit<T>>);

// SAFETY: there is one thread, and `run` borrows the memory once.
unsafe impl<T> Sync for Static<T> {}

static CLIENT: Static<Connection> = Static(UnsafeCell::new(MaybeUninit::uninit()));
static METER: Static<Meter> = Static(UnsafeCell::new(MaybeUninit::uninit()));

#[inline(never)]
fn begin() -> Option<(&'static mut Connection, &'static Meter)> {
    // SAFETY: these are the only borrows, for the image runs once.
    let (memory, meter) = unsafe { (&mut *CLIENT.0.get(), &mut *METER.0.get()) };
    let meter = &*meter.write(Meter { ticks: Cell::new(0), begun: Cell::new(clock::now()) });
    let mut config = Config::default();
    config.endpoint.versions = Versions::ONLY_1_2;
    config.endpoint.groups = &[NamedGroup::Secp256r1];
    config.endpoint.suites = &[CipherSuite::TLS_PSK_WITH_AES_128_CCM_8];
    let security = Security::Psk { identity: b"sensor-7", key: Psk::new(b"sixteen secrets!")? };
    let rng = Noise(0x2545_f491_4f6c_dd1d);
    let client = Client::new(config, security, Port(meter), Still, Rfc7925(RustCrypto), rng).ok()?;
    Some((memory.write(client), meter))
}

/// Does what the other clients do: says how many ticks it took to connect.
async fn live(client: &mut Connection, meter: &Meter) -> Option<u32> {
    client.connect().await.ok()?;
    let connected = meter.read();
    let _valve = client.subscribe("site/7/valve").await.ok()?;
    client.publish("site/7/temp", ContentFormat::TEXT, &[b'7'; 150]).await.ok()?;
    let mut value = [0; 16];
    (client.next(&mut value).await.ok()?.payload == b"open").then_some(connected)
}

fn run() -> ! {
    stack::paint();
    serial::start();
    let ticks = begin().and_then(|(client, meter)| {
        let mut context = Context::from_waker(Waker::noop());
        let mut running = pin!(live(client, meter));
        loop {
            if let Poll::Ready(ticks) = running.as_mut().poll(&mut context) {
                return ticks;
            }
        }
    });
    /// QEMU runs one instruction per nanosecond (`-icount shift=0`), and the machine's clock ticks every 40.
    const INSTRUCTIONS_PER_TICK: usize = 40;
    let figures = [
        ("handshake", size_of::<ClientHandshake<Device>>()),
        ("session", size_of::<Session>()),
        ("stack", stack::used()),
        ("instructions", ticks.unwrap_or(0) as usize * INSTRUCTIONS_PER_TICK),
    ];
    serial::report(ticks.is_some(), &figures);
    loop {}
}

boot!(run());
