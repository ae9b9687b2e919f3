//! Any bytes as a message of each kind: headers, countersignatures, and opening it with a key that did not make it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_cose::cbor::Label;
use sedge_cose::{Algorithm, Encrypt0, Headers, Mac0, Message, Sign1, SymmetricKey, countersign};
use sedge_crypto::{PublicKey, RustCrypto};

fuzz_target!(|bytes: &[u8]| {
    let key = |algorithm, len| SymmetricKey::new(algorithm, &[7; 32][..len]).expect("its length");
    if let Ok(message) = Mac0::parse(bytes) {
        look(message.headers(), bytes);
        let verified = message.verify(&RustCrypto, &key(Algorithm::HMAC_256_64, 32), b"");
        assert!(verified.is_err(), "a tag of eight bytes was guessed");
        countersignatures(message.headers(), message.target());
    }
    if let Ok(message) = Sign1::parse(bytes) {
        look(message.headers(), bytes);
        countersignatures(message.headers(), message.target());
    }
    if let Ok(alone) = countersign::Countersignature::parse(bytes) {
        look(alone.headers(), bytes);
    }
    let mut copy = bytes.to_vec();
    if let Ok(message) = Message::parse(&mut copy) {
        let _ = format!("{message:?}");
    }
    let mut copy = bytes.to_vec();
    if let Ok(message) = Encrypt0::parse(&mut copy) {
        look(message.headers(), bytes);
        countersignatures(message.headers(), message.target());
        let algorithm = Algorithm::AES_CCM_16_64_128;
        if let Ok(nonce) = message.headers().nonce(algorithm, Some(&[1; 13])) {
            let opened = message.open(&RustCrypto, &key(algorithm, 16), nonce.as_bytes(), b"");
            assert!(opened.is_err(), "a tag of eight bytes was guessed");
        }
    }
});

/// What a header gives stands in the message.
fn look(headers: &Headers<'_>, bytes: &[u8]) {
    for part in [headers.kid(), headers.iv(), headers.partial_iv(), Some(headers.protected_bytes())] {
        let part = part.unwrap_or_default();
        assert!(part.is_empty() || bytes.windows(part.len()).any(|window| window == part));
    }
    assert!(headers.iv().is_none() || headers.partial_iv().is_none());
    for number in -3..40 {
        let label = Label::Int(number);
        assert!(headers.protected(label).is_none() || headers.unprotected(label).is_none());
    }
    let _ = format!("{headers:?}");
}

fn countersignatures(headers: &Headers<'_>, target: Option<countersign::Target<'_>>) {
    let public = PublicKey::new([4; 65]).expect("its form");
    for countersignature in countersign::of(headers).take(100).flatten() {
        let Some(target) = target else { continue };
        assert!(countersignature.verify(&RustCrypto, &public, &target, b"").is_err());
    }
}
