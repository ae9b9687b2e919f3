//! What subscribers get, when, and how often: acknowledgements, losses, bursts, blocks, checks.

use sedge_coap::block::BlockSize;
use sedge_coap::{Code, Type};
use sedge_pubsub::*;
use sedge_time::Duration;

use crate::broker::*;

fn publish(broker: &mut Broker, range: std::ops::RangeInclusive<u32>) {
    for number in range {
        broker.put("/d/a", &number.to_string());
    }
}

/// One confirmable notification at a time; a burst that the ring holds comes value by value.
#[test]
fn a_burst_is_delivered_value_by_value() {
    let mut broker = Broker::new();
    publish(&mut broker, 1..=1);
    broker.observe(1, "/d/a");
    publish(&mut broker, 2..=17);
    let sent = broker.sent();
    assert_eq!(sent.len(), 1, "one at a time");
    broker.acknowledge(&sent[0]);
    let mut all = vec![sent[0].text()];
    all.extend(broker.drain(1));
    assert_eq!(all, (2..=17).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(broker.shards[1].counters().coalesced, 0);
}

/// Section 1.2: updates may be coalesced; the newest arrives.
#[test]
fn a_subscriber_that_is_too_slow_gets_the_newest() {
    let mut broker = Broker::new();
    publish(&mut broker, 1..=1);
    broker.observe(1, "/d/a");
    publish(&mut broker, 2..=40);
    let sent = broker.sent();
    assert_eq!(sent[0].text(), "2");
    broker.acknowledge(&sent[0]);
    assert_eq!(broker.drain(1), ["40"]);
    assert_eq!(broker.shards[1].counters().coalesced, 37);
}

/// A lost notification is repeated as it was, as long as the topic still has the value.
#[test]
fn a_repetition_is_the_same_until_the_value_is_gone() {
    let mut broker = Broker::new();
    publish(&mut broker, 1..=1);
    broker.observe(1, "/d/a");
    publish(&mut broker, 2..=3);
    let sent = broker.sent().remove(0);
    let unix = broker.unix;
    let repeat = |broker: &mut Broker| {
        let resend = broker.shards[1].resend(broker.now, sent.observation).unwrap();
        (Sent::of(&resend.notification, unix), resend.newer)
    };
    let (again, newer) = repeat(&mut broker);
    assert_eq!((again.datagram, newer), (sent.datagram.clone(), false));
    // With 2 out of the ring the newest takes its place, as another message.
    publish(&mut broker, 4..=30);
    let (again, newer) = repeat(&mut broker);
    assert_eq!((again.text().as_str(), newer), ("30", true));
    let (again, newer) = repeat(&mut broker);
    assert_eq!((again.text().as_str(), newer), ("30", false));
    broker.acknowledge(&sent);
    assert!(broker.sent().is_empty());
}

/// RFC 7641 section 4.5: a reset or a timeout ends the observation.
#[test]
fn a_rejected_or_lost_notification_ends_the_observation() {
    let mut broker = Broker::new();
    publish(&mut broker, 1..=1);
    broker.observe(1, "/d/a");
    publish(&mut broker, 2..=2);
    let sent = broker.sent().remove(0);
    broker.fail(&sent);
    assert!(broker.shards[1].is_empty());
    assert!(broker.shards[1].resend(broker.now, sent.observation).is_none());
    publish(&mut broker, 3..=3);
    assert!(broker.sent().is_empty());
    // What comes late for an observation that is gone does not reach the one in its place.
    broker.observe(1, "/d/a");
    publish(&mut broker, 4..=4);
    broker.acknowledge(&sent);
    broker.fail(&sent);
    publish(&mut broker, 5..=5);
    assert_eq!(broker.sent().len(), 1, "the notification of 4 is still under way");
}

/// A notification that is under way when its observation is ended is repeated as the end.
#[test]
fn a_repetition_after_the_end_says_so() {
    let mut broker = Broker::new();
    publish(&mut broker, 1..=1);
    broker.observe(1, "/d/a");
    publish(&mut broker, 2..=2);
    let sent = broker.sent().remove(0);
    broker.ask(Req::delete("/d/a"));
    assert!(broker.sent().is_empty(), "one at a time");
    let unix = broker.unix;
    for newer in [true, false] {
        let resend = broker.shards[1].resend(broker.now, sent.observation).unwrap();
        assert_eq!((Sent::of(&resend.notification, unix).text().as_str(), resend.newer), ("4.04", newer));
    }
    broker.acknowledge(&sent);
    assert!(broker.sent().is_empty());
    assert!(broker.shards[1].is_empty());
}

/// If it arrives after all, the end follows it.
#[test]
fn the_end_follows_what_is_under_way() {
    let mut broker = Broker::new();
    publish(&mut broker, 1..=1);
    broker.observe(1, "/d/a");
    publish(&mut broker, 2..=3);
    let sent = broker.sent().remove(0);
    broker.ask(Req::delete("/d/a"));
    broker.acknowledge(&sent);
    assert_eq!(broker.drain(1), ["4.04"]);
    assert!(broker.shards[1].is_empty());
}

#[test]
fn a_busy_session_gets_it_later() {
    let mut broker = Broker::new();
    publish(&mut broker, 1..=1);
    broker.observe(1, "/d/a");
    broker.observe(3, "/d/a");
    broker.busy.insert(1);
    publish(&mut broker, 2..=3);
    assert_eq!(broker.drain(3), ["2", "3"]);
    broker.busy.clear();
    broker.on_shard(1, |shard, now, outlet| shard.ready(now, 1, outlet));
    assert_eq!(broker.drain(1), ["2", "3"]);
}

/// While nothing can be sent at all nothing is lost, and everyone gets it when it can.
#[test]
fn a_blocked_broker_goes_on_where_it_stopped() {
    let mut broker = Broker::new();
    publish(&mut broker, 1..=1);
    for session in (1..20).step_by(2) {
        broker.observe(session, "/d/a");
    }
    let (id, _) = broker.topics.find("a").unwrap();
    let publication = Publication { payload: b"2", ..Publication::default() };
    let publication = Publication { content_format: Some(sedge_coap::ContentFormat::TEXT), ..publication };
    let _change = broker.topics.publish(id, publication, broker.now, broker.unix).unwrap();
    let shard = &mut broker.shards[1];
    shard.sync(broker.now, &broker.topics, id);
    let mut room = 4;
    let mut got = Vec::new();
    for _ in 0..3 {
        let more = shard.deliver(broker.now, 1000, &mut |notification| {
            if room == 0 {
                return Handed::Blocked;
            }
            room -= 1;
            got.push(notification.session);
            Handed::Sent
        });
        assert_eq!(more, got.len() < 10);
        room = 4;
    }
    got.sort_unstable();
    assert_eq!(got, (1..20).step_by(2).collect::<Vec<_>>());
}

/// A topic that is published to without pause keeps neither its own last observers waiting nor those of
/// other topics.
#[test]
fn nobody_waits_for_ever_behind_a_busy_topic() {
    let policy = Policy { reliability: Reliability::EveryNth(255), ..Policy::default() };
    let mut broker = Broker::with(Settings::default(), policy);
    broker.late = true;
    broker.put("/d/a", "0");
    broker.put("/d/b", "0");
    for session in (1..200).step_by(2) {
        broker.observe(session, "/d/a");
    }
    broker.observe(201, "/d/b");
    broker.put("/d/b", "1");
    let mut reached = std::collections::BTreeSet::new();
    for number in 1..100 {
        publish(&mut broker, number..=number);
        broker.hear(1);
        broker.on_shard(1, |shard, now, outlet| {
            let _ = shard.deliver(now, 10, outlet);
        });
        reached.extend(broker.sent().iter().map(|sent| sent.session));
    }
    assert_eq!(reached.len(), 101);
}

/// What could not be sent to a session when it was ready for it is sent when sending works again.
#[test]
fn a_session_that_was_ready_while_nothing_could_be_sent_is_not_forgotten() {
    let mut broker = Broker::new();
    for (token, name) in [(1, "/d/a"), (2, "/d/b")] {
        broker.put(name, "1");
        broker.ask(Req::get(name).token(token).observe(0));
    }
    broker.busy.insert(1);
    broker.put("/d/a", "2a");
    broker.put("/d/b", "2b");
    broker.busy.clear();
    broker.shards[1].ready(broker.now, 1, &mut |_| Handed::Blocked);
    broker.deliver(1);
    let mut sent = broker.drain(1);
    sent.sort();
    assert_eq!(sent, ["2a", "2b"]);
}

#[test]
fn a_session_that_is_gone_takes_its_observations_along() {
    let mut broker = Broker::new();
    publish(&mut broker, 1..=1);
    broker.put("/d/b", "1");
    broker.observe(1, "/d/a");
    broker.ask(Req::get("/d/b").token(77).observe(0));
    broker.observe(3, "/d/a");
    broker.shards[1].close(1);
    assert_eq!(broker.shards[1].len(), 1);
    publish(&mut broker, 2..=2);
    assert_eq!(broker.drain(3), ["2"]);
    broker.shards[1].close(1);
    // Or it turns out to be gone when something is to be sent.
    publish(&mut broker, 3..=3);
    let sent = broker.sent().remove(0);
    publish(&mut broker, 4..=4);
    broker.shards[1].acknowledged(broker.now, 3, sent.observation, &mut |_| Handed::Gone);
    assert!(broker.shards[1].is_empty());
    assert_eq!(broker.topics.find("a").unwrap().1.subscribers(), 0);
}

/// Observations of one session take turns.
#[test]
fn no_topic_starves_another_of_the_same_session() {
    let mut broker = Broker::new();
    for name in ["/d/a", "/d/b", "/d/c"] {
        broker.put(name, "0");
    }
    for (token, name) in [(1, "/d/a"), (2, "/d/b"), (3, "/d/c")] {
        broker.ask(Req::get(name).token(token).observe(0));
    }
    broker.busy.insert(1);
    for number in 1..=3 {
        for name in ["/d/a", "/d/b", "/d/c"] {
            broker.put(name, &format!("{}{number}", &name[3..]));
        }
    }
    // NSTART 1: the session takes one notification at a time.
    let mut order = String::new();
    let mut under_way: Option<ObservationId> = None;
    for _ in 0..20 {
        let shard = &mut broker.shards[1];
        let mut sent = None;
        let mut outlet = |notification: Notification<'_>| {
            let Content::Value(value) = notification.content else { panic!("an end") };
            if sent.is_some() {
                return Handed::Busy;
            }
            sent = Some(notification.observation);
            order += std::str::from_utf8(&value.payload).unwrap();
            Handed::Sent
        };
        match under_way {
            Some(id) => shard.acknowledged(broker.now, 1, id, &mut outlet),
            None => shard.ready(broker.now, 1, &mut outlet),
        }
        under_way = sent;
    }
    let firsts: Vec<usize> = ["a1", "b1", "c1"].map(|text| order.find(text).unwrap()).into();
    assert!(firsts.iter().all(|&position| position < 6), "{order}");
    assert_eq!(order.len(), 18);
}

