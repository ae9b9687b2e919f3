//! The server's handshake, in the order of the protocol: see the flights in [`super`].

use core::fmt;

use sedge_crypto::{Aead, Crypto, CryptoRng, constant_time_eq};
use sedge_time::Instant;

use super::extension::Extensions;
use super::hello::{ClientHello, ServerHello};
use super::inbox::Inbox;
use super::link::{Link, for_each_fragment};
use super::message::{Fragment, HANDSHAKE_HEADER, Message, MessageType, VERIFY_DATA};
use super::timer::Expiry;
use super::{
    Context, Established, Failure, MAX_PLAINTEXT, MIN_RECORD_SIZE_LIMIT, Progress, Transport, flight,
};
use crate::alert::{Alert, AlertDescription};
use crate::cid::ConnectionId;
use crate::cookie::VerifiedHello;
use crate::discard::Discard;
use crate::psk::{MAX_IDENTITY, Psk, PskLookup};
use crate::record::{ContentType, DTLS_1_2, Record};
use crate::schedule::{Binding, MasterSecret, Randoms};
use crate::session::{LastFlight, Parameters, Role, Session};
use crate::suite::CipherSuite;
use crate::wire::{Reader, Writer};

/// What a server offers.
#[derive(Clone, Copy, Debug)]
pub struct ServerConfig<'a> {
    /// The suites it accepts, the preferred first.
    pub suites: &'a [CipherSuite],
    /// The path and the peer.
    pub transport: Transport,
}

impl Default for ServerConfig<'_> {
    /// Every suite, and [`Transport::default`].
    fn default() -> Self {
        Self { suites: CipherSuite::ALL, transport: Transport::default() }
    }
}

/// Flight 4 at its longest: ServerHello with all extensions and ServerHelloDone.
const FLIGHT: usize = 2 * HANDSHAKE_HEADER + 2 + 32 + 1 + 2 + 1 + 2 + 4 + 5 + (5 + ConnectionId::MAX_LEN) + 6;
/// ClientKeyExchange at its longest.
const INBOX: usize = 2 + MAX_IDENTITY;

/// A server's handshake with one client, from its verified ClientHello on.
///
/// It lives in a pool of the caller's: it borrows nothing, and once complete it yields a [`Session`] and can be
/// dropped.
pub struct ServerHandshake<C: Crypto> {
    link: Link<C, FLIGHT>,
    inbox: Inbox<INBOX>,
    own_cid: ConnectionId,
    client_random: [u8; 32],
    state: State,
}

#[derive(Debug)]
enum State {
    AwaitClientKeyExchange(AwaitClientKeyExchange),
    AwaitFinished(AwaitFinished),
    Complete(Complete),
    Taken,
}

/// Flight 4 is out.
#[derive(Debug)]
struct AwaitClientKeyExchange {
    server_random: [u8; 32],
    suite: CipherSuite,
    aead: Aead,
    extended_master_secret: bool,
    connection_ids: bool,
    own_cid: ConnectionId,
    peer_cid: ConnectionId,
    read_limit: u16,
    write_limit: u16,
}

/// The keys exist; the client has still to prove that its are the same.
#[derive(Debug)]
struct AwaitFinished {
    session: Session,
    principal: u32,
    expected: [u8; VERIFY_DATA],
    reply: [u8; VERIFY_DATA],
    change_cipher_spec: bool,
}

/// The client is authenticated; flight 6 is to be sent.
#[derive(Debug)]
struct Complete {
    established: Established,
    sent: bool,
}

/// A ClientHello that was well formed and unacceptable. Nothing is kept for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    description: AlertDescription,
    sequence: u64,
}

impl Refusal {
    /// Why.
    pub const fn description(&self) -> AlertDescription {
        self.description
    }

    /// Writes the fatal alert that tells the client, and returns the datagram's length; `None` if `buf` is
    /// shorter than 15 bytes.
    pub fn write(&self, buf: &mut [u8]) -> Option<usize> {
        let alert = Alert::fatal(self.description).to_bytes();
        flight::write_plaintext(&mut self.sequence.clone(), ContentType::ALERT, &alert, buf)
    }
}

