//! Any bytes as what a broker finds in its store: rules, grants, keys, tokens and groups. What is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_access::{Definition, Grants, Policy};
use sedge_authority::groups::{Groups, OperatorKey};
use sedge_authority::{Authority, Settings};
use sedge_crypto::RustCrypto;

fuzz_target!(|input: (&str, &[u8])| {
    let (name, bytes) = input;
    if let Ok(grants) = minicbor::decode::<Grants>(bytes) {
        let written = minicbor::to_vec(&grants).expect("it is written to memory");
        assert_eq!(minicbor::decode::<Grants>(&written).expect("as written"), grants);
    }
    if let Ok(definition) = minicbor::decode::<Definition>(bytes) {
        let written = minicbor::to_vec(&definition).expect("it is written to memory");
        assert_eq!(minicbor::decode::<Definition>(&written).expect("as written"), definition);
        let _policy = Policy::new(definition);
    }
    for part in ["", "key/", "token/"] {
        let mut authority = Authority::new(Settings::default());
        let record = format!("{part}{name}");
        if authority.restore(&record, bytes) {
            assert!(authority.tokens().count() <= 1);
        }
    }
    let key = OperatorKey::new(&RustCrypto, &[b'k'; 32]).expect("long enough");
    let mut groups = Groups::new(&RustCrypto, key, sedge_authority::groups::Settings::default());
    assert!(groups.restore(&RustCrypto, name, bytes).is_err(), "it was not sealed here");
});
