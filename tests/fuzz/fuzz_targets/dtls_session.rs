//! An established session and any records: forged ones are dropped, those that the peer itself sealed around any
//! content are understood or dropped, and the session goes on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_crypto::RustCrypto;
use sedge_dtls::{Content, ContentType, Records, Session};
use sedge_fuzz::{Pair, Steps};

fuzz_target!(|input: &[u8]| {
    let mut steps = Steps(input);
    let (client, server) = Pair::new(steps.byte()).complete();
    let (mut from, mut to) = if steps.byte() & 1 == 1 { (client, server) } else { (server, client) };
    while steps.more() {
        let action = steps.byte();
        let content = steps.bytes();
        let mut datagram = match action & 1 {
            0 => content.to_vec(),
            _ => seal(&mut from, ContentType(steps.byte()), content),
        };
        let cid_len = to.own_cid().len();
        for record in Records::new(&mut datagram, cid_len) {
            let outcome = to.open(&RustCrypto, record);
            assert!(action & 1 == 1 || outcome.is_err(), "a forged record was taken for authentic");
            if let Ok(opened) = outcome
                && matches!(opened.content, Content::FinishedAgain)
            {
                let mut buffer = [0; 256];
                let _ = to.last_flight(&RustCrypto, &mut buffer);
            }
        }
        if action & 2 != 0 {
            let exported = to.export();
            to = Session::import(exported.expose(), 0).expect("what was exported can be imported");
        }
        if action & 4 != 0 {
            let _ = Session::import(content, 0);
        }
    }
    let mut datagram = seal(&mut from, ContentType::APPLICATION_DATA, b"still here");
    let opened = to.open(&RustCrypto, &mut datagram).expect("the session has survived");
    assert!(matches!(opened.content, Content::ApplicationData(data) if data == b"still here"));
});

fn seal(session: &mut Session, content_type: ContentType, content: &[u8]) -> Vec<u8> {
    let content = &content[..content.len().min(session.max_plaintext())];
    let mut buffer = vec![0; content.len() + session.overhead() + 8];
    let start = session.headroom();
    buffer[start..start + content.len()].copy_from_slice(content);
    let length = session.seal(&RustCrypto, content_type, &mut buffer, content.len()).expect("it fits");
    buffer.truncate(length);
    buffer
}
