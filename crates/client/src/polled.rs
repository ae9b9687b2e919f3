//! The client for a loop without an executor: it is asked what to do next.

use sedge_coap::Code;
use sedge_coap::block::BlockSize;
use sedge_time::Instant;

use crate::config::Config;
use crate::core::{Core, Kind, Login, Notification, Standing, SubscribeError, SubscriptionId};
use crate::disconnect::Disconnect;
use crate::memory::{CryptoOf, Memory, RngOf};
use crate::request::Target;
use crate::saved::{SaveError, Storage};
use crate::security::{Security, SecurityError};
use crate::transfer::Transfer;

/// A client of one server, without sockets, clocks and tasks.
///
/// The application's loop asks it what to do [next](Self::poll), does that, and gives it every datagram that
/// [arrives](Self::receive). It dials by itself, again and again with growing pauses, registers its subscriptions again
/// after each new connection, and sends again what was not acknowledged.
///
/// ```
/// use sedge_client::{ContentFormat, ClientResources, Config, Next, Polled, Profile, Request, Security, Target, Transfer};
/// # use sedge_crypto::CryptoRng;
/// # use sedge_time::Instant;
///
/// /// What the board has: a radio, a clock, and sleep.
/// trait Board {
///     fn send(&mut self, datagram: &[u8]);
///     /// The length of a datagram that has arrived; zero if none has.
///     fn receive(&mut self, buffer: &mut [u8]) -> usize;
///     fn now(&self) -> Instant;
///     /// Until `deadline`, or until the radio has something.
///     fn sleep(&mut self, deadline: Option<Instant>);
/// }
///
/// fn report<P: Profile, R: CryptoRng>(client: &mut Polled<ClientResources<P, R>>, board: &mut impl Board, value: &[u8]) -> bool {
///     let mut buffer = [0; 256];
///     let request = Request::publish("site/7/temp", ContentFormat::TEXT, value);
///     let mut transfer = Transfer::new(request, client.block_size(), &mut []);
///     loop {
///         match client.poll(board.now(), Some(&mut transfer)) {
///             Next::Send(datagram) => board.send(datagram),
///             Next::Done => return transfer.into_response().is_ok_and(|response| response.code.is_success()),
///             Next::Wait(deadline) => {
///                 board.sleep(deadline);
///                 let len = board.receive(&mut buffer);
///                 if len > 0 {
///                     client.receive(board.now(), &mut buffer[..len], Some(&mut transfer));
///                 }
///             }
///             // Values of subscriptions, and how the connection fares.
///             _ => {}
///         }
///     }
/// }
/// # let _ = Target::Topic("");
/// ```
#[repr(C)]
pub struct Polled<M: Memory> {
    /// The application has been given the first datagram to send, or the first value that came.
    sending: bool,
    showing: Option<u32>,
    was_connected: bool,
    core: Core<M>,
}