/// RFC 7641 section 4.5, draft 3.2.3: with non-confirmable notifications, one in so many is confirmable.
#[test]
fn every_nth_notification_is_confirmable() {
    let policy = Policy { reliability: Reliability::EveryNth(3), ..Policy::default() };
    let mut broker = Broker::with(Settings::default(), policy);
    publish(&mut broker, 1..=1);
    broker.observe(1, "/d/a");
    let mut kinds = Vec::new();
    for number in 2..=9 {
        publish(&mut broker, number..=number);
        for sent in broker.sent() {
            kinds.push(sent.message().kind());
            broker.acknowledge(&sent);
        }
    }
    let (non, con) = (Type::Non, Type::Con);
    assert_eq!(kinds, [non, non, non, con, non, non, non, con]);
}

/// 2.2 observer-check: at least one confirmable notification in so many seconds.
#[test]
fn observer_check_sends_a_confirmable_notification_in_time() {
    let policy = Policy { reliability: Reliability::EveryNth(255), ..Policy::default() };
    let mut broker = Broker::with(Settings::default(), policy);
    broker.create("a", &[Entry::Uint(7, 600)]);
    publish(&mut broker, 1..=1);
    broker.observe(1, "/d/a");
    assert!(broker.shards[1].deadline().is_some());
    let start = broker.now;
    let mut last = start;
    let mut confirmed = 0;
    let mut number = 1;
    while broker.now < start + Duration::from_secs(6000) {
        let deadline = broker.shards[1].deadline().unwrap();
        assert!(deadline > broker.now);
        broker.now = deadline;
        broker.on_shard(1, |shard, now, outlet| shard.expire(now, outlet));
        if confirmed % 2 == 1 {
            number += 1;
            publish(&mut broker, number..=number);
        }
        for sent in broker.sent() {
            if sent.message().kind() == Type::Con {
                confirmed += 1;
                let age = broker.now.saturating_since(last);
                assert!(age <= Duration::from_secs(600), "{age:?}");
                last = broker.now;
                broker.acknowledge(&sent);
            }
        }
    }
    assert!((10..=12).contains(&confirmed), "{confirmed}");
    assert!(broker.shards[1].counters().checks > 0);
}

