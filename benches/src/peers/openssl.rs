//! OpenSSL.

use std::process::Command;

use super::c_program::CProgram;
use crate::Settings;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::scenario::Scenario;

/// Builds and starts `peers/openssl_server.c`, with pre-shared keys.
pub(crate) fn start(settings: &Settings) -> Result<ServerProcess, String> {
    server().serve(settings, Scenario::PSK, None)
}

/// Builds and starts it for any scenario of DTLS 1.2.
pub(crate) fn serve(settings: &Settings, scenario: Scenario, pki: &Pki) -> Result<ServerProcess, String> {
    server().serve(settings, scenario, Some(pki))
}

fn server() -> CProgram {
    CProgram {
        name: "openssl_server",
        source: include_str!("../../peers/openssl_server.c"),
        flags: Vec::new(),
        libraries: ["-lssl", "-lcrypto"].map(str::to_owned).into(),
    }
}

/// Its own name and version.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("openssl").arg("version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    Some(format!("{}, in benches/peers/openssl_server.c and openssl_load.c", version.trim()))
}
