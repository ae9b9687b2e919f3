//! The endpoint itself: its parts, and how they find each other.

use rand_core::Rng as _;
use sedge_coap::{Token, Transmission};
use sedge_dtls::CookieKeys;
use sedge_time::{Duration, Instant};

use crate::agreed::Agreed;
use crate::config::Config;
use crate::counters::Counters;
use crate::exchange::{Exchange, ExchangeId, NO_EXCHANGE, State};
use crate::memory::{CryptoOf, Memory, PathIndex, Pool, TimerKey, Timers};
use crate::session::{Channel, Peer, SessionId};
use crate::transmit::SendError;

/// One endpoint: the sessions of one socket (or of one shard of it), their exchanges and timers.
///
/// Getters: [`counters`](Self::counters), [`sessions`](Self::sessions), [`path`](Self::path), [`agreed`](Self::agreed),
/// [`deadline`](Self::deadline). Inputs: [`receive`](Self::receive), [`expire`](Self::expire). Commands of a
/// client: [`connect`](Self::connect), [`request`](Self::request), [`cancel`](Self::cancel),
/// [`deregister`](Self::deregister), [`ping`](Self::ping), [`migrate`](Self::migrate), [`close`](Self::close). Commands of a server:
/// [`respond`](Self::respond), [`defer`](Self::defer), [`respond_deferred`](Self::respond_deferred),
/// [`notify`](Self::notify), [`renotify`](Self::renotify).
///
/// Nothing is queued: what a call has to send it writes into the [`Host`](crate::Host) at once, and what a
/// datagram brings comes back as [`Event`](crate::Event)s, one at a time. After every call the endpoint is
/// in a consistent state, whether or not the caller looks at the rest.
pub struct Endpoint<M: Memory> {
    pub(crate) config: Config,
    pub(crate) crypto: CryptoOf<M>,
    pub(crate) rng: M::Rng,
    pub(crate) sessions: M::Sessions,
    pub(crate) handshakes: M::Handshakes,
    pub(crate) validations: M::Validations,
    pub(crate) exchanges: M::Exchanges,
    pub(crate) paths: M::Paths,
    pub(crate) timers: M::Timers,
    pub(crate) handled: M::Handled,
    pub(crate) replies: M::Replies,
    pub(crate) cookies: CookieKeys<CryptoOf<M>>,
    pub(crate) rotate_cookies_at: Instant,
    pub(crate) counters: Counters,
    /// Makes the keys of handled messages unpredictable.
    pub(crate) seed: u64,
    next_generation: u32,
    next_serial: u32,
    next_token: u32,
    /// How many peers speak plain CoAP.
    pub(crate) plain_peers: u32,
    /// The next look for idle sessions, and how far the current one has come.
    pub(crate) sweep_at: Instant,
    pub(crate) sweep_slot: u32,
}

/// The parts of an endpoint that hold its state, made by the caller.
pub struct Parts<M: Memory> {
    /// One entry per peer.
    pub sessions: M::Sessions,
    /// Handshakes under way.
    pub handshakes: M::Handshakes,
    /// Sessions that seem to have moved, whose new path is not proven yet.
    pub validations: M::Validations,
    /// Messages that await something.
    pub exchanges: M::Exchanges,
    /// Finds the session of a path.
    pub paths: M::Paths,
    /// What wakes up when.
    pub timers: M::Timers,
    /// Messages already handled.
    pub handled: M::Handled,
    /// What some of them were answered with.
    pub replies: M::Replies,
}

impl<M: Memory> Default for Parts<M>
where
    M::Sessions: Default,
    M::Handshakes: Default,
    M::Validations: Default,
    M::Exchanges: Default,
    M::Paths: Default,
    M::Timers: Default,
    M::Handled: Default,
    M::Replies: Default,
{
    fn default() -> Self {
        Self {
            sessions: M::Sessions::default(),
            handshakes: M::Handshakes::default(),
            validations: M::Validations::default(),
            exchanges: M::Exchanges::default(),
            paths: M::Paths::default(),
            timers: M::Timers::default(),
            handled: M::Handled::default(),
            replies: M::Replies::default(),
        }
    }
}

