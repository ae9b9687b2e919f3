//! Benchmarks: everything measured side by side in one run.
//!
//! `cargo run --release -p sedge-bench -- all` prints one table and writes it as JSON and Markdown. Absolute
//! figures depend on the machine and on what else it does; ratios of contenders that took turns in one run
//! do not, so every goal is a ratio, a size or a number of bytes. Where a figure is per second, it is per
//! second of CPU time of the *server* (user and system), for the load generator shares the machine with it.

mod codec;
mod cpu;
mod echo;
mod fleet;
mod handshakes;
mod load;
mod net;
mod peers;
mod process;
mod render;
mod report;
mod scale;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report::{Machine, Report, Row, load_average, write_files};

#[global_allocator]
static HEAP: sedge_bench_allocations::CountingAllocator = sedge_bench_allocations::CountingAllocator;

/// Measures Sedge beside its peers and the bare kernel, in one run.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    settings: Settings,
}

#[derive(clap::Args)]
struct Settings {
    /// Where bench.json and bench.md go.
    #[arg(long, global = true, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
    /// Writes the Markdown here, too.
    #[arg(long, global = true, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Smaller and fewer: to see that it works, not to quote.
    #[arg(long, global = true)]
    quick: bool,
}

impl Settings {
    /// How often contenders take turns, if `usual` is what a full run does.
    fn repetitions(&self, usual: usize) -> usize {
        if self.quick { usual.min(3) } else { usual }
    }
}

#[derive(Subcommand)]
enum Command {
    /// Every part.
    All,
    /// Parse and serialise, beside coap-lite.
    Codec,
    /// Handshakes per core, beside OpenSSL, and the bytes of one.
    Handshakes,
    /// 64 bytes there and back, beside a raw UDP echo.
    Echo,
    /// Bytes of memory per idle session, beside OpenSSL and libcoap.
    Memory,
    /// One publish to many observers, beside bare sendmmsg.
    FanOut,
    /// What the parts run in processes of their own.
    #[command(hide = true)]
    Serve {
        #[command(subcommand)]
        server: serve::Server,
    },
}

type Part = (&'static str, fn(&Settings, &mut Report) -> Result<(), String>);

const PARTS: [Part; 5] = [
    ("codec", codec::run),
    ("handshakes", handshakes::run),
    ("echo", echo::run),
    ("memory", scale::memory),
    ("fan-out", scale::fan_out),
];

impl Command {
    fn parts(&self) -> &'static [Part] {
        match self {
            Self::All => &PARTS,
            Self::Codec => &PARTS[0..1],
            Self::Handshakes => &PARTS[1..2],
            Self::Echo => &PARTS[2..3],
            Self::Memory => &PARTS[3..4],
            Self::FanOut => &PARTS[4..5],
            Self::Serve { .. } => &[],
        }
    }
}

fn main() -> ExitCode {
    let Arguments { command, settings } = Arguments::parse();
    if let Command::Serve { server } = &command {
        let Err(error) = server.run() else { return ExitCode::SUCCESS };
        eprintln!("sedge-bench serve: {error}");
        return ExitCode::FAILURE;
    }
    let mut report = Report { machine: Machine::here(), peers: peers::versions(), rows: Vec::new() };
    let mut failed = false;
    for &(name, run) in command.parts() {
        eprintln!("measuring {name} ...");
        if let Err(why) = run(&settings, &mut report) {
            eprintln!("sedge-bench: {name}: {why}");
            report.rows.push(Row::missing(name, "this part", why));
            failed = true;
        }
    }
    report.machine.load_at_end = load_average();
    print!("{}", render::terminal(&report));
    if let Err(error) = write_files(&report, &settings.out, settings.markdown.as_deref()) {
        eprintln!("sedge-bench: cannot write the report to {}: {error}", settings.out.display());
        return ExitCode::FAILURE;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
