use sedge_dtls::{CipherSuite, Versions};
use sedge_sim::network::{Config, Role};
use sedge_sim::record::{Kind, Outcome};
use sedge_sim::{Device, Protocol, SecurityMode, Simulation};

use super::*;

const MINUTES: u64 = 60;

/// What an hour costs a sleeping device that polls every second, in microcoulombs, and how often it published: every
/// minute, or never.
fn hour(publishes: bool) -> (f64, usize) {
    let mut network: Config = star(2, Mac::default());
    network.nodes[0].role = Role::BorderRouter;
    network.nodes[1].role = Role::Sleepy { poll: Duration::from_secs(1) };
    let protocol = Protocol {
        security: SecurityMode::Psk,
        versions: Versions::ONLY_1_2,
        suites: &[CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
        ..Protocol::default()
    };
    let program = move |mut device: Device| async move {
        // As long as the topic and the value that are counted.
        let _first = device.publish("node/1/temp", 24).await;
        loop {
            device.sleep(Duration::from_secs(60)).await;
            if publishes {
                let _sent = device.publish("node/1/temp", 24).await;
            }
        }
    };
    let simulation = Simulation::builder(1).network(network).protocol(protocol).program(program);
    let mut simulation = simulation.build().expect("a network");
    // Then the handshake is over.
    simulation.run_for(Duration::from_secs(30));
    let begun = simulation.network().energy(NodeId(1), simulation.now()).charge_uc();
    simulation.run_for(Duration::from_secs(60 * MINUTES));
    let charge = simulation.network().energy(NodeId(1), simulation.now()).charge_uc() - begun;
    let record = simulation.record();
    let done = |message: &&_| {
        matches!(message, sedge_sim::record::Message { kind: Kind::Publication, outcome: Outcome::Done, .. })
    };
    (charge, record.messages().iter().filter(done).count() - 1)
}

/// Of the page's line, the microcoulombs of computing, of waking up and of the radio.
fn published(what: &str) -> [f64; 3] {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/INSTRUCTIONS.md");
    let page = std::fs::read_to_string(file).expect("docs/INSTRUCTIONS.md");
    let section = page.split_once("## Energy").expect("it has the section").1;
    let row = section.lines().find_map(|line| line.strip_prefix(&format!("| {what} | ")));
    let cells: Vec<f64> =
        row.expect("the line").split('|').filter_map(|cell| cell.trim().parse().ok()).collect();
    cells[3..6].try_into().expect("three charges")
}

#[test]
fn the_simulator_charges_as_much_for_a_publication() {
    let (silent, none) = hour(false);
    let (publishing, count) = hour(true);
    assert_eq!(none, 0);
    assert!(count as u64 >= MINUTES - 2, "{count}");
    let simulated = (publishing - silent) / count as f64;
    // It would have asked its parent anyway.
    let mut poll = Terms::default();
    poll.send(DATA_REQUEST);
    let poll: f64 = poll.charge_uc(&Profile::nrf52840()).iter().sum();
    let derived = published("PSK, DTLS 1.2").iter().sum::<f64>() - poll;
    assert!(
        (simulated / derived - 1.0).abs() < 0.1,
        "{simulated} uC in the simulator, {derived} on the page"
    );
}
