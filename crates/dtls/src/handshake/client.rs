//! The client's handshake, in the order of the protocol: see the flights in [`super`].

use core::fmt;

use sedge_crypto::{Crypto, CryptoRng};
use sedge_time::Instant;

use super::inbox::Inbox;
use super::link::{Link, for_each_fragment};
use super::message::{Fragment, HANDSHAKE_HEADER, MessageType, VERIFY_DATA};
use super::timer::Expiry;
use super::transcript::Transcript;
use super::{Context, Established, Failure, Progress};
use crate::alert::{Alert, AlertLevel};
use crate::cid::ConnectionId;
use crate::discard::Discard;
use crate::record::{ContentType, Record};
use crate::session::Session;

mod config;
mod offer;
mod steps;

pub use config::{ClientConfig, ConfigError};
use offer::{Chosen, Offer};

/// The longest flight: a ClientHello with every extension and the longest cookie.
const FLIGHT: usize = HANDSHAKE_HEADER
    + (2 + 32 + 1 + 256 + 2 + 2 * (ClientConfig::MAX_SUITES + 1) + 2)
    + (2 + 4 + 5 + ConnectionId::MAX_LEN + 6);
/// The longest message put together from fragments; whole ones may be of any length. Servers have no reason to cut
/// a ServerHello of 80 bytes, and fewer to cut a HelloVerifyRequest.
const INBOX: usize = 192;

/// A client's handshake with one server.
///
/// It lives in a pool of the caller's: it borrows nothing, and once complete it yields a [`Session`] and can be
/// dropped.
///
/// Until the server's Finished nothing that arrives is authenticated, so nothing that arrives is final:
/// - What makes no sense is dropped.
/// - A cookie or a ServerHello may be anybody's. If another one comes that differs, and the handshake is not
///   complete at the timer's next turn, it starts over.
/// - A refusal (a fatal alert, or a ServerHello that chooses what was not offered) ends the handshake only after
///   two turns of the timer without a better answer.
pub struct ClientHandshake<C: Crypto> {
    inbox: Inbox<INBOX>,
    machine: Machine<C>,
}

/// All but the messages that are still coming in.
struct Machine<C: Crypto> {
    link: Link<FLIGHT>,
    offer: Offer,
    /// The ClientHello.
    transcript: Transcript<C>,
    /// The digest of the cookie that the ClientHello went out with.
    cookie: Option<[u8; 8]>,
    /// How many records were sealed under this ClientHello's random, by whatever session.
    sealed: u64,
    state: State<C>,
    suspicion: Option<Suspicion>,
    doubt: Doubt,
    started_over: bool,
}

enum State<C: Crypto> {
    AwaitServerHello,
    AwaitServerHelloDone(Chosen<C>),
    AwaitFinished(AwaitFinished),
    Complete(Session),
    Taken,
}

/// Flight 5 is out; the server has still to prove that its keys are the same.
struct AwaitFinished {
    session: Session,
    /// The hash of both hellos, to know the ServerHello again.
    hellos: [u8; 32],
    expected: [u8; VERIFY_DATA],
    /// The message_seq of the server's Finished.
    next_seq: u16,
    change_cipher_spec: bool,
}

/// What the handshake ends with if no better answer comes.
#[derive(Clone, Copy)]
struct Suspicion {
    failure: Failure,
    /// Whether it has outlived a turn of the timer.
    confirmed: bool,
}

/// Whether something has come that contradicts what was believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    /// If the timer runs out before the handshake is complete, everything starts over.
    Raised,
    /// It has run out.
    Due,
}

