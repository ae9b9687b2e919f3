//! A small broker and a lossy wire in memory, on virtual time: what the client's tests talk to.

mod broker;
mod random;
mod server;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use sedge_client::{Client, ClientResources, Clock, Config, Datagram, Psk, Security};
use sedge_crypto::RustCrypto;
use sedge_dtls::PskOnly;
use sedge_time::{Duration, Instant};

pub(crate) use broker::Broker;
pub(crate) use random::TestRng;
pub(crate) use server::{BY_CERTIFICATE, BY_KEY, BY_PSK};

/// A device's memory, with everything it does under test on it.
pub(crate) type Memory = ClientResources<PskOnly<RustCrypto>, TestRng, 3, 5, 640, 32>;
pub(crate) type TestClient = Client<Memory, Socket, VirtualClock>;

pub(crate) const IDENTITY: &[u8] = b"boiler-7";
pub(crate) const KEY: [u8; 16] = *b"sixteen bytes...";
/// One way.
const LATENCY: Duration = Duration::from_millis(20);

/// The wire, the broker behind it, and the time.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) broker: Broker,
    to_broker: VecDeque<Flying>,
    to_client: VecDeque<Flying>,
    /// Where the client is: a datagram to an address that was given up goes nowhere.
    client: u8,
    /// Of 100 datagrams so many are lost, each way.
    pub(crate) loss: u64,
    /// After so many more datagrams of the client, a NAT gives it this address.
    pub(crate) move_after: Option<(u32, u8)>,
    /// The network refuses to send.
    pub(crate) refuses: bool,
    pub(crate) dice: TestRng,
    /// The bytes of every datagram that the client sent.
    pub(crate) sent: Vec<usize>,
}

struct Flying {
    arrives: Instant,
    client: u8,
    bytes: Vec<u8>,
}

fn pop_arrived(queue: &mut VecDeque<Flying>, now: Instant) -> Option<Flying> {
    if queue.front()?.arrives <= now { queue.pop_front() } else { None }
}

pub(crate) type Shared = Rc<RefCell<World>>;

impl World {
    pub(crate) fn new() -> Shared {
        Rc::new(RefCell::new(Self {
            now: Instant::EPOCH,
            broker: Broker::new(Instant::EPOCH, 1),
            to_broker: VecDeque::new(),
            to_client: VecDeque::new(),
            client: 1,
            loss: 0,
            move_after: None,
            refuses: false,
            dice: TestRng(7),
            sent: Vec::new(),
        }))
    }

    /// Datagrams that are nobody's, straight to the client.
    pub(crate) fn inject(&mut self, bytes: &[u8]) {
        let (arrives, client) = (self.now, self.client);
        self.to_client.push_back(Flying { arrives, client, bytes: bytes.into() });
    }

    /// Lets time go by until a datagram reaches the client, but not beyond `deadline`. Says whether one did.
    fn pass(&mut self, deadline: Instant) -> bool {
        loop {
            self.broker.flush(self.now, &mut self.dice, self.loss, &mut self.to_client);
            let client = self.client;
            self.to_client.retain(|next| next.client == client);
            if self.to_client.front().is_some_and(|next| next.arrives <= self.now) {
                return true;
            }
            let next = [
                self.to_broker.front().map(|next| next.arrives),
                self.to_client.front().map(|next| next.arrives),
                self.broker.deadline(),
                Some(deadline),
            ];
            self.now = next.into_iter().flatten().min().unwrap().max(self.now);
            while let Some(next) = pop_arrived(&mut self.to_broker, self.now) {
                self.broker.receive(self.now, next.client, next.bytes);
            }
            self.broker.expire(self.now);
            if self.now >= deadline {
                self.broker.flush(self.now, &mut self.dice, self.loss, &mut self.to_client);
                return self.to_client.front().is_some_and(|next| next.arrives <= self.now);
            }
        }
    }
}

/// The client's end of the wire, at an address of its own.
pub(crate) struct Socket {
    world: Shared,
    pub(crate) address: u8,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl Datagram for Socket {
    type Error = Refused;

    async fn send(&mut self, datagram: &[u8]) -> Result<(), Refused> {
        let mut world = self.world.borrow_mut();
        if world.refuses {
            return Err(Refused);
        }
        match &mut world.move_after {
            Some((0, address)) => self.address = *address,
            Some((left, _)) => *left -= 1,
            None => {}
        }
        world.client = self.address;
        world.sent.push(datagram.len());
        let (loss, arrives) = (world.loss, world.now + LATENCY);
        if world.dice.below(100) >= loss {
            world.to_broker.push_back(Flying { arrives, client: self.address, bytes: datagram.into() });
        }
        Ok(())
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Refused> {
        std::future::poll_fn(|_| {
            let mut world = self.world.borrow_mut();
            let now = world.now;
            let arrived = pop_arrived(&mut world.to_client, now);
            let Some(Flying { bytes, .. }) = arrived else { return Poll::Pending };
            let len = bytes.len().min(buffer.len());
            buffer[..len].copy_from_slice(&bytes[..len]);
            Poll::Ready(Ok(len))
        })
        .await
    }
}

/// Time that goes by when somebody waits for it, and stops for every datagram that arrives.
pub(crate) struct VirtualClock {
    pub(crate) world: Shared,
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.world.borrow().now
    }

    async fn sleep_until(&mut self, deadline: Instant) {
        std::future::poll_fn(|_| {
            let mut world = self.world.borrow_mut();
            if world.now >= deadline {
                return Poll::Ready(());
            }
            let arrived = world.pass(deadline);
            if world.now >= deadline && !arrived { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// A client that knows the key, and waits as the defaults say.
pub(crate) fn client(world: &Shared) -> TestClient {
    client_with(world, KEY, Config::default())
}

pub(crate) fn client_with(world: &Shared, key: [u8; 16], config: Config) -> TestClient {
    let security = Security::Psk { identity: IDENTITY, key: Psk::new(&key).unwrap() };
    let (socket, clock) = (socket(world, 1), VirtualClock { world: world.clone() });
    Client::new(config, security, socket, clock, RustCrypto, TestRng(99)).unwrap()
}

pub(crate) fn socket(world: &Shared, address: u8) -> Socket {
    Socket { world: world.clone(), address }
}

/// Runs a future by asking it again and again: in this world nothing happens elsewhere.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("nothing happens any more");
}

/// Asks a future a few times and then drops it, as `select!` does.
pub(crate) fn abandon<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}
