//! Whatever arrives, the broker goes on: arbitrary requests, bodies and stored bytes.
#![allow(missing_docs, reason = "a test binary has no public items")]

use proptest::prelude::*;
use sedge_access::{Caller, Grants, Subject};
use sedge_coap::block::BlockSize;
use sedge_coap::{Code, Message, OptionNumber, Token, Type, Writer};
use sedge_pubsub::*;
use sedge_time::Instant;

const NOW: UnixTime = UnixTime(1_795_305_600);

/// A broker with a topic that has every property, and one that was created by publishing.
fn broker() -> (Topics, Subscriptions) {
    let mut topics = Topics::new(Settings::default());
    let configuration = Configuration {
        content_format: Some(sedge_coap::ContentFormat::CBOR),
        topic_type: Some("temperature".into()),
        expiration: Some(UnixTime(NOW.0 + 1000)),
        max_subscribers: Some(2),
        observer_check: 60,
        initialize: Some(b"\x80".as_slice().into()),
    };
    let identity = Identity::named(TopicName::new("a").unwrap());
    let _ = topics.create(identity, configuration, TopicOptions::default(), NOW).unwrap();
    let identity = Identity::named(TopicName::new("b/c").unwrap());
    let created = topics.create(identity, Configuration::default(), TopicOptions::default(), NOW).unwrap();
    let long = [7; 3000];
    let publication = Publication { payload: &long, ..Publication::default() };
    let _ = topics.publish(created.topic, publication, Instant::EPOCH, NOW).unwrap();
    (topics, Subscriptions::new(Policy::default()))
}

/// Hands the request in, has everything delivered, and checks that the answer is a well-formed message of a
/// code that is an answer.
fn ask(topics: &mut Topics, subscriptions: &mut Subscriptions, message: &Message<'_>) {
    let administrator = Subject::device("admin", &Grants::administrator());
    let request = Request {
        now: Instant::EPOCH,
        unix: NOW,
        session: 1,
        caller: Caller { policy: &sedge_access::Policy::default(), subject: &administrator },
        message,
        body: message.payload(),
    };
    let before = topics.len();
    let outcome = handle(topics, subscriptions, &request);
    if let Some(change) = &outcome.change {
        assert!(outcome.response.as_ref().is_some_and(|response| response.code.is_success()));
        subscriptions.sync(Instant::EPOCH, topics, change.topic);
        if let Stored::Put(record) = &change.persist.topic {
            assert_eq!(&TopicRecord::from_bytes(&record.to_bytes()).unwrap(), record);
        }
        if let Stored::Put(value) = &change.persist.value {
            assert_eq!(&Value::from_bytes(&value.to_bytes()).unwrap(), &**value);
        }
    } else {
        assert_eq!(topics.len(), before);
    }
    while subscriptions.deliver(Instant::EPOCH, 10, &mut |notification| {
        assert!(notification.render(NOW).code.is_response());
        Handed::Sent
    }) {}
    let Some(response) = outcome.response else { return };
    assert!(response.code.is_response());
    let rendered = response.render(message.block2(), BlockSize::MAX);
    let mut buffer = [0; 2048];
    let mut writer = Writer::new(&mut buffer, Type::Ack, rendered.code, 1, message.token());
    rendered.write(&mut writer, None);
    let len = writer.finish().expect("a block of an answer fits");
    assert_eq!(Message::parse(&buffer[..len]).unwrap().code(), rendered.code);
}

/// Options that mean something, with values that may.
fn option() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let numbers =
        prop::sample::select(vec![1, 3, 4, 5, 6, 7, 12, 14, 15, 17, 23, 27, 28, 60, 258, 35, 9, 65]);
    let values = prop_oneof![
        Just(Vec::new()),
        any::<u16>().prop_map(|number| number.to_be_bytes().to_vec()),
        prop::sample::select(vec![0_u8, 1, 40, 60, 0x16, 0x06]).prop_map(|byte| vec![byte]),
        Just(606_u16.to_be_bytes().to_vec()),
        Just(b"rt=core.ps.data".to_vec()),
        prop::collection::vec(any::<u8>(), 0..9),
    ];
    (numbers, values)
}

