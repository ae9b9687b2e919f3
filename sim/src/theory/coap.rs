//! Confirmable requests over a link that loses datagrams both ways: CoAP's own repetition, as `sedge-coap` does it.

use sedge_coap::{
    Code, Expiry, Incoming, Message, Reply, Request, Token, Transmission, TransmissionParameters, Type,
    Writer,
};
use sedge_time::{Duration, Instant};

use super::Point;
use crate::kernel::{Purpose, Streams};
use crate::link::Probability;
use crate::network::{Config, Ideal, Medium, Network, NodeConfig, NodeId, PacketId, udp_packet};

const PARAMETERS: TransmissionParameters = TransmissionParameters::DEFAULT;
/// Time one way; the extra latency is what comes on top of two.
const DELAY: Duration = Duration::from_millis(10);

/// What becomes of a Confirmable request if a datagram is lost with this chance each way.
///
/// With `q = 1 - (1 - p)^2`, of five transmissions:
/// - one succeeds with `1 - q^5`;
/// - there are `sum(k = 0..4) q^k` of them in the mean;
/// - the k-th success comes after `T * (2^k - 1)`, where the first timeout `T` has a mean of 2.5 s:
///   `2.5 * sum(k = 0..4) (2^k - 1) * q^k * (1 - q) / (1 - q^5)` seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confirmable {
    /// Share of requests that are answered.
    pub success: f64,
    /// Mean time that repetition costs those that are, in seconds.
    pub extra_latency: f64,
    /// Mean number of transmissions.
    pub transmissions: f64,
}

impl Confirmable {
    /// The formula.
    pub fn analytic(loss: f64) -> Self {
        let q = 1.0 - (1.0 - loss).powi(2);
        let success = 1.0 - q.powi(5);
        let powers = (0..5).map(|k| q.powi(k));
        let waits = powers.clone().zip([0.0, 1.0, 3.0, 7.0, 15.0]);
        let extra = waits.map(|(power, wait)| wait * power).sum::<f64>() * (1.0 - q) / success;
        Self { success, extra_latency: 2.5 * extra, transmissions: powers.sum() }
    }
}

/// Success, extra latency and transmissions of this many requests, in this order.
pub fn confirmable(loss: f64, requests: u16, seed: u64) -> [Point; 3] {
    let ideal = Ideal { delay: DELAY, loss: Probability::new(loss).expect("a chance") };
    let config =
        Config { nodes: vec![NodeConfig::default(); 2], medium: Medium::Ideal(ideal), ..Config::default() };
    let mut network = Network::new(config, seed).expect("two nodes");
    let mut random = Streams::new(seed).stream(Purpose::HOST, 0);
    let (mut answered, mut extra, mut transmissions) = (0, Vec::new(), Vec::new());
    let mut now = Instant::EPOCH;
    for number in 0..requests {
        let transmission = Transmission::start(now, &PARAMETERS, (random.bits() >> 32) as u32);
        let token = Token::from_u64(number.into(), 2);
        let mut request = Request::confirmable(number, token, transmission);
        let start = now;
        let mut sent = 1;
        send(&mut network, now, NodeId(1), &message(Type::Con, Code::GET, number, token));
        loop {
            now = [network.deadline(), request.deadline()].into_iter().flatten().min().expect("a timeout");
            network.advance(now, &mut |_| ());
            match network.poll() {
                Some(arrived) if arrived.node == NodeId(0) => {
                    let query = Message::parse(&arrived.packet[48..]).expect("a request");
                    let (kind, id) = Reply::to(&query, now, &PARAMETERS).header(Type::Con, || 0);
                    send(&mut network, now, NodeId(0), &message(kind, Code::CONTENT, id, query.token()));
                }
                Some(arrived) => {
                    let answer = Message::parse(&arrived.packet[48..]).expect("a response");
                    if let Incoming::Response { .. } = request.receive(&answer) {
                        answered += 1;
                        let taken = now.saturating_since(start) - DELAY - DELAY;
                        extra.push(taken.as_micros() as f64 / 1e6);
                        break;
                    }
                }
                None => match request.expire(now, &PARAMETERS) {
                    Expiry::Wait => {}
                    Expiry::Retransmit => {
                        sent += 1;
                        send(&mut network, now, NodeId(1), &message(Type::Con, Code::GET, number, token));
                    }
                    Expiry::GiveUp => break,
                },
            }
        }
        transmissions.push(f64::from(sent));
        now += Duration::from_secs(1);
    }
    let analytic = Confirmable::analytic(loss);
    [
        Point::share(loss, answered, requests.into(), analytic.success),
        Point::mean(loss, &extra, analytic.extra_latency),
        Point::mean(loss, &transmissions, analytic.transmissions),
    ]
}

fn message(kind: Type, code: Code, id: u16, token: Token) -> Vec<u8> {
    let mut buffer = [0; 32];
    let length = Writer::new(&mut buffer, kind, code, id, token).finish().expect("a short message");
    buffer[..length].to_vec()
}

fn send(network: &mut Network, now: Instant, from: NodeId, message: &[u8]) {
    let ends = [from, NodeId(1 - from.0)].map(|node| (network.address(node), 5683));
    network.send(now, from, PacketId(0), udp_packet(ends[0], ends[1], message));
}
