//! The check of chains, for hosts.

use std::fmt;

use pki_types::{CertificateDer, DnsName, ServerName, UnixTime};
use sedge_crypto::Crypto;
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
};

use crate::anchors::TrustAnchors;
use crate::certificate::Certificate;
use crate::crl::{CertificateRevocationList, Revocation};
use crate::error::Error;
use crate::expected::{Expected, PeerName};
use crate::extension::{KeyUsage, NameConstraints};
use crate::signatures::EcdsaP256Sha256;

/// Validates the chains that peers send, up to a trust anchor
/// ([RFC 5280 section 6](https://www.rfc-editor.org/rfc/rfc5280#section-6)).
///
/// Paths, dates, name constraints and lists of revoked certificates are `rustls-webpki`'s to judge; this adds what it
/// leaves out (key usage, the path length of trust anchors, common names, limits) and checks signatures with the
/// provider that it is given.
pub struct Verifier<C> {
    signatures: EcdsaP256Sha256<C>,
    anchors: TrustAnchors,
    lists: Vec<CertRevocationList<'static>>,
    revocation: Revocation,
    limits: Limits,
}

/// How much of a peer's chain is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most certificates, the peer's own included.
    pub certificates: usize,
    /// Most bytes of one certificate.
    pub bytes: usize,
}

/// A peer, two CAs below a trust anchor, and the trust anchor once more. Beyond that, what a stranger's chain can cost
/// grows faster than its length.
impl Default for Limits {
    fn default() -> Self {
        Self { certificates: 4, bytes: 4096 }
    }
}

impl<C: Crypto + Send + Sync> Verifier<C> {
    /// Believes what these trust anchors vouch for, with no lists of revoked certificates yet.
    pub fn new(crypto: C, anchors: TrustAnchors) -> Self {
        Self {
            signatures: EcdsaP256Sha256::new(crypto),
            anchors,
            lists: Vec::new(),
            revocation: Revocation::default(),
            limits: Limits::default(),
        }
    }

    /// With these lists of revoked certificates in place of those before.
    ///
    /// Which CA a list is of is told by the CA's name. Two CAs of one name, each with a list, are not supported.
    #[must_use]
    pub fn with_crls(mut self, lists: Vec<CertificateRevocationList>, revocation: Revocation) -> Self {
        self.set_crls(lists);
        self.revocation = revocation;
        self
    }

    /// With other limits than [`Limits::default`].
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Puts these lists of revoked certificates in place of those before.
    pub fn set_crls(&mut self, lists: Vec<CertificateRevocationList>) {
        self.lists = lists.into_iter().map(|list| list.list).collect();
    }

    /// Checks a peer's chain and gives back its own certificate.
    ///
    /// `chain` is what the peer sent, its own certificate first; `now` is in seconds since 1970.
    pub fn verify<'a>(
        &self,
        chain: impl IntoIterator<Item = &'a [u8]>,
        expected: &Expected<'_>,
        now: u64,
    ) -> Result<Certificate<'a>, Error> {
        let (peer, issuers) = self.limited(chain)?;
        let certificate = Certificate::parse(peer)?;
        // What is cheap comes first, here and in `path`: nobody has proved anything yet.
        expected.check_usage(&certificate)?;
        let end_entity = CertificateDer::from(peer);
        let end_entity = EndEntityCert::try_from(&end_entity).map_err(of_webpki)?;
        let path = self.path(&end_entity, &issuers, now)?;
        self.check_issuers(&path, expected)?;
        check_name(expected, &certificate, &end_entity, &path)?;
        Ok(certificate)
    }

    /// The peer's own certificate, and the rest of the chain.
    fn limited<'a>(
        &self,
        chain: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(&'a [u8], Vec<CertificateDer<'a>>), Error> {
        let mut chain = chain.into_iter();
        let peer = chain.next().ok_or(Error::NoCertificate)?;
        let mut issuers = Vec::new();
        for issuer in chain {
            if issuers.len() + 1 >= self.limits.certificates {
                return Err(Error::TooMany);
            }
            issuers.push(CertificateDer::from(issuer));
        }
        let is_long = |certificate: &[u8]| certificate.len() > self.limits.bytes;
        if is_long(peer) || issuers.iter().any(|issuer| is_long(issuer)) {
            return Err(Error::TooLarge);
        }
        Ok((peer, issuers))
    }

    fn path<'p>(
        &'p self,
        end_entity: &'p EndEntityCert<'p>,
        issuers: &'p [CertificateDer<'p>],
        now: u64,
    ) -> Result<VerifiedPath<'p>, Error> {
        let lists: Vec<&CertRevocationList<'_>> = self.lists.iter().collect();
        let revocation = match (RevocationOptionsBuilder::new(&lists), self.revocation) {
            (Ok(options), policy) => {
                let unknown = match policy {
                    Revocation::IfListed => UnknownStatusPolicy::Allow,
                    Revocation::Required => UnknownStatusPolicy::Deny,
                };
                let options = options.with_status_policy(unknown);
                Some(options.with_expiration_policy(ExpirationPolicy::Enforce).build())
            }
            (Err(_), Revocation::IfListed) => None,
            (Err(_), Revocation::Required) => return Err(Error::RevocationUnknown),
        };
        let path = end_entity.verify_for_usage(
            &[&self.signatures],
            &self.anchors.anchors,
            issuers,
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(now)),
            UsageCheckedElsewhere,
            revocation,
            None,
        );
        path.map_err(of_webpki)
    }

    /// What `rustls-webpki` does not ask of issuers, or is not asked to: that their key usage allows to sign
    /// certificates ([RFC 5280 section 6.1.4](https://www.rfc-editor.org/rfc/rfc5280#section-6.1.4) (n)), that their
    /// extended key usage does not rule out what they vouch for, and that the trust anchor allows as many of them.
    fn check_issuers(&self, path: &VerifiedPath<'_>, expected: &Expected<'_>) -> Result<(), Error> {
        let mut between = 0_usize;
        for issuer in path.intermediate_certificates() {
            let der = issuer.der();
            let issuer = Certificate::parse_with(&der, NameConstraints::CheckedElsewhere)?;
            if issuer.key_usage().is_some_and(|usage| !usage.contains(KeyUsage::KEY_CERT_SIGN)) {
                return Err(Error::IssuerNotCa);
            }
            expected.check_side(&issuer)?;
            // Certificates that a CA issues to itself, as when its key changes, do not count.
            between += usize::from(issuer.subject() != issuer.issuer());
        }
        let anchors = self.anchors.anchors.iter().zip(&self.anchors.path_lens);
        let mut allowed =
            anchors.filter(|(anchor, _)| *anchor == path.anchor()).map(|(_, path_len)| *path_len);
        if allowed.any(|path_len| path_len.is_none_or(|most| between <= usize::from(most))) {
            Ok(())
        } else {
            Err(Error::PathTooLong)
        }
    }
}

