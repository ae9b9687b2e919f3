//! The keys by which a resource server knows the tokens that are for it.

use sedge_cose::{Algorithm, Error, SymmetricKey};
use sedge_crypto::{PublicKey, Secret};

/// The keys that an authorisation server and one resource server share, of one generation.
///
/// Whoever has them can make tokens for this resource server, and read those that were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKeys {
    /// The `kid` in the header of tokens under these keys.
    pub id: [u8; 8],
    /// For tokens in COSE_Encrypt0 by AES-CCM-16-128-128.
    pub encryption: Secret<16>,
    /// For tokens in COSE_Mac0 by HMAC 256/256.
    pub mac: Secret<32>,
    /// From which keys are derived that tokens name and do not carry
    /// ([`derive_key`](crate::derive_key)).
    pub derivation: Secret<32>,
    /// By which tokens in COSE_Sign1 (ES256) are verified.
    pub verification: PublicKey,
}

impl TokenKeys {
    /// The key of tokens that are encrypted.
    pub fn encryption_key(&self) -> Result<SymmetricKey<'_>, Error> {
        SymmetricKey::new(Algorithm::AES_CCM_16_128_128, self.encryption.expose())
    }

    /// The key of tokens with an authentication code.
    pub fn mac_key(&self) -> Result<SymmetricKey<'_>, Error> {
        SymmetricKey::new(Algorithm::HMAC_256, self.mac.expose())
    }
}