fn path(topics: &Topics) -> impl Strategy<Value = Vec<Vec<u8>>> + use<> {
    let number = |name| format!("{:08x}", topics.find(name).unwrap().1.number()).into_bytes();
    let (a, b) = (number("a"), number("b/c"));
    let known = |segments: &[&[u8]]| Just(segments.iter().map(|segment| segment.to_vec()).collect());
    prop_oneof![
        known(&[b"ps"]),
        known(&[b"ps", &a]),
        known(&[b"ps", &b]),
        known(&[b"d", b"a"]),
        known(&[b"d", b"b", b"c"]),
        known(&[b"d", b"new"]),
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..4),
    ]
}

/// A map or an array of the draft's, perhaps with some bytes changed.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let property = prop_oneof![
        "[a-c/]{0,4}".prop_map(|text| {
            let mut item = vec![0x60 | text.len() as u8];
            item.extend(text.bytes());
            item
        }),
        Just(b"\x6ccore.ps.data".to_vec()),
        (0_u8..24).prop_map(|number| vec![number]),
        Just(b"\xc1\x1a\xff\xff\xff\xff".to_vec()),
        Just(b"\x41\x80".to_vec()),
        prop::collection::vec(any::<u8>(), 1..6),
    ];
    let map = prop::collection::vec((0_u8..10, property), 0..10).prop_map(|entries| {
        let mut body = vec![0xa0 | entries.len() as u8];
        for (key, item) in entries {
            body.push(key);
            body.extend(item);
        }
        body
    });
    prop_oneof![
        3 => map,
        1 => prop::collection::vec(0_u8..10, 0..10).prop_map(|keys| [&[0x80 | keys.len() as u8], &keys[..]].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #[test]
    fn requests_of_all_kinds_are_answered(
        requests in prop::collection::vec(
            (1_u8..9, path(&broker().0), prop::collection::vec(option(), 0..5), body(), any::<bool>()),
            1..12,
        ),
    ) {
        let (mut topics, mut subscriptions) = broker();
        for (code, path, mut options, body, confirmable) in requests {
            options.extend(path.into_iter().map(|segment| (OptionNumber::URI_PATH.0, segment)));
            options.sort_by_key(|(number, _)| *number);
            let mut buffer = [0; 2048];
            let kind = if confirmable { Type::Con } else { Type::Non };
            let mut writer = Writer::new(&mut buffer, kind, Code(code), 1, Token::EMPTY);
            for (number, value) in &options {
                writer.option(OptionNumber(*number), value);
            }
            writer.payload(&body);
            let len = writer.finish().unwrap();
            ask(&mut topics, &mut subscriptions, &Message::parse(&buffer[..len]).unwrap());
        }
    }

    #[test]
    fn requests_of_any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (mut topics, mut subscriptions) = broker();
        let datagram = [&[0x40, 1 + bytes.len() as u8 % 7, 0, 0, 0xb1, b"pd"[bytes.len() % 2]], &bytes[..]].concat();
        if let Ok(message) = Message::parse(&datagram) {
            ask(&mut topics, &mut subscriptions, &message);
        }
    }

    /// Whatever the decoder takes is exactly what it says: encoded again it has the same meaning.
    #[test]
    fn the_decoder_takes_only_what_it_understands(body in body()) {
        let Ok(parameters) = Parameters::decode(&body) else { return Ok(()) };
        let identity = Identity::from_parameters(&parameters);
        let configuration = Configuration::default().updated(&parameters, UnixTime(0));
        if let (Ok(identity), Ok(configuration)) = (identity, configuration) {
            let record = TopicRecord {
                identity,
                configuration,
                options: TopicOptions::default(),
                number: 0,
                sequence: 0,
            };
            prop_assert_eq!(TopicRecord::from_bytes(&record.to_bytes()).unwrap(), record);
        }
        for end in 0..body.len() {
            prop_assert!(Parameters::decode(&body[..end]).is_err(), "a part of a map is no map");
        }
        let trailing = [&body[..], &[0]].concat();
        prop_assert_eq!(Parameters::decode(&trailing), Err(CborError::TrailingBytes));
    }

    #[test]
    fn stored_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = TopicRecord::from_bytes(&bytes);
        let _ = Value::from_bytes(&bytes);
    }
}
