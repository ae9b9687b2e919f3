//! Scenarios: a network, what happens in it and for how long, as a TOML file.
//!
//! Every key is described in docs/SIMULATOR.md. Whatever a file says that cannot be meant is refused with its line.
//!
//! ```
//! use sedge_sim::scenario::Scenario;
//!
//! let text = "duration = \"10min\"\n[topology]\nkind = \"star\"\nnodes = 3\n[[traffic]]\nperiod = \"60s\"\n";
//! let mut simulation = Scenario::parse("three.toml", text)?.builder(7).build()?;
//! simulation.run_for(sedge_time::Duration::from_secs(600));
//! assert!(simulation.record().messages().len() >= 30);
//!
//! let wrong = Scenario::parse("three.toml", &text.replace("nodes", "notes")).unwrap_err();
//! assert!(wrong.to_string().starts_with("three.toml:4:1: topology.notes: there is no such key here"));
//! assert!(wrong.help().starts_with("perhaps `nodes` is meant"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod error;
mod events;
mod noise;
mod program;
mod protocol;
mod radio;
mod reader;
mod settings;
mod topology;
mod traffic;

use std::path::Path;
use std::rc::Rc;

use sedge_time::{Duration, Instant};
use toml::de::DeTable;

use crate::host::Device;
use crate::network::NodeId;
use crate::simulation::{Action, Builder, Protocol, Simulation};

pub use error::ScenarioError;
pub use radio::Radio;
pub use topology::Topology;
pub use traffic::Traffic;

use events::Surroundings;
use radio::Sections;
use reader::{Reader, Source};
use traffic::Flow;

pub(crate) use settings::Settings;

/// A network, what happens in it, and for how long.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// How long it lasts.
    pub duration: Duration,
    /// Within which time the devices get their power.
    pub boot: Duration,
    /// Where the nodes are.
    pub topology: Topology,
    /// What they send with.
    pub radio: Radio,
    /// What they speak.
    pub protocol: Protocol,
    /// What they have to say.
    pub traffic: Vec<Traffic>,
    /// What happens to them.
    pub events: Vec<(Instant, Action)>,
    /// How many bytes of frames a capture holds before it ends.
    pub capture_bytes: u64,
}

impl Scenario {
    /// Reads a scenario's file.
    ///
    /// # Errors
    /// [`ScenarioError`], with the line that is wrong.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            ScenarioError::new(&file, "", None, format!("cannot be read: {error}"), String::new())
        })?;
        Self::read(&file, &text, path.parent().unwrap_or(Path::new(".")))
    }

    /// Reads a scenario from a text; `file` is what errors call it.
    ///
    /// # Errors
    /// [`ScenarioError`], with the line that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        Self::read(file, text, Path::new("."))
    }

    /// Reads a scenario from a text whose files are in `folder`.
    pub(crate) fn read(file: &str, text: &str, folder: &Path) -> Result<Self, ScenarioError> {
        let table = DeTable::parse(text).map_err(|error| {
            ScenarioError::new(
                file,
                text,
                error.span(),
                format!("this is no TOML: {}", error.message()),
                String::new(),
            )
        })?;
        let source = Source { file, text };
        let root = Reader::new(&source, &table);
        let duration = root.need::<Duration>("duration", "\"1h\"")?;
        if duration.value.as_micros() == 0 {
            return Err(root.wrong(&duration, "nothing happens in no time", "for example \"1h\""));
        }
        let duration = duration.value;
        let topology = root.table("topology")?.ok_or_else(|| {
            root.error("the scenario lacks a section [topology]", "for example [topology] with `nodes = 10`")
        })?;
        let topology = Topology::read(&topology, folder)?;
        let devices = topology.devices();
        let empty = toml::Spanned::new(0..0, DeTable::new());
        let section = |reader: Option<Reader<'_>>| reader.map(|reader| Protocol::read(&reader)).transpose();
        let protocol = section(root.table("protocol")?)?.unwrap_or_default();
        let table = |key| Ok(root.table(key)?.unwrap_or(Reader::new(&source, &empty)));
        let radio = Radio::read(&Sections {
            folder,
            radio: table("radio")?,
            channel: table("channel")?,
            interferers: root.tables("interferer")?,
            ble: table("ble")?,
            cellular: table("cellular")?,
        })?;
        let traffic = root.tables("traffic")?;
        let traffic = traffic.iter().map(|reader| Traffic::read(reader, devices, duration));
        let traffic = traffic.collect::<Result<Vec<_>, _>>()?;
        let mut around = Surroundings { devices, duration, radio: &radio, lasting: Vec::new() };
        let mut events = Vec::new();
        for reader in root.tables("event")? {
            events.extend(events::read(&reader, &mut around)?);
        }
        let capture_bytes = root.within::<i64>("capture-megabytes", 64, 0..=100_000)?;
        let scenario = Self {
            name: root.or("name", default_name(file))?,
            description: root.or("description", String::new())?,
            duration,
            boot: root.or("boot", Duration::from_secs(1))?,
            topology,
            radio,
            protocol,
            traffic,
            events,
            capture_bytes: capture_bytes as u64 * 1_000_000,
        };
        root.finish()?;
        Ok(scenario)
    }

    /// The simulation of it, with the chances of `seed`.
    pub fn builder(&self, seed: u64) -> Builder {
        let mut network = self.radio.network(self.topology.positions(seed));
        let clocks = self.radio.set_clocks(seed, &mut network);
        let mut builder = Simulation::builder(seed)
            .network(network)
            .protocol(self.protocol.clone())
            .boot_spread(self.boot)
            .program(self.program());
        let end = Instant::EPOCH + self.duration;
        for (number, traffic) in (1..).zip(&self.traffic) {
            for (at, action) in traffic.actions(seed.wrapping_add(number), end) {
                builder = builder.action(at, action);
            }
        }
        for (node, ppm) in clocks {
            builder = builder.action(Instant::EPOCH, Action::Drift(vec![node], ppm));
        }
        for (at, action) in &self.events {
            builder = builder.action(*at, action.clone());
        }
        builder
    }

    /// The text of the scenario for a folder of its own: what it reads from other files stands in it.
    pub(crate) fn portable(&self, text: &str) -> String {
        self.radio.portable(&self.topology.portable(text))
    }

    /// Whether there are frames on the air, to be captured.
    pub fn has_frames(&self) -> bool {
        self.radio.has_frames()
    }

    /// What all devices do: each follows the flows that name it.
    fn program(&self) -> impl Fn(Device) -> std::pin::Pin<Box<dyn Future<Output = ()>>> + 'static {
        let devices = usize::from(self.topology.devices());
        let mut flows: Vec<Vec<Flow>> = vec![Vec::new(); devices + 1];
        for traffic in &self.traffic {
            for NodeId(node) in &traffic.nodes {
                flows[usize::from(*node)].push(traffic.flow.clone());
            }
        }
        let flows: Vec<Rc<[Flow]>> = flows.into_iter().map(Rc::from).collect();
        move |device: Device| {
            let own = flows[device.node().index()].clone();
            Box::pin(program::follow(device, own))
        }
    }
}

fn default_name(file: &str) -> String {
    Path::new(file).file_stem().map_or_else(|| "scenario".into(), |stem| stem.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
