//! What part of a server's CPU time passes in the system calls that wait, receive and send: `peers/meter.c`, preloaded
//! into every server.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::NamedTempFile;

use crate::Settings;
use crate::peers::c_program::CProgram;

/// The counters of one server.
pub(crate) struct Meter {
    file: File,
    /// Gone when this is.
    _name: NamedTempFile,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    /// Datagrams.
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// CPU time in the calls.
    pub(crate) nanoseconds: u64,
}

/// Compiles what is preloaded.
pub(crate) fn build(settings: &Settings) -> Result<PathBuf, String> {
    CProgram {
        name: "meter.so",
        source: include_str!("../peers/meter.c"),
        flags: ["-shared", "-fPIC"].map(str::to_owned).into(),
        libraries: Vec::new(),
    }
    .build(settings)
}

impl Meter {
    /// Has `command` run with a meter.
    pub(crate) fn attach(library: &Path, command: &mut Command) -> io::Result<Self> {
        let name = NamedTempFile::new()?;
        let file = OpenOptions::new().read(true).write(true).open(name.path())?;
        file.set_len(4096)?;
        command.env("LD_PRELOAD", library).env("SEDGE_BENCH_METER", name.path());
        Ok(Self { file, _name: name })
    }

    /// Begins to count.
    pub(crate) fn start(&self) -> io::Result<()> {
        self.file.write_all_at(&[0; 40], 0)?;
        self.file.write_all_at(&1_u64.to_ne_bytes(), 0)
    }

    /// Counts no more, and says how much it was.
    pub(crate) fn stop(&self) -> io::Result<Counts> {
        self.file.write_all_at(&0_u64.to_ne_bytes(), 0)?;
        let mut words = [[0; 8]; 4];
        self.file.read_exact_at(words.as_flattened_mut(), 8)?;
        let [calls, received, sent, nanoseconds] = words.map(u64::from_ne_bytes);
        Ok(Counts { calls, received, sent, nanoseconds })
    }
}
