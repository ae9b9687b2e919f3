//! ECDSA in P-256 with SHA-256: Wycheproof's vectors, an RFC's, and numbers out of range.

use sedge_crypto::{Crypto, Hash, KeyError, PublicKey, Secret, Signature};

use crate::random::Seeded;
use crate::{hex, hex32};

for_every_provider!(
    a_signature_is_its_keys_over_its_digest,
    wycheproof_der,
    wycheproof_p1363,
    rfc_6979,
    numbers_out_of_range_are_refused,
    both_signs_of_s_are_one_signature,
    keys_off_the_curve_are_refused,
    private_keys_out_of_range_are_refused,
    no_two_signatures_share_a_nonce,
);

/// The order of the curve.
const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

fn digest(crypto: &impl Crypto, message: &[u8]) -> [u8; 32] {
    let mut hash = crypto.sha256();
    hash.update(message);
    hash.finish()
}

fn a_signature_is_its_keys_over_its_digest(crypto: &impl Crypto) {
    let keys = [1, 2].map(|n| crypto.signing_key(&Secret::new([n; 32])).unwrap());
    let [public, other] = keys.each_ref().map(|key| crypto.public_key(key));
    let signature = crypto.sign(&keys[0], &[7; 32], &mut Seeded(1)).unwrap();
    assert_eq!(crypto.verify(&public, &[7; 32], &signature), Ok(()));
    assert_eq!(crypto.verify(&public, &[8; 32], &signature), Err(KeyError::Signature));
    assert_eq!(crypto.verify(&other, &[7; 32], &signature), Err(KeyError::Signature));
    for at in 0..64 {
        let mut bytes = *signature.as_bytes();
        bytes[at] ^= 1;
        let forged = Signature::new(bytes);
        assert_eq!(crypto.verify(&public, &[7; 32], &forged), Err(KeyError::Signature), "{at}");
    }
}

