//! The server's handshake, in the order of the protocol: see the flights in [`super`].

use core::cmp::Ordering;
use core::fmt;

use sedge_crypto::{Crypto, CryptoRng, PublicKey, constant_time_eq};
use sedge_time::Instant;

use super::Identity;
use super::ack::RecordNumber;
use super::epoch::{Opener, Sealer};
use super::link::{Arrival, Link};
use super::message;
use super::protection::OpenedRecord;
use super::record::is_unified;
use super::schedule::{MasterSecret, TrafficSecret, TrafficSecrets};
use super::transcript::Transcript;
use crate::alert::{Alert, AlertDescription};
use crate::cid::ConnectionId;
use crate::config::{ClientCertificate, ServerConfig};
use crate::cookie::VerifiedHello;
use crate::credentials::{CertificateType, Credentials, PeerCertificate};
use crate::discard::Discard;
use crate::handshake::inbox::Inbox;
use crate::handshake::link::for_each_fragment;
use crate::handshake::message::{Fragment, Message, MessageType};
use crate::handshake::timer::Expiry;
use crate::handshake::{Context, Established, Failure, Progress};
use crate::profile::Profile;
use crate::record::{ContentType, Record};
use crate::suite::CipherSuite;

mod choose;
mod finish;
mod flight;

use finish::Complete;

/// A server's handshake with one client, from its verified ClientHello on.
pub(crate) struct Server<P: Profile> {
    inbox: Inbox<P::Inbox>,
    machine: Machine<P>,
}

/// All but the messages that are still coming in.
struct Machine<P: Profile> {
    link: Link<P::Flight>,
    /// The hello that is answered.
    client_random: [u8; 32],
    message_seq: u16,
    own_cid: ConnectionId,
    state: State<P>,
}

enum State<P: Profile> {
    AwaitFinished(Secured<P>),
    Complete(Complete),
    Taken,
}

/// What both sides share once the hellos agree.
struct Secured<P: Profile> {
    /// Which message comes next.
    awaiting: Awaiting,
    transcript: Transcript<P::Crypto>,
    suite: CipherSuite,
    opener: Opener,
    sealer: Sealer,
    /// The client's secret of epoch 2: its Finished is made with it, and what it repeats is sealed with it.
    client_secret: TrafficSecret,
    master: MasterSecret,
    /// The secrets of epoch 3.
    traffic: TrafficSecrets,
    client_certificate: ClientCertificate,
    client_kind: CertificateType,
    client: Identity,
    /// When the client proved who it is, if that was in the session that is resumed.
    authenticated: Option<Instant>,
    read_limit: u16,
    write_limit: u16,
    return_routability: bool,
    /// Whether a ticket may be sent: the client can take it up with a mode that we speak.
    takes_tickets: bool,
    /// The client's next message_seq, and ours.
    next_seq: u16,
    next_message: u16,
}

/// The client's messages in the order of the protocol (RFC 8446 section 4.4).
enum Awaiting {
    Certificate,
    CertificateVerify(PublicKey),
    Finished,
}

