//! Draft sections 3.2.1, 3.2.4, 3.3 and 3.4: publishing, deleting, reading, and how fast.

use sedge_coap::{Code, ContentFormat, OptionNumber};
use sedge_pubsub::*;

use crate::broker::*;

/// 3.2.1: 2.01 for the first publication, 2.04 for later ones.
#[test]
fn the_first_publication_creates() {
    let mut broker = Broker::new();
    broker.create("a", &[]);
    assert_eq!(broker.ask(Req::get("/d/a")).code(), Code::NOT_FOUND);
    assert_eq!(broker.put("/d/a", "1"), Code::CREATED);
    assert_eq!(broker.put("/d/a", "2"), Code::CHANGED);
    let reply = broker.ask(Req::get("/d/a"));
    assert_eq!((reply.code(), reply.text().as_str()), (Code::CONTENT, "2"));
    assert_eq!(reply.message().content_format(), Some(ContentFormat::TEXT));
    assert_eq!(reply.message().observe(), None);
}

/// Levels of a name are path segments.
#[test]
fn a_publication_can_create_its_topic() {
    let mut broker = Broker::new();
    assert_eq!(broker.put("/d/site/7/temp", "21.5"), Code::CREATED);
    assert_eq!(broker.put("/d/site/7/temp", "21.6"), Code::CHANGED);
    assert_eq!(broker.put("/d/site/7", "x"), Code::CREATED);
    assert_eq!(broker.ask(Req::get("/d/site/7/temp")).text(), "21.6");
    assert_eq!(broker.ask(Req::get("/ps")).links().len(), 2);
    let filter = [Entry::Text(0, "site/7/temp"), Entry::Text(2, "core.ps.data")];
    assert_eq!(broker.ask(Req::fetch("/ps").pubsub(&filter)).links().len(), 1);
}

#[test]
fn without_auto_create_the_topic_must_be_there() {
    let mut broker = Broker::with(Settings { auto_create: false, ..Settings::default() }, Policy::default());
    assert_eq!(broker.put("/d/a", "1"), Code::NOT_FOUND);
    broker.create("a", &[]);
    assert_eq!(broker.put("/d/a", "1"), Code::CREATED);
}

#[test]
fn reading_creates_nothing() {
    let mut broker = Broker::new();
    assert_eq!(broker.ask(Req::get("/d/a")).code(), Code::NOT_FOUND);
    assert_eq!(broker.observe(1, "/d/a").code(), Code::NOT_FOUND);
    assert_eq!(broker.ask(Req::delete("/d/a")).code(), Code::NOT_FOUND);
    assert!(broker.topics.is_empty());
}

#[test]
fn paths_that_are_no_names_are_refused() {
    let mut broker = Broker::new();
    for path in ["/d", "/d/", "/d//a", "/d/a/", "/d/+", "/d/a/#", "/d/a\u{7}"] {
        assert_eq!(broker.put(path, "1"), Code::BAD_REQUEST, "{path}");
    }
    let deep = format!("/d{}", "/x".repeat(17));
    assert_eq!(broker.put(&deep, "1"), Code::BAD_REQUEST);
    let long = format!("/d/{0}/{0}", "x".repeat(150));
    assert_eq!(broker.put(&long, "1"), Code::BAD_REQUEST);
    let segment = |bytes| Req::put("/d").option(OptionNumber::URI_PATH, bytes).text("1");
    let slash = Req::put("").option(OptionNumber::URI_PATH, b"d").option(OptionNumber::URI_PATH, b"a/b");
    assert_eq!(broker.ask(slash.text("1")).problem(), "path segment with a slash inside");
    assert_eq!(broker.ask(segment(b"..")).code(), Code::BAD_REQUEST);
    assert_eq!(broker.ask(segment(b"\xff")).code(), Code::BAD_REQUEST);
    assert!(broker.topics.is_empty());
}

/// 3.2.1: 4.15 for a format that is not the topic's.
#[test]
fn a_topic_with_a_format_takes_no_other() {
    let mut broker = Broker::new();
    broker.create("a", &[Entry::Uint(3, 112)]);
    let code = |broker: &mut Broker, request| broker.ask(request).code();
    assert_eq!(broker.put("/d/a", "1"), Code::UNSUPPORTED_CONTENT_FORMAT);
    assert_eq!(code(&mut broker, Req::put("/d/a").bare(b"\x80")), Code::UNSUPPORTED_CONTENT_FORMAT);
    let right = || Req::put("/d/a").body(ContentFormat::SENML_CBOR, b"\x80");
    assert_eq!(code(&mut broker, right()), Code::CREATED);
    // Without the property, any format is taken, and none too.
    assert_eq!(code(&mut broker, Req::put("/d/b").bare(b"raw")), Code::CREATED);
    assert_eq!(broker.ask(Req::get("/d/b")).message().content_format(), None);
    assert_eq!(broker.put("/d/b", "text"), Code::CHANGED);
}

