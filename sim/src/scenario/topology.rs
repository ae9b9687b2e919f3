//! Where the nodes are.

use std::path::{Path, PathBuf};

use super::ScenarioError;
use super::reader::Reader;
use crate::kernel::{Purpose, Streams};

/// Where the chances of a topology come from.
const PLACES: Purpose = Purpose(Purpose::HOST.0 + 3);

/// Where the nodes are; node 0 is the border router.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    shape: Shape,
    devices: u16,
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Star { radius: f64 },
    Grid { spacing: f64 },
    Disc { radius: f64, separation: f64 },
    Tree { branching: u16, spacing: f64 },
    Line { spacing: f64 },
    Places(Vec<[f64; 3]>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Star,
    Grid,
    Disc,
    Tree,
    Line,
    Csv,
}

const MOST: i64 = 65_000;

impl Topology {
    pub(super) fn read(reader: &Reader<'_>, folder: &Path) -> Result<Self, ScenarioError> {
        let words = [
            ("star", Kind::Star),
            ("grid", Kind::Grid),
            ("disc", Kind::Disc),
            ("tree", Kind::Tree),
            ("line", Kind::Line),
            ("csv", Kind::Csv),
        ];
        let kind = reader.choice("kind", Kind::Star, &words)?;
        let (radius, spacing) = (reader.find::<f64>("radius")?, reader.find::<f64>("spacing")?);
        let (branching, separation) = (reader.find::<i64>("branching")?, reader.find::<f64>("separation")?);
        let (file, nodes) = (reader.find::<String>("file")?, reader.find::<i64>("nodes")?);
        let belongs = [
            (
                radius.as_ref().map(|placed| reader.wrong(placed, "", "")),
                matches!(kind, Kind::Star | Kind::Disc),
                "radius",
            ),
            (
                spacing.as_ref().map(|placed| reader.wrong(placed, "", "")),
                matches!(kind, Kind::Grid | Kind::Tree | Kind::Line),
                "spacing",
            ),
            (branching.as_ref().map(|placed| reader.wrong(placed, "", "")), kind == Kind::Tree, "branching"),
            (
                separation.as_ref().map(|placed| reader.wrong(placed, "", "")),
                kind == Kind::Disc,
                "separation",
            ),
            (file.as_ref().map(|placed| reader.wrong(placed, "", "")), kind == Kind::Csv, "file"),
            (nodes.as_ref().map(|placed| reader.wrong(placed, "", "")), kind != Kind::Csv, "nodes"),
        ];
        let name = words.iter().find(|(_, other)| *other == kind).map_or("", |(word, _)| word);
        for (error, allowed, key) in belongs {
            if let Some(error) = error.filter(|_| !allowed) {
                return Err(error.because(
                    format!("topology.{key}: a topology of kind \"{name}\" has none"),
                    help_for(kind).into(),
                ));
            }
        }
        let devices = match &nodes {
            Some(placed) => reader.check(placed, 1..=MOST)? as u16,
            None => 1,
        };
        let metres = |placed: Option<super::reader::Placed<f64>>, default| match placed {
            Some(placed) => reader.check(&placed, 0.01..=1_000_000.0),
            None => Ok(default),
        };
        let shape = match kind {
            Kind::Star => Shape::Star { radius: metres(radius, 10.0)? },
            Kind::Grid => Shape::Grid { spacing: metres(spacing, 10.0)? },
            Kind::Disc => Shape::Disc { radius: metres(radius, 50.0)?, separation: metres(separation, 1.0)? },
            Kind::Line => Shape::Line { spacing: metres(spacing, 10.0)? },
            Kind::Tree => {
                let branching = match branching {
                    Some(placed) => reader.check(&placed, 1..=1_000)? as u16,
                    None => 2,
                };
                Shape::Tree { branching, spacing: metres(spacing, 10.0)? }
            }
            Kind::Csv => {
                let file = match (file, reader.find::<Vec<[f64; 3]>>("places")?) {
                    (None, Some(places)) if places.value.len() > 1 => {
                        let devices = (places.value.len() - 1) as u16;
                        reader.finish()?;
                        return Ok(Self { shape: Shape::Places(places.value), devices });
                    }
                    (None, Some(places)) => {
                        let help = "the first place is the border router's, those after it the devices'";
                        return Err(reader.wrong(&places, "there is no device", help));
                    }
                    (None, None) => reader.need::<String>("file", "\"positions.csv\"")?,
                    (Some(file), None) => file,
                    (Some(_), Some(places)) => {
                        return Err(reader.wrong(
                            &places,
                            "the places come from `file` already",
                            "leave one of them out",
                        ));
                    }
                };
                let path: PathBuf = folder.join(&file.value);
                let places = read_places(&path).map_err(|message| {
                    reader.wrong(
                        &file,
                        message,
                        "a line is `x,y` or `x,y,z` in metres; the first is the border router",
                    )
                })?;
                Shape::Places(places)
            }
        };
        let devices = match &shape {
            Shape::Places(places) => (places.len() - 1) as u16,
            _ => devices,
        };
        reader.finish()?;
        Ok(Self { shape, devices })
    }

    /// How many devices there are, besides the border router.
    pub const fn devices(&self) -> u16 {
        self.devices
    }

