//! HKDF with SHA-256 ([RFC 5869](https://www.rfc-editor.org/rfc/rfc5869)).

use crate::provider::{Crypto, Mac};
use crate::secret::Secret;

/// Makes a pseudorandom key of input keying material
/// ([RFC 5869 section 2.2](https://www.rfc-editor.org/rfc/rfc5869#section-2.2)).
///
/// No salt is the empty salt: both are a key of zeros to HMAC.
pub fn hkdf_extract<C: Crypto>(crypto: &C, salt: &[u8], keying_material: &[u8]) -> Secret<32> {
    let mut mac = crypto.hmac_sha256(salt);
    mac.update(keying_material);
    Secret::new(mac.finish())
}

/// Expands a pseudorandom key to `N` bytes, at most 8,160
/// ([RFC 5869 section 2.3](https://www.rfc-editor.org/rfc/rfc5869#section-2.3)).
///
/// `keyed` is an HMAC under the pseudorandom key that has taken in nothing yet; it serves for any number of
/// expansions. `info` comes in parts, which are taken as one.
pub fn hkdf_expand<const N: usize>(keyed: &impl Mac, info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * 32, "HKDF's counter of blocks has one byte") };
    let mut output = Secret::zero();
    hkdf_expand_into(keyed, info, output.expose_mut());
    output
}

/// As [`hkdf_expand`], where there is a place for the output already. More than 8,160 bytes of it stay as they are.
///
/// Not generic over the length, so that there is one copy for all.
pub fn hkdf_expand_into(keyed: &impl Mac, info: &[&[u8]], output: &mut [u8]) {
    let mut previous = Secret::zero();
    for (block, number) in output.chunks_mut(32).zip(1..=255) {
        let mut mac = keyed.clone();
        if number > 1 {
            mac.update(Secret::<32>::expose(&previous));
        }
        info.iter().for_each(|part| mac.update(part));
        mac.update(&[number]);
        *previous.expose_mut() = mac.finish();
        for (to, from) in block.iter_mut().zip(previous.expose()) {
            *to = *from;
        }
    }
}