/// What a client wants next, or has to tell.
#[derive(Debug)]
pub enum Next<'c> {
    /// This datagram is to be sent.
    Send(&'c [u8]),
    /// The connection is there.
    Connected,
    /// The connection was lost, or an attempt has failed. The next one is made by itself.
    Disconnected(Disconnect),
    /// A value of a subscription.
    Value(Notification<'c>),
    /// A value of this subscription that travels in blocks: to be read with a [`Transfer`].
    LongValue(SubscriptionId),
    /// A subscription is over, and this is what the server said; 4.04 when the topic is gone.
    Ended(SubscriptionId, Code),
    /// The transfer is over.
    Done,
    /// Nothing is sent before the session is [saved](Polled::save): either it is new, or the numbers that were reserved
    /// for it are used up. Only if [`reserve`](Config::reserve) is not zero.
    Save,
    /// Nothing, until a datagram arrives, or until this instant if there is one: time to sleep.
    Wait(Option<Instant>),
}

impl<M: Memory> Polled<M> {
    /// A client that will dial when it is first asked what to do. On a device it is rather made in its place, by
    /// [`ClientResources::start`](crate::ClientResources::start).
    ///
    /// # Errors
    /// [`SecurityError`].
    pub fn new(
        now: Instant,
        config: Config,
        security: Security<'_>,
        crypto: CryptoOf<M>,
        rng: RngOf<M>,
    ) -> Result<Self, SecurityError> {
        let login = Login::new(security, &crypto)?;
        Ok(Self::with_login(now, config, login, crypto, rng))
    }

    /// The same; some kilobytes long, and to be made where it stays.
    #[inline(always)]
    pub(crate) fn with_login(
        now: Instant,
        config: Config,
        login: Login<M>,
        crypto: CryptoOf<M>,
        rng: RngOf<M>,
    ) -> Self {
        let core = Core::with_login(now, config, login, crypto, rng);
        Self { sending: false, showing: None, was_connected: false, core }
    }

    /// What to do next. To be called until it is [`Next::Wait`].
    ///
    /// There is at most one transfer at a time; it is lent to every call until it is over, and given up if it is not.
    pub fn poll(&mut self, now: Instant, mut transfer: Option<&mut Transfer<'_>>) -> Next<'_> {
        if core::mem::take(&mut self.sending) {
            self.core.outbox().pop();
        }
        if let Some(name) = self.showing.take() {
            self.core.remove_front(name);
        }
        if self.core.must_save() && self.core.outbox().front().is_none() {
            return Next::Save;
        }
        self.core.expire(now, transfer.as_deref_mut());
        while self.core.outbox().front().is_none() && self.core.advance(now, transfer.as_deref_mut()) {}
        if self.core.outbox().front().is_some() {
            self.sending = true;
            return Next::Send(self.core.outbox().front().unwrap_or_default());
        }
        if let Some(reason) = self.core.take_failure() {
            self.was_connected = false;
            return Next::Disconnected(reason);
        }
        if self.core.is_connected() != self.was_connected {
            self.was_connected = !self.was_connected;
            if self.was_connected {
                return Next::Connected;
            }
        }
        if transfer.as_ref().is_some_and(|transfer| transfer.is_over()) {
            return Next::Done;
        }
        let deadline = self.core.deadline(transfer.as_deref());
        if self.core.front().is_none() {
            return Next::Wait(deadline);
        }
        self.show(deadline)
    }

    /// Takes in a datagram that came from the server, and spoils it.
    pub fn receive(&mut self, now: Instant, datagram: &mut [u8], transfer: Option<&mut Transfer<'_>>) {
        self.core.receive(now, datagram, transfer);
    }

    /// Subscribes to a topic, or observes another resource, now and after every reconnection.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn subscribe(&mut self, now: Instant, target: Target<'_>) -> Result<SubscriptionId, SubscribeError> {
        self.core.subscribe(now, target)
    }

    /// Ends a subscription. Says whether there was one.
    pub fn unsubscribe(&mut self, now: Instant, subscription: SubscriptionId) -> bool {
        self.core.unsubscribe(now, subscription)
    }

    /// What a subscription has come to.
    pub fn standing(&self, subscription: SubscriptionId) -> Standing {
        self.core.standing(subscription)
    }

    /// The size of the blocks that a [`Transfer`] should have.
    pub fn block_size(&self) -> BlockSize {
        self.core.config().block_size
    }

    /// Says goodbye and stays disconnected. What there is to send is to be sent still.
    pub fn close(&mut self) {
        self.core.close();
    }

    /// Saves the session, so that it outlives a loss of power, with [`reserve`](Config::reserve) record numbers for what is
    /// sent next: what to do about [`Next::Save`].
    ///
    /// # Errors
    /// [`SaveError`]. Then it is to be tried again, or the client to be told to [stop](Self::stop_saving).
    pub fn save<S: Storage>(&mut self, storage: &mut S) -> Result<(), SaveError<S::Error>> {
        self.core.save(storage)
    }

    /// Saves the session as it is, to go to sleep; see [`Core::suspend`].
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn suspend<S: Storage>(&mut self, storage: &mut S) -> Result<(), SaveError<S::Error>> {
        self.core.suspend(storage)
    }

    /// Takes up the session that was saved last, instead of a handshake; to be called first. See [`Core::restore`].
    ///
    /// # Errors
    /// The storage cannot be read, or not be written where a slot was empty or lost.
    pub fn restore<S: Storage>(&mut self, storage: &mut S) -> Result<bool, S::Error> {
        self.core.restore(storage)
    }

    /// Goes on without saving sessions; see [`Core::stop_saving`].
    pub fn stop_saving(&mut self, now: Instant) {
        self.core.stop_saving(now);
    }

    /// Everything else that the client can say about itself.
    pub const fn core(&self) -> &Core<M> {
        &self.core
    }

    /// The first of what came for subscriptions.
    fn show(&mut self, deadline: Option<Instant>) -> Next<'_> {
        let Some((name, entry)) = self.core.front() else { return Next::Wait(deadline) };
        let (subscription, kind) = (entry.subscription, entry.kind());
        self.showing = Some(name);
        match kind {
            Kind::Value => {}
            Kind::FirstBlock(_) => return Next::LongValue(subscription),
            Kind::End(code) => {
                self.core.forget(subscription);
                return Next::Ended(subscription, code);
            }
        }
        match self.core.front() {
            Some((_, entry)) => Next::Value(Notification {
                subscription,
                content_format: entry.content_format(),
                payload: entry.payload,
            }),
            None => Next::Wait(deadline),
        }
    }
}
