//! Everything that is on the air, and every receiver.

use std::rc::Rc;

use sedge_time::{Duration, Instant};

use super::bursts::BurstLosses;
use super::hearing::Hearing;
use super::noise::floor_dbm;
use super::oqpsk::ln_survival;
use super::power::{attowatts, dbm};
use super::{BYTE, HEADER_BYTES, Interferer, Phy, ReceptionModel};
use crate::Random;
use crate::kernel::{Purpose, Streams};
use crate::network::{LinkReport, NodeConfig, NodeId, Outcome, PacketId};

/// What a radio does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Deaf,
    Listen,
}

/// Whose receivers have to decide a frame's fate. Others are kept busy by it, no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Everyone,
    Node(NodeId),
    Nobody,
}

/// A frame, or noise, on the air.
#[derive(Clone, Debug)]
pub(crate) struct Transmission {
    /// Its number in this run.
    pub(crate) frame: u64,
    pub(crate) wanted: Wanted,
    pub(crate) acknowledgement: bool,
    pub(crate) id: Option<PacketId>,
    pub(crate) bytes: Rc<[u8]>,
    /// Who sends it: a node's or an interferer's row of [`Hearing`].
    pub(crate) row: usize,
}

/// A frame that a receiver had locked on has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reception {
    pub(crate) node: NodeId,
    pub(crate) rssi_dbm: f64,
    pub(crate) lqi: u8,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
pub(crate) struct Air {
    phy: Phy,
    streams: Streams,
    hearing: Hearing,
    receivers: Vec<Receiver>,
    locks: Vec<Lock>,
    /// What is on the air, with the time of its first bit; places are used again.
    slots: Vec<Option<(Instant, Transmission)>>,
    free: Vec<usize>,
    frames: u64,
    detection: f64,
    capture: f64,
    bursts: Option<BurstLosses>,
    sources: Vec<Source>,
}

/// What a transmission's beginning and end touch for each hearer: kept small.
#[derive(Clone, Copy, Debug)]
struct Receiver {
    /// Power of everything that is on the air and heard here.
    ambient: u64,
    floor: u64,
    /// Power of the frame that it has locked on.
    signal: u64,
    /// The place of that frame, or [`NOTHING`].
    slot: u32,
    listens: bool,
    /// Whether the frame's fate is to be decided here; its [`Lock`] counts only then.
    wanted: bool,
}

/// The slot of a receiver that has locked on nothing.
const NOTHING: u32 = u32::MAX;

/// A frame that is being received, by whoever wants it.
#[derive(Clone, Copy, Debug)]
struct Lock {
    attowatts: u64,
    noise: u64,
    /// From here on the present segment goes.
    since: Instant,
    /// Logarithms of the chances that all bits so far survived: everything counted, and noise alone.
    ln_all: f64,
    ln_noise: f64,
}

#[derive(Debug)]
struct Source {
    interferer: Interferer,
    random: Random,
    row: usize,
    slot: Option<usize>,
}

impl Air {
    pub(crate) fn new(phy: Phy, streams: Streams, nodes: &[NodeConfig], positions: &[[f64; 3]]) -> Self {
        let floors = nodes.iter().map(|node| attowatts(floor_dbm(node.profile.sensitivity_dbm.value)));
        let receivers: Vec<Receiver> =
            floors.map(|floor| Receiver { floor, ..Receiver::default() }).collect();
        let mut air = Self {
            hearing: Hearing::new(&phy, streams, nodes, positions),
            locks: vec![Lock::new(Instant::EPOCH, 0, 0); receivers.len()],
            receivers,
            slots: Vec::new(),
            free: Vec::new(),
            frames: 0,
            detection: phy.detection(),
            capture: 10_f64.powf(phy.capture_db / 10.0),
            bursts: phy.bursts.map(|bursts| BurstLosses::new(bursts, streams)),
            sources: Vec::new(),
            streams,
            phy,
        };
        for interferer in air.phy.interferers.clone() {
            air.add_source(positions, interferer);
        }
        air
    }

    /// Adds an interferer, which is silent until [`toggle`](Self::toggle); returns its number.
    pub(crate) fn add_source(&mut self, positions: &[[f64; 3]], interferer: Interferer) -> usize {
        let row = self.hearing.add_source(positions, interferer.position, interferer.power_dbm);
        let random = self.streams.stream(Purpose::INTERFERER, self.sources.len() as u64);
        self.sources.push(Source { interferer, random, row, slot: None });
        self.sources.len() - 1
    }

    /// How many interferers the channel has by its configuration; jammers come after them.
    pub(crate) fn configured_sources(&self) -> usize {
        self.phy.interferers.len()
    }

