//! Sedge's DTLS engine behind the command line and the line protocol of `tests/interop/peers/README.md`, so that it can
//! be put against the peers that nobody here wrote, and they against each other, by the same means.

mod client;
mod command;
mod party;
mod server;
mod talk;
mod wire;

pub use command::{Resume, Task};

/// Does what the command line says, until the other side or the standard input has enough.
///
/// # Errors
/// What went wrong, in one line.
pub fn run(task: &Task) -> Result<(), String> {
    if task.server { server::run(task) } else { client::run(task) }
}
