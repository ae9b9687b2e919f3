//! Who may do what: decided on every request, and on every notification.

use sedge_access::{Grants, Permissions, Verb};
use sedge_coap::Code;

use crate::broker::*;

/// Every request needs its verb, and no other; without it, 4.03 whether or not the topic exists.
#[test]
fn every_request_needs_its_permission() {
    type Make = fn(&str) -> Req;
    let rows: [(Make, Verb, Code); 9] = [
        (|_| Req::put("/d/a").text("2"), Verb::Publish, Code::CHANGED),
        (|_| Req::get("/d/a"), Verb::Read, Code::CONTENT),
        (|_| Req::get("/d/a").observe(0), Verb::Read, Code::CONTENT),
        (|_| Req::delete("/d/a"), Verb::Delete, Code::DELETED),
        (|path| Req::post(path).pubsub(&[]), Verb::Configure, Code::CHANGED),
        (|path| Req::ipatch(path).pubsub(&[]), Verb::Configure, Code::CHANGED),
        (|path| Req::delete(path), Verb::Configure, Code::DELETED),
        (
            |_| Req::post("/ps").pubsub(&[Entry::Text(0, "new"), Entry::Text(2, "core.ps.data")]),
            Verb::Configure,
            Code::CREATED,
        ),
        (|_| Req::put("/d/new").text("1"), Verb::Publish, Code::CREATED),
    ];
    for (make, needed, success) in rows {
        for held in Verb::ALL {
            let mut broker = Broker::new();
            let path = broker.create("a", &[]);
            broker.put("/d/a", "1");
            let grants = granted(&[("+", held.permission())]);
            let expected = if held == needed { success } else { Code::FORBIDDEN };
            let request = make(&path);
            assert_eq!(broker.ask_with(1, &grants, request).unwrap().code(), expected, "{needed} by {held}");
        }
        let mut broker = Broker::new();
        let path = broker.create("a", &[]);
        let request = make(&path);
        assert_eq!(broker.ask_with(1, &Grants::none(), request).unwrap().code(), Code::FORBIDDEN);
    }
}

/// Whoever may do anything with a topic may read its configuration.
#[test]
fn the_configuration_is_for_those_concerned() {
    let mut broker = Broker::new();
    let path = broker.create("a", &[]);
    for permissions in [Permissions::ADMIN, Permissions::PUBLISH, Permissions::READ, Permissions::DELETE] {
        let grants = granted(&[("a", permissions)]);
        let reply = broker.ask_with(1, &grants, Req::get(&path)).unwrap();
        assert_eq!(reply.code(), Code::CONTENT);
    }
    let grants = granted(&[("b", Permissions::READ), ("a", Permissions::APP_GROUP)]);
    assert_eq!(broker.ask_with(1, &grants, Req::get(&path)).unwrap().code(), Code::FORBIDDEN);
}

/// When rights change, observations that they no longer cover end at once; others go on.
#[test]
fn what_is_no_longer_permitted_ends() {
    let mut broker = Broker::new();
    for (token, name) in [(1, "/d/a"), (2, "/d/b"), (3, "/d/c")] {
        broker.put(name, "1");
        broker.ask(Req::get(name).token(token).observe(0));
    }
    broker.on_shard(1, |shard, now, outlet| {
        shard.regrant(1, |topic| (topic != "b").then_some(Code::FORBIDDEN));
        shard.ready(now, 1, outlet);
    });
    assert_eq!(broker.drain(1), ["4.03", "4.03"]);
    for name in ["/d/a", "/d/b", "/d/c"] {
        broker.put(name, "2");
    }
    assert_eq!(broker.drain(1), ["2"]);
    broker.on_shard(1, |shard, now, outlet| shard.revoke(now, 1, Code::UNAUTHORIZED, outlet));
    assert_eq!(broker.drain(1), ["4.01"]);
    assert!(broker.shards[1].is_empty());
}

/// A session that can be sent nothing when its rights go is sent no value later either.
#[test]
fn revocation_holds_even_when_nothing_can_be_sent() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    broker.observe(1, "/d/a");
    broker.busy.insert(1);
    broker.on_shard(1, |shard, now, outlet| shard.revoke(now, 1, Code::UNAUTHORIZED, outlet));
    broker.put("/d/a", "2");
    assert!(broker.sent().is_empty());
    assert_eq!(broker.topics.find("a").unwrap().1.subscribers(), 0);
    broker.busy.clear();
    broker.on_shard(1, |shard, now, outlet| shard.ready(now, 1, outlet));
    assert_eq!(broker.drain(1), ["4.01"]);
}
