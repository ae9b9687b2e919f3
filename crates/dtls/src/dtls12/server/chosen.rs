//! What the hellos settle.

use sedge_crypto::{Aead, CryptoRng, NamedGroup};

use crate::alert::AlertDescription;
use crate::cid::ConnectionId;
use crate::config::{ClientCertificate, ServerConfig};
use crate::cookie::VerifiedHello;
use crate::credentials::{CertificateType, Credentials};
use crate::dtls12::DOWNGRADE;
use crate::dtls12::key_exchange::ECDSA_SECP256R1_SHA256;
use crate::dtls12::schedule::Randoms;
use crate::handshake::extension::{CertificateTypes, Extensions};
use crate::handshake::hello::{ClientHello, ServerHello};
use crate::handshake::resumption::{SavedSession, SessionId};
use crate::handshake::{Context, MAX_PLAINTEXT, MIN_RECORD_SIZE_LIMIT, Transport};
use crate::profile::Profile;
use crate::record::DTLS_1_2;
use crate::suite::{CipherSuite, KeyExchange};
use crate::wire::Writer;

/// What the hellos settled.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) randoms: Randoms,
    pub(super) suite: CipherSuite,
    pub(super) aead: Aead,
    pub(super) key_exchange: KeyExchange,
    pub(super) means: Means,
    pub(super) extended_master_secret: bool,
    /// Whether a ticket was promised.
    pub(super) ticket: bool,
    /// Of the session that is resumed, or by which this one will be; mostly empty.
    pub(super) session_id: SessionId,
    pub(super) connection_ids: bool,
    pub(super) own_cid: ConnectionId,
    pub(super) peer_cid: ConnectionId,
    pub(super) return_routability: bool,
    pub(super) read_limit: u16,
    pub(super) write_limit: u16,
    /// The message_seq of the hellos: ServerHello repeats ClientHello's.
    pub(super) message_seq: u16,
    /// The message_seq of what comes after this side's first flight.
    pub(super) next_seq: u16,
}

/// With what a suite is filled in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Means {
    /// The group of the ephemeral keys.
    pub(super) group: Option<NamedGroup>,
    /// What the server shows.
    pub(super) own: Option<CertificateType>,
    /// What the client is asked to show.
    pub(super) client: Option<CertificateType>,
    /// Whether it has to.
    pub(super) client_required: bool,
}

/// A ticket needs a path that takes the last flight in one datagram.
const MIN_TICKET_MTU: u16 = 256;
/// How long the identifiers of cached sessions are, in bytes: as long as they may be (RFC 5246 section 7.4.1.2), for
/// wolfSSL knows no shorter ones again.
const SESSION_ID: usize = 32;

