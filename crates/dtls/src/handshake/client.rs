//! The client's handshake, in the order of the protocol: see the flights in [`super`].

use core::fmt;

use sedge_crypto::{Aead, Crypto, CryptoRng, constant_time_eq};
use sedge_time::Instant;

use super::extension::Extensions;
use super::hello::{self, ClientHello, ServerHello};
use super::inbox::Inbox;
use super::link::{Link, for_each_fragment, in_turn};
use super::message::{Fragment, HANDSHAKE_HEADER, Message, MessageType, VERIFY_DATA};
use super::timer::Expiry;
use super::transcript::Transcript;
use super::{Context, Established, Failure, MAX_PLAINTEXT, MIN_RECORD_SIZE_LIMIT, Progress, Transport};
use crate::alert::{Alert, AlertDescription, AlertLevel};
use crate::cid::ConnectionId;
use crate::discard::Discard;
use crate::psk::{MAX_IDENTITY, Psk};
use crate::record::{ContentType, DTLS_1_2, Record};
use crate::schedule::{Binding, MasterSecret, Randoms};
use crate::session::{Parameters, Role, Session};
use crate::suite::CipherSuite;
use crate::wire::{Reader, Writer};

/// Who a client is and what it offers.
#[derive(Clone, Copy, Debug)]
pub struct ClientConfig<'a> {
    /// Its PSK identity, at most [`MAX_IDENTITY`](crate::MAX_IDENTITY) bytes.
    pub identity: &'a [u8],
    /// The key that goes with it.
    pub psk: &'a Psk,
    /// The suites it offers, the preferred first; at most [`MAX_SUITES`](Self::MAX_SUITES).
    pub suites: &'a [CipherSuite],
    /// Its own Connection ID: `None` does not offer the extension; an empty one says "I put yours into my
    /// records, you put none into yours", which is what a client with one connection wants.
    pub own_cid: Option<ConnectionId>,
    /// The path and the peer.
    pub transport: Transport,
}

impl<'a> ClientConfig<'a> {
    /// How many suites a client can offer.
    pub const MAX_SUITES: usize = 4;

    /// Offers TLS_PSK_WITH_AES_128_CCM_8 and to put the server's Connection ID into its records.
    pub const fn new(identity: &'a [u8], psk: &'a Psk, transport: Transport) -> Self {
        let suites = &[CipherSuite::TLS_PSK_WITH_AES_128_CCM_8];
        Self { identity, psk, suites, own_cid: Some(ConnectionId::EMPTY), transport }
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The identity is longer than [`MAX_IDENTITY`](crate::MAX_IDENTITY).
    IdentityTooLong,
    /// No suite that this crate speaks, one that it does not, or more than [`ClientConfig::MAX_SUITES`].
    UnusableSuites,
    /// The record size limit is not between 64 and 16384.
    RecordSizeLimit,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdentityTooLong => "the PSK identity is longer than 128 bytes",
            Self::UnusableSuites => "the list of cipher suites is empty, too long or names an unknown one",
            Self::RecordSizeLimit => "the record size limit is not between 64 and 16384",
        })
    }
}

impl core::error::Error for ConfigError {}

/// The longest flight: a ClientHello with every extension and the longest cookie.
const FLIGHT: usize = HANDSHAKE_HEADER
    + (2 + 32 + 1 + 256 + 2 + 2 * (ClientConfig::MAX_SUITES + 1) + 2)
    + (2 + 4 + 5 + ConnectionId::MAX_LEN + 6);
/// The longest message put together from fragments; whole ones may be of any length. Servers have no reason to cut
/// a ServerHello of 80 bytes, and fewer to cut a HelloVerifyRequest.
const INBOX: usize = 192;
/// How many HelloVerifyRequests are answered at once; further ones wait for the timer, so that a server that
/// never likes its own cookies is not asked at the speed of light.
const MAX_COOKIES: u8 = 3;