    /// Turns an interferer from silence to noise or back, and says for how long.
    pub(crate) fn toggle(&mut self, now: Instant, source: usize) -> Duration {
        if self.sources[source].slot.is_some() {
            self.silence(now, source);
        } else {
            let noise = Transmission {
                frame: 0,
                wanted: Wanted::Nobody,
                acknowledgement: false,
                id: None,
                bytes: Rc::from([]),
                row: self.sources[source].row,
            };
            self.sources[source].slot = Some(self.begin(now, noise, |_| false));
        }
        let Source { interferer, random, slot, .. } = &mut self.sources[source];
        interferer.next(random, slot.is_some())
    }

    /// Silences an interferer.
    pub(crate) fn silence(&mut self, now: Instant, source: usize) {
        if let Some(slot) = self.sources[source].slot.take() {
            self.end(now, slot, &mut Vec::new());
        }
    }

    /// The number of the next frame.
    pub(crate) fn number_frame(&mut self) -> u64 {
        self.frames += 1;
        self.frames
    }

    /// Puts something on the air; `cut` says whom a partition keeps from understanding it.
    pub(crate) fn begin(&mut self, now: Instant, sent: Transmission, cut: impl Fn(NodeId) -> bool) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let first_bit = now + BYTE.saturating_mul(HEADER_BYTES);
        let Self { hearing, receivers, locks, streams, phy, slots, .. } = self;
        let row = hearing.of(sent.row);
        for hearer in &row.strong {
            let node = usize::from(hearer.node);
            let receiver = &mut receivers[node];
            if receiver.listens {
                let mut takes = sent.wanted != Wanted::Nobody;
                if receiver.is_locked() {
                    if receiver.wanted {
                        locks[node].close(now, receiver.ambient);
                    }
                    let stronger = hearer.attowatts as f64 >= self.capture * receiver.signal as f64;
                    let until = slots[receiver.slot as usize].as_ref().map(|(first_bit, _)| *first_bit);
                    takes &= stronger && until.is_some_and(|until| now < until - Duration::from_micros(32));
                }
                if takes && !cut(NodeId(hearer.node)) {
                    let noise = phy.noise.attowatts(streams, receiver.floor, node, now);
                    let against = noise + receiver.ambient;
                    // In the quiet it is noticed by all of these.
                    if against == receiver.floor || hearer.attowatts as f64 >= against as f64 * self.detection
                    {
                        receiver.slot = place as u32;
                        receiver.signal = hearer.attowatts;
                        receiver.wanted = sent.wanted.by(hearer.node);
                        if receiver.wanted {
                            locks[node] = Lock::new(first_bit, hearer.attowatts, noise);
                        }
                    }
                }
            }
            receiver.ambient += hearer.attowatts;
        }
        for hearer in &row.weak {
            let node = usize::from(hearer.node);
            let receiver = &mut receivers[node];
            if receiver.wanted {
                locks[node].close(now, receiver.ambient);
            }
            receiver.ambient += hearer.attowatts;
        }
        slots[place] = Some((first_bit, sent));
        place
    }

    /// Takes something off the air and says who received it how.
    pub(crate) fn end(
        &mut self,
        now: Instant,
        slot: usize,
        received: &mut Vec<Reception>,
    ) -> Option<Transmission> {
        let (_, sent) = self.slots[slot].take()?;
        self.free.push(slot);
        let Self { hearing, receivers, locks, .. } = self;
        let first = received.len();
        let row = hearing.of(sent.row);
        for hearer in &row.strong {
            let node = usize::from(hearer.node);
            let receiver = &mut receivers[node];
            if receiver.wanted {
                locks[node].close(now, receiver.ambient);
            }
            if receiver.slot == slot as u32 {
                if receiver.wanted {
                    received.push(Reception {
                        node: NodeId(hearer.node),
                        rssi_dbm: dbm(receiver.signal),
                        lqi: 0,
                        outcome: Outcome::Ok,
                    });
                }
                receiver.release();
            }
            receiver.ambient -= hearer.attowatts;
        }
        for hearer in &row.weak {
            let node = usize::from(hearer.node);
            let receiver = &mut receivers[node];
            if receiver.wanted {
                locks[node].close(now, receiver.ambient);
            }
            receiver.ambient -= hearer.attowatts;
        }
        for reception in &mut received[first..] {
            self.decide(&sent, reception);
        }
        Some(sent)
    }

    fn decide(&mut self, sent: &Transmission, reception: &mut Reception) {
        let node = reception.node;
        let lock = &self.locks[node.index()];
        let mut alone = match self.phy.reception {
            ReceptionModel::BitErrors => lock.ln_noise.exp(),
            ReceptionModel::Logistic { rssi50_dbm, scale_db } => {
                1.0 / (1.0 + (-(reception.rssi_dbm - rssi50_dbm) / scale_db).exp())
            }
        };
        let loss = &self.phy.loss;
        let chance = if sent.acknowledgement { loss.acknowledgement } else { loss.data };
        alone *= 1.0 - chance.get();
        if let Some(bursts) = &mut self.bursts {
            alone *= 1.0 - bursts.next(sent.row as u16, node.0);
        }
        let all = alone * (lock.ln_all - lock.ln_noise).exp();
        let draw = self.streams.unit(Purpose::RECEPTION, sent.frame, node.0.into());
        reception.outcome = if draw < all {
            Outcome::Ok
        } else if draw < alone {
            Outcome::Collision
        } else {
            Outcome::Noise
        };
        // Four steps a decibel above the sensitivity of the parts in use.
        reception.lqi = ((reception.rssi_dbm + 100.0) * 4.0).clamp(0.0, 255.0) as u8;
    }

    /// Turns a receiver on or off; `true` if it was receiving a frame it wanted.
    pub(crate) fn set_mode(&mut self, node: NodeId, mode: Mode) -> bool {
        let receiver = &mut self.receivers[node.index()];
        receiver.listens = mode == Mode::Listen;
        let lost = receiver.wanted && !receiver.listens;
        if !receiver.listens {
            receiver.release();
        }
        lost
    }

    pub(crate) fn is_listening(&self, node: NodeId) -> bool {
        self.receivers[node.index()].listens
    }

    /// Whether the receiver has locked on a frame.
    pub(crate) fn is_locked(&self, node: NodeId) -> bool {
        self.receivers[node.index()].is_locked()
    }

    /// Power of everything at a node.
    pub(crate) fn energy_dbm(&self, now: Instant, node: NodeId) -> f64 {
        let receiver = &self.receivers[node.index()];
        dbm(receiver.ambient + self.phy.noise.attowatts(&self.streams, receiver.floor, node.index(), now))
    }

    pub(crate) fn channel(&self) -> u8 {
        self.phy.channel
    }

    /// Looks again who hears whom. Nothing that moves may be on the air.
    pub(crate) fn moved(&mut self, positions: &[[f64; 3]], powers_dbm: &[f64], node: NodeId) {
        self.hearing.moved(positions, powers_dbm, node.index());
    }

    /// Whether anything is on the air.
    pub(crate) fn is_quiet(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// Chance that a frame of this many bytes survives without interference.
    pub(crate) fn prr(&self, level_dbm: f64, to: NodeId, bytes: usize) -> f64 {
        let ratio = attowatts(level_dbm) as f64 / self.receivers[to.index()].floor as f64;
        let signal = match self.phy.reception {
            _ if ratio < self.detection => 0.0,
            ReceptionModel::BitErrors => (8.0 * bytes as f64 * ln_survival(ratio)).exp(),
            ReceptionModel::Logistic { rssi50_dbm, scale_db } => {
                1.0 / (1.0 + (-(level_dbm - rssi50_dbm) / scale_db).exp())
            }
        };
        signal * (1.0 - self.phy.loss.data.get())
    }

    /// All links over which a full frame has a chance.
    pub(crate) fn links(&self) -> Vec<LinkReport> {
        let mut links = Vec::new();
        for from in 0..self.receivers.len() {
            for hearer in &self.hearing.of(from).strong {
                let [from, to] = [NodeId(from as u16), NodeId(hearer.node)];
                let rssi_dbm = dbm(hearer.attowatts);
                let prr = self.prr(rssi_dbm, to, 127);
                if prr > 0.001 {
                    links.push(LinkReport { from, to, rssi_dbm, prr, etx: None });
                }
            }
        }
        links
    }
}

