use super::*;

const GOOD: &str = r#"duration = "1h"
[topology]
kind = "grid"
nodes = 9
spacing = 12.5
[protocol]
security = "psk"
[[traffic]]
kind = "periodic"
period = "60s"
[[event]]
at = "10min"
what = "power-cut"
for = "30s"
"#;

#[test]
fn what_cannot_be_meant_is_refused_with_its_line() {
    assert!(Scenario::parse("s.toml", GOOD).is_ok());
    // What to change, on which line it is wrong, and what is said of it.
    let cases = [
        ("nodes = 9", "nodes = 0", 4, "0 is not from 1 to 65000", ""),
        ("nodes = 9", "nodes = \"nine\"", 4, "this string is not a whole number", ""),
        ("kind = \"grid\"", "kind = \"ring\"", 3, "\"ring\" is none of its values", "`star`"),
        ("kind = \"grid\"", "kind = \"star\"", 5, "a topology of kind \"star\" has none", "`radius`"),
        ("spacing", "spaceing", 5, "there is no such key", "perhaps `spacing` is meant"),
        ("spacing = 12.5", "branching = 2", 5, "a topology of kind \"grid\" has none", "`spacing`"),
        ("duration = \"1h\"", "duration = \"1 fortnight\"", 1, "is not a time", ""),
        ("duration = \"1h\"", "duration = \"0s\"", 1, "nothing happens", ""),
        ("security = \"psk\"", "security = \"pks\"", 7, "none of its values", "perhaps `psk`"),
        ("security = \"psk\"", "block = 100", 7, "no blocks of 100 bytes", "16, 32"),
        ("security = \"psk\"", "security = \"none\"\ndtls = \"1.3\"", 6, "means nothing", "leave it out"),
        (
            "security = \"psk\"",
            "suite = \"TLS_NULL\"",
            7,
            "none of its values",
            "`TLS_PSK_WITH_AES_128_CCM_8`",
        ),
        (
            "security = \"psk\"",
            "suite = \"TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8\"",
            7,
            "cannot be used with this `security`",
            "\"rpk\" or \"certificate\"",
        ),
        (
            "security = \"psk\"",
            "suite = \"TLS_AES_128_CCM_8_SHA256\"\ndtls = \"1.2\"",
            7,
            "of DTLS 1.3",
            "`dtls`",
        ),
        ("period = \"60s\"", "", 8, "lacks `period`", "period = \"60s\""),
        ("period = \"60s\"", "period = \"60s\"\njitter = \"2min\"", 11, "longer than the period", ""),
        ("period = \"60s\"", "period = \"60s\"\nnodes = \"8-10\"", 11, "there is no device 10", "1 to 9"),
        ("period = \"60s\"", "period = \"60s\"\nnodes = \"0\"", 11, "border router", "1 to 9"),
        ("period = \"60s\"", "period = \"60s\"\ntopic = \"fleet/x\"", 11, "not a topic", "node/*/"),
        ("at = \"10min\"", "at = \"2h\"", 12, "after the end", "duration"),
        ("period = \"60s\"", "period = \"60s\"\nstart = \"1h\"", 11, "after the end", "duration"),
        (
            "period = \"60s\"",
            "period = \"60s\"\nstart = \"9s\"\nstop = \"9s\"",
            12,
            "stops before it starts",
            "",
        ),
        ("what = \"power-cut\"\nfor = \"30s\"", "what = \"sleep\"", 11, "only sleepy nodes", "role"),
        (
            "what = \"power-cut\"",
            "what = \"jam\"\nposition = [0, 0]",
            11,
            "radios of IEEE 802.15.4",
            "profile",
        ),
        ("what = \"power-cut\"", "what = \"explode\"", 13, "none of its values", "`die`"),
        ("spacing = 12.5", "spacing = -1", 5, "is not from 0.01", ""),
        (
            "kind = \"grid\"\nnodes = 9\nspacing = 12.5",
            "kind = \"csv\"\nplaces = [[0, 0]]",
            4,
            "there is no device",
            "border router",
        ),
        (
            "kind = \"grid\"\nnodes = 9\nspacing = 12.5",
            "kind = \"csv\"\nplaces = [[0]]",
            4,
            "is not a list of positions",
            "",
        ),
        ("[protocol]", "[channel]\nloss = 1.5\n[protocol]", 7, "1.5 is not from 0 to 1", ""),
        (
            "[protocol]",
            "[radio]\nprofile = \"nrf52840\"\npower = 99\n[protocol]",
            8,
            "is not from -40 to 23",
            "",
        ),
        ("for = \"30s\"", "", 11, "lacks `for`", "for = \"30s\""),
        ("[[event]]", "[event]", 11, "not tables", "[[event]]"),
        ("spacing = 12.5", "spacing = ", 5, "this is no TOML", ""),
        (
            "[protocol]",
            "[channel]\nexponent = 2.0\n[protocol]",
            6,
            "is for radios of IEEE 802.15.4",
            "nrf52840",
        ),
        ("[protocol]", "[cellular]\nupdate = \"1d\"\n[protocol]", 6, "is for `nrf9160-ltem`", ""),
        (
            "[protocol]",
            "[radio]\nprofile = \"nrf52840-ble\"\n[ble]\ninterval = \"5ms\"\n[protocol]",
            9,
            "no such connection interval",
            "7.5ms",
        ),
        (
            "[protocol]",
            "[radio]\nprofile = \"nrf52840\"\npoll = \"2s\"\n[protocol]",
            6,
            "for sleepy nodes",
            "sleepy",
        ),
        ("[protocol]", "[[interferer]]\n[protocol]", 6, "are for radios of IEEE 802.15.4", "nrf52840"),
    ];
    for (from, to, line, message, help) in cases {
        let error = Scenario::parse("s.toml", &GOOD.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.line(), Some(line), "{to}: {error}");
        assert!(error.message().contains(message), "{to}: {error}");
        assert!(error.help().contains(help), "{to}: {error}");
    }
    let missing = Scenario::parse("s.toml", "duration = \"1h\"").unwrap_err();
    assert_eq!((missing.line(), missing.message()), (None, "the scenario lacks a section [topology]"));
}

