//! Draft section 2.4: the topic collection.

use sedge_access::Permissions;
use sedge_coap::{Code, ContentFormat, OptionNumber};
use sedge_pubsub::*;

use crate::broker::*;

/// 2.4.1: the list of links to topic resources.
#[test]
fn get_lists_links_to_all_topics() {
    let mut broker = Broker::new();
    assert_eq!(broker.ask(Req::get("/ps")).links(), Vec::<String>::new());
    let mut paths = [broker.create("b", &[]), broker.create("a/c", &[])];
    paths.sort();
    let links = broker.ask(Req::get("/ps")).links();
    assert_eq!(links, paths.map(|path| format!("<{path}>")));
}

/// 2.3.4: every collection supports the query `rt=core.ps.data`; the attribute need not be repeated.
#[test]
fn the_query_for_topic_data_lists_links_to_the_data() {
    let mut broker = Broker::new();
    broker.create("site/7/temp", &[]);
    broker.create("a b", &[]);
    let other = [Entry::Text(0, "other"), Entry::Text(2, "example.log")];
    assert_eq!(broker.ask(Req::post("/ps").pubsub(&other)).code(), Code::CREATED);
    let links = |broker: &mut Broker, uri| broker.ask(Req::get(uri)).links();
    assert_eq!(links(&mut broker, "/ps?rt=core.ps.data"), ["</d/a%20b>", "</d/site/7/temp>"]);
    assert_eq!(links(&mut broker, "/ps?rt=example.log"), ["</d/other>"]);
    assert_eq!(links(&mut broker, "/ps?rt=core.ps.conf").len(), 3);
    assert_eq!(links(&mut broker, "/ps?rt=core.ps").len(), 0);
    assert_eq!(links(&mut broker, "/ps?rt=core.ps.data&href=/d/site*"), ["</d/site/7/temp>"]);
    assert_eq!(links(&mut broker, "/ps?href=/d/s*"), ["</d/site/7/temp>;rt=\"core.ps.data\""]);
    assert_eq!(links(&mut broker, "/ps?rt=core.ps.*").len(), 5);
    assert_eq!(links(&mut broker, "/ps?ct=606").len(), 3);
    assert_eq!(links(&mut broker, "/ps?nonsense").len(), 0);
}

/// A topic whose data another server holds is linked there.
#[test]
fn data_elsewhere_are_linked_there() {
    let mut broker = Broker::new();
    broker.create("far", &[Entry::Text(1, "coaps://other.example/t/1")]);
    assert_eq!(broker.ask(Req::get("/ps?rt=core.ps.data")).links(), ["<coaps://other.example/t/1>"]);
    assert_eq!(broker.put("/d/far", "x"), Code::NOT_FOUND);
}

/// 2.4.1: a client gets links to the topics that it is authorised to access.
#[test]
fn nobody_sees_topics_that_are_not_for_him() {
    let mut broker = Broker::new();
    for name in ["site/7/temp", "site/7/hum", "site/8/temp", "sites/7", "site"] {
        broker.create(name, &[]);
    }
    for (pattern, permissions, expected) in [
        ("site/7/+", Permissions::READ, 2),
        ("site/+/temp", Permissions::PUBLISH, 2),
        ("site/#", Permissions::DELETE, 4),
        ("#", Permissions::ADMIN, 5),
        ("#", Permissions::APP_GROUP, 0),
        ("site/9/#", Permissions::READ, 0),
    ] {
        let grants = granted(&[(pattern, permissions), ("sited", permissions)]);
        let reply = broker.ask_with(1, &grants, Req::get("/ps?rt=core.ps.data")).unwrap();
        assert_eq!(reply.links().len(), expected, "{pattern}");
    }
    // Overlapping patterns list no topic twice.
    let grants = granted(&[
        ("site/7/#", Permissions::READ),
        ("site/#", Permissions::READ),
        ("site/7/temp", Permissions::PUBLISH),
    ]);
    assert_eq!(broker.ask_with(1, &grants, Req::get("/ps")).unwrap().links().len(), 4);
}

