//! An authorisation server on one host and a broker on another, as their operators and users meet them.

mod support;

use std::time::{Duration, Instant};

use serde_json::Value as Json;
use support::{Desk, Running};

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Its first line says where it serves.
fn uri(running: &mut Running) -> String {
    let line = running.line();
    line.strip_prefix("serving ").unwrap_or_else(|| panic!("{line}")).to_owned()
}

/// Waits until a command prints something that contains this.
fn until(desk: &Desk, args: &[&str], text: &str) {
    let start = Instant::now();
    loop {
        let outcome = desk.run(args);
        if outcome.stdout.contains(text) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{args:?} should say `{text}`: {outcome:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn tokens_of_an_authority_elsewhere_from_the_first_start_to_their_end() {
    let desk = Desk::new();
    let mut authority = desk.start(&["authority", "as", "--listen", "[::1]:0"]);
    let as_uri = uri(&mut authority);
    // What to do next is said, and works as it stands.
    let advice: Vec<String> = (0..9).map(|_| authority.line()).collect();
    let commands: Vec<&str> = advice.iter().filter_map(|line| line.trim().strip_prefix("sedge ")).collect();
    assert_eq!(commands.len(), 3, "{advice:?}");
    assert_eq!(commands[0], "authority add-rs plant-a --data as");
    let said = desk.ok(&commands[0].split(' ').collect::<Vec<_>>());
    assert!(said.contains("plant-a.rs.toml") && said.contains("credential = "), "{said}");
    desk.ok(&["device", "add", "thermometer", "--publish", "home/+/temp", "--data", "as"]);
    desk.ok(&["device", "add", "display", "--subscribe", "home/#", "--data", "as"]);
    desk.fails(1, &["authority", "add-rs", "plant-a", "--data", "as"], "plant-a.rs.toml exists");
    let shown = desk.ok(&["device", "show", "plant-a", "--data", "as"]);
    assert!(shown.contains("tokens for `plant-a`"), "{shown}");

    std::fs::write(
        desk.path("broker.toml"),
        "[authority]\nenabled = false\ncredential = \"plant-a.rs.toml\"\npoll = \"1 s\"\n",
    )
    .unwrap();
    let mut broker =
        desk.start(&["broker", "--data", "broker", "--listen", "[::1]:0", "--config", "broker.toml"]);
    let broker_uri = uri(&mut broker);
    until(&desk, &["status", "--data", "broker"], "authority.connected_now");

    // Nobody but the administrator is enrolled at the broker.
    desk.fails(2, &["token", "request", "--as", "thermometer.toml"], "--broker coaps://HOST");
    for name in ["thermometer", "display"] {
        let file = format!("{name}.toml");
        let said = desk.ok(&["token", "request", "--as", &file, "--broker", &broker_uri]);
        assert!(said.contains(&broker_uri) && said.contains("for 1 h"), "{said}");
    }
    let mut display = desk.start(&["sub", "home/hall/temp", "--as", "display.token.toml"]);
    desk.ok(&["pub", "home/hall/temp", "--as", "thermometer.token.toml", "21.5"]);
    assert!(display.line().ends_with("21.5"));
    // The same without a file in between.
    let topic = format!("{broker_uri}/d/home/hall/temp");
    desk.ok(&["pub", &topic, "--as", "thermometer.toml", "--by-token", "22"]);
    assert!(display.line().ends_with("22"));
    desk.fails(1, &["pub", "home/hall/lamp", "--as", "thermometer.token.toml", "on"], "4.03");
    let wrong = ["token", "request", "--as", "display.toml", "--broker", &broker_uri, "--out", "x.toml"];
    desk.fails(1, &[&wrong[..], &["--audience", "plant-b"]].concat(), "sedge authority add-rs plant-b");

    // What is revoked there ends here, and whoever observes the list there hears of it.
    let trl = format!("{as_uri}/trl");
    let mut observer = desk.start(&["coap", "observe", &trl, "--as", "display.toml", "--count", "2"]);
    assert_ne!(observer.line(), "", "it observes");
    let start = Instant::now();
    desk.ok(&["token", "revoke", "--of", "display", "--data", "as"]);
    let ended = display.end();
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(ended.stderr.contains("4.01") && ended.stderr.contains("revoked"), "{ended:?}");
    let heard = observer.end();
    assert_eq!(heard.status, Some(0), "{heard:?}");
    assert!(heard.stdout.contains("{0: [h'01"), "{heard:?}");
    desk.fails(1, &["sub", "home/hall/temp", "--as", "display.token.toml"], "does not accept this token");
    desk.ok(&["pub", "home/hall/temp", "--as", "thermometer.token.toml", "23"]);
    desk.fails(1, &["token", "issue", "visitor", "--subscribe", "home/#", "--data", "broker"], &as_uri);
    desk.fails(2, &["token", "issue", "visitor", "--subscribe", "home/#", "--data", "as"], "--broker");

    // Both books tell of it.
    let lines = |folder: &str| -> Vec<Json> {
        desk.ok(&["audit", "export", "--data", folder]).lines().map(json).collect()
    };
    let tells = |records: &[Json], kind: &str, subject: &str| {
        records.iter().any(|record| {
            record["kind"] == kind && record["subject"] == subject && record["details"]["token"].is_string()
        })
    };
    let (there, here) = (lines("as"), lines("broker"));
    assert!(tells(&there, "grant", "thermometer") && tells(&there, "revocation", "display"), "{there:?}");
    assert!(tells(&here, "revocation", "display"), "{here:?}");

    // While it is away the operator of the broker is told, and tokens are good.
    drop(authority);
    until(&desk, &["status", "--data", "broker"], "! the authorisation server");
    desk.ok(&["pub", "home/hall/temp", "--as", "thermometer.token.toml", "24"]);
}

/// The broker has a key of its own, and knows the authorisation server by its public key.
#[test]
fn a_resource_server_with_a_raw_public_key_takes_tokens() {
    let desk = Desk::new();
    let mut authority = desk.start(&["authority", "as", "--listen", "[::1]:0"]);
    let _uri = uri(&mut authority);
    desk.ok(&["authority", "add-rs", "plant-r", "--auth", "rpk", "--data", "as"]);
    let credential = std::fs::read_to_string(desk.path("plant-r.rs.toml")).unwrap();
    assert!(credential.contains("private_key") && credential.contains("server_key"), "{credential}");
    let shown = json(&desk.ok(&["device", "show", "plant-r", "--data", "as", "--json"]));
    assert_eq!((&shown["auth"], &shown["resource_server"]), (&"rpk".into(), &true.into()), "{shown}");
    desk.ok(&["device", "add", "door", "--publish", "home/door", "--data", "as"]);
    let text = "[authority]\nenabled = false\ncredential = \"plant-r.rs.toml\"\npoll = \"1 s\"\n";
    std::fs::write(desk.path("broker.toml"), text).unwrap();
    let mut broker =
        desk.start(&["broker", "--data", "broker", "--listen", "[::1]:0", "--config", "broker.toml"]);
    let broker_uri = uri(&mut broker);
    until(&desk, &["status", "--data", "broker"], "authority.connected_now");
    desk.ok(&["token", "request", "--as", "door.toml", "--broker", &broker_uri]);
    desk.ok(&["pub", "home/door", "--as", "door.token.toml", "open"]);
    desk.ok(&["token", "revoke", "--of", "door", "--data", "as"]);
    until(&desk, &["audit", "tail", "--data", "broker"], "the token was revoked");
    desk.fails(1, &["pub", "home/door", "--as", "door.token.toml", "x"], "does not accept this token");
}
