//! ECDH and ECDSA in P-256.

use p256::ecdsa::Signature as RangedSignature;
use p256::elliptic_curve::group::Group;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::{NistP256, NonZeroScalar, ProjectivePoint};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::key::{KeyError, PublicKey};
use crate::secret::Secret;
use crate::signature::Signature;

/// Draws a private key: a scalar from 1 to the order of the curve less 1.
pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<Secret<32>, KeyError> {
    // One draw in 2^32 is out of range. A source that never yields one in range must not hang its user.
    for _ in 0..8 {
        let mut scalar = Secret::zero();
        rng.fill_bytes(scalar.expose_mut());
        if private(&scalar).is_ok() {
            return Ok(scalar);
        }
    }
    Err(KeyError::Randomness)
}

/// The public key of a private key.
pub(crate) fn public_key(scalar: &Secret<32>) -> Result<PublicKey, KeyError> {
    let point = ProjectivePoint::mul_by_generator(&*private(scalar)?).to_affine();
    let mut bytes = [4; PublicKey::LEN];
    for (to, from) in bytes.iter_mut().skip(1).zip(point.x().into_iter().chain(point.y())) {
        *to = from;
    }
    PublicKey::new(bytes)
}

/// The x-coordinate of the point that both sides arrive at.
pub(crate) fn agree(scalar: &Secret<32>, peer: &[u8]) -> Result<Secret<32>, KeyError> {
    let peer = point(&PublicKey::from_bytes(peer)?)?;
    // The curve has a prime order: no product of a point and a scalar in range is the point at infinity.
    let shared = (peer * **private(scalar)?).to_affine();
    Ok(Secret::new(shared.x().into()))
}

/// Signs with the nonce of RFC 6979 section 3.6: derived from the key and the digest, and from fresh randomness.
///
/// A broken source of randomness then leaks nothing, and repeated signatures over one message, some of them with
/// a fault injected, do not have the same nonce.
pub(crate) fn sign<R: CryptoRng + ?Sized>(
    scalar: &Secret<32>,
    digest: &[u8; 32],
    rng: &mut R,
) -> Result<Signature, KeyError> {
    let mut extra = Secret::<32>::zero();
    rng.fill_bytes(extra.expose_mut());
    let scalar = private(scalar)?;
    let (signature, _) =
        ecdsa::hazmat::sign_prehashed_rfc6979::<NistP256, Sha256>(&scalar, digest, extra.expose());
    Ok(Signature::new(signature.to_bytes().into()))
}

pub(crate) fn verify(key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
    let signature =
        RangedSignature::from_bytes(signature.as_bytes().into()).map_err(|_| KeyError::Signature)?;
    ecdsa::hazmat::verify_prehashed(&point(key)?, digest, &signature).map_err(|_| KeyError::Signature)
}

fn private(scalar: &Secret<32>) -> Result<Zeroizing<NonZeroScalar>, KeyError> {
    let scalar = NonZeroScalar::from_repr((*scalar.expose()).into()).into_option();
    scalar.map(Zeroizing::new).ok_or(KeyError::PrivateKey)
}

/// The point, if it is on the curve.
fn point(key: &PublicKey) -> Result<ProjectivePoint, KeyError> {
    let key = p256::PublicKey::from_sec1_bytes(key.as_bytes()).map_err(|_| KeyError::PublicKey)?;
    Ok(key.to_projective())
}
