//! A user's way: from an empty folder to values that arrive, and the demo.
#![allow(missing_docs, reason = "a test crate has no readers but this file's")]

mod support;

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value as Json;
use support::{Desk, names};

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_demo_balances_and_leaves_nothing_behind() {
    let desk = Desk::new();
    let temporary = desk.folder.path().to_str().unwrap();
    let outcome = support::run_in(&desk, &[("TMPDIR", temporary)], &["demo", "--seconds", "3", "--json"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let report = json(&outcome.stdout);
    assert_eq!(report["sessions"], 4, "{report}");
    assert_eq!(report["handshakes"], 4, "the move takes no handshake: {report}");
    assert_eq!(report["moved"], 1, "{report}");
    assert_eq!((&report["lost"], &report["delivered"]), (&Json::from(0), &report["published"]), "{report}");
    assert!(report["published"].as_u64() >= Some(9), "{report}");
    assert!(report["bytes"]["handshake"].as_u64() <= Some(500), "{report}");
    assert_eq!(names(desk.folder.path()), [""; 0]);
}

#[test]
fn a_demo_that_is_interrupted_cleans_up() {
    let desk = Desk::new();
    let temporary = desk.folder.path().to_str().unwrap();
    let mut demo = support::start_in(&desk, &[("TMPDIR", temporary)], &["demo"]);
    while !demo.line().contains("demo/attic") {}
    assert_eq!(names(desk.folder.path()).len(), 1);
    assert_eq!(demo.signal("INT").status, Some(130));
    assert_eq!(names(desk.folder.path()), [""; 0]);
}

#[test]
fn values_travel_from_one_command_to_the_other() {
    let desk = Desk::new();
    let (broker, uri) = desk.broker();
    let added = desk.ok(&["device", "add", "boiler", "--publish", "site/7/#", "--data", "broker"]);
    assert!(added.contains("boiler.toml"), "{added}");
    let mode = desk.path("boiler.toml").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    desk.ok(&["device", "add", "display", "--subscribe", "site/+/temp", "--as", "broker/admin.toml"]);
    desk.fails(1, &["device", "add", "boiler", "--publish", "x", "--data", "broker"], "boiler.toml exists");
    desk.fails(
        1,
        &["device", "add", "boiler", "--publish", "x", "--data", "broker", "--out", "b.toml"],
        "boiler",
    );
    assert!(!desk.path("b.toml").exists());

    // The topic does not exist yet when the subscriber comes.
    let mut subscriber =
        desk.start(&["sub", "site/7/temp", "--as", "display.toml", "--count", "3", "--json"]);
    for value in ["21.5", "-3", "22"] {
        desk.ok(&["pub", &format!("{uri}/d/site/7/temp"), value, "--as", "boiler.toml"]);
        assert_eq!(json(&subscriber.line())["value"], value);
    }
    assert_eq!(subscriber.end().status, Some(0));

    desk.ok(&["pub", "site/7/other", "1", "--non", "--as", "boiler.toml"]);
    desk.fails(1, &["pub", "site/8/temp", "1", "--as", "boiler.toml"], "4.03");
    desk.fails(1, &["sub", "site/7/temp", "--as", "boiler.toml"], "4.03");
    desk.fails(1, &["device", "list", "--as", "boiler.toml"], "administrator");

    // A value of many blocks, there and back.
    let large: String = (0..20_000).map(|i| char::from(b'a' + (i % 23) as u8)).collect();
    std::fs::write(desk.path("large.txt"), &large).unwrap();
    desk.ok(&["pub", "site/7/temp", "--file", "large.txt", "--as", "boiler.toml"]);
    let back = desk.ok(&["sub", "site/7/temp", "--count", "1", "--json", "--as", "display.toml"]);
    assert_eq!(json(&back)["value"], Json::from(large));

    let topics = json(&desk.ok(&["topic", "list", "--data", "broker", "--json"]));
    assert_eq!((&topics[0]["name"], &topics[1]["name"]), (&"site/7/other".into(), &"site/7/temp".into()));
    let status = json(&desk.ok(&["status", "--data", "broker", "--json"]));
    assert_eq!((&status["running"], &status["devices"]), (&Json::from(true), &Json::from(3)));
    assert!(status["counters"]["topics.published"].as_u64() >= Some(4), "{status}");

    // A subscriber is told when its device is removed, and comes to an end.
    let mut subscriber = desk.start(&["sub", "site/7/temp", "--as", "display.toml"]);
    subscriber.line();
    desk.ok(&["device", "remove", "display", "--data", "broker"]);
    let outcome = subscriber.end();
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("was the device removed"), "{outcome:?}");

    assert_eq!(broker.signal("INT").status, Some(0));
    // Everything works on a broker that does not run, too.
    let devices = json(&desk.ok(&["device", "list", "--data", "broker", "--json"]));
    assert_eq!(devices.as_array().unwrap().len(), 2);
    assert!(desk.ok(&["status", "--data", "broker"]).contains("not running"));
    desk.ok(&["topic", "create", "a/b", "--format", "text", "--initialize", "x", "--data", "broker"]);
    assert!(desk.ok(&["topic", "show", "a/b", "--data", "broker"]).contains("text/plain"));
    desk.ok(&["topic", "delete", "a/b", "--data", "broker"]);
    desk.fails(1, &["topic", "show", "a/b", "--data", "broker"], "a/b");
}

#[test]
fn the_wire_is_shown() {
    let desk = Desk::new();
    let (_broker, uri) = desk.broker();
    let target = format!("{uri}/d/site/7/lamp");
    let put = ["coap", "put", &target, "on", "--format", "text", "--as", "broker/admin.toml", "-v"];
    let outcome = desk.run(&[&put[..], &["--version", "1.3"]].concat());
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "2.01 Created\n"), "{outcome:?}");
    for part in [
        "← DTLS HelloRetryRequest (1.3, TLS_AES_128_CCM_8_SHA256",
        "← DTLS ServerHello (1.3, TLS_AES_128_CCM_8_SHA256",
        " + EncryptedExtensions + Finished  ",
        "→ DTLS Finished  ",
        "ACK",
        "NewSessionTicket",
        "DTLS 1.3, TLS_AES_128_CCM_8_SHA256",
        "PUT token",
        "2.01 Created",
        "close_notify",
    ] {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
    let outcome = desk.run(&[&put[..], &["--version", "1.2"]].concat());
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "2.04 Changed\n"), "{outcome:?}");
    for part in [
        "→ DTLS ClientHello  ",
        "← DTLS HelloVerifyRequest  ",
        "→ DTLS ClientKeyExchange + ChangeCipherSpec + Finished  ",
        "ServerHello (1.2, TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256)",
        "ChangeCipherSpec + Finished  ",
        "the server knows the pre-shared key",
        "PUT token",
        "Uri-Path: \"lamp\"",
        "Content-Format: 0 text/plain; charset=utf-8",
        "payload, 2 B: on",
        "2.04 Changed",
        "with DTLS",
        "close_notify",
    ] {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
    for (version, lines) in [("1.2", 1), ("1.3", 4)] {
        let log = desk.path(&format!("keys-{version}"));
        let log_arg = log.to_str().unwrap();
        let get =
            ["coap", "get", &target, "--as", "broker/admin.toml", "--version", version, "--key-log", log_arg];
        let outcome = desk.run(&get);
        assert!(outcome.status == Some(0) && outcome.stderr.contains("secrets"), "{outcome:?}");
        assert_eq!(log.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(log).unwrap().lines().count(), lines);
    }
    let get = desk.ok(&["coap", "get", &target, "--as", "broker/admin.toml", "--json"]);
    assert_eq!((&json(&get)["code"], &json(&get)["value"]), (&Json::from("2.05"), &Json::from("on")));
    // draft-ietf-core-coap-pubsub: all topics of a resource type, asked for with FETCH and a map of properties.
    let collection = format!("{uri}/ps");
    let filter = ["--format", "core-pubsub", "--hex", "a1026c636f72652e70732e64617461"];
    let fetch = [&["coap", "fetch", &collection, "--as", "broker/admin.toml"], &filter[..]].concat();
    assert!(desk.ok(&fetch).contains("</ps/"));
    let mut observer = desk.start(&["coap", "observe", &target, "--as", "broker/admin.toml", "--count", "2"]);
    assert_eq!(observer.line(), "on");
    desk.ok(&["coap", "put", &target, "off", "--format", "text", "--as", "broker/admin.toml"]);
    assert_eq!(observer.end().stdout, "off\n");
    desk.ok(&["coap", "delete", &target, "--as", "broker/admin.toml"]);
    desk.fails(1, &["coap", "get", &target, "--as", "broker/admin.toml"], "4.04");
}

#[test]
fn the_printed_configuration_is_accepted() {
    let desk = Desk::new();
    std::fs::write(desk.path("all.toml"), desk.ok(&["broker", "--print-config"])).unwrap();
    let mut broker =
        desk.start(&["broker", "--data", "b", "--config", "all.toml", "--listen", "127.0.0.1:0"]);
    assert!(broker.line().starts_with("serving coaps://127.0.0.1:"));
    assert_eq!(broker.signal("TERM").status, Some(0));
}
