//! Roles, segments, explanations, tables of expectations and the audit log, as an operator uses them.

mod support;

use std::time::{Duration, Instant};

use serde_json::Value as Json;
use support::{Desk, Running};

const RULES: &str = "\
[role.reader]
subscribe = [\"a/#\", \"b/#\"]
[segment.plant-a]
topics = [\"a\"]
[segment.plant-b]
topics = [\"b\"]
";

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn broker(desk: &Desk) -> Running {
    std::fs::write(desk.path("sedge.toml"), RULES).unwrap();
    let mut broker =
        desk.start(&["broker", "--data", "broker", "--listen", "[::1]:0", "--config", "sedge.toml"]);
    assert!(broker.line().starts_with("serving "));
    broker
}

#[test]
fn access_is_explained_tested_and_changed_on_a_running_broker_and_on_its_store() {
    let desk = Desk::new();
    let broker = broker(&desk);
    let data = ["--data", "broker"];
    let with = |args: &[&'static str]| -> Vec<&'static str> { [args, &data[..]].concat() };
    desk.ok(&with(&["device", "add", "display", "--role", "reader", "--segment", "plant-a"]));
    desk.fails(1, &with(&["device", "add", "d2", "--role", "raeder"]), "[role.raeder]");
    desk.fails(2, &with(&["device", "add", "d2"]), "--role");

    let yes = desk.ok(&with(&["access", "explain", "display", "subscribe", "a/1"]));
    assert_eq!(
        yes,
        "yes: display may read a/1\n  + role `reader`, grant 0 gives read on a/#\n  \
         + it is in the topic's segment, `plant-a`\n"
    );
    let no = desk.run(&with(&["access", "explain", "display", "subscribe", "b/1"]));
    assert_eq!(no.status, Some(3));
    assert!(no.stdout.starts_with("no: display may not read b/1 (other-segment)\n  + role"), "{no:?}");
    assert!(no.stdout.contains("- no bridge leads from its segment, `plant-a`, to"), "{no:?}");
    let answer = desk.run(&with(&["access", "explain", "display", "publish", "a/1", "--json"]));
    let answer = (answer.status, json(&answer.stdout));
    assert_eq!(
        (answer.0, &answer.1["allowed"], &answer.1["reason"]),
        (Some(3), &false.into(), &"lacks-verb".into())
    );
    desk.fails(2, &with(&["access", "explain", "display", "fly", "a/1"]), "`fly`");

    // Over the network, too.
    let remote = desk.run(&["access", "explain", "display", "read", "a/1", "--as", "broker/admin.toml"]);
    assert_eq!((remote.status, remote.stdout), (Some(0), yes));

    let table = "# device, verb, topic, expected\n\ndisplay, subscribe, a/1, yes\ndisplay, publish, a/1, no: lacks-verb\n";
    std::fs::write(desk.path("good.csv"), table).unwrap();
    std::fs::write(desk.path("bad.csv"), format!("{table}display, subscribe, b/1, yes\n")).unwrap();
    std::fs::write(desk.path("worse.csv"), format!("{table}display, subscribe, b/1, perhaps\n")).unwrap();
    assert_eq!(desk.ok(&with(&["access", "test", "good.csv"])), "2 expectations, all met\n");
    let bad = desk.run(&with(&["access", "test", "bad.csv"]));
    assert_eq!(bad.status, Some(3));
    assert!(bad.stdout.starts_with("bad.csv:5: expected yes, but:\nno: display may not read b/1"), "{bad:?}");
    assert!(bad.stdout.ends_with("3 expectations, 1 not met\n"), "{bad:?}");
    desk.fails(1, &with(&["access", "test", "worse.csv"]), "line 5: `perhaps`");

    // Rules that are not in force yet, and then are.
    let bridge = format!("{RULES}[bridge]\nfrom = \"plant-a\"\nto = \"plant-b\"\n");
    std::fs::write(desk.path("new.toml"), &bridge).unwrap();
    assert_eq!(
        desk.ok(&with(&["access", "test", "bad.csv", "--config", "new.toml"])),
        "3 expectations, all met\n"
    );
    std::fs::write(desk.path("sedge.toml"), &bridge).unwrap();
    let shown = desk.ok(&with(&["access", "reload"]));
    assert!(shown.contains("bridge 0 plant-a -> plant-b"), "{shown}");
    desk.ok(&with(&["access", "test", "bad.csv"]));

    // By a signal, too; and a mistake changes nothing.
    std::fs::write(desk.path("sedge.toml"), RULES).unwrap();
    broker.tell("HUP");
    let start = Instant::now();
    while desk.run(&with(&["access", "test", "bad.csv"])).status != Some(3) {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    std::fs::write(desk.path("sedge.toml"), "[role]\nreader = 1\n").unwrap();
    broker.tell("HUP");
    desk.fails(1, &with(&["access", "reload"]), "line 2");
    desk.ok(&with(&["access", "test", "good.csv"]));

    // Other rights for the device.
    let changed = desk.ok(&with(&["device", "set", "display", "--no-segment", "--publish", "x/#"]));
    assert!(changed.contains("publish x/#") && changed.contains("role      reader"), "{changed}");
    let changed = json(&desk.ok(&with(&["device", "show", "display", "--json"])));
    assert_eq!((&changed["segment"], &changed["roles"][0]), (&Json::Null, &"reader".into()));
    desk.fails(2, &with(&["device", "set", "display"]), "say what is to change");

    // The same on the store alone.
    drop(broker);
    desk.ok(&with(&["access", "explain", "display", "publish", "x/1"]));
    let no = desk.run(&with(&["access", "explain", "display", "subscribe", "a/1", "--json"]));
    assert_eq!((no.status, json(&no.stdout)["reason"].as_str()), (Some(3), Some("other-segment")));
    desk.fails(1, &with(&["access", "reload"]), "no broker is running");
    desk.ok(&with(&["device", "set", "display", "--segment", "plant-b"]));
    desk.ok(&with(&["access", "explain", "display", "subscribe", "b/1"]));
}

#[test]
fn the_audit_log_is_shown_checked_and_exported() {
    let desk = Desk::new();
    desk.fails(1, &["audit", "verify", "--data", "broker"], "holds no audit log");
    let broker = broker(&desk);
    let mut follow = desk.start(&["audit", "tail", "-n", "1", "-f", "--json", "--data", "broker"]);
    assert_eq!(json(&follow.line())["details"]["what"], "the broker starts");
    desk.ok(&["device", "add", "t1", "--role", "reader", "--data", "broker"]);
    let enrolment = json(&follow.line());
    assert_eq!((&enrolment["kind"], &enrolment["subject"]), (&"enrolment".into(), &"t1".into()));
    assert_eq!(json(&follow.line())["details"]["roles"], "reader");
    drop(follow);

    let tail = desk.ok(&["audit", "tail", "-n", "2", "--data", "broker"]);
    assert_eq!(tail.lines().count(), 2, "{tail}");
    assert!(tail.contains("enrolment  t1  by user ") && tail.contains("roles=reader"), "{tail}");

    // The same from elsewhere, for administrators: fetched as it is, and checked here.
    let remote = ["--as", "broker/admin.toml"];
    assert_eq!(desk.ok(&[&["audit", "tail", "-n", "2"], &remote[..]].concat()), tail);
    let exported = desk.ok(&["audit", "export", "--data", "broker"]);
    assert_eq!(desk.ok(&[&["audit", "export"], &remote[..]].concat()), exported);
    let here = json(&desk.ok(&["audit", "verify", "--json", "--data", "broker"]));
    let there = json(&desk.ok(&[&["audit", "verify", "--json"], &remote[..]].concat()));
    assert_eq!(
        (&there["intact"], &there["head"], &there["records"]),
        (&true.into(), &here["head"], &here["records"])
    );
    desk.fails(1, &["audit", "verify", "--as", "t1.toml"], "administrator");
    desk.fails(2, &["audit", "tail"], "--data");
    drop(broker);
    let verified = json(&desk.ok(&["audit", "verify", "--json", "--data", "broker"]));
    assert_eq!(verified["intact"], true);
    let head = verified["head"].as_str().unwrap();
    desk.ok(&["device", "remove", "t1", "--data", "broker"]);
    let found = desk.ok(&["audit", "verify", "--head", head, "--data", "broker"]);
    assert!(found.starts_with("nothing was changed: ") && found.contains("looked for"), "{found}");
    let exported = desk.ok(&["audit", "export", "--data", "broker"]);
    let kinds: Vec<_> =
        exported.lines().map(|line| json(line)["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds.len() as u64, verified["records"].as_u64().unwrap() + 1);
    assert_eq!(kinds.last().map(String::as_str), Some("revocation"));

    // Somebody changes one letter.
    let file = std::fs::read_dir(desk.path("broker/audit")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(6).position(|window| window == b"reader").unwrap();
    bytes[at] = b'R';
    std::fs::write(&file, bytes).unwrap();
    let changed = desk.run(&["audit", "verify", "--data", "broker"]);
    assert_eq!(changed.status, Some(3));
    assert!(
        changed.stdout.starts_with("changed: record ") && changed.stdout.contains("does not fit"),
        "{changed:?}"
    );
}

#[test]
fn roles_are_listed_with_who_has_them_and_changed_in_the_file() {
    let desk = Desk::new();
    let broker = broker(&desk);
    let with = |args: &[&'static str]| -> Vec<&'static str> { [args, &["--data", "broker"]].concat() };
    desk.ok(&with(&["device", "add", "display", "--role", "reader"]));
    desk.ok(&with(&["device", "add", "other", "--publish", "a"]));
    assert_eq!(
        desk.ok(&with(&["role", "list"])),
        "ROLE    DEVICES  MAY\nreader  1        read a/#, read b/#\n"
    );
    let shown = json(&desk.ok(&with(&["role", "show", "reader", "--json"])));
    assert_eq!(shown["devices"], serde_json::json!(["display"]));
    assert_eq!(shown["grants"][0], serde_json::json!({ "permissions": "read", "topics": "a/#" }));
    assert!(desk.ok(&with(&["role", "show", "reader"])).contains("device  display"));
    assert_eq!(desk.ok(&with(&["role", "who", "reader"])), "display\n");
    desk.fails(1, &with(&["role", "who", "raeder"]), "sedge role list");
    for verb in ["add", "set", "remove"] {
        desk.fails(2, &with(&["role", verb, "writer"]), "[role.NAME]");
    }
    // As it says: the file is changed, and read again.
    std::fs::write(desk.path("sedge.toml"), format!("{RULES}[role.writer]\npublish = [\"a/#\"]\n")).unwrap();
    desk.ok(&with(&["access", "reload"]));
    desk.ok(&with(&["device", "set", "other", "--role", "writer"]));
    assert_eq!(desk.ok(&with(&["role", "who", "writer"])), "other\n");
    // Without a broker, too, by its store.
    drop(broker.signal("TERM"));
    assert_eq!(json(&desk.ok(&with(&["role", "list", "--json"])))[1]["devices"][0], "other");
}
