//! dimpl and rtc-dtls: `peers/rust`, as `benches/setup` builds it.

use std::process::Command;

use super::cached;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::scenario::Scenario;

/// Starts a server on `library`.
pub(crate) fn serve(library: &str, scenario: Scenario, pki: &Pki) -> Result<ServerProcess, String> {
    let program = cached("bench-rust").map(|home| home.join("sedge-bench-peers"));
    let program = program.filter(|program| program.is_file());
    let program = program.ok_or_else(|| format!("{library} is missing; benches/setup builds it"))?;
    let mut command = Command::new(program);
    command
        .args([library, scenario.auth(), scenario.resumption(), scenario.version()])
        .args(["server.der", "server.key.der", "ca.der"].map(|name| pki.file(name)));
    ServerProcess::announced(&mut command)
}

/// Their names and versions, from the lock file they are built with.
pub(crate) fn versions() -> impl Iterator<Item = String> {
    let lock = include_str!("../../peers/rust/Cargo.lock");
    ["dimpl", "rtc-dtls"].into_iter().filter_map(move |library| {
        let package = lock
            .split("[[package]]")
            .find(|package| package.lines().any(|line| line == format!("name = \"{library}\"")))?;
        let version = package.lines().find_map(|line| line.strip_prefix("version = "))?;
        Some(format!("{library} {}, in benches/peers/rust", version.trim_matches('"')))
    })
}
