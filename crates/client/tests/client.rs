//! The client on a device's memory, against a broker in memory, over a wire that loses datagrams.
#![allow(missing_docs, reason = "a test crate has no readers but this file's")]

mod saved;
mod security;
mod world;

use sedge_client::{Code, Config, ContentFormat, Disconnect, Error, Request, Target};
use sedge_coap::block::BlockSize;
use sedge_time::{Duration, Instant};
use world::{KEY, World, abandon, client, client_with, run, socket};

const TEXT: ContentFormat = ContentFormat::TEXT;

#[test]
fn publishes_and_is_told() {
    let world = World::new();
    let mut client = client(&world);
    run(client.connect()).unwrap();
    run(client.publish("site/7/temp", TEXT, b"21.5")).unwrap();
    let temp = run(client.subscribe("site/7/temp")).unwrap();
    let mut buffer = [0; 64];
    let first = run(client.next(&mut buffer)).unwrap();
    assert_eq!((first.subscription, first.payload, first.content_format), (temp, &b"21.5"[..], Some(TEXT)));
    run(client.publish("site/7/temp", TEXT, b"22")).unwrap();
    assert_eq!(run(client.next(&mut buffer)).unwrap().payload, b"22");
    assert_eq!(world.borrow().broker.handshakes(), 1);
    assert!(run(client.ping()).unwrap() >= Duration::from_millis(40));
    run(client.close());
    assert_eq!(run(client.publish("site/7/temp", TEXT, b"23")), Err(Error::Closed));
    // The goodbye is on its way still.
    let mut other = client_with(&world, KEY, Config::default());
    run(other.connect()).unwrap();
    assert_eq!(world.borrow().broker.sessions(), 1);
}

#[test]
fn values_of_all_sizes_arrive_whole_over_a_lossy_wire() {
    let world = World::new();
    world.borrow_mut().loss = 20;
    let mut client = client(&world);
    while run(client.connect()).is_err() {}
    run(client.publish("big", TEXT, b"first")).unwrap();
    run(client.subscribe("big")).unwrap();
    let mut buffer = vec![0; 66_000];
    assert_eq!(run(client.next(&mut buffer)).unwrap().payload, b"first");
    for size in [1, 255, 256, 257, 511, 512, 3000, 65_536] {
        let value: Vec<u8> = (0..size).map(|i| (i % 251) as u8 ^ size as u8).collect();
        run(client.publish("big", TEXT, &value)).unwrap();
        assert_eq!(world.borrow().broker.published.last().unwrap().1, value, "{size}");
        // The notification itself may have been lost; then the observation is renewed in time.
        let got = run(client.next(&mut buffer)).unwrap();
        assert_eq!(got.payload, value, "{size}");
    }
    assert!(client.counters().retransmissions > 20);
    let published = &world.borrow().broker.published;
    assert_eq!(published.len(), 9, "every value was published once");
}

#[test]
fn several_subscriptions_share_one_session() {
    let world = World::new();
    let mut client = client(&world);
    let topics = ["a", "b", "c"];
    let ids = topics.map(|topic| {
        world.borrow_mut().broker.publish(Instant::EPOCH, topic, topic.as_bytes());
        run(client.subscribe(topic)).unwrap()
    });
    assert_eq!(run(client.subscribe("d")), Err(Error::NoRoom));
    assert_eq!(run(client.subscribe(&"long".repeat(9))), Err(Error::NameTooLong));
    let mut buffer = [0; 16];
    for (id, topic) in ids.into_iter().zip(topics) {
        let value = run(client.next(&mut buffer)).unwrap();
        assert_eq!((value.subscription, value.payload), (id, topic.as_bytes()));
        assert_eq!(client.topic(id), Some(topic));
    }
    assert!(run(client.unsubscribe(ids[1])));
    assert!(!run(client.unsubscribe(ids[1])));
    run(client.ping()).unwrap();
    assert_eq!(world.borrow().broker.observers(), 2);
    let now = world.borrow().now;
    for topic in topics {
        world.borrow_mut().broker.publish(now, topic, b"new");
    }
    assert_eq!(run(client.next(&mut buffer)).unwrap().subscription, ids[0]);
    assert_eq!(run(client.next(&mut buffer)).unwrap().subscription, ids[2]);
}

