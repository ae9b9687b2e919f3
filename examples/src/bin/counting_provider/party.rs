//! Who the two sides are.

use sedge_crypto::{
    Crypto, CryptoRng, PublicKey, Secret, Signature, public_key_from_info, subject_public_key_info,
};
use sedge_dtls::{AlertDescription, CertificateType, Credentials, PeerCertificate, Psk, Verified};

/// A side with a pre-shared key.
pub(crate) struct WithPsk(pub(crate) Psk);

impl<C: Crypto> Credentials<C> for WithPsk {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        Some((b"sensor-7", &self.0))
    }

    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        (identity == b"sensor-7").then(|| (self.0.clone(), 1))
    }
}

/// A side with a raw public key, that believes one other.
pub(crate) struct WithRawKey<C: Crypto> {
    key: C::SigningKey,
    info: [u8; 91],
    pub(crate) peer: PublicKey,
}

impl<C: Crypto> WithRawKey<C> {
    /// Two sides that believe each other.
    pub(crate) fn pair(crypto: &C, scalars: [Secret<32>; 2]) -> Option<[Self; 2]> {
        let [one, two] = scalars.map(|scalar| crypto.signing_key(&scalar).ok());
        let (one, two) = (one?, two?);
        let [of_one, of_two] = [&one, &two].map(|key| crypto.public_key(key));
        Some([
            Self { key: one, info: subject_public_key_info(&of_one), peer: of_two },
            Self { key: two, info: subject_public_key_info(&of_two), peer: of_one },
        ])
    }
}

impl<C: Crypto> Credentials<C> for WithRawKey<C> {
    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        (kind == CertificateType::RawPublicKey && index == 0).then_some(&self.info)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &C,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(&self.key, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        &[CertificateType::RawPublicKey]
    }

    fn verify(&mut self, _: &C, certificate: &PeerCertificate<'_>) -> Result<Verified, AlertDescription> {
        let public_key = certificate.entries().next().and_then(|info| public_key_from_info(info).ok());
        match public_key {
            Some(public_key) if public_key == self.peer => Ok(Verified { public_key, principal: 1 }),
            _ => Err(AlertDescription::CERTIFICATE_UNKNOWN),
        }
    }
}