/// RFC 7959 section 2.4: the blocks of a long list fit together, even if topics come and go meanwhile.
#[test]
fn a_long_list_is_read_in_blocks_of_one_list() {
    let mut broker = Broker::new();
    for number in 0..100 {
        broker.create(&format!("t{number}"), &[]);
    }
    type Make = fn() -> Req;
    let requests: [Make; 2] = [|| Req::get("/ps"), || Req::fetch("/ps").pubsub(&[])];
    for make in requests {
        let whole = broker.topics.len() * 15 - 1;
        let first = broker.ask(make());
        let mut list = first.text();
        broker.put("/d/new", "1");
        // Another session has lists of its own.
        assert_ne!(broker.ask_as(3, make()).etag(), first.etag());
        for num in 1.. {
            let reply = broker.ask(make().block2(num, 1024));
            assert_eq!(reply.etag(), first.etag());
            list += &reply.text();
            if !reply.message().block2().unwrap().more() {
                break;
            }
        }
        assert_eq!(list.len(), whole);
        assert!(list.split(',').all(|link| link.len() == 14 && link.starts_with("</ps/")), "{list}");
        // It is not kept for ever, and not for those who ask anew.
        assert_ne!(broker.ask(make()).etag(), first.etag());
        broker.pass(60);
        broker.on_shard(1, |shard, now, outlet| shard.expire(now, outlet));
        assert_eq!(broker.shards[1].deadline(), None);
        let id = broker.topics.find("new").unwrap().0;
        let _change = broker.topics.remove(id).unwrap();
    }
}

#[test]
fn link_format_is_the_only_representation() {
    let mut broker = Broker::new();
    assert_eq!(broker.ask(Req::get("/ps").accept(ContentFormat::LINK_FORMAT)).code(), Code::CONTENT);
    assert_eq!(broker.ask(Req::get("/ps").accept(ContentFormat::JSON)).code(), Code::NOT_ACCEPTABLE);
}

#[test]
fn a_list_that_the_client_holds_is_validated() {
    let mut broker = Broker::new();
    broker.create("a", &[]);
    let etag = broker.ask(Req::get("/ps")).etag();
    let again = || Req::get("/ps").option(OptionNumber::ETAG, &etag);
    assert_eq!(broker.ask(again()).code(), Code::VALID);
    broker.create("b", &[]);
    assert_eq!(broker.ask(again()).code(), Code::CONTENT);
}

