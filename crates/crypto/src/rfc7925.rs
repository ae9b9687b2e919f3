//! The algorithms that every constrained node has to have, and no others.

use rand_core::CryptoRng;

use crate::aead::{Aead, AeadError, Tag};
use crate::key::{KeyError, NamedGroup};
use crate::layer::Layer;
use crate::provider::Crypto;
use crate::secret::Secret;

/// A provider without the algorithms that [RFC 7925](https://www.rfc-editor.org/rfc/rfc7925#section-4) does not
/// ask of constrained nodes: no GCM, no ChaCha20, no X25519.
///
/// They fail as if the provider inside did not have them, and the compiler sees that, so that firmware does not
/// carry them: around [`RustCrypto`](crate::RustCrypto) on a Cortex-M4, GCM is 2 KB and X25519 is 5 KB. Whoever
/// uses it offers suites with CCM only, and of the groups only `secp256r1`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rfc7925<C>(pub C);

impl<C: Crypto> Layer for Rfc7925<C> {
    type Inner = C;

    #[inline(always)]
    fn inner(&self) -> &C {
        &self.0
    }

    #[inline(always)]
    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        if !is_ccm(aead) {
            return Err(AeadError);
        }
        self.0.seal(aead, key, nonce, aad, in_out)
    }

    #[inline(always)]
    fn open(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        if !is_ccm(aead) {
            in_out.fill(0);
            return Err(AeadError);
        }
        self.0.open(aead, key, nonce, aad, in_out, tag)
    }

    #[inline(always)]
    fn ephemeral_key<R: CryptoRng + ?Sized>(
        &self,
        group: NamedGroup,
        rng: &mut R,
    ) -> Result<C::EphemeralKey, KeyError> {
        match group {
            NamedGroup::Secp256r1 => self.0.ephemeral_key(NamedGroup::Secp256r1, rng),
            NamedGroup::X25519 => Err(KeyError::Provider),
        }
    }

    #[inline(always)]
    fn agree(&self, key: &C::EphemeralKey, peer: &[u8]) -> Result<Secret<32>, KeyError> {
        // Of what was made here no key is in another group; said again for the compiler.
        match self.0.key_share(key).group() {
            NamedGroup::Secp256r1 => self.0.agree(key, peer),
            NamedGroup::X25519 => Err(KeyError::Provider),
        }
    }
}

const fn is_ccm(aead: Aead) -> bool {
    matches!(aead, Aead::Aes128Ccm8 | Aead::Aes128Ccm)
}