/// RFC 7252 section 5.10.4: 4.06 if the client accepts only another format.
#[test]
fn accept_is_negotiated() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    assert_eq!(broker.ask(Req::get("/d/a").accept(ContentFormat::TEXT)).code(), Code::CONTENT);
    assert_eq!(broker.ask(Req::get("/d/a").accept(ContentFormat::CBOR)).code(), Code::NOT_ACCEPTABLE);
    let observe = Req::get("/d/a").accept(ContentFormat::CBOR).observe(0);
    assert_eq!(broker.ask(observe).code(), Code::NOT_ACCEPTABLE);
    assert!(broker.shards[1].is_empty());
}

/// RFC 7252 section 5.10.6.2
#[test]
fn a_value_that_the_client_holds_is_validated() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    let etag = broker.ask(Req::get("/d/a")).etag();
    let get = || Req::get("/d/a").option(OptionNumber::ETAG, b"x").option(OptionNumber::ETAG, &etag);
    let reply = broker.ask(get());
    assert_eq!((reply.code(), reply.text().as_str()), (Code::VALID, ""));
    assert_eq!(reply.message().content_format(), None);
    assert_eq!(reply.etag(), etag);
    broker.put("/d/a", "2");
    assert_eq!(broker.ask(get()).text(), "2");
    // The same representation is the same, whenever it was published.
    broker.put("/d/a", "1");
    assert_eq!(broker.ask(get()).code(), Code::VALID);
}

/// RFC 7252 section 5.10.8
#[test]
fn publications_hold_to_their_conditions() {
    let mut broker = Broker::new();
    let put = |text| Req::put("/d/a").text(text);
    let exists = |request: Req| request.option(OptionNumber::IF_MATCH, b"");
    let new = |request: Req| request.option(OptionNumber::IF_NONE_MATCH, b"");
    assert_eq!(broker.ask(exists(put("1"))).code(), Code::PRECONDITION_FAILED);
    assert!(broker.topics.is_empty());
    assert_eq!(broker.ask(new(put("1"))).code(), Code::CREATED);
    assert_eq!(broker.ask(new(put("2"))).code(), Code::PRECONDITION_FAILED);
    let etag = broker.ask(Req::get("/d/a")).etag();
    let same = |text| put(text).option(OptionNumber::IF_MATCH, &etag);
    assert_eq!(broker.ask(same("2")).code(), Code::CHANGED);
    assert_eq!(broker.ask(same("3")).code(), Code::PRECONDITION_FAILED);
    let either = same("3").option(OptionNumber::IF_MATCH, b"");
    assert_eq!(broker.ask(either).code(), Code::CHANGED);
    let delete = Req::delete("/d/a").option(OptionNumber::IF_MATCH, &etag);
    assert_eq!(broker.ask(delete).code(), Code::PRECONDITION_FAILED);
    assert_eq!(broker.ask(Req::get("/d/a")).text(), "3");
    // Half created, there is nothing to match.
    broker.ask(Req::delete("/d/a"));
    assert_eq!(broker.ask(exists(put("4"))).code(), Code::PRECONDITION_FAILED);
    assert_eq!(broker.ask(new(put("4"))).code(), Code::CREATED);
}

/// A publisher may say how long its value is fresh; what is left of that comes with it.
#[test]
fn max_age_comes_from_the_publisher_and_runs_down() {
    let mut broker = Broker::new();
    broker.ask(Req::put("/d/a").text("1").max_age(30));
    let age = |broker: &mut Broker| {
        let reply = broker.ask(Req::get("/d/a"));
        reply.message().uint(OptionNumber::MAX_AGE)
    };
    assert_eq!(age(&mut broker), Some(30));
    broker.pass(10);
    assert_eq!(age(&mut broker), Some(20));
    broker.pass(100);
    assert_eq!(age(&mut broker), Some(0));
    broker.put("/d/a", "2");
    assert_eq!(age(&mut broker), None);
}

/// 3.2.4: 2.02, 4.04 when it is repeated; the topic stays.
#[test]
fn delete_takes_the_topic_back_to_half_created() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[Entry::Uint(3, 0), Entry::Bytes(8, b"initial")]);
    assert_eq!(broker.ask(Req::get("/d/a")).text(), "initial");
    assert_eq!(broker.ask(Req::delete("/d/a")).code(), Code::DELETED);
    assert_eq!(broker.ask(Req::delete("/d/a")).code(), Code::NOT_FOUND);
    // `initialize` is still a property, but is not applied again.
    assert_eq!(broker.ask(Req::get("/d/a")).code(), Code::NOT_FOUND);
    assert_eq!(broker.ask(Req::get(&path)).properties().initialize, Some(&b"initial"[..]));
    assert_eq!(broker.observe(1, "/d/a").code(), Code::NOT_FOUND);
    assert_eq!(broker.put("/d/a", "1"), Code::CREATED);
}

