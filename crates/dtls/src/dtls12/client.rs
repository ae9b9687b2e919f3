//! The client's handshake in DTLS 1.2, in the order of the protocol: see the flights in [`super`].

use core::fmt;

use sedge_crypto::{Crypto, CryptoRng};
use sedge_time::Instant;

use super::transcript::Transcript;
use crate::alert::{Alert, AlertLevel};
use crate::cid::ConnectionId;
use crate::config::{ClientConfig, ConfigError};
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::handshake::inbox::Inbox;
use crate::handshake::link::{Link, for_each_fragment};
use crate::handshake::message::{Fragment, MessageType, VERIFY_DATA};
use crate::handshake::timer::Expiry;
use crate::handshake::{Context, Established, Failure, Progress};
use crate::profile::Profile;
use crate::record::{ContentType, Record};
use crate::session::Session12;

mod offer;
mod steps;

use offer::{Chosen, Offer};

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
pub(crate) struct Client<P: Profile> {
    inbox: Inbox<P::Inbox>,
    machine: Machine<P>,
}

/// All but the messages that are still coming in.
struct Machine<P: Profile> {
    link: Link<P::Flight>,
    offer: Offer,
    /// The ClientHello.
    transcript: Transcript<P::Crypto>,
    /// The digest of the cookie that the ClientHello went out with.
    cookie: Option<[u8; 8]>,
    /// How many records were sealed under this ClientHello's random, by whatever session.
    sealed: u64,
    state: State<P::Crypto>,
    suspicion: Option<Suspicion>,
    /// Whether something has come that contradicts what was believed: if the timer runs out before the handshake is
    /// complete, everything starts over.
    contradicted: bool,
    started_over: bool,
}

enum State<C: Crypto> {
    AwaitServerHello,
    AwaitServerHelloDone(Chosen<C>),
    AwaitFinished(AwaitFinished),
    Complete(Session12),
    Taken,
}

/// Flight 5 is out; the server has still to prove that its keys are the same.
struct AwaitFinished {
    session: Session12,
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

impl<P: Profile> Client<P> {
    /// Starts a handshake: the first ClientHello is ready to be sent.
    pub(crate) fn connect<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ClientConfig<'_>,
    ) -> Result<Self, ConfigError> {
        let mut random = [0; 32];
        cx.rng.fill_bytes(&mut random);
        let offer = Offer::new::<P>(config, credentials, random)?;
        let mut link = Link::new(&config.transport, 0);
        let transcript = offer.hello(&mut link, cx.crypto, &[]).ok_or(ConfigError::FlightTooLong)?;
        link.timer.start(cx.now);
        let machine = Machine {
            link,
            offer,
            transcript,
            cookie: None,
            sealed: 0,
            state: State::AwaitServerHello,
            suspicion: None,
            contradicted: false,
            started_over: false,
        };
        Ok(Self { inbox: Inbox::new(), machine })
    }

    /// The Connection ID that the client offered to find in records to it; empty if none.
    pub(crate) fn own_cid(&self) -> ConnectionId {
        self.machine.offer.own_cid.unwrap_or_default()
    }

    /// When to call [`expire`](Self::expire).
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.machine.link.timer.deadline()
    }

    /// Sends the flight again, starts over, or gives up.
    pub(crate) fn expire<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
    ) -> Result<(), Failure> {
        let Machine { link, suspicion, contradicted, .. } = &mut self.machine;
        let failure = match (link.expire(cx.now), suspicion) {
            (Expiry::NotYet, _) => return Ok(()),
            (Expiry::GiveUp, None) => Failure::TimedOut,
            (Expiry::GiveUp, Some(suspicion)) => suspicion.failure,
            (Expiry::SendAgain, Some(suspicion)) if suspicion.confirmed => suspicion.failure,
            (Expiry::SendAgain, suspicion) => {
                if let Some(suspicion) = suspicion {
                    suspicion.confirmed = true;
                }
                if !core::mem::take(contradicted) {
                    return Ok(());
                }
                match self.machine.start_over(cx, credentials) {
                    Some(()) => return Ok(()),
                    None => Failure::TimedOut,
                }
            }
        };
        let _ = self.machine.link.fail(failure);
        Err(failure)
    }

    /// Takes one record in (see [`Records`](crate::Records)).
    pub(crate) fn receive<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        record: &mut [u8],
    ) -> Result<Progress, Discard> {
        if self.machine.link.failure().is_some() {
            return Err(Discard::Closed);
        }
        let Record { header, fragment, .. } =
            Record::parse(record, self.own_cid().len()).ok_or(Discard::MalformedRecord)?;
        match (header.epoch, header.content_type) {
            (0, ContentType::HANDSHAKE) => {
                for_each_fragment(fragment, |fragment| self.fragment(cx, credentials, fragment, false))
            }
            (0, ContentType::CHANGE_CIPHER_SPEC) => self.machine.change_cipher_spec(fragment),
            (0, ContentType::ALERT) => {
                if let Some(Alert { level: AlertLevel::FATAL, description }) = Alert::parse(fragment) {
                    self.machine.suspect(Failure::Refused(description));
                }
                Err(Discard::UnauthenticatedAlert)
            }
            (0, _) => Err(Discard::UnexpectedContentType),
            _ => self.protected(cx, credentials, record),
        }
    }

    /// Writes the next datagram to be sent and returns its length. To be called until it is `None` after
    /// [`connect`](Self::connect), [`receive`](Self::receive) and [`expire`](Self::expire).
    pub(crate) fn poll_transmit(&mut self, crypto: &P::Crypto, buf: &mut [u8]) -> Option<usize> {
        let session = match &mut self.machine.state {
            State::AwaitFinished(state) => Some(&mut state.session),
            _ => None,
        };
        self.machine.link.poll_transmit(crypto, session, buf)
    }

    /// The session, once the handshake is [`Complete`](Progress::Complete); then drop the handshake.
    pub(crate) fn take_session(&mut self) -> Option<Established> {
        match core::mem::replace(&mut self.machine.state, State::Taken) {
            State::Complete(session) => Some(Established { session: session.into(), principal: 0 }),
            other => {
                self.machine.state = other;
                None
            }
        }
    }

    fn protected<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        record: &mut [u8],
    ) -> Result<Progress, Discard> {
        let State::AwaitFinished(state) = &mut self.machine.state else { return Err(Discard::UnknownEpoch) };
        let opened = state.session.unprotect(cx.crypto, record)?;
        match opened.content_type {
            ContentType::HANDSHAKE => {
                for_each_fragment(opened.plaintext, |fragment| self.fragment(cx, credentials, fragment, true))
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
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
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
            MessageType::SERVER_HELLO_DONE => machine.server_hello_done(cx, credentials, &message),
            MessageType::FINISHED => machine.finished(&message),
            _ => Err(Discard::UnexpectedHandshake),
        };
        self.inbox.clear();
        outcome
    }
}

impl<P: Profile> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.machine.state {
            State::AwaitServerHello => "AwaitServerHello",
            State::AwaitServerHelloDone(_) => "AwaitServerHelloDone",
            State::AwaitFinished(_) => "AwaitFinished",
            State::Complete(_) => "Complete",
            State::Taken => "Taken",
        };
        f.debug_struct("Client").field("state", &state).finish_non_exhaustive()
    }
}
