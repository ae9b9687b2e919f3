//! The publish/subscribe model of draft-ietf-core-coap-pubsub-21 and CoAP's rules, black-box, over real sockets.

use std::time::Duration;

use sedge_broker::admin::TopicSettings;
use sedge_coap::{Code, OptionNumber, Type, empty_message};
use sedge_tests::broker::TestBroker;
use sedge_tests::device::{Device, Received, message, path};

/// application/core-pubsub+cbor, as requested.
const PUBSUB: &[u8] = &[0x02, 0x5e];
const CBOR: &[u8] = &[60];
const QUIET: Duration = Duration::from_millis(150);

/// A broker and an administrator's connection to it.
fn scene() -> (TestBroker, Device) {
    let broker = TestBroker::start();
    let administrator = broker.enrol_administrator("root");
    let device = Device::connect(broker.secure(), &administrator);
    (broker, device)
}

fn post(device: &mut Device, to: &str, body: &[u8]) -> Received {
    let mut options = path(to);
    options.push((OptionNumber::CONTENT_FORMAT, PUBSUB));
    device.request(Code::POST, &options, body)
}

/// The path of the topic that was created.
fn location(created: &Received) -> String {
    let segments: Vec<_> = created.message().location_path().map(String::from_utf8_lossy).collect();
    segments.join("/")
}

fn get(device: &mut Device, from: &str) -> Received {
    device.request(Code::GET, &path(from), &[])
}

/// {0: name, 2: "core.ps.data"}
fn topic(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("short");
    assert!(length < 24);
    [&[0xa2, 0x00, 0x60 | length], name.as_bytes(), &[0x02, 0x6c], b"core.ps.data"].concat()
}

#[test]
fn a_topic_is_created_found_configured_and_deleted() {
    let (_broker, mut device) = scene();
    let created = post(&mut device, "ps", &topic("hall"));
    assert_eq!(created.code(), Code::CREATED);
    let topic_path = location(&created);
    assert!(topic_path.starts_with("ps/"), "{topic_path}");
    assert!(created.payload().windows(4).any(|window| window == b"hall"), "the body tells the properties");
    assert_eq!(post(&mut device, "ps", &topic("hall")).code(), Code::BAD_REQUEST, "the name is taken");
    assert_eq!(
        post(&mut device, "ps", &[0xa1, 0x00, 0x61, b'x']).code(),
        Code::BAD_REQUEST,
        "no resource-type"
    );
    assert_eq!(post(&mut device, "ps", &[0xff, 0x00]).code(), Code::BAD_REQUEST, "no CBOR");

    let list = get(&mut device, "ps");
    assert_eq!(
        (list.code(), list.message().content_format().map(|format| format.0)),
        (Code::CONTENT, Some(40))
    );
    assert!(list.text().contains(&format!("</{topic_path}>")), "{}", list.text());
    assert!(get(&mut device, ".well-known/core").text().contains("core.ps.coll"));

    let configuration = get(&mut device, &topic_path);
    assert_eq!(configuration.message().content_format().map(|format| format.0), Some(606));
    // FETCH [0]: only the name.
    let mut options = path(&topic_path);
    options.push((OptionNumber::CONTENT_FORMAT, CBOR));
    let fetched = device.request(Code::FETCH, &options, &[0x81, 0x00]);
    assert_eq!((fetched.code(), fetched.payload()), (Code::CONTENT, &b"\xa1\x00\x64hall"[..]));
    // iPATCH {6: 1}: one subscriber at most.
    let mut options = path(&topic_path);
    options.push((OptionNumber::CONTENT_FORMAT, PUBSUB));
    assert_eq!(device.request(Code::IPATCH, &options, &[0xa1, 0x06, 0x01]).code(), Code::CHANGED);
    assert_eq!(device.request(Code::IPATCH, &options, &[0xa1, 0x00, 0x61, b'y']).code(), Code::BAD_REQUEST);

    assert_eq!(device.request(Code::DELETE, &path(&topic_path), &[]).code(), Code::DELETED);
    assert_eq!(device.request(Code::DELETE, &path(&topic_path), &[]).code(), Code::NOT_FOUND);
    assert_eq!(get(&mut device, &topic_path).code(), Code::NOT_FOUND);
}

#[test]
fn data_lives_as_the_draft_says() {
    let (_broker, mut device) = scene();
    let created = post(&mut device, "ps", &topic("life"));
    let topic_path = location(&created);
    assert_eq!(device.read("life").code(), Code::NOT_FOUND, "half created: nothing to read");
    assert_eq!(device.observe("life", b"early").code(), Code::NOT_FOUND);
    assert_eq!(device.publish("life", "1"), Code::CREATED, "the first publish");
    assert_eq!(device.publish("life", "2"), Code::CHANGED, "the later ones");
    assert_eq!(device.read("life").text(), "2");

    let first = device.observe("life", b"eye");
    assert!(first.message().observe().is_some());
    assert_eq!(device.publish("life", "3"), Code::CHANGED);
    let second = device.notification(b"eye");
    assert_eq!(second.text(), "3");
    assert!(second.message().observe() > first.message().observe(), "notifications are numbered upwards");

    let mut data = path("d");
    data.extend(path("life"));
    assert_eq!(device.request(Code::DELETE, &data, &[]).code(), Code::DELETED);
    let last = device.notification(b"eye");
    assert_eq!((last.code(), last.message().observe()), (Code::NOT_FOUND, None), "a final 4.04");
    assert_eq!(device.read("life").code(), Code::NOT_FOUND, "half created again");
    assert_eq!(device.publish("life", "4"), Code::CREATED);
    assert_eq!(device.observe("life", b"eye2").code(), Code::CONTENT);
    assert_eq!(device.request(Code::DELETE, &path(&topic_path), &[]).code(), Code::DELETED);
    assert_eq!(device.notification(b"eye2").code(), Code::NOT_FOUND);
}