fn wycheproof_der(crypto: &impl Crypto) {
    let set = wycheproof::ecdsa::TestSet::load(wycheproof::ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups {
        let key = PublicKey::from_bytes(&group.key.key).unwrap();
        for test in group.tests {
            let digest = digest(crypto, &test.msg);
            let outcome =
                Signature::from_der(&test.sig).and_then(|signature| crypto.verify(&key, &digest, &signature));
            if test.result.must_fail() {
                assert_eq!(outcome, Err(KeyError::Signature), "{}: {}", test.tc_id, test.comment);
                invalid += 1;
            } else {
                assert_eq!(outcome, Ok(()), "{}: {}", test.tc_id, test.comment);
                let again = Signature::from_der(&test.sig).unwrap();
                assert_eq!(again.write_der(&mut [0; Signature::MAX_DER_LEN]), &test.sig[..]);
                valid += 1;
            }
        }
    }
    assert!(valid > 150 && invalid > 300, "{valid} valid, {invalid} invalid");
}

fn wycheproof_p1363(crypto: &impl Crypto) {
    let set =
        wycheproof::ecdsa::TestSet::load(wycheproof::ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups {
        let key = PublicKey::from_bytes(&group.key.key).unwrap();
        for test in group.tests {
            // Others have no 64 bytes, and cannot be said.
            let Ok(signature) = test.sig[..].try_into().map(Signature::new) else {
                assert!(test.result.must_fail(), "{}: {}", test.tc_id, test.comment);
                continue;
            };
            let outcome = crypto.verify(&key, &digest(crypto, &test.msg), &signature);
            if test.result.must_fail() {
                assert_eq!(outcome, Err(KeyError::Signature), "{}: {}", test.tc_id, test.comment);
                invalid += 1;
            } else {
                assert_eq!(outcome, Ok(()), "{}: {}", test.tc_id, test.comment);
                valid += 1;
            }
        }
    }
    assert!(valid > 150 && invalid > 50, "{valid} valid, {invalid} invalid");
}

/// RFC 6979 appendix A.2.5: the key, and the signature over "sample".
fn rfc_6979(crypto: &impl Crypto) {
    let scalar = hex32("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    let key = crypto.signing_key(&Secret::new(scalar)).unwrap();
    let public = crypto.public_key(&key);
    let expected = hex("04 60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6
            7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    assert_eq!(public.as_bytes()[..], expected);
    let signature = hex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716
         f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    let signature = Signature::new(signature.try_into().unwrap());
    assert_eq!(crypto.verify(&public, &digest(crypto, b"sample"), &signature), Ok(()));
    assert_eq!(crypto.verify(&public, &digest(crypto, b"samples"), &signature), Err(KeyError::Signature));
}

fn numbers_out_of_range_are_refused(crypto: &impl Crypto) {
    let key = crypto.signing_key(&Secret::new([1; 32])).unwrap();
    let public = crypto.public_key(&key);
    let good = crypto.sign(&key, &[7; 32], &mut Seeded(1)).unwrap();
    let n = hex32(N);
    let mut above = n;
    above[31] += 1;
    for bad in [[0; 32], n, above, [0xff; 32]] {
        for half in 0..2 {
            let mut bytes = *good.as_bytes();
            bytes[32 * half..32 * half + 32].copy_from_slice(&bad);
            let forged = Signature::new(bytes);
            // A digest of zeros makes the equation true for some of these, if nobody looks at the range.
            for digest in [[7; 32], [0; 32]] {
                assert_eq!(crypto.verify(&public, &digest, &forged), Err(KeyError::Signature), "{forged:?}");
            }
        }
        let both = Signature::new([bad, bad].concat().try_into().unwrap());
        assert_eq!(crypto.verify(&public, &[0; 32], &both), Err(KeyError::Signature), "{both:?}");
    }
}

/// TLS does not ask for the lower half: `s` and `n - s` are both right.
fn both_signs_of_s_are_one_signature(crypto: &impl Crypto) {
    let key = crypto.signing_key(&Secret::new([1; 32])).unwrap();
    let mut bytes = *crypto.sign(&key, &[7; 32], &mut Seeded(1)).unwrap().as_bytes();
    let mut borrow = 0;
    for (at, n) in hex32(N).into_iter().enumerate().rev() {
        let difference = i16::from(n) - i16::from(bytes[32 + at]) - borrow;
        borrow = i16::from(difference < 0);
        bytes[32 + at] = difference as u8;
    }
    assert_eq!(crypto.verify(&crypto.public_key(&key), &[7; 32], &Signature::new(bytes)), Ok(()));
}

fn keys_off_the_curve_are_refused(crypto: &impl Crypto) {
    let key = crypto.signing_key(&Secret::new([1; 32])).unwrap();
    let signature = crypto.sign(&key, &[7; 32], &mut Seeded(1)).unwrap();
    for at in 1..65 {
        let mut off = *crypto.public_key(&key).as_bytes();
        off[at] ^= 1;
        let off = PublicKey::new(off).unwrap();
        assert_eq!(crypto.verify(&off, &[7; 32], &signature), Err(KeyError::PublicKey), "byte {at}");
    }
    let mut origin = [0; 65];
    origin[0] = 4;
    let origin = PublicKey::new(origin).unwrap();
    assert_eq!(crypto.verify(&origin, &[7; 32], &signature), Err(KeyError::PublicKey));
}

fn private_keys_out_of_range_are_refused(crypto: &impl Crypto) {
    let n = hex32(N);
    for bad in [[0; 32], n, [0xff; 32]] {
        assert_eq!(crypto.signing_key(&Secret::new(bad)).err(), Some(KeyError::PrivateKey), "{bad:02x?}");
    }
    let mut last = n;
    last[31] -= 1;
    let key = crypto.signing_key(&Secret::new(last)).unwrap();
    let signature = crypto.sign(&key, &[7; 32], &mut Seeded(1)).unwrap();
    assert_eq!(crypto.verify(&crypto.public_key(&key), &[7; 32], &signature), Ok(()));
}

/// The first half of a signature tells its nonce: neither another message nor another moment may repeat it.
fn no_two_signatures_share_a_nonce(crypto: &impl Crypto) {
    let key = crypto.signing_key(&Secret::new([1; 32])).unwrap();
    let sign =
        |digest, seed| crypto.sign(&key, &[digest; 32], &mut Seeded(seed)).unwrap().as_bytes()[..32].to_vec();
    let halves = [sign(1, 1), sign(2, 1), sign(1, 2), sign(2, 2)];
    assert_eq!(std::collections::HashSet::from(halves).len(), 4);
}
