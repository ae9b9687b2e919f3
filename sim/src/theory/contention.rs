//! Many senders around one receiver, whose packets come at random.

use sedge_time::{Duration, Instant};

use super::Point;
use super::access::star;
use crate::kernel::{Purpose, Streams};
use crate::mac::Mac;
use crate::network::{Event, Network, NodeId, PacketId, udp_packet};
use crate::phy::{HEADER_BYTES, per};

/// Senders that hear one another, each with packets that come at random (Poisson) and are not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Senders {
    /// How many there are.
    pub count: u32,
    /// How many packets all of them get in a second.
    pub rate: f64,
}

/// What such senders meet with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contention {
    /// The share of assessments that find the channel busy.
    pub busy: f64,
    /// The share of frames sent that meet another.
    pub collision: f64,
    /// The share of packets that arrive.
    pub delivered: f64,
}

const PAYLOAD: usize = 18;
const UNIT_US: f64 = 320.0;
const CCA_US: f64 = 128.0;
const TURN_US: f64 = 192.0;
const PAUSE_US: f64 = 640.0;
/// Accuracy of the fixed point.
const PRECISION: f64 = 1e-12;

impl Senders {
    /// The fixed point of an alternation of quiet and activity, for frames that take `frame_us` on the air.
    ///
    /// It couples `n` senders as Srivastava and Kumar do ([arXiv 1201.3001](https://arxiv.org/abs/1201.3001)) for a star
    /// without hidden nodes: each sees the others through the rate `g` at which somebody looks at the quiet channel, and the
    /// chance of finding it busy. All senders together get `R` packets a microsecond, and `s` is the share that is sent
    /// rather than given up. With `V = 192` (the turnaround, during which the next to send is not yet heard):
    ///
    /// ```text
    /// m = 1 + g' V,  g' = g (n - 1) / n            frames in one period of activity
    /// e = V - (1 - exp(-g' V)) / g'                by how much the last outlasts the first
    /// D = m / (R s) = 1 / g + 320 + frame + e      from one period to the next
    /// W = 128 + frame + e                          time during which an assessment would find it busy
    /// a = (1 - m/n) W / (D - (m/n) (320 + frame + 640))     chance of that at the first look of a packet
    /// ```
    ///
    /// A look that follows a busy one after `k` back-off periods (`k` even from 0 to `2^b - 1`, `b = 4, 5, 5, 5`) finds the
    /// same activity with the chance `r = mean(max(0, W - 128 - 320 k) / W)`, and is else like a first one:
    /// `a_j = r_j + (1 - r_j) a`, and `s = 1 - a a_1 a_2 a_3 a_4`. What is sent collides with the chance
    /// `1 - exp(-g' V) / m`. Of two that meet, the receiver holds on to the first, whose bits survive an equal signal with the
    /// chance `1 - PER(0 dB)`; of more, none survives. So `s (1 - collision + g' V exp(-g' V) / m * (1 - PER(0 dB)))` of all
    /// packets arrive. The paper takes all looks of a packet for independent; with the few periods of back-off that
    /// the standard has, they are not.
    pub fn analytic(&self, frame_us: f64) -> Contention {
        let count = f64::from(self.count);
        let rate = self.rate / 1e6;
        let [mut first, mut sent, mut frames, mut excess] = [0.0, 1.0, 1.0, 0.0];
        loop {
            let period = frames / (rate * sent);
            let looks = 1.0 / (period - (UNIT_US + frame_us + excess));
            let others = looks * (count - 1.0) / count;
            frames = 1.0 + others * TURN_US;
            let none_other = (-others * TURN_US).exp();
            excess = if others > 0.0 { TURN_US - (1.0 - none_other) / others } else { 0.0 };
            let window = CCA_US + frame_us + excess;
            let own = frames / count;
            let new = (1.0 - own) * window / (period - own * (UNIT_US + frame_us + PAUSE_US));
            let (mut given_up, mut assessments) = (1.0, 0.0);
            for exponent in [None, Some(4), Some(5), Some(5), Some(5)] {
                let same = exponent.map_or(0.0, |exponent| same_activity(window, exponent));
                assessments += given_up;
                given_up *= same + (1.0 - same) * new;
            }
            let change = (new - first).abs() + (1.0 - given_up - sent).abs();
            first += 0.3 * (new - first);
            sent += 0.3 * (1.0 - given_up - sent);
            if change < PRECISION || !change.is_finite() {
                let collision = 1.0 - none_other / frames;
                let busy = (assessments - sent) / assessments;
                let pairs = others * TURN_US * none_other / frames;
                let bytes = (frame_us / 32.0) as usize - HEADER_BYTES as usize;
                let delivered = sent * (1.0 - collision + pairs * (1.0 - per(1.0, bytes)));
                return Contention { busy, collision, delivered };
            }
        }
    }

