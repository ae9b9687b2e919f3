//! ECDH and ECDSA in P-256.

use ecdsa::hazmat::{sign_prehashed, verify_prehashed};
use p256::ecdsa::Signature as RangedSignature;
use p256::elliptic_curve::PrimeField;
use p256::elliptic_curve::group::Group;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::{AffinePoint, NistP256, NonZeroScalar, ProjectivePoint, Scalar, U256};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::nonce::Nonces;
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

/// Signs with a nonce derived from the key, the digest and fresh randomness, as RFC 6979 section 3.6 allows.
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
    sign_with(scalar, digest, extra.expose())
}

#[cfg_attr(target_os = "none", inline(never))]
fn sign_with(scalar: &Secret<32>, digest: &[u8; 32], extra: &[u8]) -> Result<Signature, KeyError> {
    let key = private(scalar)?;
    let reduced: [u8; 32] = Scalar::reduce(&U256::from_be_slice(digest)).to_repr().into();
    let mut nonces = Nonces::new(scalar, &reduced, extra);
    // One nonce in 2^32 is refused.
    for _ in 0..8 {
        if let Ok(nonce) = private(nonces.next())
            && let Ok((signature, _)) = sign_prehashed::<NistP256>(&key, &nonce, digest)
        {
            return Ok(Signature::new(signature.to_bytes().into()));
        }
    }
    Err(KeyError::Randomness)
}

#[cfg_attr(target_os = "none", inline(never))]
pub(crate) fn verify(key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
    let signature =
        RangedSignature::from_bytes(signature.as_bytes().into()).map_err(|_| KeyError::Signature)?;
    verify_prehashed(&point(key)?, digest, &signature).map_err(|_| KeyError::Signature)
}

fn private(scalar: &Secret<32>) -> Result<Zeroizing<NonZeroScalar>, KeyError> {
    let scalar = NonZeroScalar::from_repr((*scalar.expose()).into()).into_option();
    scalar.map(Zeroizing::new).ok_or(KeyError::PrivateKey)
}

/// The point, if it is on the curve.
fn point(key: &PublicKey) -> Result<ProjectivePoint, KeyError> {
    let [_, coordinates @ ..] = key.as_bytes();
    let [x, y] = coordinates.as_chunks().0 else { return Err(KeyError::PublicKey) };
    let point = AffinePoint::from_coordinates(x.into(), y.into()).into_option();
    Ok(point.ok_or(KeyError::PublicKey)?.into())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use sha2::Digest;

    /// RFC 6979 appendix A.2.5.
    #[test]
    fn rfc_6979() {
        let scalar = Secret::new([
            0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1, 0xd6, 0x93,
            0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21,
        ]);
        let sample = sign_with(&scalar, &sha2::Sha256::digest(b"sample").into(), &[]).unwrap();
        assert_eq!(
            std::format!("{sample:?}"),
            "Signature(efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
             f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8)"
        );
        let test = sign_with(&scalar, &sha2::Sha256::digest(b"test").into(), &[]).unwrap();
        assert_eq!(
            std::format!("{test:?}"),
            "Signature(f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367\
             019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083)"
        );
    }

    /// Digests at and above the order, and randomness: as another implementation signs.
    #[test]
    fn nonces_are_as_another_implementation_draws_them() {
        for (byte, extra) in [(0, &[] as &[u8]), (0xff, &[]), (0x5a, &[7; 32]), (0xff, &[0; 32])] {
            let (scalar, digest) = (Secret::new([3; 32]), [byte; 32]);
            let (expected, _) = ecdsa::hazmat::sign_prehashed_rfc6979::<NistP256, sha2::Sha256>(
                &private(&scalar).unwrap(),
                &digest,
                extra,
            );
            let signature = sign_with(&scalar, &digest, extra).unwrap();
            assert_eq!(signature.as_bytes()[..], expected.to_bytes()[..]);
        }
    }
}