impl Wanted {
    fn by(self, node: u16) -> bool {
        match self {
            Self::Everyone => true,
            Self::Node(wanted) => wanted.0 == node,
            Self::Nobody => false,
        }
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self { ambient: 0, floor: 0, signal: 0, slot: NOTHING, listens: false, wanted: false }
    }
}

impl Receiver {
    const fn is_locked(&self) -> bool {
        self.slot != NOTHING
    }

    const fn release(&mut self) {
        self.slot = NOTHING;
        self.wanted = false;
    }
}

impl Lock {
    const fn new(first_bit: Instant, attowatts: u64, noise: u64) -> Self {
        Self { attowatts, noise, since: first_bit, ln_all: 0.0, ln_noise: 0.0 }
    }

    /// Ends a segment: `ambient` is the power of everything on the air during it, this frame included.
    fn close(&mut self, now: Instant, ambient: u64) {
        if now <= self.since {
            return;
        }
        let bits = now.saturating_since(self.since).as_micros() as f64 / MICROS_A_BIT;
        let others = ambient.saturating_sub(self.attowatts);
        let against = |power: u64| bits * ln_survival(self.attowatts as f64 / power as f64);
        let noise = against(self.noise);
        self.ln_all += if others == 0 { noise } else { against(self.noise + others) };
        self.ln_noise += noise;
        self.since = now;
    }
}

const MICROS_A_BIT: f64 = 4.0;

#[cfg(test)]
mod tests;
