//! Authentic records around hostile CoAP.

use sedge_coap::{Code, OptionNumber, Type};
use sedge_tests::broker::TestBroker;
use sedge_tests::device::{Device, message, path};
use sedge_tests::dtls::{receive, socket_towards};

use crate::scene::{QUIET, Scene};

/// Malformed messages (RFC 7252 section 3), each as it stands on the wire.
const MALFORMED: &[&[u8]] = &[
    // Version 2; token length 9; token longer than the message; option delta 15; option length 15; option beyond
    // the end; payload marker without payload; extended delta missing; an empty message with a token.
    &[0x80, 0x01, 0, 1],
    &[0x49, 0x01, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    &[0x48, 0x01, 0, 3, 1, 2],
    &[0x40, 0x01, 0, 4, 0xf1, 0],
    &[0x40, 0x01, 0, 5, 0x1f, 0],
    &[0x40, 0x01, 0, 6, 0xb5, b'a'],
    &[0x40, 0x01, 0, 7, 0xff],
    &[0x40, 0x01, 0, 8, 0xd0],
    &[0x41, 0x00, 0, 9, 7],
];

#[test]
fn malformed_messages_are_reset_or_ignored() {
    let mut scene = Scene::new();
    let mut victim = scene.victim();
    for malformed in MALFORMED {
        scene.counted("endpoint.malformed_messages", 1, |_| victim.send(malformed));
        // RFC 7252 section 4.2: a confirmable message that cannot be processed is rejected with a Reset; one of
        // another version is ignored.
        let answer = victim.receive(QUIET);
        match malformed[0] >> 6 {
            1 => assert_eq!(answer.expect("a Reset").0, [0x70, 0, 0, malformed[3]]),
            _ => assert_eq!(answer, None),
        }
    }
    scene.still_works(&mut victim);
}

#[test]
fn malformed_messages_over_plain_coap() {
    let broker = TestBroker::with(|config| {
        config.listen.insecure_coap = vec![([127, 0, 0, 1], 0).into()];
        config.insecure.publish = vec!["open/#".to_owned()];
        config.insecure.subscribe = vec!["open/#".to_owned()];
    });
    let server = broker.insecure();
    let stranger = socket_towards(server);
    for malformed in MALFORMED {
        stranger.send_to(malformed, server).expect("sent");
    }
    let mut random = sedge_sim::Random::new(2);
    for length in 0..600_usize {
        let mut junk: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
        if let Some(first) = junk.first_mut() {
            *first = 0x40 | *first & 0x3f;
        }
        stranger.send_to(&junk, server).expect("sent");
    }
    let mut device = Device::plain(server);
    assert_eq!(device.publish("open/a", "1"), Code::CREATED);
    while let Some((datagram, _)) = receive(&stranger, QUIET) {
        assert!(datagram.len() <= 1_152);
    }
    assert_eq!(device.read("open/a").text(), "1");
}

#[test]
fn options_that_nobody_understands() {
    let mut scene = Scene::new();
    let mut victim = scene.victim();
    // Critical: 4.02 to a confirmable request, silence to another one; elective: as if it were not there.
    let critical = OptionNumber(65_001);
    let elective = OptionNumber(65_000);
    let mut options = path("d/t/own");
    options.push((critical, b"x"));
    assert_eq!(victim.request(Code::GET, &options, &[]).code(), Code::BAD_OPTION);
    let non = message(Type::Non, Code::GET, 900, b"n", &options, &[]);
    victim.send(&non);
    assert_eq!(victim.receive(QUIET), None);
    let mut options = path("d/t/own");
    options.push((elective, b"x"));
    assert_eq!(victim.request(Code::GET, &options, &[]).code(), Code::CONTENT);
    scene.still_works(&mut victim);
}

#[test]
fn bodies_too_large_out_of_order_or_never_finished() {
    let mut scene = Scene::new();
    let mut victim = scene.victim();
    let block = |number: u32, more: bool| (number << 4 | u32::from(more) << 3 | 6).to_be_bytes();
    let put = |victim: &mut Device, number: u32, more: bool, payload: &[u8]| {
        let value = block(number, more);
        let mut options = path("d/t/large");
        options.push((OptionNumber::CONTENT_FORMAT, &[42]));
        options.push((OptionNumber::BLOCK1, &value[1..]));
        victim.request(Code::PUT, &options, payload).code()
    };
    // A block whose beginning nobody saw; a body that grows beyond the limit; many that stop half way.
    assert_eq!(put(&mut victim, 3, true, &[1; 1_024]), Code::REQUEST_ENTITY_INCOMPLETE);
    let mut number = 0;
    let last = loop {
        let code = put(&mut victim, number, true, &[1; 1_024]);
        if code != Code::CONTINUE {
            break code;
        }
        number += 1;
        assert!(number < 100, "a body of 100 KB is not refused");
    };
    assert_eq!(last, Code::REQUEST_ENTITY_TOO_LARGE);
    for session in 0..30 {
        let mut other = scene.victim();
        assert!(
            matches!(put(&mut other, 0, true, &[2; 1_024]), Code::CONTINUE | Code::SERVICE_UNAVAILABLE),
            "{session}"
        );
    }
    scene.still_works(&mut victim);
}

#[test]
fn unauthorised_requests_are_refused_and_change_nothing() {
    let mut scene = Scene::new();
    let mut victim = scene.victim();
    assert_eq!(victim.publish("not/mine", "1"), Code::FORBIDDEN);
    assert_eq!(victim.read("not/mine").code().class(), 4);
    let admin = victim.request(Code::POST, &path("sedge/admin"), &[0x82, 1, 0x81, 8]);
    assert!(
        matches!(admin.code(), Code::FORBIDDEN | Code::UNAUTHORIZED | Code::NOT_FOUND),
        "{:?}",
        admin.code()
    );
    scene.still_works(&mut victim);
}
