use super::*;
use crate::link::Probability;

fn run(seed: u64, loss: f64) -> (Vec<u64>, [u8; 32]) {
    let ideal = Ideal { loss: Probability::new(loss).unwrap(), ..Ideal::default() };
    let config =
        Config { nodes: vec![NodeConfig::default(); 10], medium: Medium::Ideal(ideal), ..Config::default() };
    let mut network = Network::new(config, seed).unwrap();
    for number in 0..100_u16 {
        let [from, to] = [NodeId(number % 10), NodeId(number % 7)];
        let ends = [from, to].map(|node| (network.address(node), 5683));
        let packet = udp_packet(ends[0], ends[1], &number.to_be_bytes());
        network.send(Instant::from_micros(number.into()), from, PacketId(number.into()), packet);
    }
    let mut arrived = Vec::new();
    while let Some(now) = network.deadline() {
        network.advance(now, &mut |_| ());
        while let Some(Delivered { node, id, packet }) = network.poll() {
            assert_eq!(u64::from(node.0), id.0 % 7);
            assert_eq!(checksum_of(&packet), 0);
            arrived.push(id.0);
        }
    }
    (arrived, network.hash())
}

fn checksum_of(packet: &[u8]) -> u16 {
    packet::checksum(&packet[8..24], &packet[24..40], packet::UDP, &packet[40..])
}

#[test]
fn ideal_delivers_everything_in_order() {
    assert_eq!(run(1, 0.0).0, (0..100).collect::<Vec<_>>());
}

#[test]
fn same_seed_same_run() {
    let runs = [run(1, 0.3), run(1, 0.3), run(2, 0.3)];
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0].1, runs[2].1);
    assert!((55..85).contains(&runs[0].0.len()), "{}", runs[0].0.len());
}

#[test]
fn a_cut_and_a_dead_node_stop_packets() {
    let config = Config { nodes: vec![NodeConfig::default(); 3], ..Config::default() };
    let mut network = Network::new(config, 1).unwrap();
    let mut dropped = Vec::new();
    network.partition(Instant::EPOCH, Some(&[NodeId(1)]));
    network.set_alive(Instant::EPOCH, NodeId(2), false);
    for (from, to) in [(0, 1), (0, 2), (2, 0), (0, 0)] {
        let ends = [from, to].map(|node| (network.address(NodeId(node)), 1));
        let packet = udp_packet(ends[0], ends[1], b"x");
        network.send(Instant::EPOCH, NodeId(from), PacketId(0), packet);
    }
    network.advance(Instant::from_micros(1_000), &mut |trace| {
        if let Event::Dropped { reason, .. } = trace.event {
            dropped.push(reason);
        }
    });
    assert_eq!(dropped, [DropReason::Partitioned, DropReason::Dead, DropReason::Dead]);
    assert_eq!(network.poll().map(|arrived| arrived.node), Some(NodeId(0)));
}

#[test]
fn contradictions_are_refused() {
    let border = NodeConfig { role: Role::BorderRouter, ..NodeConfig::default() };
    let config = Config { nodes: vec![NodeConfig::default(), border], ..Config::default() };
    let error = Network::new(config, 1).unwrap_err();
    assert_eq!(error.to_string(), "node 1: only node 0 can be the border router");
}

#[test]
fn a_fast_clock_polls_earlier() {
    let poll = Duration::from_secs(1);
    assert_eq!(Role::Sleepy { poll }.by_clock(0.0), Role::Sleepy { poll });
    let early = Role::Sleepy { poll: Duration::from_micros(909_091) };
    assert_eq!(Role::Sleepy { poll }.by_clock(100_000.0), early);
}
