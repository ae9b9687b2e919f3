//! Who hears whom, and how loud.

use super::noise::floor_dbm;
use super::power::attowatts;
use super::{Phy, Propagation};
use crate::kernel::Streams;
use crate::network::NodeConfig;

/// Nodes in the order of their numbers, and the power of a transmitter's signal at each: apart, because there are as
/// many of these as there are pairs of neighbours.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Hearers {
    nodes: Box<[u16]>,
    attowatts: Box<[u64]>,
}

/// Those who hear one transmitter.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    /// Whoever can notice a frame of it.
    pub(super) strong: Hearers,
    /// Those to whom it is noise and no more, whatever else is on the air.
    pub(super) weak: Hearers,
}

impl Hearers {
    /// The power at a node; `None` if it hears nothing.
    #[inline]
    pub(super) fn at(&self, node: u16) -> Option<u64> {
        self.nodes.binary_search(&node).ok().map(|place| self.attowatts[place])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        self.nodes.iter().copied().zip(self.attowatts.iter().copied())
    }

    /// The same but for one node.
    fn with(&self, node: u16, attowatts: Option<u64>) -> Self {
        let before = self.iter().take_while(|hearer| hearer.0 < node);
        let after = self.iter().skip_while(|hearer| hearer.0 <= node);
        before.chain(attowatts.map(|attowatts| (node, attowatts))).chain(after).collect()
    }
}

impl FromIterator<(u16, u64)> for Hearers {
    fn from_iter<I: IntoIterator<Item = (u16, u64)>>(hearers: I) -> Self {
        let (nodes, attowatts): (Vec<u16>, Vec<u64>) = hearers.into_iter().unzip();
        Self { nodes: nodes.into(), attowatts: attowatts.into() }
    }
}

impl Row {
    /// The power at a node; `None` if it hears nothing.
    #[inline]
    pub(super) fn at(&self, node: u16) -> Option<u64> {
        self.strong.at(node).or_else(|| self.weak.at(node))
    }
}

/// For each transmitter, those who hear it. After the nodes come the interferers.
#[derive(Debug)]
pub(super) struct Hearing {
    rows: Vec<Row>,
    /// The power from which each receiver notices a frame.
    noticed: Vec<f64>,
    propagation: Propagation,
    horizon_dbm: f64,
    streams: Streams,
}

/// A shadow deeper or higher than this many deviations is left out of the search for hearers.
const DEVIATIONS: f64 = 3.0;

impl Hearing {
    pub(super) fn new(phy: &Phy, streams: Streams, nodes: &[NodeConfig], positions: &[[f64; 3]]) -> Self {
        let floors = || nodes.iter().map(|node| floor_dbm(node.profile.sensitivity_dbm.value));
        let quietest = floors().fold(f64::MAX, f64::min);
        let mut hearing = Self {
            rows: Vec::new(),
            noticed: floors().map(|floor| attowatts(floor) as f64 * phy.detection()).collect(),
            propagation: phy.propagation.clone(),
            horizon_dbm: quietest - phy.horizon_db,
            streams,
        };
        let cells = Cells::new(positions, hearing.reach_m(nodes, phy));
        let radiated: Vec<f64> =
            (0..nodes.len()).map(|node| hearing.radiated(nodes[node].power_dbm, Some(node))).collect();
        // What is lost between two nodes is the same both ways.
        let mut heard = vec![Vec::new(); nodes.len()];
        for one in 0..nodes.len() {
            for other in cells.near(positions[one]).filter(|&other| other > one) {
                let loss = hearing.propagation.decibels(&streams, positions[one], positions[other]);
                for (from, to) in [(one, other), (other, one)] {
                    let level = loss.map(|loss| radiated[from] - loss);
                    heard[from].extend(level.and_then(|level| hearing.hearer(to, level)));
                }
            }
        }
        let row = |mut hearers: Vec<(u16, u64)>| {
            hearers.sort_unstable_by_key(|hearer| hearer.0);
            hearing.row_of(hearers)
        };
        hearing.rows = heard.into_iter().map(row).collect();
        hearing
    }

    /// Adds something that is heard but hears nothing, and returns its row.
    pub(super) fn add_source(&mut self, positions: &[[f64; 3]], position: [f64; 3], power_dbm: f64) -> usize {
        let everyone = (0..positions.len()).collect();
        let row = self.row(positions, everyone, position, None, power_dbm);
        self.rows.push(row);
        self.rows.len() - 1
    }

