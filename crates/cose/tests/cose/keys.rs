//! Keys: RFC 9052's and the working group's, and what is refused.

use sedge_cose::{Algorithm, CoseKey, Curve, Error, KeyOp, KeyOps, Material, SymmetricKey, Y, cbor};
use sedge_crypto::Crypto;

use crate::support::{encoded, hex};

for_every_provider!(a_private_key_belongs_to_its_public_key);

/// RFC 9052 appendix C.7.2: the first key.
const EC2: &str =
    "a6 01 02 02 58 24 6d65726961646f632e6272616e64796275636b406275636b6c616e642e6578616d706c65 20 01
    21 58 20 65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d
    22 58 20 1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c
    23 58 20 aff907c99f9ad3aae6c4cdf21122bce2bd68b5283e6907154ad911840fa208cf";

fn a_private_key_belongs_to_its_public_key(crypto: &impl Crypto) {
    let bytes = hex(EC2);
    let key = CoseKey::parse(&bytes).unwrap();
    assert_eq!(key.kid, Some(&b"meriadoc.brandybuck@buckland.example"[..]));
    let signing_key = crypto.signing_key(&key.private_key().unwrap()).unwrap();
    assert_eq!(crypto.public_key(&signing_key), key.public_key().unwrap());
    assert_eq!(encoded(|encoder| key.encode(encoder)), bytes);
    let public = key.public_key().unwrap();
    let public = CoseKey::public(&public);
    assert_eq!(public.public_key(), key.public_key());
    assert_eq!(public.private_key(), Err(Error::Key));
}

#[test]
fn a_symmetric_key_is_for_one_algorithm_and_purpose() {
    // As a key distribution centre gives it: kty, kid, alg, Base IV, k.
    let bytes = hex(
        "a5 01 04 02 41 07 03 0a 05 4d 000102030405060708090a0b0c 20 50 849b5786457c1491be3a76dcea6c4271",
    );
    let key = CoseKey::parse(&bytes).unwrap();
    assert_eq!((key.kid, key.base_iv.map(<[u8]>::len)), (Some(&[7][..]), Some(13)));
    let symmetric = key.symmetric_for(Algorithm::AES_CCM_16_64_128, KeyOp::Decrypt).unwrap();
    assert_eq!(symmetric.expose(), &bytes[bytes.len() - 16..]);
    assert_eq!(key.symmetric_for(Algorithm::AES_CCM_16_128_128, KeyOp::Decrypt).err(), Some(Error::Key));
    assert_eq!(key.public_key(), Err(Error::Key));
    assert_eq!(key.private_key(), Err(Error::Key));
    assert_eq!(encoded(|encoder| key.encode(encoder)), bytes);

    let only = CoseKey { algorithm: None, ops: Some(KeyOps::of(&[KeyOp::MacVerify, KeyOp::Encrypt])), ..key };
    assert!(only.symmetric_for(Algorithm::A128GCM, KeyOp::Encrypt).is_ok());
    assert_eq!(only.symmetric_for(Algorithm::A128GCM, KeyOp::Decrypt).err(), Some(Error::Key));
    assert_eq!(
        only.symmetric_for(Algorithm::HMAC_256, KeyOp::MacVerify).err(),
        Some(Error::Key),
        "too short"
    );
    let bytes = encoded(|encoder| only.encode(encoder));
    assert_eq!(CoseKey::parse(&bytes), Ok(only));

    let again = SymmetricKey::new(Algorithm::A128GCM, &[5; 16]).unwrap();
    let again = CoseKey::symmetric(&again);
    assert!(again.symmetric_for(Algorithm::A128GCM, KeyOp::Encrypt).is_ok());
}