#[test]
fn content_formats_subscribers_and_rates_are_held_to() {
    let broker = TestBroker::with(|config| {
        config.topics.publishes_per_second = 1;
        config.topics.publish_burst = 3;
    });
    let root = broker.enrol_administrator("root");
    broker.create_topic(TopicSettings {
        name: "tight".to_owned(),
        content_format: Some(0),
        max_subscribers: Some(1),
        ..TopicSettings::default()
    });
    let mut device = Device::connect(broker.secure(), &root);
    let mut options = path("d/tight");
    options.push((OptionNumber::CONTENT_FORMAT, CBOR));
    assert_eq!(device.request(Code::PUT, &options, &[0x00]).code(), Code::UNSUPPORTED_CONTENT_FORMAT);
    assert_eq!(device.publish("tight", "1"), Code::CREATED);
    let mut other = Device::connect(broker.secure(), &root);
    assert!(device.observe("tight", b"one").message().observe().is_some());
    let full = other.observe("tight", b"two");
    assert_eq!(
        (full.code(), full.message().observe()),
        (Code::CONTENT, None),
        "the value, and no observation"
    );
    let mut slow = None;
    for value in 0..8 {
        let mut options = path("d/tight");
        options.push((OptionNumber::CONTENT_FORMAT, &[]));
        let answer = device.request(Code::PUT, &options, value.to_string().as_bytes());
        if answer.code() != Code::CHANGED {
            slow = Some(answer);
            break;
        }
    }
    let slow = slow.expect("a publisher that is too fast is told so");
    assert_eq!(slow.code(), Code::TOO_MANY_REQUESTS);
    assert!(slow.message().uint(OptionNumber::MAX_AGE).is_some(), "and when to come again");
}

#[test]
fn a_repeated_request_is_answered_as_before_and_done_once() {
    let (broker, mut device) = scene();
    assert_eq!(device.publish("twice", "0"), Code::CREATED);
    let mut options = path("d/twice");
    options.push((OptionNumber::CONTENT_FORMAT, &[]));
    let put = message(Type::Con, Code::PUT, 0x7777, b"t", &options, b"1");
    let before = broker.counter("topics.published");
    for _ in 0..3 {
        device.send(&put);
        let answer = device.receive(sedge_tests::dtls::SOON).expect("an answer each time");
        assert_eq!((answer.message().kind(), answer.message().message_id()), (Type::Ack, 0x7777));
        assert_eq!(answer.code(), Code::CHANGED);
    }
    assert_eq!(broker.counter("topics.published") - before, 1);
    assert!(broker.counter("endpoint.duplicates") >= 2);
}

#[test]
fn pings_resets_and_cancelled_observations() {
    let (broker, mut device) = scene();
    device.send(&empty_message(Type::Con, 0x4242));
    assert_eq!(device.receive(sedge_tests::dtls::SOON).expect("a pong").0, empty_message(Type::Rst, 0x4242));

    assert_eq!(device.publish("watched", "0"), Code::CREATED);
    assert_eq!(device.observe("watched", b"eye").code(), Code::CONTENT);
    // A Reset to a notification ends the observation (RFC 7641 section 3.6).
    device.acknowledges = false;
    assert_eq!(device.publish("watched", "1"), Code::CHANGED);
    let notification = device.notification(b"eye");
    device.send(&empty_message(Type::Rst, notification.message().message_id()));
    device.acknowledges = true;
    assert_eq!(device.publish("watched", "2"), Code::CHANGED);
    assert_eq!(device.receive(QUIET), None);
    assert_eq!(broker.status().observations, 0);

    // So does Observe 1.
    assert_eq!(device.observe("watched", b"again").code(), Code::CONTENT);
    let mut options: Vec<(OptionNumber, &[u8])> = vec![(OptionNumber::OBSERVE, &[1])];
    options.extend(path("d/watched"));
    let ended = device.request_with_token(Code::GET, b"again", &options, &[]);
    assert_eq!((ended.code(), ended.message().observe()), (Code::CONTENT, None));
    assert_eq!(device.publish("watched", "3"), Code::CHANGED);
    assert_eq!(device.receive(QUIET), None);
}

#[test]
fn conditions_validation_and_no_response() {
    let (_broker, mut device) = scene();
    assert_eq!(device.publish("when", "1"), Code::CREATED);
    let read = device.read("when");
    let tag = read.message().etags().next().expect("an ETag").to_vec();
    let mut options: Vec<(OptionNumber, &[u8])> = vec![(OptionNumber::ETAG, &tag)];
    options.extend(path("d/when"));
    assert_eq!(device.request(Code::GET, &options, &[]).code(), Code::VALID);
    let mut options: Vec<(OptionNumber, &[u8])> = vec![(OptionNumber::IF_NONE_MATCH, &[])];
    options.extend(path("d/when"));
    options.push((OptionNumber::CONTENT_FORMAT, &[]));
    assert_eq!(device.request(Code::PUT, &options, b"2").code(), Code::PRECONDITION_FAILED);
    let mut options = path("d/when");
    options.push((OptionNumber::ACCEPT, CBOR));
    assert_eq!(device.request(Code::GET, &options, &[]).code(), Code::NOT_ACCEPTABLE);
    // No-Response 26: nobody wants an answer (RFC 7967).
    let mut options = path("d/when");
    options.push((OptionNumber::CONTENT_FORMAT, &[]));
    options.push((OptionNumber(258), &[26]));
    device.send(&message(Type::Non, Code::PUT, 0x5151, b"n", &options, b"3"));
    assert_eq!(device.receive(QUIET), None);
    assert_eq!(device.read("when").text(), "3");
}
