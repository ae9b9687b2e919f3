//! HKDF: the RFC's vectors and Wycheproof's.

use sedge_crypto::{Crypto, hkdf_expand, hkdf_extract};

use crate::hex;

for_every_provider!(rfc_5869, wycheproof_hkdf_sha_256);

/// RFC 5869 appendix A.1 to A.3: input, salt, info, pseudorandom key, output.
const RFC_5869: [[&str; 5]; 3] = [
    [
        "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ],
    [
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f
         303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
        "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f
         909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
        "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf
         e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09
         da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ],
    [
        "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
        "",
        "",
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ],
];

fn rfc_5869(crypto: &impl Crypto) {
    for vector in RFC_5869 {
        let [input, salt, info, key, output] = vector.map(hex);
        let extracted = hkdf_extract(crypto, &salt, &input);
        assert_eq!(extracted.expose()[..], key);
        let keyed = crypto.hmac_sha256(extracted.expose());
        assert_eq!(hkdf_expand::<82>(&keyed, &[&info]).expose()[..output.len()], output);
        let parts: Vec<&[u8]> = info.chunks(3).collect();
        assert_eq!(hkdf_expand::<42>(&keyed, &parts).expose()[..], output[..42]);
        assert_eq!(hkdf_expand::<7>(&keyed, &parts).expose()[..], output[..7]);
        assert!(hkdf_expand::<0>(&keyed, &parts).expose().is_empty());
    }
}

/// A shorter output is the beginning of a longer one: the longest serves for every size.
fn wycheproof_hkdf_sha_256(crypto: &impl Crypto) {
    const LONGEST: usize = 255 * 32;
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
    let mut sizes = std::collections::BTreeSet::new();
    for test in set.test_groups.into_iter().flat_map(|group| group.tests) {
        if test.result.must_fail() {
            // There is no way to ask for it: it does not compile.
            assert!(test.size > LONGEST, "{}: {}", test.tc_id, test.comment);
            continue;
        }
        let key = hkdf_extract(crypto, &test.salt, &test.ikm);
        let output = hkdf_expand::<LONGEST>(&crypto.hmac_sha256(key.expose()), &[&test.info]);
        assert_eq!(output.expose()[..test.size], test.okm[..], "{}: {}", test.tc_id, test.comment);
        sizes.insert(test.size);
    }
    assert_eq!(sizes.last(), Some(&LONGEST));
}