impl Chosen {
    /// Chooses from what a ClientHello offers, or says which alert it deserves.
    pub(super) fn from_hello<P: Profile, R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ServerConfig<'_>,
        verified: &VerifiedHello<'_>,
        own_cid: ConnectionId,
    ) -> Result<Self, AlertDescription> {
        let hello = &verified.hello;
        check::<P>(hello, &config.transport)?;
        let (suite, means) = config
            .suites
            .iter()
            .filter(|&&suite| hello.offers(suite))
            .find_map(|&suite| Some((suite, means::<P>(suite, hello, credentials, config)?)))
            .ok_or(AlertDescription::HANDSHAKE_FAILURE)?;
        let mut chosen = Self::new::<P, R>(cx, config, verified, own_cid, suite)?;
        chosen.means = means;
        // RFC 7627 section 5.4: without the extended master secret a session is better not resumed.
        if P::RESUMPTION && chosen.extended_master_secret {
            let wanted = hello.extensions.session_ticket.is_some() && config.transport.mtu >= MIN_TICKET_MTU;
            chosen.ticket = wanted && credentials.tickets().is_some();
            if !chosen.ticket && credentials.session_cache().is_some() {
                let mut id = [0; SESSION_ID];
                cx.rng.fill_bytes(&mut id);
                chosen.session_id = SessionId::new(&id).unwrap_or_default();
            }
        }
        Ok(chosen)
    }

    /// Chooses what was chosen for the session that is resumed, as far as it outlives a session: Connection IDs and
    /// limits are agreed on anew (RFC 9146 section 3, RFC 8449 section 4).
    pub(super) fn resuming<P: Profile, R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        config: &ServerConfig<'_>,
        verified: &VerifiedHello<'_>,
        own_cid: ConnectionId,
        saved: &SavedSession,
    ) -> Result<Self, AlertDescription> {
        check::<P>(&verified.hello, &config.transport)?;
        let mut chosen = Self::new::<P, R>(cx, config, verified, own_cid, saved.suite)?;
        // RFC 7627 section 5.3: what had the extended master secret is resumed with it or not at all.
        if !chosen.extended_master_secret {
            return Err(AlertDescription::HANDSHAKE_FAILURE);
        }
        // RFC 5077 section 3.4: its session identifier comes back to a client whose ticket is taken.
        chosen.session_id = SessionId::new(verified.hello.session_id).unwrap_or_default();
        Ok(chosen)
    }

    fn new<P: Profile, R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        config: &ServerConfig<'_>,
        verified: &VerifiedHello<'_>,
        own_cid: ConnectionId,
        suite: CipherSuite,
    ) -> Result<Self, AlertDescription> {
        let hello = &verified.hello;
        let key_exchange = suite.key_exchange().ok_or(AlertDescription::HANDSHAKE_FAILURE)?;
        let aead = suite.aead().ok_or(AlertDescription::HANDSHAKE_FAILURE)?;
        let mut server_random = [0; 32];
        cx.rng.fill_bytes(&mut server_random);
        if P::DTLS_1_3
            && config.versions.dtls_1_3
            && let Some(end) = server_random.last_chunk_mut()
        {
            *end = DOWNGRADE;
        }
        // An identifier too long to be kept is as good as none: RFC 9146 leaves the answer to the server.
        let peer_cid = hello.extensions.connection_id.and_then(ConnectionId::new);
        let own_limit = config.transport.record_size_limit;
        Ok(Self {
            randoms: Randoms { client: hello.random, server: server_random },
            suite,
            aead,
            key_exchange,
            means: Means::default(),
            extended_master_secret: hello.extensions.extended_master_secret,
            ticket: false,
            session_id: SessionId::default(),
            connection_ids: peer_cid.is_some(),
            own_cid: if peer_cid.is_some() { own_cid } else { ConnectionId::EMPTY },
            peer_cid: peer_cid.unwrap_or_default(),
            return_routability: peer_cid.is_some()
                && hello.extensions.return_routability
                && config.transport.return_routability,
            read_limit: own_limit
                .map_or(MAX_PLAINTEXT, |limit| limit.clamp(MIN_RECORD_SIZE_LIMIT, MAX_PLAINTEXT)),
            write_limit: hello.extensions.record_size_limit.unwrap_or(MAX_PLAINTEXT).min(MAX_PLAINTEXT),
            message_seq: verified.message_seq,
            next_seq: verified.message_seq + 1,
        })
    }

    /// Writes the ServerHello: only answers to what was asked (RFC 5246 section 7.4.1.4).
    pub(super) fn write_hello(&self, out: &mut Writer<'_>, hello: &ClientHello<'_>) {
        let asked = &hello.extensions;
        let renegotiation = asked.renegotiation_info.is_some()
            || hello.offers(CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV);
        let Means { group, own, client, .. } = self.means;
        let certificate_type =
            |kind: Option<CertificateType>| kind.map(|kind| CertificateTypes::Chosen(kind as u8));
        let extensions = Extensions {
            // RFC 8422 section 5.2: uncompressed points.
            ec_point_formats: group.and(asked.ec_point_formats).and(Some(&[0])),
            // RFC 7250 section 4.2.
            client_certificate_type: asked.client_certificate_type.and(certificate_type(client)),
            server_certificate_type: asked.server_certificate_type.and(certificate_type(own)),
            extended_master_secret: self.extended_master_secret,
            session_ticket: self.ticket.then_some(&[]),
            // RFC 5746 section 3.6.
            renegotiation_info: renegotiation.then_some(&[]),
            // RFC 9146 section 3: only as an answer.
            connection_id: self.connection_ids.then_some(self.own_cid.as_bytes()),
            // RFC 9853 section 3: only beside Connection IDs.
            return_routability: self.return_routability,
            record_size_limit: asked.record_size_limit.and(Some(self.read_limit)),
            ..Extensions::default()
        };
        ServerHello::write(out, &self.randoms.server, self.session_id.as_bytes(), self.suite, &extensions);
    }
}

