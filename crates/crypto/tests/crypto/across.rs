//! The providers with each other: what one makes, the other takes.

use proptest::prelude::*;
use sedge_crypto::{Crypto, HostCrypto, NamedGroup, RustCrypto, Secret};

use crate::random::Seeded;

const GROUPS: [NamedGroup; 2] = [NamedGroup::Secp256r1, NamedGroup::X25519];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn both_agree_on_one_secret(seed: u64, other: u64) {
        for group in GROUPS {
            let rust = RustCrypto.ephemeral_key(group, &mut Seeded(seed)).unwrap();
            let host = HostCrypto.ephemeral_key(group, &mut Seeded(other)).unwrap();
            prop_assert_eq!(
                RustCrypto.agree(&rust, HostCrypto.key_share(&host).as_bytes()),
                HostCrypto.agree(&host, RustCrypto.key_share(&rust).as_bytes())
            );
        }
    }

    #[test]
    fn what_is_no_share_to_one_is_none_to_the_other(seed: u64, mut share: [u8; 65], flip in 0..64usize) {
        let rust = RustCrypto.ephemeral_key(NamedGroup::Secp256r1, &mut Seeded(seed)).unwrap();
        let host = HostCrypto.ephemeral_key(NamedGroup::Secp256r1, &mut Seeded(seed)).unwrap();
        share[0] = 4;
        prop_assert_eq!(RustCrypto.agree(&rust, &share), HostCrypto.agree(&host, &share));
        share.copy_from_slice(RustCrypto.key_share(&rust).as_bytes());
        share[1 + flip] ^= 0x10;
        prop_assert_eq!(RustCrypto.agree(&rust, &share), HostCrypto.agree(&host, &share));
    }

    #[test]
    fn one_verifies_what_the_other_signs(mut scalar: [u8; 32], digest: [u8; 32], seed: u64) {
        // In range: between 1 and the order.
        scalar[0] = 0x7f;
        let rust = RustCrypto.signing_key(&Secret::new(scalar)).unwrap();
        let host = HostCrypto.signing_key(&Secret::new(scalar)).unwrap();
        let key = RustCrypto.public_key(&rust);
        prop_assert_eq!(HostCrypto.public_key(&host), key);
        let from_rust = RustCrypto.sign(&rust, &digest, &mut Seeded(seed)).unwrap();
        let from_host = HostCrypto.sign(&host, &digest, &mut Seeded(seed)).unwrap();
        prop_assert_eq!(HostCrypto.verify(&key, &digest, &from_rust), Ok(()));
        prop_assert_eq!(RustCrypto.verify(&key, &digest, &from_host), Ok(()));
    }
}
