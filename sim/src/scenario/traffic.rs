//! Who sends what, and when.

use sedge_time::{Duration, Instant};

use super::ScenarioError;
use super::reader::{Nodes, Placed, Reader};
use crate::Random;
use crate::network::NodeId;
use crate::simulation::Action;

/// One kind of traffic of some devices.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    pub(super) nodes: Vec<NodeId>,
    pub(super) flow: Flow,
}

/// What one device does again and again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flow {
    pub(super) pattern: Pattern,
    pub(super) bytes: usize,
    /// The topic; `*` stands for the number of the device.
    pub(super) topic: String,
    pub(super) start: Duration,
    pub(super) stop: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pattern {
    /// Every period, earlier or later by up to the jitter; each device with a phase of its own, or all at once.
    Periodic { period: Duration, jitter: Duration, together: bool },
    /// With exponential times in between, of this mean.
    Poisson { mean: Duration },
    /// Every period so many at this distance, all devices at once, spread by the jitter.
    Burst { period: Duration, count: u32, spacing: Duration, jitter: Duration },
    /// Once: fetch what the operator offers, at a moment within the spread.
    Download { spread: Duration },
    /// The operator publishes, and the devices observe.
    Command { period: Duration, jitter: Duration },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Periodic,
    Poisson,
    Burst,
    Download,
    Command,
}

impl Traffic {
    pub(super) fn read(reader: &Reader<'_>, devices: u16, duration: Duration) -> Result<Self, ScenarioError> {
        let words = [
            ("periodic", Kind::Periodic),
            ("poisson", Kind::Poisson),
            ("burst", Kind::Burst),
            ("download", Kind::Download),
            ("command", Kind::Command),
        ];
        let kind = reader.choice("kind", Kind::Periodic, &words)?;
        let nodes = nodes(reader, "nodes", devices)?;
        let zero = Duration::from_micros(0);
        let bytes = match reader.find::<i64>("bytes")? {
            Some(placed) => reader.check(&placed, 8..=4 << 20)? as usize,
            None if kind == Kind::Download => 65_536,
            None => 24,
        };
        let topic = match reader.find::<String>("topic")? {
            Some(placed) => topic(reader, &placed, kind)?,
            None => match kind {
                Kind::Download => "fleet/firmware".into(),
                Kind::Command => "fleet/command".into(),
                _ => "node/*/reading".into(),
            },
        };
        let start = match reader.find::<Duration>("start")? {
            Some(placed) if placed.value >= duration => {
                let help = "it is to begin before `duration` is over";
                return Err(reader.wrong(&placed, "this is after the end", help));
            }
            placed => placed.map_or(zero, |placed| placed.value),
        };
        let stop = reader.find::<Duration>("stop")?;
        if let Some(placed) = stop.as_ref().filter(|stop| stop.value <= start) {
            return Err(reader.wrong(placed, "it stops before it starts", "`stop` is later than `start`"));
        }
        let period = |key: &'static str| {
            let placed = reader.need::<Duration>(key, "\"60s\"")?;
            match placed.value.as_micros() {
                0 => Err(reader.wrong(&placed, "nothing can happen all the time", "for example \"60s\"")),
                _ => Ok(placed.value),
            }
        };
        let jitter = |period: Duration| match reader.find::<Duration>("jitter")? {
            Some(placed) if placed.value > period => Err(reader.wrong(
                &placed,
                "the jitter is longer than the period",
                "at most as long as `period`",
            )),
            placed => Ok(placed.map_or(zero, |placed| placed.value)),
        };
        let pattern = match kind {
            Kind::Periodic => {
                let period = period("period")?;
                let together = reader.or("together", false)?;
                Pattern::Periodic { period, jitter: jitter(period)?, together }
            }
            Kind::Poisson => Pattern::Poisson { mean: period("mean")? },
            Kind::Burst => {
                let period = period("period")?;
                let count = reader.within::<i64>("count", 1, 1..=10_000)? as u32;
                let spacing = reader.or("spacing", Duration::from_secs(1))?;
                Pattern::Burst { period, count, spacing, jitter: jitter(period)? }
            }
            Kind::Download => Pattern::Download { spread: reader.or("spread", zero)? },
            Kind::Command => {
                let period = period("period")?;
                Pattern::Command { period, jitter: jitter(period)? }
            }
        };
        reader.finish()?;
        let flow = Flow { pattern, bytes, topic, start, stop: stop.map(|placed| placed.value) };
        Ok(Self { nodes, flow })
    }

    /// What the operator does for it.
    pub(super) fn actions(&self, seed: u64, end: Instant) -> Vec<(Instant, Action)> {
        let Flow { pattern, bytes, topic, start, stop } = &self.flow;
        let (topic, bytes, at) = (topic.clone(), *bytes, Instant::EPOCH + *start);
        match *pattern {
            Pattern::Command { period, jitter } => {
                let until = stop.map_or(end, |stop| Instant::EPOCH + stop);
                // The topic is there before anybody wants to observe it.
                let made = Action::Offer { topic: topic.clone(), bytes: 8 };
                let (every, random) = (Some(period), Some(seed));
                let command = Action::Command { topic, bytes, every, jitter, until, random };
                vec![(Instant::EPOCH, made), (at + period, command)]
            }
            Pattern::Download { .. } => vec![(Instant::EPOCH, Action::Offer { topic, bytes })],
            _ => Vec::new(),
        }
    }
}

