//! Random lives of a broker against a naive model: every subscriber sees values in the order of their
//! publication, and in the end the newest one; one that was never too far behind sees all of them; whoever
//! is to go is told so, once, and hears no more.
#![allow(missing_docs, reason = "a test binary has no public items")]

#[path = "../draft/broker.rs"]
#[allow(dead_code, reason = "the other test uses all of it")]
mod broker;

use std::collections::BTreeMap;

use proptest::prelude::*;
use sedge_coap::Code;
use sedge_pubsub::*;
use sedge_time::Duration;

use broker::{Broker, Req, Sent};

const TOPICS: usize = 3;
const SESSIONS: u64 = 5;

#[derive(Clone, Copy, Debug)]
enum Op {
    Publish(usize),
    Subscribe(u64, usize),
    Unsubscribe(u64, usize),
    Close(u64),
    DeleteData(usize),
    DeleteTopic(usize),
    /// A shard hears of what has changed.
    Hear(usize),
    Deliver(usize),
    /// The n-th notification under way reaches its subscriber.
    Arrive(usize),
    /// The acknowledgement of the n-th notification under way arrives, if that has reached its subscriber.
    Acknowledge(usize),
    /// The n-th notification under way is sent again.
    Repeat(usize),
    /// The n-th notification under way is given up.
    GiveUp(usize),
}

/// What a subscriber knows of one subscription.
#[derive(Debug)]
struct Subscriber {
    token: u64,
    /// All that it was sent and took for new, the answer to its request first.
    seen: Vec<u32>,
    observe: u32,
    /// The topic's values had been so many when it subscribed.
    since: usize,
    /// The broker must end it.
    doomed: bool,
    ended: bool,
}

struct UnderWay {
    sent: Sent,
    arrived: bool,
}

struct World {
    broker: Broker,
    /// What was published to each topic while it had data: consecutive numbers.
    published: [Vec<u32>; TOPICS],
    exists: [bool; TOPICS],
    subscribers: BTreeMap<(u64, usize), Subscriber>,
    under_way: Vec<UnderWay>,
    /// The number of the last publication.
    counter: u32,
    /// The last token that a client made up.
    token: u64,
}

fn path(topic: usize) -> String {
    format!("/d/t{topic}")
}

fn token(sent: &Sent) -> u64 {
    sent.message().token().as_bytes().iter().fold(0, |token, &byte| token << 8 | u64::from(byte))
}

