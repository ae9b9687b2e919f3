//! Values that are protected from end to end: they arrive as others do, and cost what protection adds.

use sedge_sim::Simulation;
use sedge_sim::record::{Kind, Message};
use sedge_sim::scenario::Scenario;
use sedge_time::{Duration, Instant};

fn run(security: &str, protected: bool) -> Simulation {
    let text = format!(
        "duration = \"5min\"\n[topology]\nnodes = 3\n[radio]\nprofile = \"nrf52840\"\nrouting = \"star\"\n\
         [channel]\nmodel = \"disc\"\n[protocol]\nsecurity = \"{security}\"\nprotected = {protected}\n\
         [[traffic]]\nperiod = \"10s\"\nbytes = 16\n[[traffic]]\nkind = \"command\"\nperiod = \"45s\"\n\
         [[event]]\nwhat = \"power-cut\"\nat = \"2min\"\nfor = \"10s\"\nnodes = \"1\"\n"
    );
    let scenario = Scenario::parse("protection.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    let mut simulation = scenario.builder(7).build().unwrap();
    simulation.run_until(Instant::EPOCH + scenario.duration);
    simulation
}

fn of(simulation: &Simulation, kind: Kind) -> Vec<Message> {
    simulation.record().messages().iter().filter(|message| message.kind == kind).cloned().collect()
}

fn airtime(simulation: &Simulation, node: u16) -> Duration {
    simulation.network().counters(sedge_sim::network::NodeId(node)).airtime
}

#[test]
fn protected_values_arrive_through_a_power_cut_and_cost_what_is_added() {
    for security in ["psk", "none"] {
        let (open, protected) = (run(security, false), run(security, true));
        for kind in [Kind::Publication, Kind::Command] {
            let (before, after) = (of(&open, kind), of(&protected, kind));
            assert!(after.len() >= 6 && after.len() == before.len(), "{security}: {} {kind}s", after.len());
            let lost = after.iter().filter(|message| message.arrivals < message.expected).count();
            // One device is away for ten seconds.
            assert!(lost <= 1, "{security}: {lost} {kind}s are lost");
        }
        // 22 bytes and a Content-Format of two, at 32 us each, for each of some thirty values.
        let added = airtime(&protected, 2).as_micros() - airtime(&open, 2).as_micros();
        assert!((15_000..60_000).contains(&added), "{security}: {added} us");
    }
}