#[test]
fn there_is_one_partition_at_a_time() {
    let text = |at: &str| {
        let one = "[[event]]\nwhat = \"partition\"\nnodes = 1\nat = \"5min\"\nfor = \"6min\"\n";
        format!("{GOOD}{one}{}", one.replace("5min", at))
    };
    assert!(Scenario::parse("s.toml", &text("11min")).is_ok());
    let error = Scenario::parse("s.toml", &text("10min")).unwrap_err();
    assert_eq!(error.line(), Some(23));
    assert!(error.message().contains("another one lasts at that time, which begins at 300 s"), "{error}");
}

#[test]
fn an_error_shows_its_line() {
    let error = Scenario::parse("s.toml", &GOOD.replace("nodes = 9", "nodes = 70_000")).unwrap_err();
    let expected = "s.toml:4:9: topology.nodes: 70000 is not from 1 to 65000\n   |\n 4 | nodes = 70_000\n   |         ^^^^^^";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn topologies_have_their_shapes() {
    let places = |text: &str| {
        let text = format!("duration = \"1h\"\n[topology]\n{text}");
        Scenario::parse("s.toml", &text).unwrap().topology.positions(1)
    };
    assert_eq!(
        places("kind = \"line\"\nnodes = 2\nspacing = 5"),
        [[0.0; 3], [5.0, 0.0, 0.0], [10.0, 0.0, 0.0]]
    );
    let star = places("kind = \"star\"\nnodes = 6\nradius = 7");
    assert!(star[1..].iter().all(|place| (place[0].hypot(place[1]) - 7.0).abs() < 1e-3));
    let grid = places("kind = \"grid\"\nnodes = 24\nspacing = 2");
    assert_eq!((grid[0], grid.len()), ([0.0; 3], 25));
    assert!(grid.iter().all(|place| place[0].abs() <= 4.0 && place[1].abs() <= 4.0));
    let tree = places("kind = \"tree\"\nnodes = 6\nbranching = 2\nspacing = 10");
    assert_eq!(
        tree.iter().map(|place| place[0]).collect::<Vec<_>>(),
        [0.0, 10.0, 10.0, 20.0, 20.0, 20.0, 20.0]
    );
    let disc = places("kind = \"disc\"\nnodes = 50\nradius = 30\nseparation = 2");
    assert!(disc.iter().all(|place| place[0].hypot(place[1]) <= 30.01));
    let near = |a: &[f64; 3], b: &[f64; 3]| (a[0] - b[0]).hypot(a[1] - b[1]) < 2.0;
    assert!(disc.iter().enumerate().all(|(at, place)| !disc[..at].iter().any(|other| near(place, other))));
}

#[test]
fn positions_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = "duration = \"1h\"\n[topology]\nkind = \"csv\"\nfile = \"places.csv\"\n";
    let read = || Scenario::read("s.toml", text, folder.path());
    assert!(read().unwrap_err().message().contains("places.csv"));
    std::fs::write(folder.path().join("places.csv"), "x,y,z\n0,0,3\n# a shelf\n1.5, 2\n3,4,5\n").unwrap();
    assert_eq!(read().unwrap().topology.positions(1), [[0.0, 0.0, 3.0], [1.5, 2.0, 0.0], [3.0, 4.0, 5.0]]);
    std::fs::write(folder.path().join("places.csv"), "0,0\n1;2\n").unwrap();
    let error = read().unwrap_err();
    assert_eq!(error.line(), Some(4));
    assert!(error.message().contains("places.csv:2: `1;2` is no position"), "{error}");
}
