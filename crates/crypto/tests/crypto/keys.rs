//! Key exchange and signatures.

use sedge_crypto::{Crypto, KeyError, NamedGroup, RustCrypto, Secret, Signature};

use crate::TestRng;

#[test]
fn both_sides_agree() {
    for group in [NamedGroup::Secp256r1, NamedGroup::X25519] {
        let [one, two] = [1, 2].map(|seed| RustCrypto.ephemeral_key(group, &mut TestRng(seed)).unwrap());
        let [to_two, to_one] = [&one, &two].map(|key| RustCrypto.key_share(key));
        assert_ne!(to_one, to_two);
        assert_eq!(to_one.as_bytes().len(), group.share_len());
        let secret = RustCrypto.agree(&one, to_one.as_bytes()).unwrap();
        assert_eq!(RustCrypto.agree(&two, to_two.as_bytes()).unwrap(), secret);
        assert_ne!(RustCrypto.agree(&two, to_one.as_bytes()).unwrap(), secret);
    }
}

#[test]
fn a_signature_is_its_keys_over_its_digest() {
    let keys = [1, 2].map(|n| RustCrypto.signing_key(&Secret::new([n; 32])).unwrap());
    let [public, other] = keys.each_ref().map(|key| RustCrypto.public_key(key));
    let signature = RustCrypto.sign(&keys[0], &[7; 32], &mut TestRng(1)).unwrap();
    assert_eq!(RustCrypto.verify(&public, &[7; 32], &signature), Ok(()));
    assert_eq!(RustCrypto.verify(&public, &[8; 32], &signature), Err(KeyError::Signature));
    assert_eq!(RustCrypto.verify(&other, &[7; 32], &signature), Err(KeyError::Signature));
    for at in 0..64 {
        let mut bytes = *signature.as_bytes();
        bytes[at] ^= 1;
        assert_eq!(
            RustCrypto.verify(&public, &[7; 32], &Signature::new(bytes)),
            Err(KeyError::Signature),
            "{at}"
        );
    }
}
