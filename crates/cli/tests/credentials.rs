//! Devices of every kind, from the command line to the wire and back, and what a probe sees of it.
#![allow(missing_docs, reason = "a test crate has no readers but this file's")]

mod support;

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value as Json;
use support::{Desk, Running};

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A CA, and a broker that believes it and has a certificate of it.
fn with_ca(desk: &Desk) -> (Running, String) {
    desk.ok(&["ca", "init", "ca", "--no-passphrase"]);
    desk.ok(&["ca", "issue", "ca", "localhost", "--server"]);
    let config = "[dtls]\ntrust_anchors = [\"ca/ca.pem\"]\nprivate_key = \"localhost.key.pem\"\n\
                  certificate = \"localhost.pem\"\n";
    std::fs::write(desk.path("broker.toml"), config).unwrap();
    let args = ["broker", "--data", "broker", "--config", "broker.toml", "--listen", "[::]:0"];
    let mut broker = desk.start(&args);
    let line = broker.line();
    let port = line.rsplit(':').next().unwrap().to_owned();
    (broker, format!("coaps://localhost:{port}"))
}

#[test]
fn a_device_of_every_kind_is_enrolled_publishes_and_is_removed() {
    let desk = Desk::new();
    let (_broker, uri) = with_ca(&desk);
    let common = ["--publish", "site/#", "--subscribe", "site/#", "--data", "broker", "--broker", &uri];
    let add = |args: &[&str]| desk.ok(&[&["device", "add"], args, &common].concat());
    add(&["psk-1"]);
    let added = add(&["rpk-1", "--auth", "rpk"]);
    assert!(added.contains("rpk-1.toml"), "{added}");
    add(&["rpk-2", "--auth", "rpk", "--broker-ca", "ca/ca.pem"]);
    add(&["cert-1", "--auth", "cert", "--ca", "ca"]);
    add(&["cert-2", "--auth", "cert", "--ca", "ca", "--cert-name", "00-11-22-33-44-55-66-77"]);
    for name in ["rpk-1", "cert-1"] {
        let mode = desk.path(&format!("{name}.toml")).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    for (name, shown) in [
        ("psk-1", "the server knows the pre-shared key"),
        ("rpk-1", "the server has shown its raw public key"),
        ("rpk-2", "the server has shown its certificate"),
        ("cert-1", "the server has shown its raw public key"),
        ("cert-2", "the server has shown its raw public key"),
    ] {
        let file = format!("{name}.toml");
        for version in ["1.2", "1.3"] {
            let publish = ["pub", "site/1", "21.5", "--as", &file, "--version", version, "-v"];
            let outcome = desk.run(&publish);
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
            assert!(outcome.stderr.contains(&format!("DTLS {version}, TLS_")), "{outcome:?}");
            assert!(outcome.stderr.contains(shown), "{name}: {outcome:?}");
        }
        let value = desk.ok(&["sub", "site/1", "--count", "1", "--as", &file]);
        assert!(value.contains("21.5"), "{value}");
    }
    let devices = json(&desk.ok(&["device", "list", "--data", "broker", "--json"]));
    let kinds: Vec<&str> =
        devices.as_array().unwrap().iter().map(|device| device["auth"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["psk", "cert", "cert", "psk", "rpk", "rpk"]);
    let shown = desk.ok(&["device", "show", "cert-2", "--data", "broker"]);
    assert!(shown.contains("00-11-22-33-44-55-66-77"), "{shown}");
    let status = json(&desk.ok(&["status", "--data", "broker", "--json"]));
    assert_eq!(status["auth"], serde_json::json!(["psk", "rpk", "cert"]));

    let mut subscriber = desk.start(&["sub", "site/1", "--as", "rpk-1.toml"]);
    subscriber.line();
    desk.ok(&["device", "remove", "rpk-1", "--data", "broker"]);
    let outcome = subscriber.end();
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    desk.fails(1, &["pub", "site/1", "1", "--as", "rpk-1.toml"], "sedge device list");
}

#[test]
fn a_device_that_has_its_own_key_is_told_what_it_needs_to_know() {
    let desk = Desk::new();
    let (_broker, uri) = with_ca(&desk);
    desk.ok(&["ca", "issue", "ca", "own", "--client"]);
    // Its public key, as the device would send it.
    let openssl = std::process::Command::new("openssl")
        .args(["x509", "-in", "own.pem", "-pubkey", "-noout", "-out", "own.pub.pem"])
        .current_dir(desk.folder.path())
        .status();
    assert!(openssl.unwrap().success());
    fn add<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["device", "add"], args, &["--publish", "site/#", "--data", "broker"]].concat()
    }
    let added = json(&desk.ok(&add(&["rpk", "--auth", "rpk", "--public-key", "own.pub.pem", "--json"])));
    assert_eq!(added["credential"], Json::Null);
    let status = json(&desk.ok(&["status", "--data", "broker", "--json"]));
    assert_eq!(added["broker_pin"], status["pin"]);
    let added = desk.ok(&add(&["cert", "--auth", "cert", "--cert-name", "own"]));
    assert!(added.contains(status["pin"].as_str().unwrap()), "{added}");

    // Everything in options, and nothing in a file of Sedge's.
    let target = format!("{uri}/d/site/1");
    let server = status["public_key"].as_str().unwrap();
    for (who, whom) in [
        (&["--auth", "rpk", "--key", "own.key.pem"][..], ["--peer-key", server]),
        (&["--cert", "own.pem", "--key", "own.key.pem"], ["--ca", "ca/ca.pem"]),
    ] {
        desk.ok(&[&["coap", "put", &target, "1", "--format", "text"], who, &whom].concat());
    }
    let other = "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812\
                 deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let wrong = ["coap", "get", &target, "--key", "own.key.pem", "--peer-key", other];
    desk.fails(1, &wrong, "is not believed");
    desk.fails(1, &["coap", "get", &target, "--auth", "none", "--ca", "ca/ca.pem"], "refuses the handshake");
}

