//! The line to the server: one session, and what of CoAP a client needs on it.
//!
//! ```text
//!            connect                Finished
//!   Off -------------> Handshake --------------> Session
//!    ^                     |                        |
//!    +------ refused ------+------- alert ----------+
//! ```
//!
//! No message is kept to be sent again: whoever wanted it writes it once more ([`Event::Render`]). So a confirmable
//! message costs its timer and no buffer.

mod dtls;
mod exchange;
mod message;
mod outgoing;
mod saved;
mod transmit;

use rand_core::Rng as _;
use sedge_coap::{Message, MessageIds};
use sedge_dtls::{ClientHandshake, Profile, Session};
use sedge_endpoint::{Agreed, CloseReason, FailReason};
use sedge_time::{Duration, Instant};

use crate::config::Config;
use crate::counters::Counters;
use crate::memory::Memory;
use crate::outbox::Outbox;
use crate::saved::Cursor;

pub(crate) use dtls::Incoming;
pub use exchange::Exchange;
pub(crate) use exchange::Number;
pub(crate) use outgoing::Outgoing;

use exchange::Purpose;

/// What came of a datagram, or of time.
pub(super) enum Event<'d> {
    /// The server is who it should be.
    Connected,
    /// The session is over, or the attempt at one.
    Closed(CloseReason),
    /// An answer, or a notification.
    Response { to: Number, message: Message<'d>, last: bool },
    /// A request, an observation or a ping came to nothing.
    Failed { what: Number, reason: FailReason },
    /// The server answered a ping.
    Pong,
    /// A message is to be sent again, or an observation to be renewed: to be written again.
    Render(Number),
}

/// What is small comes first: a Cortex-M reaches it with shorter instructions.
#[repr(C)]
pub(crate) struct Line<M: Memory> {
    message_ids: MessageIds,
    next_token: u32,
    next_serial: u16,
    /// The Message IDs of the last responses that were acknowledged, to recognise their repetitions.
    acknowledged: [Option<u16>; 4],
    acknowledged_at: u8,
    agreed: Option<Agreed>,
    /// Behind the record numbers that are reserved, if the session is saved at all. They are of one epoch: with new keys it
    /// has to be saved anew.
    reserved_until: u64,
    cursor: Cursor,
    /// When to send again what the session itself has to say, and how often that was done (DTLS 1.3).
    resend_at: Option<Instant>,
    resends: u8,
    pub(super) counters: Counters,
    /// EXCHANGE_LIFETIME of the settings.
    lifetime: Duration,
    pub(super) config: Config,
    crypto: <M::Dtls as Profile>::Crypto,
    rng: M::Rng,
    /// The first is the request under way, the others are the subscriptions'.
    exchanges: M::Exchanges,
    outbox: Outbox<M::Datagram>,
    channel: Channel<M::Dtls>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "the memory of the handshake is that of the session afterwards"
)]
enum Channel<D: Profile> {
    Off,
    /// CoAP without DTLS.
    Plain,
    Handshake(ClientHandshake<D>),
    Session(Session),
}

impl<M: Memory> Line<M> {
    #[inline(always)]
    pub(super) fn new(config: Config, crypto: <M::Dtls as Profile>::Crypto, mut rng: M::Rng) -> Self {
        let (message_id, serial) = (rng.next_u32() as u16, rng.next_u32() as u16);
        Self {
            channel: Channel::Off,
            crypto,
            rng,
            outbox: Outbox::new(M::datagram()),
            exchanges: M::exchanges(),
            lifetime: config.endpoint.transmission.exchange_lifetime(),
            config,
            message_ids: MessageIds::new(message_id),
            next_token: 0,
            next_serial: serial,
            acknowledged: [None; 4],
            acknowledged_at: 0,
            agreed: None,
            reserved_until: 0,
            cursor: Cursor::default(),
            resend_at: None,
            resends: 0,
            counters: Counters::default(),
        }
    }

    pub(super) const fn providers(&mut self) -> (&<M::Dtls as Profile>::Crypto, &mut M::Rng) {
        (&self.crypto, &mut self.rng)
    }

    pub(super) const fn outbox(&mut self) -> &mut Outbox<M::Datagram> {
        &mut self.outbox
    }

    /// What the handshake came to; `None` on plain CoAP.
    pub(super) const fn agreed(&self) -> Option<Agreed> {
        self.agreed
    }

    /// When [`expire`](Self::expire) has something to do that must not wait, and what can wait for `slack`; never
    /// is [`Instant::DISTANT_FUTURE`].
    pub(super) fn deadline(&self, slack: Duration) -> Instant {
        let mut earliest = match &self.channel {
            Channel::Handshake(handshake) => handshake.deadline().unwrap_or(Instant::DISTANT_FUTURE),
            _ => self.resend_at.unwrap_or(Instant::DISTANT_FUTURE),
        };
        for exchange in self.exchanges.as_ref() {
            earliest = earliest.min(exchange.deadline(slack));
        }
        earliest
    }

    /// Forgets the session and everything on it.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn hang_up(&mut self) {
        self.channel = Channel::Off;
        self.agreed = None;
        self.resend_at = None;
        for exchange in self.exchanges.as_mut() {
            exchange.clear();
        }
    }
}

#[cfg(test)]
mod tests;