/// What every ClientHello must be like.
fn check<P: Profile>(hello: &ClientHello<'_>, transport: &Transport) -> Result<(), AlertDescription> {
    let Extensions {
        extended_master_secret,
        renegotiation_info,
        record_size_limit,
        supported_versions,
        ec_point_formats,
        ..
    } = hello.extensions;
    // RFC 8446 section 4.2.1: a client that lists versions must list this one.
    if let Some(versions) = supported_versions
        && !versions.chunks_exact(2).any(|version| version == DTLS_1_2.to_be_bytes())
    {
        return Err(AlertDescription::PROTOCOL_VERSION);
    }
    // RFC 5246 section 7.4.1.2: the null method must be offered.
    if !hello.compression_methods.contains(&0) {
        return Err(AlertDescription::ILLEGAL_PARAMETER);
    }
    // RFC 7627 section 5.2.
    if !extended_master_secret && !transport.dangerous_allow_plain_master_secret {
        return Err(AlertDescription::HANDSHAKE_FAILURE);
    }
    // RFC 5746 section 3.6: nothing was negotiated before.
    if renegotiation_info.is_some_and(|connection| !connection.is_empty()) {
        return Err(AlertDescription::HANDSHAKE_FAILURE);
    }
    // RFC 8422 section 5.1.2: uncompressed points must be among the formats.
    if P::ECDHE && ec_point_formats.is_some_and(|formats| !formats.contains(&0)) {
        return Err(AlertDescription::ILLEGAL_PARAMETER);
    }
    // RFC 8449 section 4.
    if record_size_limit.is_some_and(|limit| limit < MIN_RECORD_SIZE_LIMIT) {
        return Err(AlertDescription::ILLEGAL_PARAMETER);
    }
    Ok(())
}

/// How this suite would be filled in with what both sides have; `None` if it cannot be.
fn means<P: Profile>(
    suite: CipherSuite,
    hello: &ClientHello<'_>,
    credentials: &mut impl Credentials<P::Crypto>,
    config: &ServerConfig<'_>,
) -> Option<Means> {
    match suite.key_exchange()? {
        KeyExchange::Psk => P::PSK.then_some(Means::default()),
        KeyExchange::EcdhePsk if P::PSK && P::ECDHE => {
            Some(Means { group: Some(group(hello, config)?), ..Means::default() })
        }
        KeyExchange::EcdheEcdsa if P::CERTIFICATES && P::ECDHE => {
            let asked = &hello.extensions;
            // RFC 5246 section 7.4.1.4.1: whoever names no algorithm can do SHA-1 only. RFC 8422 section 5.1.1: the
            // groups are those of certificates too.
            let verifies = list(asked.signature_algorithms?).any(|it| it == ECDSA_SECP256R1_SHA256);
            if !verifies || !offers_group(hello, NamedGroup::Secp256r1) {
                return None;
            }
            let own = certificate_types(asked.server_certificate_type)
                .find(|&kind| credentials.certificate(kind, 0).is_some())?;
            let client = certificate_types(asked.client_certificate_type)
                .find(|kind| credentials.believes().contains(kind));
            let client_required = config.client_certificate == ClientCertificate::Required;
            let client = match config.client_certificate {
                ClientCertificate::NotAsked => None,
                ClientCertificate::Optional => client,
                ClientCertificate::Required => Some(client?),
            };
            Some(Means { group: Some(group(hello, config)?), own: Some(own), client, client_required })
        }
        KeyExchange::EcdhePsk | KeyExchange::EcdheEcdsa => None,
    }
}

/// The first of the server's groups that the client offers.
fn group(hello: &ClientHello<'_>, config: &ServerConfig<'_>) -> Option<NamedGroup> {
    config.groups.iter().copied().find(|&group| offers_group(hello, group))
}

/// RFC 8422 section 4: a client that names no groups can do any; P-256 is what everybody has.
fn offers_group(hello: &ClientHello<'_>, group: NamedGroup) -> bool {
    match hello.extensions.supported_groups {
        Some(groups) => list(groups).any(|offered| offered == group.to_u16()),
        None => group == NamedGroup::Secp256r1,
    }
}

fn list(numbers: &[u8]) -> impl Iterator<Item = u16> {
    numbers.as_chunks().0.iter().map(|&number| u16::from_be_bytes(number))
}

/// RFC 7250 section 4.1: the client's kinds, or X.509 if it names none.
fn certificate_types(offered: Option<CertificateTypes<'_>>) -> impl Iterator<Item = CertificateType> {
    let types = match offered {
        Some(CertificateTypes::Offered(types)) => types,
        Some(CertificateTypes::Chosen(_)) | None => &[CertificateType::X509 as u8],
    };
    types.iter().filter_map(|&number| CertificateType::from_u8(number))
}
