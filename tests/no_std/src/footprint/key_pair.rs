//! A device with a private key, which it shows as a raw public key or in a certificate.

use sedge_crypto::{
    Crypto, CryptoRng, PublicKey, RustSigningKey, SUBJECT_PUBLIC_KEY_INFO_LEN, Secret, Signature,
    public_key_from_info, subject_public_key_info,
};
use sedge_dtls::{AlertDescription, CertificateType, Credentials, PeerCertificate, Verified};
use sedge_x509::{Expected, PeerName, PinnedIssuer};

use crate::footprint::{PROVIDER, Provider};

static SCALAR: [u8; 32] = *include_bytes!("../../pki/client.scalar");
static CERTIFICATE: &[u8] = include_bytes!("../../pki/client.der");
/// The server's public key, or that of the issuer of its certificate.
static SERVER: [u8; 65] = *include_bytes!("../../pki/server.point");
static ISSUER: [u8; 65] = *include_bytes!("../../pki/issuer.point");
pub const SERVER_NAME: &str = "broker.example";

/// Shows a raw public key, and believes one.
pub struct RawPublicKey {
    key: RustSigningKey,
    info: [u8; SUBJECT_PUBLIC_KEY_INFO_LEN],
}

impl RawPublicKey {
    pub fn credentials() -> impl Credentials<Provider> {
        let key = signing_key();
        let info = subject_public_key_info(&PROVIDER.public_key(&key));
        Self { key, info }
    }
}

impl Credentials<Provider> for RawPublicKey {
    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        (kind == CertificateType::RawPublicKey && index == 0).then_some(&self.info)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &Provider,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(&self.key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        &[CertificateType::RawPublicKey]
    }

    fn verify(
        &mut self,
        _: &Provider,
        certificate: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        let shown = certificate.entries().next().and_then(|info| public_key_from_info(info).ok());
        let public_key = shown.filter(|key| *key.as_bytes() == SERVER);
        let public_key = public_key.ok_or(AlertDescription::CERTIFICATE_UNKNOWN)?;
        Ok(Verified { public_key, principal: 1 })
    }
}

/// Shows a certificate, and believes those of one issuer.
pub struct Certificate {
    key: RustSigningKey,
    issuer: PinnedIssuer,
}

impl Certificate {
    pub fn credentials() -> impl Credentials<Provider> {
        let Ok(issuer) = PublicKey::from_bytes(&ISSUER) else { loop {} };
        Self { key: signing_key(), issuer: PinnedIssuer::new(issuer) }
    }
}

impl Credentials<Provider> for Certificate {
    fn server_name(&self) -> Option<&str> {
        Some(SERVER_NAME)
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        (kind == CertificateType::X509 && index == 0).then_some(CERTIFICATE)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &Provider,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(&self.key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        &[CertificateType::X509]
    }

    fn verify(
        &mut self,
        crypto: &Provider,
        certificate: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        let expected = Expected::server(PeerName::Dns(SERVER_NAME));
        let shown = certificate.entries().next().ok_or(AlertDescription::BAD_CERTIFICATE)?;
        // A device without a clock cannot tell what has expired.
        let verified = self.issuer.verify(crypto, shown, &expected, None);
        let verified = verified.map_err(|_| AlertDescription::BAD_CERTIFICATE)?;
        Ok(Verified { public_key: *verified.public_key(), principal: 1 })
    }
}

fn signing_key() -> RustSigningKey {
    match PROVIDER.signing_key(&Secret::new(SCALAR)) {
        Ok(key) => key,
        Err(_) => loop {},
    }
}
