//! The simulator's pace: whole networks of real clients and the real broker's parts, beside real time and beside ns-3.
//!
//! Each run is a process of its own, so that its memory is its own; see [`Simulate`].

use std::env;
use std::fmt::Write as _;
use std::process::Command;

use sedge_sim::record::Kind;
use sedge_sim::scenario::Scenario;
use sedge_time::Instant;
use serde::{Deserialize, Serialize};

use crate::Settings;
use crate::cpu::{Samples, cpu_seconds};
use crate::peers::ns3;
use crate::report::{Better, Goal, Report, Row};

const PART: &str = "simulator";
const SEED: u64 = 7;

/// What lies below the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Below {
    /// Packets arrive after a millisecond.
    Ideal,
    /// Radios that all hear one another.
    Cell,
    /// Radios in a square field, 15 m apart, over several hops.
    Field,
}

/// One run, whose figures it prints as JSON.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Simulate {
    below: Below,
    nodes: u32,
    /// How long is simulated.
    seconds: u32,
    /// How often each device publishes.
    period: u32,
}

/// What a run took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Took {
    /// CPU time, that for making the network included.
    pub(crate) cpu_s: f64,
    /// Memory at the end that was not there at the beginning.
    pub(crate) resident_kb: u64,
    pub(crate) sent: u64,
    pub(crate) arrived: u64,
}

impl Simulate {
    /// Runs it here.
    pub(crate) fn run(&self) -> Result<(), String> {
        let before = resident_kb();
        let scenario = Scenario::parse("bench.toml", &self.scenario()).map_err(|error| error.to_string())?;
        let mut simulation = None;
        let cpu_s = cpu_seconds(|| {
            simulation = scenario.builder(SEED).build().ok();
            if let Some(simulation) = &mut simulation {
                simulation.run_until(Instant::EPOCH + scenario.duration);
            }
        });
        let simulation = simulation.ok_or("the network contradicts itself")?;
        let resident_kb = resident_kb().saturating_sub(before);
        let record = simulation.record();
        let publications = || record.messages().iter().filter(|message| message.kind == Kind::Publication);
        let arrived = publications().filter(|message| message.arrived.is_some()).count() as u64;
        let took = Took { cpu_s, resident_kb, sent: publications().count() as u64, arrived };
        println!("{}", serde_json::to_string(&took).map_err(|error| error.to_string())?);
        Ok(())
    }

    /// The network as a scenario: sensors with pre-shared keys and Connection IDs.
    fn scenario(&self) -> String {
        let Self { below, nodes, seconds, period } = *self;
        // Everybody signs in within the first tenth, or the first period if that is longer.
        let boot = (seconds / 10).max(period.min(seconds / 2));
        let mut text = format!("duration = \"{seconds}s\"\nboot = \"{boot}s\"\n");
        let below = match below {
            Below::Ideal => format!("[topology]\nnodes = {nodes}\n"),
            Below::Cell => format!(
                "[topology]\nkind = \"disc\"\nnodes = {nodes}\nradius = {:.1}\nseparation = 0.1\n\
                 [radio]\nprofile = \"nrf52840\"\npower = {:.1}\nrouting = \"star\"\n\
                 [channel]\nexponent = {:.1}\nshadowing = 0.0\n",
                ns3::RADIUS,
                ns3::POWER,
                ns3::EXPONENT
            ),
            Below::Field => format!(
                "[topology]\nkind = \"grid\"\nnodes = {nodes}\nspacing = 15.0\n\
                 [radio]\nprofile = \"nrf52840\"\npower = 8.0\n"
            ),
        };
        // A string takes everything.
        let _written = write!(
            text,
            "{below}[protocol]\ndtls = \"1.2\"\nsuite = \"TLS_PSK_WITH_AES_128_CCM_8\"\nconnection-id = true\n\
             [[traffic]]\nperiod = \"{period}s\"\njitter = \"{}ms\"\nbytes = 24\n",
            period * 30
        );
        text
    }

    /// Runs it in a process of its own.
    fn measure(&self) -> Result<Took, String> {
        let program = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let below = match self.below {
            Below::Ideal => "ideal",
            Below::Cell => "cell",
            Below::Field => "field",
        };
        let numbers = [self.nodes, self.seconds, self.period].map(|number| number.to_string());
        told(Command::new(program).arg("simulate").arg(below).args(numbers))
    }
}

