//! The stateless part of a server.

use sedge_dtls::*;

use crate::support::*;
use crate::world::*;

fn verify<'d>(keys: &CookieKeys<Watched>, peer: &[u8], datagram: &'d [u8], reply: &mut [u8]) -> Hello<'d> {
    let config = ServerConfig { versions: Versions::ONLY_1_2, ..ServerConfig::default() };
    hello(&Watched, keys, &config, peer, datagram, reply)
}

fn first_hello() -> Vec<u8> {
    let mut world = World::new(Setup::default());
    world.transmit();
    world.trace[0].1.clone()
}

/// A hello with the cookie that the server asked for.
fn second_hello(keys: &CookieKeys<Watched>, peer: &[u8]) -> Vec<u8> {
    let first = first_hello();
    let mut reply = [0; HELLO_VERIFY_REQUEST_LEN];
    let Hello::Reply(len) = verify(keys, peer, &first, &mut reply) else { panic!() };
    let cookie = &reply[len - 8..];
    let mut second = [&first[..13 + 12 + 35], &[8], cookie, &first[13 + 12 + 36..]].concat();
    for length in [11, 14 + 1, 13 + 10] {
        let value = u16::from_be_bytes([second[length], second[length + 1]]) + 8;
        second[length..length + 2].copy_from_slice(&value.to_be_bytes());
    }
    second[18] = 1;
    second
}

fn keys() -> CookieKeys<Watched> {
    CookieKeys::new(&Watched, &mut TestRng(9))
}

fn verdict(keys: &CookieKeys<Watched>, peer: &[u8], datagram: &[u8]) -> Result<bool, Discard> {
    let mut reply = [0; HELLO_VERIFY_REQUEST_LEN];
    match verify(keys, peer, datagram, &mut reply) {
        Hello::Accept(_) => Ok(true),
        Hello::Reply(len) => {
            assert!(len <= datagram.len(), "an answer to a stranger is no longer than his question");
            Ok(false)
        }
        Hello::Discard(discard) => Err(discard),
    }
}

#[test]
fn a_cookie_is_good_for_its_address_only() {
    let keys = keys();
    let second = second_hello(&keys, b"192.0.2.1:1");
    assert_eq!(verdict(&keys, b"192.0.2.1:1", &second), Ok(true));
    for elsewhere in [&b"192.0.2.1:2"[..], b"192.0.2.2:1", b"", b"192.0.2.1:1\0"] {
        assert_eq!(verdict(&keys, elsewhere, &second), Ok(false));
    }
    assert_eq!(verdict(&CookieKeys::new(&Watched, &mut TestRng(10)), b"192.0.2.1:1", &second), Ok(false));
}

#[test]
fn a_cookie_outlives_one_rotation_and_not_two() {
    let mut keys = keys();
    let second = second_hello(&keys, b"a");
    keys.rotate(&Watched, &mut TestRng(11));
    assert_eq!(verdict(&keys, b"a", &second), Ok(true));
    keys.rotate(&Watched, &mut TestRng(12));
    assert_eq!(verdict(&keys, b"a", &second), Ok(false));
}

/// RFC 6347 section 4.2.1 names what a client must repeat; a cookie fits nothing else.
#[test]
fn a_cookie_fits_no_other_hello() {
    let keys = keys();
    let second = second_hello(&keys, b"a");
    let cookie = 13 + 12 + 36..13 + 12 + 44;
    let suites = cookie.end..cookie.end + 6;
    for at in (13 + 12 + 2..13 + 12 + 34).chain(cookie).chain(suites.start + 2..suites.end) {
        let mut other = second.clone();
        other[at] ^= 1;
        assert_eq!(verdict(&keys, b"a", &other), Ok(false), "byte {at}");
    }
}

#[test]
fn a_request_repeats_the_numbers_of_its_hello() {
    let mut first = first_hello();
    first[10] = 5;
    first[18] = 2;
    let mut reply = [0; HELLO_VERIFY_REQUEST_LEN];
    let Hello::Reply(len) = verify(&keys(), b"a", &first, &mut reply) else { panic!() };
    assert_eq!(len, HELLO_VERIFY_REQUEST_LEN);
    assert_eq!(&reply[3..11], &first[3..11], "record sequence number, RFC 6347 section 4.2.1");
    assert_eq!((reply[13], reply[18]), (3, 2));
    assert_eq!(&reply[25..27], &[0xfe, 0xff], "always DTLS 1.0, RFC 6347 section 4.2.1");
    let Hello::Discard(discard) = verify(&keys(), b"a", &first, &mut reply[1..]) else { panic!() };
    assert_eq!(discard, Discard::TooLong);
}

