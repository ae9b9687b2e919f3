//! The server's handshake in DTLS 1.2, in the order of the protocol: see the flights in [`super`].

use core::fmt;

use sedge_crypto::{Crypto, CryptoRng, Secret};
use sedge_time::Instant;

use super::effort::Effort;
use super::taken::Taken;
use super::transcript::Transcript;
use crate::alert::{Alert, AlertDescription};
use crate::cid::ConnectionId;
use crate::config::ServerConfig;
use crate::cookie::VerifiedHello;
use crate::credentials::{Credentials, Verified};
use crate::discard::Discard;
use crate::handshake::inbox::Inbox;
use crate::handshake::link::{Link, for_each_fragment};
use crate::handshake::message::{Fragment, MessageType, VERIFY_DATA};
use crate::handshake::timer::Expiry;
use crate::handshake::{Authentication, Context, Established, Failure, Progress};
use crate::profile::{Presence, Profile};
use crate::record::{ContentType, Record};
use crate::session::Session12;

mod chosen;
mod client_flight;
mod own_flight;
mod resume;

use chosen::Chosen;

/// A server's handshake with one client, from its verified ClientHello on.
///
/// It lives in a pool of the caller's: it borrows nothing, and once complete it yields a [`Session`](crate::Session) and can be
/// dropped.
///
/// Until the client's Finished nothing that arrives is authenticated, so nothing is decided before it:
/// - A message that differs from one that was taken shows that one of the two is forged. The client's flight is then
///   taken anew from its start: a forged message delays the handshake by one retransmission and cannot end it.
/// - A certificate that is not believed, or a wrong signature, is remembered until Finished shows that whoever holds
///   the other end of the key exchange meant it.
pub(crate) struct Server<P: Profile> {
    inbox: Inbox<P::Inbox>,
    machine: Machine<P>,
}

/// All but the messages that are still coming in.
struct Machine<P: Profile> {
    link: Link<P::ServerFlight>,
    chosen: Chosen,
    /// The private key of this one exchange, if the suite has one.
    ephemeral: Option<Ephemeral<P>>,
    /// Up to the end of this side's first flight.
    transcript: Transcript<P::Crypto>,
    taken: Taken,
    effort: Effort,
    state: State<P::Crypto>,
}

/// The private key of one exchange, where the profile has memory for it.
type Ephemeral<P> =
    <<P as Profile>::Ephemeral as Presence>::Slot<<<P as Profile>::Crypto as Crypto>::EphemeralKey>;

enum State<C: Crypto> {
    /// Flight 4 is out, and asks for a certificate.
    AwaitCertificate,
    /// Flight 4 is out, and the client has said who it is or was not asked.
    AwaitClientKeyExchange(Transcript<C>, Claim),
    /// The keys exist. The client has shown a certificate and has still to prove that it is its own.
    AwaitCertificateVerify(AwaitCertificateVerify<C>),
    /// The client has still to prove that its keys are the same.
    AwaitFinished(AwaitFinished),
    Complete(Complete),
    Taken,
}

/// What a client says about itself by a certificate.
#[derive(Clone, Copy, Debug)]
enum Claim {
    /// It was not asked, or has shown none; the alert that this deserves, if it has to have one.
    Nothing(Result<(), AlertDescription>),
    /// It has shown one; whether it is believed.
    Certificate(Result<Verified, AlertDescription>),
}

/// Who the client is, and how it proves that.
#[derive(Clone, Copy, Debug)]
struct Peer {
    principal: u32,
    authentication: Authentication,
}

struct AwaitCertificateVerify<C: Crypto> {
    /// Up to ClientKeyExchange.
    transcript: Transcript<C>,
    master_secret: Secret<48>,
    certificate: Result<Verified, AlertDescription>,
}

#[derive(Debug)]
struct AwaitFinished {
    session: Session12,
    master_secret: Secret<48>,
    /// The client, or the alert that it deserves once it has proved that it is there.
    peer: Result<Peer, AlertDescription>,
    expected: [u8; VERIFY_DATA],
    /// Whether this side has said its Finished already.
    resumed: bool,
    change_cipher_spec: bool,
}

/// The client is authenticated; flight 6 is to be sent.
#[derive(Debug)]
struct Complete {
    session: Session12,
    peer: Peer,
    resumed: bool,
    sent: bool,
}