    /// Measures [`analytic`](Self::analytic): the three shares, with errors from the means of twenty parts of the run.
    ///
    /// # Panics
    /// If the network cannot be built.
    pub fn run(&self, packets: u64, seed: u64) -> [Point; 3] {
        let mac = Mac { acknowledge: false, queue: 10_000, ..Mac::default() };
        let mut network = Network::new(star(self.count as usize + 1, mac), seed).expect("a star");
        let mut random = Streams::new(seed).stream(Purpose::HOST, 0);
        let mut parts: [Vec<f64>; 3] = Default::default();
        let mut counted = Counted::default();
        let mut next = Instant::EPOCH;
        let mut given = 0;
        while given < packets {
            let now = network.deadline().map_or(next, |at| at.min(next));
            network.advance(now, &mut |trace| counted.see(trace.at, &trace.event));
            while network.poll().is_some() {
                counted.delivered += 1;
            }
            if now < next {
                continue;
            }
            // Packets for all come as one stream of random times, each for a random sender.
            given += 1;
            let from = NodeId(1 + (random.unit() * f64::from(self.count)) as u16);
            let ends = [from, NodeId(0)].map(|node| (network.address(node), 5683));
            network.send(now, from, PacketId(given), udp_packet(ends[0], ends[1], &[0; PAYLOAD]));
            next += Duration::from_micros((-(1.0 - random.unit()).ln() * 1e6 / self.rate) as u64);
            if given % (packets / 20) == 0 {
                let shares = counted.shares((packets / 20) as f64);
                parts.iter_mut().zip(shares).for_each(|(part, share)| part.push(share));
                counted = Counted { frame_us: counted.frame_us, until: counted.until, ..Counted::default() };
            }
        }
        let Contention { busy, collision, delivered } = self.analytic(counted.frame_us);
        let analytic = [busy, collision, delivered];
        std::array::from_fn(|which| Point::mean(self.rate, &parts[which], analytic[which]))
    }
}

/// The chance that a look after another that found the channel busy finds the same activity.
fn same_activity(window_us: f64, exponent: u32) -> f64 {
    let periods = 1 << exponent;
    let left = |period| (window_us - CCA_US - UNIT_US * f64::from(period)).max(0.0) / window_us;
    (0..periods).map(left).sum::<f64>() / f64::from(periods)
}

/// What is counted in a part of a run.
#[derive(Default)]
struct Counted {
    busy: u64,
    sent: u64,
    collided: u64,
    delivered: u64,
    frame_us: f64,
    /// When the last frame on the air ends.
    until: Instant,
    /// Whether that one has met another already.
    met: bool,
}

impl Counted {
    fn see(&mut self, at: Instant, event: &Event) {
        match event {
            Event::CcaBusy { .. } => self.busy += 1,
            Event::Sent { until, .. } => {
                self.sent += 1;
                let meets = at < self.until;
                self.collided += u64::from(meets) + u64::from(meets && !self.met);
                self.met = meets;
                self.until = self.until.max(*until);
                self.frame_us = until.saturating_since(at).as_micros() as f64;
            }
            _ => {}
        }
    }

    fn shares(&self, packets: f64) -> [f64; 3] {
        let [busy, sent, collided] = [self.busy, self.sent, self.collided].map(|count| count as f64);
        [busy / (busy + sent), collided / sent, self.delivered as f64 / packets]
    }
}
