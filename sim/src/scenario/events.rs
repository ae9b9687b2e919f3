//! What happens to the network from outside.

use sedge_time::{Duration, Instant};

use super::reader::Reader;
use super::traffic::nodes;
use super::{Radio, ScenarioError};
use crate::link::Probability;
use crate::network::Jammer;
use crate::simulation::Action;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Die,
    PowerCut,
    Sleep,
    Wake,
    Move,
    Partition,
    Rebind,
    Restart,
    Drift,
    Jam,
}

/// What events are read with.
pub(super) struct Surroundings<'s> {
    pub(super) devices: u16,
    pub(super) duration: Duration,
    pub(super) radio: &'s Radio,
    /// From when until when there is a partition, or a jammer: there is one of each at a time.
    pub(super) lasting: Vec<(Kind, Instant, Instant)>,
}

/// Reads one event, which may be more than one action.
pub(super) fn read(
    reader: &Reader<'_>,
    around: &mut Surroundings<'_>,
) -> Result<Vec<(Instant, Action)>, ScenarioError> {
    let Surroundings { devices, duration, radio, .. } = *around;
    let words = [
        ("die", Kind::Die),
        ("power-cut", Kind::PowerCut),
        ("sleep", Kind::Sleep),
        ("wake", Kind::Wake),
        ("move", Kind::Move),
        ("partition", Kind::Partition),
        ("nat-rebind", Kind::Rebind),
        ("broker-restart", Kind::Restart),
        ("clock-drift", Kind::Drift),
        ("jam", Kind::Jam),
    ];
    let _there = reader.need::<String>("what", "\"power-cut\"")?;
    let kind = reader.choice("what", Kind::Die, &words)?;
    match kind {
        Kind::Sleep | Kind::Wake if !radio.sleeps() => {
            let help = "say `role = \"sleepy\"` in [radio], or use `power-cut`";
            return Err(reader.error("only sleepy nodes sleep and wake", help));
        }
        Kind::Jam if !radio.has_frames() => {
            let help = "choose a radio that has frames, for example `[radio] profile = \"nrf52840\"`";
            return Err(reader.error("jammers are for radios of IEEE 802.15.4", help));
        }
        _ => {}
    }
    let placed = reader.need::<Duration>("at", "\"10min\"")?;
    if placed.value > duration {
        let help = "it is to happen before `duration` is over";
        return Err(reader.wrong(&placed, "this is after the end", help));
    }
    let at = Instant::EPOCH + placed.value;
    let nodes = match kind {
        Kind::Restart | Kind::Jam => Vec::new(),
        Kind::Move | Kind::Die | Kind::Partition if !reader.has("nodes") => {
            return Err(reader.error("this event lacks `nodes`", "for example `nodes = \"1-3\"`"));
        }
        _ => nodes(reader, "nodes", devices)?,
    };
    let lasts = match kind {
        Kind::PowerCut | Kind::Partition | Kind::Jam => {
            Some(reader.need::<Duration>("for", "\"30s\"")?.value)
        }
        _ => None,
    };
    let end = at + lasts.unwrap_or(Duration::from_micros(0));
    if matches!(kind, Kind::Partition | Kind::Jam) {
        let meets =
            |(other, from, until): &&(Kind, Instant, Instant)| *other == kind && at < *until && *from < end;
        if let Some((_, from, _)) = around.lasting.iter().find(meets) {
            let message =
                format!("another one lasts at that time, which begins at {} s", from.as_micros() / 1_000_000);
            return Err(reader.wrong(&placed, message, "let one end before the next begins"));
        }
        around.lasting.push((kind, at, end));
    }
    let actions = match kind {
        Kind::Die => vec![(at, Action::Die(nodes))],
        Kind::PowerCut => vec![(at, Action::Die(nodes.clone())), (end, Action::Revive(nodes))],
        Kind::Sleep => vec![(at, Action::Sleep(nodes))],
        Kind::Wake => vec![(at, Action::Wake(nodes))],
        Kind::Move => {
            let to = reader.need::<[f64; 3]>("to", "[10.0, 20.0]")?.value;
            nodes.into_iter().map(|node| (at, Action::Move(node, to))).collect()
        }
        Kind::Partition => vec![(at, Action::Partition(nodes)), (end, Action::Heal)],
        Kind::Rebind => vec![(at, Action::Rebind(nodes))],
        Kind::Restart => vec![(at, Action::RestartBroker)],
        Kind::Drift => {
            let ppm = reader.need::<f64>("ppm", "40.0")?;
            vec![(at, Action::Drift(nodes, reader.check(&ppm, -100_000.0..=100_000.0)?))]
        }
        Kind::Jam => {
            let duty = reader.within("duty", 1.0, 0.0..=1.0)?;
            let jammer = Jammer {
                position: reader.need::<[f64; 3]>("position", "[10.0, 20.0]")?.value,
                power_dbm: reader.within("power", 20.0, -60.0..=60.0)?,
                duty: Probability::new(duty).unwrap_or(Probability::NEVER),
                burst: reader.or("burst", Duration::from_millis(10))?,
            };
            vec![(at, Action::Jam(Some(jammer))), (end, Action::Jam(None))]
        }
    };
    reader.finish()?;
    Ok(actions)
}
