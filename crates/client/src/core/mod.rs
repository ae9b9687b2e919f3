//! The client as a state machine without sockets, clocks or tasks: it is told what arrived and what time it
//! is, and keeps its datagrams until they are fetched.
//!
//! [`Client`](crate::Client) and [`Polled`](crate::Polled) are its two faces: the one waits in `async` functions, the
//! other is asked again and again by a loop of the application's.

mod inbox;
mod line;
mod link;
mod login;
mod operation;
mod saving;
mod state;
mod subscription;
mod subscriptions;

use rand_core::Rng as _;
use sedge_coap::ContentFormat;
use sedge_coap::block::BlockSize;
use sedge_time::Instant;

use crate::config::Config;
use crate::disconnect::Disconnect;
use crate::memory::{CryptoOf, Memory, RngOf};
use crate::security::{Security, SecurityError};
use crate::tell::tell;
use crate::transfer::Transfer;

pub(crate) use inbox::{Entry, Kind};
pub(crate) use subscription::State;
pub use subscription::{Subscription, SubscriptionId};
pub use subscriptions::{Standing, SubscribeError};

pub use line::Exchange;
pub use state::Missed;

use inbox::Inbox;
use line::{Event, Incoming, Line, Number, Outgoing};
use link::Link;
pub(crate) use login::Login;

/// Getters: [`is_connected`](Self::is_connected), [`agreed`](Self::agreed), [`failure`](Self::failure),
/// [`deadline`](Self::deadline), [`counters`](Self::counters). Inputs: [`receive`](Self::receive), [`expire`](Self::expire),
/// [`advance`](Self::advance). Commands: [`subscribe`](Self::subscribe), [`unsubscribe`](Self::unsubscribe),
/// [`close`](Self::close). At most one [`Transfer`] is under way at a time; it is lent to every input.
// What is small comes first: a Cortex-M reaches it with shorter instructions.
#[repr(C)]
pub struct Core<M: Memory> {
    link: Link,
    /// The seconds since 1970 at the epoch of the clock, if known.
    unix_epoch: Option<u64>,
    /// How the last connection, or the last attempt at one, ended; and whether anyone was told.
    failure: Option<Disconnect>,
    unreported: bool,
    /// Whether anything came from the server during the handshake.
    heard: bool,
    /// A registration is due but must wait for an earlier message to be acknowledged.
    registration_waits: bool,
    next_serial: u16,
    random: Random,
    line: Line<M>,
    login: Login<M>,
    subscriptions: M::Subscriptions,
    inbox: Inbox<M::Inbox>,
}

impl<M: Memory> Core<M> {
    /// A client that will dial at once.
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

    /// A client that will dial at once. It is some kilobytes long, and to be made where it stays.
    #[inline(always)]
    pub(crate) fn with_login(
        now: Instant,
        mut config: Config,
        login: Login<M>,
        crypto: CryptoOf<M>,
        mut rng: RngOf<M>,
    ) -> Self {
        config.block_size = config.block_size.min(BlockSize::at_most(M::DATAGRAM.saturating_sub(OVERHEAD)));
        let mtu = u16::try_from(M::DATAGRAM.saturating_sub(2)).unwrap_or(u16::MAX);
        config.endpoint.dtls.mtu = config.endpoint.dtls.mtu.min(mtu);
        if config.reserve > 0 {
            config.reserve = config.reserve.max(Config::LEAST_RESERVE);
        }
        let random = Random(rng.next_u32() | 1);
        Self {
            line: Line::new(config, crypto, rng),
            login,
            unix_epoch: None,
            link: Link::Down { until: now, failures: 0 },
            failure: None,
            unreported: false,
            heard: false,
            subscriptions: M::subscriptions(),
            next_serial: 0,
            registration_waits: false,
            inbox: Inbox::new(M::inbox()),
            random,
        }
    }

    /// Tells the time in seconds since 1970, without which nothing is known of certificates that have expired.
    pub fn set_unix_time(&mut self, now: Instant, seconds: u64) {
        self.unix_epoch = Some(seconds.saturating_sub(now.as_micros() / 1_000_000));
    }

    fn unix_time(&self, now: Instant) -> Option<u64> {
        Some(self.unix_epoch?.saturating_add(now.as_micros() / 1_000_000))
    }

    /// When [`expire`](Self::expire) has something to do next. What can wait comes
    /// [`slack`](Config::slack) late, unless something else is to be done before.
    pub fn deadline(&self, operation: Option<&Transfer<'_>>) -> Option<Instant> {
        let mut earliest = self.line.deadline(self.line.config.slack);
        match self.link {
            Link::Down { until, .. } => earliest = earliest.min(until),
            Link::Up { .. } if !self.registration_waits => {
                earliest = earliest.min(self.next_registration() + self.line.config.slack);
            }
            _ => {}
        }
        if let Some(at) = operation.and_then(|operation| operation.give_up_at) {
            earliest = earliest.min(at);
        }
        (earliest != Instant::DISTANT_FUTURE).then_some(earliest)
    }

