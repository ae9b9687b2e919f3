//! Where the independent peers are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Peers that `tests/interop/setup` built.
#[derive(Debug)]
pub struct Peers {
    /// A Python with aiocoap.
    pub python: PathBuf,
    /// Mbed TLS behind the line protocol of `tests/interop/peers/README.md`, as are the others.
    pub mbedtls: PathBuf,
    /// wolfSSL.
    pub wolfssl: PathBuf,
    /// dimpl and webrtc-dtls, in one program.
    pub rust: PathBuf,
    /// pion/dtls.
    pub pion: PathBuf,
    /// The folder with Scandium's libraries and the classes of its peer.
    pub scandium: PathBuf,
    /// A Python with pycose and cwt.
    pub python_cose: PathBuf,
    /// coset and cose-rust, behind the commands of `tests/interop/peers/cose/README.md`.
    pub rust_cose: PathBuf,
    /// dcaf, behind the commands of `tests/interop/peers/ace/README.md`.
    pub rust_ace: PathBuf,
}

const SETUP: &str = "run tests/interop/setup once";

/// The built peers.
///
/// # Errors
/// One line that says which peer is missing and how to get it.
pub fn find() -> Result<&'static Peers, String> {
    static PEERS: OnceLock<Result<Peers, String>> = OnceLock::new();
    PEERS.get_or_init(look).as_ref().map_err(Clone::clone)
}

/// A program that has to be on the path.
///
/// # Errors
/// One line that says which program is missing and how to get it.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps these where not everybody's path leads.
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(more)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("{name} is not installed: {SETUP}"))
}

fn look() -> Result<Peers, String> {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/setup");
    let output = Command::new("bash")
        .arg(&setup)
        .arg("--env")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", setup.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut places: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let mut place = |name: &str| {
        let path = PathBuf::from(places.remove(name).unwrap_or_default());
        if path.exists() { Ok(path) } else { Err(format!("the peer {name} is not built: {SETUP}")) }
    };
    Ok(Peers {
        python: place("PYTHON")?,
        mbedtls: place("MBEDTLS")?,
        wolfssl: place("WOLFSSL")?,
        rust: place("RUST_PEERS")?,
        pion: place("PION")?,
        scandium: place("SCANDIUM")?,
        python_cose: place("PYTHON_COSE")?,
        rust_cose: place("RUST_COSE")?,
        rust_ace: place("RUST_ACE")?,
    })
}
