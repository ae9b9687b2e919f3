//! Mbed TLS with buffers of 1 kB, as `benches/setup` builds it.

use std::path::PathBuf;
use std::{env, fs};

use super::c_server::CServer;
use crate::Settings;
use crate::process::ServerProcess;

/// Builds and starts `peers/mbedtls_server.c`.
pub(crate) fn start(settings: &Settings) -> Result<ServerProcess, String> {
    let home = home().filter(|home| home.is_dir()).ok_or("Mbed TLS is missing; benches/setup builds it")?;
    let server = CServer {
        name: "mbedtls_server",
        source: include_str!("../../peers/mbedtls_server.c"),
        flags: vec![
            "-DMBEDTLS_SSL_IN_CONTENT_LEN=1024".into(),
            "-DMBEDTLS_SSL_OUT_CONTENT_LEN=1024".into(),
            format!("-I{}", home.join("include").display()),
        ],
        libraries: vec![home.join("libmbedtls.a").display().to_string()],
    };
    server.start(settings)
}

/// Its own name and version.
pub(crate) fn version() -> Option<String> {
    let header = fs::read_to_string(home()?.join("include/mbedtls/build_info.h")).ok()?;
    let line = header.lines().find(|line| line.contains("define MBEDTLS_VERSION_STRING_FULL"))?;
    Some(format!("{}, in benches/peers/mbedtls_server.c", line.split('"').nth(1)?))
}

/// Where the library is, if anywhere.
fn home() -> Option<PathBuf> {
    let peers = env::var_os("SEDGE_PEERS").map(PathBuf::from).or_else(|| {
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
        Some(cache?.join("sedge-peers"))
    });
    Some(peers?.join("mbedtls-rs-sys-0.3.1-1k"))
}