    /// Whoever hears this transmitter.
    pub(super) fn row(
        &self,
        positions: &[[f64; 3]],
        candidates: Vec<usize>,
        position: [f64; 3],
        node: Option<usize>,
        power_dbm: f64,
    ) -> Row {
        let radiated = self.radiated(power_dbm, node);
        let heard = |other: usize| {
            let loss = self.propagation.decibels(&self.streams, position, positions[other])?;
            self.hearer(other, radiated - loss)
        };
        let hearers = candidates.into_iter().filter(|&other| Some(other) != node).filter_map(heard);
        self.row_of(hearers.collect())
    }

    fn radiated(&self, power_dbm: f64, node: Option<usize>) -> f64 {
        power_dbm + node.map_or(0.0, |node| self.propagation.offset_db(&self.streams, node))
    }

    fn hearer(&self, node: usize, level_dbm: f64) -> Option<(u16, u64)> {
        (level_dbm >= self.horizon_dbm).then(|| (node as u16, attowatts(level_dbm)))
    }

    fn row_of(&self, hearers: Vec<(u16, u64)>) -> Row {
        let (strong, weak): (Vec<_>, Vec<_>) = hearers.into_iter().partition(|hearer| self.notices(hearer));
        Row { strong: strong.into_iter().collect(), weak: weak.into_iter().collect() }
    }

    /// Whether a frame can be noticed at all: in the quiet, then.
    fn notices(&self, &(node, attowatts): &(u16, u64)) -> bool {
        attowatts as f64 >= self.noticed[usize::from(node)]
    }

    /// Looks again who hears whom after a node has moved.
    pub(super) fn moved(&mut self, positions: &[[f64; 3]], powers_dbm: &[f64], node: usize) {
        let everyone = || (0..positions.len()).collect();
        self.rows[node] = self.row(positions, everyone(), positions[node], Some(node), powers_dbm[node]);
        for other in (0..positions.len()).filter(|&other| other != node) {
            let now = self.row(positions, vec![node], positions[other], Some(other), powers_dbm[other]);
            let Row { strong, weak } = &mut self.rows[other];
            let moved = node as u16;
            for (hearers, now) in [(strong, now.strong.at(moved)), (weak, now.weak.at(moved))] {
                if hearers.at(moved) != now {
                    *hearers = hearers.with(moved, now);
                }
            }
        }
    }

    pub(super) fn of(&self, row: usize) -> &Row {
        &self.rows[row]
    }

    fn reach_m(&self, nodes: &[NodeConfig], phy: &Phy) -> f64 {
        let strongest = nodes.iter().map(|node| node.power_dbm).fold(f64::MIN, f64::max);
        let Propagation { loss, shadowing_db, asymmetry_db } = &phy.propagation;
        let spread = DEVIATIONS * (shadowing_db + asymmetry_db);
        loss.reach_m(strongest - self.horizon_dbm + spread)
    }
}

/// Places sorted into squares, so that a search looks at a few of them only.
struct Cells {
    side_m: f64,
    squares: std::collections::BTreeMap<(i64, i64), Vec<usize>>,
}

impl Cells {
    fn new(positions: &[[f64; 3]], reach_m: f64) -> Self {
        let mut cells = Self { side_m: reach_m.clamp(1.0, 1e9), squares: Default::default() };
        for (node, &position) in positions.iter().enumerate() {
            let square = cells.square(position);
            cells.squares.entry(square).or_default().push(node);
        }
        cells
    }

    fn square(&self, position: [f64; 3]) -> (i64, i64) {
        ((position[0] / self.side_m).floor() as i64, (position[1] / self.side_m).floor() as i64)
    }

    /// Everyone who may be within reach.
    fn near(&self, position: [f64; 3]) -> impl Iterator<Item = usize> {
        let (x, y) = self.square(position);
        let around = (x - 1..=x + 1).flat_map(move |x| (y - 1..=y + 1).map(move |y| (x, y)));
        around.filter_map(|square| self.squares.get(&square)).flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_by_squares_misses_nobody() {
        let streams = Streams::new(9);
        let mut random = streams.stream(crate::kernel::Purpose::HOST, 0);
        let positions: Vec<[f64; 3]> =
            (0..300).map(|_| [random.unit() * 900.0, random.unit() * 900.0, 0.0]).collect();
        let nodes = vec![NodeConfig::default(); 300];
        let phy = Phy {
            propagation: Propagation { shadowing_db: 0.0, ..Propagation::default() },
            ..Phy::default()
        };
        let hearing = Hearing::new(&phy, streams, &nodes, &positions);
        let mut heard = 0;
        for node in 0..300 {
            let all = hearing.row(&positions, (0..300).collect(), positions[node], Some(node), 0.0);
            assert_eq!(*hearing.of(node), all);
            assert!(all.strong.iter().all(|strong| all.weak.iter().all(|weak| strong.1 > weak.1)));
            heard += all.strong.iter().chain(all.weak.iter()).count();
        }
        assert!((2_000..60_000).contains(&heard), "some but not all: {heard}");
    }
}
