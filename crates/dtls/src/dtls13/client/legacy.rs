//! A client that speaks DTLS 1.2 too: what its one ClientHello says to both versions, and handing over to the machine
//! of the version that the server speaks (RFC 8446 appendix D.1, RFC 9147 section 5.3).
//!
//! ```text
//! ClientHello of both     ----->
//!                         <-----    HelloVerifyRequest      (1.2: the same hello again, with the cookie)
//!                         <-----    ServerHello of 1.2      (handed over)
//!                         <-----    HelloRetryRequest, ServerHello of 1.3
//! ```

use sedge_crypto::{CryptoRng, NamedGroup};

use super::{Client, Machine, State, digest};
use crate::cid::ConnectionId;
use crate::config::{ClientConfig, ConfigError, Versions};
use crate::credentials::Credentials;
use crate::discard::Discard;
use crate::dtls12;
use crate::dtls13::transcript::Transcript;
use crate::handshake::extension::Extensions;
use crate::handshake::hello::{self, ClientHello};
use crate::handshake::message::Message;
use crate::handshake::{Context, Progress, Transport};
use crate::profile::Profile;
use crate::suite::CipherSuite;
use crate::wire::Writer;

/// What a client keeps to speak DTLS 1.2, or to begin anew.
pub(crate) struct Legacy {
    pub(super) offer: dtls12::client::Offer,
    origin: Origin,
    /// Whether the server has chosen 1.2.
    chosen: bool,
}

/// What it takes to begin anew with both versions.
#[derive(Clone)]
pub(crate) struct Origin {
    suites: [CipherSuite; ClientConfig::MAX_SUITES],
    suites_len: usize,
    groups: [NamedGroup; 2],
    groups_len: usize,
    own_cid: Option<ConnectionId>,
    transport: Transport,
    /// How often it may still begin anew: somebody who contradicts himself is not asked for ever.
    attempts: u8,
}

impl Origin {
    fn new(config: &ClientConfig<'_>) -> Option<Self> {
        let mut suites = [CipherSuite(0); ClientConfig::MAX_SUITES];
        suites.get_mut(..config.suites.len())?.copy_from_slice(config.suites);
        let mut groups = [NamedGroup::Secp256r1; 2];
        groups.get_mut(..config.groups.len())?.copy_from_slice(config.groups);
        Some(Self {
            suites,
            suites_len: config.suites.len(),
            groups,
            groups_len: config.groups.len(),
            own_cid: config.own_cid,
            transport: config.transport,
            attempts: 3,
        })
    }

    fn config(&self) -> ClientConfig<'_> {
        ClientConfig {
            versions: Versions::ALL,
            suites: self.suites.get(..self.suites_len).unwrap_or_default(),
            groups: self.groups.get(..self.groups_len).unwrap_or_default(),
            own_cid: self.own_cid,
            transport: self.transport,
        }
    }
}

impl Legacy {
    pub(super) fn new<P: Profile, R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ClientConfig<'_>,
    ) -> Result<Self, ConfigError> {
        let origin = Origin::new(config).ok_or(ConfigError::UnusableSuites)?;
        let mut offer = dtls12::client::Offer::NOTHING;
        offer.fill::<P, R>(cx, credentials, config)?;
        Ok(Self { offer, origin, chosen: false })
    }

    /// Writes what only DTLS 1.2 looks at.
    pub(super) fn write_extensions<P: Profile>(
        &self,
        credentials: &mut impl Credentials<P::Crypto>,
        out: &mut Writer<'_>,
    ) {
        self.offer.with_extensions::<P, _>(credentials, |extensions| {
            let Extensions { extended_master_secret, ec_point_formats, session_ticket, .. } = *extensions;
            Extensions { extended_master_secret, ec_point_formats, session_ticket, ..Extensions::default() }
                .write_each(out);
        });
    }
}

impl<P: Profile> Client<P> {
    /// A client of both versions that begins anew.
    pub(crate) fn restart<R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        origin: &Origin,
    ) -> Option<Self> {
        let attempts = origin.attempts.checked_sub(1)?;
        let config = origin.config();
        let mut client = Self::new(cx.crypto, &config.transport);
        client.start(cx, credentials, &config).ok()?;
        let legacy = client.machine.legacy.as_mut()?;
        legacy.origin.attempts = attempts;
        client.machine.started_over = true;
        Some(client)
    }

    /// Whether the server has chosen DTLS 1.2, so that [`hand_over`](Self::hand_over) is next.
    pub(crate) fn is_handed_over(&self) -> bool {
        self.machine.legacy.as_ref().is_some_and(|legacy| legacy.chosen)
    }

    /// The client of DTLS 1.2 that goes on from here, with the record that brought the ServerHello, and what it takes to
    /// begin anew.
    pub(crate) fn hand_over<R: ?Sized>(
        &mut self,
        cx: &Context<'_, P::Crypto, R>,
    ) -> Option<(dtls12::client::Client<P>, Origin)> {
        let Machine { link, legacy, .. } = &mut self.machine;
        let Legacy { offer, origin, .. } = legacy.take()?;
        let hello = link.flight.bytes();
        let cookie = ClientHello::parse(hello.get(crate::handshake::message::HANDSHAKE_HEADER..)?)?.cookie;
        let client =
            dtls12::client::Client::take_over(cx, offer, &origin.transport, link.sequence, hello, cookie)?;
        Some((client, origin))
    }
}

impl<P: Profile> Machine<P> {
    /// RFC 6347 section 4.2.1: the same hello again, with the cookie.
    pub(super) fn hello_verify_request<R: ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        message: &Message<'_>,
    ) -> Result<Progress, Discard> {
        if self.legacy.is_none() {
            return Err(Discard::UnexpectedHandshake);
        }
        let cookie = hello::parse_hello_verify_request(message.body).ok_or(Discard::MalformedHandshake)?;
        let digest = digest(cx.crypto, message.body);
        match (&self.state, &self.retry, self.verified) {
            (State::AwaitServerHello, None, None) => {}
            (.., Some(answered)) if answered == digest => return Err(Discard::HandshakeRepeated),
            _ => return Err(self.contradicted()),
        }
        self.offer.message_seq = 1;
        let mut transcript = Transcript::new(cx.crypto);
        self.hello(cx, credentials, &mut transcript, None, cookie).ok_or(Discard::HandshakeTooLong)?;
        self.transcript = transcript;
        self.verified = Some(digest);
        self.start_timer(cx.now);
        Ok(Progress::Continue)
    }

    /// A ServerHello that says nothing of DTLS 1.3: for the machine of DTLS 1.2, unless that would come too late.
    pub(super) fn older_version(&mut self) -> Option<Result<Progress, Discard>> {
        let legacy = self.legacy.as_mut()?;
        if !matches!(self.state, State::AwaitServerHello) || self.retry.is_some() {
            return Some(Err(self.contradicted()));
        }
        legacy.chosen = true;
        Some(Ok(Progress::Continue))
    }
}