impl Flow {
    /// When it happens for the first time.
    pub(super) fn first(&self, random: &mut Random) -> Option<Instant> {
        let start = Instant::EPOCH + self.start;
        let at = match &self.pattern {
            Pattern::Periodic { together: true, jitter, .. } => start + part(*jitter, random),
            Pattern::Periodic { period, .. } => start + part(*period, random),
            Pattern::Poisson { mean } => start + exponential(*mean, random),
            Pattern::Burst { period, jitter, .. } => start + *period + part(*jitter, random),
            Pattern::Download { spread } => start + part(*spread, random),
            Pattern::Command { .. } => return None,
        };
        self.unless_over(at)
    }

    /// When it happens next after it has happened `number` times (from 1), last at `last`.
    pub(super) fn next(&self, last: Instant, number: u32, random: &mut Random) -> Option<Instant> {
        let at = match &self.pattern {
            Pattern::Periodic { period, jitter, .. } => {
                let late = last + *period + part(jitter.saturating_mul(2), random);
                Instant::from_micros(late.as_micros().saturating_sub(jitter.as_micros()))
            }
            Pattern::Poisson { mean } => last + exponential(*mean, random),
            Pattern::Burst { count, spacing, .. } if !number.is_multiple_of(*count) => last + *spacing,
            Pattern::Burst { period, jitter, .. } => {
                let since = last.saturating_since(Instant::EPOCH + self.start).as_micros();
                let bursts = since / period.as_micros() + 1;
                Instant::EPOCH + self.start + period.saturating_mul(bursts) + part(*jitter, random)
            }
            Pattern::Download { .. } | Pattern::Command { .. } => return None,
        };
        self.unless_over(at)
    }

    fn unless_over(&self, at: Instant) -> Option<Instant> {
        Some(at).filter(|at| self.stop.is_none_or(|stop| *at < Instant::EPOCH + stop))
    }
}

/// A part of a time, by chance.
fn part(whole: Duration, random: &mut Random) -> Duration {
    Duration::from_micros((whole.as_micros() as f64 * random.unit()) as u64)
}

/// A time with an exponential distribution.
fn exponential(mean: Duration, random: &mut Random) -> Duration {
    Duration::from_micros((-(mean.as_micros() as f64) * (1.0 - random.unit()).ln()) as u64)
}

/// The devices that a key names.
pub(super) fn nodes(
    reader: &Reader<'_>,
    key: &'static str,
    devices: u16,
) -> Result<Vec<NodeId>, ScenarioError> {
    let Some(placed) = reader.find::<Nodes>(key)? else { return Ok((1..=devices).map(NodeId).collect()) };
    let mut all: Vec<u16> = match &placed.value {
        Nodes::All => (1..=devices).collect(),
        Nodes::Some(ranges) => ranges.iter().flat_map(|(first, last)| *first..=*last).collect(),
    };
    all.sort_unstable();
    all.dedup();
    match all.iter().find(|node| **node == 0 || **node > devices) {
        None => Ok(all.into_iter().map(NodeId).collect()),
        Some(0) => Err(reader.wrong(
            &placed,
            "node 0 is the border router",
            format!("devices have the numbers 1 to {devices}"),
        )),
        Some(other) => Err(reader.wrong(
            &placed,
            format!("there is no device {other}"),
            format!("devices have the numbers 1 to {devices}; `topology.nodes` says how many there are"),
        )),
    }
}

fn topic(reader: &Reader<'_>, placed: &Placed<String>, kind: Kind) -> Result<String, ScenarioError> {
    let own = !matches!(kind, Kind::Download | Kind::Command);
    let prefix = if own { "node/*/" } else { "fleet/" };
    let rest = placed.value.strip_prefix(prefix);
    let fine = rest.is_some_and(|rest| {
        let level = |level: &str| {
            !level.is_empty() && level.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        rest.len() <= 32 && rest.split('/').all(level)
    });
    if fine {
        return Ok(placed.value.clone());
    }
    let help = match own {
        true => "devices publish below their own `node/*/`, where `*` stands for the number of the device",
        false => "what is for all devices is below `fleet/`",
    };
    Err(reader.wrong(placed, format!("\"{}\" is not a topic for this traffic", placed.value), help))
}
