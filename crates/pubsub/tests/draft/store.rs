//! What is to be stored, and what a restart brings back.

use std::collections::BTreeMap;

use sedge_coap::{Code, ContentFormat};
use sedge_pubsub::*;

use crate::broker::*;

/// A store that holds bytes.
#[derive(Default)]
struct Store {
    topics: BTreeMap<String, Vec<u8>>,
    values: BTreeMap<String, Vec<u8>>,
}

fn keep<T>(
    map: &mut BTreeMap<String, Vec<u8>>,
    name: &str,
    stored: Stored<T>,
    bytes: impl FnOnce(T) -> Vec<u8>,
) {
    match stored {
        Stored::Keep => {}
        Stored::Put(item) => drop(map.insert(name.into(), bytes(item))),
        Stored::Remove => drop(map.remove(name)),
    }
}

impl Store {
    fn take(&mut self, change: &Change) {
        let Persist { name, topic, value } = change.persist.clone();
        keep(&mut self.topics, name.as_str(), topic, |record| record.to_bytes());
        keep(&mut self.values, name.as_str(), value, |value| value.to_bytes());
    }

    fn restart(&self) -> Broker {
        let mut broker = Broker::new();
        for (name, record) in &self.topics {
            let value = self.values.get(name).map(|bytes| Value::from_bytes(bytes).unwrap());
            broker.topics.restore(TopicRecord::from_bytes(record).unwrap(), value).unwrap();
        }
        broker
    }
}

fn run(broker: &mut Broker, store: &mut Store, request: Req) -> Reply {
    let reply = broker.ask(request);
    if let Some(change) = &broker.change {
        store.take(change);
    }
    reply
}

#[test]
fn everything_is_there_again_after_a_restart() {
    let mut broker = Broker::new();
    let mut store = Store::default();
    let entries = [
        Entry::Text(0, "set up"),
        Entry::Text(2, "example.type"),
        Entry::Uint(3, 60),
        Entry::Text(4, "temperature"),
        Entry::Date(5, TODAY.0 + 100),
        Entry::Uint(6, 3),
        Entry::Uint(7, 60),
        Entry::Bytes(8, b"\x80"),
    ];
    let path = run(&mut broker, &mut store, Req::post("/ps").pubsub(&entries)).location();
    let far = [Entry::Text(0, "far"), Entry::Text(1, "coap://[2001:db8::1]/x"), Entry::Text(2, "x")];
    run(&mut broker, &mut store, Req::post("/ps").pubsub(&far));
    run(&mut broker, &mut store, Req::put("/d/auto").text("1").max_age(50));
    run(&mut broker, &mut store, Req::put("/d/auto").text("2").max_age(50));
    run(&mut broker, &mut store, Req::put("/d/cleared").text("1"));
    run(&mut broker, &mut store, Req::delete("/d/cleared"));
    run(&mut broker, &mut store, Req::put("/d/gone").text("1"));
    let gone = broker.topics.find("gone").unwrap().0;
    store.take(&broker.topics.remove(gone).unwrap());

    let mut again = store.restart();
    assert_eq!(again.topics.len(), 4);
    let old = broker.ask(Req::get(&path));
    let new = again.ask(Req::get(&path));
    assert_eq!(new.message().payload(), old.message().payload());
    let reply = again.ask(Req::get("/d/set%20up"));
    assert_eq!(
        (reply.message().payload(), reply.etag()),
        (&b"\x80"[..], {
            let reply = broker.ask(Req::get("/d/set%20up"));
            reply.etag()
        })
    );
    let reply = again.ask(Req::get("/d/auto"));
    assert_eq!((reply.text().as_str(), reply.message().max_age()), ("2", 50));
    assert_eq!(reply.message().content_format(), Some(ContentFormat::TEXT));
    assert_eq!(again.ask(Req::get("/d/cleared")).code(), Code::NOT_FOUND);
    assert_eq!(again.ask(Req::put("/d/cleared").text("2")).code(), Code::CREATED);
    assert_eq!(again.ask(Req::get("/ps?rt=x")).links(), ["<coap://[2001:db8::1]/x>"]);
    assert_eq!(again.topics.deadline(), Some(UnixTime(TODAY.0 + 100)));
}

/// Even if the store missed the last publications, no number comes twice.
#[test]
fn observe_numbers_go_on_after_a_restart() {
    let mut broker = Broker::new();
    let mut store = Store::default();
    run(&mut broker, &mut store, Req::put("/d/a").text("1"));
    broker.put("/d/a", "2");
    let lost = broker.observe(1, "/d/a").message().observe().unwrap();
    let mut again = store.restart();
    let reply = again.observe(1, "/d/a");
    assert_eq!(reply.text(), "1");
    let restored = reply.message().observe().unwrap();
    assert!(restored > lost && restored - lost < 1 << 23);
    again.put("/d/a", "3");
    assert_eq!(again.drain(1), ["3"]);
}

#[test]
fn a_publication_stores_its_value_and_only_the_first_its_topic() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    let persist = broker.change.take().unwrap().persist;
    assert!(matches!(persist.topic, Stored::Put(_)) && matches!(persist.value, Stored::Put(_)));
    broker.put("/d/a", "2");
    let persist = broker.change.take().unwrap().persist;
    assert!(matches!(persist.topic, Stored::Keep) && matches!(persist.value, Stored::Put(_)));
    broker.ask(Req::get("/d/a"));
    assert!(broker.change.is_none());
}

/// `durable` is the administrator's to set, per topic or for all.
#[test]
fn durable_topics_say_so() {
    let mut broker = Broker::new();
    let durable = |broker: &mut Broker, path| {
        broker.put(path, "1");
        broker.change.take().unwrap().durable
    };
    assert!(!durable(&mut broker, "/d/a"));
    let id = broker.topics.find("a").unwrap().0;
    let options = TopicOptions { durable: Some(true), history: Some(2) };
    let change = broker.topics.set_options(id, options).unwrap();
    let Stored::Put(record) = change.persist.topic else { panic!("the record is to be stored") };
    assert_eq!(TopicRecord::from_bytes(&record.to_bytes()).unwrap(), record);
    assert!(durable(&mut broker, "/d/a"));
    let mut strict = Broker::with(Settings { durable: true, ..Settings::default() }, Policy::default());
    assert!(durable(&mut strict, "/d/a"));
    // History is per topic too.
    broker.observe(1, "/d/a");
    for text in ["2", "3", "4", "5"] {
        broker.put("/d/a", text);
    }
    assert_eq!(broker.drain(1), ["2", "5"]);
}

#[test]
fn what_the_store_holds_is_checked() {
    let mut broker = Broker::new();
    broker.put("/d/a", "1");
    let Stored::Put(record) = broker.change.take().unwrap().persist.topic else { panic!("a record") };
    assert!(broker.topics.restore(record.clone(), None).is_err(), "the name is in use");
    let bytes = record.to_bytes();
    for len in 0..bytes.len() {
        assert!(TopicRecord::from_bytes(&bytes[..len]).is_err());
    }
}
