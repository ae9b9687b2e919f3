//! Every provider against published vectors, independent implementations and the other providers.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing test should panic where it fails"
)]

/// Runs tests, functions of `&impl Crypto`, with each provider.
macro_rules! for_every_provider {
    ($($test:ident),* $(,)?) => {
        mod rustcrypto {
            $(#[test] fn $test() { super::$test(&sedge_crypto::RustCrypto); })*
        }
        #[cfg(feature = "host")]
        mod host {
            $(#[test] fn $test() { super::$test(&sedge_crypto::HostCrypto); })*
        }
    };
}

#[cfg(feature = "host")]
mod across;
mod ccm;
mod chacha;
mod ecdh;
mod ecdsa;
mod gcm;
mod hash;
mod hkdf;
mod public_key;
mod random;
mod rfc7925;
mod x25519;

use sedge_crypto::{Aead, AeadError, Crypto};

/// Seals, and checks that the result opens again and that nothing else does.
fn seal(crypto: &impl Crypto, aead: Aead, key: &[u8], nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut data = plaintext.to_vec();
    let tag = crypto.seal(aead, key, nonce, aad, &mut data).unwrap();
    let sealed = [&data[..], tag.as_bytes()].concat();

    crypto.open(aead, key, nonce, aad, &mut data, tag.as_bytes()).unwrap();
    assert_eq!(data, plaintext);
    let mut forged = tag.as_bytes().to_vec();
    for at in 0..forged.len() {
        forged[at] ^= 1;
        let mut data = sealed[..plaintext.len()].to_vec();
        assert_eq!(crypto.open(aead, key, nonce, aad, &mut data, &forged), Err(AeadError));
        assert!(data.iter().all(|&byte| byte == 0), "a forged plaintext was left behind");
        forged[at] ^= 1;
    }
    for len in [0, forged.len() - 1] {
        assert_eq!(crypto.open(aead, key, nonce, aad, &mut data.clone(), &forged[..len]), Err(AeadError));
    }
    sealed
}

/// Hexadecimal, spaces allowed; `-` for nothing.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'-').collect();
    let text = |pair: &[u8]| std::str::from_utf8(pair).unwrap().to_owned();
    digits.chunks(2).map(|pair| u8::from_str_radix(&text(pair), 16).unwrap()).collect()
}

/// 32 bytes in hexadecimal.
fn hex32(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}