impl World {
    fn new(history: u16, reliability: Reliability) -> Self {
        let policy = Policy { reliability, ..Policy::default() };
        let mut broker = Broker::with(Settings { history, ..Settings::default() }, policy);
        broker.one_at_a_time = true;
        broker.late = true;
        Self {
            broker,
            published: Default::default(),
            exists: Default::default(),
            subscribers: BTreeMap::new(),
            under_way: Vec::new(),
            counter: 0,
            token: 0,
        }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Publish(topic) => {
                self.counter += 1;
                let code = self.broker.put(&path(topic), &self.counter.to_string());
                let first = !std::mem::replace(&mut self.exists[topic], true);
                assert_eq!(code, if first { Code::CREATED } else { Code::CHANGED });
                self.published[topic].push(self.counter);
            }
            Op::Subscribe(session, topic) => self.subscribe(session, topic),
            Op::Unsubscribe(session, topic) => {
                if let Some(subscriber) = self.subscribers.remove(&(session, topic)) {
                    let request = Req::get(&path(topic)).token(subscriber.token).observe(1);
                    self.broker.ask_as(session, request);
                }
            }
            Op::Close(session) => {
                self.broker.shards[session as usize % 2].close(session);
                self.broker.busy.remove(&session);
                self.subscribers.retain(|&(of, _), _| of != session);
                self.under_way.retain(|under_way| under_way.sent.session != session);
            }
            Op::DeleteData(topic) => {
                let code = self.broker.ask(Req::delete(&path(topic))).code();
                assert_eq!(code, if self.exists[topic] { Code::DELETED } else { Code::NOT_FOUND });
                self.doom(topic);
            }
            Op::DeleteTopic(topic) => {
                let id = self.broker.topics.find(&format!("t{topic}")).map(|(id, _)| id);
                if let Some(change) = id.and_then(|id| self.broker.topics.remove(id)) {
                    self.broker.changed(&change);
                }
                self.doom(topic);
            }
            Op::Hear(shard) => self.broker.hear(shard),
            Op::Deliver(shard) => self.broker.deliver(shard),
            Op::Arrive(n) => self.arrive(n),
            Op::Acknowledge(n) => {
                if let Some(n) = self.nth(n).filter(|&n| self.under_way[n].arrived) {
                    let UnderWay { sent, .. } = self.under_way.remove(n);
                    self.broker.acknowledge(&sent);
                }
            }
            Op::Repeat(n) => self.repeat(n),
            Op::GiveUp(n) => {
                if let Some(n) = self.nth(n) {
                    let UnderWay { sent, .. } = self.under_way.remove(n);
                    self.broker.fail(&sent);
                    self.subscribers.retain(|(session, _), subscriber| {
                        (*session, subscriber.token) != (sent.session, token(&sent))
                    });
                }
            }
        }
        self.collect();
    }

    fn nth(&self, n: usize) -> Option<usize> {
        (!self.under_way.is_empty()).then(|| n % self.under_way.len())
    }

    /// Subscribes, or renews the subscription that there is, which keeps its token.
    fn subscribe(&mut self, session: u64, topic: usize) {
        let old = self.subscribers.get(&(session, topic)).filter(|old| !old.doomed);
        self.token += 1;
        let token = old.map_or(self.token, |old| old.token);
        let request = Req::get(&path(topic)).token(token).observe(0);
        let reply = self.broker.ask_as(session, request);
        if !self.exists[topic] {
            assert_eq!(reply.code(), Code::NOT_FOUND);
            return;
        }
        let newest = *self.published[topic].last().unwrap();
        assert_eq!(reply.text(), newest.to_string());
        let subscriber = Subscriber {
            token,
            seen: vec![newest],
            observe: reply.message().observe().expect("a subscription"),
            since: self.published[topic].len() - 1,
            doomed: false,
            ended: false,
        };
        self.subscribers.insert((session, topic), subscriber);
    }

    /// All subscriptions of the topic must end.
    fn doom(&mut self, topic: usize) {
        self.exists[topic] = false;
        for (_, subscriber) in self.subscribers.iter_mut().filter(|((_, of), _)| *of == topic) {
            subscriber.doomed = true;
        }
    }

    /// Takes what the broker has sent onto the wire. Non-confirmable notifications arrive at once.
    fn collect(&mut self) {
        for sent in self.broker.sent() {
            let confirmable = sent.message().kind() == sedge_coap::Type::Con;
            self.under_way.push(UnderWay { sent, arrived: false });
            if !confirmable {
                self.arrive(self.under_way.len() - 1);
                self.under_way.pop();
            }
        }
    }

    /// A notification reaches its subscriber, which passes over what it has had, or what is older than that.
    fn arrive(&mut self, n: usize) {
        let Some(n) = self.nth(n) else { return };
        let UnderWay { sent, arrived } = &mut self.under_way[n];
        if std::mem::replace(arrived, true) {
            return;
        }
        let of_session = self.subscribers.range_mut((sent.session, 0)..(sent.session, TOPICS));
        let mut subscribers = of_session.map(|(_, subscriber)| subscriber);
        let Some(subscriber) = subscribers.find(|subscriber| subscriber.token == token(sent)) else {
            return;
        };
        let text = sent.text();
        match sent.message().observe() {
            None => {
                assert!(subscriber.doomed, "ended for no reason");
                assert_eq!(text, "4.04");
                assert!(!std::mem::replace(&mut subscriber.ended, true), "ended twice");
            }
            Some(observe) => {
                assert!(!subscriber.ended, "a value after the end");
                if observe > subscriber.observe {
                    subscriber.observe = observe;
                    subscriber.seen.push(text.parse().unwrap());
                }
            }
        }
    }

    fn repeat(&mut self, n: usize) {
        let Some(n) = self.nth(n) else { return };
        let (now, unix) = (self.broker.now, self.broker.unix);
        let under_way = &mut self.under_way[n];
        let shard = &mut self.broker.shards[under_way.sent.session as usize % 2];
        let Some(resend) = shard.resend(now, under_way.sent.observation) else { return };
        let again = Sent::of(&resend.notification, unix);
        if resend.newer {
            under_way.sent = again;
            under_way.arrived = false;
        } else {
            assert_eq!(again.datagram, under_way.sent.datagram, "a repetition is the same message");
        }
    }

    /// Everything is heard of, delivered and acknowledged.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            for shard in [0, 1] {
                self.run(Op::Hear(shard));
                self.run(Op::Deliver(shard));
            }
            if self.under_way.is_empty() {
                return;
            }
            self.run(Op::Arrive(0));
            self.run(Op::Acknowledge(0));
        }
        panic!("it never ends");
    }

    fn check(&self, sees_all: bool) {
        for ((session, topic), subscriber) in &self.subscribers {
            let published = &self.published[*topic][subscriber.since..];
            let mut rest = published.iter();
            for seen in &subscriber.seen {
                assert!(rest.any(|value| value == seen), "{:?} of {published:?}", subscriber.seen);
            }
            assert_eq!(subscriber.ended, subscriber.doomed, "session {session}, topic {topic}");
            if !subscriber.doomed {
                assert_eq!(subscriber.seen.last(), published.last(), "session {session}, topic {topic}");
                if sees_all {
                    assert_eq!(subscriber.seen, published, "session {session}, topic {topic}");
                }
            }
        }
        let live =
            |topic| self.subscribers.iter().filter(|((_, of), s)| *of == topic && !s.doomed).count() as u32;
        let mut all = 0;
        for topic in 0..TOPICS {
            let counted = self.broker.topics.find(&format!("t{topic}")).map_or(0, |(_, t)| t.subscribers());
            assert_eq!(counted, live(topic), "topic {topic}");
            all += counted as usize;
        }
        let held: usize = self.broker.shards.iter().map(Subscriptions::len).sum();
        assert_eq!(held, all);
    }
}

