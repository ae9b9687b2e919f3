use sedge_sim::link::{Bursts, Probability};
use sedge_sim::mac::{LinkSecurity, Mac, SecurityLevel};
use sedge_sim::network::{
    Config, Ieee802154, Medium, Network, NodeConfig, NodeId, PacketId, Role, TraceOptions, udp_packet,
};
use sedge_sim::phy::{Interferer, Phy};
use sedge_sim::routing::Routing;
use sedge_time::{Duration, Instant};

/// Thirty nodes in a hall with an interferer and bursts of loss, some of them asleep, all talking.
fn hall(seed: u64, trace: TraceOptions) -> ([u8; 32], usize) {
    let chance = |share| Probability::new(share).unwrap();
    let node = |index: u64| NodeConfig {
        position: [(index % 6) as f64 * 9.0, (index / 6) as f64 * 9.0, 0.0],
        role: match index {
            0 => Role::BorderRouter,
            _ if index % 5 == 4 => Role::Sleepy { poll: Duration::from_millis(500) },
            _ => Role::Router,
        },
        ..NodeConfig::default()
    };
    let interferer = Interferer {
        position: [20.0, 20.0, 2.0],
        power_dbm: 5.0,
        on: Duration::from_micros(800),
        off: Duration::from_millis(4),
    };
    let key = sedge_crypto::Secret::new([7; 16]);
    let medium = Ieee802154 {
        phy: Phy {
            interferers: vec![interferer],
            bursts: Some(Bursts { begin: chance(0.02), end: chance(0.3), loss: chance(0.8) }),
            ..Phy::default()
        },
        mac: Mac {
            security: Some(LinkSecurity { key, index: 1, level: SecurityLevel::EncMic32 }),
            ..Mac::default()
        },
        routing: Routing::ShortestPaths,
        ..Ieee802154::default()
    };
    let config = Config {
        nodes: (0..30).map(node).collect(),
        medium: Medium::Ieee802154(Box::new(medium)),
        trace,
        ..Config::default()
    };
    let mut network = Network::new(config, seed).unwrap();
    let mut arrived = 0;
    for round in 0..40_u64 {
        let start = Instant::EPOCH + Duration::from_secs(round);
        for node in 1..30 {
            let ends = [NodeId(node), NodeId(0)].map(|node| (network.address(node), 5683));
            let up = node % 2 == 0;
            let (from, to) = if up { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
            let packet = udp_packet(from, to, &[node as u8; 150]);
            network.send(start, if up { NodeId(node) } else { NodeId(0) }, PacketId(round), packet);
        }
        let next = start + Duration::from_secs(1);
        while let Some(now) = network.deadline().filter(|&now| now < next) {
            network.advance(now, &mut |_| ());
            arrived += std::iter::from_fn(|| network.poll()).count();
        }
    }
    (network.hash(), arrived)
}

#[test]
fn one_seed_is_one_run_whoever_watches() {
    let everything = TraceOptions { packets: true, frames: true, radio: true };
    let nothing = TraceOptions { packets: false, frames: false, radio: false };
    let [one, again, other] = [hall(1, everything), hall(1, nothing), hall(2, everything)];
    assert_eq!(one, again);
    assert_ne!(one.0, other.0);
    assert!((300..1_160).contains(&one.1), "{} of 1160 packets", one.1);
}
