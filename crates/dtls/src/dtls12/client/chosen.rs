//! What a ServerHello chose, and whether it was offered.

use sedge_crypto::Aead;

use super::Offer;
use crate::alert::AlertDescription;
use crate::cid::ConnectionId;
use crate::credentials::{CertificateType, Credentials};
use crate::dtls12::DOWNGRADE;
use crate::dtls12::schedule::{Randoms, RecordKeys};
use crate::handshake::extension::{CertificateTypes, Extensions};
use crate::handshake::hello::ServerHello;
use crate::handshake::resumption::SessionId;
use crate::handshake::{MAX_PLAINTEXT, MIN_RECORD_SIZE_LIMIT};
use crate::profile::Profile;
use crate::record::DTLS_1_2;
use crate::session::{Parameters, Role, Session12};
use crate::suite::{CipherSuite, KeyExchange};
use crate::wire::has;

/// What a ServerHello chose.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) randoms: Randoms,
    pub(super) agreed: Agreed,
    aead: Aead,
    pub(super) key_exchange: KeyExchange,
    /// What the server will show.
    pub(super) server_kind: CertificateType,
    /// What it would want to see.
    pub(super) client_kind: CertificateType,
    own_cid: ConnectionId,
    peer_cid: ConnectionId,
    return_routability: bool,
    read_limit: u16,
    write_limit: u16,
}

/// What of it matters to the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed {
    pub(super) suite: CipherSuite,
    pub(super) extended_master_secret: bool,
    /// Whether a ticket will come.
    pub(super) ticket: bool,
    /// Whether an earlier session goes on.
    pub(super) resumed: bool,
    pub(super) session_id: SessionId,
}

impl Chosen {
    /// Checks what a ServerHello chose, or says which alert it deserves.
    pub(super) fn new<P: Profile>(
        offer: &Offer,
        credentials: &mut impl Credentials<P::Crypto>,
        hello: &ServerHello<'_>,
    ) -> Result<Self, AlertDescription> {
        if hello.version != DTLS_1_2 {
            return Err(AlertDescription::PROTOCOL_VERSION);
        }
        if hello.compression_method != 0 || !offer.suites().contains(&hello.suite) {
            return Err(AlertDescription::ILLEGAL_PARAMETER);
        }
        // RFC 8446 section 4.1.3: a server that speaks 1.3 was kept from seeing that we do.
        if offer.dtls_1_3 && hello.random.ends_with(&DOWNGRADE) {
            return Err(AlertDescription::ILLEGAL_PARAMETER);
        }
        let aead = hello.suite.aead().ok_or(AlertDescription::ILLEGAL_PARAMETER)?;
        let key_exchange =
            hello.suite.key_exchange().ok_or(AlertDescription::ILLEGAL_PARAMETER)?.in_profile::<P>();
        let (client_kind, server_kind) = offer.with_extensions::<P, _>(credentials, |asked| {
            check(offer, asked, &hello.extensions)?;
            let client_kind =
                certificate_type(asked.client_certificate_type, hello.extensions.client_certificate_type)?;
            let server_kind =
                certificate_type(asked.server_certificate_type, hello.extensions.server_certificate_type)?;
            Ok((client_kind, server_kind))
        })?;
        // RFC 5246 section 7.4.1.3, RFC 5077 section 3.4: our identifier comes back.
        let resumed =
            P::RESUMPTION && !hello.session_id.is_empty() && hello.session_id == offer.session_id.as_bytes();
        // RFC 7250 section 4.2: the server has nothing else to show. In a resumption it shows nothing.
        if P::CERTIFICATES
            && !resumed
            && key_exchange == KeyExchange::EcdheEcdsa
            && !credentials.believes().contains(&server_kind)
        {
            return Err(AlertDescription::UNSUPPORTED_CERTIFICATE);
        }
        let (own_cid, peer_cid) = match (offer.own_cid, hello.extensions.connection_id) {
            (Some(own), Some(peer)) => {
                (own, ConnectionId::new(peer).ok_or(AlertDescription::ILLEGAL_PARAMETER)?)
            }
            _ => (ConnectionId::EMPTY, ConnectionId::EMPTY),
        };
        let limit = hello.extensions.record_size_limit.unwrap_or(MAX_PLAINTEXT);
        Ok(Self {
            randoms: Randoms { client: offer.random, server: hello.random },
            agreed: Agreed {
                suite: hello.suite,
                extended_master_secret: hello.extensions.extended_master_secret,
                ticket: hello.extensions.session_ticket.is_some(),
                resumed,
                session_id: SessionId::new(hello.session_id).unwrap_or_default(),
            },
            aead,
            key_exchange,
            server_kind,
            client_kind,
            own_cid,
            peer_cid,
            return_routability: hello.extensions.return_routability,
            read_limit: offer.record_size_limit.unwrap_or(MAX_PLAINTEXT),
            write_limit: limit.min(MAX_PLAINTEXT),
        })
    }

