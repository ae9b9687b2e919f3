//! OpenSSL, in a server of as little code as possible, compiled when it is needed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Settings;
use crate::process::ServerProcess;

const SOURCE: &str = include_str!("../../peers/openssl_server.c");

/// Builds and starts `peers/openssl_server.c`.
pub(crate) fn start(settings: &Settings) -> Result<ServerProcess, String> {
    ServerProcess::announced(&mut Command::new(build(settings)?))
}

/// OpenSSL's own name and version.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("openssl").arg("version").output().ok()?;
    String::from_utf8(output.stdout).ok().map(|version| version.trim().to_owned())
}

fn build(settings: &Settings) -> Result<PathBuf, String> {
    let failed = |error| format!("cannot write to {}: {error}", settings.out.display());
    fs::create_dir_all(&settings.out).map_err(failed)?;
    let out = settings.out.canonicalize().map_err(failed)?;
    let (source, program) = (out.join("openssl_server.c"), out.join("openssl_server"));
    fs::write(&source, SOURCE).map_err(failed)?;
    let compiled = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-o"])
        .args([&program, &source])
        .args(["-lssl", "-lcrypto"])
        .output()
        .map_err(|error| format!("cannot run cc ({error}); benches/setup installs what is missing"))?;
    if !compiled.status.success() {
        let why = String::from_utf8_lossy(&compiled.stderr);
        let why = why.lines().next().unwrap_or("no reason given");
        return Err(format!("cc: {why}; benches/setup installs what is missing"));
    }
    Ok(program)
}
