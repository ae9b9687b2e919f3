//! `run` and `check`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant as WallClock};

use sedge_time::Instant;

use super::progress::Progress;
use super::saved::SCENARIO;
use super::{CheckArgs, Failure, RunArgs, line};
use crate::Random;
use crate::network::NodeId;
use crate::report::{Capture, Folder, Run, plot::number, time};
use crate::scenario::{Scenario, ScenarioError, Settings};
use crate::simulation::{Action, Simulation};

pub(super) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let file = args.scenario.display().to_string();
    let folder = args.scenario.parent().unwrap_or(Path::new("."));
    let scenario = Scenario::read(&file, &read(&args.scenario)?, folder).map_err(Failure::new)?;
    let simulation = scenario.builder(0).build().map_err(Failure::new)?;
    reach(&file, &scenario, &simulation)?;
    line(format!(
        "{}: {} devices for {}: it can be run",
        args.scenario.display(),
        scenario.topology.devices(),
        time(scenario.duration.as_micros() as f64 / 1e6)
    ))
}

pub(super) fn run(args: &RunArgs) -> Result<(), Failure> {
    let file = args.scenario.display().to_string();
    let text = changed(&file, read(&args.scenario)?, &args.set)?;
    let file = if args.set.is_empty() { file } else { format!("{file} with --set") };
    let folder = args.scenario.parent().unwrap_or(Path::new("."));
    let scenario = Scenario::read(&file, &text, folder).map_err(Failure::new)?;
    // Before an hour of work, not after it.
    let out = args.out.as_deref().map(folder_for_results).transpose()?;
    let seed = args.seed.unwrap_or_else(chosen_seed);
    if args.seed.is_none() {
        eprintln!("seed {seed}");
    }
    let mut simulation = scenario.builder(seed).build().map_err(Failure::new)?;
    reach(&file, &scenario, &simulation)?;
    if let Some(out) = &out {
        let failed = |error: std::io::Error| Failure::new(format!("trace.pcapng: {error}"));
        let (target, record) = (out.path("trace.pcapng"), simulation.shared_record());
        let capture = Capture::new(target, scenario.has_frames(), scenario.capture_bytes, record);
        let capture = capture.map_err(failed)?;
        simulation.observe(Box::new(capture));
    }
    let began = WallClock::now();
    go(&mut simulation, &scenario, args.quiet);
    let took = began.elapsed().as_secs_f64();
    simulation.end().map_err(|error| Failure::new(format!("trace.pcapng: {error}")))?;
    let run = Run::new(&scenario, seed, &simulation);
    if let Some(out) = &out {
        out.write_run(&run)
            .and_then(|()| out.write(SCENARIO, &scenario.portable(&text)))
            .map_err(|error| Failure::new(format!("the report: {error}")))?;
    }
    if args.json {
        return line(format!("{:#}", run.summary()));
    }
    tell(&run, took)?;
    if scenario.traffic.is_empty() {
        line("nobody said anything: a section [[traffic]] has devices publish, as in `period = \"60s\"`")?;
    }
    match &args.out {
        Some(path) => line(format!("report     {}", path.join("report.html").display())),
        None => line("help: `--out FOLDER` writes a report, tables and a capture"),
    }
}

/// Runs a scenario to its end, with a progress bar.
pub(super) fn go(simulation: &mut Simulation, scenario: &Scenario, quiet: bool) {
    let mut progress = Progress::new(quiet);
    let end = Instant::EPOCH + scenario.duration;
    while !simulation.run_some(end, Duration::from_millis(100)) {
        let share = simulation.now().as_micros() as f64 / end.as_micros() as f64;
        progress.show(share, &time(simulation.now().as_micros() as f64 / 1e6));
    }
    progress.end();
}

fn tell(run: &Run<'_>, took: f64) -> Result<(), Failure> {
    let simulated = run.simulation.now().as_micros() as f64 / 1e6;
    let devices = run.simulation.network().len() - 1;
    line(format!(
        "{}: {devices} devices, {} simulated in {took:.1} s ({} times real time)",
        run.name,
        time(simulated),
        number(simulated / took)
    ))?;
    for kind in crate::record::Kind::ALL {
        let figures = run.figures(kind);
        let Some(delivery) = figures.delivery() else { continue };
        let value = |value: Option<f64>| value.map_or("–".into(), number);
        line(format!(
            "{:<12} {:>7}   delivered {:>6.2} %   latency median {} ms, 99 % {} ms",
            format!("{kind}s"),
            figures.messages,
            delivery * 100.0,
            value(figures.quantile_ms(0.5)),
            value(figures.quantile_ms(0.99)),
        ))?;
    }
    line(format!("trace hash {}", run.hash()))
}

/// What to do about devices that are out of reach.
pub(super) const NEARER: &str =
    "more `power` in [radio], another `routing`, or smaller distances in [topology]";

/// The devices that cannot reach the border router, as far as that is known before the run.
pub(super) fn out_of_reach(scenario: &Scenario, simulation: &Simulation) -> Vec<NodeId> {
    let moves = scenario.events.iter().any(|(_, action)| matches!(action, Action::Move(..)));
    if scenario.has_frames() && !moves { simulation.out_of_reach() } else { Vec::new() }
}

/// Refuses a network in which nobody can reach the border router, and warns of devices that cannot.
fn reach(file: &str, scenario: &Scenario, simulation: &Simulation) -> Result<(), Failure> {
    let out_of_reach = out_of_reach(scenario, simulation);
    if out_of_reach.is_empty() {
        return Ok(());
    }
    if out_of_reach.len() == usize::from(scenario.topology.devices()) {
        return Err(Failure::new(format!("{file}: no device can reach the border router\nhelp: {NEARER}")));
    }
    let first: Vec<String> = out_of_reach.iter().take(10).map(|node| node.0.to_string()).collect();
    let more = if out_of_reach.len() > first.len() { ", ..." } else { "" };
    eprintln!(
        "warning: {} of {} devices cannot reach the border router: {}{more}\nhelp: {NEARER}",
        out_of_reach.len(),
        scenario.topology.devices(),
        first.join(", ")
    );
    Ok(())
}

/// The scenario's text with what was given as `--set`.
pub(super) fn changed(file: &str, text: String, set: &[String]) -> Result<String, Failure> {
    let settings = set.iter().map(|set| Settings::parse(set)).collect::<Result<Vec<_>, _>>();
    let mut settings = settings.map_err(Failure::new)?.into_iter();
    settings.try_fold(text, |text, setting| setting.apply(file, &text)).map_err(Failure::new)
}

/// Where results go, if that can be written to.
pub(super) fn folder_for_results(path: &Path) -> Result<Folder, Failure> {
    Folder::open(path).map_err(|error| {
        Failure::new(format!(
            "{}: {error}\nhelp: choose a folder that can be written to with --out",
            path.display()
        ))
    })
}

pub(super) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        Failure::new(format!(
            "{}: {error}\nhelp: the scenarios that come along are in sim/scenarios",
            path.display()
        ))
    })
}

/// Any seed will do, as long as it is printed.
fn chosen_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // Short enough to be typed again.
    Random::new(now.as_nanos() as u64).bits() % 1_000_000
}

impl From<ScenarioError> for Failure {
    fn from(error: ScenarioError) -> Self {
        Self::new(error)
    }
}
