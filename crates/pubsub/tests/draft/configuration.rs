//! Draft section 2.5: a topic's configuration resource.

use sedge_coap::{Code, ContentFormat, OptionNumber};
use sedge_pubsub::*;

use crate::broker::*;

/// 2.5.1
#[test]
fn get_reads_the_configuration() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[Entry::Uint(3, 112), Entry::Uint(6, 100)]);
    let reply = broker.ask(Req::get(&path));
    assert_eq!(reply.code(), Code::CONTENT);
    let properties = reply.properties();
    assert_eq!((properties.name, properties.max_subscribers), (Some("a"), Some(100)));
    assert_eq!(properties.content_format, Some(ContentFormat(112)));
    let validation = Req::get(&path).option(OptionNumber::ETAG, &reply.etag());
    assert_eq!(broker.ask(validation).code(), Code::VALID);
    assert_eq!(broker.ask(Req::get(&path).accept(ContentFormat::CBOR)).code(), Code::NOT_ACCEPTABLE);
    assert_eq!(broker.ask(Req::get(&path).accept(PUBSUB)).code(), Code::CONTENT);
}

/// 2.5.2: those of the properties in the array that the topic has.
#[test]
fn fetch_reads_part_of_it() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[Entry::Uint(3, 112)]);
    let mut fetch = |keys: &[u8]| {
        let reply = broker.ask(Req::fetch(&path).body(ContentFormat::CBOR, keys));
        (reply.code(), reply.message().payload().to_vec())
    };
    let data_and_format = map(&[Entry::Text(1, "/d/a"), Entry::Uint(3, 112)]);
    assert_eq!(fetch(b"\x82\x01\x03"), (Code::CONTENT, data_and_format.clone()));
    // Keys that the topic has no property for, or that no property has, select nothing.
    assert_eq!(fetch(b"\x85\x06\x01\x18\x63\x38\x63\x03"), (Code::CONTENT, data_and_format));
    assert_eq!(fetch(b"\x80"), (Code::CONTENT, map(&[])));
    for bad in [&b"\xa0"[..], b"", b"\x81", b"\x81\x61a", b"\x9f\xff", b"\x80\x00"] {
        assert_eq!(fetch(bad).0, Code::BAD_REQUEST, "{bad:02x?}");
    }
    let wrong_format = Req::fetch(&path).body(PUBSUB, b"\x80");
    assert_eq!(broker.ask(wrong_format).code(), Code::UNSUPPORTED_CONTENT_FORMAT);
}

/// 2.5.3: POST overwrites; optional properties that it leaves out go back to their defaults.
#[test]
fn post_replaces_the_configuration() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[Entry::Uint(6, 100), Entry::Uint(7, 60), Entry::Text(4, "x")]);
    let reply = broker.ask(Req::post(&path).pubsub(&[
        Entry::Text(0, "a"),
        Entry::Text(1, "/d/a"),
        Entry::Text(2, "core.ps.data"),
        Entry::Uint(3, 112),
        Entry::Date(5, TODAY.0 + 1),
    ]));
    assert_eq!(reply.code(), Code::CHANGED);
    let properties = reply.properties();
    assert_eq!(properties.content_format, Some(ContentFormat(112)));
    assert_eq!(properties.expiration, Some(UnixTime(TODAY.0 + 1)));
    assert_eq!((properties.max_subscribers, properties.topic_type), (None, None));
    assert_eq!(properties.observer_check, Some(86_400));
    assert_eq!(broker.ask(Req::get(&path)).properties(), properties);
}

/// 2.5.4: iPATCH changes only what it mentions.
#[test]
fn ipatch_changes_some_properties() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[Entry::Uint(6, 100), Entry::Uint(7, 60), Entry::Text(4, "x")]);
    let reply = broker.ask(Req::ipatch(&path).pubsub(&[Entry::Date(5, TODAY.0 + 1), Entry::Uint(6, 5)]));
    assert_eq!(reply.code(), Code::CHANGED);
    let properties = reply.properties();
    assert_eq!(properties.expiration, Some(UnixTime(TODAY.0 + 1)));
    assert_eq!((properties.max_subscribers, properties.topic_type), (Some(5), Some("x")));
    assert_eq!(properties.observer_check, Some(60));
    assert_eq!(broker.ask(Req::get(&path)).properties(), properties);
}

