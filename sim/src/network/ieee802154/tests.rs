use sedge_time::Duration;

use super::super::{Config, Medium, Network, Role, TraceOptions, udp_packet};
use super::*;
use crate::phy::{Loss, Propagation};
use crate::routing::{Objective, RplConfig};

/// A line of nodes 40 m apart, of which each hears its neighbours well and hardly anyone else.
fn line(nodes: u16, routing: Routing, last: Role) -> Network {
    let loss = Loss::LogDistance { reference_db: 40.0, exponent: 3.3 };
    let propagation = Propagation { loss, shadowing_db: 0.0, asymmetry_db: 0.0 };
    let medium = Ieee802154 { phy: Phy { propagation, ..Phy::default() }, routing, ..Ieee802154::default() };
    let mut nodes: Vec<NodeConfig> = (0..nodes)
        .map(|node| NodeConfig { position: [f64::from(node) * 40.0, 0.0, 0.0], ..NodeConfig::default() })
        .collect();
    nodes.last_mut().unwrap().role = last;
    let trace = TraceOptions { frames: true, ..TraceOptions::default() };
    let config = Config { nodes, medium: Medium::Ieee802154(Box::new(medium)), trace, ..Config::default() };
    Network::new(config, 8).unwrap()
}

fn run(network: &mut Network, seconds: u64) -> Vec<(u16, u64)> {
    let mut arrived = Vec::new();
    while let Some(now) = network.deadline().filter(|&now| now <= at(seconds)) {
        network.advance(now, &mut |_| ());
        while let Some(packet) = network.poll() {
            arrived.push((packet.node.0, packet.id.0));
        }
    }
    arrived
}

fn at(seconds: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(seconds)
}

fn send(network: &mut Network, seconds: u64, from: u16, to: u16, id: u64) {
    let ends = [from, to].map(|node| (network.address(NodeId(node)), 5683));
    network.send(at(seconds), NodeId(from), PacketId(id), udp_packet(ends[0], ends[1], &[1; 200]));
}

#[test]
fn a_sleeping_node_fetches_what_waits_for_it() {
    let mut network = line(3, Routing::ShortestPaths, Role::Sleepy { poll: Duration::from_secs(1) });
    send(&mut network, 0, 0, 2, 1);
    send(&mut network, 0, 2, 0, 2);
    let mut arrived = run(&mut network, 10);
    arrived.sort_unstable();
    assert_eq!(arrived, [(0, 2), (2, 1)]);
    let energy = network.energy(NodeId(2), at(10));
    assert!(energy.sleep > Duration::from_secs(9), "{energy:?}");
    assert!(network.energy(NodeId(1), at(10)).receive > Duration::from_secs(9));
}

#[test]
fn nodes_form_a_tree_by_themselves_and_packets_go_up_down_and_across() {
    for objective in [Objective::Of0, Objective::Mrhof] {
        let routing = Routing::Rpl(RplConfig { objective, ..RplConfig::default() });
        let mut network = line(5, routing, Role::Sleepy { poll: Duration::from_secs(1) });
        assert_eq!(run(&mut network, 120), []);
        let parents: Vec<Option<u16>> =
            (0..5).map(|node| network.parent(NodeId(node)).map(|parent| parent.0)).collect();
        assert_eq!(parents, [None, Some(0), Some(1), Some(2), Some(3)], "{objective:?}");
        // One after the other: neighbours that are barely heard leave the channel clear for the assessment.
        for (id, (from, to)) in [(4, 0), (0, 4), (1, 3)].into_iter().enumerate() {
            let start = 120 + 10 * id as u64;
            send(&mut network, start, from, to, id as u64);
            assert_eq!(run(&mut network, start + 10), [(to, id as u64)], "{objective:?}");
        }
    }
}

