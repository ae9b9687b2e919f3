//! The real client and the real broker's parts on simulated hosts.

use sedge_coap::block::BlockSize;
use sedge_dtls::{CipherSuite, Versions};
use sedge_sim::network::NodeId;
use sedge_sim::record::{Kind, Message, Outcome};
use sedge_sim::{Action, Builder, Device, Protocol, SecurityMode, Simulation};
use sedge_time::{Duration, Instant};

/// Publishes every ten seconds.
async fn publisher(mut device: Device) {
    let topic = format!("node/{}/temperature", device.node().0);
    loop {
        let _sent = device.publish(&topic, 16).await;
        device.sleep(Duration::from_secs(10)).await;
    }
}

fn two_devices(seed: u64) -> Builder {
    // Without the time of cryptography, so that what the network takes can be seen.
    let protocol = Protocol { computing: false, ..Protocol::default() };
    Simulation::builder(seed).devices(2).program(publisher).protocol(protocol)
}

fn of_kind(simulation: &Simulation, kind: Kind) -> Vec<Message> {
    simulation.record().messages().iter().filter(|message| message.kind == kind).cloned().collect()
}

#[test]
fn two_devices_sign_in_and_publish() {
    let mut simulation = two_devices(1).build().unwrap();
    simulation.run_for(Duration::from_secs(60));
    let handshakes = of_kind(&simulation, Kind::Handshake);
    assert_eq!((handshakes.len(), simulation.sessions()), (2, 2));
    let publications = of_kind(&simulation, Kind::Publication);
    assert_eq!(publications.len(), 12);
    for message in handshakes.iter().chain(&publications) {
        assert_eq!((message.outcome, message.arrivals), (Outcome::Done, 1), "{message:?}");
    }
    // One way takes a millisecond; the first ones wait for the handshake.
    assert!(publications[2..].iter().all(|message| message.latency() == Some(Duration::from_millis(1))));
    assert!(publications[2..].iter().all(|message| message.packets == 2), "{publications:?}");
}

#[test]
fn one_seed_makes_one_run() {
    let run = |seed, loss| {
        let mut simulation = two_devices(seed).loss(loss).build().unwrap();
        simulation.run_for(Duration::from_secs(100));
        let key_log = simulation.record().key_log.clone();
        (simulation.hash(), key_log)
    };
    for loss in [0.0, 0.3] {
        assert_eq!(run(1, loss), run(1, loss));
        assert_ne!(run(1, loss).0, run(2, loss).0);
    }
}

#[test]
fn every_way_to_authenticate_works_over_a_lossy_network() {
    for security in
        [SecurityMode::Psk, SecurityMode::RawPublicKey, SecurityMode::Certificate, SecurityMode::None]
    {
        for versions in [Versions::ONLY_1_2, Versions::ONLY_1_3] {
            for connection_id in [false, true] {
                let protocol = Protocol { security, versions, connection_id, ..Protocol::default() };
                let mut simulation = two_devices(3).loss(0.2).protocol(protocol.clone()).build().unwrap();
                simulation.run_for(Duration::from_secs(200));
                let done = of_kind(&simulation, Kind::Publication).iter().filter(|m| m.arrivals > 0).count();
                assert!(done > 15, "{protocol:?}: {done}");
            }
        }
    }
}

#[test]
fn commands_reach_observers_and_downloads_arrive_in_blocks() {
    let program = |mut device: Device| async move {
        device.subscribe("fleet/command").await.unwrap();
        device.sleep(Duration::from_secs(30)).await;
        device.fetch("fleet/firmware", 10_000).await;
        device.sleep(Duration::from_secs(1_000)).await;
    };
    let command = Action::Command {
        topic: "fleet/command".into(),
        bytes: 20,
        every: Some(Duration::from_secs(10)),
        jitter: Duration::from_secs(1),
        until: Instant::from_micros(60_000_000),
        random: None,
    };
    let offer = Action::Offer { topic: "fleet/firmware".into(), bytes: 5_000 };
    let protocol = Protocol { block: BlockSize::at_most(128), ..Protocol::default() };
    let mut simulation = Simulation::builder(4)
        .devices(3)
        .loss(0.1)
        .program(program)
        .protocol(protocol)
        .action(Instant::from_micros(15_000_000), command)
        .action(Instant::EPOCH, offer)
        .build()
        .unwrap();
    simulation.run_for(Duration::from_secs(120));
    let commands = of_kind(&simulation, Kind::Command);
    assert!((4..=5).contains(&commands.len()), "{commands:?}");
    assert!(commands.iter().all(|command| command.arrivals == 3), "{commands:?}");
    let downloads = of_kind(&simulation, Kind::Download);
    assert_eq!(downloads.len(), 3);
    // 5,000 bytes in blocks of 128: 40 blocks, each with its request.
    assert!(
        downloads.iter().all(|download| download.arrivals == 1 && download.packets >= 80),
        "{downloads:?}"
    );
}

