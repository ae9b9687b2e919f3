//! The simulator by itself; `sedge sim` is the same.

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "sedge-sim", version)]
struct Cli {
    #[command(flatten)]
    sim: sedge_sim::command::SimArgs,
}

fn main() -> ExitCode {
    match sedge_sim::command::run(Cli::parse().sim) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
