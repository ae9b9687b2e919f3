//! The client's handshake, in the order of the protocol: see the flights in [`super`].

use core::fmt;

use sedge_crypto::{Crypto, CryptoRng, Hash, PublicKey};
use sedge_time::Instant;

use super::Identity;
use super::epoch::{Opener, Sealer};
use super::link::Link;
use super::record::is_unified;
use super::schedule::{Digest, MasterSecret, TrafficSecrets};
use super::transcript::Transcript;
use crate::alert::{Alert, AlertDescription};
use crate::cid::ConnectionId;
use crate::config::{ClientConfig, ConfigError};
use crate::credentials::{CertificateType, Credentials};
use crate::discard::Discard;
use crate::handshake::inbox::Inbox;
use crate::handshake::link::for_each_fragment;
use crate::handshake::message::{Message, MessageType};
use crate::handshake::timer::Expiry;
use crate::handshake::{Context, Established, Failure, Progress, Transport};
use crate::profile::Profile;
use crate::record::{ContentType, Record};
use crate::session::{Of, Session13};
use crate::suite::CipherSuite;

mod finish;
mod hello;
mod intake;
mod legacy;
mod offer;
mod steps;

use legacy::Legacy;
pub(crate) use legacy::Origin;
use offer::{Offer, Says};

/// A client's handshake with one server.
///
/// What is not authenticated is not final: see [`ClientHandshake`](crate::ClientHandshake). Records of epoch 2 are
/// authentic as soon as both sides share a key, but without a pre-shared key anyone could be the other side until its
/// CertificateVerify; so what is wrong with them ends the handshake no sooner than a refusal in the clear does.
pub(crate) struct Client<P: Profile> {
    inbox: Inbox<P::Inbox>,
    machine: Machine<P>,
}

/// All but the messages that are still coming in.
struct Machine<P: Profile> {
    link: Link<P::Flight>,
    offer: Offer<P::Crypto>,
    /// If DTLS 1.2 is offered too.
    legacy: Option<Legacy>,
    /// The HelloVerifyRequest that was answered.
    verified: Option<Digest>,
    /// Up to the ClientHello.
    transcript: Transcript<P::Crypto>,
    /// The HelloRetryRequest that was answered.
    retry: Option<Retry>,
    state: State<P>,
    suspicion: Option<Suspicion>,
    /// Whether something has come that contradicts what was believed: if the timer runs out before the handshake is
    /// complete, everything starts over.
    contradicted: bool,
    started_over: bool,
}

/// A HelloRetryRequest that was answered.
struct Retry {
    suite: CipherSuite,
    /// To know it again.
    digest: Digest,
}

enum State<P: Profile> {
    AwaitServerHello,
    /// The server's flight is coming in, under the keys of epoch 2.
    AwaitFinished(Secured<P>),
    /// Our last flight is out; the server has still to say that it has arrived.
    AwaitAck(AwaitAck),
    Complete(Established),
    Taken,
}

/// What both sides share once the hellos agree.
struct Secured<P: Profile> {
    /// Which message comes next.
    awaiting: Awaiting,
    /// Whether anything came that was sealed with these keys.
    authentic: bool,
    /// The hash of the hellos, to know the ServerHello again.
    hellos: Digest,
    transcript: Transcript<P::Crypto>,
    opener: Opener,
    sealer: Sealer,
    traffic: TrafficSecrets,
    master: MasterSecret,
    /// The server knows our pre-shared key: it shows no certificate, and every record is from it.
    psk: bool,
    return_routability: bool,
    write_limit: u16,
    /// What kind of certificate each side shows, if any.
    server_kind: CertificateType,
    client_kind: CertificateType,
    certificate_requested: bool,
    server: Identity,
    /// The server's next message_seq.
    next_seq: u16,
}

