//! Servers in C, of as little code as possible around somebody else's library, compiled when they are needed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Settings;
use crate::process::ServerProcess;

const COMMON: (&str, &str) = ("batch.h", include_str!("../../peers/batch.h"));

/// A server's source and what it is compiled with.
pub(super) struct CServer {
    pub(super) name: &'static str,
    pub(super) source: &'static str,
    /// Arguments before and after the source.
    pub(super) flags: Vec<String>,
    pub(super) libraries: Vec<String>,
}

impl CServer {
    /// Compiles and starts it.
    pub(super) fn start(&self, settings: &Settings) -> Result<ServerProcess, String> {
        ServerProcess::announced(&mut Command::new(self.build(settings)?))
    }

    fn build(&self, settings: &Settings) -> Result<PathBuf, String> {
        let failed = |error| format!("cannot write to {}: {error}", settings.out.display());
        fs::create_dir_all(&settings.out).map_err(failed)?;
        let out = settings.out.canonicalize().map_err(failed)?;
        let (source, program) = (out.join(format!("{}.c", self.name)), out.join(self.name));
        fs::write(out.join(COMMON.0), COMMON.1).map_err(failed)?;
        fs::write(&source, self.source).map_err(failed)?;
        let compiled = Command::new("cc")
            .args(["-O2", "-Wall", "-Wextra"])
            .args(&self.flags)
            .arg("-o")
            .args([&program, &source])
            .args(&self.libraries)
            .output()
            .map_err(|error| format!("cannot run cc ({error}); benches/setup installs what is missing"))?;
        if !compiled.status.success() {
            let why = String::from_utf8_lossy(&compiled.stderr);
            let why = why.lines().find(|line| line.contains("error")).unwrap_or("no reason given");
            return Err(format!("cc: {why}; benches/setup installs what is missing"));
        }
        Ok(program)
    }
}
