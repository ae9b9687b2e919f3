//! The client as a state machine without sockets, clocks or tasks: it is told what arrived and what time it
//! is, and writes its datagrams into an [`Outbox`](crate::Outbox).
//!
//! [`Client`](crate::Client) is a thin shell of `async` functions around it. A face without an executor calls
//! [`Core::advance`], [`Core::receive`] and [`Core::expire`] from its own loop.

mod inbox;
mod link;
mod login;
mod operation;
mod subscription;
mod subscriptions;

use rand_core::Rng as _;
use sedge_coap::{Code, ContentFormat};
use sedge_crypto::Secret;
use sedge_dtls::Resumption;
use sedge_endpoint::{Agreed, Connect, Counters, Endpoint, Event, HostOf, Incoming, SessionId};
use sedge_time::Instant;

use crate::config::Config;
use crate::disconnect::Disconnect;
use crate::memory::{CryptoOf, Memory, RngOf, Server};
use crate::security::{Security, SecurityError};
use crate::transfer::Transfer;

pub(crate) use inbox::{Entry, Kind};
pub(crate) use subscription::State;
pub use subscription::{Subscription, SubscriptionId};
pub use subscriptions::{Standing, SubscribeError};

use inbox::Inbox;
use link::Link;
use login::{Dialler, Login};

/// Getters: [`is_connected`](Self::is_connected), [`agreed`](Self::agreed), [`failure`](Self::failure),
/// [`deadline`](Self::deadline), [`counters`](Self::counters). Inputs: [`receive`](Self::receive), [`expire`](Self::expire),
/// [`advance`](Self::advance). Commands: [`subscribe`](Self::subscribe), [`unsubscribe`](Self::unsubscribe),
/// [`close`](Self::close). At most one [`Transfer`] is under way at a time; it is lent to every input.
pub struct Core<M: Memory> {
    endpoint: Endpoint<M::Endpoint>,
    login: Login<M>,
    /// The seconds since 1970 at the epoch of the clock, if known.
    unix_epoch: Option<u64>,
    config: Config,
    link: Link,
    /// How the last connection, or the last attempt at one, ended; and whether anyone was told.
    failure: Option<Disconnect>,
    unreported: bool,
    /// Whether anything came from the server during the handshake.
    heard: bool,
    subscriptions: M::Subscriptions,
    next_serial: u16,
    /// A registration is due but must wait for an earlier message to be acknowledged.
    registration_waits: bool,
    inbox: Inbox<M::Inbox>,
    /// The exchange of the transfer under way.
    active: Option<sedge_endpoint::ExchangeId>,
    random: Random,
}

/// What a client counts, beside its endpoint's [`Counters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Values that came while nobody took any, and that newer ones pushed out.
    pub values: u64,
    /// Datagrams that no session of this client explains.
    pub datagrams: u64,
}

impl<M: Memory> Core<M> {
    /// A client that will dial at once.
    ///
    /// # Errors
    /// [`SecurityError`].
    pub fn new(
        now: Instant,
        mut config: Config,
        security: Security<'_>,
        crypto: CryptoOf<M>,
        mut rng: RngOf<M>,
    ) -> Result<Self, SecurityError> {
        let login = Login::new(security, &crypto)?;
        config.endpoint.accept = false;
        let random = Random(rng.next_u32() | 1);
        Ok(Self {
            endpoint: Endpoint::new(now, config.endpoint.clone(), crypto, rng, M::endpoint()),
            login,
            unix_epoch: None,
            config,
            link: Link::Down { until: now, failures: 0 },
            failure: None,
            unreported: false,
            heard: false,
            subscriptions: M::subscriptions(),
            next_serial: 0,
            registration_waits: false,
            inbox: Inbox::new(M::inbox()),
            active: None,
            random,
        })
    }

    /// Whether there is a connection.
    pub const fn is_connected(&self) -> bool {
        self.link.session().is_some()
    }

    /// Whether anything has come from the server since it was last dialled.
    pub const fn is_answered(&self) -> bool {
        self.heard
    }

    /// Whether the client was closed.
    pub const fn is_closed(&self) -> bool {
        matches!(self.link, Link::Closed)
    }

    /// How the last connection, or the last attempt at one, ended.
    pub const fn failure(&self) -> Option<Disconnect> {
        self.failure
    }