/// The server's messages in the order of the protocol (RFC 8446 section 4.3 and 4.4).
enum Awaiting {
    EncryptedExtensions,
    /// CertificateRequest or Certificate.
    CertificateRequest,
    Certificate,
    CertificateVerify(PublicKey),
    Finished,
    /// None of them: one was wrong.
    Nothing,
}

struct AwaitAck {
    /// `None` once it was taken, before the server said that it has our last flight.
    session: Option<Session13>,
    /// Still of epoch 2: our flight, and what the server repeats of its own.
    opener: Opener,
    sealer: Sealer,
    server: Identity,
}

/// What the handshake ends with if no better answer comes.
#[derive(Clone, Copy)]
struct Suspicion {
    failure: Failure,
    /// Whether it has outlived a turn of the timer.
    confirmed: bool,
}

impl<P: Profile> Client<P> {
    /// A handshake that has not begun.
    #[inline(always)]
    pub(crate) fn new(crypto: &P::Crypto, transport: &Transport) -> Self {
        let machine = Machine {
            link: Link::new(transport, 0),
            offer: Offer::NOTHING,
            legacy: None,
            verified: None,
            transcript: Transcript::new(crypto),
            retry: None,
            state: State::AwaitServerHello,
            suspicion: None,
            contradicted: false,
            started_over: false,
        };
        Self { inbox: Inbox::new(), machine }
    }

    /// Starts it: the first ClientHello is ready to be sent.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn start<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ClientConfig<'_>,
    ) -> Result<(), ConfigError> {
        let machine = &mut self.machine;
        machine.offer.fill::<P, R>(cx, credentials, config)?;
        // A client that has nothing to offer to the older version does without it.
        if P::DTLS_1_2 && config.versions.dtls_1_2 {
            machine.legacy = Legacy::new::<P, R>(cx, credentials, config).ok();
        }
        let mut transcript = Transcript::new(cx.crypto);
        machine.hello(cx, credentials, &mut transcript, None, &[]).ok_or(ConfigError::FlightTooLong)?;
        machine.transcript = transcript;
        machine.link.start(cx.now);
        Ok(())
    }

    /// The Connection ID that the client offered to find in records to it; empty if none.
    pub(crate) fn own_cid(&self) -> ConnectionId {
        self.machine.offer.own_cid.unwrap_or_default()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.machine.link.deadline()
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
                    self.machine.ask_for_the_rest();
                    return Ok(());
                }
                self.inbox.clear_early();
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
        if record.first().is_some_and(|&first| is_unified(first)) {
            return self.protected(cx, credentials, record);
        }
        let Record { header, fragment, .. } = Record::parse(record, 0).ok_or(Discard::MalformedRecord)?;
        match (header.epoch, header.content_type) {
            (0, ContentType::HANDSHAKE) => {
                for_each_fragment(fragment, |fragment| self.hello(cx, credentials, fragment, header.sequence))
            }
            (0, ContentType::ALERT) => {
                if let Some(alert) = Alert::parse(fragment).map(Alert::in_dtls_1_3)
                    && alert.ends_connection()
                {
                    self.machine.suspect(Failure::Refused(alert.description));
                }
                Err(Discard::UnauthenticatedAlert)
            }
            (0, _) => Err(Discard::UnexpectedContentType),
            _ => Err(Discard::UnknownEpoch),
        }
    }

    /// Writes the next datagram to be sent and returns its length.
    pub(crate) fn poll_transmit(&mut self, crypto: &P::Crypto, buf: &mut [u8]) -> Option<usize> {
        let Machine { link, state, .. } = &mut self.machine;
        match state {
            State::AwaitServerHello | State::Taken => link.poll_transmit(crypto, None, buf),
            State::AwaitFinished(secured) => link.poll_transmit(crypto, Some(&mut secured.sealer), buf),
            State::AwaitAck(state) => link.poll_transmit(crypto, Some(&mut state.sealer), buf),
            // An ACK of what came with the end, a ticket for example.
            State::Complete(established) => established.session.poll_transmit(&Of::<P>::new(crypto), buf),
        }
    }

    /// The session, as soon as our last flight is made.
    pub(crate) fn take_session_early(&mut self) -> Option<Established> {
        let State::AwaitAck(state) = &mut self.machine.state else { return None };
        let server = state.server;
        state.session.take().map(|session| server.of(session))
    }

    /// The session, once the handshake is [`Complete`](Progress::Complete); then drop the handshake.
    pub(crate) fn take_session(&mut self) -> Option<Established> {
        match core::mem::replace(&mut self.machine.state, State::Taken) {
            State::Complete(established) => Some(established),
            other => {
                self.machine.state = other;
                None
            }
        }
    }
}

