//! AES-CCM: NIST's vectors, Wycheproof's, and the `ccm` crate at every length.

use ::ccm::aead::{AeadInOut, KeyInit};
use ::ccm::consts::{U8, U12, U13, U16};
use proptest::prelude::*;
use sedge_crypto::{Aead, AeadError, Crypto, RustCrypto};

use crate::{hex, seal};

const AEADS: [Aead; 2] = [Aead::Aes128Ccm8, Aead::Aes128Ccm];

for_every_provider!(
    nist_cavp,
    nist_cavp_verification,
    wycheproof_aes_ccm,
    every_length_agrees_with_another_implementation,
    lengths_beyond_the_algorithm_are_refused,
);

fn nist_cavp(crypto: &impl Crypto) {
    let vectors = include_str!("../vectors/nist-ccm-128.txt");
    let mut count = 0;
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> = line.split(' ').map(hex).collect();
        let [key, nonce, aad, plaintext, sealed] = &fields[..] else { panic!("{line}") };
        let aead = AEADS.into_iter().find(|aead| aead.tag_len() == sealed.len() - plaintext.len()).unwrap();
        let key = key[..].try_into().unwrap();
        assert_eq!(seal(crypto, aead, key, nonce, aad, plaintext), *sealed, "{line}");
        count += 1;
    }
    assert_eq!(count, 63);
}

fn nist_cavp_verification(crypto: &impl Crypto) {
    let vectors = include_str!("../vectors/nist-ccm-128-verify.txt");
    let mut failed = 0;
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let (fields, plaintext) = line.rsplit_once(' ').unwrap();
        let fields: Vec<_> = fields.split(' ').map(hex).collect();
        let [key, nonce, aad, sealed] = &fields[..] else { panic!("{line}") };
        let (data, tag) = sealed.split_at(sealed.len() - 16);
        let mut data = data.to_vec();
        let opened = crypto.open(Aead::Aes128Ccm, key[..].try_into().unwrap(), nonce, aad, &mut data, tag);
        if plaintext == "fail" {
            failed += 1;
            assert_eq!(opened, Err(AeadError), "{line}");
        } else {
            assert_eq!((opened, data), (Ok(()), hex(plaintext)), "{line}");
        }
    }
    assert_eq!(failed, 40);
}

fn wycheproof_aes_ccm(crypto: &impl Crypto) {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesCcm).unwrap();
    let mut count = 0;
    for group in set.test_groups {
        let Some(aead) = AEADS.into_iter().find(|aead| aead.tag_len() * 8 == group.tag_size) else {
            continue;
        };
        if group.key_size != 128 || !(96..=104).contains(&group.nonce_size) {
            continue;
        }
        for test in group.tests {
            let key = test.key[..].try_into().unwrap();
            let mut data = test.ct.to_vec();
            let outcome = crypto.open(aead, key, &test.nonce, &test.aad, &mut data, &test.tag);
            if test.result.must_fail() {
                assert_eq!(outcome, Err(AeadError), "{}: {}", test.tc_id, test.comment);
            } else {
                assert_eq!((outcome, &data[..]), (Ok(()), &test.pt[..]), "{}", test.tc_id);
                let sealed = seal(crypto, aead, key, &test.nonce, &test.aad, &test.pt);
                assert_eq!(sealed, [&test.ct[..], &test.tag[..]].concat(), "{}", test.tc_id);
            }
            count += 1;
        }
    }
    assert!(count > 60, "only {count} of Wycheproof's tests apply");
}

/// The same by another implementation.
fn oracle(tag_len: usize, key: &[u8; 16], nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut data = plaintext.to_vec();
    macro_rules! run {
        ($tag:ty, $nonce:ty) => {{
            let cipher = ::ccm::Ccm::<aes::Aes128, $tag, $nonce>::new(key.into());
            let nonce = nonce.try_into().unwrap();
            cipher.encrypt_inout_detached(nonce, aad, data.as_mut_slice().into()).unwrap().to_vec()
        }};
    }
    let tag = match (tag_len, nonce.len()) {
        (8, 12) => run!(U8, U12),
        (8, 13) => run!(U8, U13),
        (16, 12) => run!(U16, U12),
        (16, 13) => run!(U16, U13),
        other => panic!("{other:?}"),
    };
    [data, tag].concat()
}

fn every_length_agrees_with_another_implementation(crypto: &impl Crypto) {
    let bytes: Vec<u8> = (0..200u8).map(|n| n.wrapping_mul(73).wrapping_add(5)).collect();
    let key = bytes[..16].try_into().unwrap();
    for aead in AEADS {
        for nonce in [&bytes[20..32], &bytes[20..33]] {
            for len in 0..100 {
                for aad in [0, 1, 13, 14, 15, 16, 29, 30, 31, 43, 46, 47] {
                    let (aad, plaintext) = (&bytes[100..100 + aad], &bytes[50..50 + len]);
                    let expected = oracle(aead.tag_len(), key, nonce, aad, plaintext);
                    assert_eq!(seal(crypto, aead, key, nonce, aad, plaintext), expected);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_input_agrees_with_another_implementation(
        key: [u8; 16],
        nonce: [u8; 12],
        aad in proptest::collection::vec(any::<u8>(), 0..600),
        plaintext in proptest::collection::vec(any::<u8>(), 0..1500),
    ) {
        for aead in AEADS {
            let expected = oracle(aead.tag_len(), &key, &nonce, &aad, &plaintext);
            prop_assert_eq!(seal(&RustCrypto, aead, &key, &nonce, &aad, &plaintext), expected);
        }
    }
}

fn lengths_beyond_the_algorithm_are_refused(crypto: &impl Crypto) {
    let seal = |nonce: &[u8], aad: &[u8], len: usize| {
        let mut data = vec![0; len];
        crypto.seal(Aead::Aes128Ccm8, &[0; 16], nonce, aad, &mut data).map(|_| ())
    };
    assert_eq!(seal(&[0; 13], b"", (1 << 16) - 1), Ok(()));
    assert_eq!(seal(&[0; 13], b"", 1 << 16), Err(AeadError));
    assert_eq!(seal(&[0; 12], b"", 1 << 16), Ok(()));
    assert_eq!(seal(&[0; 12], &vec![0; 0xff00], 1), Err(AeadError));
    for len in [0, 6, 14, 16, 300] {
        assert_eq!(seal(&vec![0; len], b"", 1), Err(AeadError));
    }
}