/// 2.5.3, 2.5.4: topic-name, topic-data and resource-type are immutable.
#[test]
fn what_is_immutable_stays() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[]);
    let before = broker.ask(Req::get(&path)).message().payload().to_vec();
    for (entry, problem) in [
        (Entry::Text(0, "b"), "topic-name cannot change"),
        (Entry::Text(1, "/d/b"), "topic-data cannot change"),
        (Entry::Text(2, "other"), "resource-type cannot change"),
        (Entry::Bytes(8, b""), "topic-content-format is missing"),
        (Entry::Uint(7, 0), "observer-check is not valid"),
        (Entry::Date(5, TODAY.0 - 1), "expiration-date is not valid"),
        (Entry::Uint(10, 0), "unknown topic property"),
    ] {
        for request in [Req::post(&path), Req::ipatch(&path)] {
            let reply = broker.ask(request.pubsub(&[Entry::Uint(6, 1), entry]));
            assert_eq!((reply.code(), reply.problem().as_str()), (Code::BAD_REQUEST, problem));
        }
    }
    assert_eq!(broker.ask(Req::get(&path)).message().payload(), before);
}

#[test]
fn updates_hold_to_their_conditions_and_formats() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[]);
    let etag = broker.ask(Req::get(&path)).etag();
    let update = || Req::ipatch(&path).pubsub(&[Entry::Uint(6, 5)]);
    let stale = update().option(OptionNumber::IF_MATCH, b"stale");
    assert_eq!(broker.ask(stale).code(), Code::PRECONDITION_FAILED);
    let if_none = update().option(OptionNumber::IF_NONE_MATCH, b"");
    assert_eq!(broker.ask(if_none).code(), Code::PRECONDITION_FAILED);
    let current = || update().option(OptionNumber::IF_MATCH, &etag);
    assert_eq!(broker.ask(current()).code(), Code::CHANGED);
    assert_eq!(broker.ask(current()).code(), Code::PRECONDITION_FAILED);
    let wrong = Req::ipatch(&path).body(ContentFormat::CBOR, b"\xa0");
    assert_eq!(broker.ask(wrong).code(), Code::UNSUPPORTED_CONTENT_FORMAT);
    let accepts_other = update().accept(ContentFormat::CBOR);
    assert_eq!(broker.ask(accepts_other).code(), Code::NOT_ACCEPTABLE);
    let with_query = Req::get(&format!("{path}?x=1"));
    assert_eq!(broker.ask(with_query).code(), Code::BAD_REQUEST);
    for request in [Req::put(&path).pubsub(&[]), Req::patch(&path).pubsub(&[])] {
        assert_eq!(broker.ask(request).code(), Code::METHOD_NOT_ALLOWED);
    }
}

/// 2.5.5: 2.02, and 4.04 when it is repeated; the data go too.
#[test]
fn delete_removes_topic_and_data() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[]);
    assert_eq!(broker.put("/d/a", "1"), Code::CREATED);
    assert_eq!(broker.ask(Req::delete(&path)).code(), Code::DELETED);
    assert_eq!(broker.ask(Req::delete(&path)).code(), Code::NOT_FOUND);
    assert_eq!(broker.ask(Req::get(&path)).code(), Code::NOT_FOUND);
    assert_eq!(broker.ask(Req::get("/d/a")).code(), Code::NOT_FOUND);
    // The name is free again, and the old configuration's path does not lead to the new topic.
    broker.pass(1);
    let new_path = broker.create("a", &[]);
    assert_ne!(new_path, path);
    assert_eq!(broker.ask(Req::get("/d/a")).code(), Code::NOT_FOUND);
}
