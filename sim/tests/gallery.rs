//! The scenarios that come along: they can be run, each run is the same as ever, and its files are what they should be.
//!
//! A golden hash changes when anything on the way of a message does: a byte more in a handshake, another timer, another
//! draw of chance. A change that is meant is written into `scenarios/golden.txt` by running this test with
//! `SEDGE_GOLDEN=write`, with the reason in the changelog.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sedge_sim::report::Run;
use sedge_sim::scenario::Scenario;
use sedge_time::{Duration, Instant};

const SEED: u64 = 7;
/// One that every version of tshark knows.
const SUITE: &str = "protocol.suite=TLS_PSK_WITH_AES_128_CCM_8";
/// How long each scenario is run here, so that it also shows what it is about.
const SHORT: [(&str, u64); 8] = [
    ("quickstart", 400),
    ("office-100", 420),
    ("factory-wifi", 60),
    ("street-lamps", 240),
    ("handshake-storm", 70),
    ("firmware-rollout", 900),
    ("sleepy-nbiot", 7_200),
    ("jammer", 330),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn short(name: &str, seconds: u64) -> (Scenario, String) {
    let scenario = Scenario::load(&folder().join(format!("{name}.toml"))).unwrap();
    let mut simulation = scenario.builder(SEED).build().unwrap();
    simulation.run_until(Instant::EPOCH + Duration::from_secs(seconds));
    let hash = Run::new(&scenario, SEED, &simulation).hash();
    (scenario, hash)
}

#[test]
fn every_scenario_runs_as_it_always_did() {
    let golden = folder().join("golden.txt");
    let mut now = String::from("# Trace hashes of the short runs in tests/gallery.rs, with seed 7.\n");
    for (name, seconds) in SHORT {
        let (_, hash) = short(name, seconds);
        let _ = writeln!(now, "{name} {seconds} {hash}");
    }
    if std::env::var_os("SEDGE_GOLDEN").is_some_and(|what| what == "write") {
        std::fs::write(&golden, &now).unwrap();
    }
    let then = std::fs::read_to_string(&golden).unwrap();
    assert_eq!(now, then, "see the head of this file");
}

#[test]
fn no_scenario_is_forgotten() {
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .collect();
    files.sort();
    let mut known = SHORT.map(|(name, _)| name.to_owned());
    known.sort();
    assert_eq!(files, known);
}

fn simulator(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_sedge-sim")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_run_leaves_everything_that_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let out = out.to_str().unwrap();
    let scenario = self::folder().join("quickstart.toml");
    let scenario = scenario.to_str().unwrap();
    let run = simulator(&["run", scenario, "--seed", "7", "--out", out, "--set", "duration=10min"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let read = |name: &str| std::fs::read_to_string(Path::new(out).join(name)).unwrap();

    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    assert_eq!((summary["seed"].as_u64(), summary["devices"].as_u64()), (Some(7), Some(5)));
    assert!(summary["messages"]["publication"]["delivery_ratio"].as_f64().unwrap() > 0.99);
    let messages = read("messages.csv");
    let counted: u64 = ["publication", "command", "handshake"]
        .iter()
        .filter_map(|kind| summary["messages"][kind]["messages"].as_u64())
        .sum();
    assert_eq!(messages.lines().count() as u64, counted + 1);
    let columns = |text: &str| text.lines().map(|line| line.split(',').count()).collect::<Vec<_>>();
    for table in [&messages, &read("nodes.csv")] {
        assert!(columns(table).windows(2).all(|pair| pair[0] == pair[1]));
    }
    let page = read("report.html");
    for expected in [
        "delivery ratio",
        "latency to the first receiver (ms)",
        "energy (J)",
        "time on the air (s)",
        "PRR 0.9",
        "5 devices",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("http"), "it needs no network");

    // The same again, from what was left.
    let replay = simulator(&["replay", out]);
    assert!(replay.status.success(), "{}", text(&replay.stderr));
    let hash = summary["hash"].as_str().unwrap();
    let by_hash = simulator(&["replay", &hash[..12], "--in", folder.path().to_str().unwrap()]);
    assert!(by_hash.status.success() && text(&by_hash.stdout).contains(hash));
    let compare = simulator(&["compare", out, out]);
    assert!(text(&compare.stdout).contains("the same run to the bit"));
    let explain = simulator(&["explain", "1", "--in", out]);
    let story = text(&explain.stdout);
    for expected in ["device sends a ClientHello", "cut into", "back-off", "on the air", "arrived"] {
        assert!(story.contains(expected), "{expected}: {story}");
    }
    let unknown = simulator(&["explain", "99999", "--in", out]);
    assert!(!unknown.status.success() && text(&unknown.stderr).contains("there is no message 99999"));
    dissect(&Path::new(out).join("trace.pcapng"));
}

/// What tshark says to a capture. Without tshark the test fails; whoever wants to go without it says so.
fn tshark(capture: &Path, arguments: &[&str]) -> Option<std::process::Output> {
    match Command::new("tshark").arg("-r").arg(capture).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) if std::env::var_os("SEDGE_WITHOUT_TSHARK").is_some() => {
            eprintln!("SKIPPED: {} was not dissected, tshark: {error}", capture.display());
            None
        }
        Err(error) => {
            panic!("tshark: {error}; tests/interop/setup installs it, SEDGE_WITHOUT_TSHARK=1 goes without")
        }
    }
}

/// Has tshark look at a capture.
fn dissect(capture: &Path) {
    let malformed = tshark(capture, &["-Y", "_ws.malformed || _ws.expert.severity == error"]);
    let Some(malformed) = malformed else { return };
    assert!(malformed.status.success(), "{}", text(&malformed.stderr));
    assert_eq!(text(&malformed.stdout), "");
    let hellos = tshark(capture, &["-Y", "dtls.handshake.type == 1"]).unwrap();
    assert!(text(&hellos.stdout).lines().count() >= 5, "{}", text(&hellos.stdout));
}

#[test]
fn the_capture_of_dtls_1_2_can_be_read_with_its_own_keys() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let scenario = self::folder().join("quickstart.toml");
    let arguments =
        ["--seed", "7", "--set", "dtls=1.2", "--set", SUITE, "--set", "duration=2min", "--out", out];
    let run = simulator(&[&["run", scenario.to_str().unwrap()], &arguments[..]].concat());
    assert!(run.status.success(), "{}", text(&run.stderr));
    let capture = folder.path().join("trace.pcapng");
    dissect(&capture);
    let Some(coap) = tshark(&capture, &["-Y", "coap.code == 3"]) else { return };
    assert!(text(&coap.stdout).contains("PUT"), "{}{}", text(&coap.stdout), text(&coap.stderr));
}