/// 2.4.2: a topic matches only if every property of the filter is there with that value.
#[test]
fn fetch_lists_the_topics_that_have_all_the_properties() {
    let mut broker = Broker::new();
    let kitchen = broker.create("kitchen", &[Entry::Uint(3, 112), Entry::Text(4, "temperature")]);
    let cellar = broker.create("cellar", &[Entry::Text(4, "temperature"), Entry::Uint(6, 5)]);
    let mut fetch = |entries: &[Entry<'_>]| broker.ask(Req::fetch("/ps").pubsub(entries)).links().join("");
    assert_eq!(fetch(&[Entry::Text(0, "kitchen")]), format!("<{kitchen}>"));
    assert_eq!(fetch(&[Entry::Text(4, "temperature")]).len(), kitchen.len() + cellar.len() + 4);
    assert_eq!(fetch(&[Entry::Text(4, "temperature"), Entry::Uint(3, 112)]), format!("<{kitchen}>"));
    assert_eq!(fetch(&[Entry::Text(4, "temperature"), Entry::Uint(3, 60)]), "");
    assert_eq!(fetch(&[Entry::Text(1, "/d/cellar")]), format!("<{cellar}>"));
    assert_eq!(fetch(&[Entry::Uint(6, 5)]), format!("<{cellar}>"));
    assert_eq!(fetch(&[Entry::Uint(7, 86400), Entry::Text(0, "cellar")]), format!("<{cellar}>"));
    assert_eq!(fetch(&[]).len(), kitchen.len() + cellar.len() + 4);
    for entry in [Entry::Date(5, 1), Entry::Bytes(8, b""), Entry::Text(2, "core.ps")] {
        assert_eq!(fetch(&[entry]), "");
    }
}

#[test]
fn fetch_takes_only_a_map_of_properties() {
    let mut broker = Broker::new();
    let mut code = |request: Req| broker.ask(request).code();
    assert_eq!(code(Req::fetch("/ps").body(ContentFormat::CBOR, b"\xa0")), Code::UNSUPPORTED_CONTENT_FORMAT);
    assert_eq!(code(Req::fetch("/ps").bare(b"\xa0")), Code::UNSUPPORTED_CONTENT_FORMAT);
    assert_eq!(code(Req::fetch("/ps").body(PUBSUB, b"\x80")), Code::BAD_REQUEST);
    assert_eq!(code(Req::fetch("/ps").body(PUBSUB, b"\xa1\x09\x00")), Code::BAD_REQUEST);
    assert_eq!(code(Req::fetch("/ps?rt=core.ps.data").body(PUBSUB, b"\xa0")), Code::BAD_REQUEST);
}

/// 2.4.3: 2.01 with the Location-Path, and the required properties in the body.
#[test]
fn post_creates_a_topic() {
    let mut broker = Broker::new();
    let reply = broker.ask(
        Req::post("/ps").pubsub(&[Entry::Text(0, "living-room-sensor"), Entry::Text(2, "core.ps.data")]),
    );
    assert_eq!(reply.code(), Code::CREATED);
    let properties = reply.properties();
    assert_eq!(properties.name, Some("living-room-sensor"));
    assert_eq!(properties.data, Some("/d/living-room-sensor"));
    assert_eq!(properties.resource_type, Some(CORE_PS_DATA));
    assert_eq!(properties.observer_check, Some(86_400));
    assert_eq!(properties.max_subscribers, None);
    let location = reply.location();
    assert!(location.starts_with("/ps/"), "{location}");
    assert_eq!(broker.ask(Req::get(&location)).properties(), properties);
}

#[test]
fn post_takes_every_property() {
    let mut broker = Broker::new();
    let entries = [
        Entry::Text(0, "a"),
        Entry::Text(1, "/d/a"),
        Entry::Text(2, "core.ps.data"),
        Entry::Uint(3, 60),
        Entry::Text(4, "temperature"),
        Entry::Date(5, TODAY.0 + 60),
        Entry::Uint(6, 100),
        Entry::Uint(7, 600),
        Entry::Bytes(8, b"\x80"),
    ];
    let reply = broker.ask(Req::post("/ps").pubsub(&entries));
    assert_eq!(reply.code(), Code::CREATED);
    assert_eq!(reply.properties(), Parameters::decode(&map(&entries)).unwrap());
}

/// 2.4.3: a parameter that is invalid or unrecognised, or a name in use, is a 4.xx.
#[test]
fn post_refuses_what_is_missing_invalid_or_taken() {
    let mut broker = Broker::new();
    broker.create("taken", &[]);
    let name = Entry::Text(0, "a");
    let rt = Entry::Text(2, "core.ps.data");
    for (entries, problem) in [
        (&[rt][..], "topic-name is missing"),
        (&[name][..], "resource-type is missing"),
        (&[Entry::Text(0, "taken"), rt], "topic-name is in use"),
        (&[Entry::Text(0, ""), rt], "topic name with an empty level"),
        (&[Entry::Text(0, "a//b"), rt], "topic name with an empty level"),
        (&[Entry::Text(0, "a/+"), rt], "topic name with a level that is + or #"),
        (&[Entry::Uint(0, 1), rt], "topic property of the wrong type: topic-name"),
        (&[name, name, rt], "topic property given twice: topic-name"),
        (&[name, Entry::Text(2, "")], "resource-type is not valid"),
        (&[name, Entry::Text(2, "two words")], "resource-type is not valid"),
        (&[name, rt, Entry::Text(1, "/d/b")], "topic-data is not valid"),
        (&[name, rt, Entry::Text(1, "/elsewhere/a")], "topic-data is not valid"),
        (&[name, rt, Entry::Text(1, "coap://")], "topic-data is not valid"),
        (&[name, rt, Entry::Uint(3, 65536)], "topic property of the wrong type: topic-content-format"),
        (&[name, rt, Entry::Date(5, TODAY.0)], "expiration-date is not valid"),
        (&[name, rt, Entry::Uint(7, 0)], "observer-check is not valid"),
        (&[name, rt, Entry::Bytes(8, b"\x80")], "topic-content-format is missing"),
        (&[name, rt, Entry::Uint(3, 60), Entry::Bytes(8, b"\x81")], "initialize is not valid"),
        (&[name, rt, Entry::Uint(3, 112), Entry::Bytes(8, b"\x80\x80")], "initialize is not valid"),
        (&[name, rt, Entry::Uint(3, 0), Entry::Bytes(8, b"\xff")], "initialize is not valid"),
        (&[name, rt, Entry::Uint(9, 0)], "unknown topic property"),
        (&[name, rt, Entry::Text(4, &"t".repeat(256))], "topic-type is not valid"),
    ] {
        let reply = broker.ask(Req::post("/ps").pubsub(entries));
        assert_eq!((reply.code(), reply.problem().as_str()), (Code::BAD_REQUEST, problem));
        assert_eq!(reply.message().content_format(), Some(ContentFormat::PROBLEM_DETAILS));
    }
    let trailing = [map(&[name, rt]), vec![0]].concat();
    assert_eq!(broker.ask(Req::post("/ps").body(PUBSUB, &trailing)).problem(), "bytes after the CBOR item");
    assert_eq!(broker.topics.len(), 1);
    let wrong_format = Req::post("/ps").body(ContentFormat::CBOR, &map(&[name, rt]));
    assert_eq!(broker.ask(wrong_format).code(), Code::UNSUPPORTED_CONTENT_FORMAT);
    let accepts_other = Req::post("/ps").pubsub(&[name, rt]).accept(ContentFormat::JSON);
    assert_eq!(broker.ask(accepts_other).code(), Code::NOT_ACCEPTABLE);
    assert_eq!(broker.topics.len(), 1);
}

#[test]
fn there_is_an_end_to_the_number_of_topics() {
    let mut broker = Broker::with(Settings { max_topics: 2, ..Settings::default() }, Policy::default());
    broker.create("a", &[]);
    assert_eq!(broker.put("/d/b", "1"), Code::CREATED);
    assert_eq!(broker.put("/d/c", "1"), Code::SERVICE_UNAVAILABLE);
    assert_eq!(broker.put("/d/b", "2"), Code::CHANGED);
    assert_eq!(broker.ask(Req::delete("/ps/00000000")).code(), Code::NOT_FOUND);
    let rt = Entry::Text(2, "core.ps.data");
    let reply = broker.ask(Req::post("/ps").pubsub(&[Entry::Text(0, "c"), rt]));
    assert_eq!(reply.code(), Code::SERVICE_UNAVAILABLE);
}

#[test]
fn other_methods_and_paths_are_refused() {
    let mut broker = Broker::new();
    for request in [Req::put("/ps").text("x"), Req::delete("/ps"), Req::ipatch("/ps"), Req::patch("/ps")] {
        assert_eq!(broker.ask(request).code(), Code::METHOD_NOT_ALLOWED);
    }
    for path in ["/ps/a/b", "/ps/", "/ps/xyz", "/other", "/ps/+0000001", "/ps/000000001"] {
        assert_eq!(broker.ask(Req::get(path)).code(), Code::NOT_FOUND, "{path}");
    }
}
