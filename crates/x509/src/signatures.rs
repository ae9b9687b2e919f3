//! Signatures for `rustls-webpki`, checked by any provider.

use std::fmt;

use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sedge_crypto::{Crypto, Hash as _, PublicKey, Signature};

/// ECDSA with P-256 and SHA-256, by the provider `C`: the only signature that chains are checked for, so that there is
/// no second library of cryptography in the program.
#[derive(Clone, Copy, Default)]
pub struct EcdsaP256Sha256<C>(pub C);

impl<C: Crypto + Send + Sync> SignatureVerificationAlgorithm for EcdsaP256Sha256<C> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = PublicKey::from_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        let mut hash = self.0.sha256();
        hash.update(message);
        self.0.verify(&key, &hash.finish(), &signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}

impl<C> fmt::Debug for EcdsaP256Sha256<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EcdsaP256Sha256")
    }
}
