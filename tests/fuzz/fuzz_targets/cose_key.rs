//! Any bytes as a key: what is read is written again, and means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_cose::cbor::{Decoder, Encoder};
use sedge_cose::{Algorithm, Confirmation, CoseKey, KeyOp};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(confirmation) = Confirmation::read(&mut Decoder::new(bytes)) {
        let mut buffer = vec![0; bytes.len() + 40];
        let mut encoder = Encoder::new(&mut buffer);
        confirmation.encode(&mut encoder);
        let encoded = encoder.finish().expect("no longer than before");
        assert_eq!(Confirmation::read(&mut Decoder::new(encoded)), Ok(confirmation));
    }
    let Ok(key) = CoseKey::parse(bytes) else { return };
    let mut buffer = vec![0; bytes.len() + 40];
    let mut encoder = Encoder::new(&mut buffer);
    key.encode(&mut encoder);
    let encoded = encoder.finish().expect("no longer than before");
    assert_eq!(CoseKey::parse(encoded), Ok(key));
    for algorithm in [Algorithm::A128GCM, Algorithm::HMAC_256, Algorithm::CHACHA20_POLY1305] {
        if let Ok(symmetric) = key.symmetric_for(algorithm, KeyOp::Encrypt) {
            assert!(key.algorithm.is_none_or(|only| only == algorithm));
            assert!(symmetric.expose().len() >= 16);
        }
    }
    let _ = (key.public_key(), key.private_key(), format!("{key:?}"));
});
