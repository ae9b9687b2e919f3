//! The boards, and the images for them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sedge_tests::peers;

/// A board that QEMU emulates.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Board {
    /// With a Cortex-M4.
    An386,
    /// With a Cortex-M33.
    An505,
}

impl Board {
    /// What QEMU calls it.
    pub(crate) const fn machine(self) -> &'static str {
        match self {
            Self::An386 => "mps2-an386",
            Self::An505 => "mps2-an505",
        }
    }

    /// The image of the device that does what it is told, built once; or why there is none.
    pub(crate) fn trial(self) -> Result<PathBuf, String> {
        static BUILT: [OnceLock<Result<PathBuf, String>>; 2] = [OnceLock::new(), OnceLock::new()];
        peers::program("qemu-system-arm")?;
        peers::program("tshark")?;
        BUILT[self as usize].get_or_init(|| build(self)).clone()
    }
}

fn build(board: Board) -> Result<PathBuf, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/firmware-mps2/build");
    let name = board.machine().strip_prefix("mps2-").unwrap_or_default();
    // What cargo tells a test of its own build is not for that one.
    let foreign = std::env::vars().map(|(name, _)| name);
    let foreign = foreign.filter(|name| name.starts_with("CARGO_") && name != "CARGO_TARGET_DIR");
    let mut command = Command::new(script);
    command.arg(name).env_remove("RUSTFLAGS").env_remove("RUSTC");
    for name in foreign.filter(|name| name != "CARGO_HOME") {
        command.env_remove(name);
    }
    let output = command.output().map_err(|error| format!("examples/firmware-mps2/build: {error}"))?;
    if !output.status.success() {
        return Err(format!("the image was not built:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("trial"))
}