impl<P: Profile> Server<P> {
    /// Answers a verified ClientHello, or says which alert it deserves.
    pub(crate) fn accept<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ServerConfig<'_>,
        verified: &VerifiedHello<'_>,
        own_cid: ConnectionId,
    ) -> Result<Self, AlertDescription> {
        Ok(Self {
            inbox: Inbox::new(),
            machine: Machine::accept(cx, credentials, config, verified, own_cid)?,
        })
    }

    /// The Connection ID agreed on for records from the client; empty if it knows none.
    pub(crate) const fn own_cid(&self) -> &ConnectionId {
        &self.machine.own_cid
    }

    /// Whether this handshake answers the very hello that has come (again).
    pub(crate) fn answers(&self, verified: &VerifiedHello<'_>) -> bool {
        verified.dtls_1_3.is_some_and(|hello| hello.hello.random == self.machine.client_random)
            && verified.message_seq == self.machine.message_seq
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.machine.link.deadline()
    }

    /// Sends again what has not arrived, or gives up.
    pub(crate) fn expire(&mut self, now: Instant) -> Result<(), Failure> {
        match self.machine.link.expire(now) {
            Expiry::NotYet => Ok(()),
            Expiry::SendAgain => {
                // If some of the client's flight is here, it has ours, and needs to know what is missing.
                let _ = self.machine.link.received.disrupted();
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
        if record.first().is_some_and(|&first| is_unified(first)) {
            return self.protected(cx, credentials, record);
        }
        let Record { header, fragment, .. } = Record::parse(record, 0).ok_or(Discard::MalformedRecord)?;
        match (header.epoch, header.content_type) {
            (0, ContentType::HANDSHAKE) => for_each_fragment(fragment, |fragment| {
                if fragment.message_type != MessageType::CLIENT_HELLO {
                    return Err(Discard::UnexpectedHandshake);
                }
                // RFC 9147 section 5.8.1: our flight must have been lost.
                self.machine.link.repeat(cx.now);
                Err(Discard::HandshakeRepeated)
            }),
            // Whoever sends an alert now may be anybody; the timer decides. An ACK may be anybody's too.
            (0, ContentType::ALERT) => Err(Discard::UnauthenticatedAlert),
            (0, _) => Err(Discard::UnexpectedContentType),
            _ => Err(Discard::UnknownEpoch),
        }
    }

    /// Writes the next datagram to be sent and returns its length.
    pub(crate) fn poll_transmit(&mut self, crypto: &P::Crypto, buf: &mut [u8]) -> Option<usize> {
        let Machine { link, state, .. } = &mut self.machine;
        match state {
            State::AwaitFinished(secured) => link.poll_transmit(crypto, Some(&mut secured.sealer), buf),
            State::Complete(complete) => complete.poll_transmit(crypto, link, buf),
            State::Taken => None,
        }
    }

    /// The session, once the handshake is [`Complete`](Progress::Complete); then drop the handshake.
    pub(crate) fn take_session(&mut self) -> Option<Established> {
        match core::mem::replace(&mut self.machine.state, State::Taken) {
            State::Complete(complete) => Some(complete.into()),
            other => {
                self.machine.state = other;
                None
            }
        }
    }

    /// A record with a unified header.
    fn protected<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        record: &mut [u8],
    ) -> Result<Progress, Discard> {
        let Machine { link, state, .. } = &mut self.machine;
        let State::AwaitFinished(secured) = state else { return Err(Discard::UnknownEpoch) };
        let OpenedRecord { content_type, plaintext, sequence } = secured.opener.open(cx.crypto, record)?;
        match content_type {
            ContentType::HANDSHAKE => {
                let number = RecordNumber { epoch: 2, sequence };
                self.messages(cx, credentials, plaintext, number)
            }
            ContentType::ACK => {
                link.acknowledged(cx.now, plaintext)?;
                Ok(Progress::Continue)
            }
            ContentType::ALERT => {
                let alert = Alert::parse(plaintext).ok_or(Discard::MalformedContent)?.in_dtls_1_3();
                match alert.ends_connection() {
                    true => Ok(link.fail(Failure::Refused(alert.description))),
                    false => Ok(Progress::Continue),
                }
            }
            _ => Err(Discard::UnexpectedContentType),
        }
    }

    /// The handshake messages of a record of epoch 2.
    fn messages<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        plaintext: &[u8],
        number: RecordNumber,
    ) -> Result<Progress, Discard> {
        let mut arrival = Arrival::default();
        let outcome = for_each_fragment(plaintext, |fragment| {
            let outcome = self.fragment(cx, credentials, fragment, &mut arrival);
            arrival.note(outcome);
            outcome
        });
        let link = &mut self.machine.link;
        if link.failure().is_none() {
            // Any of it shows that all of ours has arrived (RFC 9147 section 7.1).
            link.flight.clear();
            link.note_arrival(cx.now, number, &arrival);
        }
        match outcome {
            Ok(Progress::Complete) => Ok(self.machine.complete(cx, credentials)),
            outcome => outcome,
        }
    }

    fn fragment<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        fragment: Fragment<'_>,
        arrival: &mut Arrival,
    ) -> Result<Progress, Discard> {
        let Self { inbox, machine: Machine { link, state, .. } } = self;
        let State::AwaitFinished(secured) = state else { return Err(Discard::Closed) };
        match fragment.message_seq.cmp(&secured.next_seq) {
            Ordering::Less => return Err(Discard::HandshakeRepeated),
            Ordering::Equal => {}
            Ordering::Greater => return arrival.early(inbox.store(&fragment, secured.next_seq)),
        }
        let Some(message) = inbox.accept(fragment)? else { return Ok(Progress::Continue) };
        let mut outcome = secured.message(cx.crypto, credentials, &message);
        inbox.clear();
        // What waited for this one.
        while let Ok(Progress::Continue) = outcome
            && let message_seq = secured.next_seq
            && let Some(message) = inbox.due(message_seq)
        {
            outcome = secured.message(cx.crypto, credentials, &message);
            inbox.clear();
            inbox.forget_early(message_seq);
        }
        outcome.or_else(|description| Ok(link.abort(description)))
    }
}