/// Two rows of lamps along a street, with shadowing: nearly every lamp is reached, and reaches the border router.
#[test]
fn a_street_of_lamps_is_reached_over_many_hops() {
    let node = |index: u16| NodeConfig {
        position: [f64::from(index / 2) * 30.0, f64::from(index % 2) * 12.0, 6.0],
        ..NodeConfig::default()
    };
    let medium = Ieee802154 { routing: Routing::Rpl(RplConfig::default()), ..Ieee802154::default() };
    let config = Config {
        nodes: (0..24).map(node).collect(),
        medium: Medium::Ieee802154(Box::new(medium)),
        ..Config::default()
    };
    let mut network = Network::new(config, 3).unwrap();
    run(&mut network, 600);
    let mut arrived = 0;
    for lamp in 1..24 {
        let start = 600 + 4 * u64::from(lamp);
        send(&mut network, start, lamp, 0, 1);
        arrived += run(&mut network, start + 2).len();
        send(&mut network, start + 2, 0, lamp, 2);
        arrived += run(&mut network, start + 4).len();
    }
    assert!(arrived >= 44, "{arrived} of 46");
    let hops = |node| std::iter::successors(Some(NodeId(node)), |&node| network.parent(node)).count() - 1;
    assert!(hops(23) >= 3, "{}", hops(23));
}

/// How many of 40 packets of 1 kB arrive over five links that lose frames, of which each is sent up to four times.
fn kilobytes(forwarding: Forwarding, loss: f64) -> usize {
    let chance = |loss| crate::link::Probability::new(loss).unwrap();
    let loss = crate::phy::FrameLoss { data: chance(loss), acknowledgement: chance(loss) };
    let disc = Propagation { loss: Loss::Disc { range_m: 50.0 }, shadowing_db: 0.0, asymmetry_db: 0.0 };
    let parents = (0..6).map(|node: u16| node.checked_sub(1).map(NodeId)).collect();
    let medium = Ieee802154 {
        phy: Phy { propagation: disc, loss, ..Phy::default() },
        adaptation: Adaptation { forwarding, ..Adaptation::default() },
        routing: Routing::Static(parents),
        ..Ieee802154::default()
    };
    let place = |node: u16| [f64::from(node) * 40.0, 0.0, 0.0];
    let nodes = (0..6).map(|node| NodeConfig { position: place(node), ..NodeConfig::default() }).collect();
    let config = Config { nodes, medium: Medium::Ieee802154(Box::new(medium)), ..Config::default() };
    let mut network = Network::new(config, 5).unwrap();
    let mut arrived = 0;
    for packet in 0..40_u64 {
        // Up and down by turns.
        let (from, to) = if packet % 2 == 0 { (5, 0) } else { (0, 5) };
        let ends = [from, to].map(|node| (network.address(NodeId(node)), 5683));
        let body: Vec<u8> = (0..1_000_u32).map(|byte| (byte as u64 ^ packet) as u8).collect();
        let sent = udp_packet(ends[0], ends[1], &body);
        network.send(at(30 * packet), NodeId(from), PacketId(packet), sent.clone());
        while let Some(now) = network.deadline().filter(|&now| now < at(30 * packet + 30)) {
            network.advance(now, &mut |_| ());
            while let Some(whole) = network.poll() {
                assert_eq!(whole.packet[8..], sent[8..], "all but the hop limit");
                arrived += 1;
            }
        }
    }
    arrived
}

/// Ten fragments over five links make fifty frames, of which each has to arrive in four tries; what is recovered end to
/// end arrives nevertheless.
#[test]
fn recovered_fragments_arrive_where_plain_ones_do_not() {
    let all = [Forwarding::Reassemble, Forwarding::Fragments, Forwarding::Recover];
    assert_eq!(all.map(|forwarding| kilobytes(forwarding, 0.0)), [40; 3]);
    let [plain, forwarded, recovered] = all.map(|forwarding| kilobytes(forwarding, 0.3));
    assert!(recovered >= 39, "{plain}, {forwarded}, {recovered}");
    assert!(plain <= 28 && forwarded <= 28, "{plain}, {forwarded}, {recovered}");
}