    /// The session under these keys.
    pub(super) fn session(&self, keys: RecordKeys, next_sequence: u64) -> Session12 {
        let mut session = Session12::new(Parameters {
            role: Role::Client,
            suite: self.agreed.suite,
            aead: self.aead,
            read: keys.server_write,
            write: keys.client_write,
            own_cid: self.own_cid,
            peer_cid: self.peer_cid,
            read_limit: self.read_limit,
            write_limit: self.write_limit,
            next_sequence,
        });
        if self.return_routability {
            session.agree_on_return_routability();
        }
        session
    }
}

/// Checks the extensions of a ServerHello against those of the ClientHello.
fn check(offer: &Offer, asked: &Extensions<'_>, answer: &Extensions<'_>) -> Result<(), AlertDescription> {
    // RFC 5246 section 7.4.1.4: nothing that was not asked for. Renegotiation was asked about by the signalling suite.
    let unasked = answer.unknown
        || answer.supported_versions.is_some()
        || answer.signature_algorithms.is_some()
        || (answer.server_name.is_some() && asked.server_name.is_none())
        || (answer.supported_groups.is_some() && asked.supported_groups.is_none())
        || (answer.ec_point_formats.is_some() && asked.ec_point_formats.is_none())
        || (answer.client_certificate_type.is_some() && asked.client_certificate_type.is_none())
        || (answer.server_certificate_type.is_some() && asked.server_certificate_type.is_none())
        || (answer.session_ticket.is_some() && asked.session_ticket.is_none())
        || (answer.connection_id.is_some() && asked.connection_id.is_none())
        || (answer.return_routability && !asked.return_routability)
        || (answer.record_size_limit.is_some() && asked.record_size_limit.is_none());
    if unasked {
        return Err(AlertDescription::UNSUPPORTED_EXTENSION);
    }
    // RFC 7627 section 5.2.
    if !answer.extended_master_secret && !offer.allow_plain_master_secret {
        return Err(AlertDescription::HANDSHAKE_FAILURE);
    }
    // RFC 5746 section 3.4. A server that does not know the extension never renegotiates with us either.
    if answer.renegotiation_info.is_some_and(|connection| !connection.is_empty()) {
        return Err(AlertDescription::HANDSHAKE_FAILURE);
    }
    // RFC 9853 section 3: only beside Connection IDs.
    if answer.return_routability && answer.connection_id.is_none() {
        return Err(AlertDescription::ILLEGAL_PARAMETER);
    }
    // RFC 8422 section 5.2.
    if answer.ec_point_formats.is_some_and(|formats| !has(formats, 0)) {
        return Err(AlertDescription::ILLEGAL_PARAMETER);
    }
    // RFC 8449 section 4.
    if answer.record_size_limit.is_some_and(|limit| limit < MIN_RECORD_SIZE_LIMIT) {
        return Err(AlertDescription::ILLEGAL_PARAMETER);
    }
    Ok(())
}

/// RFC 7250 section 4.2: one of those that were offered, or X.509 if nothing is said.
fn certificate_type(
    offered: Option<CertificateTypes<'_>>,
    chosen: Option<CertificateTypes<'_>>,
) -> Result<CertificateType, AlertDescription> {
    match (offered, chosen) {
        (_, None) => Ok(CertificateType::X509),
        (Some(CertificateTypes::Offered(offered)), Some(CertificateTypes::Chosen(kind))) => {
            let kind = CertificateType::from_u8(kind).filter(|_| has(offered, kind));
            kind.ok_or(AlertDescription::ILLEGAL_PARAMETER)
        }
        _ => Err(AlertDescription::ILLEGAL_PARAMETER),
    }
}