    /// The text of the scenario with the places that were read from a file.
    pub(super) fn portable(&self, text: &str) -> String {
        let (Shape::Places(places), Ok(mut root)) = (&self.shape, text.parse::<toml::Table>()) else {
            return text.into();
        };
        let places = places.iter().map(|place| toml::Value::Array(place.map(toml::Value::Float).to_vec()));
        if let Some(toml::Value::Table(topology)) = root.get_mut("topology") {
            let _file = topology.remove("file");
            let _before = topology.insert("places".into(), toml::Value::Array(places.collect()));
        }
        root.to_string()
    }

    /// Where each node is.
    pub fn positions(&self, seed: u64) -> Vec<[f64; 3]> {
        let count = usize::from(self.devices) + 1;
        match &self.shape {
            Shape::Places(places) => places.clone(),
            Shape::Star { radius } => {
                let at = |device: usize| {
                    let angle = std::f64::consts::TAU * device as f64 / f64::from(self.devices);
                    [radius * angle.cos(), radius * angle.sin(), 0.0]
                };
                std::iter::once([0.0; 3]).chain((0..count - 1).map(at)).map(millimetres).collect()
            }
            Shape::Line { spacing } => (0..count).map(|node| [node as f64 * spacing, 0.0, 0.0]).collect(),
            Shape::Grid { spacing } => {
                // The border router is in the middle: of the places around it, the nearest are taken.
                let side = (count as f64).sqrt().ceil() as i64 / 2 + 1;
                let mut cells: Vec<(i64, i64, i64)> = (-side..=side)
                    .flat_map(|y| (-side..=side).map(move |x| (x.abs().max(y.abs()), y, x)))
                    .collect();
                cells.sort_unstable();
                cells
                    .iter()
                    .take(count)
                    .map(|(_, y, x)| [*x as f64 * spacing, *y as f64 * spacing, 0.0])
                    .collect()
            }
            Shape::Tree { branching, spacing } => tree(count, usize::from(*branching), *spacing),
            Shape::Disc { radius, separation } => disc(seed, count, *radius, *separation),
        }
    }
}

fn help_for(kind: Kind) -> &'static str {
    match kind {
        Kind::Star => "a star has `nodes` and `radius`",
        Kind::Grid => "a grid has `nodes` and `spacing`",
        Kind::Disc => "a disc has `nodes`, `radius` and `separation`",
        Kind::Tree => "a tree has `nodes`, `branching` and `spacing`",
        Kind::Line => "a line has `nodes` and `spacing`",
        Kind::Csv => "its places, and so their number, come from `file`",
    }
}

/// A tree whose levels stand side by side, each as wide as the last one needs.
fn tree(count: usize, branching: usize, spacing: f64) -> Vec<[f64; 3]> {
    let mut places = vec![[0.0; 3]; count];
    let (mut first, mut size, mut level) = (0, 1, 0.0);
    while first < count {
        let in_level = size.min(count - first);
        for (index, place) in places[first..first + in_level].iter_mut().enumerate() {
            let y = (index as f64 - (in_level as f64 - 1.0) / 2.0) * spacing / 2.0;
            *place = [level * spacing, y, 0.0];
        }
        (first, size, level) = (first + in_level, size.saturating_mul(branching), level + 1.0);
    }
    places
}

/// Places spread evenly over a disc, the border router in the middle; no two nearer than `separation` if there is room.
fn disc(seed: u64, count: usize, radius: f64, separation: f64) -> Vec<[f64; 3]> {
    let mut random = Streams::new(seed).stream(PLACES, 0);
    let mut places = vec![[0.0; 3]];
    while places.len() < count {
        let mut place = [0.0; 3];
        for _ in 0..64 {
            let (distance, angle) = (radius * random.unit().sqrt(), std::f64::consts::TAU * random.unit());
            place = millimetres([distance * angle.cos(), distance * angle.sin(), 0.0]);
            let near = |other: &[f64; 3]| (place[0] - other[0]).hypot(place[1] - other[1]) < separation;
            if !places.iter().any(near) {
                break;
            }
        }
        places.push(place);
    }
    places
}

/// To the millimetre: what is printed is what was used.
fn millimetres(place: [f64; 3]) -> [f64; 3] {
    place.map(|coordinate| (coordinate * 1_000.0).round() / 1_000.0)
}

fn read_places(path: &Path) -> Result<Vec<[f64; 3]>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut places = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let heading = places.is_empty() && line.starts_with(|c: char| c.is_ascii_alphabetic());
        if line.is_empty() || line.starts_with('#') || heading {
            continue;
        }
        let numbers: Result<Vec<f64>, _> = line.split(',').map(|field| field.trim().parse::<f64>()).collect();
        match numbers.as_deref() {
            Ok([x, y]) if x.is_finite() && y.is_finite() => places.push([*x, *y, 0.0]),
            Ok([x, y, z]) if x.is_finite() && y.is_finite() && z.is_finite() => places.push([*x, *y, *z]),
            _ => return Err(format!("{}:{number}: `{line}` is no position", path.display())),
        }
    }
    if places.len() < 2 || places.len() > MOST as usize {
        return Err(format!("{}: {} positions; from 2 to {MOST} are possible", path.display(), places.len()));
    }
    Ok(places)
}
