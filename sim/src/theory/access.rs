//! Access to the channel: one sender that always has something to send, and many that begin at once.

use std::net::Ipv6Addr;

use sedge_time::{Duration, Instant};

use super::Point;
use crate::mac::{Addressing, Mac};
use crate::network::{
    Config, Event, Ieee802154, Medium, Network, NodeConfig, NodeId, PacketId, TraceOptions, udp_packet,
};
use crate::phy::{Loss, Phy, Propagation};

/// A channel on which everyone hears everyone well.
pub fn clear_phy() -> Phy {
    let propagation =
        Propagation { loss: Loss::Disc { range_m: 100.0 }, shadowing_db: 0.0, asymmetry_db: 0.0 };
    Phy { propagation, ..Phy::default() }
}

/// `nodes` around one place, on a clear channel.
pub fn star(nodes: usize, mac: Mac) -> Config {
    let medium = Ieee802154 { phy: clear_phy(), mac, ..Ieee802154::default() };
    Config {
        nodes: vec![NodeConfig::default(); nodes],
        medium: Medium::Ieee802154(Box::new(medium)),
        trace: TraceOptions { packets: true, frames: true, radio: false },
        ..Config::default()
    }
}

fn packet(network: &Network, from: NodeId, to: NodeId, payload: usize) -> Vec<u8> {
    let [from, to]: [(Ipv6Addr, u16); 2] = [from, to].map(|node| (network.address(node), 5683));
    udp_packet(from, to, &vec![0x55; payload])
}

/// The time from one frame of a busy sender to the next, in microseconds:
/// `1120 + 128 + 192 + 32 * (6 + mpdu) + (192 + 352 with acknowledgement) + 640`.
///
/// The terms: the mean of 0 to 7 back-off periods, the assessment, the turnaround, the frame, the acknowledgement
/// with its turnaround, the pause after a long frame.
pub fn cycle_us(mpdu: usize, acknowledge: bool) -> f64 {
    let acknowledgement = if acknowledge { 192.0 + 352.0 } else { 0.0 };
    1_120.0 + 128.0 + 192.0 + 32.0 * (6.0 + mpdu as f64) + acknowledgement + 640.0
}

/// Measures [`cycle_us`] with UDP datagrams of this many bytes between extended addresses, whose headers take 32.
pub fn saturated(payload: usize, acknowledge: bool, frames: u64, seed: u64) -> Point {
    let mac = Mac { acknowledge, addressing: Addressing::Extended, ..Mac::default() };
    let mut network = Network::new(star(2, mac), seed).expect("two nodes");
    let (mut first, mut last, mut sent, mut mpdu) = (None, Instant::EPOCH, 0, 0);
    let mut given = 0;
    let mut now = Instant::EPOCH;
    while sent < frames {
        while given < sent + 4 {
            given += 1;
            let packet = packet(&network, NodeId(1), NodeId(0), payload);
            network.send(now, NodeId(1), PacketId(given), packet);
        }
        now = network.deadline().expect("a busy sender");
        network.advance(now, &mut |trace| {
            if let Event::Sent { acknowledgement: false, bytes, .. } = &trace.event {
                sent += 1;
                mpdu = bytes.len();
                last = trace.at;
                first.get_or_insert(trace.at);
            }
        });
        while network.poll().is_some() {}
    }
    let span = last.saturating_since(first.unwrap_or(last)).as_micros() as f64;
    let steps = (sent - 1) as f64;
    // The back-off is even between 0 and 7 periods: its deviation is sqrt(63 / 12) of them.
    let error = 320.0 * (63.0_f64 / 12.0).sqrt() / steps.sqrt();
    Point { x: payload as f64, simulated: span / steps, error, analytic: cycle_us(mpdu, acknowledge) }
}

/// The chance that the first transmission of `n` senders that begin at once is a collision:
/// `1 - sum(k = 0..7) n/8 * ((7 - k)/8)^(n - 1)`.
///
/// It is none if one sender alone drew the smallest back-off. Whoever drew one period more looks at the channel just
/// when the first begins to send.
pub fn first_collision(senders: u32) -> f64 {
    let alone = |k: i32| f64::from(senders) / 8.0 * (f64::from(7 - k) / 8.0).powi(senders as i32 - 1);
    1.0 - (0..8).map(alone).sum::<f64>()
}

/// Measures [`first_collision`].
pub fn synchronised(senders: u32, rounds: u64, seed: u64) -> Point {
    let mut network = Network::new(star(senders as usize + 1, Mac::default()), seed).expect("a star");
    let mut collisions = 0;
    for round in 0..rounds {
        let start = Instant::EPOCH + Duration::from_secs(1 + round);
        for sender in 1..=senders {
            let from = NodeId(sender as u16);
            let packet = packet(&network, from, NodeId(0), 20);
            network.send(start, from, PacketId(round), packet);
        }
        let mut firsts: Vec<Instant> = Vec::new();
        while let Some(now) = network.deadline() {
            network.advance(now, &mut |trace| {
                if let Event::Sent { acknowledgement: false, .. } = &trace.event {
                    firsts.push(trace.at);
                }
            });
            while network.poll().is_some() {}
        }
        let at_once = firsts.iter().filter(|&at| Some(at) == firsts.first()).count();
        collisions += u64::from(at_once > 1);
    }
    Point::share(senders.into(), collisions, rounds, first_collision(senders))
}
