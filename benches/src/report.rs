//! The table: what was measured, against what, and whether it reaches its goal.

use std::path::Path;
use std::{fs, io};

use serde::Serialize;

use crate::cpu::Samples;
use crate::render;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// More is better: the ratio is Sedge over the other.
    Higher,
    /// Less is better: the ratio is the other over Sedge.
    Lower,
}

/// What a figure has to reach.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    /// The ratio is at least this.
    Ratio(f64),
    /// Sedge's own figure is at most this.
    AtMost(f64),
}

/// What Sedge is measured against.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Other {
    pub(crate) name: String,
    pub(crate) value: f64,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) part: &'static str,
    pub(crate) what: String,
    pub(crate) unit: &'static str,
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
    #[serde(skip_serializing_if = "Option::is_none")]
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
            part,
            what: what.into(),
            unit,
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
#[derive(Clone, Debug, Serialize)]
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

/// Everything one run found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// The peers' own names and versions.
    pub(crate) peers: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

pub(crate) fn write_files(report: &Report, out: &Path, markdown: Option<&Path>) -> io::Result<()> {
    fs::create_dir_all(out)?;
    let json = serde_json::to_string_pretty(report).map_err(io::Error::other)?;
    fs::write(out.join("bench.json"), json + "\n")?;
    let text = render::markdown(report);
    fs::write(out.join("bench.md"), &text)?;
    if let Some(path) = markdown {
        fs::write(path, text)?;
    }
    Ok(())
}
