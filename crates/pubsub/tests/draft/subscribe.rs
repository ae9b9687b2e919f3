//! Draft sections 3.2.2 and 3.2.3: subscribing and unsubscribing; RFC 7641.

use sedge_coap::{Code, ContentFormat, OptionNumber, Type};
use sedge_pubsub::*;

use crate::broker::*;

/// 3.2.2: 2.05 with the value and an Observe option, then notifications.
#[test]
fn a_subscriber_gets_the_value_and_what_follows() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    let reply = broker.observe(5, "/d/a");
    assert_eq!((reply.code(), reply.text().as_str()), (Code::CONTENT, "1"));
    let first = reply.message().observe().expect("an Observe option");
    broker.ask(Req::put("/d/a").text("2").max_age(15));
    let sent = broker.sent();
    assert_eq!(sent.len(), 1);
    let message = sent[0].message();
    assert_eq!((sent[0].session, message.kind(), message.code()), (5, Type::Con, Code::CONTENT));
    assert_eq!(message.token(), reply.message().token());
    assert_eq!(message.payload(), b"2");
    assert_eq!(message.content_format(), Some(ContentFormat::TEXT));
    assert_eq!(message.uint(OptionNumber::MAX_AGE), Some(15));
    assert!(message.observe().unwrap() > first);
}

/// Subscribers of every shard hear of a publication over any.
#[test]
fn shards_share_the_topics() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    broker.observe(2, "/d/a");
    broker.observe(3, "/d/a");
    broker.ask_as(4, Req::put("/d/a").text("2"));
    let mut to: Vec<_> = broker.sent().iter().map(|sent| (sent.session, sent.text())).collect();
    to.sort();
    assert_eq!(to, [(2, "2".into()), (3, "2".into())]);
    assert_eq!(broker.topics.find("a").unwrap().1.subscribers(), 2);
}

/// 3.2.2: 4.04 as long as the topic is half created.
#[test]
fn there_is_no_subscribing_to_a_half_created_topic() {
    let mut broker = Broker::new();
    broker.create("a", &[]);
    let reply = broker.observe(1, "/d/a");
    assert_eq!((reply.code(), reply.message().observe()), (Code::NOT_FOUND, None));
    broker.put("/d/a", "1");
    assert!(broker.sent().is_empty());
}

/// 2.2: `initialize` makes the topic subscribable at once.
#[test]
fn an_initialized_topic_can_be_subscribed_to_at_once() {
    let mut broker = Broker::new();
    broker.create("a", &[Entry::Uint(3, 60), Entry::Bytes(8, b"\x80")]);
    let reply = broker.observe(1, "/d/a");
    assert_eq!((reply.code(), reply.message().payload()), (Code::CONTENT, &b"\x80"[..]));
    assert_eq!(reply.message().content_format(), Some(ContentFormat::CBOR));
    assert!(reply.message().observe().is_some());
    // A following publication is not the first.
    let put = Req::put("/d/a").body(ContentFormat::CBOR, b"\x81\x01");
    assert_eq!(broker.ask(put).code(), Code::CHANGED);
    assert_eq!(broker.sent().len(), 1);
}

/// 3.2.2, RFC 7641 section 4.1: at the limit, 2.05 without Observe.
#[test]
fn too_many_subscribers_get_the_value_only() {
    let mut broker = Broker::new();
    broker.create("a", &[Entry::Uint(6, 2)]);
    broker.put("/d/a", "1");
    let observed = |broker: &mut Broker, session| {
        let reply = broker.observe(session, "/d/a");
        assert_eq!((reply.code(), reply.text().as_str()), (Code::CONTENT, "1"));
        reply.message().observe().is_some()
    };
    assert!(observed(&mut broker, 1));
    assert!(observed(&mut broker, 2));
    assert!(!observed(&mut broker, 3));
    assert!(!observed(&mut broker, 4));
    // Renewing is not subscribing anew.
    assert!(observed(&mut broker, 1));
    broker.put("/d/a", "1");
    assert_eq!(broker.sent().len(), 2);
    broker.shards[1].close(1);
    assert!(observed(&mut broker, 3));
}

#[test]
fn nobody_may_subscribe_when_the_limit_is_zero() {
    let mut broker = Broker::new();
    broker.create("a", &[Entry::Uint(6, 0)]);
    broker.put("/d/a", "1");
    assert_eq!(broker.observe(1, "/d/a").message().observe(), None);
}

