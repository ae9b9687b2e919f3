//! Any bytes as a topic's parameters, and as a value from the store.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_pubsub::{Parameters, Value};

fuzz_target!(|body: &[u8]| {
    if let Ok(parameters) = Parameters::decode(body) {
        // Whatever else it gives, a text it gives stands in the body.
        for text in [parameters.name, parameters.data, parameters.resource_type].into_iter().flatten() {
            assert!(text.is_empty() || body.windows(text.len()).any(|window| window == text.as_bytes()));
        }
    }
    if let Ok(value) = Value::from_bytes(body) {
        assert_eq!(Value::from_bytes(&value.to_bytes()).expect("as written"), value);
    }
});
