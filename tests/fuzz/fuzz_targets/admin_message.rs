//! Any bytes as an administrator's request or a broker's reply: what reads is written again and reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_broker::admin::{AdminReply, AdminRequest};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = AdminRequest::from_cbor(bytes) {
        assert_eq!(AdminRequest::from_cbor(&request.to_cbor()), Ok(request));
    }
    if let Ok(reply) = AdminReply::from_cbor(bytes) {
        assert_eq!(AdminReply::from_cbor(&reply.to_cbor()), Ok(reply));
    }
});
