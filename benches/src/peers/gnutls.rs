//! GnuTLS.

use std::process::Command;

use super::c_program::CProgram;
use crate::Settings;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::scenario::Scenario;

/// Builds and starts `peers/gnutls_server.c` for any scenario of DTLS 1.2.
pub(crate) fn serve(settings: &Settings, scenario: Scenario, pki: &Pki) -> Result<ServerProcess, String> {
    let server = CProgram {
        name: "gnutls_server",
        source: include_str!("../../peers/gnutls_server.c"),
        flags: Vec::new(),
        libraries: vec!["-lgnutls".into()],
    };
    server.serve(settings, scenario, Some(pki))
}

/// Its own name and version.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("pkg-config").args(["--modversion", "gnutls"]).output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    let version = Some(version.trim()).filter(|version| !version.is_empty())?;
    Some(format!("GnuTLS {version}, in benches/peers/gnutls_server.c"))
}
