//! `replay`: the same run once more.

use super::saved::Saved;
use super::{Failure, ReplayArgs, line, run as running};
use crate::report::Run;

pub(super) fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let saved = Saved::find(&args.run, &args.within)?;
    let mut simulation = saved.scenario.builder(saved.seed).build().map_err(Failure::new)?;
    running::go(&mut simulation, &saved.scenario, false);
    let hash = Run::new(&saved.scenario, saved.seed, &simulation).hash();
    if hash == saved.hash {
        return line(format!("{}: the same to the bit, {hash}", saved.folder.display()));
    }
    Err(Failure::new(format!(
        "{}: another run than before\n  then {}\n  now  {hash}\nhelp: the run was made by sedge-sim {}, this is {}; a \
         change of any protocol changes the hash",
        saved.folder.display(),
        saved.hash,
        saved.summary["version"].as_str().unwrap_or("of another version"),
        env!("CARGO_PKG_VERSION"),
    )))
}
