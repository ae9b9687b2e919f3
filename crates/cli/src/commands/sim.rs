//! `sedge sim`: the simulator, as the package `sedge-sim` has it.

use sedge_sim::command::{self, SimArgs};

use crate::failure::Failure;

pub(crate) fn run(args: SimArgs) -> Result<(), Failure> {
    command::run(args).map_err(|failure| {
        // With the line of the scenario that is wrong below it.
        eprintln!("sedge: {failure}");
        Failure::silent()
    })
}