/// The check is a day if nothing else is said, and costs one message.
#[test]
fn observers_of_a_silent_topic_are_checked_once_a_day() {
    let mut broker = Broker::new();
    publish(&mut broker, 1..=1);
    broker.observe(1, "/d/a");
    let mut checks = 0;
    for _ in 0..25 {
        broker.pass(3600);
        broker.on_shard(1, |shard, now, outlet| shard.expire(now, outlet));
        for sent in broker.sent() {
            assert_eq!((sent.text().as_str(), sent.message().kind()), ("1", Type::Con));
            checks += 1;
            broker.acknowledge(&sent);
        }
    }
    assert_eq!(checks, 1);
    // Who does not answer is forgotten.
    broker.pass(86_400);
    broker.on_shard(1, |shard, now, outlet| shard.expire(now, outlet));
    let sent = broker.sent().remove(0);
    broker.fail(&sent);
    assert_eq!(broker.shards[1].deadline(), None);
}

/// RFC 7959 section 2.6: of a long value the first block is sent; the others are fetched, and belong to the
/// same value even if newer ones have come.
#[test]
fn long_values_arrive_whole_and_one_by_one() {
    let mut broker = Broker::new();
    let long = |letter: char| letter.to_string().repeat(3000);
    broker.put("/d/a", &long('a'));
    let reply = broker.observe(1, "/d/a");
    assert!(reply.message().block2().unwrap().more());
    fn fetch_rest(broker: &mut Broker, mut text: String) -> String {
        for num in 1.. {
            let reply = broker.ask(Req::get("/d/a").token(500).block2(num, 1024));
            text += &reply.text();
            if !reply.message().block2().unwrap().more() {
                break;
            }
        }
        text
    }
    broker.put("/d/a", &long('b'));
    broker.put("/d/a", &long('c'));
    assert!(broker.sent().is_empty(), "the first value is still being fetched");
    let first = reply.text();
    assert_eq!(fetch_rest(&mut broker, first), long('a'));
    for letter in ['b', 'c'] {
        let sent = broker.sent();
        assert_eq!(sent.len(), 1);
        let message = sent[0].message();
        assert!(message.block2().unwrap().more() && message.size2() == Some(3000));
        assert!(message.etags().next().is_some());
        broker.acknowledge(&sent[0]);
        assert!(broker.sent().is_empty());
        let first = sent[0].text();
        assert_eq!(fetch_rest(&mut broker, first), long(letter));
    }
    assert!(broker.sent().is_empty());
}

