//! Who the parties are: a pre-shared key, and raw public keys that each side pins.

use std::sync::LazyLock;

use sedge_crypto::{
    Crypto, CryptoRng, NamedGroup, PublicKey, RustCrypto, Secret, Signature, TryCryptoRng, TryRng,
    public_key_from_info, subject_public_key_info,
};
use sedge_dtls::{AlertDescription, CertificateType, Credentials, PeerCertificate, Psk, Verified};

pub const IDENTITY: &[u8] = b"sensor-7";
pub const KEY: [u8; 16] = *b"0123456789abcdef";
pub const PRINCIPAL: u32 = 41;
pub const SERVER_KEY: [u8; 32] = [0x51; 32];
pub const CLIENT_KEY: [u8; 32] = [0x52; 32];

pub type EphemeralKey = <RustCrypto as Crypto>::EphemeralKey;

/// The scripts' own key for key exchanges, always the same.
pub static EPHEMERAL: LazyLock<EphemeralKey> =
    LazyLock::new(|| RustCrypto.ephemeral_key(NamedGroup::Secp256r1, &mut TestRng(99)).unwrap());

/// Deterministic: a counter through a mixer.
#[derive(Clone, Debug)]
pub struct TestRng(pub u64);

impl TryRng for TestRng {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in dst.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

pub type SigningKey = <RustCrypto as Crypto>::SigningKey;

pub fn signing_key(scalar: [u8; 32]) -> SigningKey {
    RustCrypto.signing_key(&Secret::new(scalar)).unwrap()
}

/// A side's credentials; what is `None` it does not have.
pub struct Party {
    pub psk: Option<Psk>,
    pub key: Option<SigningKey>,
    info: Option<[u8; 91]>,
    pub pinned: Option<PublicKey>,
}

impl Party {
    pub fn new(psk: bool, own: Option<[u8; 32]>, peer: Option<[u8; 32]>) -> Self {
        let key = own.map(signing_key);
        let info = key.as_ref().map(|key| subject_public_key_info(&RustCrypto.public_key(key)));
        let pinned = peer.map(|scalar| RustCrypto.public_key(&signing_key(scalar)));
        Self { psk: psk.then(|| Psk::new(&KEY).unwrap()), key, info, pinned }
    }
}

impl Credentials<RustCrypto> for Party {
    fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
        self.psk.as_ref().map(|psk| (IDENTITY, psk))
    }

    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        self.psk.clone().filter(|_| identity == IDENTITY).map(|psk| (psk, PRINCIPAL))
    }

    fn certificate(&self, kind: CertificateType, index: usize) -> Option<&[u8]> {
        match (kind, index) {
            (CertificateType::RawPublicKey, 0) => self.info.as_ref().map(|info| &info[..]),
            _ => None,
        }
    }

    fn sign<R: CryptoRng + ?Sized>(
        &mut self,
        crypto: &RustCrypto,
        rng: &mut R,
        digest: &[u8; 32],
    ) -> Option<Signature> {
        crypto.sign(self.key.as_ref()?, digest, rng).ok()
    }

    fn believes(&self) -> &[CertificateType] {
        match self.pinned {
            Some(_) => &[CertificateType::RawPublicKey],
            None => &[],
        }
    }

    fn verify(
        &mut self,
        _: &RustCrypto,
        certificate: &PeerCertificate<'_>,
    ) -> Result<Verified, AlertDescription> {
        let info = certificate.entries().next().unwrap();
        let public_key = public_key_from_info(info).map_err(|_| AlertDescription::BAD_CERTIFICATE)?;
        match self.pinned.as_ref() == Some(&public_key) {
            true => Ok(Verified { public_key, principal: PRINCIPAL }),
            false => Err(AlertDescription::CERTIFICATE_UNKNOWN),
        }
    }
}
