//! The commands of the simulator: the same for `sedge-sim` and for `sedge sim`.

mod compare;
mod explain;
mod progress;
mod replay;
mod run;
mod saved;
mod sweep;

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Simulate networks of constrained devices that run the real client against the real broker
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "A first run:\n    sedge sim run sim/scenarios/quickstart.toml --seed 7 --out results\n\nThen open results/report.html in a browser."
)]
pub struct SimArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario and write its report
    Run(RunArgs),
    /// Run a scenario again and again with other settings and seeds, and compare the results in a table and plots
    Sweep(SweepArgs),
    /// Show in what two runs differ
    Compare(CompareArgs),
    /// Run again what was run, and see whether it is the same to the bit
    Replay(ReplayArgs),
    /// Tell the life of one message: each transmission, back-off, fragment and retry with its time
    Explain(ExplainArgs),
    /// Check a scenario without running it
    Check(CheckArgs),
}

/// What to run.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    sedge sim run sim/scenarios/office-100.toml --seed 7 --out results")]
struct RunArgs {
    /// The scenario's file
    scenario: PathBuf,
    /// The seed of all chances; without it, one is chosen and printed
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// The folder for the report; without it, only the summary is printed
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Set a key of the scenario, as in `--set topology.nodes=20`
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// What to vary.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: how much loss can be borne, by networks of two sizes, with intervals from ten seeds:\n    sedge sim sweep sim/scenarios/quickstart.toml --vary loss=0,0.1,0.2,0.3 --vary nodes=5,20 --seeds 10 --out sweep"
)]
struct SweepArgs {
    /// The scenario's file
    scenario: PathBuf,
    /// A key of the scenario and the values it is to have, as in `channel.loss=0,0.1,0.2`; may be given more than once
    #[arg(long, value_name = "KEY=VALUES", required = true)]
    vary: Vec<String>,
    /// Change a key of the scenario for all runs, as in `duration=1h`; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How many seeds each setting is run with
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    seeds: u32,
    /// The first seed; the others follow it
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// How many runs go on at once; as many as there are cores if not given
    #[arg(long)]
    jobs: Option<usize>,
    /// The folder for sweep.csv, sweep.json and sweep.html
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// What to compare.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    sedge sim compare results-before results-after")]
struct CompareArgs {
    /// The folder of one run
    one: PathBuf,
    /// The folder of the other
    other: PathBuf,
    /// Print the differences as JSON
    #[arg(long)]
    json: bool,
}

/// What to run again.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n    sedge sim replay results\n    sedge sim replay 5f0c2a --in experiments"
)]
struct ReplayArgs {
    /// The folder of the run, a file in it such as its trace, or the beginning of its trace hash
    run: PathBuf,
    /// Where to look for the run with a hash
    #[arg(long = "in", value_name = "FOLDER", default_value = ".")]
    within: PathBuf,
}

/// What to explain.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: message 17, by its number in messages.csv:\n    sedge sim explain 17 --in results"
)]
struct ExplainArgs {
    /// The message's number
    message: u32,
    /// The folder of the run
    #[arg(long = "in", value_name = "FOLDER", default_value = ".")]
    within: PathBuf,
    /// Print the events as JSON
    #[arg(long)]
    json: bool,
}

/// What to check.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n    sedge sim check my-network.toml")]
struct CheckArgs {
    /// The scenario's file
    scenario: PathBuf,
}

/// Why a command came to nothing, in words for the person who gave it.
#[derive(Debug)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    fn new(words: impl fmt::Display) -> Self {
        Self(words.to_string())
    }
}

/// Does what was asked.
///
/// # Errors
/// What stood in the way, and what to do about it.
pub fn run(args: SimArgs) -> Result<(), Failure> {
    match args.command {
        Command::Run(args) => run::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Check(args) => run::check(&args),
    }
}

/// Prints a line; whoever reads no more of it has seen enough.
fn line(text: impl fmt::Display) -> Result<(), Failure> {
    use std::io::Write as _;
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(error)),
        _ => Ok(()),
    }
}
