//! How fast the radio model runs: nodes that each send 100 bytes to the border router every 60 s and get an answer.
//!
//! ```text
//! cargo run --release -p sedge-sim --example pace -- 1000 600
//! ```

use sedge_crypto::Secret;
use sedge_sim::mac::{LinkSecurity, Mac, SecurityLevel};
use sedge_sim::network::{
    Config, Ieee802154, Medium, Network, NodeConfig, NodeId, PacketId, Role, TraceOptions, udp_packet,
};
use sedge_sim::routing::Routing;
use sedge_time::{Duration, Instant};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().expect("a number"));
    let nodes = arguments.next().unwrap_or(1_000_u16);
    let seconds = u64::from(arguments.next().unwrap_or(600));
    let wall = std::time::Instant::now();
    let mut network = Network::new(field(nodes), 1).expect("a field of nodes");
    let built = wall.elapsed();
    let far = (1..nodes).filter(|&node| network.parent(NodeId(node)).is_none()).count();

    let period = 60_000_000;
    let mut next: Vec<u64> = (0..u64::from(nodes)).map(|node| node * period / u64::from(nodes)).collect();
    let (mut sent, mut arrived, mut answered) = (0_u64, 0_u64, 0_u64);
    let mut sender = 1_usize;
    let end = Instant::EPOCH + Duration::from_secs(seconds);
    loop {
        let turn = Instant::from_micros(next[sender]);
        let now = network.deadline().map_or(turn, |at| at.min(turn));
        if now >= end {
            break;
        }
        network.advance(now, &mut |_| ());
        if now == turn {
            sent += 1;
            let from = NodeId(sender as u16);
            let ends = [from, NodeId(0)].map(|node| (network.address(node), 5683));
            network.send(now, from, PacketId(sent), udp_packet(ends[0], ends[1], &[0; 60]));
            next[sender] += period;
            sender = if sender + 1 == next.len() { 1 } else { sender + 1 };
        }
        while let Some(packet) = network.poll() {
            if packet.node == NodeId(0) {
                arrived += 1;
                let back: [u8; 16] = packet.packet[8..24].try_into().expect("an address");
                let ends = [(network.address(NodeId(0)), 5683), (back.into(), 5683)];
                network.send(now, NodeId(0), packet.id, udp_packet(ends[0], ends[1], &[0; 20]));
            } else {
                answered += 1;
            }
        }
    }
    let took = (wall.elapsed() - built).as_secs_f64();
    println!("{nodes} nodes, of which {far} reach nobody; built in {:.2} s", built.as_secs_f64());
    println!("{seconds} s in {took:.2} s: {:.0} times real time", seconds as f64 / took);
    println!("{sent} sent, {arrived} arrived, {answered} answered");
    println!("{}", network.hash().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
}

/// A square field with a node each 15 m, the border router in its middle.
fn field(nodes: u16) -> Config {
    let side = f64::from(nodes).sqrt().ceil();
    let place = |node: u16| {
        let [x, y] = [f64::from(node) % side, (f64::from(node) / side).floor()];
        [15.0 * x, 15.0 * y, 0.0]
    };
    let key = Secret::new(*b"a network's key.");
    let security = Some(LinkSecurity { key, index: 1, level: SecurityLevel::EncMic32 });
    let medium = Ieee802154 {
        mac: Mac { security, ..Mac::default() },
        routing: Routing::ShortestPaths,
        ..Ieee802154::default()
    };
    let node = |number: u16| {
        // The middle changes places with the corner.
        let middle = (side * side / 2.0 + side / 2.0) as u16 % nodes;
        let position = place(if number == 0 {
            middle
        } else if number == middle {
            0
        } else {
            number
        });
        let role = if number == 0 { Role::BorderRouter } else { Role::Router };
        NodeConfig { position, role, power_dbm: 8.0, ..NodeConfig::default() }
    };
    Config {
        nodes: (0..nodes).map(node).collect(),
        medium: Medium::Ieee802154(Box::new(medium)),
        trace: TraceOptions { packets: false, frames: false, radio: false },
        ..Config::default()
    }
}
