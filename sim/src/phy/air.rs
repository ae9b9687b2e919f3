//! Everything that is on the air, and every receiver.

use std::rc::Rc;

use sedge_time::{Duration, Instant};

use super::bursts::BurstLosses;
use super::hearing::Hearing;
use super::lock::Lock;
use super::noise::floor_dbm;
use super::oqpsk::ln_survival;
use super::past::{Emission, Order, Past};
use super::power::{attowatts, dbm};
use super::{Interferer, Phy, ReceptionModel};
use crate::Random;
use crate::kernel::{Purpose, Streams};
use crate::network::{Cut, LinkReport, NodeConfig, NodeId, Outcome, PacketId};

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

/// Most receivers neither want a frame nor sense the channel while it is on the air. What happens to a receiver is
/// therefore worked out when somebody asks: it follows from what it has heard since the last time ([`Past`]).
#[derive(Debug)]
pub(crate) struct Air {
    phy: Phy,
    streams: Streams,
    hearing: Hearing,
    receivers: Vec<Receiver>,
    /// Of receivers that have locked on a frame that they want: kept as things happen.
    locks: Vec<Lock>,
    past: Past,
    frames: u64,
    detection: f64,
    capture: f64,
    bursts: Option<BurstLosses>,
    sources: Vec<Source>,
}

#[derive(Clone, Copy, Debug)]
struct Receiver {
    floor: u64,
    /// Up to which place of the [`Past`] it is known what it has locked on.
    known: Order,
    /// What it had locked on then, or [`NOTHING`].
    locked: Order,
    listens: bool,
    /// Whether it has a [`Lock`], and is known up to now.
    decides: bool,
}

/// No emission has this number.
const NOTHING: Order = 0;

#[derive(Debug)]
struct Source {
    interferer: Interferer,
    random: Random,
    row: usize,
    on_air: Option<Order>,
}

