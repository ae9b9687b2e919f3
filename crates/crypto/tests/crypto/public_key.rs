//! Public keys as bytes and as `SubjectPublicKeyInfo`.

use sedge_crypto::{
    Crypto, KeyError, PublicKey, RustCrypto, Secret, public_key_from_info, subject_public_key_info,
};

use crate::hex;

/// A key that another implementation made and wrote (`openssl ecparam -name prime256v1 -genkey`).
const INFO: &str = "3059301306072a8648ce3d020106082a8648ce3d03010703420004
    908098c89214be90ef06c296abc3c64aae4d5dfced813cde1e0844e12895887f
    00b5208bb3e27cad2cd8a793458ef5f2cc199b28070934a2292feaf6e48b5f21";

#[test]
fn info_is_as_others_write_it() {
    let info = hex(INFO);
    let key = public_key_from_info(&info).unwrap();
    assert_eq!(key.as_bytes()[..], info[26..]);
    assert_eq!(subject_public_key_info(&key)[..], info);
}

#[test]
fn info_has_one_form() {
    let info = hex(INFO);
    for at in 0..27 {
        let mut other = info.clone();
        other[at] ^= 1;
        assert_eq!(public_key_from_info(&other), Err(KeyError::PublicKey), "byte {at}");
    }
    for len in 0..info.len() {
        assert_eq!(public_key_from_info(&info[..len]), Err(KeyError::PublicKey), "{len} bytes");
    }
    assert_eq!(public_key_from_info(&[&info[..], &[0]].concat()), Err(KeyError::PublicKey));
}

#[test]
fn only_uncompressed_points_have_the_form() {
    let key = RustCrypto.signing_key(&Secret::new([1; 32])).unwrap();
    let bytes = *RustCrypto.public_key(&key).as_bytes();
    assert_eq!(PublicKey::new(bytes), PublicKey::from_bytes(&bytes));
    for first in (0..=255).filter(|&first| first != 4) {
        let mut other = bytes;
        other[0] = first;
        assert_eq!(PublicKey::new(other), Err(KeyError::PublicKey));
    }
    for len in 0..65 {
        assert_eq!(PublicKey::from_bytes(&bytes[..len]), Err(KeyError::PublicKey));
    }
    assert_eq!(PublicKey::from_bytes(&[&bytes[..], &[0]].concat()), Err(KeyError::PublicKey));
}
