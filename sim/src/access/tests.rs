use std::rc::Rc;

use sedge_time::{Duration, Instant};

use super::{Ble, Cellular};
use crate::energy::Profile;
use crate::network::{Config, Medium, Network, NodeConfig, NodeId, PacketId, udp_packet};

fn network(medium: Medium, profile: Profile) -> Network {
    let profile = Rc::new(profile);
    let nodes = vec![NodeConfig { profile, ..NodeConfig::default() }; 3];
    Network::new(Config { nodes, medium, ..Config::default() }, 4).unwrap()
}

/// Sends one packet and says after how many microseconds it has arrived.
fn send(network: &mut Network, at: Instant, from: u16, to: u16) -> u64 {
    run(network, at);
    let ends = [from, to].map(|node| (network.address(NodeId(node)), 5683));
    network.send(at, NodeId(from), PacketId(1), udp_packet(ends[0], ends[1], &[0; 200]));
    loop {
        let now = network.deadline().unwrap();
        network.advance(now, &mut |_| ());
        if let Some(arrived) = network.poll() {
            assert_eq!(arrived.node, NodeId(to));
            return now.saturating_since(at).as_micros();
        }
    }
}

fn run(network: &mut Network, until: Instant) {
    while let Some(now) = network.deadline().filter(|&now| now <= until) {
        network.advance(now, &mut |_| ());
    }
}

fn at(seconds: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_modem_connects_lingers_is_paged_and_sleeps() {
    let config = Cellular::nb_iot();
    let mut network = network(Medium::Cellular(config), Profile::nrf9160_nb_iot());
    let seconds = |micros: u64| micros as f64 / 1e6;
    let first = seconds(send(&mut network, at(100), 1, 0));
    assert!((1.05..3.5).contains(&first), "connecting, then one way: {first}");
    let second = seconds(send(&mut network, at(105), 0, 1));
    assert!((0.25..1.0).contains(&second), "still connected: {second}");
    let paged = seconds(send(&mut network, at(130), 0, 1));
    assert!((1.0..85.5).contains(&paged), "idle: the next paging occasion at most 81.92 s away: {paged}");
    let asleep = seconds(send(&mut network, at(1_000), 0, 1));
    assert!(asleep > 300.0, "asleep: until the modem comes by itself: {asleep}");
}

#[test]
fn a_modem_that_only_updates_draws_what_the_profile_says() {
    let mut network = network(Medium::Cellular(Cellular::nb_iot()), Profile::nrf9160_nb_iot());
    let days = 10;
    run(&mut network, at(days * 86_400));
    let energy = network.energy(NodeId(1), at(days * 86_400));
    // 2.7 uA asleep, and twice a day 550 mJ at 3.7 V.
    let expected = 2.7 * days as f64 * 86_400.0 + 2.0 * days as f64 * 550_000.0 / 3.7;
    assert!((energy.charge_uc() / expected - 1.0).abs() < 0.01, "{} not {expected}", energy.charge_uc());
}

#[test]
fn a_peripheral_sends_in_the_next_event_and_hears_in_one_it_does_not_leave_out() {
    let mut network = network(Medium::Ble(Ble::default()), Profile::nrf52840_ble());
    for round in 1..50 {
        let up = send(&mut network, at(10 * round), 1, 0);
        assert!((3_000..56_000).contains(&up), "{up}");
        let down = send(&mut network, at(10 * round + 5), 0, 1);
        assert!((2_000..506_000).contains(&down), "{down}");
    }
    let across = send(&mut network, at(1_000), 1, 2);
    assert!(across < 600_000, "through the central: {across}");
}

/// An idle connection's event: 2 * (80 + 150) us, of which 112 us receiving and 112 us sending.
#[test]
fn an_idle_connection_draws_its_events() {
    let mut network = network(Medium::Ble(Ble::default()), Profile::nrf52840_ble());
    run(&mut network, at(1_000));
    let energy = network.energy(NodeId(1), at(1_000));
    let events = 2_000.0;
    assert!((energy.receive.as_micros() as f64 / events - 112.0).abs() < 1.0, "{:?}", energy.receive);
    assert!((energy.transmit.as_micros() as f64 / events - 112.0).abs() < 1.0, "{:?}", energy.transmit);
    assert!((4.0..12.0).contains(&energy.mean_ua()), "{}", energy.mean_ua());
}
