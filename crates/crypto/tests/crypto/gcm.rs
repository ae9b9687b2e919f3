//! AES-GCM: Wycheproof's vectors, the `aes-gcm` crate at every length, and lengths that the algorithm does not have.

use aes_gcm::aead::{AeadInOut, KeyInit};
use proptest::prelude::*;
use sedge_crypto::{Aead, AeadError, Crypto, RustCrypto};

use crate::seal;

for_every_provider!(
    wycheproof_aes_gcm,
    every_length_agrees_with_another_implementation,
    lengths_beyond_the_algorithm_are_refused,
);

fn wycheproof_aes_gcm(crypto: &impl Crypto) {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).unwrap();
    let mut count = 0;
    for group in set.test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (128, 96, 128) {
            continue;
        }
        for test in group.tests {
            let key = test.key[..].try_into().unwrap();
            let mut data = test.ct.to_vec();
            let outcome = crypto.open(Aead::Aes128Gcm, key, &test.nonce, &test.aad, &mut data, &test.tag);
            if test.result.must_fail() {
                assert_eq!(outcome, Err(AeadError), "{}: {}", test.tc_id, test.comment);
            } else {
                assert_eq!((outcome, &data[..]), (Ok(()), &test.pt[..]), "{}", test.tc_id);
                let sealed = seal(crypto, Aead::Aes128Gcm, key, &test.nonce, &test.aad, &test.pt);
                assert_eq!(sealed, [&test.ct[..], &test.tag[..]].concat(), "{}", test.tc_id);
            }
            count += 1;
        }
    }
    assert!(count > 60, "only {count} of Wycheproof's tests apply");
}

/// The same by another implementation.
fn oracle(key: &[u8; 16], nonce: &[u8; 12], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut data = plaintext.to_vec();
    let cipher = aes_gcm::Aes128Gcm::new(key.into());
    let tag = cipher.encrypt_inout_detached(nonce.into(), aad, data.as_mut_slice().into()).unwrap();
    [data, tag.to_vec()].concat()
}

fn every_length_agrees_with_another_implementation(crypto: &impl Crypto) {
    let bytes: Vec<u8> = (0..400usize).map(|n| (n * 73 + 5) as u8).collect();
    let key: &[u8; 16] = bytes[..16].try_into().unwrap();
    let nonce: &[u8; 12] = bytes[20..32].try_into().unwrap();
    for len in 0..300 {
        for aad in [0, 1, 13, 15, 16, 17, 33, 64, 65] {
            let (aad, plaintext) = (&bytes[100..100 + aad], &bytes[50..50 + len]);
            let sealed = seal(crypto, Aead::Aes128Gcm, key, nonce, aad, plaintext);
            assert_eq!(sealed, oracle(key, nonce, aad, plaintext), "{len}");
        }
    }
}

proptest! {
    #[test]
    fn any_input_agrees_with_another_implementation(
        key: [u8; 16],
        nonce: [u8; 12],
        aad in proptest::collection::vec(any::<u8>(), 0..600),
        plaintext in proptest::collection::vec(any::<u8>(), 0..6000),
    ) {
        let sealed = seal(&RustCrypto, Aead::Aes128Gcm, &key, &nonce, &aad, &plaintext);
        prop_assert_eq!(sealed, oracle(&key, &nonce, &aad, &plaintext));
    }
}

fn lengths_beyond_the_algorithm_are_refused(crypto: &impl Crypto) {
    for len in [0, 7, 11, 13, 16, 300] {
        let nonce = vec![0; len];
        let mut data = [7; 20];
        assert_eq!(crypto.seal(Aead::Aes128Gcm, &[0; 16], &nonce, b"", &mut data), Err(AeadError));
        assert_eq!(crypto.open(Aead::Aes128Gcm, &[0; 16], &nonce, b"", &mut data, &[0; 16]), Err(AeadError));
    }
    let mut data = [7; 20];
    let tag = crypto.seal(Aead::Aes128Gcm, &[0; 16], &[0; 12], b"", &mut data).unwrap();
    let long = [tag.as_bytes(), &[0]].concat();
    assert_eq!(crypto.open(Aead::Aes128Gcm, &[0; 16], &[0; 12], b"", &mut data, &long), Err(AeadError));
    assert_eq!(data, [0; 20], "what did not open was left behind");
}
