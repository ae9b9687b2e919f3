//! An image with everything a device embeds and no heap: a client that connects, publishes and subscribes, over
//! hardware that the board describes by four functions.
//!
//! That it links is the test: there is no allocator to fall back on, and nothing but core.
#![no_std]
#![no_main]

mod token;

use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::panic::PanicInfo;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use rand_core::{TryCryptoRng, TryRng};
use sedge_client::protected::{Group, Received, Record, SequenceStorage};
use sedge_client::{
    Client, ClientResources, Clock, Config, ContentFormat, Datagram, Psk, Request, Secret, Security,
};
use sedge_crypto::RustCrypto;
use sedge_dtls::PskOnly;
use sedge_time::Instant;

/// What the hardware can do.
#[repr(C)]
pub struct Board {
    /// Sends a datagram.
    send: extern "C" fn(*const u8, usize),
    /// Puts a datagram that has come into the buffer and returns its length, or zero.
    receive: extern "C" fn(*mut u8, usize) -> usize,
    /// Microseconds since the start.
    micros: extern "C" fn() -> u64,
    /// A random number.
    random: extern "C" fn() -> u32,
    /// Reads 32 bytes of a page of flash; writes them, and says whether they are there.
    flash_read: extern "C" fn(usize, *mut u8),
    flash_write: extern "C" fn(usize, *const u8) -> bool,
}

struct Radio<'b>(&'b Board);

impl Datagram for Radio<'_> {
    type Error = Infallible;

    async fn send(&mut self, datagram: &[u8]) -> Result<(), Infallible> {
        (self.0.send)(datagram.as_ptr(), datagram.len());
        Ok(())
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| match (self.0.receive)(buffer.as_mut_ptr(), buffer.len()) {
            0 => Poll::Pending,
            length => Poll::Ready(Ok(length)),
        })
        .await
    }
}

struct Ticks<'b>(&'b Board);

impl Clock for Ticks<'_> {
    fn now(&self) -> Instant {
        Instant::from_micros((self.0.micros)())
    }

    async fn sleep_until(&mut self, deadline: Instant) {
        poll_fn(|_| if self.now() < deadline { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

struct Noise<'b>(&'b Board);

impl TryRng for Noise<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.random)())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from((self.0.random)()) << 32 | u64::from((self.0.random)()))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        for chunk in into.chunks_mut(4) {
            chunk.copy_from_slice(&(self.0.random)().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Noise<'_> {}

/// Two pages of flash, for the sequence numbers of what is encrypted.
struct Flash<'b>(&'b Board);

impl SequenceStorage for Flash<'_> {
    type Error = ();

    fn slots(&self) -> usize {
        2
    }

    fn read(&mut self, slot: usize, record: &mut Record) -> Result<(), ()> {
        (self.0.flash_read)(slot, record.as_mut_ptr());
        Ok(())
    }

    fn write(&mut self, slot: usize, record: &Record) -> Result<(), ()> {
        if (self.0.flash_write)(slot, record.as_ptr()) { Ok(()) } else { Err(()) }
    }
}

async fn run(board: &Board, key: &[u8; 16]) -> Option<usize> {
    let security = Security::Psk { identity: b"boiler", key: Psk::new(key)? };
    let mut client: Client<ClientResources<PskOnly<RustCrypto>, Noise<'_>>, _, _> =
        Client::new(Config::default(), security, Radio(board), Ticks(board), RustCrypto, Noise(board))
            .ok()?;
    client.connect().await.ok()?;
    client.publish("site/7/temp", ContentFormat::TEXT, b"21.5").await.ok()?;
    client.publish_once("site/7/temp", ContentFormat::TEXT, b"21.6").await.ok()?;
    let valve = client.subscribe("site/7/valve").await.ok()?;
    let mut buffer = [0; 1024];
    let length = client.next(&mut buffer).await.ok()?.payload.len();
    let answer = client.request(&Request::get("/.well-known/core"), &mut buffer).await.ok()?.payload.len();
    client.ping().await.ok()?;
    client.unsubscribe(valve).await;
    let door = Group::<Flash<'_>, 2, 2, 32>::new("site/7/door", Flash(board))?;
    let mut groups = [door.named("boiler")?.signing(Secret::new(*b"thirty-two bytes of a secret key"))];
    let mut scratch = [0; 256];
    let mut protected = client.protected(&mut groups, &mut scratch);
    protected.publish("site/7/door", ContentFormat::TEXT, b"shut").await.ok()?;
    protected.subscribe("site/7/door").await.ok()?;
    let opened = match protected.next(&mut buffer).await.ok()? {
        Received::Value(value) if value.verified => value.payload.len(),
        _ => 0,
    };
    client.close().await;
    let proved = token::read(b"thirty-two bytes of a secret key", &mut buffer, 0).unwrap_or(0);
    Some(length + answer + opened + proved)
}

/// Where the boot loader jumps to.
///
/// # Safety
/// `board` and `key` point to what they say, and stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn start(board: *const Board, key: *const [u8; 16]) -> usize {
    // SAFETY: that is what this function asks of its caller.
    let (board, key) = unsafe { (&*board, &*key) };
    let mut running = pin!(run(board, key));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(outcome) = running.as_mut().poll(&mut context) {
            return outcome.unwrap_or(usize::MAX);
        }
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