impl<P: Profile> Secured<P> {
    /// Takes a message in its turn, or says which alert it deserves.
    fn message(
        &mut self,
        crypto: &P::Crypto,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Result<Progress, AlertDescription> {
        let mut progress = Progress::Continue;
        self.awaiting = match (&self.awaiting, message.message_type) {
            (Awaiting::Certificate, MessageType::CERTIFICATE) if P::CERTIFICATES => {
                self.certificate(crypto, credentials, message.body)?
            }
            (Awaiting::CertificateVerify(key), MessageType::CERTIFICATE_VERIFY) if P::CERTIFICATES => {
                let signature = message::parse_certificate_verify(message.body)
                    .ok_or(AlertDescription::DECODE_ERROR)?
                    .ok_or(AlertDescription::ILLEGAL_PARAMETER)?;
                let digest = message::signed_digest(crypto, false, &self.transcript.hash());
                crypto.verify(key, &digest, &signature).map_err(|_| AlertDescription::DECRYPT_ERROR)?;
                Awaiting::Finished
            }
            (Awaiting::Finished, MessageType::FINISHED) => {
                let expected = self.client_secret.finished(crypto, &self.transcript.hash());
                if !constant_time_eq(message.body, &expected) {
                    return Err(AlertDescription::DECRYPT_ERROR);
                }
                progress = Progress::Complete;
                Awaiting::Finished
            }
            _ => return Err(AlertDescription::UNEXPECTED_MESSAGE),
        };
        self.transcript.add(message.message_type, message.body);
        self.next_seq = self.next_seq.checked_add(1).ok_or(AlertDescription::UNEXPECTED_MESSAGE)?;
        Ok(progress)
    }

    /// RFC 8446 section 4.4.2.4: none is an answer too, if it is not required.
    fn certificate(
        &mut self,
        crypto: &P::Crypto,
        credentials: &mut impl Credentials<P::Crypto>,
        body: &[u8],
    ) -> Result<Awaiting, AlertDescription> {
        let entries = message::parse_certificate(body).ok_or(AlertDescription::DECODE_ERROR)?;
        let kind = self.client_kind;
        match entries.count() {
            0 if self.client_certificate == ClientCertificate::Required => {
                return Err(AlertDescription::CERTIFICATE_REQUIRED);
            }
            0 => return Ok(Awaiting::Finished),
            1 => {}
            _ if kind == CertificateType::RawPublicKey => return Err(AlertDescription::BAD_CERTIFICATE),
            _ => {}
        }
        let verified = credentials.verify(crypto, &PeerCertificate { kind, entries })?;
        self.client.principal = verified.principal;
        self.client.authentication = kind.into();
        Ok(Awaiting::CertificateVerify(verified.public_key))
    }
}

impl<P: Profile> fmt::Debug for Server<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.machine.state {
            State::AwaitFinished(_) => "AwaitFinished",
            State::Complete(_) => "Complete",
            State::Taken => "Taken",
        };
        f.debug_struct("Server").field("state", &state).finish_non_exhaustive()
    }
}