#[test]
fn a_key_may_be_named_only() {
    // RFC 9202 section 3.3.1.
    let bytes = hex("a2 01 04 02 48 3d027833fc6267ce");
    let key = CoseKey::parse(&bytes).unwrap();
    assert_eq!((key.kid.map(<[u8]>::len), key.material), (Some(8), Material::Symmetric { k: None }));
    assert_eq!(key.symmetric_for(Algorithm::A128GCM, KeyOp::Encrypt).err(), Some(Error::Key));
    assert_eq!(encoded(|encoder| key.encode(encoder)), bytes);
}

#[test]
fn other_forms_are_read_and_written() {
    for text in [
        // An Ed25519 public key, a compressed point, X25519 with both halves.
        "a3 01 01 20 06 21 58 20 d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "a4 01 02 20 01 21 58 20 65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d 22 f5",
        &format!("a4 01 01 20 04 21 58 20 {} 23 58 20 {}", "07".repeat(32), "08".repeat(32)),
        // A curve that is not known: coordinates of any length.
        "a4 01 02 20 03 21 42 0102 22 42 0304",
    ] {
        let bytes = hex(text);
        let key = CoseKey::parse(&bytes).unwrap();
        assert_eq!(key.public_key(), Err(Error::Key));
        assert_eq!(encoded(|encoder| key.encode(encoder)), bytes);
    }
    // In any order, and with labels that are not known.
    let bytes = hex("a4 20 50 000102030405060708090a0b0c0d0e0f 01 04 39 ffff 00 61 61 00");
    let key = CoseKey::parse(&bytes).unwrap();
    assert!(key.symmetric_for(Algorithm::A128GCM, KeyOp::Encrypt).is_ok());
}

#[test]
fn what_is_no_key_is_refused() {
    let cut = format!("a4 01 02 20 01 21 58 1f {} 22 f5", "01".repeat(31));
    let long = format!("a4 01 02 20 01 21 58 21 {} 22 f5", "01".repeat(33));
    for (text, error) in [
        ("a0", Error::Key),
        ("a1 02 41 01", Error::Key),
        ("a1 01 03", Error::Key),
        ("a1 01 61 61", Error::Cbor(cbor::Error::Type)),
        ("a1 01 02", Error::Key),
        ("a2 01 01 21 40", Error::Key),
        (&cut, Error::Key),
        (&long, Error::Key),
        ("a2 01 04 20 00", Error::Cbor(cbor::Error::Type)),
        ("a2 01 04 04 80", Error::Key),
        // For nothing that is known here.
        ("a2 01 04 04 81 18 25", Error::Key),
        ("a2 01 04 04 01", Error::Cbor(cbor::Error::Type)),
        ("a2 01 04 01 04", Error::Cbor(cbor::Error::DuplicateKey)),
        ("a1 01 04 00", Error::Cbor(cbor::Error::Trailing)),
        ("a2 01 04 02 01", Error::Cbor(cbor::Error::Type)),
    ] {
        assert_eq!(CoseKey::parse(&hex(text)).err(), Some(error), "{text}");
    }
}

#[test]
fn a_point_that_is_not_on_the_curve_verifies_nothing() {
    let material =
        Material::Ec2 { curve: Curve::P256, x: Some(&[1; 32]), y: Some(Y::Coordinate(&[1; 32])), d: None };
    let key = CoseKey::new(material).public_key().unwrap();
    let signature = sedge_crypto::Signature::new([1; 64]);
    assert!(sedge_crypto::RustCrypto.verify(&key, &[0; 32], &signature).is_err());
}

#[test]
fn secrets_are_not_printed() {
    let bytes = hex(EC2);
    let printed = format!("{:?}", CoseKey::parse(&bytes).unwrap());
    assert!(printed.contains("d: Some([secret])") && !printed.contains("175, 249"), "{printed}");
    let symmetric = SymmetricKey::new(Algorithm::A128GCM, &[0xab; 16]).unwrap();
    let printed = format!("{symmetric:?} {:?}", CoseKey::symmetric(&symmetric));
    assert!(printed.contains("[secret]") && !printed.contains("171"), "{printed}");
}
