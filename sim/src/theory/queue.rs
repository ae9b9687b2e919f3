//! One sender whose packets come at random: the access to the channel as a queue with one server.

use sedge_time::{Duration, Instant};

use super::Point;
use super::access::star;
use crate::kernel::{Purpose, Streams};
use crate::mac::{Addressing, Mac};
use crate::network::{Network, NodeId, PacketId, udp_packet};

const PAYLOAD: usize = 84;
/// Time of a frame of 116 bytes.
const FRAME_US: f64 = 32.0 * 122.0;

/// Mean time in microseconds from a packet's arrival in the sender to its arrival in the receiver, with `rate` packets
/// a second (Pollaczek and Khinchine): `r * E[S^2] / (2 * (1 - r * E[S])) + 3.5 * 320 + 320 + frame`.
///
/// `S = 320 * U + 128 + 192 + frame + 192 + 352 + 640` occupies the sender, with `U` even from 0 to 7: its mean is 3.5,
/// that of its square 17.5.
pub fn sojourn_us(rate: f64) -> f64 {
    let fixed = 128.0 + 192.0 + FRAME_US + 192.0 + 352.0 + 640.0;
    let mean = 320.0 * 3.5 + fixed;
    let square = 320.0 * 320.0 * 17.5 + 2.0 * 320.0 * 3.5 * fixed + fixed * fixed;
    let rate = rate / 1e6;
    rate * square / (2.0 * (1.0 - rate * mean)) + 320.0 * 3.5 + 320.0 + FRAME_US
}

/// Measures [`sojourn_us`]. Packets that meet in a queue are not independent, so that the error comes from the means of
/// forty parts of the run.
pub fn poisson(rate: f64, packets: u64, seed: u64) -> Point {
    let mac = Mac { addressing: Addressing::Extended, queue: 10_000, ..Mac::default() };
    let mut network = Network::new(star(2, mac), seed).expect("two nodes");
    let mut random = Streams::new(seed).stream(Purpose::HOST, 0);
    let ends = [NodeId(1), NodeId(0)].map(|node| (network.address(node), 5683));
    let mut starts: Vec<Instant> = Vec::new();
    let mut times = Vec::new();
    let mut next = Instant::EPOCH;
    while (times.len() as u64) < packets {
        let now = network.deadline().map_or(next, |at| at.min(next));
        network.advance(now, &mut |_| ());
        if now == next {
            let packet = udp_packet(ends[0], ends[1], &[0; PAYLOAD]);
            network.send(now, NodeId(1), PacketId(starts.len() as u64), packet);
            starts.push(now);
            let pause = -(1.0 - random.unit()).ln() * 1e6 / rate;
            next += Duration::from_micros(pause as u64);
        }
        while let Some(arrived) = network.poll() {
            let start = starts[arrived.id.0 as usize];
            times.push(now.saturating_since(start).as_micros() as f64);
        }
    }
    let parts = times.chunks_exact(times.len() / 40);
    let means: Vec<f64> = parts.map(|part| part.iter().sum::<f64>() / part.len() as f64).collect();
    Point::mean(rate, &means, sojourn_us(rate))
}
