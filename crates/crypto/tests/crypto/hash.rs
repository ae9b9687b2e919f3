//! SHA-256, HMAC-SHA-256 and the single block of AES.

use sedge_crypto::{Crypto, Hash, Mac};

use crate::hex;

for_every_provider!(sha_256, hmac_sha_256, wycheproof_hmac_sha_256, every_length_of_key_is_taken, fips_197);

/// FIPS 197 appendix C.1.
fn fips_197(crypto: &impl Crypto) {
    let key = core::array::from_fn(|n| n as u8);
    let mut block = core::array::from_fn(|n| 0x11 * n as u8);
    crypto.encrypt_block(&key, &mut block);
    assert_eq!(block.to_vec(), hex("69c4e0d86a7b0430d8cdb78070b4c55a"));
}

/// FIPS 180-4, the examples of NIST's Cryptographic Standards and Guidelines.
fn sha_256(crypto: &impl Crypto) {
    let hash = |parts: &[&[u8]]| {
        let mut hash = crypto.sha256();
        parts.iter().for_each(|part| hash.update(part));
        hash.finish().to_vec()
    };
    let abc = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(hash(&[b"abc"]), abc);
    assert_eq!(hash(&[b"a", b"", b"bc"]), abc);
    assert_eq!(hash(&[]), hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    assert_eq!(hash(&[long]), hex("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
}

/// RFC 4231 section 4: test cases 1 to 4, 6 and 7 (5 is about truncation).
fn hmac_sha_256(crypto: &impl Crypto) {
    let long_key = [0xaa; 131];
    let cases: [(&[u8], &[u8], &str); 6] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (
            &hex("0102030405060708090a0b0c0d0e0f10111213141516171819"),
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            &long_key,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            &long_key,
            b"This is a test using a larger than block-size key and a larger than block-size data. \
              The key needs to be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (key, data, expected) in cases {
        let keyed = crypto.hmac_sha256(key);
        let mut whole = keyed.clone();
        whole.update(data);
        let mut parts = keyed;
        data.chunks(7).for_each(|part| parts.update(part));
        assert_eq!(whole.finish().to_vec(), hex(expected));
        assert_eq!(parts.finish().to_vec(), hex(expected));
    }
}

fn wycheproof_hmac_sha_256(crypto: &impl Crypto) {
    let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap();
    let mut count = 0;
    for group in set.test_groups {
        for test in group.tests {
            let mut mac = crypto.hmac_sha256(&test.key);
            mac.update(&test.msg);
            let equal = mac.finish()[..group.tag_size / 8] == test.tag[..];
            assert_eq!(equal, !test.result.must_fail(), "{}: {}", test.tc_id, test.comment);
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

/// Blocks of 64 bytes: keys and messages around the edges.
fn every_length_of_key_is_taken(crypto: &impl Crypto) {
    let key = [0x5c; 200];
    let macs: std::collections::HashSet<_> = (0..200)
        .map(|len| {
            let mut mac = crypto.hmac_sha256(&key[..len]);
            mac.update(b"message");
            mac.finish()
        })
        .collect();
    assert_eq!(macs.len(), 200);
}