fn check_name(
    expected: &Expected<'_>,
    certificate: &Certificate<'_>,
    end_entity: &EndEntityCert<'_>,
    path: &VerifiedPath<'_>,
) -> Result<(), Error> {
    match (expected.name, certificate.subject_alt_name()) {
        (Some(PeerName::Dns(name)), Some(_)) => {
            let name = DnsName::try_from(name).map_err(|_| Error::WrongName)?;
            end_entity.verify_is_valid_for_subject_name(&ServerName::DnsName(name)).map_err(of_webpki)
        }
        // Name constraints say nothing about common names. Where they may be, a common name proves nothing.
        (Some(PeerName::Dns(_)), None) if is_constrained(path) => Err(Error::WrongName),
        _ => expected.check_name(certificate),
    }
}

fn is_constrained(path: &VerifiedPath<'_>) -> bool {
    let constrains = |der: &[u8]| {
        let issuer = Certificate::parse_with(der, NameConstraints::CheckedElsewhere);
        issuer.is_ok_and(|issuer| issuer.has_name_constraints())
    };
    path.anchor().name_constraints.is_some()
        || path.intermediate_certificates().any(|issuer| constrains(&issuer.der()))
}

/// Extended key usage is checked with everything else that is in a certificate.
struct UsageCheckedElsewhere;

impl ExtendedKeyUsageValidator for UsageCheckedElsewhere {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

fn of_webpki(error: webpki::Error) -> Error {
    use webpki::Error as W;
    match error {
        W::CertExpired { .. } => Error::Expired,
        W::CertNotValidYet { .. } => Error::NotYetValid,
        W::CertNotValidForName(_) | W::UnsupportedNameType => Error::WrongName,
        W::CertRevoked => Error::Revoked,
        W::UnknownRevocationStatus => Error::RevocationUnknown,
        W::CrlExpired { .. } => Error::CrlExpired,
        W::InvalidCrlSignatureForPublicKey
        | W::IssuerNotCrlSigner
        | W::UnsupportedCrlSignatureAlgorithmContext(_)
        | W::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
        | W::UnsupportedRevocationReasonsPartitioning
        | W::UnsupportedIndirectCrl
        | W::UnsupportedDeltaCrl => Error::BadCrl,
        W::InvalidSignatureForPublicKey => Error::BadSignature,
        W::UnsupportedSignatureAlgorithmContext(_)
        | W::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Error::UnsupportedAlgorithm,
        W::UnsupportedCriticalExtension => Error::UnknownCriticalExtension,
        W::CaUsedAsEndEntity => Error::IsCa,
        W::EndEntityUsedAsCa => Error::IssuerNotCa,
        W::PathLenConstraintViolated => Error::PathTooLong,
        W::NameConstraintViolation => Error::NameNotPermitted,
        W::UnknownIssuer | W::CertDistrusted => Error::UnknownIssuer,
        W::MaximumPathBuildCallsExceeded
        | W::MaximumSignatureChecksExceeded
        | W::MaximumPathDepthExceeded
        | W::MaximumNameConstraintComparisonsExceeded => Error::TooMany,
        _ => Error::Malformed,
    }
}

impl<C> fmt::Debug for Verifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("anchors", &self.anchors.len())
            .field("crls", &self.lists.len())
            .field("revocation", &self.revocation)
            .field("limits", &self.limits)
            .finish()
    }
}