/// 2.5.3, 2.5.4: lowering max-subscribers ends subscriptions with a final 4.04.
#[test]
fn lowering_the_limit_evicts() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[]);
    broker.put("/d/a", "1");
    for session in 1..=6 {
        broker.observe(session, "/d/a");
    }
    broker.ask(Req::ipatch(&path).pubsub(&[Entry::Uint(6, 2)]));
    let sent = broker.sent();
    assert_eq!(sent.iter().map(Sent::text).collect::<Vec<_>>(), ["4.04"; 4]);
    assert!(sent.iter().all(|sent| sent.message().kind() == Type::Con));
    assert_eq!(broker.topics.find("a").unwrap().1.subscribers(), 2);
    broker.put("/d/a", "2");
    assert_eq!(broker.sent().len(), 2);
    // The room they leave is room again.
    broker.ask(Req::ipatch(&path).pubsub(&[Entry::Uint(6, 3)]));
    assert!(broker.observe(8, "/d/a").message().observe().is_some());
    assert!(broker.observe(10, "/d/a").message().observe().is_none());
}

/// 3.2.3: GET with Observe 1.
#[test]
fn a_subscriber_can_unsubscribe() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    broker.observe(1, "/d/a");
    let reply = broker.ask(Req::get("/d/a").token(1).observe(1));
    assert_eq!((reply.text().as_str(), reply.message().observe()), ("1", None));
    broker.put("/d/a", "2");
    assert!(broker.sent().is_empty());
    assert!(broker.shards[1].is_empty());
    assert_eq!(broker.topics.find("a").unwrap().1.subscribers(), 0);
}

/// RFC 7641 section 4.1: the observation is known by its token.
#[test]
fn unsubscribing_takes_the_right_token() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    broker.observe(1, "/d/a");
    broker.ask(Req::get("/d/a").token(9).observe(1));
    broker.put("/d/a", "2");
    assert_eq!(broker.sent().len(), 1);
}

/// RFC 7641 section 4.1: a registration with a token in use replaces the former one.
#[test]
fn renewing_makes_no_second_subscription() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    broker.put("/d/b", "1");
    broker.observe(1, "/d/a");
    broker.observe(1, "/d/a");
    broker.put("/d/a", "2");
    assert_eq!(broker.drain(1), ["2"]);
    // The same token for another resource.
    broker.observe(1, "/d/b");
    broker.put("/d/a", "3");
    broker.put("/d/b", "3b");
    assert_eq!(broker.drain(1), ["3b"]);
    assert_eq!(broker.shards[1].len(), 1);
}

/// RFC 7641 section 3.1: a request with ETags may be answered 2.03, also when it subscribes.
#[test]
fn subscribing_with_a_valid_representation_is_answered_2_03() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    let etag = broker.ask(Req::get("/d/a")).etag();
    let reply = broker.ask(Req::get("/d/a").observe(0).option(OptionNumber::ETAG, &etag));
    assert_eq!(reply.code(), Code::VALID);
    assert!(reply.message().observe().is_some());
    broker.put("/d/a", "2");
    assert_eq!(broker.sent().len(), 1);
}

/// RFC 7641 section 4.2: notifications keep the format of the first response, or the observation ends 4.06.
#[test]
fn a_change_of_format_ends_observations() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    broker.observe(1, "/d/a");
    broker.ask(Req::put("/d/a").body(ContentFormat::CBOR, b"\x01"));
    assert_eq!(broker.drain(1), ["4.06"]);
    broker.ask(Req::put("/d/a").body(ContentFormat::CBOR, b"\x02"));
    assert!(broker.sent().is_empty());
    assert_eq!(broker.observe(1, "/d/a").message().payload(), b"\x02");
    // What ended the old subscriptions does not end one to the value that did so.
    broker.put("/d/a", "3");
    assert_eq!(broker.drain(1), ["4.06"]);
    assert_eq!(broker.observe(1, "/d/a").text(), "3");
    broker.put("/d/a", "4");
    assert_eq!(broker.drain(1), ["4"]);
}

#[test]
fn a_session_has_only_so_many_subscriptions() {
    let policy = Policy { max_per_session: 2, ..Policy::default() };
    let mut broker = Broker::with(Settings::default(), policy);
    let mut observed = |name: &str, token| {
        broker.put(name, "1");
        let request = Req::get(name).token(token).observe(0);
        broker.ask(request).message().observe().is_some()
    };
    assert!(observed("/d/a", 1) && observed("/d/b", 2));
    assert!(!observed("/d/c", 3));
    assert!(observed("/d/c", 2));
}