#[test]
fn what_cannot_be_done_is_said_at_once() {
    let scenario = self::folder().join("office-100.toml");
    let scenario = scenario.to_str().unwrap();
    // A file stands where the folder is to be.
    let file = tempfile::NamedTempFile::new().unwrap();
    let began = std::time::Instant::now();
    let run = simulator(&["run", scenario, "--out", file.path().to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(1));
    assert!(text(&run.stderr).contains("choose a folder that can be written to"), "{}", text(&run.stderr));
    assert!(began.elapsed().as_secs() < 20, "it was noticed before the run");

    // Too far from one another for any of them.
    let far = ["check", "run"].map(|command| {
        let path = file.path().with_extension("far");
        let text = "duration = \"1h\"\n[topology]\nnodes = 3\n[radio]\nprofile = \"nrf52840\"\n[channel]\nmodel = \"disc\"\nrange = 5\n";
        std::fs::write(&path, text).unwrap();
        simulator(&[command, path.to_str().unwrap()])
    });
    for far in far {
        assert_eq!(far.status.code(), Some(1));
        assert!(text(&far.stderr).contains("no device can reach the border router"), "{}", text(&far.stderr));
    }

    let run = simulator(&["run", scenario, "--set", "topology.raduis=7"]);
    assert!(text(&run.stderr).contains("perhaps `radius` is meant"), "{}", text(&run.stderr));
    let sweep = simulator(&["sweep", scenario, "--vary", "loss"]);
    assert!(text(&sweep.stderr).contains("KEY=VALUE"), "{}", text(&sweep.stderr));
    let replay = simulator(&["replay", "0123abcd", "--in", "/nonexistent"]);
    assert!(text(&replay.stderr).contains("no run with this hash"), "{}", text(&replay.stderr));
}
