//! Any datagram as a ClientHello, without and with its right cookie, and then any records to the handshake that
//! answers it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_fuzz::{Pair, Steps};

fuzz_target!(|input: &[u8]| {
    let mut steps = Steps(input);
    let mut pair = Pair::new(steps.byte());
    let mut hello = steps.bytes().to_vec();
    if hello.is_empty() {
        // A genuine one, with a few changes.
        hello = pair.client_sends().expect("a hello");
        for _ in 0..steps.byte() & 3 {
            let at = usize::from(steps.number()) % hello.len();
            hello[at] ^= steps.byte();
        }
    }
    if let Some(reply) = pair.server_takes(&mut hello.clone())
        && reply.first() == Some(&22)
    {
        // HelloVerifyRequest: record header 13, handshake header 12, version 2, then the cookie with its length.
        let with_cookie = match reply.get(13) {
            Some(3) => put_cookie(&hello, &reply[13 + 12 + 2..]),
            _ => put_cookie_extension(&hello, &reply),
        };
        if let Some(with_cookie) = with_cookie {
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
    with_body(hello, &[hello.get(25..cookie_at)?, cookie, hello.get(behind..)?].concat())
}

/// The hello with the cookie of a HelloRetryRequest in front of its extensions, and the next message number.
fn put_cookie_extension(hello: &[u8], retry: &[u8]) -> Option<Vec<u8>> {
    // Version, random, an empty session id, the suite, the compression method and the length of the extensions.
    let mut rest = retry.get(25 + 2 + 32 + 1 + 2 + 1 + 2..)?;
    let cookie = loop {
        let length = usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
        let (extension, after) = rest.split_at_checked(4 + length)?;
        if extension.starts_with(&[0, 44]) {
            break extension;
        }
        rest = after;
    };
    let body = hello.get(25..)?;
    let mut at = 34;
    at += 1 + usize::from(*body.get(at)?);
    at += 1 + usize::from(*body.get(at)?);
    at += 2 + usize::from(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
    at += 1 + usize::from(*body.get(at)?);
    let length = u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]);
    let longer = length.checked_add(u16::try_from(cookie.len()).ok()?)?.to_be_bytes();
    let mut again = with_body(hello, &[body.get(..at)?, &longer, cookie, body.get(at + 2..)?].concat())?;
    again[18] = again[18].wrapping_add(1);
    Some(again)
}

/// The hello with another body, and the lengths put right.
fn with_body(hello: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    let mut record = hello.get(..25)?.to_vec();
    let length = u32::try_from(body.len()).ok()?.to_be_bytes();
    record[11..13].copy_from_slice(&u16::try_from(body.len() + 12).ok()?.to_be_bytes());
    record[14..17].copy_from_slice(&length[1..]);
    record[22..25].copy_from_slice(&length[1..]);
    record.extend(body);
    Some(record)
}
