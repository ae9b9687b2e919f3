//! What a run leaves behind: a page for people, tables for scripts, a capture for Wireshark.

mod capture;
mod html;
mod map;
pub(crate) mod plot;
mod summary;
mod tables;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

pub(crate) use capture::Capture;
pub(crate) use html::time;
pub use summary::Figures;

use crate::scenario::Scenario;
use crate::simulation::{Action, Simulation};

/// A run that is over, with what is to be said of it.
pub struct Run<'r> {
    /// The simulation, at its end.
    pub simulation: &'r Simulation,
    /// What it was called.
    pub name: String,
    /// What it was about.
    pub description: String,
    /// Its seed.
    pub seed: u64,
    /// What happened from outside, with the times in seconds.
    events: Vec<(f64, String)>,
}

/// The folder that a run's files go to.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl<'r> Run<'r> {
    /// The run of a scenario.
    pub fn new(scenario: &Scenario, seed: u64, simulation: &'r Simulation) -> Self {
        let events = scenario.events.iter().map(|(at, action)| (at.as_micros() as f64 / 1e6, word(action)));
        Self {
            simulation,
            name: scenario.name.clone(),
            description: scenario.description.clone(),
            seed,
            events: events.collect(),
        }
    }

    /// The fingerprint of everything that happened, in hexadecimal digits.
    pub fn hash(&self) -> String {
        hex(&self.simulation.hash())
    }
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An event in a few words.
fn word(action: &Action) -> String {
    let count = |nodes: &[crate::network::NodeId]| match nodes {
        [one] => format!("device {}", one.0),
        more => format!("{} devices", more.len()),
    };
    match action {
        Action::Die(nodes) => format!("{} die", count(nodes)),
        Action::Revive(nodes) => format!("{} come back", count(nodes)),
        Action::Wake(nodes) => format!("{} stay awake", count(nodes)),
        Action::Sleep(nodes) => format!("{} sleep", count(nodes)),
        Action::Move(node, _) => format!("device {} moves", node.0),
        Action::Partition(nodes) => format!("{} cut off", count(nodes)),
        Action::Heal => "the cut heals".into(),
        Action::Rebind(nodes) => format!("{} rebound", count(nodes)),
        Action::RestartBroker => "broker restarts".into(),
        Action::Drift(nodes, ppm) => format!("{}: clock {ppm:+} ppm", count(nodes)),
        Action::Jam(Some(_)) => "jammer on".into(),
        Action::Jam(None) => "jammer off".into(),
        Action::Command { topic, .. } => format!("command to {topic}"),
        Action::Offer { topic, .. } => format!("offer on {topic}"),
    }
}

impl Folder {
    /// Makes the folder and sees whether files can be written there, before anything is computed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let folder = Self { path: path.into() };
        let probe = path.join("summary.json.part");
        File::create(&probe)?;
        fs::remove_file(probe)?;
        Ok(folder)
    }

    /// Where a file of this name goes.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn create(&self, name: &str) -> io::Result<BufWriter<File>> {
        Ok(BufWriter::with_capacity(1 << 16, File::create(self.path.join(name))?))
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        fs::write(self.path.join(name), text)
    }

    /// Writes everything but the capture.
    pub(crate) fn write_run(&self, run: &Run<'_>) -> io::Result<()> {
        let mut nodes = self.create("nodes.csv")?;
        run.write_nodes(&mut nodes)?;
        nodes.flush()?;
        let mut messages = self.create("messages.csv")?;
        run.write_messages(&mut messages)?;
        messages.flush()?;
        self.write("report.html", &run.report())?;
        self.write("summary.json", &format!("{:#}\n", run.summary()))
    }
}