/// To know a message again.
fn digest<C: Crypto>(crypto: &C, message: &[u8]) -> Digest {
    let mut hash = crypto.sha256();
    hash.update(message);
    hash.finish()
}

impl<P: Profile> Machine<P> {
    /// Takes in a message of the server's flight in its turn.
    fn message<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Progress {
        let State::AwaitFinished(secured) = &mut self.state else { return Progress::Continue };
        let outcome = secured.message(cx, credentials, self.offer.record_size_limit.is_some(), message);
        self.link.flight.limit_records(secured.write_limit);
        match outcome {
            Ok(()) if message.message_type == MessageType::FINISHED => self.finish(cx, credentials),
            Ok(()) => Progress::Continue,
            Err(description) => self.unacceptable(description),
        }
    }

    /// Makes the flight a ClientHello and adds it to the transcript, which says what came before.
    fn hello<R: ?Sized>(
        &mut self,
        cx: &Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        transcript: &mut Transcript<P::Crypto>,
        cookie: Option<&[u8]>,
        legacy_cookie: &[u8],
    ) -> Option<()> {
        let Self { link, offer, legacy, .. } = self;
        let says = Says { now: cx.now, cookie, legacy_cookie, legacy: legacy.as_ref() };
        offer.hello::<P, _>(&mut link.flight, cx.crypto, credentials, transcript, &says)
    }

    /// If some of the server's flight is here, it has our hello, and needs to know what is missing.
    fn ask_for_the_rest(&mut self) {
        if let State::AwaitFinished(Secured { authentic: true, .. }) = &self.state
            && self.link.received.disrupted()
        {
            self.link.flight.hold();
        }
    }

    /// Something authentic was not as it has to be. Whoever knows our pre-shared key is the server; anybody else may
    /// be anybody.
    fn unacceptable(&mut self, description: AlertDescription) -> Progress {
        match &mut self.state {
            State::AwaitFinished(secured) if !secured.psk => {
                secured.awaiting = Awaiting::Nothing;
                self.suspect(Failure::Aborted(description));
                Progress::Continue
            }
            _ => self.link.abort(description),
        }
    }

    /// The other side of epoch 2 gave up.
    fn refused(&mut self, description: AlertDescription) -> Progress {
        let failure = Failure::Refused(description);
        match &self.state {
            State::AwaitFinished(secured) if !secured.psk => {
                self.suspect(failure);
                Progress::Continue
            }
            _ => self.link.fail(failure),
        }
    }

    /// Notes a refusal, without forgetting how long there has been one.
    fn suspect(&mut self, failure: Failure) {
        let confirmed = self.suspicion.is_some_and(|suspicion| suspicion.confirmed);
        self.suspicion = Some(Suspicion { failure, confirmed });
    }

    /// Notes that what was believed may have been somebody else's.
    fn contradicted(&mut self) -> Discard {
        self.contradicted = true;
        Discard::HandshakeRepeated
    }
}

impl<P: Profile> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.machine.state {
            State::AwaitServerHello => "AwaitServerHello",
            State::AwaitFinished(_) => "AwaitFinished",
            State::AwaitAck(_) => "AwaitAck",
            State::Complete(_) => "Complete",
            State::Taken => "Taken",
        };
        f.debug_struct("Client").field("state", &state).finish_non_exhaustive()
    }
}