/// Each node solicits its parent once, by unicast, and is answered; nobody asks by multicast.
#[test]
fn nodes_register_with_their_parents() {
    let mut network = line(4, Routing::Rpl(RplConfig::default()), Role::Router);
    let mut messages = [0; 2];
    while let Some(now) = network.deadline().filter(|&now| now <= at(120)) {
        network.advance(now, &mut |trace| {
            if let Event::Sent { bytes, acknowledgement: false, attempt: 0, .. } = &trace.event {
                // After a header of 9 bytes and IPHC's 2, without the hop limit (255) and addresses of the link.
                let icmp = &bytes[12..bytes.len() - 2];
                messages[0] += usize::from(icmp[0] == 135);
                messages[1] += usize::from(icmp[0] == 136);
            }
        });
    }
    assert_eq!(messages, [3, 3]);
}

#[test]
fn a_node_whose_parent_dies_finds_another() {
    let routing = Routing::Rpl(RplConfig::default());
    let mut network = line(4, routing, Role::Router);
    // A second way round the middle.
    network.move_to(Instant::EPOCH, NodeId(3), [40.0, 20.0, 0.0]);
    run(&mut network, 60);
    let parent = network.parent(NodeId(2)).unwrap();
    assert!([1, 3].contains(&parent.0));
    network.set_alive(at(60), parent, false);
    for second in 60..240 {
        send(&mut network, second, 2, 0, second);
        run(&mut network, second + 1);
    }
    assert_eq!(network.parent(NodeId(2)), Some(NodeId(4 - parent.0)));
}

/// A router that lost its memory has no ways down and no place of its own. It asks for both.
#[test]
fn what_lies_behind_a_restarted_router_is_reached_again() {
    let routing = Routing::Rpl(RplConfig::default());
    let mut network = line(5, routing, Role::Router);
    run(&mut network, 120);
    network.set_alive(at(120), NodeId(2), false);
    run(&mut network, 121);
    network.set_alive(at(121), NodeId(2), true);
    run(&mut network, 150);
    for (id, (from, to)) in [(0, 4), (4, 0)].into_iter().enumerate() {
        let start = 150 + 5 * id as u64;
        send(&mut network, start, from, to, id as u64);
        assert_eq!(run(&mut network, start + 5), [(to, id as u64)]);
    }
}

/// Whoever changes its parent takes leave of the old one, and packets take the new way down within seconds.
#[test]
fn the_way_down_follows_a_node_that_moves() {
    let mut network = line(6, Routing::Rpl(RplConfig::default()), Role::Router);
    run(&mut network, 120);
    // From the end of the line to its beginning.
    network.move_to(at(120), NodeId(5), [20.0, 20.0, 0.0]);
    let mut arrived = Vec::new();
    for second in 120..180 {
        // What it says tells it that its parent is out of reach.
        send(&mut network, second, 5, 0, 1);
        arrived = run(&mut network, second + 1);
    }
    assert_eq!(arrived, [(0, 1)]);
    send(&mut network, 180, 0, 5, 2);
    assert_eq!(run(&mut network, 182), [(5, 2)]);
}

#[test]
fn a_jammer_stops_the_channel_until_it_ends() {
    let mut network = line(2, Routing::Star, Role::Router);
    let duty = crate::link::Probability::ALWAYS;
    let jammer = Jammer { position: [20.0, 0.0, 0.0], power_dbm: 10.0, duty, burst: Duration::from_secs(1) };
    network.jam(Instant::EPOCH, Some(jammer));
    run(&mut network, 1);
    send(&mut network, 1, 1, 0, 1);
    assert_eq!(run(&mut network, 5), []);
    assert_eq!(network.counters(NodeId(1)).access_failures, 1);
    network.jam(at(5), None);
    send(&mut network, 5, 1, 0, 2);
    assert_eq!(run(&mut network, 8), [(0, 2)]);
}