#[test]
fn a_hello_that_is_none_is_dropped_with_a_reason() {
    let keys = keys();
    let first = first_hello();
    assert_eq!(verdict(&keys, b"a", &first), Ok(false));
    let changed = |at: usize, value: u8| {
        let mut other = first.clone();
        other[at] = value;
        other
    };
    let fragment = {
        let mut fragment = first[..13 + 12 + 20].to_vec();
        fragment[11..13].copy_from_slice(&32u16.to_be_bytes());
        fragment[24] = 20;
        fragment
    };
    for (datagram, discard) in [
        (vec![], Discard::MalformedRecord),
        (first[..first.len() - 1].to_vec(), Discard::MalformedRecord),
        (changed(0, 23), Discard::UnexpectedContentType),
        (changed(4, 1), Discard::UnexpectedContentType),
        (changed(13, 2), Discard::UnexpectedHandshake),
        (fragment, Discard::FragmentedClientHello),
        (changed(26, 0xff), Discard::UnsupportedVersion),
        (changed(17, 1), Discard::MalformedHandshake),
        (changed(13 + 12 + 34, 33), Discard::MalformedHandshake),
        (changed(first.len() - 1, 9), Discard::MalformedHandshake),
    ] {
        assert_eq!(verdict(&keys, b"a", &datagram), Err(discard));
    }
    assert!(is_client_hello(&first) && !is_client_hello(&changed(13, 2)) && !is_client_hello(&first[..13]));
}

#[test]
fn every_truncation_and_every_flipped_bit_is_survived() {
    let keys = keys();
    for hello in [first_hello(), second_hello(&keys, b"a")] {
        for len in 0..hello.len() {
            assert_ne!(verdict(&keys, b"a", &hello[..len]), Ok(true));
        }
        for bit in 0..hello.len() * 8 {
            let mut other = hello.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let _ = verdict(&keys, b"a", &other);
        }
    }
}

/// What a server says to a verified client that it cannot serve.
#[test]
fn unacceptable_hellos_are_refused_with_the_right_alert() {
    let body = |suites: &[u16], compression: &[u8], extensions: &[u8]| {
        let mut body = vec![0xfe, 0xfd];
        body.extend([7; 32]);
        body.extend([0, 0]);
        body.extend(u16::try_from(suites.len() * 2).unwrap().to_be_bytes());
        body.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
        body.push(u8::try_from(compression.len()).unwrap());
        body.extend(compression);
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        body
    };
    let keys = keys();
    let refusal = |body: Vec<u8>| {
        let with_cookie = |cookie: &[u8]| {
            let body = [&body[..35], &[u8::try_from(cookie.len()).unwrap()], cookie, &body[36..]].concat();
            let length = u32::try_from(body.len()).unwrap().to_be_bytes();
            let message = [&[1], &length[1..], &[0, 0, 0, 0, 0], &length[1..], &body].concat();
            let head = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 3];
            [&head[..], &u16::try_from(message.len()).unwrap().to_be_bytes(), &message].concat()
        };
        let mut reply = [0; HELLO_VERIFY_REQUEST_LEN];
        let Hello::Reply(len) = verify(&keys, b"a", &with_cookie(b""), &mut reply) else { panic!() };
        if reply[0] == 21 {
            // Without a common version there is no cookie either.
            return Err(AlertDescription(reply[len - 1]));
        }
        let second = with_cookie(&reply[len - 8..len]);
        let Hello::Accept(verified) = verify(&keys, b"a", &second, &mut []) else { panic!() };
        let mut rng = TestRng(1);
        let mut cx = Context::new(&Watched, &mut rng, sedge_time::Instant::EPOCH);
        let config = ServerConfig::default();
        let outcome =
            ServerHandshake::<PskOnly<Watched>>::accept(&mut cx, &mut lookup, &config, &verified, cid(b"s"));
        outcome.map(|_| ()).map_err(|refusal| {
            let mut alert = [0; 15];
            assert_eq!(refusal.write(&mut alert), Some(15));
            assert_eq!(
                alert[..11],
                second[..11]
                    .iter()
                    .enumerate()
                    .map(|(at, &byte)| if at == 0 { 21 } else { byte })
                    .collect::<Vec<_>>()
            );
            assert_eq!(alert[13..], [2, refusal.description().0]);
            refusal.description()
        })
    };
    const EMS: [u8; 4] = [0, 23, 0, 0];
    let with = |more: &[u8]| [&EMS[..], more].concat();
    assert_eq!(refusal(body(&[0xc0a8], &[0], &EMS)), Ok(()));
    assert_eq!(refusal(body(&[0x1301, 0xc0a4], &[1, 0], &with(&[0x12, 0x34, 0, 1, 9]))), Ok(()));
    assert_eq!(refusal(body(&[0xc0a8], &[0], &with(&[0, 43, 0, 5, 4, 0xfe, 0xfc, 0xfe, 0xfd]))), Ok(()));
    for (hello, alert) in [
        (body(&[0x1301], &[0], &EMS), AlertDescription::HANDSHAKE_FAILURE),
        (body(&[], &[0], &EMS), AlertDescription::HANDSHAKE_FAILURE),
        (body(&[0xc0a8], &[0], &[]), AlertDescription::HANDSHAKE_FAILURE),
        (body(&[0xc0a8], &[1], &EMS), AlertDescription::ILLEGAL_PARAMETER),
        (body(&[0xc0a8], &[0], &with(&[0xff, 1, 0, 2, 1, 7])), AlertDescription::HANDSHAKE_FAILURE),
        (body(&[0xc0a8], &[0], &with(&[0, 28, 0, 2, 0, 63])), AlertDescription::ILLEGAL_PARAMETER),
        (body(&[0xc0a8], &[0], &with(&[0, 43, 0, 3, 2, 0xfe, 0xfc])), AlertDescription::PROTOCOL_VERSION),
    ] {
        assert_eq!(refusal(hello), Err(alert));
    }
}
