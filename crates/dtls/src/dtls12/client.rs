//! The client's handshake in DTLS 1.2, in the order of the protocol: see the flights in [`super`].

use core::fmt;

use sedge_crypto::{Crypto, CryptoRng, Hash, KeyShare, PublicKey, Secret};
use sedge_time::Instant;

use super::effort::Effort;
use super::taken::Taken;
use super::transcript::Transcript;
use crate::alert::{Alert, AlertLevel};
use crate::cid::ConnectionId;
use crate::config::{ClientConfig, ConfigError};
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::handshake::inbox::Inbox;
use crate::handshake::link::{Link, for_each_fragment};
use crate::handshake::message::{Fragment, MessageType};
use crate::handshake::timer::Expiry;
use crate::handshake::{Authentication, Context, Established, Failure, Progress, Transport};
use crate::profile::Profile;
use crate::record::{ContentType, Record};
use crate::session::Session12;
use crate::wire::Writer;

mod chosen;
mod finish;
mod offer;
mod own_flight;
mod resume;
mod server_flight;
mod server_hello;

use chosen::{Agreed, Chosen};
pub(crate) use offer::Offer;

/// A client's handshake with one server.
///
/// It lives in a pool of the caller's: it borrows nothing, and once complete it yields a [`Session`](crate::Session) and can be
/// dropped.
///
/// Until the server's Finished nothing that arrives is authenticated, so nothing that arrives is final:
/// - What makes no sense is dropped.
/// - A cookie or a message of the server's flight may be anybody's. If another one comes that differs, and the
///   handshake is not complete at the timer's next turn, it starts over.
/// - A refusal (a fatal alert, a ServerHello that chooses what was not offered, a certificate that is not believed)
///   ends the handshake only after two turns of the timer without a better answer.
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
    /// The server's flight so far, ServerHello first.
    taken: Taken,
    effort: Effort,
    state: State<P::Crypto>,
    suspicion: Option<Suspicion>,
    /// Whether something has come that contradicts what was believed: if the timer runs out before the handshake is
    /// complete, everything starts over.
    contradicted: bool,
    started_over: bool,
    /// Whether to start over is for whoever offered DTLS 1.3 too.
    hands_back: bool,
}

enum State<C: Crypto> {
    AwaitServerHello,
    AwaitServerFlight(ServerFlight<C>),
    AwaitFinished(AwaitFinished<C>),
    Complete(Complete),
    Taken,
}

/// The server has said hello, and goes on.
struct ServerFlight<C: Crypto> {
    chosen: Chosen,
    peer: Peer,
    due: Due,
    transcript: Transcript<C>,
}

/// Which message of the server's flight comes next.
#[derive(Clone, Copy)]
enum Due {
    Certificate,
    /// ServerKeyExchange, signed by this key if there is one. A suite without ephemeral keys may leave it out.
    KeyExchange(Option<PublicKey>),
    /// ServerHelloDone; before it perhaps CertificateRequest.
    Done {
        share: Option<KeyShare>,
        /// Whether a certificate was asked for, and if it was, whether one of ours would do.
        request: Option<bool>,
    },
}

/// Who the server is, and how it proves that.
#[derive(Clone, Copy)]
struct Peer {
    principal: u32,
    authentication: Authentication,
}

/// The keys exist; the server has still to prove that its are the same.
struct AwaitFinished<C: Crypto> {
    session: Session12,
    agreed: Agreed,
    master_secret: Secret<48>,
    peer: Peer,
    /// Up to our Finished, or to ServerHello in a session that is resumed; then NewSessionTicket.
    transcript: Transcript<C>,
    /// Whether the ticket that was promised has come.
    ticket_taken: bool,
    change_cipher_spec: bool,
}

/// The server is authenticated.
struct Complete {
    session: Session12,
    peer: Peer,
    resumed: bool,
    /// Whether the last flight, if it is this side's, was sent.
    sent: bool,
    /// What a later handshake needs to know.
    saved: Option<(Agreed, Secret<48>)>,
}

/// What the handshake ends with if no better answer comes.
#[derive(Clone, Copy)]
struct Suspicion {
    failure: Failure,
    /// Whether it has outlived a turn of the timer.
    confirmed: bool,
}

impl<P: Profile> Machine<P> {
    /// Nothing said yet.
    #[inline(always)]
    fn new(crypto: &P::Crypto, offer: Offer, link: Link<P::Flight>) -> Self {
        Self {
            link,
            offer,
            transcript: Transcript::new(crypto),
            cookie: None,
            sealed: 0,
            taken: Taken::default(),
            effort: Effort::new(),
            state: State::AwaitServerHello,
            suspicion: None,
            contradicted: false,
            started_over: false,
            hands_back: false,
        }
    }
}

/// What is kept of a cookie, to know it again.
fn cookie_digest<C: Crypto>(crypto: &C, cookie: &[u8]) -> [u8; 8] {
    let mut hash = crypto.sha256();
    hash.update(cookie);
    *hash.finish().first_chunk().unwrap_or(&[0; 8])
}

impl<P: Profile> Client<P> {
    /// A handshake that has not begun.
    #[inline(always)]
    pub(crate) fn new(crypto: &P::Crypto, transport: &Transport) -> Self {
        Self { inbox: Inbox::new(), machine: Machine::new(crypto, Offer::NOTHING, Link::new(transport, 0)) }
    }

