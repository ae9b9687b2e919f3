//! AES-GCM: Wycheproof's vectors, and lengths that the algorithm does not have.

use sedge_crypto::{Aead, AeadError, Crypto};

use crate::seal;

for_every_provider!(wycheproof_aes_gcm, lengths_beyond_the_algorithm_are_refused);

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