impl<C: Crypto> ClientHandshake<C> {
    /// Starts a handshake: the first ClientHello is ready to be sent.
    pub fn connect<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, C, R>,
        config: &ClientConfig<'_>,
    ) -> Result<Self, ConfigError> {
        let mut random = [0; 32];
        cx.rng.fill_bytes(&mut random);
        let offer = Offer::new(config, random)?;
        let mut link = Link::new(&config.transport, 0);
        let transcript = offer.hello(&mut link, cx.crypto, &[]).ok_or(ConfigError::UnusableSuites)?;
        link.timer.start(cx.now);
        let machine = Machine {
            link,
            offer,
            transcript,
            cookie: None,
            sealed: 0,
            state: State::AwaitServerHello,
            suspicion: None,
            doubt: Doubt::None,
            started_over: false,
        };
        Ok(Self { inbox: Inbox::new(), machine })
    }

    /// The Connection ID that the client offered to find in records to it; empty if none.
    pub fn own_cid(&self) -> ConnectionId {
        self.machine.offer.own_cid.unwrap_or_default()
    }

    /// When to call [`expire`](Self::expire).
    pub fn deadline(&self) -> Option<Instant> {
        self.machine.link.timer.deadline()
    }

    /// Sends the flight again, or gives up. After an error [`poll_transmit`](Self::poll_transmit) may have an
    /// alert to send.
    pub fn expire(&mut self, now: Instant) -> Result<(), Failure> {
        let Machine { link, suspicion, doubt, .. } = &mut self.machine;
        let failure = match (link.expire(now), suspicion) {
            (Expiry::NotYet, _) => return Ok(()),
            (Expiry::GiveUp, None) => Failure::TimedOut,
            (Expiry::GiveUp, Some(suspicion)) => suspicion.failure,
            (Expiry::SendAgain, Some(suspicion)) if suspicion.confirmed => suspicion.failure,
            (Expiry::SendAgain, suspicion) => {
                if let Some(suspicion) = suspicion {
                    suspicion.confirmed = true;
                }
                if *doubt == Doubt::Raised {
                    *doubt = Doubt::Due;
                }
                return Ok(());
            }
        };
        let _ = link.fail(failure);
        Err(failure)
    }

    /// Takes one record in (see [`Records`](crate::Records)).
    pub fn receive<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        record: &mut [u8],
    ) -> Result<Progress, Discard> {
        if self.machine.link.failure().is_some() {
            return Err(Discard::Closed);
        }
        let Record { header, fragment, .. } =
            Record::parse(record, self.own_cid().len()).ok_or(Discard::MalformedRecord)?;
        match (header.epoch, header.content_type) {
            (0, ContentType::HANDSHAKE) => {
                for_each_fragment(fragment, |fragment| self.fragment(cx, fragment, false))
            }
            (0, ContentType::CHANGE_CIPHER_SPEC) => self.machine.change_cipher_spec(fragment),
            (0, ContentType::ALERT) => {
                if let Some(Alert { level: AlertLevel::FATAL, description }) = Alert::parse(fragment) {
                    self.machine.suspect(Failure::Refused(description));
                }
                Err(Discard::UnauthenticatedAlert)
            }
            (0, _) => Err(Discard::UnexpectedContentType),
            _ => self.protected(cx, record),
        }
    }

    /// Writes the next datagram to be sent and returns its length. To be called until it is `None` after
    /// [`connect`](Self::connect), [`receive`](Self::receive) and [`expire`](Self::expire).
    pub fn poll_transmit<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        buf: &mut [u8],
    ) -> Option<usize> {
        if self.machine.doubt == Doubt::Due {
            self.machine.start_over(cx)?;
        }
        let session = match &mut self.machine.state {
            State::AwaitFinished(state) => Some(&mut state.session),
            _ => None,
        };
        self.machine.link.poll_transmit(cx.crypto, session, buf)
    }

    /// The session, once the handshake is [`Complete`](Progress::Complete); then drop the handshake.
    pub fn take_session(&mut self) -> Option<Established> {
        match core::mem::replace(&mut self.machine.state, State::Taken) {
            State::Complete(session) => Some(Established { session, principal: 0 }),
            other => {
                self.machine.state = other;
                None
            }
        }
    }

    fn protected<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        record: &mut [u8],
    ) -> Result<Progress, Discard> {
        let State::AwaitFinished(state) = &mut self.machine.state else { return Err(Discard::UnknownEpoch) };
        let opened = state.session.unprotect(cx.crypto, record)?;
        match opened.content_type {
            ContentType::HANDSHAKE => {
                for_each_fragment(opened.plaintext, |fragment| self.fragment(cx, fragment, true))
            }
            ContentType::ALERT => {
                let alert = Alert::parse(opened.plaintext).ok_or(Discard::MalformedContent)?;
                match alert.ends_connection() {
                    true => Ok(self.machine.link.fail(Failure::Refused(alert.description))),
                    false => Ok(Progress::Continue),
                }
            }
            _ => Err(Discard::UnexpectedContentType),
        }
    }

    fn fragment<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        fragment: Fragment<'_>,
        protected: bool,
    ) -> Result<Progress, Discard> {
        // Only Finished is protected, and it always is.
        if protected != (fragment.message_type == MessageType::FINISHED) {
            return Err(Discard::UnexpectedHandshake);
        }
        let Some(message) = self.inbox.accept(fragment)? else { return Ok(Progress::Continue) };
        let machine = &mut self.machine;
        let outcome = match message.message_type {
            MessageType::HELLO_VERIFY_REQUEST => machine.hello_verify_request(cx, &message),
            MessageType::SERVER_HELLO => machine.server_hello(&message),
            MessageType::SERVER_KEY_EXCHANGE => machine.server_key_exchange(&message),
            MessageType::SERVER_HELLO_DONE => machine.server_hello_done(cx, &message),
            MessageType::FINISHED => machine.finished(&message),
            _ => Err(Discard::UnexpectedHandshake),
        };
        self.inbox.clear();
        outcome
    }
}

impl<C: Crypto> fmt::Debug for ClientHandshake<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.machine.state {
            State::AwaitServerHello => "AwaitServerHello",
            State::AwaitServerHelloDone(_) => "AwaitServerHelloDone",
            State::AwaitFinished(_) => "AwaitFinished",
            State::Complete(_) => "Complete",
            State::Taken => "Taken",
        };
        f.debug_struct("ClientHandshake").field("state", &state).finish_non_exhaustive()
    }
}