#[test]
fn a_session_with_connection_id_outlives_its_address_and_not_the_broker() {
    let at = |secs: u64| Instant::from_micros(secs * 1_000_000);
    let mut simulation = two_devices(5).action(at(35), Action::Rebind(vec![NodeId(1)])).build().unwrap();
    simulation.run_for(Duration::from_secs(60));
    assert_eq!(of_kind(&simulation, Kind::Handshake).len(), 2);
    assert!(of_kind(&simulation, Kind::Publication).iter().all(|message| message.arrivals == 1));

    simulation.schedule(at(65), Action::RestartBroker);
    simulation.run_for(Duration::from_secs(300));
    assert_eq!(of_kind(&simulation, Kind::Handshake).len(), 4);
    assert_eq!(simulation.sessions(), 2);
}

#[test]
fn power_cuts_end_what_was_under_way() {
    let at = |secs: u64| Instant::from_micros(secs * 1_000_000);
    let all = vec![NodeId(1), NodeId(2)];
    let mut simulation = two_devices(6)
        .action(at(25), Action::Die(all.clone()))
        .action(at(100), Action::Revive(all))
        .build()
        .unwrap();
    simulation.run_for(Duration::from_secs(99));
    assert_eq!(of_kind(&simulation, Kind::Publication).len(), 6);
    simulation.run_for(Duration::from_secs(31));
    assert_eq!(of_kind(&simulation, Kind::Publication).len(), 12);
    assert_eq!(of_kind(&simulation, Kind::Handshake).len(), 4);
    assert_eq!(simulation.sessions(), 2, "the new sessions took the place of the old ones");
}

#[test]
fn a_fast_clock_publishes_more_often() {
    let mut simulation =
        two_devices(7).action(Instant::EPOCH, Action::Drift(vec![NodeId(1)], 100_000.0)).build().unwrap();
    simulation.run_for(Duration::from_secs(1_001));
    let count = |node| of_kind(&simulation, Kind::Publication).iter().filter(|m| m.node == node).count();
    assert_eq!((count(NodeId(1)), count(NodeId(2))), (111, 101));
}

/// docs/FOOTPRINT.md has the instructions that a handshake takes on a Cortex-M4; a million of them is some 20 ms.
#[test]
fn cryptography_costs_what_was_measured() {
    let cpu_ms = |security, versions, suite: &str| {
        let suites = CipherSuite::ALL;
        let at = suites.iter().position(|known| known.as_str() == suite).unwrap();
        let protocol = Protocol { security, versions, suites: &suites[at..=at], ..Protocol::default() };
        let idle = |mut device: Device| async move {
            let _sent = device.publish("node/1/x", 16).await;
            device.sleep(Duration::from_secs(1_000)).await;
        };
        let mut simulation = Simulation::builder(8).protocol(protocol).program(idle).build().unwrap();
        simulation.run_for(Duration::from_secs(30));
        assert_eq!(of_kind(&simulation, Kind::Publication)[0].arrivals, 1);
        let energy = simulation.network().energy(NodeId(1), simulation.now());
        energy.cpu.as_micros() as f64 / 1_000.0
    };
    let psk = cpu_ms(SecurityMode::Psk, Versions::ONLY_1_2, "TLS_PSK_WITH_AES_128_CCM_8");
    assert!((psk / 6.5 - 1.0).abs() < 0.5, "{psk} ms for 324,760 instructions");
    let raw = SecurityMode::RawPublicKey;
    let raw = cpu_ms(raw, Versions::ONLY_1_2, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8");
    assert!((raw / 619.0 - 1.0).abs() < 0.1, "{raw} ms for 30,941,760 instructions");
    let certificate =
        cpu_ms(SecurityMode::Certificate, Versions::ONLY_1_2, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8");
    assert!(((certificate - raw) / 164.0 - 1.0).abs() < 0.1, "{certificate} ms: one signature more to check");
}

/// With public keys a handshake takes a Cortex-M4 at 64 MHz some 0.6 s: an ephemeral key, an agreement, a signature and the
/// check of one. Its answers wait for that, and its battery pays for it.
#[test]
fn a_device_computes_before_it_answers() {
    let run = |computing| {
        let protocol = Protocol {
            security: SecurityMode::RawPublicKey,
            versions: Versions::ONLY_1_2,
            computing,
            ..Protocol::default()
        };
        let mut simulation =
            Simulation::builder(1).devices(1).program(publisher).protocol(protocol).build().unwrap();
        simulation.run_for(Duration::from_secs(9));
        let handshake = of_kind(&simulation, Kind::Handshake)[0].latency().unwrap();
        (handshake, simulation.network().energy(NodeId(1), simulation.now()).cpu)
    };
    let [(at_once, charged), (computed, busy)] = [false, true].map(run);
    let longer = computed.as_millis() - at_once.as_millis();
    assert!((560..700).contains(&longer), "{longer} ms");
    assert_eq!(charged.as_millis() / 100, busy.as_millis() / 100);
    assert!((600..700).contains(&busy.as_millis()), "{busy:?}");
}
