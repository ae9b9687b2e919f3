//! Benchmarks: everything measured side by side in one run.
//!
//! `cargo run --release -p sedge-bench -- all` prints a table for each part and writes them as JSON and Markdown; a part
//! run alone takes the place of the same part there. Absolute
//! figures depend on the machine and on what else it does; ratios of contenders that took turns in one run
//! do not, so every goal is a ratio, a size or a number of bytes. Where a figure is per second, it is per
//! second of CPU time of the *server* (user and system), for the load generator shares the machine with it.

mod access;
mod bare;
mod codec;
mod comparison;
mod contender;
mod cose;
mod cpu;
mod echo;
mod fleet;
mod footprint;
mod generator;
mod handshakes;
mod instructions;
mod load;
mod meter;
mod million;
mod net;
mod peers;
mod pki;
mod process;
mod profile;
mod protection;
mod public_keys;
mod render;
mod report;
mod scale;
mod scenario;
mod serve;
mod simulator;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::process::Surroundings;
use crate::report::{Book, Report, Row, load_average};

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
    /// Messages of COSE, beside coset.
    Cose,
    /// Handshakes with pre-shared keys per core, beside every peer, and the bytes of one.
    Handshakes,
    /// Handshakes with certificates, resumed ones and DTLS 1.3, beside every peer.
    PublicKeys,
    /// 64 bytes there and back, beside a raw UDP echo.
    Echo,
    /// Bytes of memory per idle session, beside OpenSSL and libcoap.
    Memory,
    /// One publish to many observers, beside bare sendmmsg.
    FanOut,
    /// Protection of values from end to end, beside values in the open.
    Protection,
    /// Whether a device may do something, with 10,000 rules and 100,000 devices.
    Access,
    /// Simulated networks, beside real time and ns-3.
    Simulator,
    /// A million sessions at once; takes some minutes and 2 GB.
    Million,
    /// What a client costs on a Cortex-M4, in QEMU.
    Footprint {
        /// Compares with the page instead of writing it, and fails if something has grown.
        #[arg(long)]
        check: bool,
        /// The page.
        #[arg(long, value_name = "FILE", default_value = "docs/FOOTPRINT.md")]
        page: PathBuf,
    },
    /// What a client computes on a Cortex-M4, in QEMU, and what a publication costs a battery.
    #[command(after_help = "Example: sedge-bench instructions --check")]
    Instructions {
        /// Compares with the page instead of writing it, and fails if something has grown or is beyond its limit.
        #[arg(long)]
        check: bool,
        /// The page.
        #[arg(long, value_name = "FILE", default_value = "docs/INSTRUCTIONS.md")]
        page: PathBuf,
    },
    /// Handshakes with one server, to look at it with perf or valgrind.
    #[command(
        after_help = "Example: sedge-bench profile broker --count 20000 --under \"perf record -o perf.data\""
    )]
    Profile(profile::Profile),
    /// One simulated network, for the part that measures them.
    #[command(hide = true)]
    Simulate(simulator::Simulate),
    /// What the parts run in processes of their own.
    #[command(hide = true)]
    Serve {
        #[command(subcommand)]
        server: serve::Server,
    },
}

type Part = (&'static str, fn(&Settings, &mut Report) -> Result<(), String>);

const PARTS: [Part; 11] = [
    ("codec", codec::run),
    ("handshakes", handshakes::run),
    ("public keys", public_keys::run),
    ("echo", echo::run),
    ("memory", scale::memory),
    ("fan-out", scale::fan_out),
    ("million", million::run),
    ("protection", protection::run),
    ("access", access::run),
    ("cose", cose::run),
    ("simulator", simulator::run),
];

impl Command {
    fn parts(&self) -> &'static [Part] {
        match self {
            Self::All => &PARTS,
            Self::Codec => &PARTS[0..1],
            Self::Handshakes => &PARTS[1..2],
            Self::PublicKeys => &PARTS[2..3],
            Self::Echo => &PARTS[3..4],
            Self::Memory => &PARTS[4..5],
            Self::FanOut => &PARTS[5..6],
            Self::Protection => &PARTS[7..8],
            Self::Million => &PARTS[6..7],
            Self::Access => &PARTS[8..9],
            Self::Cose => &PARTS[9..10],
            Self::Simulator => &PARTS[10..11],
            Self::Footprint { .. }
            | Self::Instructions { .. }
            | Self::Profile(_)
            | Self::Serve { .. }
            | Self::Simulate(_) => &[],
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
    if let Command::Simulate(simulate) = &command {
        let Err(why) = simulate.run() else { return ExitCode::SUCCESS };
        eprintln!("sedge-bench simulate: {why}");
        return ExitCode::FAILURE;
    }
    if let Command::Footprint { check, page } = &command {
        let Err(why) = footprint::run(page, *check) else { return ExitCode::SUCCESS };
        eprintln!("sedge-bench footprint: {why}");
        return ExitCode::FAILURE;
    }
    if let Command::Instructions { check, page } = &command {
        let Err(why) = instructions::run(page, *check) else { return ExitCode::SUCCESS };
        eprintln!("sedge-bench instructions: {why}");
        return ExitCode::FAILURE;
    }
    if let Command::Profile(profile) = &command {
        let Err(why) = profile.run(&settings) else { return ExitCode::SUCCESS };
        eprintln!("sedge-bench profile: {why}");
        return ExitCode::FAILURE;
    }
    match meter::build(&settings) {
        Ok(library) => Surroundings { meter: Some(library), ..Surroundings::default() }.use_for_all(),
        Err(why) => eprintln!("sedge-bench: what passes in system calls is not measured: {why}"),
    }
    let mut failed = false;
    for &(name, run) in command.parts() {
        eprintln!("measuring {name} ...");
        let mut report = Report::new(name, settings.quick);
        if let Err(why) = run(&settings, &mut report) {
            eprintln!("sedge-bench: {name}: {why}");
            report.rows.push(Row::missing(name, "this part", why));
            failed = true;
        }
        report.machine.load_at_end = load_average();
        print!("{}", render::terminal(&report));
        // After each part: what has been measured stays if the next one fails.
        let mut book = Book::read(&settings.out);
        book.put(report);
        if let Err(error) = book.write(&settings.out, settings.markdown.as_deref()) {
            eprintln!("sedge-bench: cannot write the report to {}: {error}", settings.out.display());
            return ExitCode::FAILURE;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