impl<C: Crypto> ServerHandshake<C> {
    /// Answers a verified ClientHello.
    ///
    /// `own_cid` is what the client is to put in its records if it knows Connection IDs; empty for none.
    pub fn accept<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, C, R>,
        config: &ServerConfig<'_>,
        verified: &VerifiedHello<'_>,
        own_cid: ConnectionId,
    ) -> Result<Self, Refusal> {
        let hello = &verified.hello;
        let refuse = |description| Refusal { description, sequence: verified.sequence };
        let mut server_random = [0; 32];
        cx.rng.fill_bytes(&mut server_random);
        let state = negotiate(config, hello, own_cid, server_random).map_err(refuse)?;

        // RFC 6347 section 4.2.1: record and message numbers go on from the hello's, as no other is kept.
        let mut link = Link::new(cx.crypto, &config.transport, verified.message_seq, verified.sequence);
        link.hear_bytes(verified.message);
        let renegotiation = hello.extensions.renegotiation_info.is_some()
            || hello.offers(CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV);
        let extensions = Extensions {
            extended_master_secret: state.extended_master_secret,
            // RFC 5746 section 3.6.
            renegotiation_info: renegotiation.then_some(&[]),
            // RFC 9146 section 3: only as an answer.
            connection_id: state.connection_ids.then_some(state.own_cid.as_bytes()),
            record_size_limit: hello.extensions.record_size_limit.and(Some(state.read_limit)),
            ..Extensions::default()
        };
        let write = |out: &mut Writer<'_>| ServerHello::write(out, &server_random, state.suite, &extensions);
        link.say(MessageType::SERVER_HELLO, write)
            .and_then(|()| link.say(MessageType::SERVER_HELLO_DONE, |_| {}))
            .ok_or(refuse(AlertDescription::INTERNAL_ERROR))?;
        link.timer.start(cx.now);
        Ok(Self {
            link,
            inbox: Inbox::new(Some(verified.message_seq.wrapping_add(1))),
            own_cid: state.own_cid,
            client_random: hello.random,
            state: State::AwaitClientKeyExchange(state),
        })
    }

    /// The Connection ID agreed on for records from the client; empty if it knows none.
    pub const fn own_cid(&self) -> &ConnectionId {
        &self.own_cid
    }

    /// Whether this handshake answers the very hello that has come (again): then give its record to
    /// [`receive`](Self::receive). Otherwise the client has started over.
    pub fn answers(&self, verified: &VerifiedHello<'_>) -> bool {
        self.client_random == verified.hello.random
    }

    /// When to call [`expire`](Self::expire).
    pub fn deadline(&self) -> Option<Instant> {
        self.link.timer.deadline()
    }

    /// Sends the flight again, or gives up.
    pub fn expire(&mut self, now: Instant) -> Result<(), Failure> {
        match self.link.expire(now) {
            Expiry::NotYet | Expiry::SendAgain => Ok(()),
            Expiry::GiveUp => {
                let _ = self.link.fail(Failure::TimedOut);
                Err(Failure::TimedOut)
            }
        }
    }

    /// Takes one record in (see [`Records`](crate::Records)).
    pub fn receive<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        psk: &mut (impl PskLookup + ?Sized),
        record: &mut [u8],
    ) -> Result<Progress, Discard> {
        if self.link.failure().is_some() {
            return Err(Discard::Closed);
        }
        let Record { header, fragment, .. } =
            Record::parse(record, self.own_cid.len()).ok_or(Discard::MalformedRecord)?;
        match (header.epoch, header.content_type) {
            (0, ContentType::HANDSHAKE) => {
                for_each_fragment(fragment, |fragment| self.fragment(cx, psk, fragment, false))
            }
            (0, ContentType::CHANGE_CIPHER_SPEC) => self.change_cipher_spec(fragment),
            // Whoever sends an alert now may be anybody; the timer decides.
            (0, ContentType::ALERT) => Err(Discard::UnauthenticatedAlert),
            (0, _) => Err(Discard::UnexpectedContentType),
            _ => self.protected(cx, psk, record),
        }
    }

    /// Writes the next datagram to be sent and returns its length. To be called until it is `None` after
    /// [`accept`](Self::accept), [`receive`](Self::receive) and [`expire`](Self::expire).
    pub fn poll_transmit<R: ?Sized>(&mut self, cx: &mut Context<'_, C, R>, buf: &mut [u8]) -> Option<usize> {
        match &mut self.state {
            State::Complete(Complete { sent: true, .. }) => None,
            State::Complete(Complete { established, sent }) => {
                *sent = true;
                established.session.last_flight(cx.crypto, buf)
            }
            State::AwaitFinished(state) => self.link.poll_transmit(cx.crypto, Some(&mut state.session), buf),
            State::AwaitClientKeyExchange(_) | State::Taken => self.link.poll_transmit(cx.crypto, None, buf),
        }
    }

    /// The session, once the handshake is [`Complete`](Progress::Complete); then drop the handshake.
    pub fn take_session(&mut self) -> Option<Established> {
        match core::mem::replace(&mut self.state, State::Taken) {
            State::Complete(Complete { established, .. }) => Some(established),
            other => {
                self.state = other;
                None
            }
        }
    }

    fn protected<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        psk: &mut (impl PskLookup + ?Sized),
        record: &mut [u8],
    ) -> Result<Progress, Discard> {
        let State::AwaitFinished(state) = &mut self.state else { return Err(Discard::UnknownEpoch) };
        let opened = state.session.unprotect(cx.crypto, record)?;
        match opened.content_type {
            ContentType::HANDSHAKE => {
                for_each_fragment(opened.plaintext, |fragment| self.fragment(cx, psk, fragment, true))
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
        cx: &mut Context<'_, C, R>,
        psk: &mut (impl PskLookup + ?Sized),
        fragment: Fragment<'_>,
        protected: bool,
    ) -> Result<Progress, Discard> {
        // Only Finished is protected, and it always is.
        if protected != (fragment.message_type == MessageType::FINISHED) {
            return Err(Discard::UnexpectedHandshake);
        }
        let message = match self.inbox.accept(fragment) {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(Progress::Continue),
            Err(discard) => {
                if discard == Discard::HandshakeRepeated && fragment.message_type == MessageType::CLIENT_HELLO
                {
                    self.link.repeat(cx.now);
                }
                return Err(discard);
            }
        };
        let message_seq = message.message_seq;
        let outcome = match (&mut self.state, message.message_type) {
            (State::AwaitClientKeyExchange(state), MessageType::CLIENT_KEY_EXCHANGE) => {
                let randoms = Randoms { client: self.client_random, server: state.server_random };
                state.client_key_exchange(&mut self.link, cx, psk, randoms, &message).map(|state| {
                    self.state = State::AwaitFinished(state);
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
        match outcome {
            Ok(_) => self.inbox.advance(message_seq),
            Err(_) => self.inbox.forget(),
        }
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
                    message_seq: self.link.message_seq(),
                    sequence: self.link.sequence() as u32,
                });
                State::Complete(Complete { established: Established { session, principal }, sent: false })
            }
            other => other,
        };
        self.link.timer.stop();
        self.link.flight.clear();
        Progress::Complete
    }
}

/// Chooses from what a ClientHello offers, or says which alert it deserves.
fn negotiate(
    config: &ServerConfig<'_>,
    hello: &ClientHello<'_>,
    own_cid: ConnectionId,
    server_random: [u8; 32],
) -> Result<AwaitClientKeyExchange, AlertDescription> {
    let Extensions { extended_master_secret, renegotiation_info, connection_id, record_size_limit, .. } =
        hello.extensions;
    // RFC 8446 section 4.2.1: a client that lists versions must list this one.
    if let Some(versions) = hello.extensions.supported_versions
        && !versions.chunks_exact(2).any(|version| version == DTLS_1_2.to_be_bytes())
    {
        return Err(AlertDescription::PROTOCOL_VERSION);
    }
    // RFC 5246 section 7.4.1.2: the null method must be offered.
    if !hello.compression_methods.contains(&0) {
        return Err(AlertDescription::ILLEGAL_PARAMETER);
    }
    let suite = config.suites.iter().copied().find(|&suite| hello.offers(suite));
    let (suite, aead) =
        suite.and_then(|suite| Some((suite, suite.aead()?))).ok_or(AlertDescription::HANDSHAKE_FAILURE)?;
    // RFC 7627 section 5.3.
    if !extended_master_secret && !config.transport.dangerous_allow_plain_master_secret {
        return Err(AlertDescription::HANDSHAKE_FAILURE);
    }
    // RFC 5746 section 3.6: nothing was negotiated before.
    if renegotiation_info.is_some_and(|connection| !connection.is_empty()) {
        return Err(AlertDescription::HANDSHAKE_FAILURE);
    }
    // RFC 8449 section 4.
    if record_size_limit.is_some_and(|limit| limit < MIN_RECORD_SIZE_LIMIT) {
        return Err(AlertDescription::ILLEGAL_PARAMETER);
    }
    let peer_cid = connection_id.and_then(ConnectionId::new);
    Ok(AwaitClientKeyExchange {
        server_random,
        suite,
        aead,
        extended_master_secret,
        connection_ids: peer_cid.is_some(),
        own_cid: if peer_cid.is_some() { own_cid } else { ConnectionId::EMPTY },
        peer_cid: peer_cid.unwrap_or_default(),
        read_limit: config.transport.record_size_limit.unwrap_or(MAX_PLAINTEXT),
        write_limit: record_size_limit.unwrap_or(MAX_PLAINTEXT).min(MAX_PLAINTEXT),
    })
}

impl AwaitClientKeyExchange {
    /// Derives everything at once: what the client's Finished must say and what ours will say follow from the
    /// same transcript.
    fn client_key_exchange<C: Crypto, R: CryptoRng + ?Sized>(
        &self,
        link: &mut Link<C, FLIGHT>,
        cx: &mut Context<'_, C, R>,
        lookup: &mut (impl PskLookup + ?Sized),
        randoms: Randoms,
        message: &Message<'_>,
    ) -> Result<AwaitFinished, Discard> {
        let mut body = Reader::new(message.body);
        let identity = body.vec16().filter(|_| body.is_empty()).ok_or(Discard::MalformedHandshake)?;

        // Always drawn, so that an unknown identity takes the same steps as a known one.
        let mut nobody = [0; 16];
        cx.rng.fill_bytes(&mut nobody);
        let nobody = Psk::new(&nobody).ok_or(Discard::MalformedHandshake)?;
        let (psk, principal) = lookup.psk(identity).unwrap_or((nobody, 0));

        link.hear(message);
        let session_hash = link.transcript_hash();
        let binding = match self.extended_master_secret {
            true => Binding::SessionHash(&session_hash),
            false => Binding::Randoms,
        };
        let master = MasterSecret::from_psk(cx.crypto, &psk, &randoms, binding);
        if let Some(key_log) = &mut cx.dangerous_key_log {
            key_log.client_random(&randoms.client, master.expose());
        }
        let keys = master.record_keys(&randoms);
        let expected = master.client_verify_data(&session_hash);
        let message_seq = message.message_seq.wrapping_add(1);
        link.hear(&Message { message_type: MessageType::FINISHED, message_seq, body: &expected });
        let reply = master.server_verify_data(&link.transcript_hash());
        let session = Session::new(Parameters {
            role: Role::Server,
            suite: self.suite,
            aead: self.aead,
            read: keys.client_write,
            write: keys.server_write,
            own_cid: self.own_cid,
            peer_cid: self.peer_cid,
            read_limit: self.read_limit,
            write_limit: self.write_limit,
        });
        Ok(AwaitFinished { session, principal, expected, reply, change_cipher_spec: false })
    }
}

impl<C: Crypto> fmt::Debug for ServerHandshake<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandshake").field("state", &self.state).finish_non_exhaustive()
    }
}
