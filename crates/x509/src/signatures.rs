//! Signatures for `rustls-webpki`, checked by any provider.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;

use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sedge_crypto::{Crypto, Hash as _, PublicKey, Signature};

/// ECDSA with P-256 and SHA-256, by the provider `C`: the only signature that chains are checked for, so that there is
/// no second library of cryptography in the program.
///
/// It remembers the last few signatures that it found good. A server sees the same list of revoked certificates and
/// the same CAs with every peer; only the peer's own certificate is new.
pub struct EcdsaP256Sha256<C> {
    crypto: C,
    /// The most recently used last.
    good: Mutex<VecDeque<Signed>>,
}

/// That this key has signed this digest so is true for ever.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Signed {
    key: PublicKey,
    digest: [u8; 32],
    signature: Signature,
}

/// How many signatures are remembered: those of a few CAs and their lists, and of the peers between two uses of them.
const REMEMBERED: usize = 16;

impl<C> EcdsaP256Sha256<C> {
    /// With this provider.
    pub const fn new(crypto: C) -> Self {
        Self { crypto, good: Mutex::new(VecDeque::new()) }
    }

    /// Whether the signature was found good before; puts it where it is forgotten last.
    fn remembers(&self, signed: &Signed) -> bool {
        let Ok(mut good) = self.good.lock() else { return false };
        let found = good.iter().position(|known| known == signed).and_then(|at| good.remove(at));
        good.extend(found);
        found.is_some()
    }

    fn remember(&self, signed: Signed) {
        let Ok(mut good) = self.good.lock() else { return };
        if good.len() >= REMEMBERED {
            good.pop_front();
        }
        good.push_back(signed);
    }
}

impl<C: Crypto + Send + Sync> SignatureVerificationAlgorithm for EcdsaP256Sha256<C> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = PublicKey::from_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        let mut hash = self.crypto.sha256();
        hash.update(message);
        let signed = Signed { key, digest: hash.finish(), signature };
        if !self.remembers(&signed) {
            self.crypto.verify(&key, &signed.digest, &signature).map_err(|_| InvalidSignature)?;
            self.remember(signed);
        }
        Ok(())
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
