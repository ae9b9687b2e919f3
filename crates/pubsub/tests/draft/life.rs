//! Draft section 3.1: the life of a topic, as its subscribers see it.

use sedge_coap::Code;
use sedge_pubsub::*;

use crate::broker::*;

/// HALF CREATED -> FULLY CREATED -> DELETED, with a final 4.04.
#[test]
fn deleting_the_topic_ends_its_subscriptions() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[]);
    broker.put("/d/a", "1");
    broker.observe(1, "/d/a");
    broker.observe(2, "/d/a");
    assert_eq!(broker.ask(Req::delete(&path)).code(), Code::DELETED);
    let sent = broker.sent();
    assert_eq!(sent.iter().map(Sent::text).collect::<Vec<_>>(), ["4.04"; 2]);
    sent.iter().for_each(|sent| broker.acknowledge(sent));
    assert!(broker.shards.iter().all(Subscriptions::is_empty));
    // A new topic of that name has nothing to do with them.
    broker.put("/d/a", "2");
    assert!(broker.sent().is_empty());
}

/// FULLY CREATED -> HALF CREATED, with a final 4.04, and back.
#[test]
fn deleting_the_data_ends_its_subscriptions() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[]);
    broker.put("/d/a", "1");
    broker.observe(1, "/d/a");
    assert_eq!(broker.ask(Req::delete("/d/a")).code(), Code::DELETED);
    assert_eq!(broker.drain(1), ["4.04"]);
    assert_eq!(broker.ask(Req::get(&path)).code(), Code::CONTENT);
    assert_eq!(broker.put("/d/a", "2"), Code::CREATED);
    assert!(broker.sent().is_empty());
    broker.observe(1, "/d/a");
    broker.put("/d/a", "3");
    assert_eq!(broker.drain(1), ["3"]);
}

/// Whoever subscribes after the deletion is not ended by it, even if its shard hears of everything late.
#[test]
fn a_deletion_ends_only_older_subscriptions() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    broker.observe(1, "/d/a");
    let (id, _) = broker.topics.find("a").unwrap();
    let _late = broker.topics.clear(id).unwrap();
    let publication = Publication { payload: b"2", content_format: None, max_age: None };
    let _late = broker.topics.publish(id, publication, broker.now, broker.unix).unwrap();
    assert_eq!(broker.observe(3, "/d/a").text(), "2");
    broker.shards[1].sync(broker.now, &broker.topics, id);
    broker.deliver(1);
    let sent: Vec<_> = broker.sent().iter().map(|sent| (sent.session, sent.text())).collect();
    assert_eq!(sent, [(1, "4.04".into())]);
}

/// The same token may stand for a subscription that has been ended and for one made since.
#[test]
fn subscribing_again_after_a_deletion_is_not_renewing() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    broker.observe(1, "/d/a");
    broker.put("/d/a", "2");
    let under_way = broker.sent().remove(0);
    broker.late = true;
    broker.ask(Req::delete("/d/a"));
    broker.put("/d/a", "3");
    assert_eq!(broker.observe(1, "/d/a").text(), "3");
    broker.hear(1);
    broker.deliver(1);
    broker.acknowledge(&under_way);
    broker.late = false;
    broker.put("/d/a", "4");
    assert_eq!(broker.drain(1), ["4"]);
}

/// 2.2, 2.5.5: when expiration-date is reached, the topic is deleted.
#[test]
fn an_expired_topic_is_deleted() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[Entry::Date(5, TODAY.0 + 10)]);
    broker.create("b", &[Entry::Date(5, TODAY.0 + 20)]);
    broker.put("/d/a", "1");
    broker.observe(1, "/d/a");
    assert_eq!(broker.topics.deadline(), Some(UnixTime(TODAY.0 + 10)));
    assert!(broker.topics.expire(UnixTime(TODAY.0 + 9)).is_none());
    let change = broker.topics.expire(UnixTime(TODAY.0 + 10)).unwrap();
    broker.changed(&change);
    assert!(broker.topics.expire(UnixTime(TODAY.0 + 10)).is_none());
    assert_eq!(broker.drain(1), ["4.04"]);
    assert_eq!(broker.ask(Req::get(&path)).code(), Code::NOT_FOUND);
    assert_eq!(broker.topics.deadline(), Some(UnixTime(TODAY.0 + 20)));
}

/// 2.5.3: an expiration-date can be moved and taken away.
#[test]
fn an_expiration_date_can_change() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[Entry::Date(5, TODAY.0 + 10)]);
    broker.ask(Req::ipatch(&path).pubsub(&[Entry::Date(5, TODAY.0 + 5)]));
    assert_eq!(broker.topics.deadline(), Some(UnixTime(TODAY.0 + 5)));
    broker.ask(Req::post(&path).pubsub(&[]));
    assert_eq!(broker.topics.deadline(), None);
    assert!(broker.topics.expire(UnixTime(u64::MAX)).is_none());
    broker.ask(Req::ipatch(&path).pubsub(&[Entry::Date(5, TODAY.0 + 7)]));
    broker.ask(Req::delete(&path));
    assert_eq!(broker.topics.deadline(), None);
}
