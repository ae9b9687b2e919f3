//! The table: what was measured, against what, and whether it reaches its goal.

use std::borrow::Cow;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::cpu::Samples;
use crate::{peers, render};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// More is better: the ratio is Sedge over the other.
    Higher,
    /// Less is better: the ratio is the other over Sedge.
    Lower,
}

/// What a figure has to reach.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    /// The ratio is at least this.
    Ratio(f64),
    /// Sedge's own figure is at most this.
    AtMost(f64),
}

/// What Sedge is measured against.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Other {
    pub(crate) name: String,
    pub(crate) value: f64,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) part: Cow<'static, str>,
    pub(crate) what: String,
    pub(crate) unit: Cow<'static, str>,
    pub(crate) better: Better,
    /// `None`: only the other was measured, and the note says why.
    pub(crate) sedge: Option<f64>,
    pub(crate) other: Option<Other>,
    /// How many times better Sedge is; below 1 it loses.
    pub(crate) ratio: Option<f64>,
    /// The lowest and highest ratio of single repetitions.
    pub(crate) ratio_range: Option<(f64, f64)>,
    pub(crate) goal: Option<Goal>,
    pub(crate) reached: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Row {
    /// Compares repetitions of Sedge and of another, taken in turn.
    pub(crate) fn compare(
        part: &'static str,
        what: impl Into<String>,
        unit: &'static str,
        better: Better,
        sedge: &Samples,
        (name, other): (&str, &Samples),
    ) -> Self {
        let ratios = match better {
            Better::Higher => sedge.ratios_to(other),
            Better::Lower => other.ratios_to(sedge),
        };
        Self {
            other: Some(Other { name: name.into(), value: other.median() }),
            ratio: Some(ratios.median()),
            ratio_range: (ratios.0.len() > 1).then(|| ratios.range()),
            ..Self::figure(part, what, unit, better, sedge.median())
        }
    }

    /// A figure of Sedge that stands alone.
    pub(crate) fn figure(
        part: &'static str,
        what: impl Into<String>,
        unit: &'static str,
        better: Better,
        sedge: f64,
    ) -> Self {
        Self {
            part: part.into(),
            what: what.into(),
            unit: unit.into(),
            better,
            sedge: Some(sedge),
            other: None,
            ratio: None,
            ratio_range: None,
            goal: None,
            reached: None,
            note: None,
        }
    }

    /// Something that could not be measured, and why: it is told, never passed over.
    pub(crate) fn missing(part: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            sedge: None,
            note: Some(format!("not measured: {}", why.into())),
            ..Self::figure(part, what, "", Better::Higher, 0.0)
        }
    }

    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.reached = match goal {
            Goal::Ratio(least) => self.ratio.map(|ratio| ratio >= least),
            Goal::AtMost(most) => self.sedge.map(|sedge| sedge <= most),
        };
        self.goal = Some(goal);
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// Where and how the figures were taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// Load average over the last minute when the run began: above 1 or so, others were at work.
    pub(crate) load_at_start: f64,
    pub(crate) load_at_end: f64,
    pub(crate) revision: String,
    pub(crate) rustc: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
        let load = load_average();
        Self {
            cpu: cpu.trim_start_matches([' ', '\t', ':']).into(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().into(),
            load_at_start: load,
            load_at_end: load,
            revision: first_line("git", &["describe", "--always", "--dirty"]),
            rustc: first_line("rustc", &["--version"]),
        }
    }
}

pub(crate) fn load_average() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    std::process::Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "unknown".into())
}

/// Everything that was found about one part, in one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) name: String,
    /// Smaller and fewer than what is to be quoted.
    pub(crate) quick: bool,
    pub(crate) machine: Machine,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(name: &str, quick: bool) -> Self {
        Self { name: name.into(), quick, machine: Machine::here(), rows: Vec::new() }
    }
}

/// The last report about each part.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    /// The peers' own names and versions.
    pub(crate) peers: Vec<String>,
    pub(crate) reports: Vec<Report>,
}

impl Book {
    /// What former runs left in this folder.
    pub(crate) fn read(out: &Path) -> Self {
        let text = fs::read_to_string(out.join("bench.json")).unwrap_or_default();
        let book: Self = serde_json::from_str(&text).unwrap_or_default();
        Self { peers: peers::versions(), ..book }
    }

    /// Takes the place of an earlier report about the same part.
    pub(crate) fn put(&mut self, report: Report) {
        match self.reports.iter_mut().find(|old| old.name == report.name) {
            Some(old) => *old = report,
            None => self.reports.push(report),
        }
        let order = |report: &Report| crate::PARTS.iter().position(|(name, _)| *name == report.name);
        self.reports.sort_by_key(order);
    }

    pub(crate) fn write(&self, out: &Path, markdown: Option<&Path>) -> io::Result<()> {
        fs::create_dir_all(out)?;
        let json = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        fs::write(out.join("bench.json"), json + "\n")?;
        let text = render::markdown(self);
        fs::write(out.join("bench.md"), &text)?;
        if let Some(path) = markdown {
            fs::write(path, text)?;
        }
        Ok(())
    }
}