impl<M: Memory> Endpoint<M> {
    /// An endpoint with no session.
    pub fn new(now: Instant, config: Config, crypto: CryptoOf<M>, mut rng: M::Rng, parts: Parts<M>) -> Self {
        let () = M::CHECKED;
        let cookies = CookieKeys::new(&crypto, &mut rng);
        let seed = rng.next_u64();
        // Serial numbers start anywhere, so that names from before a restart mean nothing after it.
        let (next_generation, next_serial) = (rng.next_u32(), rng.next_u32());
        let sweep_at = if config.idle_timeout == Duration::ZERO {
            Instant::DISTANT_FUTURE
        } else {
            now + sweep_period(config.idle_timeout)
        };
        Self {
            config,
            crypto,
            rng,
            sessions: parts.sessions,
            handshakes: parts.handshakes,
            validations: parts.validations,
            exchanges: parts.exchanges,
            paths: parts.paths,
            timers: parts.timers,
            handled: parts.handled,
            replies: parts.replies,
            cookies,
            rotate_cookies_at: now,
            counters: Counters::default(),
            seed,
            next_generation,
            next_serial,
            next_token: 0,
            plain_peers: 0,
            sweep_at,
            sweep_slot: 0,
        }
    }

    /// The providers of cryptography and of randomness, for whoever does more with them than the endpoint.
    pub const fn providers(&mut self) -> (&CryptoOf<M>, &mut M::Rng) {
        (&self.crypto, &mut self.rng)
    }

