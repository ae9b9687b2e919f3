//! Any datagram as a ClientHello, without and with its right cookie, and then any records to the handshake that
//! answers it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_fuzz::{Pair, Steps};

fuzz_target!(|input: &[u8]| {
    let mut steps = Steps(input);
    let mut pair = Pair::new(true);
    let mut hello = steps.bytes().to_vec();
    if let Some(reply) = pair.server_takes(&mut hello.clone())
        && reply.first() == Some(&22)
    {
        // HelloVerifyRequest: record header 13, handshake header 12, version 2, then the cookie with its length.
        let cookie = &reply[13 + 12 + 2..];
        if let Some(with_cookie) = put_cookie(&hello, cookie) {
            hello = with_cookie;
            let _ = pair.server_takes(&mut hello);
        }
    }
    while steps.more() {
        while pair.server_sends().is_some() {}
        let mut datagram = steps.bytes().to_vec();
        let _ = pair.server_takes(&mut datagram);
        if steps.byte() & 1 == 1 {
            pair.wait();
        }
    }
});

/// The hello with this cookie (and its length) in place of its own, and the lengths put right.
fn put_cookie(hello: &[u8], cookie: &[u8]) -> Option<Vec<u8>> {
    let session_at = 13 + 12 + 2 + 32;
    let cookie_at = session_at + 1 + usize::from(*hello.get(session_at)?);
    let behind = cookie_at + 1 + usize::from(*hello.get(cookie_at)?);
    let body = [hello.get(25..cookie_at)?, cookie, hello.get(behind..)?].concat();
    let mut record = hello.get(..25)?.to_vec();
    let length = u32::try_from(body.len()).ok()?.to_be_bytes();
    record[11..13].copy_from_slice(&u16::try_from(body.len() + 12).ok()?.to_be_bytes());
    record[14..17].copy_from_slice(&length[1..]);
    record[22..25].copy_from_slice(&length[1..]);
    record.extend(body);
    Some(record)
}
