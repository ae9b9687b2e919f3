//! Any bytes as the messages of ACE, as an identity in a handshake and as a token: what is read is written and read as the
//! same again, and nothing is a token that was not made under the key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_ace::{
    CreationHints, ErrorResponse, IntrospectionRequest, IntrospectionResponse, PskIdentity, TokenHash,
    TokenKeys, TokenRequest, TokenResponse, TrlQuery, TrlResponse, open_token,
};
use sedge_crypto::{Crypto as _, RustCrypto, Secret};

fuzz_target!(|input: &[u8]| {
    let mut out = vec![0; 2 * input.len() + 64];
    if let Ok(read) = TokenRequest::decode(input) {
        assert_eq!(TokenRequest::decode(read.encode(&mut out).expect("room")), Ok(read));
    }
    if let Ok(read) = TokenResponse::decode(input) {
        assert_eq!(TokenResponse::decode(read.encode(&mut out).expect("room")), Ok(read));
    }
    if let Ok(read) = CreationHints::decode(input) {
        assert_eq!(CreationHints::decode(read.encode(&mut out).expect("room")), Ok(read));
    }
    if let Ok(read) = ErrorResponse::decode(input) {
        assert_eq!(ErrorResponse::decode(read.encode(&mut out).expect("room")), Ok(read));
    }
    if let Ok(read) = IntrospectionRequest::decode(input) {
        assert_eq!(IntrospectionRequest::decode(read.encode(&mut out).expect("room")), Ok(read));
    }
    if let Ok(answer) = IntrospectionResponse::active(input) {
        // A claim of that number would stand beside it.
        let _said = IntrospectionResponse::decode_active(answer.encode(&mut out).expect("room"));
    }
    let _said = IntrospectionResponse::decode_active(input);
    // What has a twin is its twin's.
    let [own, twin] = TokenHash::with_twin(&RustCrypto, input);
    assert_eq!(TokenHash::from_bytes(own.as_bytes()), Some(own));
    assert!(twin == own || input.len() > 66);
    if let Some(identity) = PskIdentity::parse(input) {
        assert_eq!(PskIdentity::parse(identity.encode(&mut out).expect("room")), Some(identity));
    }
    let _query = TrlQuery::parse(input.split(|byte| *byte == b'&'));
    if let Ok(read) = TrlResponse::decode(input) {
        assert!(read.each_revoked(|_| {}) != read.each_change(|_, _| {}), "one of the two");
    }
    let mut set = Vec::new();
    if TokenKeys::decode_set(input, |keys| set.push(keys)).is_ok() {
        let mut again = Vec::new();
        let mut room = vec![0; 2 * input.len() + 64];
        let written = TokenKeys::encode_set(&set, &mut room).expect("room");
        TokenKeys::decode_set(written, |keys| again.push(keys)).expect("what was written");
        assert_eq!(again, set);
    }
    let signing = RustCrypto.signing_key(&Secret::new([1; 32])).expect("a key");
    let keys = [TokenKeys {
        // What a fuzzer finds at once, so that the rest is reached.
        id: [0; 8],
        encryption: Secret::new([2; 16]),
        mac: Secret::new([3; 32]),
        derivation: Secret::new([4; 32]),
        verification: RustCrypto.public_key(&signing),
    }];
    let mut token = input.to_vec();
    assert!(open_token(&RustCrypto, &keys, &mut token).is_err(), "a forgery");
});