#[test]
fn a_probe_finds_out_what_a_broker_offers() {
    let desk = Desk::new();
    let (_broker, uri) = with_ca(&desk);
    let outcome = desk.run(&["probe", &uri, "--ca", "ca/ca.pem", "--json"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let found = json(&outcome.stdout);
    for version in ["dtls_1_3", "dtls_1_2"] {
        let of = &found[version];
        assert_eq!(of["cookie"], true, "{version}: {found}");
        assert!(of["amplification"].as_f64() < Some(1.0), "{version}: {found}");
        for known in ["connection_id", "return_routability", "record_size_limit", "asks_for_certificate"] {
            assert_eq!(of[known], true, "{version} {known}: {found}");
        }
        assert_eq!(of["groups"], serde_json::json!(["secp256r1", "x25519"]), "{version}: {found}");
        assert_eq!(of["shows"].as_array().unwrap().len(), 2, "{version}: {found}");
        assert_eq!(of["admits_anonymous"], false, "{version}: {found}");
    }
    assert_eq!(found["dtls_1_3"]["suites"].as_array().unwrap().len(), 3, "{found}");
    assert_eq!(found["dtls_1_2"]["suites"].as_array().unwrap().len(), 8, "{found}");

    // The same broker by an address that its certificate is not for.
    let by_address = uri.replace("localhost", "127.0.0.1");
    let outcome = desk.run(&["probe", &by_address]);
    assert_eq!(outcome.status, Some(3), "{outcome:?}");
    assert!(outcome.stdout.contains("it is not for `127.0.0.1`, but for localhost"), "{outcome:?}");
    assert!(outcome.stdout.contains("raw public key"), "{outcome:?}");

    desk.fails(2, &["probe", "coap://localhost"], "without DTLS");
    desk.fails(1, &["probe", "coaps://[::1]:9"], "nothing listens");
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("coaps://{}", silent.local_addr().unwrap());
    desk.fails(1, &["probe", &address, "--timeout", "1"], "does not answer");
}

#[test]
fn what_does_not_go_together_is_refused() {
    let desk = Desk::new();
    let _broker = desk.broker();
    let add = ["device", "add", "n", "--publish", "x", "--data", "broker"];
    for (args, hint) in [
        (&["--auth", "rpk", "--identity", "x"][..], "--identity goes with --auth psk"),
        (&["--public-key", "x.pem"], "--public-key goes with --auth rpk"),
        (&["--auth", "rpk", "--ca", "x"], "--ca goes with --auth cert"),
        (&["--broker-ca", "x"], "--broker-ca"),
    ] {
        desk.fails(2, &[&add, args].concat(), hint);
    }
    desk.fails(1, &[&add[..], &["--auth", "rpk", "--public-key", "missing.pem"]].concat(), "missing.pem");
    let added = desk.ok(&[&add[..], &["--auth", "cert"]].concat());
    assert!(added.contains("dtls.trust_anchors"), "{added}");
    desk.fails(2, &["coap", "get", "coaps://[::1]/", "--auth", "none"], "--peer-key");
    desk.fails(2, &["coap", "get", "coaps://[::1]/", "--suite", "NULL"], "TLS_PSK_WITH_AES_128_CCM_8");
}