/// 3.4: 4.29 with Max-Age, after which the publisher may go on.
#[test]
fn a_publisher_that_is_too_fast_is_told_to_wait() {
    let rate = Rate { per_second: 2, burst: 3 };
    let mut broker = Broker::with(Settings { rate, ..Settings::default() }, Policy::default());
    for text in ["1", "2", "3"] {
        assert!(broker.put("/d/a", text).is_success());
    }
    let reply = broker.ask(Req::put("/d/a").text("4"));
    assert_eq!(reply.code(), Code::TOO_MANY_REQUESTS);
    let wait = reply.message().uint(OptionNumber::MAX_AGE).unwrap();
    assert_eq!(wait, 1);
    assert_eq!(broker.ask(Req::get("/d/a")).text(), "3");
    // Another topic is not concerned.
    assert_eq!(broker.put("/d/b", "1"), Code::CREATED);
    broker.pass(wait.into());
    assert_eq!(broker.put("/d/a", "4"), Code::CHANGED);
}

#[test]
fn a_value_that_is_too_large_is_refused() {
    let mut broker = Broker::with(Settings { max_value: 10, ..Settings::default() }, Policy::default());
    assert_eq!(broker.put("/d/a", "12345678901"), Code::REQUEST_ENTITY_TOO_LARGE);
    assert!(broker.topics.is_empty());
    assert_eq!(broker.put("/d/a", "1234567890"), Code::CREATED);
    assert_eq!(broker.put("/d/a", "12345678901"), Code::REQUEST_ENTITY_TOO_LARGE);
    let entries =
        [Entry::Text(0, "b"), Entry::Text(2, "x"), Entry::Uint(3, 0), Entry::Bytes(8, b"12345678901")];
    let reply = broker.ask(Req::post("/ps").pubsub(&entries));
    assert_eq!(reply.code(), Code::REQUEST_ENTITY_TOO_LARGE);
}

#[test]
fn an_empty_value_is_a_value() {
    let mut broker = Broker::new();
    assert_eq!(broker.ask(Req::put("/d/a")).code(), Code::CREATED);
    let reply = broker.ask(Req::get("/d/a").block2(0, 64));
    assert_eq!((reply.code(), reply.text().as_str()), (Code::CONTENT, ""));
}

#[test]
fn other_methods_queries_and_options_are_refused() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    for request in [Req::post("/d/a"), Req::fetch("/d/a"), Req::ipatch("/d/a"), Req::patch("/d/a")] {
        assert_eq!(broker.ask(request).code(), Code::METHOD_NOT_ALLOWED);
    }
    assert_eq!(broker.ask(Req::get("/d/a?pmin=10")).code(), Code::BAD_REQUEST);
    assert_eq!(broker.ask(Req::get("/d/a").option(OptionNumber(65001), b"")).code(), Code::BAD_OPTION);
    assert_eq!(broker.ask(Req::get("/d/a").option(OptionNumber(65002), b"")).code(), Code::CONTENT);
    let proxied = Req::get("/d/a").option(OptionNumber::PROXY_SCHEME, b"coap");
    assert_eq!(broker.ask(proxied).code(), Code::PROXYING_NOT_SUPPORTED);
}

#[test]
fn long_values_are_read_in_blocks() {
    let mut broker = Broker::new();
    let text: String = ('a'..='z').cycle().take(2500).collect();
    broker.put("/d/a", &text);
    let first = broker.ask(Req::get("/d/a"));
    let block = first.message().block2().unwrap();
    assert_eq!((block.num(), block.more(), first.message().size2()), (0, true, Some(2500)));
    let mut read = String::new();
    for num in 0..20 {
        let reply = broker.ask(Req::get("/d/a").block2(num, 128));
        assert_eq!(reply.etag(), first.etag());
        read += &reply.text();
        assert_eq!(reply.message().block2().unwrap().more(), num < 19);
    }
    assert_eq!(read, text);
    assert_eq!(broker.ask(Req::get("/d/a").block2(20, 128)).code(), Code::BAD_REQUEST);
}

#[test]
fn refusals_are_counted_by_kind() {
    let mut broker = Broker::new();
    broker.put("/d/a//b", "1");
    broker.put("/d//", "1");
    broker.ask(Req::get("/d/a"));
    let count = |name| broker.topics.counters().entries().find(|entry| entry.0 == name).unwrap().1;
    assert_eq!((count("name"), count("not-found"), count("published")), (2, 1, 0));
}
