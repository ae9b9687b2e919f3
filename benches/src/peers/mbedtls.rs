//! Mbed TLS with buffers of 1 kB, as `benches/setup` builds it.

use std::fs;
use std::path::PathBuf;

use super::c_program::CProgram;
use super::cached;
use crate::Settings;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::scenario::Scenario;

/// Builds and starts `peers/mbedtls_server.c`, with pre-shared keys.
pub(crate) fn start(settings: &Settings) -> Result<ServerProcess, String> {
    server()?.serve(settings, Scenario::PSK, None)
}

/// Builds and starts it for any scenario of DTLS 1.2.
pub(crate) fn serve(settings: &Settings, scenario: Scenario, pki: &Pki) -> Result<ServerProcess, String> {
    server()?.serve(settings, scenario, Some(pki))
}

fn server() -> Result<CProgram, String> {
    let home = home().filter(|home| home.is_dir()).ok_or("Mbed TLS is missing; benches/setup builds it")?;
    Ok(CProgram {
        name: "mbedtls_server",
        source: include_str!("../../peers/mbedtls_server.c"),
        flags: vec![
            "-DMBEDTLS_SSL_IN_CONTENT_LEN=1024".into(),
            "-DMBEDTLS_SSL_OUT_CONTENT_LEN=1024".into(),
            format!("-I{}", home.join("include").display()),
        ],
        libraries: vec![home.join("libmbedtls.a").display().to_string()],
    })
}

/// Its own name and version.
pub(crate) fn version() -> Option<String> {
    let header = fs::read_to_string(home()?.join("include/mbedtls/build_info.h")).ok()?;
    let line = header.lines().find(|line| line.contains("define MBEDTLS_VERSION_STRING_FULL"))?;
    Some(format!("{}, in benches/peers/mbedtls_server.c", line.split('"').nth(1)?))
}

fn home() -> Option<PathBuf> {
    cached("mbedtls-rs-sys-0.3.1-1k")
}