#[test]
fn a_topic_may_come_later_and_go_again() {
    let world = World::new();
    let mut client = client(&world);
    let id = run(client.subscribe("later")).unwrap();
    let mut buffer = [0; 16];
    assert!(abandon(client.next(&mut buffer), 50).is_none());
    let now = world.borrow().now;
    world.borrow_mut().broker.publish(now, "later", b"at last");
    assert_eq!(run(client.next(&mut buffer)).unwrap().payload, b"at last");
    let now = world.borrow().now;
    world.borrow_mut().broker.delete(now, "later");
    let ended = Error::Ended { subscription: id, code: Code::NOT_FOUND };
    assert_eq!(run(client.next(&mut buffer)), Err(ended));
    assert_eq!(client.topic(id), None);
    // Its place is free again.
    for topic in ["a", "b", "c"] {
        run(client.subscribe(topic)).unwrap();
    }
}

#[test]
fn refusals_are_told_apart() {
    let world = World::new();
    let mut client = client(&world);
    let now = world.borrow().now;
    world.borrow_mut().broker.publish(now, "x", b"1");
    world.borrow_mut().broker.refuse = Some(Code::FORBIDDEN);
    assert_eq!(run(client.subscribe("x")), Err(Error::Refused(Code::FORBIDDEN)));
    world.borrow_mut().broker.refuse = Some(Code::CONTENT);
    assert_eq!(run(client.subscribe("x")), Err(Error::NotObserved));
    let mut buffer = [0; 64];
    let response = run(client.request(&Request::get("/elsewhere"), &mut buffer)).unwrap();
    assert_eq!((response.code, response.payload), (Code::FORBIDDEN, &b"only topics live here"[..]));
    let response = run(client.request(&Request::get("/d/x"), &mut buffer)).unwrap();
    assert_eq!((response.code, response.payload), (Code::CONTENT, &b"1"[..]));
    assert_eq!(
        run(client.request(&Request::get("/d/x"), &mut [])),
        Err(Error::BufferTooSmall { needed: Some(1) })
    );
}

#[test]
fn a_restarted_broker_is_found_again() {
    let world = World::new();
    let mut client = client(&world);
    run(client.publish("a", TEXT, b"1")).unwrap();
    run(client.subscribe("a")).unwrap();
    let mut buffer = [0; 16];
    run(client.next(&mut buffer)).unwrap();
    let now = world.borrow().now;
    world.borrow_mut().broker.restart(now);
    // Nothing is acknowledged any more: a new handshake, and the value once more.
    run(client.publish("a", TEXT, b"2")).unwrap();
    assert_eq!(world.borrow().broker.published.len(), 2);
    assert_eq!(run(client.next(&mut buffer)).unwrap().payload, b"2");
    assert_eq!((world.borrow().broker.sessions(), world.borrow().broker.observers()), (1, 1));
    // A subscriber who only listens finds out too, when Max-Age has passed.
    let now = world.borrow().now;
    world.borrow_mut().broker.restart(now);
    world.borrow_mut().broker.publish(now, "a", b"3");
    assert_eq!(run(client.next(&mut buffer)), Err(Error::Disconnected(Disconnect::Silent)));
    assert_eq!(run(client.next(&mut buffer)).unwrap().payload, b"3");
}

#[test]
fn a_goodbye_is_answered_by_coming_back() {
    let world = World::new();
    let mut client = client(&world);
    run(client.publish("a", TEXT, b"1")).unwrap();
    run(client.subscribe("a")).unwrap();
    let mut buffer = [0; 16];
    run(client.next(&mut buffer)).unwrap();
    world.borrow_mut().broker.close_all();
    assert_eq!(run(client.next(&mut buffer)), Err(Error::Disconnected(Disconnect::ByServer)));
    // The value that is known already does not come twice.
    assert!(abandon(client.next(&mut buffer), 100).is_none());
    assert_eq!(world.borrow().broker.observers(), 1);
    let now = world.borrow().now;
    world.borrow_mut().broker.publish(now, "a", b"2");
    assert_eq!(run(client.next(&mut buffer)).unwrap().payload, b"2");
}

