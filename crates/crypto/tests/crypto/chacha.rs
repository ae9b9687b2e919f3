//! ChaCha20-Poly1305: Wycheproof's vectors, the `chacha20poly1305` crate at every length, and lengths that the algorithm
//! does not have.

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use sedge_crypto::{Aead, AeadError, Crypto};

use crate::seal;

for_every_provider!(
    wycheproof_chacha20_poly1305,
    every_length_agrees_with_another_implementation,
    other_lengths_are_refused,
);

fn wycheproof_chacha20_poly1305(crypto: &impl Crypto) {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::ChaCha20Poly1305).unwrap();
    let mut count = 0;
    for group in set.test_groups.into_iter().filter(|group| group.nonce_size == 96) {
        for test in group.tests {
            let mut data = test.ct.to_vec();
            let outcome =
                crypto.open(Aead::ChaCha20Poly1305, &test.key, &test.nonce, &test.aad, &mut data, &test.tag);
            if test.result.must_fail() {
                assert_eq!(outcome, Err(AeadError), "{}: {}", test.tc_id, test.comment);
            } else {
                assert_eq!((outcome, &data[..]), (Ok(()), &test.pt[..]), "{}", test.tc_id);
                let sealed =
                    seal(crypto, Aead::ChaCha20Poly1305, &test.key, &test.nonce, &test.aad, &test.pt);
                assert_eq!(sealed, [&test.ct[..], &test.tag[..]].concat(), "{}", test.tc_id);
            }
            count += 1;
        }
    }
    assert!(count > 250, "only {count} of Wycheproof's tests apply");
}

fn every_length_agrees_with_another_implementation(crypto: &impl Crypto) {
    let bytes: Vec<u8> = (0..400usize).map(|n| (n * 73 + 5) as u8).collect();
    let (key, nonce): (&[u8; 32], &[u8; 12]) =
        (bytes[..32].try_into().unwrap(), bytes[40..52].try_into().unwrap());
    let oracle = ChaCha20Poly1305::new(key.into());
    for len in 0..300 {
        for aad in [0, 1, 13, 15, 16, 17, 33, 64, 65] {
            let (aad, plaintext) = (&bytes[100..100 + aad], &bytes[50..50 + len]);
            let sealed = seal(crypto, Aead::ChaCha20Poly1305, key, nonce, aad, plaintext);
            let mut expected = plaintext.to_vec();
            let tag =
                oracle.encrypt_inout_detached(nonce.into(), aad, expected.as_mut_slice().into()).unwrap();
            expected.extend(tag);
            assert_eq!(sealed, expected, "{len}");
        }
    }
}

fn other_lengths_are_refused(crypto: &impl Crypto) {
    for (key, nonce) in [(16, 12), (31, 12), (33, 12), (0, 12), (32, 0), (32, 8), (32, 13), (32, 24)] {
        let (key, nonce) = (vec![1; key], vec![2; nonce]);
        let mut data = [7; 20];
        assert_eq!(crypto.seal(Aead::ChaCha20Poly1305, &key, &nonce, b"", &mut data), Err(AeadError));
        let outcome = crypto.open(Aead::ChaCha20Poly1305, &key, &nonce, b"", &mut data, &[0; 16]);
        assert_eq!(outcome, Err(AeadError));
    }
    for aead in [Aead::Aes128Ccm8, Aead::Aes128Ccm, Aead::Aes128Gcm] {
        for key in [0, 15, 17, 32] {
            assert_eq!(crypto.seal(aead, &vec![1; key], &[2; 12], b"", &mut [7; 20]), Err(AeadError));
        }
    }
}
