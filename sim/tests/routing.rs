//! Whole hosts over a tree that the nodes form by themselves.

use std::path::Path;

use sedge_sim::record::{Kind, Message};
use sedge_sim::scenario::Scenario;
use sedge_sim::{Action, Simulation};
use sedge_time::{Duration, Instant};

/// The street of lamps that comes along, with the tree of RPL instead of one computed beforehand.
fn street(routing: &str) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/street-lamps.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let own = text.replace("routing = \"shortest-paths\"", &format!("routing = \"{routing}\""));
    assert_ne!(own, text);
    Scenario::parse("street-lamps.toml", &own).unwrap()
}

fn of_kind(simulation: &Simulation, kind: Kind) -> Vec<Message> {
    simulation.record().messages().iter().filter(|message| message.kind == kind).cloned().collect()
}

fn at(seconds: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(seconds)
}

/// All lamps sign in within four minutes, over up to a dozen hops; then nearly everything arrives, both ways.
#[test]
fn every_lamp_of_a_street_gets_a_session() {
    for (routing, seed) in [("rpl-mrhof", 7), ("rpl-mrhof", 9), ("rpl-of0", 7)] {
        let mut simulation = street(routing).builder(seed).build().unwrap();
        simulation.run_until(at(240));
        let signed_in =
            of_kind(&simulation, Kind::Handshake).iter().filter(|one| one.arrived.is_some()).count();
        assert!(signed_in >= 24, "{routing} {seed}: {signed_in}");
        simulation.run_until(at(900));
        let publications = of_kind(&simulation, Kind::Publication);
        let (made, arrived) = shares(&publications, at(240), at(870));
        assert!(made > 110 && arrived * 50 >= made * 49, "{routing} {seed}: {arrived} of {made}");
        let commands = of_kind(&simulation, Kind::Command);
        assert!(commands[0].arrivals >= 23, "{routing} {seed}: {commands:?}");
    }
}

/// After a power cut of half a street the tree grows again by itself.
#[test]
fn half_a_street_loses_its_power_and_comes_back() {
    let nodes: Vec<_> = (1..=12).map(sedge_sim::network::NodeId).collect();
    let mut simulation = street("rpl-mrhof").builder(7).build().unwrap();
    simulation.schedule(at(400), Action::Die(nodes.clone()));
    simulation.schedule(at(430), Action::Revive(nodes));
    simulation.run_until(at(1_200));
    let publications = of_kind(&simulation, Kind::Publication);
    let (made, arrived) = shares(&publications, at(800), at(1_170));
    assert!(made > 60 && arrived * 20 >= made * 19, "{arrived} of {made}");
}

/// How many messages were made between two times, and how many of them arrived.
fn shares(messages: &[Message], from: Instant, to: Instant) -> (usize, usize) {
    let made = messages.iter().filter(|message| message.created >= from && message.created < to);
    let made: Vec<_> = made.collect();
    (made.len(), made.iter().filter(|message| message.arrived.is_some()).count())
}