#[test]
fn a_new_port_goes_unnoticed() {
    let world = World::new();
    let mut client = client(&world);
    run(client.publish("a", TEXT, b"1")).unwrap();
    run(client.subscribe("a")).unwrap();
    *client.socket_mut() = socket(&world, 2);
    run(client.publish("a", TEXT, b"2")).unwrap();
    assert_eq!(world.borrow().broker.handshakes(), 1);
    assert_eq!(world.borrow().broker.published.len(), 2);
}

#[test]
fn no_connection_has_a_reason() {
    let world = World::new();
    let mut wrong_key = client_with(&world, [1; 16], Config::default());
    assert_eq!(run(wrong_key.connect()), Err(Error::Disconnected(Disconnect::NotAccepted)));
    let config = Config { patience: Duration::from_secs(100), ..Config::default() };
    let mut unheard = client_with(&world, KEY, config);
    world.borrow_mut().loss = 100;
    assert_eq!(run(unheard.connect()), Err(Error::Disconnected(Disconnect::Unreachable)));
    let before = world.borrow().now;
    assert_eq!(run(unheard.publish("a", TEXT, b"1")), Err(Error::Disconnected(Disconnect::Unreachable)),);
    let waited = world.borrow().now.saturating_since(before);
    assert!((100..110).contains(&waited.as_secs()), "{waited:?}");
    world.borrow_mut().loss = 0;
    world.borrow_mut().refuses = true;
    // The attempt under way, and the one after it.
    assert_eq!(run(unheard.connect()), Err(Error::Disconnected(Disconnect::Unreachable)));
    assert_eq!(run(unheard.connect()), Err(Error::Network(world::Refused)));
    world.borrow_mut().refuses = false;
    run(unheard.publish("a", TEXT, b"1")).unwrap();
}

#[test]
fn attempts_spread_out() {
    let world = World::new();
    world.borrow_mut().loss = 100;
    let mut client = client(&world);
    let mut gaps = Vec::new();
    let mut last = world.borrow().now;
    for _ in 0..6 {
        let _ = run(client.connect());
        let now = world.borrow().now;
        gaps.push(now.saturating_since(last).as_secs());
        last = now;
    }
    // 63 s per handshake, and between them 1 to 2, 2 to 4, 4 to 8 ... s.
    assert_eq!(gaps[0], 63);
    for (failures, gap) in (1..).zip(&gaps[1..]) {
        let wait = 2 << (failures - 1);
        assert!((63 + wait / 2..=64 + wait).contains(gap), "{gaps:?}");
    }
}

#[test]
fn what_is_nobodys_is_dropped_and_counted() {
    let world = World::new();
    let mut client = client(&world);
    world.borrow_mut().inject(b"\x40\x01\x00\x01\xb1a");
    world.borrow_mut().inject(&[0; 3]);
    run(client.connect()).unwrap();
    let sent = world.borrow().sent.len();
    for junk in [&b"\x16\xfe\xfd"[..], b"\x40\x01\x00\x01\xb1a", &[0xff; 600], &[23; 40], b""] {
        world.borrow_mut().inject(junk);
        assert!(abandon(client.next(&mut [0; 16]), 3).is_none());
    }
    assert_eq!(world.borrow().sent.len(), sent, "junk is not answered");
    assert!(
        u64::from(client.counters().discarded) + client.missed().datagrams >= 4,
        "{:?}",
        client.counters()
    );
    run(client.publish("a", TEXT, b"1")).unwrap();
}

#[test]
fn a_dropped_operation_leaves_no_trace() {
    let world = World::new();
    let mut client = client(&world);
    run(client.publish("a", TEXT, &[1; 600])).unwrap();
    run(client.subscribe("a")).unwrap();
    let mut buffer = [0; 1000];
    for polls in 0..12 {
        assert!(abandon(client.publish("b", TEXT, &[2; 2000]), polls).is_none());
        if abandon(client.next(&mut buffer), polls).is_some() {
            break;
        }
    }
    run(client.publish("a", TEXT, &[3; 700])).unwrap();
    loop {
        if run(client.next(&mut buffer)).unwrap().payload == [3; 700] {
            break;
        }
    }
    run(client.ping()).unwrap();
}