/// A client's handshake with one server.
///
/// It lives in a pool of the caller's: it borrows nothing, and once complete it yields a [`Session`] and can be
/// dropped.
///
/// Until the server's Finished nothing that arrives is authenticated. What makes no sense is therefore dropped
/// and the handshake waits for something better. A ServerHello may be anybody's, and is replaced by a later one that
/// differs. A plausible refusal (an alert, or a ServerHello that chooses what was not offered) is remembered
/// and ends the handshake only when the timer runs out without a better answer.
pub struct ClientHandshake<C: Crypto> {
    link: Link<FLIGHT>,
    inbox: Inbox<INBOX>,
    offer: Offer,
    /// The ClientHello.
    transcript: Transcript<C>,
    state: State<C>,
    /// What the handshake ends with if no better answer comes.
    suspicion: Option<Failure>,
}

/// What the client brought along.
struct Offer {
    random: [u8; 32],
    psk: Psk,
    identity: [u8; MAX_IDENTITY],
    identity_len: u8,
    suites_len: u8,
    suites: [CipherSuite; ClientConfig::MAX_SUITES],
    own_cid: Option<ConnectionId>,
    record_size_limit: Option<u16>,
    allow_plain_master_secret: bool,
    /// The ClientHello's message_seq.
    message_seq: u16,
}

enum State<C: Crypto> {
    AwaitServerHello {
        cookies: u8,
    },
    AwaitServerHelloDone(Chosen<C>),
    AwaitFinished {
        finishing: Finishing,
        /// Another ServerHello that has come since, and may be the genuine one.
        rival: Option<Chosen<C>>,
    },
    Complete(Session),
    Taken,
}

/// What a ServerHello chose.
struct Chosen<C: Crypto> {
    server_random: [u8; 32],
    suite: CipherSuite,
    aead: Aead,
    extended_master_secret: bool,
    own_cid: ConnectionId,
    peer_cid: ConnectionId,
    read_limit: u16,
    write_limit: u16,
    hint_seen: bool,
    /// The server's next message_seq.
    next_seq: u16,
    transcript: Transcript<C>,
}

/// Flight 5 is out; the server has still to prove that its keys are the same.
struct Finishing {
    session: Session,
    server_random: [u8; 32],
    expected: [u8; VERIFY_DATA],
    /// The message_seq of the server's Finished.
    next_seq: u16,
    change_cipher_spec: bool,
}

impl Offer {
    fn new(config: &ClientConfig<'_>, random: [u8; 32]) -> Result<Self, ConfigError> {
        let mut identity = [0; MAX_IDENTITY];
        let place = identity.get_mut(..config.identity.len()).ok_or(ConfigError::IdentityTooLong)?;
        place.copy_from_slice(config.identity);
        let mut suites = [CipherSuite(0); ClientConfig::MAX_SUITES];
        let place = suites.get_mut(..config.suites.len()).ok_or(ConfigError::UnusableSuites)?;
        place.copy_from_slice(config.suites);
        if config.suites.is_empty() || config.suites.iter().any(|suite| suite.aead().is_none()) {
            return Err(ConfigError::UnusableSuites);
        }
        let record_size_limit = config.transport.record_size_limit;
        if record_size_limit.is_some_and(|limit| !(MIN_RECORD_SIZE_LIMIT..=MAX_PLAINTEXT).contains(&limit)) {
            return Err(ConfigError::RecordSizeLimit);
        }
        Ok(Self {
            random,
            psk: config.psk.clone(),
            identity,
            identity_len: u8::try_from(config.identity.len()).map_err(|_| ConfigError::IdentityTooLong)?,
            suites_len: u8::try_from(config.suites.len()).map_err(|_| ConfigError::UnusableSuites)?,
            suites,
            own_cid: config.own_cid,
            record_size_limit,
            allow_plain_master_secret: config.transport.dangerous_allow_plain_master_secret,
            message_seq: 0,
        })
    }

    fn identity(&self) -> &[u8] {
        self.identity.get(..usize::from(self.identity_len)).unwrap_or_default()
    }

    fn suites(&self) -> &[CipherSuite] {
        self.suites.get(..usize::from(self.suites_len)).unwrap_or_default()
    }

    /// Makes the flight a ClientHello, and the transcript with it: what was said before a cookie is not part of
    /// it (RFC 6347 section 4.2.1).
    fn hello<C: Crypto>(&self, link: &mut Link<FLIGHT>, crypto: &C, cookie: &[u8]) -> Option<Transcript<C>> {
        let extensions = Extensions {
            extended_master_secret: true,
            connection_id: self.own_cid.as_ref().map(ConnectionId::as_bytes),
            record_size_limit: self.record_size_limit,
            ..Extensions::default()
        };
        let mut transcript = Transcript::new(crypto);
        link.flight.clear();
        link.say(&mut transcript, MessageType::CLIENT_HELLO, self.message_seq, |out| {
            ClientHello::write(out, &self.random, cookie, self.suites(), &extensions);
        })?;
        Some(transcript)
    }

