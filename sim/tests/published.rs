//! Experiments that others have published, by their shape: `scenarios/published` has the scenarios with their sources,
//! docs/SIMULATOR.md what came of them and what differs.

use std::path::Path;

use sedge_sim::record::{Kind, Message};
use sedge_sim::scenario::Scenario;
use sedge_time::Instant;

/// The messages of one kind in runs of a scenario with some of its lines changed.
fn messages(name: &str, changes: &[(&str, &str)], seeds: u64, kind: Kind) -> Vec<Message> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/published").join(name);
    let mut text = std::fs::read_to_string(path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no line `{from}`");
        text = text.replacen(from, to, 1);
    }
    let scenario = Scenario::parse(name, &text).unwrap();
    let mut all = Vec::new();
    for seed in 1..=seeds {
        let mut simulation = scenario.builder(seed).build().unwrap();
        simulation.run_until(Instant::EPOCH + scenario.duration);
        all.extend(simulation.record().messages().iter().filter(|message| message.kind == kind).cloned());
    }
    all
}

fn mean(messages: &[Message], of: impl Fn(&Message) -> f64) -> f64 {
    messages.iter().map(of).sum::<f64>() / messages.len() as f64
}

/// Milliseconds that half of the messages took at most.
fn median(messages: &[Message]) -> f64 {
    let mut times: Vec<u64> = messages.iter().filter_map(|m| Some(m.latency()?.as_micros())).collect();
    times.sort_unstable();
    times[times.len() / 2] as f64 / 1_000.0
}

/// Claeys et al. 2021: on a lossy link the bytes of a DTLS 1.2 handshake double and it takes longer, because a lost
/// datagram costs a timeout and the whole flight once more.
#[test]
fn loss_costs_a_handshake_more_than_the_frames_that_are_lost() {
    let at = |loss: &str| {
        let change = format!("loss = {loss}");
        messages("handshake-over-loss.toml", &[("loss = 0.0", &change)], 3, Kind::Handshake)
    };
    let (ideal, bad, worse) = (at("0.0"), at("0.2"), at("0.3"));
    assert!(ideal.len() == 27 && bad.iter().all(|handshake| handshake.arrived.is_some()));
    let airtime = |messages: &[Message]| mean(messages, |handshake| handshake.airtime_us as f64);
    let packets = |messages: &[Message]| mean(messages, |handshake| f64::from(handshake.packets));
    assert!(ideal.iter().all(|handshake| handshake.retries == 0));
    // Repeating single frames alone would take 1.2 times the time on the air.
    let grown = airtime(&bad) / airtime(&ideal);
    assert!((1.5..3.0).contains(&grown), "time on the air: {grown} times");
    assert!(packets(&bad) > 1.2 * packets(&ideal), "whole flights are repeated");
    assert!(airtime(&worse) > 1.2 * airtime(&bad), "{} after {}", airtime(&worse), airtime(&bad));
    assert!(median(&bad) > 1.45 * median(&ideal), "{} ms after {}", median(&bad), median(&ideal));
}

/// Lenders et al. 2023 find queries by CoAP on par with those by UDP and DTLS. So they are, as long as they fill as many
/// frames: that decides how long a query takes, and not how it is secured.
#[test]
fn fragments_decide_how_long_a_query_takes_and_not_security() {
    let queries = |security: &str, bytes: usize| {
        let bytes = format!("bytes = {bytes}");
        let changes = [
            ("security = \"psk\"\ndtls = \"1.2\"", security),
            ("bytes = 16", &*bytes),
            ("duration = \"5min\"", "duration = \"2min\""),
        ];
        messages("queries-two-hops.toml", &changes, 1, Kind::Publication)
    };
    let open = "security = \"none\"";
    let with_cid = "dtls = \"1.2\"";
    let without = "dtls = \"1.2\"\nconnection-id = false";
    let small = [open, with_cid, without].map(|security| queries(security, 16));
    // What protects the value alone, and not the message around it, costs as much.
    let objects = queries("security = \"none\"\nprotected = true", 16);
    let large = [open, with_cid, without].map(|security| queries(security, 56));
    for queries in small.iter().chain(&large).chain([&objects]) {
        let arrived = queries.iter().filter(|query| query.arrived.is_some()).count();
        assert!(queries.len() > 400 && arrived * 1_000 >= queries.len() * 995, "{arrived}");
    }
    let frames = |queries: &[Message]| mean(queries, |query| f64::from(query.frames));
    // One frame for each hop and direction, and one more a hop for what DTLS 1.2 adds to the larger ones.
    let [open_small, cid_small, plain_small] =
        small.each_ref().map(|queries| (frames(queries), median(queries)));
    let [open_large, cid_large, plain_large] =
        large.each_ref().map(|queries| (frames(queries), median(queries)));
    let objects = (frames(&objects), median(&objects));
    for secured in [cid_small, plain_small, objects] {
        assert!((secured.0 / open_small.0 - 1.0).abs() < 0.05, "{secured:?} beside {open_small:?}");
        assert!(secured.1 < 1.3 * open_small.1, "on par: {secured:?} beside {open_small:?}");
    }
    assert!((open_large.0 / open_small.0 - 1.0).abs() < 0.05, "{open_large:?}");
    for secured in [cid_large, plain_large] {
        assert!(secured.0 > 1.4 * open_large.0, "{secured:?} beside {open_large:?}");
        assert!(secured.1 > 1.5 * open_large.1, "{secured:?} beside {open_large:?}");
    }
}
