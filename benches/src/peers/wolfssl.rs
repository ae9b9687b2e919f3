//! wolfSSL with its assembly for this processor, as `benches/setup` builds it. It is under the GPL, in programs of
//! their own.

use std::fs;
use std::path::PathBuf;

use super::c_program::CProgram;
use super::cached;
use crate::Settings;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::scenario::Scenario;

/// Builds and starts `peers/wolfssl_server.c` for any scenario of DTLS 1.3.
pub(crate) fn serve(settings: &Settings, scenario: Scenario, pki: &Pki) -> Result<ServerProcess, String> {
    let server = program("wolfssl_server", include_str!("../../peers/wolfssl_server.c"))?;
    server.serve(settings, scenario, Some(pki))
}

/// A program with wolfSSL.
pub(crate) fn program(name: &'static str, source: &'static str) -> Result<CProgram, String> {
    let home = home().filter(|home| home.is_dir()).ok_or("wolfSSL is missing; benches/setup builds it")?;
    Ok(CProgram {
        name,
        source,
        flags: vec!["-DWOLFSSL_USER_SETTINGS".into(), format!("-I{}", home.join("include").display())],
        libraries: vec![home.join("libwolfssl.a").display().to_string(), "-lm".into()],
    })
}

/// Its own name and version.
pub(crate) fn version() -> Option<String> {
    let header = fs::read_to_string(home()?.join("include/wolfssl/version.h")).ok()?;
    let line = header.lines().find(|line| line.contains("define LIBWOLFSSL_VERSION_STRING"))?;
    let version = line.split('"').nth(1)?;
    Some(format!("wolfSSL {version}, in benches/peers/wolfssl_server.c and wolfssl_load.c"))
}

fn home() -> Option<PathBuf> {
    cached("wolfssl-sys-5.3.0-fast")
}
