//! Programs in C, of as little code as possible around somebody else's library, compiled when they are needed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Settings;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::scenario::Scenario;

const COMMON: [(&str, &str); 2] =
    [("batch.h", include_str!("../../peers/batch.h")), ("load.h", include_str!("../../peers/load.h"))];

/// A program's source and what it is compiled with.
pub(crate) struct CProgram {
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    /// Arguments before and after the source.
    pub(crate) flags: Vec<String>,
    pub(crate) libraries: Vec<String>,
}

impl CProgram {
    /// Compiles and starts it as a server.
    pub(super) fn serve(
        &self,
        settings: &Settings,
        scenario: Scenario,
        pki: Option<&Pki>,
    ) -> Result<ServerProcess, String> {
        let mut command = Command::new(self.build(settings)?);
        if let Some(pki) = pki {
            command
                .args([scenario.auth(), scenario.resumption(), scenario.version()])
                .args(["server.pem", "server.key", "ca.pem"].map(|name| pki.file(name)));
        }
        ServerProcess::announced(&mut command)
    }

    /// Compiles it, and says where it is.
    pub(crate) fn build(&self, settings: &Settings) -> Result<PathBuf, String> {
        let failed = |error| format!("cannot write to {}: {error}", settings.out.display());
        fs::create_dir_all(&settings.out).map_err(failed)?;
        let out = settings.out.canonicalize().map_err(failed)?;
        let (source, program) = (out.join(format!("{}.c", self.name)), out.join(self.name));
        // What has been compiled before may be running, and is the same as long as all that goes into it is.
        let parts = COMMON.iter().map(|(_, text)| *text).chain([self.source]);
        let stamp = parts.chain(self.flags.iter().map(String::as_str)).collect::<String>();
        let stamp_file = out.join(format!("{}.stamp", self.name));
        if program.exists() && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
            return Ok(program);
        }
        for (name, text) in COMMON {
            fs::write(out.join(name), text).map_err(failed)?;
        }
        fs::write(&source, self.source).map_err(failed)?;
        let fresh = out.join(format!("{}.new", self.name));
        let compiled = Command::new("cc")
            .args(["-O2", "-Wall", "-Wextra"])
            .args(&self.flags)
            .arg("-o")
            .args([&fresh, &source])
            .args(&self.libraries)
            .output()
            .map_err(|error| format!("cannot run cc ({error}); benches/setup installs what is missing"))?;
        if !compiled.status.success() {
            let why = String::from_utf8_lossy(&compiled.stderr);
            let why = why.lines().find(|line| line.contains("error")).unwrap_or("no reason given");
            return Err(format!("cc: {why}; benches/setup installs what is missing"));
        }
        fs::rename(&fresh, &program).map_err(failed)?;
        fs::write(&stamp_file, stamp).map_err(failed)?;
        Ok(program)
    }
}