/// The answer to the request for the last block may be lost; its repetition gets the same block, even if the
/// first block of the next value has been sent meanwhile.
#[test]
fn the_last_block_can_be_asked_for_again() {
    let mut broker = Broker::new();
    let long = |letter: char| letter.to_string().repeat(3000);
    broker.put("/d/a", "short");
    broker.observe(1, "/d/a");
    broker.put("/d/a", &long('a'));
    for next in [long('b'), "short".into()] {
        let sent = broker.sent();
        assert_eq!(sent.len(), 1);
        broker.acknowledge(&sent[0]);
        let etag = sent[0].message().etags().next().unwrap().to_vec();
        broker.put("/d/a", &next);
        let mut text = sent[0].text();
        for num in [1, 1, 2, 2, 2] {
            let reply = broker.ask(Req::get("/d/a").token(500).block2(num, 1024));
            assert_eq!(reply.etag(), etag, "block {num}");
            if text.len() == num as usize * 1024 {
                text += &reply.text();
            }
        }
        assert_eq!(text.len(), 3000);
    }
    assert_eq!(broker.drain(1), ["short"]);
}

/// The size of blocks that a subscriber asked for holds for its notifications.
#[test]
fn notifications_keep_to_the_block_size_of_the_subscription() {
    let mut broker = Broker::new();
    broker.put("/d/a", "short");
    broker.ask(Req::get("/d/a").observe(0).block2(0, 64));
    broker.put("/d/a", &"x".repeat(100));
    let sent = broker.sent().remove(0);
    assert_eq!(sent.message().payload().len(), 64);
    assert_eq!(sent.message().block2().unwrap().size(), BlockSize::at_most(64));
}

