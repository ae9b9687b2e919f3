//! OpenSSL.

use std::process::Command;

use super::c_server::CServer;
use crate::Settings;
use crate::process::ServerProcess;

/// Builds and starts `peers/openssl_server.c`.
pub(crate) fn start(settings: &Settings) -> Result<ServerProcess, String> {
    let server = CServer {
        name: "openssl_server",
        source: include_str!("../../peers/openssl_server.c"),
        flags: Vec::new(),
        libraries: ["-lssl", "-lcrypto"].map(str::to_owned).into(),
    };
    server.start(settings)
}

/// Its own name and version.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("openssl").arg("version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    Some(format!("{}, in benches/peers/openssl_server.c", version.trim()))
}
