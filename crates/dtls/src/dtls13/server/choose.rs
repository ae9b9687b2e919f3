//! What a server chooses from a ClientHello (RFC 8446 sections 4.1.1 and 4.2).

use sedge_crypto::{Crypto, CryptoRng, NamedGroup, Secret, constant_time_eq};
use sedge_time::Instant;

use crate::alert::AlertDescription;
use crate::cid::ConnectionId;
use crate::config::{ClientCertificate, ServerConfig};
use crate::cookie::{Hello13, VerifiedHello};
use crate::credentials::{CertificateType, Credentials};
use crate::dtls13::extension::{self, ECDSA_SECP256R1_SHA256, PSK_DHE_KE, PSK_KE};
use crate::dtls13::hello::ClientExtensions;
use crate::dtls13::schedule::{EarlySecret, PskOrigin};
use crate::dtls13::ticket::Ticketed;
use crate::dtls13::transcript::Transcript;
use crate::dtls13::{Identity, is_dtls_1_3};
use crate::handshake::message::MessageType;
use crate::handshake::{Context, MAX_PLAINTEXT, MIN_RECORD_SIZE_LIMIT};
use crate::profile::Profile;
use crate::psk::Psk;
use crate::suite::CipherSuite;

/// What a server chose.
pub(super) struct Choice<'d> {
    pub(super) suite: CipherSuite,
    /// The group, and the client's share in it.
    pub(super) share: Option<(NamedGroup, &'d [u8])>,
    pub(super) early: EarlySecret,
    /// Which of the client's pre-shared keys.
    pub(super) identity: Option<u16>,
    pub(super) client: Identity,
    /// When the client proved who it is, if that was in the session that is resumed.
    pub(super) authenticated: Option<Instant>,
    /// With a pre-shared key there are none of these.
    pub(super) certificates: Option<Certificates>,
    pub(super) own_cid: ConnectionId,
    /// `None` if the client knows no Connection IDs.
    pub(super) peer_cid: Option<ConnectionId>,
    pub(super) return_routability: bool,
    pub(super) write_limit: u16,
    pub(super) takes_tickets: bool,
}

/// Which kinds of certificate are shown.
pub(super) struct Certificates {
    pub(super) own: CertificateType,
    /// Whether the client said what it believes and what it has.
    pub(super) own_is_named: bool,
    pub(super) client: Option<CertificateType>,
    pub(super) client_is_named: bool,
}

/// A pre-shared key that was found.
struct Found {
    identity: u16,
    early: EarlySecret,
    client: Identity,
    /// When the client proved who it is, if that was not now.
    authenticated: Option<Instant>,
}

impl<'d> Choice<'d> {
    /// Chooses from what a ClientHello offers, or says which alert it deserves. The transcript says what came before.
    pub(super) fn from_hello<P: Profile, R: CryptoRng + ?Sized>(
        cx: &mut Context<'_, P::Crypto, R>,
        credentials: &mut impl Credentials<P::Crypto>,
        config: &ServerConfig<'_>,
        hello: &Hello13<'d>,
        transcript: &Transcript<P::Crypto>,
        own_cid: ConnectionId,
    ) -> Result<Self, AlertDescription> {
        let extensions = &hello.hello.extensions;
        let suite = choose_suite(config, hello)?;
        let share = if P::ECDHE { choose_share(config, hello) } else { None };
        check_retry(hello, share)?;
        if extensions.record_size_limit.is_some_and(|limit| limit < MIN_RECORD_SIZE_LIMIT) {
            return Err(AlertDescription::ILLEGAL_PARAMETER);
        }
        // RFC 8446 section 9.2.
        if extensions.supported_groups.is_some() != extensions.key_share.is_some() {
            return Err(AlertDescription::MISSING_EXTENSION);
        }
        let modes = extensions.psk_key_exchange_modes.unwrap_or_default();
        let psk_share = match share {
            Some(share) if modes.contains(&PSK_DHE_KE) => Some(Some(share)),
            _ if modes.contains(&PSK_KE) => Some(None),
            _ => None,
        };
        let certificates = choose_certificates::<P>(credentials, config, extensions);
        let certifiable = share.is_some() && certificates.is_ok();
        let found = match psk_share {
            Some(_) if P::PSK => find_psk::<P, R>(cx, credentials, hello, transcript, certifiable)?,
            _ => None,
        };
        let authenticated = found.as_ref().and_then(|found| found.authenticated);
        let (early, identity, client, share, certificates) = match (found, psk_share) {
            (Some(Found { early, identity, client, .. }), Some(share)) => {
                (early, Some(identity), client, share, None)
            }
            _ => {
                let share = share.ok_or(AlertDescription::HANDSHAKE_FAILURE)?;
                (
                    EarlySecret::new(cx.crypto, None),
                    None,
                    Identity::ANONYMOUS,
                    Some(share),
                    Some(certificates?),
                )
            }
        };
        // An identifier too long to be kept is as good as none: RFC 9146 leaves the answer to the server.
        let peer_cid = extensions.connection_id.and_then(ConnectionId::new);
        Ok(Self {
            suite,
            share,
            early,
            identity,
            client,
            authenticated,
            certificates,
            own_cid: if peer_cid.is_some() { own_cid } else { ConnectionId::EMPTY },
            peer_cid,
            return_routability: config.transport.return_routability
                && extensions.return_routability_check
                && peer_cid.is_some(),
            write_limit: extensions.record_size_limit.unwrap_or(MAX_PLAINTEXT + 1).min(MAX_PLAINTEXT + 1),
            takes_tickets: modes.contains(&PSK_KE) || (P::ECDHE && modes.contains(&PSK_DHE_KE)),
        })
    }
}