    /// Takes in a datagram from the server.
    pub fn receive(&mut self, now: Instant, datagram: &mut [u8], mut operation: Option<&mut Transfer<'_>>) {
        self.heard = true;
        let mut incoming = Incoming::new(datagram);
        let unix_time = self.unix_time(now);
        while let Some(event) = self.line.receive(now, &mut incoming, &mut self.login.at(unix_time)) {
            self.handle(now, event, operation.as_deref_mut());
        }
    }

    /// Does what is due at `now`.
    pub fn expire(&mut self, now: Instant, mut operation: Option<&mut Transfer<'_>>) {
        let unix_time = self.unix_time(now);
        while let Some(event) = self.line.expire(now, &mut self.login.at(unix_time)) {
            self.handle(now, event, operation.as_deref_mut());
        }
        if let Some(operation) = operation.filter(|_| !self.is_connected()) {
            self.while_disconnected(now, operation);
        }
    }

    /// Does the next thing that needs no datagram to come first: dials, sends the operation's next message,
    /// registers a subscription. Says whether there may be more to do, once what waits to be sent is sent.
    pub fn advance(&mut self, now: Instant, operation: Option<&mut Transfer<'_>>) -> bool {
        match self.link {
            Link::Down { until, .. } if until <= now => {
                self.dial(now);
                true
            }
            Link::Up { .. } if self.must_save() => false,
            Link::Up { .. } => self.send_operation(now, operation) || self.register_next(now),
            Link::Down { .. } | Link::Dialling { .. } | Link::Closed => {
                if let Some(operation) = operation {
                    self.while_disconnected(now, operation);
                }
                // A flight may have more datagrams than there is room for at once.
                self.line.pump()
            }
        }
    }

    /// The network refused to carry a datagram: an attempt to connect is over, a connection is not, for the
    /// next datagram may get through.
    pub fn network_failed(&mut self, now: Instant) {
        if let Link::Dialling { .. } = self.link {
            self.lost(now, Disconnect::Network);
        }
    }

    /// Says goodbye and stays disconnected.
    pub fn close(&mut self) {
        tell!(info, "closed");
        self.line.close();
        self.link = Link::Closed;
        self.failure = Some(Disconnect::ByUs);
    }

    fn dial(&mut self, now: Instant) {
        let Link::Down { failures, .. } = self.link else { return };
        self.heard = false;
        if M::PLAIN && self.login.is_none() {
            self.line.connect_plain();
            self.connected();
            return;
        }
        let unix_time = self.unix_time(now);
        match self.line.connect(now, &mut self.login.at(unix_time)) {
            Ok(()) => {
                tell!(debug, "handshake begins");
                self.link = Link::Dialling { failures };
            }
            Err(_) => self.lost(now, Disconnect::Misconfigured),
        }
    }

    fn handle(&mut self, now: Instant, event: Event<'_>, operation: Option<&mut Transfer<'_>>) {
        match event {
            Event::Connected => {
                tell!(info, "connected");
                self.connected();
            }
            Event::Closed(reason) => {
                let reason = match self.login.take_refusal() {
                    Some(refusal) => Disconnect::NotBelieved(refusal),
                    None => Disconnect::new(reason, self.heard),
                };
                self.lost(now, reason);
            }
            Event::Response { to: REQUEST, message, .. } => {
                if let Some(operation) = operation {
                    operation.receive(&message);
                }
            }
            Event::Response { to, message, last } => self.notified(now, to, &message, last),
            Event::Pong => {
                if let Some(operation) = operation {
                    operation.succeed();
                }
            }
            Event::Failed { what, reason } => self.failed(now, what, reason, operation),
            Event::Render(REQUEST) => self.repeat_operation(operation),
            Event::Render(number) => self.repeat_registration(now, number),
        }
    }

    fn connected(&mut self) {
        if let Link::Dialling { failures } | Link::Down { failures, .. } = self.link {
            self.link = Link::Up { failures };
        }
        self.failure = None;
        self.unreported = false;
    }

    /// The connection, or the attempt at one, is over.
    fn lost(&mut self, now: Instant, reason: Disconnect) {
        self.line.hang_up();
        if matches!(self.link, Link::Dialling { .. }) {
            // Perhaps it was the session to resume that the server did not like.
            let _forgotten = self.login.set_resumption(None);
        }
        self.link = self.link.lost(now, reason, &self.line.config.backoff, self.random.next());
        if let Link::Down { until, failures } = self.link {
            let wait = until.saturating_since(now).as_millis();
            tell!(
                warn,
                "no connection: {}; next attempt in {} ms, after {} failures",
                reason,
                wait,
                failures
            );
        }
        self.failure = Some(reason);
        self.unreported = true;
        self.subscriptions_lost(now);
    }
}

/// What a message needs beside its payload: DTLS's record and CoAP's header and options.
const OVERHEAD: usize = 128;
/// The exchange of the request under way.
const REQUEST: Number = 0;

/// What came for a subscription, as [`Client::next`](crate::Client::next) hands it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification<'b> {
    /// Which subscription.
    pub subscription: SubscriptionId,
    /// The format of the value.
    pub content_format: Option<ContentFormat>,
    /// The value.
    pub payload: &'b [u8],
}

/// Enough randomness to spread things over time; what must not be guessed comes from elsewhere.
struct Random(u32);

impl Random {
    /// Marsaglia's xorshift.
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}
