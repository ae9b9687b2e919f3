//! What a client offers.

use sedge_crypto::{CryptoRng, NamedGroup};

use crate::cid::ConnectionId;
use crate::config::{ClientConfig, ConfigError};
use crate::credentials::{CertificateType, Credentials};
use crate::dtls12::key_exchange::ECDSA_SECP256R1_SHA256;
use crate::dtls12::transcript::{Speech, Transcript};
use crate::handshake::extension::{CertificateTypes, Extensions};
use crate::handshake::hello::ClientHello;
use crate::handshake::link::Link;
use crate::handshake::message::{Fragment, MessageType};
use crate::handshake::resumption::{Resumption, SessionId};
use crate::handshake::{Context, MAX_PLAINTEXT, MIN_RECORD_SIZE_LIMIT};
use crate::profile::Profile;
use crate::psk::MAX_IDENTITY;
use crate::suite::{CipherSuite, KeyExchange};

/// What the client brought along.
pub(crate) struct Offer {
    pub(super) random: [u8; 32],
    /// Of the session to be resumed.
    pub(super) session_id: SessionId,
    suites: [CipherSuite; ClientConfig::MAX_SUITES],
    suites_len: u8,
    /// As they stand in the extension.
    groups: [u8; 4],
    groups_len: u8,
    pub(super) own_cid: Option<ConnectionId>,
    pub(super) return_routability: bool,
    pub(super) record_size_limit: Option<u16>,
    pub(super) allow_plain_master_secret: bool,
    /// Whether DTLS 1.3 was offered too.
    pub(super) dtls_1_3: bool,
    /// The ClientHello's message_seq.
    pub(super) message_seq: u16,
}

/// How long the session identifier is that goes with a ticket (RFC 5077 section 3.4): enough not to be anybody else's.
const TICKET_SESSION_ID: usize = 8;

impl Offer {
    pub(crate) const NOTHING: Self = Self {
        random: [0; 32],
        session_id: SessionId::EMPTY,
        suites: [CipherSuite(0); ClientConfig::MAX_SUITES],
        suites_len: 0,
        groups: [0; 4],
        groups_len: 0,
        own_cid: None,
        return_routability: false,
        record_size_limit: None,
        allow_plain_master_secret: false,
        dtls_1_3: false,
        message_seq: 0,
    };