    /// As [`failure`](Self::failure), once for each.
    pub fn take_failure(&mut self) -> Option<Disconnect> {
        core::mem::take(&mut self.unreported).then_some(self.failure).flatten()
    }

    /// What the handshake of the connection came to; `None` without one, and on plain CoAP.
    pub fn agreed(&self) -> Option<Agreed> {
        self.endpoint.agreed(self.link.session()?)
    }

    /// The endpoint's counters.
    pub const fn counters(&self) -> &Counters {
        self.endpoint.counters()
    }

    /// The providers of cryptography and of randomness.
    pub(crate) const fn providers(&mut self) -> (&CryptoOf<M>, &mut RngOf<M>) {
        self.endpoint.providers()
    }

    /// What was lost or turned away.
    pub fn missed(&self) -> Missed {
        Missed { values: self.inbox.lost, datagrams: self.endpoint.counters().unknown_peer }
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The last session as bytes, keys included, so that a device can resume it after a sleep that its memory does not
    /// outlive; `None` if there is none to resume, or no memory for one.
    pub fn export_resumption(&self, now: Instant) -> Option<Secret<{ Resumption::EXPORTED_LEN }>> {
        Some(self.login.resumption()?.export(now))
    }

    /// Has the next handshake take up the session that [`export_resumption`](Self::export_resumption) gave these bytes
    /// for. Says whether they are such bytes and there is memory for it. A server that knows it no more makes the
    /// handshake a full one.
    pub fn import_resumption(&mut self, now: Instant, bytes: &[u8]) -> bool {
        Resumption::import(now, bytes).is_ok_and(|resumption| self.login.set_resumption(Some(resumption)))
    }

    /// Tells the time in seconds since 1970, without which nothing is known of certificates that have expired.
    pub fn set_unix_time(&mut self, now: Instant, seconds: u64) {
        self.unix_epoch = Some(seconds.saturating_sub(now.as_micros() / 1_000_000));
    }

    fn unix_time(&self, now: Instant) -> Option<u64> {
        Some(self.unix_epoch?.saturating_add(now.as_micros() / 1_000_000))
    }

    /// When [`expire`](Self::expire) has something to do next.
    pub fn deadline(&self, operation: Option<&Transfer<'_>>) -> Option<Instant> {
        let dial = match self.link {
            Link::Down { until, .. } => Some(until),
            _ => None,
        };
        let may_register = self.is_connected() && !self.registration_waits;
        let register = if may_register { self.next_registration() } else { None };
        let give_up = operation.and_then(|operation| operation.give_up_at);
        [self.endpoint.deadline(), dial, register, give_up].into_iter().flatten().min()
    }

    /// Takes in a datagram from the server.
    pub fn receive<H: HostOf<M::Endpoint>>(
        &mut self,
        now: Instant,
        datagram: &mut [u8],
        mut operation: Option<&mut Transfer<'_>>,
        host: &mut H,
    ) {
        self.heard = true;
        let mut incoming = match self.login.is_none() {
            false => Incoming::new(Server, datagram),
            true => Incoming::plain(Server, datagram),
        };
        let unix_time = self.unix_time(now);
        loop {
            let mut dialler = Dialler { host, login: &mut self.login, unix_time };
            let Some(event) = self.endpoint.receive(now, &mut incoming, &mut dialler) else { break };
            self.handle(now, event, operation.as_deref_mut(), host);
        }
    }

    /// Does what is due at `now`.
    pub fn expire<H: HostOf<M::Endpoint>>(
        &mut self,
        now: Instant,
        mut operation: Option<&mut Transfer<'_>>,
        host: &mut H,
    ) {
        let unix_time = self.unix_time(now);
        loop {
            let mut dialler = Dialler { host, login: &mut self.login, unix_time };
            let Some(event) = self.endpoint.expire(now, &mut dialler) else { break };
            self.handle(now, event, operation.as_deref_mut(), host);
        }
        if let Some(operation) = operation.filter(|_| !self.is_connected()) {
            self.while_disconnected(now, operation);
        }
    }

    /// Does the next thing that needs no datagram to come first: dials, sends the operation's next message,
    /// registers a subscription. Says whether there may be more to do, once the host has sent what it has.
    pub fn advance<H: HostOf<M::Endpoint>>(
        &mut self,
        now: Instant,
        operation: Option<&mut Transfer<'_>>,
        host: &mut H,
    ) -> bool {
        match self.link {
            Link::Down { until, .. } if until <= now => {
                self.dial(now, host);
                true
            }
            Link::Up { session } => {
                self.send_operation(now, session, operation, host) || self.register_next(now, session, host)
            }
            Link::Down { .. } | Link::Dialling { .. } | Link::Closed => {
                if let Some(operation) = operation {
                    self.while_disconnected(now, operation);
                }
                // A flight may have more datagrams than the host has room for at once.
                match self.link {
                    Link::Dialling { session, .. } => self.endpoint.continue_handshake(now, session, host),
                    _ => false,
                }
            }
        }
    }

    /// The network refused to carry a datagram: an attempt to connect is over, a connection is not, for the
    /// next datagram may get through.
    pub fn network_failed<H: HostOf<M::Endpoint>>(&mut self, now: Instant, host: &mut H) {
        if let Link::Dialling { session, .. } = self.link {
            let _closed = self.endpoint.close(session, host);
            self.lost(now, Disconnect::Network);
        }
    }

    /// Says goodbye and stays disconnected.
    pub fn close<H: HostOf<M::Endpoint>>(&mut self, host: &mut H) {
        if let Link::Up { session } | Link::Dialling { session, .. } = self.link {
            let _closed = self.endpoint.close(session, host);
        }
        self.link = Link::Closed;
        self.failure = Some(Disconnect::ByUs);
    }

    fn dial<H: HostOf<M::Endpoint>>(&mut self, now: Instant, host: &mut H) {
        let Link::Down { failures, .. } = self.link else { return };
        let dialled = if self.login.is_none() {
            self.endpoint.connect_plain(now, Server)
        } else {
            let sedge_endpoint::Config { versions, suites, groups, .. } = self.config.endpoint;
            let unix_time = self.unix_time(now);
            let mut dialler = Dialler { host, login: &mut self.login, unix_time };
            self.endpoint.connect(now, Server, &Connect { versions, suites, groups }, &mut dialler)
        };
        match dialled {
            Ok(session) => {
                self.heard = false;
                self.link = Link::Dialling { session, failures };
                if self.login.is_none() {
                    self.connected(session);
                }
            }
            Err(_) => self.lost(now, Disconnect::Misconfigured),
        }
    }

    fn handle<H: HostOf<M::Endpoint>>(
        &mut self,
        now: Instant,
        event: Event<'_>,
        operation: Option<&mut Transfer<'_>>,
        host: &mut H,
    ) {
        match event {
            Event::Connected { session, .. } => self.connected(session),
            Event::Closed { session, reason, .. } => {
                if matches!(self.link, Link::Up { session: s } | Link::Dialling { session: s, .. } if s == session)
                {
                    let reason = match self.login.take_refusal() {
                        Some(refusal) => Disconnect::NotBelieved(refusal),
                        None => Disconnect::new(reason, self.heard),
                    };
                    self.lost(now, reason);
                }
            }
            Event::Response { exchange, message, last, .. } => {
                if self.active == Some(exchange) {
                    self.active = None;
                    if let Some(operation) = operation {
                        operation.receive(&message);
                    }
                } else {
                    self.notified(now, exchange, &message, last);
                }
            }
            Event::Pong { exchange, .. } if self.active == Some(exchange) => {
                self.active = None;
                if let Some(operation) = operation {
                    operation.succeed();
                }
            }
            Event::Failed { session, exchange, reason } => {
                self.failed(now, session, exchange, reason, operation, host);
            }
            Event::Request { ticket, .. } => {
                // A device serves nothing. Failing to say so costs the peer a few retransmissions.
                let _told = self.endpoint.respond(now, ticket, host, Code::NOT_FOUND, |_| {});
            }
            _ => {}
        }
    }

    fn connected(&mut self, session: SessionId) {
        self.link = Link::Up { session };
        self.failure = None;
        self.unreported = false;
    }

    /// The connection, or the attempt at one, is over.
    fn lost(&mut self, now: Instant, reason: Disconnect) {
        self.active = None;
        if matches!(self.link, Link::Dialling { .. }) {
            // Perhaps it was the session to resume that the server did not like.
            let _forgotten = self.login.set_resumption(None);
        }
        self.link = self.link.lost(now, &self.config.backoff, self.random.next());
        self.failure = Some(reason);
        self.unreported = true;
        self.subscriptions_lost(now);
    }
}

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