impl Air {
    pub(crate) fn new(phy: Phy, streams: Streams, nodes: &[NodeConfig], positions: &[[f64; 3]]) -> Self {
        let floors = nodes.iter().map(|node| attowatts(floor_dbm(node.profile.sensitivity_dbm.value)));
        let receivers: Vec<Receiver> = floors
            .map(|floor| Receiver { floor, known: 0, locked: NOTHING, listens: false, decides: false })
            .collect();
        let mut air = Self {
            hearing: Hearing::new(&phy, streams, nodes, positions),
            receivers,
            locks: Vec::new(),
            past: Past::default(),
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
        self.sources.push(Source { interferer, random, row, on_air: None });
        self.sources.len() - 1
    }

    /// How many interferers the channel has by its configuration; jammers come after them.
    pub(crate) fn configured_sources(&self) -> usize {
        self.phy.interferers.len()
    }

    /// Turns an interferer from silence to noise or back, and says for how long.
    pub(crate) fn toggle(&mut self, now: Instant, source: usize) -> Duration {
        if self.sources[source].on_air.is_some() {
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
            self.sources[source].on_air = Some(self.begin(now, noise, Cut::default()));
        }
        let Source { interferer, random, on_air, .. } = &mut self.sources[source];
        interferer.next(random, on_air.is_some())
    }

    /// Silences an interferer.
    pub(crate) fn silence(&mut self, now: Instant, source: usize) {
        if let Some(number) = self.sources[source].on_air.take() {
            self.end(now, number, &mut Vec::new());
        }
    }

    /// The number of the next frame.
    pub(crate) fn number_frame(&mut self) -> u64 {
        self.frames += 1;
        self.frames
    }

    /// Puts something on the air, and returns its number. A cut keeps nodes from understanding one another.
    pub(crate) fn begin(&mut self, now: Instant, sent: Transmission, cut: Cut) -> u64 {
        if self.past.is_full() {
            self.forget();
        }
        let (row, wanted) = (sent.row, sent.wanted);
        self.close_segments(now, row);
        let number = self.past.begin(now, sent, cut);
        for place in (0..self.locks.len()).rev() {
            let Lock { node, on, .. } = self.locks[place];
            if self.captured(node, on, number) {
                let _lost = self.locks.swap_remove(place);
                self.lock(node, number, wanted);
            }
        }
        match wanted {
            Wanted::Nobody => {}
            Wanted::Node(node) => self.hear(node.0, number),
            Wanted::Everyone => {
                let hearers: Vec<u16> = self.hearing.of(row).strong.iter().map(|hearer| hearer.0).collect();
                hearers.into_iter().for_each(|node| self.hear(node, number));
            }
        }
        number
    }

    /// A frame begins that this receiver wants if it can have it.
    fn hear(&mut self, node: u16, number: Order) {
        if !self.receivers[usize::from(node)].decides {
            let locked = self.locked_on(node);
            if locked == number {
                self.lock(node, number, Wanted::Everyone);
            } else {
                self.receivers[usize::from(node)].know(self.past.now(), locked);
            }
        }
    }

    /// A receiver locks on an emission.
    fn lock(&mut self, node: u16, number: Order, wanted: Wanted) {
        let decides = wanted.by(node);
        if decides && let Some(emission) = self.past.emission(number) {
            let attowatts = self.hearing.of(emission.sent.row).strong.at(node).unwrap_or(0);
            let noise = self.noise(emission.at, node);
            self.locks.push(Lock::new(node, number, emission.first_bit(), attowatts, noise));
        }
        let receiver = &mut self.receivers[usize::from(node)];
        receiver.know(self.past.now(), number);
        receiver.decides = decides;
    }

    /// Whether what has just begun takes a receiver from what it has locked on.
    fn captured(&self, node: u16, locked: Order, number: Order) -> bool {
        let [locked, emission] = [locked, number].map(|number| self.past.emission(number));
        emission.is_some_and(|emission| self.takes(node, locked, emission))
    }

    /// What a receiver has locked on.
    fn locked_on(&self, node: u16) -> Order {
        let Receiver { known, locked, listens, decides, .. } = self.receivers[usize::from(node)];
        if decides || !listens {
            return locked;
        }
        let since = self.past.since();
        let mut locked = if known < since { None } else { self.past.emission(locked) };
        let noticed = |emission: &Emission| {
            emission.is_frame() && self.hearing.of(emission.sent.row).strong.at(node).is_some()
        };
        for emission in self.past.chain(known.max(since), noticed) {
            locked = locked.filter(|locked| !locked.ended_before(emission));
            if self.takes(node, locked, emission) {
                locked = Some(emission);
            }
        }
        locked.filter(|locked| locked.is_on_air()).map_or(NOTHING, |locked| locked.number)
    }

    /// Whether a receiver that listens and has locked on this, or nothing, locks on an emission when it begins.
    fn takes(&self, node: u16, locked: Option<&Emission>, emission: &Emission) -> bool {
        let strength = |emission: &Emission| self.hearing.of(emission.sent.row).strong.at(node);
        let Some(attowatts) = strength(emission).filter(|_| emission.is_frame()) else { return false };
        if let Some(locked) = locked {
            let stronger = attowatts as f64 >= self.capture * strength(locked).unwrap_or(0) as f64;
            if !stronger || emission.at >= locked.yields_until() {
                return false;
            }
        }
        if emission.cut.between(NodeId(emission.sent.row as u16), NodeId(node)) {
            return false;
        }
        let others = self.past.rows_before(emission).filter_map(|row| self.hearing.of(row).at(node));
        let against = self.noise(emission.at, node) + others.sum::<u64>();
        // In the quiet it is noticed by all who hear it well.
        against == self.receivers[usize::from(node)].floor
            || attowatts as f64 >= against as f64 * self.detection
    }

    /// Ends the present segment of all locks that hear this row.
    fn close_segments(&mut self, now: Instant, row: usize) {
        let Self { hearing, locks, past, .. } = self;
        for lock in locks {
            if hearing.of(row).at(lock.node).is_some() {
                let heard = past.rows().filter_map(|row| hearing.of(row).at(lock.node));
                lock.close(now, heard.sum());
            }
        }
    }

    /// Takes something off the air and says who received it how.
    pub(crate) fn end(
        &mut self,
        now: Instant,
        number: u64,
        received: &mut Vec<Reception>,
    ) -> Option<Transmission> {
        let row = self.past.emission(number).filter(|emission| emission.is_on_air())?.sent.row;
        self.close_segments(now, row);
        let sent = self.past.end(number)?;
        let first = received.len();
        for place in (0..self.locks.len()).rev() {
            if self.locks[place].on == number {
                let lock = self.locks.swap_remove(place);
                self.receivers[usize::from(lock.node)].release(self.past.now());
                received.push(self.decide(&sent, &lock));
            }
        }
        received[first..].sort_unstable_by_key(|reception| reception.node);
        Some(sent)
    }

    fn decide(&mut self, sent: &Transmission, lock: &Lock) -> Reception {
        let node = NodeId(lock.node);
        let rssi_dbm = dbm(lock.attowatts);
        let mut alone = match self.phy.reception {
            ReceptionModel::BitErrors => lock.ln_noise.exp(),
            ReceptionModel::Logistic { rssi50_dbm, scale_db } => {
                1.0 / (1.0 + (-(rssi_dbm - rssi50_dbm) / scale_db).exp())
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
        let outcome = if draw < all {
            Outcome::Ok
        } else if draw < alone {
            Outcome::Collision
        } else {
            Outcome::Noise
        };
        // Four steps a decibel above the sensitivity of the parts in use.
        let lqi = ((rssi_dbm + 100.0) * 4.0).clamp(0.0, 255.0) as u8;
        Reception { node, rssi_dbm, lqi, outcome }
    }

    /// Forgets what is no longer on the air. What it decided is noted for all who can have locked on something.
    fn forget(&mut self) {
        let rows: Vec<usize> = self.past.rows().collect();
        for row in rows {
            let hearers: Vec<u16> = self.hearing.of(row).strong.iter().map(|hearer| hearer.0).collect();
            for node in hearers {
                let locked = self.locked_on(node);
                self.receivers[usize::from(node)].know(self.past.now(), locked);
            }
        }
        self.past.forget();
    }

    /// Turns a receiver on or off; `true` if it was receiving a frame it wanted.
    pub(crate) fn set_mode(&mut self, node: NodeId, mode: Mode) -> bool {
        let receiver = &mut self.receivers[node.index()];
        let (listens, lost) = (mode == Mode::Listen, receiver.decides && mode != Mode::Listen);
        if receiver.listens != listens {
            receiver.listens = listens;
            receiver.release(self.past.now());
        }
        if lost {
            self.locks.retain(|lock| lock.node != node.0);
        }
        lost
    }

    pub(crate) fn is_listening(&self, node: NodeId) -> bool {
        self.receivers[node.index()].listens
    }

    /// Whether the receiver has locked on a frame.
    pub(crate) fn is_locked(&self, node: NodeId) -> bool {
        self.locked_on(node.0) != NOTHING
    }

    /// Power of everything at a node.
    pub(crate) fn energy_dbm(&self, now: Instant, node: NodeId) -> f64 {
        let heard = self.past.rows().filter_map(|row| self.hearing.of(row).at(node.0));
        dbm(heard.sum::<u64>() + self.noise(now, node.0))
    }

    fn noise(&self, now: Instant, node: u16) -> u64 {
        let node = usize::from(node);
        self.phy.noise.attowatts(&self.streams, self.receivers[node].floor, node, now)
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
        self.past.is_quiet()
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
            for (node, attowatts) in self.hearing.of(from).strong.iter() {
                let [from, to] = [NodeId(from as u16), NodeId(node)];
                let rssi_dbm = dbm(attowatts);
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

impl Receiver {
    /// From now on this is what it has locked on.
    const fn know(&mut self, now: Order, locked: Order) {
        self.known = now;
        self.locked = locked;
    }

    const fn release(&mut self, now: Order) {
        self.know(now, NOTHING);
        self.decides = false;
    }
}

#[cfg(test)]
mod tests;