    /// Makes it what this configuration and these credentials have to offer.
    pub(crate) fn fill<P: Profile, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ClientConfig<'_>,
    ) -> Result<(), ConfigError> {
        let psk = P::PSK && credentials.own_psk().is_some();
        if credentials.own_psk().is_some_and(|(identity, _)| identity.len() > MAX_IDENTITY) {
            return Err(ConfigError::IdentityTooLong);
        }
        let offer = self;
        *offer = Self {
            own_cid: config.own_cid,
            return_routability: config.transport.return_routability && config.own_cid.is_some(),
            record_size_limit: config.transport.record_size_limit,
            allow_plain_master_secret: config.transport.dangerous_allow_plain_master_secret,
            ..Self::NOTHING
        };
        if P::ECDHE {
            for (place, group) in offer.groups.chunks_exact_mut(2).zip(config.groups) {
                place.copy_from_slice(&group.to_u16().to_be_bytes());
                offer.groups_len += 2;
            }
        }
        let ephemeral = offer.groups_len > 0;
        // RFC 8422 section 5.1.1: the groups are those of certificates too.
        let certificates = P::CERTIFICATES
            && offer.offers_group(NamedGroup::Secp256r1)
            && !credentials.believes().is_empty();
        let usable = |suite: &&CipherSuite| match suite.key_exchange() {
            Some(KeyExchange::Psk) => psk,
            Some(KeyExchange::EcdhePsk) => psk && ephemeral,
            Some(KeyExchange::EcdheEcdsa) => ephemeral && certificates,
            None => false,
        };
        for &suite in config.suites.iter().filter(usable) {
            let place = offer.suites.get_mut(usize::from(offer.suites_len));
            *place.ok_or(ConfigError::UnusableSuites)? = suite;
            offer.suites_len += 1;
        }
        if offer.suites_len == 0 {
            return Err(ConfigError::UnusableSuites);
        }
        let limits = MIN_RECORD_SIZE_LIMIT..=MAX_PLAINTEXT;
        if offer.record_size_limit.is_some_and(|limit| !limits.contains(&limit)) {
            return Err(ConfigError::RecordSizeLimit);
        }
        offer.renew::<P, R>(cx, credentials);
        Ok(())
    }

    /// Makes it the offer of another handshake: no key comes twice.
    pub(super) fn renew<P: Profile, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
    ) {
        cx.rng.fill_bytes(&mut self.random);
        self.message_seq = 0;
        self.session_id = SessionId::EMPTY;
        let resumption = self.resumable::<P>(credentials).filter(|it| cx.now < it.expires());
        if let Some(resumption) = resumption {
            self.session_id = match resumption.ticket() {
                [] => SessionId::new(resumption.session_id()).unwrap_or_default(),
                _ => {
                    let mut id = [0; TICKET_SESSION_ID];
                    cx.rng.fill_bytes(&mut id);
                    SessionId::new(&id).unwrap_or_default()
                }
            };
        }
    }

    /// Makes it what a ClientHello said that offered DTLS 1.3 too.
    pub(super) fn take_over(&mut self, message: &Fragment<'_>) -> Option<()> {
        let hello = ClientHello::parse(message.body)?;
        self.random = hello.random;
        self.session_id = SessionId::new(hello.session_id)?;
        self.message_seq = message.message_seq;
        self.dtls_1_3 = true;
        Some(())
    }

    /// The session that may be resumed, if it is one of what is offered.
    pub(super) fn resumable<P: Profile>(
        &self,
        credentials: &mut impl Credentials<P::Crypto>,
    ) -> Option<Resumption> {
        if !P::RESUMPTION {
            return None;
        }
        credentials.recall(&[]).filter(|it| self.suites().contains(&it.suite()))
    }

    /// Of the session to be resumed.
    pub(crate) fn session_id(&self) -> &[u8] {
        self.session_id.as_bytes()
    }

    pub(crate) fn suites(&self) -> &[CipherSuite] {
        self.suites.get(..usize::from(self.suites_len)).unwrap_or_default()
    }

    fn groups(&self) -> &[u8] {
        self.groups.get(..usize::from(self.groups_len)).unwrap_or_default()
    }

    pub(super) fn offers_group(&self, group: NamedGroup) -> bool {
        self.groups().chunks_exact(2).any(|offered| offered == group.to_u16().to_be_bytes())
    }

    /// Hands on the extensions of the ClientHello.
    pub(crate) fn with_extensions<P: Profile, T>(
        &self,
        credentials: &mut impl Credentials<P::Crypto>,
        then: impl FnOnce(&Extensions<'_>) -> T,
    ) -> T {
        let mut extensions = Extensions {
            extended_master_secret: true,
            connection_id: self.own_cid.as_ref().map(ConnectionId::as_bytes),
            return_routability: self.return_routability,
            record_size_limit: self.record_size_limit,
            ..Extensions::default()
        };
        let offers = |kind: fn(KeyExchange) -> bool| {
            self.suites().iter().filter_map(|suite| suite.key_exchange()).any(kind)
        };
        // RFC 5077 section 3.2. Without a session to resume, an empty ticket asks for one.
        let resumption = self.resumable::<P>(credentials).filter(|_| !self.session_id.as_bytes().is_empty());
        if P::RESUMPTION {
            extensions.session_ticket = match &resumption {
                Some(resumption) => Some(resumption.ticket()).filter(|ticket| !ticket.is_empty()),
                None => credentials.wants_tickets().then_some(&[]),
            };
        }
        let credentials = &*credentials;
        if P::ECDHE && offers(KeyExchange::is_ephemeral) {
            extensions.supported_groups = Some(self.groups());
            extensions.ec_point_formats = Some(&[0]);
        }
        let signature_algorithms = ECDSA_SECP256R1_SHA256.to_be_bytes();
        let own = kinds(
            [CertificateType::RawPublicKey, CertificateType::X509]
                .into_iter()
                .filter(|&kind| P::CERTIFICATES && credentials.certificate(kind, 0).is_some()),
        );
        let believed = kinds(credentials.believes().iter().copied());
        if P::CERTIFICATES && offers(|kind| kind == KeyExchange::EcdheEcdsa) {
            extensions.signature_algorithms = Some(&signature_algorithms);
            extensions.client_certificate_type = own.as_extension();
            extensions.server_certificate_type = believed.as_extension();
        }
        // RFC 6066 section 3: an address is no name.
        extensions.server_name = credentials
            .server_name()
            .filter(|name| P::CERTIFICATES && name.parse::<core::net::IpAddr>().is_err())
            .map(str::as_bytes);
        then(&extensions)
    }

    /// Makes the flight a ClientHello, and the transcript with it: what was said before a cookie is not part of
    /// it (RFC 6347 section 4.2.1).
    pub(super) fn hello<P: Profile>(
        &self,
        link: &mut Link<P::Flight>,
        crypto: &P::Crypto,
        credentials: &mut impl Credentials<P::Crypto>,
        cookie: &[u8],
    ) -> Option<Transcript<P::Crypto>> {
        let mut transcript = Transcript::new(crypto);
        link.flight.clear();
        let mut speech = Speech { link, transcript: &mut transcript, message_seq: self.message_seq };
        self.with_extensions::<P, _>(credentials, |extensions| {
            speech.say(MessageType::CLIENT_HELLO, |out| {
                let session_id = self.session_id.as_bytes();
                ClientHello::write(out, &self.random, session_id, cookie, self.suites(), extensions);
            })
        })?;
        Some(transcript)
    }
}

/// Kinds of certificate as they stand in an extension.
struct Kinds {
    numbers: [u8; 2],
    len: usize,
}

fn kinds(kinds: impl Iterator<Item = CertificateType>) -> Kinds {
    let mut list = Kinds { numbers: [0; 2], len: 0 };
    for (place, kind) in list.numbers.iter_mut().zip(kinds) {
        *place = kind as u8;
        list.len += 1;
    }
    list
}

impl Kinds {
    /// RFC 7250 section 4.1: X.509 alone is what goes without saying.
    fn as_extension(&self) -> Option<CertificateTypes<'_>> {
        match self.numbers.get(..self.len)? {
            [] | [0] => None,
            numbers => Some(CertificateTypes::Offered(numbers)),
        }
    }
}