#[test]
fn a_value_that_changes_under_way_is_never_mixed() {
    let world = World::new();
    let mut client = client(&world);
    let now = world.borrow().now;
    world.borrow_mut().broker.publish(now, "a", &[9; 1000]);
    world.borrow_mut().broker.change_every = Some(5);
    let mut buffer = [0; 1000];
    let response = run(client.request(&Request::get("/d/a"), &mut buffer)).unwrap();
    assert_eq!(response.payload[1..], [9; 999]);
    world.borrow_mut().broker.change_every = Some(1);
    assert_eq!(run(client.request(&Request::get("/d/a"), &mut buffer)), Err(Error::KeepsChanging));
}

#[test]
fn a_long_request_may_have_a_long_answer() {
    let world = World::new();
    world.borrow_mut().loss = 10;
    let mut client = client(&world);
    while run(client.connect()).is_err() {}
    let body: Vec<u8> = (0..6000).map(|i| (i % 249) as u8).collect();
    let request = Request {
        content_format: Some(ContentFormat::OCTET_STREAM),
        payload: &body,
        ..Request::new(Code::POST, Target::Path("/d/echo"))
    };
    let mut buffer = [0; 6000];
    let response = run(client.request(&request, &mut buffer)).unwrap();
    assert_eq!(response.code, Code::CHANGED);
    assert!(response.payload == body, "the answer is what was sent");
}

#[test]
fn long_values_come_in_blocks_that_fit_the_memory() {
    let world = World::new();
    world.borrow_mut().broker.block = BlockSize::MAX;
    let mut client = client(&world);
    run(client.publish("a", TEXT, b"short")).unwrap();
    run(client.subscribe("a")).unwrap();
    let mut buffer = [0; 3000];
    assert_eq!(run(client.next(&mut buffer)).unwrap().payload, b"short");
    let long: Vec<u8> = (0..3000).map(|i| (i % 251) as u8).collect();
    let now = world.borrow().now;
    world.borrow_mut().broker.publish(now, "a", &long);
    assert!(
        run(client.next(&mut buffer)).unwrap().payload == long,
        "its blocks are those that were asked for"
    );
}

#[test]
fn a_value_sent_once_may_be_lost_and_is_never_answered() {
    let world = World::new();
    let mut client = client(&world);
    run(client.connect()).unwrap();
    let before = world.borrow().now;
    run(client.publish_once("a", TEXT, b"1")).unwrap();
    assert_eq!(world.borrow().now, before, "nothing is waited for");
    run(client.ping()).unwrap();
    assert_eq!(world.borrow().broker.published.len(), 1);
    let before = client.counters().responses_received;
    world.borrow_mut().loss = 100;
    run(client.publish_once("a", TEXT, b"2")).unwrap();
    world.borrow_mut().loss = 0;
    run(client.ping()).unwrap();
    assert_eq!(world.borrow().broker.published.len(), 1);
    assert_eq!(client.counters().responses_received, before);
    assert!(matches!(run(client.publish_once("a", TEXT, &[0; 700])), Err(Error::Send(_))));
}

#[test]
fn values_wait_until_somebody_asks_and_the_oldest_give_way() {
    let world = World::new();
    let mut client = client(&world);
    run(client.publish("a", TEXT, b"0")).unwrap();
    run(client.subscribe("a")).unwrap();
    for i in 1..=40 {
        let now = world.borrow().now;
        world.borrow_mut().broker.confirmable = true;
        world.borrow_mut().broker.publish(now, "a", format!("{i}").as_bytes());
        run(client.ping()).unwrap();
    }
    let lost = client.missed().values;
    let mut got = Vec::new();
    let mut buffer = [0; 16];
    while let Some(value) = abandon(client.next(&mut buffer), 3) {
        got.push(String::from_utf8(value.unwrap().payload.to_vec()).unwrap());
    }
    assert!(lost > 0 && got.len() as u64 + lost == 41, "{lost} lost, {got:?}");
    assert_eq!(got.last().unwrap(), "40");
}

#[test]
fn a_device_client_is_small() {
    let bytes = size_of::<world::TestClient>();
    assert!(bytes < 10_000, "{bytes}");
}