impl<P: Profile> Server<P> {
    /// Answers a verified ClientHello.
    ///
    /// `own_cid` is what the client is to put in its records if it knows Connection IDs; empty for none.
    pub(crate) fn accept<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ServerConfig<'_>,
        verified: &VerifiedHello<'_>,
        own_cid: ConnectionId,
    ) -> Result<Self, AlertDescription> {
        let mut transcript = Transcript::new(cx.crypto);
        transcript.add_bytes(verified.message);
        let machine = match resume::find::<P, R>(cx, credentials, config, verified) {
            Some(found) => {
                let chosen = Chosen::resuming::<P, R>(cx, config, verified, own_cid, &found.saved)?;
                Machine::resume(cx, &*credentials, config, chosen, transcript, verified, found)?
            }
            None => {
                let chosen = Chosen::from_hello::<P, R>(cx, credentials, config, verified, own_cid)?;
                Machine::answer(cx, credentials, config, chosen, transcript, verified)?
            }
        };
        Ok(Self { inbox: Inbox::new(), machine })
    }

    /// The Connection ID agreed on for records from the client; empty if it knows none.
    pub(crate) const fn own_cid(&self) -> &ConnectionId {
        &self.machine.chosen.own_cid
    }

    /// Whether this handshake answers the very hello that has come (again): then give its record to
    /// [`receive`](Self::receive). Otherwise the client has started over.
    pub(crate) fn answers(&self, verified: &VerifiedHello<'_>) -> bool {
        self.machine.chosen.randoms.client == verified.hello.random
            && self.machine.chosen.message_seq == verified.message_seq
    }

    /// When to call [`expire`](Self::expire).
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.machine.link.timer.deadline()
    }

    /// Sends the flight again, or gives up.
    pub(crate) fn expire(&mut self, now: Instant) -> Result<(), Failure> {
        match self.machine.link.expire(now) {
            Expiry::NotYet => Ok(()),
            Expiry::SendAgain => {
                self.machine.effort.renew();
                Ok(())
            }
            Expiry::GiveUp => {
                let _ = self.machine.link.fail(Failure::TimedOut);
                Err(Failure::TimedOut)
            }
        }
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
            Record::parse(record, self.machine.chosen.own_cid.len()).ok_or(Discard::MalformedRecord)?;
        match (header.epoch, header.content_type) {
            (0, ContentType::HANDSHAKE) => {
                for_each_fragment(fragment, |fragment| self.fragment(cx, credentials, fragment, false))
            }
            (0, ContentType::CHANGE_CIPHER_SPEC) => self.machine.change_cipher_spec(fragment),
            // Whoever sends an alert now may be anybody; the timer decides.
            (0, ContentType::ALERT) => Err(Discard::UnauthenticatedAlert),
            (0, _) => Err(Discard::UnexpectedContentType),
            _ => self.protected(cx, credentials, record),
        }
    }

    /// Writes the next datagram to be sent and returns its length. To be called until it is `None` after
    /// [`accept`](Self::accept), [`receive`](Self::receive) and [`expire`](Self::expire).
    pub(crate) fn poll_transmit(&mut self, crypto: &P::Crypto, buf: &mut [u8]) -> Option<usize> {
        match &mut self.machine.state {
            State::Complete(Complete { sent: true, .. }) => None,
            State::Complete(Complete { session, sent, .. }) => {
                *sent = true;
                session.last_flight(crypto, buf)
            }
            State::AwaitFinished(state) => {
                self.machine.link.poll_transmit(crypto, Some(&mut state.session), buf)
            }
            _ => self.machine.link.poll_transmit(crypto, None, buf),
        }
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
        // Only Finished is protected, and it always is.
        if protected != (fragment.message_type == MessageType::FINISHED) {
            return Err(Discard::UnexpectedHandshake);
        }
        if fragment.message_type == MessageType::CLIENT_HELLO {
            self.machine.link.repeat(cx.now);
            return Err(Discard::HandshakeRepeated);
        }
        // What comes ahead of its turn waits for it, but what is sealed cannot be opened before.
        if fragment.message_seq > self.machine.taken.next_seq() {
            if !protected {
                self.inbox.put_early(&fragment);
            }
            return Err(Discard::HandshakeEarly);
        }
        if fragment.message_seq < self.machine.taken.next_seq() && !self.inbox.has_room_for(&fragment) {
            return Err(Discard::HandshakeRepeated);
        }
        let Self { inbox, machine } = self;
        let Some(message) = inbox.accept(fragment)? else { return Ok(Progress::Continue) };
        let mut outcome = machine.message(cx, credentials, &message);
        inbox.clear();
        while let Ok(Progress::Continue) = outcome
            && let message_seq = machine.taken.next_seq()
            && let Some(message) = inbox.due(message_seq)
        {
            let next = machine.message(cx, credentials, &message);
            inbox.forget_early(message_seq);
            let Ok(progress) = next else { break };
            outcome = Ok(progress);
        }
        outcome
    }
}

impl<P: Profile> fmt::Debug for Server<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.machine.state {
            State::AwaitCertificate => "AwaitCertificate",
            State::AwaitClientKeyExchange(..) => "AwaitClientKeyExchange",
            State::AwaitCertificateVerify(_) => "AwaitCertificateVerify",
            State::AwaitFinished(_) => "AwaitFinished",
            State::Complete(_) => "Complete",
            State::Taken => "Taken",
        };
        f.debug_struct("Server").field("state", &state).finish_non_exhaustive()
    }
}