fn op() -> impl Strategy<Value = Op> {
    let topic = || 0..TOPICS;
    let session = || 1..=SESSIONS;
    let shard = || 0..2_usize;
    let n = || 0..8_usize;
    prop_oneof![
        6 => topic().prop_map(Op::Publish),
        4 => (session(), topic()).prop_map(|(session, topic)| Op::Subscribe(session, topic)),
        1 => (session(), topic()).prop_map(|(session, topic)| Op::Unsubscribe(session, topic)),
        1 => session().prop_map(Op::Close),
        1 => topic().prop_map(Op::DeleteData),
        1 => topic().prop_map(Op::DeleteTopic),
        6 => shard().prop_map(Op::Hear),
        6 => shard().prop_map(Op::Deliver),
        6 => n().prop_map(Op::Arrive),
        6 => n().prop_map(Op::Acknowledge),
        3 => n().prop_map(Op::Repeat),
        1 => n().prop_map(Op::GiveUp),
    ]
}

fn reliability() -> impl Strategy<Value = Reliability> {
    prop_oneof![
        3 => Just(Reliability::Confirmable),
        1 => (0..4_u8).prop_map(Reliability::EveryNth),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn subscribers_see_a_part_that_ends_with_the_newest(
        ops in proptest::collection::vec(op(), 1..150),
        history in 1..6_u16,
        reliability in reliability(),
    ) {
        let mut world = World::new(history, reliability);
        for op in ops {
            world.run(op);
        }
        world.settle();
        world.check(false);
    }

    /// With room for all values in the ring, and nobody subscribing twice, nothing is left out.
    #[test]
    fn with_room_for_them_every_value_is_seen(
        ops in proptest::collection::vec(op(), 1..150),
        reliability in reliability(),
    ) {
        let mut world = World::new(200, reliability);
        for op in ops {
            let again = |session, topic| world.subscribers.contains_key(&(session, topic));
            match op {
                Op::DeleteData(_) | Op::DeleteTopic(_) | Op::GiveUp(_) => continue,
                Op::Subscribe(session, topic) if again(session, topic) => continue,
                _ => world.run(op),
            }
        }
        world.settle();
        world.check(true);
    }
}

/// Checks come in time whatever else happens, and never to anyone twice at a time.
#[test]
fn observer_checks_reach_everyone_in_every_period() {
    let mut world = World::new(16, Reliability::EveryNth(255));
    for topic in 0..TOPICS {
        world.run(Op::Publish(topic));
    }
    for session in 1..=SESSIONS {
        world.run(Op::Subscribe(session, session as usize % TOPICS));
        world.broker.now += Duration::from_secs(1000);
    }
    let mut confirmed: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let end = world.broker.now + Duration::from_secs(5 * 86_400);
    while world.broker.now < end {
        let deadlines = world.broker.shards.iter().filter_map(Subscriptions::deadline);
        world.broker.now = deadlines.min().unwrap().max(world.broker.now);
        for shard in [0, 1] {
            world.broker.on_shard(shard, |shard, now, outlet| shard.expire(now, outlet));
        }
        for sent in world.broker.sent() {
            let secs = world.broker.now.as_micros() / 1_000_000;
            confirmed.entry(sent.session).or_default().push(secs);
            world.broker.acknowledge(&sent);
        }
    }
    assert_eq!(confirmed.len() as u64, SESSIONS);
    for times in confirmed.values() {
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 86_400 && pair[1] - pair[0] > 70_000));
    }
}