    /// Starts it: the first ClientHello is ready to be sent.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn start<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ClientConfig<'_>,
    ) -> Result<(), ConfigError> {
        let Machine { offer, link, transcript, .. } = &mut self.machine;
        offer.fill::<P, R>(cx, credentials, config)?;
        *transcript =
            offer.hello::<P>(link, cx.crypto, credentials, &[]).ok_or(ConfigError::FlightTooLong)?;
        link.timer.start(cx.now);
        Ok(())
    }

    /// Goes on where a client that offered DTLS 1.3 too was answered by a server of 1.2: `hello` is its last
    /// ClientHello with its header, `cookie` what it had from a HelloVerifyRequest, `sequence` the next record number.
    /// The ServerHello is the next that [`receive`](Self::receive) gets.
    pub(crate) fn take_over<R: ?Sized>(
        cx: &Context<'_, P::Crypto, R>,
        mut offer: Offer,
        transport: &Transport,
        sequence: u64,
        hello: &[u8],
        cookie: &[u8],
    ) -> Option<Self> {
        let (message, _) = Fragment::parse(hello)?;
        offer.take_over(&message)?;
        let mut machine = Machine::new(cx.crypto, offer, Link::new(transport, sequence));
        let body = |out: &mut Writer<'_>| out.bytes(message.body);
        machine.transcript.add_bytes(machine.link.flight.push(
            message.message_type,
            message.message_seq,
            body,
        )?);
        machine.link.flight.sent();
        machine.link.timer.start(cx.now);
        if !cookie.is_empty() {
            machine.cookie = Some(cookie_digest(cx.crypto, cookie));
        }
        Some(Self { inbox: Inbox::new(), machine })
    }

    /// Whether a client that was taken over has to start over: with an offer of DTLS 1.3 again.
    pub(crate) const fn starts_over(&self) -> bool {
        self.machine.hands_back
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
        let Machine { link, suspicion, contradicted, effort, .. } = &mut self.machine;
        let failure = match (link.expire(cx.now), suspicion) {
            (Expiry::NotYet, _) => return Ok(()),
            (Expiry::GiveUp, None) => Failure::TimedOut,
            (Expiry::GiveUp, Some(suspicion)) => suspicion.failure,
            (Expiry::SendAgain, Some(suspicion)) if suspicion.confirmed => suspicion.failure,
            (Expiry::SendAgain, suspicion) => {
                effort.renew();
                if let Some(suspicion) = suspicion {
                    suspicion.confirmed = true;
                }
                if !core::mem::take(contradicted) {
                    return Ok(());
                }
                if self.machine.offer.dtls_1_3 {
                    self.machine.hands_back = true;
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
            State::Complete(Complete { sent: true, .. }) => return None,
            State::Complete(Complete { session, sent, .. }) if P::RESUMPTION => {
                *sent = true;
                return session.last_flight(crypto, buf);
            }
            State::AwaitFinished(state) => Some(&mut state.session),
            _ => None,
        };
        self.machine.link.poll_transmit(crypto, session, buf)
    }

    /// The session, once the handshake is [`Complete`](Progress::Complete); then drop the handshake.
    pub(crate) fn take_session(&mut self) -> Option<Established> {
        match core::mem::replace(&mut self.machine.state, State::Taken) {
            State::Complete(Complete { session, peer, resumed, .. }) => {
                let Peer { principal, authentication } = peer;
                Some(Established { session: session.into(), principal, authentication, resumed })
            }
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
        let Self { inbox, machine } = self;
        // Only Finished is protected, and it always is.
        if protected != (fragment.message_type == MessageType::FINISHED) {
            return Err(Discard::UnexpectedHandshake);
        }
        if let Err(discard) = machine.expects(&fragment) {
            if machine.may_wait(&fragment) {
                inbox.put_early(&fragment);
            }
            return Err(discard);
        }
        if !inbox.has_room_for(&fragment) && machine.was_had(&fragment) {
            return Err(Discard::HandshakeRepeated);
        }
        let Some(message) = inbox.accept(fragment)? else { return Ok(Progress::Continue) };
        let mut outcome = match message.message_type {
            MessageType::HELLO_VERIFY_REQUEST => machine.hello_verify_request(cx, credentials, &message),
            MessageType::SERVER_HELLO => machine.server_hello(cx, credentials, &message),
            MessageType::NEW_SESSION_TICKET if P::RESUMPTION => machine.new_session_ticket(cx, &message),
            MessageType::FINISHED => machine.finished(cx, &message),
            _ => machine.server_flight(cx, credentials, &message),
        };
        if P::RESUMPTION && fragment.message_type == MessageType::NEW_SESSION_TICKET && outcome.is_ok() {
            inbox.keep(&fragment);
        }
        inbox.clear();
        // What waited for this one.
        while let (Ok(Progress::Continue), State::AwaitServerFlight(_)) = (outcome, &machine.state)
            && let message_seq = machine.taken.next_seq()
            && let Some(message) = inbox.due(message_seq)
        {
            let next = machine.server_flight(cx, credentials, &message);
            inbox.forget_early(message_seq);
            let Ok(progress) = next else { break };
            outcome = Ok(progress);
        }
        if P::RESUMPTION && outcome == Ok(Progress::Complete) {
            machine.remember(cx, credentials, inbox.kept());
        }
        outcome
    }
}

impl<P: Profile> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.machine.state {
            State::AwaitServerHello => "AwaitServerHello",
            State::AwaitServerFlight(_) => "AwaitServerFlight",
            State::AwaitFinished(_) => "AwaitFinished",
            State::Complete(_) => "Complete",
            State::Taken => "Taken",
        };
        f.debug_struct("Client").field("state", &state).finish_non_exhaustive()
    }
}
