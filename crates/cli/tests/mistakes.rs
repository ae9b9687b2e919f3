//! What goes wrong, and what the command says then: one line, and a status.
#![allow(missing_docs, reason = "a test crate has no readers but this file's")]

mod support;

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;

use support::Desk;

const COMMANDS: [&[&str]; 23] = [
    &["demo"],
    &["broker"],
    &["broker", "status"],
    &["device"],
    &["device", "add"],
    &["device", "list"],
    &["device", "show"],
    &["device", "remove"],
    &["topic"],
    &["topic", "create"],
    &["topic", "list"],
    &["topic", "show"],
    &["topic", "delete"],
    &["pub"],
    &["sub"],
    &["status"],
    &["probe"],
    &["coap"],
    &["coap", "get"],
    &["coap", "put"],
    &["coap", "fetch"],
    &["coap", "ipatch"],
    &["coap", "observe"],
];

const CREDENTIAL: &str =
    "broker = \"coaps://[::1]:1\"\nname = \"n\"\nkey = \"000102030405060708090a0b0c0d0e0f\"\n";

#[test]
fn every_command_has_help_with_an_example() {
    let desk = Desk::new();
    for command in COMMANDS {
        let help = desk.ok(&[command, &["--help"]].concat());
        let own = format!("    sedge {}", command.join(" "));
        assert!(help.contains("Example"), "{command:?}: {help}");
        assert!(help.contains(&own) || command == ["broker", "status"], "{command:?}: {help}");
    }
    assert!(desk.ok(&["--help"]).contains("sedge demo"));
    assert_eq!(desk.ok(&["version"]), desk.ok(&["--version"]));
}

#[test]
fn wrong_arguments_are_told_in_one_line() {
    let desk = Desk::new();
    for (args, hint) in [
        (&["frobnicate"][..], "sedge --help"),
        (&["pub"], "sedge pub --help"),
        (&["pub", "a", "1"], "--as"),
        (&["sub", "a", "--as", "x.toml", "--cuont", "3"], "--count"),
        (&["sub", "a", "--as", "x.toml", "--count", "0"], "1.."),
        (&["demo", "--seconds", "0"], "1..="),
        (&["broker"], "--data"),
        (&["broker", "--data", "b", "--listen", "localhost"], "--listen"),
        (&["device", "add", "x"], "--data"),
        (&["device", "add", "x", "--data", "b", "--as", "c"], "cannot be used with"),
        (&["device", "add", "x", "--data", "b"], "--publish"),
        (&["device", "add", "x", "--publish", "a/#/b", "--data", "b"], "a/#/b"),
        (&["topic", "create", "a", "--format", "yaml", "--data", "b"], "senml+cbor"),
        (&["coap", "get", "http://x"], "coap://"),
        (&["coap", "get", "coap://x/%zz"], "hexadecimal"),
        (&["coap", "get", "coaps://localhost/x"], "--identity"),
        (&["coap", "get", "coap://[::1]/x", "--identity", "a", "--key", "00"], "coaps://"),
        (&["coap", "put", "coap://[::1]/x", "--hex", "0"], "hexadecimal"),
        (&["coap", "get", "coap://[::1]/x", "--option", "x"], "NUMBER=TEXT"),
        (&["pub", "coaps://h/x/y", "--as", "c.toml", "1"], "/d/TOPIC"),
        (&["sub", "ftp://h/d/x", "--as", "c.toml"], "coaps://"),
    ] {
        desk.fails(2, args, hint);
    }
}

#[test]
fn missing_and_unusable_files_are_named() {
    let desk = Desk::new();
    desk.fails(1, &["pub", "a", "--as", "none.toml", "1"], "none.toml");
    desk.fails(1, &["device", "list", "--data", "nowhere"], "sedge broker --data nowhere");
    desk.fails(1, &["broker", "--data", "b", "--config", "none.toml"], "none.toml");
    std::fs::write(desk.path("bad.toml"), "[limits]\nsesions = 1\n").unwrap();
    desk.fails(1, &["broker", "--data", "b", "--config", "bad.toml"], "line 2");

    std::fs::write(desk.path("open.toml"), CREDENTIAL).unwrap();
    std::fs::set_permissions(desk.path("open.toml"), std::fs::Permissions::from_mode(0o644)).unwrap();
    desk.fails(1, &["sub", "a", "--as", "open.toml"], "chmod 600 open.toml");
    std::fs::write(desk.path("half.toml"), "name = \"n\"\n").unwrap();
    std::fs::set_permissions(desk.path("half.toml"), std::fs::Permissions::from_mode(0o600)).unwrap();
    desk.fails(1, &["sub", "a", "--as", "half.toml"], "half.toml");
    std::fs::set_permissions(desk.path("open.toml"), std::fs::Permissions::from_mode(0o600)).unwrap();
    desk.fails(1, &["pub", "a", "--as", "open.toml", "--file", "none"], "none");
    // A folder that cannot be written to, as a full disk is for most purposes.
    desk.fails(1, &["broker", "--data", "/proc/sedge"], "/proc/sedge");
}

#[test]
fn servers_that_are_not_there_are_told_apart() {
    let desk = Desk::new();
    // Nobody listens: the port was free a moment ago.
    let port = UdpSocket::bind("[::1]:0").unwrap().local_addr().unwrap().port();
    let key = "000102030405060708090a0b0c0d0e0f";
    let closed = format!("coaps://[::1]:{port}/d/a");
    desk.fails(1, &["coap", "get", &closed, "--identity", "n", "--key", key], "nothing listens");
    let plain = format!("coap://[::1]:{port}/a");
    desk.fails(1, &["coap", "get", &plain], "nothing listens");
    // Somebody listens and says nothing.
    let silent = UdpSocket::bind("[::1]:0").unwrap();
    let uri = format!("coap://{}/a", silent.local_addr().unwrap());
    desk.fails(1, &["coap", "get", &uri, "--timeout", "1"], "within 1 s");
    desk.fails(1, &["coap", "get", "coap://no-such-host.invalid/a"], "no-such-host.invalid");
}

#[test]
fn a_refused_handshake_says_who_was_not_accepted() {
    let desk = Desk::new();
    let (broker, uri) = desk.broker();
    let target = format!("{uri}/d/a");
    // An identity that is not known and a key that is wrong look the same, and take as long.
    std::thread::scope(|scope| {
        for (identity, key) in [("admin", "00"), ("stranger", "000102030405060708090a0b0c0d0e0f")] {
            let (desk, target) = (&desk, &target);
            scope.spawn(move || {
                let hint = format!("does not accept the identity `{identity}`");
                desk.fails(1, &["coap", "get", target, "--identity", identity, "--key", key], &hint);
            });
        }
    });
    // A second broker on the folder, and one on the address.
    desk.fails(1, &["broker", "--data", "broker"], "another broker runs on broker");
    let address = uri.strip_prefix("coaps://").unwrap();
    desk.fails(1, &["broker", "--data", "other", "--listen", address], "in use");
    assert_eq!(broker.signal("TERM").status, Some(0));
}
