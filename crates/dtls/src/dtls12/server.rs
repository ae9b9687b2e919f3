//! The server's handshake in DTLS 1.2, in the order of the protocol: see the flights in [`super`].

use core::fmt;

use sedge_crypto::{CryptoRng, constant_time_eq};
use sedge_time::Instant;

use super::schedule::Randoms;
use super::transcript::Transcript;
use crate::alert::{Alert, AlertDescription};
use crate::cid::ConnectionId;
use crate::config::ServerConfig;
use crate::cookie::VerifiedHello;
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::handshake::extension::Extensions;
use crate::handshake::hello::ServerHello;
use crate::handshake::inbox::Inbox;
use crate::handshake::link::{Link, for_each_fragment, in_turn};
use crate::handshake::message::{Fragment, MessageType, VERIFY_DATA};
use crate::handshake::timer::Expiry;
use crate::handshake::{Context, Established, Failure, Progress};
use crate::profile::Profile;
use crate::record::{ContentType, Record};
use crate::session::{LastFlight, Session12};
use crate::suite::CipherSuite;
use crate::wire::Writer;

mod chosen;

use chosen::Chosen;

/// A server's handshake with one client, from its verified ClientHello on.
///
/// It lives in a pool of the caller's: it borrows nothing, and once complete it yields a [`Session`] and can be
/// dropped.
///
/// Until the client's Finished nothing that arrives is authenticated. A ClientKeyExchange may therefore be
/// anybody's, and is replaced by a later one that differs: a forged one delays the handshake and cannot end it.
pub(crate) struct Server<P: Profile> {
    link: Link<P::Flight>,
    inbox: Inbox<P::Inbox>,
    chosen: Chosen,
    /// Up to ServerHelloDone.
    transcript: Transcript<P::Crypto>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Flight 4 is out.
    AwaitClientKeyExchange,
    AwaitFinished(AwaitFinished),
    Complete(Complete),
    Taken,
}

/// The keys exist; the client has still to prove that its are the same.
#[derive(Debug)]
struct AwaitFinished {
    session: Session12,
    principal: u32,
    /// The hash of all messages up to ClientKeyExchange.
    session_hash: [u8; 32],
    expected: [u8; VERIFY_DATA],
    reply: [u8; VERIFY_DATA],
    change_cipher_spec: bool,
}

/// The client is authenticated; flight 6 is to be sent.
#[derive(Debug)]
struct Complete {
    session: Session12,
    principal: u32,
    sent: bool,
}