/// RFC 8446 section 4.1.4: the suite of the HelloRetryRequest, if there was one.
fn choose_suite(config: &ServerConfig<'_>, hello: &Hello13<'_>) -> Result<CipherSuite, AlertDescription> {
    match &hello.retried {
        Some(retried) if hello.hello.offers(retried.suite) => Ok(retried.suite),
        Some(_) => Err(AlertDescription::ILLEGAL_PARAMETER),
        None => {
            let suites = config.suites.iter().copied().filter(|&suite| is_dtls_1_3(suite));
            suites
                .into_iter()
                .find(|&suite| hello.hello.offers(suite))
                .ok_or(AlertDescription::HANDSHAKE_FAILURE)
        }
    }
}

fn choose_share<'d>(config: &ServerConfig<'_>, hello: &Hello13<'d>) -> Option<(NamedGroup, &'d [u8])> {
    let shares = hello.hello.extensions.key_share?;
    config.groups.iter().find_map(|&group| Some((group, shares.find(group)?)))
}

/// RFC 8446 section 4.2.8: a share in the group that was asked for.
fn check_retry(hello: &Hello13<'_>, share: Option<(NamedGroup, &[u8])>) -> Result<(), AlertDescription> {
    let asked = hello.retried.as_ref().and_then(|retried| retried.group);
    match asked {
        Some(asked) if share.is_none_or(|(group, _)| group != asked) => {
            Err(AlertDescription::ILLEGAL_PARAMETER)
        }
        _ => Ok(()),
    }
}

/// Which kinds of certificate both sides can show and believe (RFC 7250 section 4.2).
fn choose_certificates<P: Profile>(
    credentials: &impl Credentials<P::Crypto>,
    config: &ServerConfig<'_>,
    extensions: &ClientExtensions<'_>,
) -> Result<Certificates, AlertDescription> {
    if !P::CERTIFICATES {
        return Err(AlertDescription::HANDSHAKE_FAILURE);
    }
    let algorithms = extensions.signature_algorithms.ok_or(AlertDescription::MISSING_EXTENSION)?;
    if !extension::lists(algorithms, ECDSA_SECP256R1_SHA256) {
        return Err(AlertDescription::HANDSHAKE_FAILURE);
    }
    let x509 = [CertificateType::X509 as u8];
    let believed = extensions.server_certificate_types.unwrap_or(&x509);
    let own = believed.iter().find_map(|&kind| {
        let kind = certificate_type(kind)?;
        credentials.certificate(kind, 0).map(|_| kind)
    });
    let shown = extensions.client_certificate_types.unwrap_or(&x509);
    let client = credentials.believes().iter().copied().find(|&kind| shown.contains(&(kind as u8)));
    let asked =
        config.client_certificate != ClientCertificate::NotAsked && !credentials.believes().is_empty();
    match (own, client) {
        (None, _) if credentials.certificate(CertificateType::X509, 0).is_none() && !has_key(credentials) => {
            Err(AlertDescription::HANDSHAKE_FAILURE)
        }
        (None, _) => Err(AlertDescription::UNSUPPORTED_CERTIFICATE),
        (_, None) if asked && config.client_certificate == ClientCertificate::Required => {
            Err(AlertDescription::UNSUPPORTED_CERTIFICATE)
        }
        (Some(own), client) => Ok(Certificates {
            own,
            own_is_named: extensions.server_certificate_types.is_some(),
            client: client.filter(|_| asked),
            client_is_named: extensions.client_certificate_types.is_some(),
        }),
    }
}

