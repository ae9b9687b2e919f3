//! Values that the broker cannot read, as those see it who publish and subscribe.

mod support;

use serde_json::Value as Json;
use support::{Desk, Running};

const DATA: [&str; 2] = ["--data", "broker"];

/// A broker that gives out group keys; members ask for new ones each second, should they miss one.
fn broker(desk: &Desk, listen: &str) -> Running {
    let mut broker =
        desk.start(&["broker", "--data", "broker", "--listen", listen, "--config", "broker.toml"]);
    let line = broker.line();
    assert!(line.starts_with("serving "), "{line}");
    broker
}

fn configure(desk: &Desk) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(desk.path("groups.key"), "00112233445566778899aabbccddeeff00112233").unwrap();
    std::fs::set_permissions(desk.path("groups.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = "[groups]\nenabled = true\nkey_file = \"groups.key\"\ncheck_interval = \"1 s\"\n";
    std::fs::write(desk.path("broker.toml"), text).unwrap();
}

fn admin(desk: &Desk, args: &[&str]) -> String {
    desk.ok(&[args, &DATA].concat())
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn enrol(desk: &Desk) {
    admin(desk, &["device", "add", "door", "--publish", "home/#"]);
    for name in ["display", "phone"] {
        admin(desk, &["device", "add", name, "--subscribe", "home/#"]);
    }
}

/// A subscriber that has got the value that is there.
fn subscriber(desk: &Desk, topic: &str, who: &str) -> Running {
    desk.start(&["sub", topic, "--protect", "--as", &format!("{who}.toml"), "--json"])
}

/// Waits until so much is observed: by a subscriber of a protected topic its values, and their key.
fn wait_for_observations(desk: &Desk, wanted: u64) {
    observed_at(desk, "broker", wanted);
}

fn observed_at(desk: &Desk, folder: &str, wanted: u64) {
    let start = std::time::Instant::now();
    let status = || desk.ok(&["status", "--json", "--data", folder]);
    while json(&status())["observations"] != wanted {
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "{}", status());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn publish(desk: &Desk, topic: &str, value: &str) {
    assert_eq!(desk.ok(&["pub", topic, "--protect", "--as", "door.toml", value]), "");
}

#[test]
fn each_cipher_with_and_without_signature_shows_who_it_was() {
    let desk = Desk::new();
    configure(&desk);
    let _broker = broker(&desk, "[::1]:0");
    enrol(&desk);
    for (topic, options, verified) in [
        ("home/ccm", &[][..], false),
        ("home/gcm", &["--cipher", "A128GCM"], false),
        ("home/chacha", &["--cipher", "chacha20/poly1305", "--sign"], true),
    ] {
        let created =
            admin(&desk, &[&["topic", "create", topic, "--protected", "--format", "json"], options].concat());
        assert!(created.contains("It takes encrypted values only: `sedge pub --protect`"), "{created}");
        publish(&desk, topic, "1");
        let mut display = subscriber(&desk, topic, "display");
        // The key came before it, and it before the value.
        wait_for_observations(&desk, 2);
        publish(&desk, topic, "2");
        let seen = json(&display.line());
        assert_eq!(
            (&seen["member"], &seen["verified"], &seen["generation"], seen["topic"].as_str()),
            (&"door".into(), &verified.into(), &1.into(), Some(topic)),
            "{seen}"
        );
        assert_eq!((&seen["content_format"], &seen["value"]), (&0.into(), &"2".into()), "{seen}");
        // It says goodbye, so that the next one's observations can be told from its own.
        drop(display.signal("INT"));
        wait_for_observations(&desk, 0);
        let words = desk.ok(&["sub", topic, "--protect", "--as", "display.toml", "--count", "1"]);
        let said = if verified { "verified" } else { "not verified" };
        assert_eq!(words, format!("{topic}  2  [door, {said}, key 1]\n"));
        // Who carries it sees bytes.
        let carried = json(&desk.ok(&["sub", topic, "--as", "display.toml", "--count", "1", "--json"]));
        assert_eq!((&carried["content_format"], carried.get("member")), (&16.into(), None), "{carried}");
    }
    desk.fails(
        2,
        &["topic", "create", "home/x", "--protected", "--cipher", "ROT13", "--data", "broker"],
        "A128GCM",
    );
    // Another cipher, and signatures, for a topic that has members: those who are there follow.
    let mut display = subscriber(&desk, "home/ccm", "display");
    assert_eq!(json(&display.line())["value"], "2");
    let told = admin(&desk, &["topic", "protect", "home/ccm", "--cipher", "A128GCM", "--sign", "true"]);
    assert_eq!(told, "home/ccm has a new key, and its members are told.\n");
    publish(&desk, "home/ccm", "3");
    let seen = json(&display.line());
    assert_eq!(
        (&seen["value"], &seen["generation"], &seen["verified"]),
        (&"3".into(), &2.into(), &true.into())
    );
    desk.fails(
        1,
        &["topic", "protect", "home/x", "--sign", "true", "--data", "broker"],
        "no protected topic",
    );
    desk.fails(2, &["topic", "protect", "home/ccm", "--data", "broker"], "--cipher");
}

#[test]
fn who_comes_reads_nothing_from_before_and_who_goes_nothing_from_then_on() {
    let desk = Desk::new();
    configure(&desk);
    let running = broker(&desk, "[::1]:0");
    enrol(&desk);
    publish(&desk, "home/door", "before");
    let refused = desk.run(&["sub", "home/door", "--protect", "--as", "phone.toml", "--timeout", "3"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(1), ""));
    assert!(refused.stderr.contains("was it published before you joined?"), "{refused:?}");

    let mut display = subscriber(&desk, "home/door", "display");
    wait_for_observations(&desk, 2);
    let log = admin(&desk, &["audit", "tail"]);
    for who in ["door", "phone", "display"] {
        let given = format!("grant  {who}  topic=home/door  what=the group's key");
        assert_eq!(log.matches(&given).count(), 1, "{who}: {log}");
    }
    publish(&desk, "home/door", "with both");
    assert_eq!(json(&display.line())["value"], "with both");
    admin(&desk, &["device", "remove", "phone"]);
    publish(&desk, "home/door", "without phone");
    let seen = json(&display.line());
    assert_eq!((&seen["value"], &seen["generation"]), (&"without phone".into(), &3.into()));
    let log = admin(&desk, &["audit", "tail"]);
    assert!(log.contains("revocation  phone  topic=home/door  what=taken out of the group"), "{log}");
    desk.fails(1, &["sub", "home/door", "--protect", "--as", "phone.toml", "--timeout", "5"], "phone");
    drop(display);

    // Members, keys and values are there after a restart; with another operator key nothing is.
    let port = admin(&desk, &["status", "--json"]);
    let uri = json(&port)["listening"][0].as_str().unwrap().to_owned();
    drop(running.signal("TERM"));
    let listen = uri.trim_start_matches("coaps://");
    let again = broker(&desk, listen);
    let kept =
        json(&desk.ok(&["sub", "home/door", "--protect", "--as", "display.toml", "--count", "1", "--json"]));
    assert_eq!((&kept["value"], &kept["generation"]), (&"without phone".into(), &3.into()));
    drop(again.signal("TERM"));
    std::fs::write(desk.path("groups.key"), "ffeeddccbbaa99887766554433221100ffeeddcc").unwrap();
    let refused = desk.run(&["broker", "--data", "broker", "--listen", listen, "--config", "broker.toml"]);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("is groups.key_file the right one?"), "{refused:?}");
}

#[test]
fn keys_come_from_another_place_than_values() {
    let desk = Desk::new();
    configure(&desk);
    let _centre = broker(&desk, "[::1]:0");
    enrol(&desk);
    let centre = json(&admin(&desk, &["status", "--json"]))["listening"][0].as_str().unwrap().to_owned();
    let mut carrier = desk.start(&["broker", "--data", "carrier", "--listen", "[::1]:0"]);
    let carrying = carrier.line().trim_start_matches("serving ").to_owned();
    // Each device has one credential for both: the same key is enrolled at the carrier.
    for (name, option) in [("door", "--publish"), ("display", "--subscribe")] {
        let credential = std::fs::read_to_string(desk.path(&format!("{name}.toml"))).unwrap();
        let key = credential.lines().find_map(|line| line.strip_prefix("key = ")).unwrap();
        let key = key.trim_matches('"').to_owned();
        desk.ok(&[
            "device",
            "add",
            name,
            option,
            "home/#",
            "--key",
            &key,
            "--out",
            &format!("{name}-carrier.toml"),
            "--data",
            "carrier",
        ]);
    }
    let topic = format!("{carrying}/d/home/door");
    let from = ["--protect", "--keys-from", &centre];
    desk.fails(1, &["pub", &topic, "--protect", "--as", "door.toml", "x"], "--keys-from");
    desk.ok(&[&["pub", &topic, "--as", "door.toml", "first"], &from[..]].concat());
    let mut display = desk.start(&[&["sub", &topic, "--as", "display.toml", "--json"], &from[..]].concat());
    // Its key is observed at the one, its values at the other.
    wait_for_observations(&desk, 1);
    observed_at(&desk, "carrier", 1);
    desk.ok(&[&["pub", &topic, "--as", "door.toml", "second"], &from[..]].concat());
    let seen = json(&display.line());
    assert_eq!((&seen["value"], &seen["member"]), (&"second".into(), &"door".into()), "{seen}");
    desk.fails(2, &["pub", &topic, "--as", "door.toml", "x", "--keys-from", &centre], "--protect");
}

/// Whoever a token was issued to is a member as an enrolled device is, for as long as the token is good.
#[test]
fn a_token_is_enough_to_read_and_write_what_is_protected() {
    let desk = Desk::new();
    configure(&desk);
    let _broker = broker(&desk, "[::1]:0");
    enrol(&desk);
    admin(&desk, &["topic", "create", "home/door", "--protected", "--sign"]);
    admin(&desk, &["token", "issue", "visitor", "--publish", "home/door", "--subscribe", "home/#"]);
    let file = "visitor.token.toml";
    desk.ok(&["pub", "home/door", "--protect", "--as", file, "open"]);
    let mut visitor = desk.start(&["sub", "home/door", "--protect", "--as", file, "--json"]);
    let seen = json(&visitor.line());
    assert_eq!(
        (&seen["value"], &seen["member"], &seen["verified"]),
        (&"open".into(), &"visitor".into(), &true.into())
    );
    admin(&desk, &["token", "revoke", "--of", "visitor"]);
    let ended = visitor.end();
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("4.01") && ended.stderr.contains("revoked"), "{ended:?}");
    desk.fails(1, &["pub", "home/door", "--protect", "--as", file, "x"], "does not accept this token");
    let start = std::time::Instant::now();
    let evicted = "revocation  visitor  topic=home/door  what=taken out of the group";
    while !admin(&desk, &["audit", "tail"]).contains(evicted) {
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "its eviction is not recorded");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