impl<P: Profile> Server<P> {
    /// Answers a verified ClientHello.
    ///
    /// `own_cid` is what the client is to put in its records if it knows Connection IDs; empty for none.
    pub(crate) fn accept<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        _credentials: &mut impl Credentials<P::Crypto>,
        config: &ServerConfig<'_>,
        verified: &VerifiedHello<'_>,
        own_cid: ConnectionId,
    ) -> Result<Self, AlertDescription> {
        let hello = &verified.hello;
        let mut server_random = [0; 32];
        cx.rng.fill_bytes(&mut server_random);
        let randoms = Randoms { client: hello.random, server: server_random };
        let chosen = Chosen::from_hello(config, verified, own_cid, randoms)?;

        // RFC 6347 section 4.2.1: record and message numbers go on from the hello's, as no other is kept.
        let mut link = Link::new(&config.transport, verified.sequence);
        let mut transcript = Transcript::new(cx.crypto);
        transcript.add_bytes(verified.message);
        let renegotiation = hello.extensions.renegotiation_info.is_some()
            || hello.offers(CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV);
        let extensions = Extensions {
            extended_master_secret: chosen.extended_master_secret,
            // RFC 5746 section 3.6.
            renegotiation_info: renegotiation.then_some(&[]),
            // RFC 9146 section 3: only as an answer.
            connection_id: chosen.connection_ids.then_some(chosen.own_cid.as_bytes()),
            record_size_limit: hello.extensions.record_size_limit.and(Some(chosen.read_limit)),
            ..Extensions::default()
        };
        let body = |out: &mut Writer<'_>| {
            ServerHello::write(out, &chosen.randoms.server, chosen.suite, &extensions);
        };
        transcript
            .say(&mut link, MessageType::SERVER_HELLO, chosen.message_seq, body)
            .and_then(|()| {
                let message_seq = chosen.message_seq + 1;
                transcript.say(&mut link, MessageType::SERVER_HELLO_DONE, message_seq, |_| {})
            })
            .ok_or(AlertDescription::INTERNAL_ERROR)?;
        link.timer.start(cx.now);
        Ok(Self { link, inbox: Inbox::new(), chosen, transcript, state: State::AwaitClientKeyExchange })
    }

    /// The Connection ID agreed on for records from the client; empty if it knows none.
    pub(crate) const fn own_cid(&self) -> &ConnectionId {
        &self.chosen.own_cid
    }

    /// Whether this handshake answers the very hello that has come (again): then give its record to
    /// [`receive`](Self::receive). Otherwise the client has started over.
    pub(crate) fn answers(&self, verified: &VerifiedHello<'_>) -> bool {
        self.chosen.randoms.client == verified.hello.random && self.chosen.message_seq == verified.message_seq
    }

    /// When to call [`expire`](Self::expire).
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.link.timer.deadline()
    }

    /// Sends the flight again, or gives up.
    pub(crate) fn expire(&mut self, now: Instant) -> Result<(), Failure> {
        match self.link.expire(now) {
            Expiry::NotYet | Expiry::SendAgain => Ok(()),
            Expiry::GiveUp => {
                let _ = self.link.fail(Failure::TimedOut);
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
        if self.link.failure().is_some() {
            return Err(Discard::Closed);
        }
        let Record { header, fragment, .. } =
            Record::parse(record, self.chosen.own_cid.len()).ok_or(Discard::MalformedRecord)?;
        match (header.epoch, header.content_type) {
            (0, ContentType::HANDSHAKE) => {
                for_each_fragment(fragment, |fragment| self.fragment(cx, credentials, fragment, false))
            }
            (0, ContentType::CHANGE_CIPHER_SPEC) => self.change_cipher_spec(fragment),
            // Whoever sends an alert now may be anybody; the timer decides.
            (0, ContentType::ALERT) => Err(Discard::UnauthenticatedAlert),
            (0, _) => Err(Discard::UnexpectedContentType),
            _ => self.protected(cx, credentials, record),
        }
    }

    /// Writes the next datagram to be sent and returns its length. To be called until it is `None` after
    /// [`accept`](Self::accept), [`receive`](Self::receive) and [`expire`](Self::expire).
    pub(crate) fn poll_transmit(&mut self, crypto: &P::Crypto, buf: &mut [u8]) -> Option<usize> {
        match &mut self.state {
            State::Complete(Complete { sent: true, .. }) => None,
            State::Complete(Complete { session, sent, .. }) => {
                *sent = true;
                session.last_flight(crypto, buf)
            }
            State::AwaitFinished(state) => self.link.poll_transmit(crypto, Some(&mut state.session), buf),
            State::AwaitClientKeyExchange | State::Taken => self.link.poll_transmit(crypto, None, buf),
        }
    }

    /// The session, once the handshake is [`Complete`](Progress::Complete); then drop the handshake.
    pub(crate) fn take_session(&mut self) -> Option<Established> {
        match core::mem::replace(&mut self.state, State::Taken) {
            State::Complete(Complete { session, principal, .. }) => {
                Some(Established { session: session.into(), principal })
            }
            other => {
                self.state = other;
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
        let State::AwaitFinished(state) = &mut self.state else { return Err(Discard::UnknownEpoch) };
        let opened = state.session.unprotect(cx.crypto, record)?;
        match opened.content_type {
            ContentType::HANDSHAKE => {
                for_each_fragment(opened.plaintext, |fragment| self.fragment(cx, credentials, fragment, true))
            }
            ContentType::ALERT => {
                let alert = Alert::parse(opened.plaintext).ok_or(Discard::MalformedContent)?;
                match alert.ends_connection() {
                    true => Ok(self.link.fail(Failure::Refused(alert.description))),
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
        // Our flight took two numbers; theirs go on from their hello's.
        let key_exchange_seq = self.chosen.message_seq + 1;
        match fragment.message_type {
            MessageType::CLIENT_HELLO => {
                self.link.repeat(cx.now);
                return Err(Discard::HandshakeRepeated);
            }
            MessageType::CLIENT_KEY_EXCHANGE => in_turn(fragment.message_seq, key_exchange_seq)?,
            MessageType::FINISHED => in_turn(fragment.message_seq, key_exchange_seq + 1)?,
            _ => return Err(Discard::UnexpectedHandshake),
        }
        let Some(message) = self.inbox.accept(fragment)? else { return Ok(Progress::Continue) };
        let outcome = match (&mut self.state, message.message_type) {
            (State::AwaitClientKeyExchange | State::AwaitFinished(_), MessageType::CLIENT_KEY_EXCHANGE) => {
                let Self { chosen, transcript, state, .. } = self;
                chosen.client_key_exchange(transcript, state, cx, credentials, &message).map(|next| {
                    *state = State::AwaitFinished(next);
                    Progress::Continue
                })
            }
            (State::AwaitFinished(state), MessageType::FINISHED) if state.change_cipher_spec => {
                match constant_time_eq(message.body, &state.expected) {
                    true => Ok(self.complete()),
                    false => Ok(self.link.fail(Failure::Aborted(AlertDescription::DECRYPT_ERROR))),
                }
            }
            _ => Err(Discard::UnexpectedHandshake),
        };
        self.inbox.clear();
        outcome
    }

    /// RFC 5246 section 7.1: between ClientKeyExchange and Finished.
    fn change_cipher_spec(&mut self, body: &[u8]) -> Result<Progress, Discard> {
        match &mut self.state {
            _ if body != [1] => Err(Discard::MalformedContent),
            State::AwaitFinished(state) => {
                state.change_cipher_spec = true;
                Ok(Progress::Continue)
            }
            _ => Err(Discard::UnexpectedContentType),
        }
    }

    /// The client's Finished was right: the session is good, and sends the last flight itself.
    fn complete(&mut self) -> Progress {
        self.state = match core::mem::replace(&mut self.state, State::Taken) {
            State::AwaitFinished(AwaitFinished { mut session, principal, reply, .. }) => {
                session.set_last_flight(LastFlight {
                    verify_data: reply,
                    message_seq: self.chosen.message_seq + 2,
                    sequence: self.link.sequence() as u32,
                });
                State::Complete(Complete { session, principal, sent: false })
            }
            other => other,
        };
        self.link.timer.stop();
        self.link.flight.clear();
        Progress::Complete
    }
}

impl<P: Profile> fmt::Debug for Server<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("state", &self.state).finish_non_exhaustive()
    }
}