    /// Checks what a ServerHello chose, or says which alert it deserves.
    fn check<C: Crypto>(
        &self,
        hello: &ServerHello<'_>,
        next_seq: u16,
        transcript: Transcript<C>,
    ) -> Result<Chosen<C>, AlertDescription> {
        let Extensions {
            extended_master_secret,
            renegotiation_info,
            connection_id,
            record_size_limit,
            supported_versions,
            unknown,
        } = hello.extensions;
        if hello.version != DTLS_1_2 {
            return Err(AlertDescription::PROTOCOL_VERSION);
        }
        if hello.compression_method != 0 || !self.suites().contains(&hello.suite) {
            return Err(AlertDescription::ILLEGAL_PARAMETER);
        }
        let aead = hello.suite.aead().ok_or(AlertDescription::ILLEGAL_PARAMETER)?;
        // RFC 5246 section 7.4.1.4: nothing that was not asked for.
        let unasked = unknown
            || supported_versions.is_some()
            || (connection_id.is_some() && self.own_cid.is_none())
            || (record_size_limit.is_some() && self.record_size_limit.is_none());
        if unasked {
            return Err(AlertDescription::UNSUPPORTED_EXTENSION);
        }
        // RFC 7627 section 5.2.
        if !extended_master_secret && !self.allow_plain_master_secret {
            return Err(AlertDescription::HANDSHAKE_FAILURE);
        }
        // RFC 5746 section 3.4. A server that does not know the extension never renegotiates with us either.
        if renegotiation_info.is_some_and(|connection| !connection.is_empty()) {
            return Err(AlertDescription::HANDSHAKE_FAILURE);
        }
        // RFC 8449 section 4.
        if record_size_limit.is_some_and(|limit| limit < MIN_RECORD_SIZE_LIMIT) {
            return Err(AlertDescription::ILLEGAL_PARAMETER);
        }
        let (own_cid, peer_cid) = match (self.own_cid, connection_id) {
            (Some(own), Some(peer)) => {
                (own, ConnectionId::new(peer).ok_or(AlertDescription::ILLEGAL_PARAMETER)?)
            }
            _ => (ConnectionId::EMPTY, ConnectionId::EMPTY),
        };
        Ok(Chosen {
            server_random: hello.random,
            suite: hello.suite,
            aead,
            extended_master_secret,
            own_cid,
            peer_cid,
            read_limit: self.record_size_limit.unwrap_or(MAX_PLAINTEXT),
            write_limit: record_size_limit.unwrap_or(MAX_PLAINTEXT).min(MAX_PLAINTEXT),
            hint_seen: false,
            next_seq,
            transcript,
        })
    }
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
        let state = State::AwaitServerHello { cookies: 0 };
        Ok(Self { link, inbox: Inbox::new(), offer, transcript, state, suspicion: None })
    }

    /// The Connection ID that the client offered to find in records to it; empty if none.
    pub fn own_cid(&self) -> ConnectionId {
        self.offer.own_cid.unwrap_or_default()
    }

    /// When to call [`expire`](Self::expire).
    pub fn deadline(&self) -> Option<Instant> {
        self.link.timer.deadline()
    }

    /// Sends the flight again, or gives up. After an error [`poll_transmit`](Self::poll_transmit) may have an
    /// alert to send.
    pub fn expire(&mut self, now: Instant) -> Result<(), Failure> {
        let failure = match (self.link.expire(now), self.suspicion) {
            (Expiry::NotYet, _) | (Expiry::SendAgain, None) => return Ok(()),
            (_, Some(suspicion)) => suspicion,
            (Expiry::GiveUp, None) => Failure::TimedOut,
        };
        let _ = self.link.fail(failure);
        Err(failure)
    }

    /// Takes one record in (see [`Records`](crate::Records)).
    pub fn receive<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        record: &mut [u8],
    ) -> Result<Progress, Discard> {
        if self.link.failure().is_some() {
            return Err(Discard::Closed);
        }
        let Record { header, fragment, .. } =
            Record::parse(record, self.own_cid().len()).ok_or(Discard::MalformedRecord)?;
        match (header.epoch, header.content_type) {
            (0, ContentType::HANDSHAKE) => {
                for_each_fragment(fragment, |fragment| self.fragment(cx, fragment, false))
            }
            (0, ContentType::CHANGE_CIPHER_SPEC) => self.change_cipher_spec(fragment),
            (0, ContentType::ALERT) => {
                if let Some(alert) = Alert::parse(fragment)
                    && alert.level == AlertLevel::FATAL
                {
                    self.suspicion = Some(Failure::Refused(alert.description));
                }
                Err(Discard::UnauthenticatedAlert)
            }
            (0, _) => Err(Discard::UnexpectedContentType),
            _ => self.protected(cx, record),
        }
    }

    /// Writes the next datagram to be sent and returns its length. To be called until it is `None` after
    /// [`connect`](Self::connect), [`receive`](Self::receive) and [`expire`](Self::expire).
    pub fn poll_transmit<R: ?Sized>(&mut self, cx: &mut Context<'_, C, R>, buf: &mut [u8]) -> Option<usize> {
        let session = match &mut self.state {
            State::AwaitFinished { finishing, .. } => Some(&mut finishing.session),
            _ => None,
        };
        self.link.poll_transmit(cx.crypto, session, buf)
    }

    /// The session, once the handshake is [`Complete`](Progress::Complete); then drop the handshake.
    pub fn take_session(&mut self) -> Option<Established> {
        match core::mem::replace(&mut self.state, State::Taken) {
            State::Complete(session) => Some(Established { session, principal: 0 }),
            other => {
                self.state = other;
                None
            }
        }
    }

    fn protected<R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        record: &mut [u8],
    ) -> Result<Progress, Discard> {
        let State::AwaitFinished { finishing, .. } = &mut self.state else {
            return Err(Discard::UnknownEpoch);
        };
        let opened = finishing.session.unprotect(cx.crypto, record)?;
        match opened.content_type {
            ContentType::HANDSHAKE => {
                for_each_fragment(opened.plaintext, |fragment| self.fragment(cx, fragment, true))
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
        fragment: Fragment<'_>,
        protected: bool,
    ) -> Result<Progress, Discard> {
        // Only Finished is protected, and it always is.
        if protected != (fragment.message_type == MessageType::FINISHED) {
            return Err(Discard::UnexpectedHandshake);
        }
        if let Some(expected) = self.expected_seq(fragment.message_type) {
            in_turn(fragment.message_seq, expected)?;
        }
        let Self { link, inbox, offer, transcript, state, suspicion } = self;
        let Some(message) = inbox.accept(fragment)? else { return Ok(Progress::Continue) };
        let outcome = match message.message_type {
            MessageType::HELLO_VERIFY_REQUEST => {
                hello_verify_request(offer, link, transcript, state, cx, &message)
            }
            MessageType::SERVER_HELLO => server_hello(offer, transcript, state, suspicion, &message),
            MessageType::SERVER_KEY_EXCHANGE => identity_hint(state, &message),
            MessageType::SERVER_HELLO_DONE => server_hello_done(offer, link, state, cx, &message),
            MessageType::FINISHED => finished(link, state, &message),
            _ => Err(Discard::UnexpectedHandshake),
        };
        inbox.clear();
        outcome
    }

    /// The message_seq that a message of this type must have now; `None` if any will do, as for the server's
    /// first word.
    fn expected_seq(&self, message_type: MessageType) -> Option<u16> {
        match (&self.state, message_type) {
            (_, MessageType::HELLO_VERIFY_REQUEST | MessageType::SERVER_HELLO) => None,
            (State::AwaitFinished { finishing, .. }, MessageType::FINISHED) => Some(finishing.next_seq),
            (State::AwaitServerHelloDone(chosen), _)
            | (State::AwaitFinished { rival: Some(chosen), .. }, _) => Some(chosen.next_seq),
            _ => None,
        }
    }

    /// RFC 5246 section 7.1: directly before Finished.
    fn change_cipher_spec(&mut self, body: &[u8]) -> Result<Progress, Discard> {
        match &mut self.state {
            _ if body != [1] => Err(Discard::MalformedContent),
            State::AwaitFinished { finishing, .. } => {
                finishing.change_cipher_spec = true;
                Ok(Progress::Continue)
            }
            _ => Err(Discard::UnexpectedContentType),
        }
    }
}

/// RFC 6347 section 4.2.1: the same hello again, with the cookie.
fn hello_verify_request<C: Crypto, R: ?Sized>(
    offer: &mut Offer,
    link: &mut Link<FLIGHT>,
    transcript: &mut Transcript<C>,
    state: &mut State<C>,
    cx: &mut Context<'_, C, R>,
    message: &Message<'_>,
) -> Result<Progress, Discard> {
    let State::AwaitServerHello { cookies } = state else { return Err(Discard::HandshakeRepeated) };
    let cookie = hello::parse_hello_verify_request(message.body).ok_or(Discard::MalformedHandshake)?;
    let sent = link.flight.first_body().and_then(ClientHello::parse);
    if sent.is_some_and(|hello| hello.cookie == cookie) {
        return Err(Discard::HandshakeRepeated);
    }
    offer.message_seq = offer.message_seq.checked_add(1).ok_or(Discard::UnexpectedHandshake)?;
    *transcript = offer.hello(link, cx.crypto, cookie).ok_or(Discard::HandshakeTooLong)?;
    if *cookies < MAX_COOKIES {
        *cookies += 1;
        link.timer.start(cx.now);
    } else {
        link.flight.hold();
    }
    Ok(Progress::Continue)
}

/// RFC 5246 section 7.4.1.3.
fn server_hello<C: Crypto>(
    offer: &Offer,
    transcript: &Transcript<C>,
    state: &mut State<C>,
    suspicion: &mut Option<Failure>,
    message: &Message<'_>,
) -> Result<Progress, Discard> {
    let hello = ServerHello::parse(message.body).ok_or(Discard::MalformedHandshake)?;
    let (accepted, rival) = match state {
        State::AwaitServerHello { .. } => (None, None),
        State::AwaitServerHelloDone(chosen) => (Some(chosen.server_random), None),
        State::AwaitFinished { finishing, rival } => {
            (Some(finishing.server_random), rival.as_ref().map(|rival| rival.server_random))
        }
        State::Complete(_) | State::Taken => return Err(Discard::Closed),
    };
    if accepted == Some(hello.random) || rival == Some(hello.random) {
        return Err(Discard::HandshakeRepeated);
    }
    let next_seq = message.message_seq.checked_add(1).ok_or(Discard::MalformedHandshake)?;
    let mut transcript = transcript.clone();
    transcript.add(message);
    let chosen = offer.check(&hello, next_seq, transcript).map_err(|description| {
        *suspicion = Some(Failure::Aborted(description));
        Discard::UnofferedChoice
    })?;
    match state {
        State::AwaitFinished { rival, .. } => *rival = Some(chosen),
        _ => *state = State::AwaitServerHelloDone(chosen),
    }
    Ok(Progress::Continue)
}

/// The ServerHello whose flight is still coming in.
fn incoming<C: Crypto>(state: &mut State<C>) -> Result<&mut Chosen<C>, Discard> {
    match state {
        State::AwaitServerHelloDone(chosen) => Ok(chosen),
        State::AwaitFinished { rival: Some(chosen), .. } => Ok(chosen),
        State::AwaitFinished { rival: None, .. } => Err(Discard::HandshakeRepeated),
        _ => Err(Discard::UnexpectedHandshake),
    }
}

/// RFC 4279 section 2: ServerKeyExchange carries an identity hint, of which this client makes no use.
fn identity_hint<C: Crypto>(state: &mut State<C>, message: &Message<'_>) -> Result<Progress, Discard> {
    let chosen = incoming(state)?;
    let mut body = Reader::new(message.body);
    let _hint = body.vec16().filter(|_| body.is_empty()).ok_or(Discard::MalformedHandshake)?;
    if chosen.hint_seen {
        return Err(Discard::UnexpectedHandshake);
    }
    chosen.hint_seen = true;
    chosen.next_seq = message.message_seq.checked_add(1).ok_or(Discard::MalformedHandshake)?;
    chosen.transcript.add(message);
    Ok(Progress::Continue)
}

/// Derives everything at once: what our Finished says and what the server's must say follow from the same
/// transcript.
fn server_hello_done<C: Crypto, R: ?Sized>(
    offer: &Offer,
    link: &mut Link<FLIGHT>,
    state: &mut State<C>,
    cx: &mut Context<'_, C, R>,
    message: &Message<'_>,
) -> Result<Progress, Discard> {
    // Should this ServerHello lead to the keys of an earlier one, its record numbers must not come again.
    let next_sequence = match state {
        State::AwaitFinished { finishing, .. } => finishing.session.next_sequence(),
        _ => 0,
    };
    let chosen = match incoming(state) {
        Ok(chosen) => chosen,
        Err(discard) => {
            if discard == Discard::HandshakeRepeated {
                link.repeat(cx.now);
            }
            return Err(discard);
        }
    };
    if !message.body.is_empty() {
        return Err(Discard::MalformedHandshake);
    }
    let next_seq = message.message_seq.checked_add(1).ok_or(Discard::MalformedHandshake)?;
    let mut transcript = chosen.transcript.clone();
    transcript.add(message);
    link.flight.clear();
    let message_seq = offer.message_seq.checked_add(1).ok_or(Discard::MalformedHandshake)?;
    let key_exchange = |out: &mut Writer<'_>| out.vec16(|out| out.bytes(offer.identity()));
    link.say(&mut transcript, MessageType::CLIENT_KEY_EXCHANGE, message_seq, key_exchange)
        .ok_or(Discard::HandshakeTooLong)?;
    let session_hash = transcript.hash();
    let binding = match chosen.extended_master_secret {
        true => Binding::SessionHash(&session_hash),
        false => Binding::Randoms,
    };
    let randoms = Randoms { client: offer.random, server: chosen.server_random };
    let master = MasterSecret::from_psk(cx.crypto, &offer.psk, &randoms, binding);
    if let Some(key_log) = &mut cx.dangerous_key_log {
        key_log.client_random(&randoms.client, master.expose());
    }
    let keys = master.record_keys(&randoms);
    let verify_data = master.client_verify_data(&session_hash);
    let message_seq = message_seq.checked_add(1).ok_or(Discard::MalformedHandshake)?;
    link.flight.change_cipher_spec();
    link.say(&mut transcript, MessageType::FINISHED, message_seq, |out| out.bytes(&verify_data))
        .ok_or(Discard::HandshakeTooLong)?;
    let expected = master.server_verify_data(&transcript.hash());
    link.timer.start(cx.now);
    let session = Session::new(Parameters {
        role: Role::Client,
        suite: chosen.suite,
        aead: chosen.aead,
        read: keys.server_write,
        write: keys.client_write,
        own_cid: chosen.own_cid,
        peer_cid: chosen.peer_cid,
        read_limit: chosen.read_limit,
        write_limit: chosen.write_limit,
        next_sequence,
    });
    let finishing =
        Finishing { session, server_random: randoms.server, expected, next_seq, change_cipher_spec: false };
    *state = State::AwaitFinished { finishing, rival: None };
    Ok(Progress::Continue)
}

/// RFC 5246 section 7.4.9: if the server's Finished is right, the session is good.
fn finished<C: Crypto>(
    link: &mut Link<FLIGHT>,
    state: &mut State<C>,
    message: &Message<'_>,
) -> Result<Progress, Discard> {
    match state {
        State::AwaitFinished { finishing, .. } if finishing.change_cipher_spec => {
            if !constant_time_eq(message.body, &finishing.expected) {
                return Ok(link.fail(Failure::Aborted(AlertDescription::DECRYPT_ERROR)));
            }
        }
        _ => return Err(Discard::UnexpectedHandshake),
    }
    if let State::AwaitFinished { finishing, .. } = core::mem::replace(state, State::Taken) {
        *state = State::Complete(finishing.session);
    }
    link.timer.stop();
    link.flight.clear();
    Ok(Progress::Complete)
}

impl<C: Crypto> fmt::Debug for ClientHandshake<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::AwaitServerHello { .. } => "AwaitServerHello",
            State::AwaitServerHelloDone(_) => "AwaitServerHelloDone",
            State::AwaitFinished { .. } => "AwaitFinished",
            State::Complete(_) => "Complete",
            State::Taken => "Taken",
        };
        f.debug_struct("ClientHandshake").field("state", &state).finish_non_exhaustive()
    }
}