/// What a program that ran a simulation says it took.
pub(crate) fn told(command: &mut Command) -> Result<Took, String> {
    let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{command:?}: {error}"))
}

/// Memory that this process has at present.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let (nodes, many, hour) = if settings.quick { (100, 1_000, 600) } else { (1_000, 10_000, 3_600) };
    let places = [
        (Below::Ideal, "a network without losses"),
        (Below::Field, "radios in a field, several hops"),
        (Below::Cell, "radios that all hear one another"),
    ];
    for (below, place) in places {
        let one = Simulate { below, nodes, seconds: hour, period: 60 };
        let what = format!("{nodes} devices, each publishes every 60 s, DTLS with CID; {place}");
        pace(settings, report, one, &what, settings.repetitions(5), true)?;
    }
    for (below, place) in &places[..2] {
        let one = Simulate { below: *below, nodes: many, seconds: 2 * hour, period: hour };
        let what = format!("{many} devices, each publishes every {} min; {place}", hour / 60);
        pace(settings, report, one, &what, 1, false)?;
    }
    beside_ns3(settings, report)
}

/// How many times faster than real time a network runs, and what each of its nodes takes of memory.
fn pace(
    settings: &Settings,
    report: &mut Report,
    one: Simulate,
    what: &str,
    repetitions: usize,
    goal: bool,
) -> Result<(), String> {
    let mut paces = Samples::default();
    let mut last = None;
    for _ in 0..repetitions {
        let took = one.measure()?;
        paces.push(f64::from(one.seconds) / took.cpu_s);
        last = Some(took);
    }
    let took = last.ok_or("no repetition")?;
    let real = Samples(vec![1.0; repetitions]);
    let row = Row::compare(PART, what, "s/s", Better::Higher, &paces, ("real time", &real));
    let note = format!(
        "{} of {} publications arrived in {} s; {:.0} node-seconds a second",
        took.arrived,
        took.sent,
        one.seconds,
        paces.median() * f64::from(one.nodes)
    );
    let row = row.note(note);
    report.rows.push(if goal && !settings.quick { row.goal(Goal::Ratio(1_000.0)) } else { row });
    let kilobytes = took.resident_kb as f64 / f64::from(one.nodes);
    report.rows.push(Row::figure(
        PART,
        format!("{what}: resident memory per node"),
        "kB",
        Better::Lower,
        kilobytes,
    ));
    Ok(())
}

/// A cell, in turn with ns-3, whose hosts speak nothing above UDP.
fn beside_ns3(settings: &Settings, report: &mut Report) -> Result<(), String> {
    let seconds = if settings.quick { 60 } else { 600 };
    let sizes: &[u32] = if settings.quick { &[20] } else { &[20, 100] };
    for &nodes in sizes {
        let what =
            format!("a cell of {nodes} devices, each publishes every 60 s: node-seconds per CPU second");
        let one = Simulate { below: Below::Cell, nodes, seconds, period: 60 };
        let (mut ours, mut theirs) = (Samples::default(), Samples::default());
        let (mut kilobytes, mut delivered) = ((0.0, 0.0), (0, 0));
        for _ in 0..settings.repetitions(3) {
            let took = one.measure()?;
            let other = match ns3::measure(settings, nodes, seconds, 60) {
                Ok(other) => other,
                Err(why) => {
                    report.rows.push(Row::missing(PART, format!("{what}: ns-3"), why));
                    return Ok(());
                }
            };
            let pace = |took: &Took| f64::from(nodes) * f64::from(seconds) / took.cpu_s;
            ours.push(pace(&took));
            theirs.push(pace(&other));
            kilobytes = (took.resident_kb as f64, other.resident_kb as f64);
            delivered = (other.arrived, other.sent);
        }
        let row = Row::compare(PART, &*what, "/s", Better::Higher, &ours, ("ns-3", &theirs));
        report.rows.push(row.note(format!("ns-3: {} of {} datagrams arrived", delivered.0, delivered.1)));
        let each = |kilobytes: f64| Samples(vec![kilobytes / f64::from(nodes)]);
        report.rows.push(Row::compare(
            PART,
            format!("a cell of {nodes} devices: resident memory per node"),
            "kB",
            Better::Lower,
            &each(kilobytes.0),
            ("ns-3", &each(kilobytes.1)),
        ));
    }
    Ok(())
}