    /// What happened so far, in numbers.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// All established sessions, with whom they belong to.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, u32)> {
        (0..self.sessions.slots()).filter_map(|slot| {
            let peer = self.sessions.get(slot)?;
            let established = !matches!(peer.channel, Channel::Handshake { .. });
            established.then_some((SessionId { slot, generation: peer.generation }, peer.principal))
        })
    }

    /// How many peers there are, those in their handshake included.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// How many handshakes are under way, those included whose session began early (see [`Endpoint::connect`]).
    pub fn handshakes_under_way(&self) -> usize {
        self.handshakes.len()
    }

    /// Where a session is. While a new path of it is being proven, this is the old one.
    pub fn path(&self, session: SessionId) -> Option<M::Path> {
        self.peer(session).map(|peer| peer.path)
    }

    /// What a session's handshake came to; `None` before that, and on plain CoAP.
    pub fn agreed(&self, session: SessionId) -> Option<Agreed> {
        self.peer(session)?.agreed()
    }

    /// When the last authenticated datagram of a session came, rounded down to seconds.
    pub fn last_heard(&self, session: SessionId) -> Option<Instant> {
        let secs = self.peer(session)?.last_heard;
        Some(Instant::EPOCH + Duration::from_secs(secs.into()))
    }

    /// When [`Endpoint::expire`] has something to do next; `None` if only a datagram or a command can change
    /// anything.
    pub fn deadline(&self) -> Option<Instant> {
        let sweep = (self.sweep_at != Instant::DISTANT_FUTURE).then_some(self.sweep_at);
        self.timers.next().into_iter().chain(sweep).min()
    }

    pub(crate) fn peer(&self, session: SessionId) -> Option<&Peer<M::Path>> {
        self.sessions.get(session.slot).filter(|peer| peer.generation == session.generation)
    }

    pub(crate) fn peer_mut(&mut self, session: SessionId) -> Option<&mut Peer<M::Path>> {
        self.sessions.get_mut(session.slot).filter(|peer| peer.generation == session.generation)
    }

    pub(crate) fn new_generation(&mut self) -> u32 {
        self.next_generation = self.next_generation.wrapping_add(1);
        self.next_generation
    }

    /// A Message ID for a message that we originate (RFC 7252 section 4.4): in sequence, per session.
    ///
    /// On plain CoAP none comes again within its lifetime, which is a speed limit; under DTLS nothing can be
    /// delivered twice, so there is none (see [`MessageIds`](sedge_coap::MessageIds)).
    pub(crate) fn new_message_id(&mut self, now: Instant, session: SessionId) -> Result<u16, SendError> {
        let lifetime = self.config.transmission.exchange_lifetime();
        let peer = self.peer_mut(session).ok_or(SendError::Gone)?;
        let lifetime = if matches!(peer.channel, Channel::Plain) { lifetime } else { Duration::ZERO };
        peer.message_ids.next(now, lifetime).ok_or(SendError::Busy)
    }

    /// A token for a request of ours.
    ///
    /// Under DTLS a token is not a secret, but it must not come again while the keys are the same, lest an
    /// old response be taken for a new one (RFC 9175 section 4.2): so they are counted, in as few bytes as
    /// the count needs. Without protection it must be hard to guess (RFC 7252 section 5.3.1).
    pub(crate) fn new_token(&mut self, session: SessionId) -> Token {
        if self.peer(session).is_some_and(|peer| matches!(peer.channel, Channel::Plain)) {
            return Token::from_u64(self.rng.next_u64(), 8);
        }
        self.next_token = self.next_token.wrapping_add(1);
        let bytes = (u32::BITS - self.next_token.leading_zeros()).div_ceil(8).max(1);
        Token::from_u64(self.next_token.into(), bytes as usize)
    }

    /// Enters an exchange into the pool and its session's list, and arms its timer.
    pub(crate) fn open_exchange(
        &mut self,
        session: SessionId,
        message_id: u16,
        token: Token,
        deadline: Instant,
        state: State,
        message: M::Buffer,
    ) -> Option<ExchangeId> {
        let next = self.peer(session)?.exchanges;
        let outstanding = state.is_outstanding();
        self.next_serial = self.next_serial.wrapping_add(1);
        let serial = self.next_serial;
        let exchange = Exchange { session, serial, next, message_id, token, deadline, state, message };
        let slot = self.exchanges.insert(exchange)?;
        if !self.timers.arm(deadline, TimerKey::Exchange(slot)) {
            let _ = self.exchanges.remove(slot);
            return None;
        }
        if let Some(peer) = self.peer_mut(session) {
            peer.exchanges = slot;
            peer.outstanding = peer.outstanding.saturating_add(outstanding.into());
        }
        Some(ExchangeId { slot, serial })
    }

    /// Moves an exchange on: its new state and when to look at it again.
    pub(crate) fn set_state(&mut self, slot: u32, state: State, deadline: Instant) {
        let Some(exchange) = self.exchanges.get_mut(slot) else { return };
        let released = exchange.state.is_outstanding() && !state.is_outstanding();
        let taken = !exchange.state.is_outstanding() && state.is_outstanding();
        exchange.state = state;
        exchange.deadline = deadline;
        let session = exchange.session;
        if deadline != Instant::DISTANT_FUTURE {
            let _armed = self.timers.arm(deadline, TimerKey::Exchange(slot));
        }
        if let Some(peer) = self.peer_mut(session) {
            peer.outstanding = peer.outstanding.saturating_sub(released.into()).saturating_add(taken.into());
        }
    }

    /// Takes an exchange out of the pool and out of its session's list.
    pub(crate) fn remove_exchange(&mut self, slot: u32) -> Option<Exchange<M::Buffer>> {
        let exchange = self.exchanges.remove(slot)?;
        let Some(peer) = self.peer_mut(exchange.session) else { return Some(exchange) };
        peer.outstanding = peer.outstanding.saturating_sub(exchange.state.is_outstanding().into());
        if peer.exchanges == slot {
            peer.exchanges = exchange.next;
            return Some(exchange);
        }
        let mut at = peer.exchanges;
        while let Some(other) = self.exchanges.get_mut(at) {
            if other.next == slot {
                other.next = exchange.next;
                break;
            }
            at = other.next;
        }
        Some(exchange)
    }

    /// The slot of the first exchange of `session` that `is_it` says yes to.
    pub(crate) fn find_exchange(
        &self,
        session: SessionId,
        mut is_it: impl FnMut(&Exchange<M::Buffer>) -> bool,
    ) -> Option<u32> {
        let mut slot = self.peer(session)?.exchanges;
        while slot != NO_EXCHANGE {
            let exchange = self.exchanges.get(slot)?;
            if is_it(exchange) {
                return Some(slot);
            }
            slot = exchange.next;
        }
        None
    }

    /// The slot of an exchange, if that is still the same one.
    pub(crate) fn exchange_slot(&self, id: ExchangeId) -> Option<u32> {
        self.exchanges.get(id.slot).filter(|exchange| exchange.serial == id.serial).map(|_| id.slot)
    }

    /// Forgets a session with everything that hangs on it; returns who it was.
    pub(crate) fn remove_session(&mut self, session: SessionId) -> Option<u32> {
        let mut slot = self.peer(session)?.exchanges;
        while let Some(exchange) = self.exchanges.remove(slot) {
            slot = exchange.next;
        }
        self.end_validation(session);
        let peer = self.sessions.remove(session.slot)?;
        if self.paths.get(&peer.path) == Some(session.slot) {
            self.paths.remove(&peer.path);
        }
        match peer.channel {
            Channel::Handshake { slot } => self.handshakes.discard(slot),
            Channel::Plain => self.plain_peers -= 1,
            Channel::Dtls(_) => self.handshakes.discard(peer.lingering),
        }
        Some(peer.principal)
    }

    /// Starts the retransmission of a confirmable message, its first time-out spread at random.
    pub(crate) fn start_transmission(&mut self, now: Instant) -> Transmission {
        let random = self.rng.next_u32();
        Transmission::start(now, &self.config.transmission, random)
    }
}

/// Idle sessions are looked for sixteen times per idle time-out, so one outlives its time by a sixteenth.
pub(crate) fn sweep_period(idle_timeout: Duration) -> Duration {
    idle_timeout.fraction(1, 16).max(Duration::from_secs(1))
}