fn has_key<C: Crypto>(credentials: &impl Credentials<C>) -> bool {
    credentials.certificate(CertificateType::RawPublicKey, 0).is_some()
}

fn certificate_type(kind: u8) -> Option<CertificateType> {
    [CertificateType::X509, CertificateType::RawPublicKey].into_iter().find(|&known| known as u8 == kind)
}

/// How many of a client's identities are looked up.
const MAX_IDENTITIES: usize = 4;

/// The first pre-shared key of the client's that is known, its binder checked (RFC 8446 section 4.2.11).
///
/// A client that has nothing else to offer is not told that none is known: the binder is held against a random key,
/// and fails like one that was made with a wrong key.
fn find_psk<P: Profile, R: CryptoRng + ?Sized>(
    cx: &mut Context<'_, P::Crypto, R>,
    credentials: &mut impl Credentials<P::Crypto>,
    hello: &Hello13<'_>,
    transcript: &Transcript<P::Crypto>,
    certifiable: bool,
) -> Result<Option<Found>, AlertDescription> {
    let Some(offered) = hello.hello.extensions.pre_shared_key else { return Ok(None) };
    let mut nobody = Secret::<32>::zero();
    cx.rng.fill_bytes(nobody.expose_mut());
    let mut found = None;
    for (index, psk) in (0..).zip(offered.iter().take(MAX_IDENTITIES)) {
        let ticketed = if P::RESUMPTION { open_ticket(cx, credentials, psk.identity) } else { None };
        if let Some(Ticketed { psk: key, principal, authentication, authenticated, .. }) = ticketed {
            let key = Psk::new(key.expose()).ok_or(AlertDescription::INTERNAL_ERROR)?;
            let client = Identity { principal, authentication, resumed: true };
            found = Some((index, psk.binder, key, PskOrigin::Resumption, client, Some(authenticated)));
            break;
        }
        if let Some((key, principal)) = credentials.psk(psk.identity) {
            found = Some((index, psk.binder, key, PskOrigin::External, Identity::of_psk(principal), None));
            break;
        }
    }
    let (index, binder, key, origin, client, authenticated) = match found {
        Some(found) => found,
        None if certifiable => return Ok(None),
        None => {
            let key = Psk::new(nobody.expose()).ok_or(AlertDescription::INTERNAL_ERROR)?;
            let binder = offered.iter().next().map_or(&[][..], |psk| psk.binder);
            (0, binder, key, PskOrigin::External, Identity::ANONYMOUS, None)
        }
    };
    let early = EarlySecret::new(cx.crypto, Some(key.expose()));
    let truncated = hello.body.get(..hello.hello.truncated_len()).ok_or(AlertDescription::DECODE_ERROR)?;
    let hash = transcript.hash_truncated(hello.body.len(), truncated);
    match constant_time_eq(binder, &early.binder(cx.crypto, origin, &hash)) {
        true => Ok(Some(Found { identity: index, early, client, authenticated })),
        false => Err(AlertDescription::DECRYPT_ERROR),
    }
}

/// What a ticket of ours says, if whose it is may still come in.
fn open_ticket<C: Crypto, R: ?Sized>(
    cx: &Context<'_, C, R>,
    credentials: &mut impl Credentials<C>,
    ticket: &[u8],
) -> Option<Ticketed> {
    let (keys, _) = credentials.tickets()?;
    let ticketed = Ticketed::open(keys, cx.crypto, cx.now, ticket)?;
    credentials.may_resume(ticketed.principal).then_some(ticketed)
}

/// What came before the hello that is answered.
pub(super) fn transcript_before<C: Crypto>(crypto: &C, verified: &VerifiedHello<'_>) -> Transcript<C> {
    let retried = verified.dtls_1_3.as_ref().and_then(|hello| hello.retried);
    let Some(retried) = retried else { return Transcript::new(crypto) };
    let mut transcript = Transcript::after_retry(crypto, &retried.first_hello);
    let mut body = [0; 128];
    let mut out = crate::wire::Writer::new(&mut body);
    retried.write(&mut out);
    let len = out.len();
    transcript.add(MessageType::SERVER_HELLO, body.get(..len).unwrap_or_default());
    transcript
}
