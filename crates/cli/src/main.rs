//! The `sedge` command.

fn main() {}
