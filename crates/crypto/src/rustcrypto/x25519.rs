//! X25519 (RFC 7748).

use rand_core::CryptoRng;
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

use crate::key::KeyError;
use crate::secret::{Secret, constant_time_eq};

/// Draws a private key: any 32 bytes are one.
pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Secret<32> {
    let mut scalar = Secret::zero();
    rng.fill_bytes(scalar.expose_mut());
    scalar
}

/// The public key of a private key.
///
/// The general ladder serves for the base point too, so that devices carry one way to multiply.
pub(crate) fn public_key(scalar: &Secret<32>) -> [u8; 32] {
    x25519(*scalar.expose(), X25519_BASEPOINT_BYTES)
}

/// X25519 of the private key and the peer's share.
pub(crate) fn agree(scalar: &Secret<32>, peer: &[u8]) -> Result<Secret<32>, KeyError> {
    let peer = peer.try_into().map_err(|_| KeyError::PublicKey)?;
    let shared = Secret::new(x25519(*scalar.expose(), peer));
    // RFC 7748 section 6.1: a share of small order makes zeros.
    if constant_time_eq(shared.expose(), &[0; 32]) { Err(KeyError::PublicKey) } else { Ok(shared) }
}