/// Whoever never fetches the rest is not waited for without end.
#[test]
fn patience_with_slow_fetching_ends() {
    let mut broker = Broker::new();
    broker.put("/d/a", &"x".repeat(3000));
    broker.observe(1, "/d/a");
    broker.put("/d/a", "short");
    let expire = |broker: &mut Broker, seconds| {
        broker.pass(seconds);
        broker.on_shard(1, |shard, now, outlet| shard.expire(now, outlet));
    };
    expire(&mut broker, 20);
    assert_eq!(broker.ask(Req::get("/d/a").block2(1, 1024)).message().payload().len(), 1024);
    expire(&mut broker, 20);
    assert!(broker.sent().is_empty(), "it was heard of in the last 30 s");
    assert!(broker.shards[1].deadline().unwrap() <= broker.now + Duration::from_secs(30));
    expire(&mut broker, 30);
    assert_eq!(broker.drain(1), ["short"]);
}

/// The numbers of the Observe option go on over deletions, so that no client takes new for old.
#[test]
fn observe_numbers_only_grow() {
    let mut broker = Broker::new();
    publish(&mut broker, 1..=3);
    let before = broker.observe(1, "/d/a").message().observe().unwrap();
    broker.ask(Req::delete("/d/a"));
    publish(&mut broker, 4..=4);
    let after = broker.observe(1, "/d/a").message().observe().unwrap();
    assert!(after > before);
    // Not even a new topic of the same name begins again.
    let id = broker.topics.find("a").unwrap().0;
    let change = broker.topics.remove(id).unwrap();
    broker.changed(&change);
    assert_eq!(broker.put("/d/a", "5"), Code::CREATED);
    assert!(broker.observe(1, "/d/a").message().observe().unwrap() > after);
}

/// Whoever unsubscribes while a notification is under way leaves its place to others of the session.
#[test]
fn an_observation_that_is_gone_does_not_hold_up_its_session() {
    let mut broker = Broker::new();
    broker.one_at_a_time = true;
    broker.put("/d/b", "1");
    broker.put("/d/a", "1");
    broker.ask(Req::get("/d/a").token(1).observe(0));
    broker.ask(Req::get("/d/b").token(2).observe(0));
    broker.put("/d/a", "2");
    broker.put("/d/b", "2b");
    let sent = broker.sent();
    assert_eq!(sent.iter().map(Sent::text).collect::<Vec<_>>(), ["2"]);
    broker.ask(Req::get("/d/a").token(1).observe(1));
    broker.acknowledge(&sent[0]);
    assert_eq!(broker.drain(1), ["2b"]);
}
