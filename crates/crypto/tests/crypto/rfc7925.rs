//! The provider with the mandatory algorithms alone: what it has, and what it has not.

use sedge_crypto::{Aead, AeadError, Crypto, KeyError, NamedGroup, Rfc7925, RustCrypto};

use crate::random::Seeded;
use crate::seal;

const LEAN: Rfc7925<RustCrypto> = Rfc7925(RustCrypto);

#[test]
fn ccm_is_there_and_gcm_is_not() {
    for aead in [Aead::Aes128Ccm8, Aead::Aes128Ccm] {
        let sealed = seal(&LEAN, aead, &[1; 16], &[2; 12], b"aad", b"plaintext");
        assert_eq!(sealed, seal(&RustCrypto, aead, &[1; 16], &[2; 12], b"aad", b"plaintext"));
    }
    let mut data = *b"plaintext";
    assert_eq!(LEAN.seal(Aead::Aes128Gcm, &[1; 16], &[2; 12], b"", &mut data), Err(AeadError));
    let tag = RustCrypto.seal(Aead::Aes128Gcm, &[1; 16], &[2; 12], b"", &mut data).unwrap();
    assert_eq!(
        LEAN.open(Aead::Aes128Gcm, &[1; 16], &[2; 12], b"", &mut data, tag.as_bytes()),
        Err(AeadError)
    );
    assert_eq!(data, [0; 9], "what did not open was left behind");
    assert_eq!(LEAN.seal(Aead::ChaCha20Poly1305, &[1; 32], &[2; 12], b"", &mut data), Err(AeadError));
}

#[test]
fn p256_is_there_and_x25519_is_not() {
    let [one, two] = [1, 2].map(|seed| LEAN.ephemeral_key(NamedGroup::Secp256r1, &mut Seeded(seed)).unwrap());
    let [of_one, of_two] = [&one, &two].map(|key| LEAN.key_share(key));
    let secret = LEAN.agree(&one, of_two.as_bytes()).unwrap();
    assert_eq!(LEAN.agree(&two, of_one.as_bytes()), Ok(secret));
    let refused = LEAN.ephemeral_key(NamedGroup::X25519, &mut Seeded(1));
    assert_eq!(refused.err(), Some(KeyError::Provider));
    let elsewhere = RustCrypto.ephemeral_key(NamedGroup::X25519, &mut Seeded(1)).unwrap();
    assert_eq!(LEAN.agree(&elsewhere, &[9; 32]), Err(KeyError::Provider));
}
