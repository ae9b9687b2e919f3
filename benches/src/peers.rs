//! Servers and clients on what others wrote.

pub(crate) mod c_program;
pub(crate) mod gnutls;
pub(crate) mod libcoap;
pub(crate) mod mbedtls;
pub(crate) mod ns3;
pub(crate) mod openssl;
pub(crate) mod rust;
pub(crate) mod wolfssl;

use std::env;
use std::path::PathBuf;

use crate::Settings;
use crate::pki::Pki;
use crate::process::ServerProcess;
use crate::scenario::Scenario;

/// A server that others wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    OpenSsl,
    MbedTls,
    GnuTls,
    WolfSsl,
    Dimpl,
    RtcDtls,
}

impl Peer {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OpenSsl => "OpenSSL",
            Self::MbedTls => "Mbed TLS",
            Self::GnuTls => "GnuTLS",
            Self::WolfSsl => "wolfSSL",
            Self::Dimpl => "dimpl",
            Self::RtcDtls => "rtc-dtls",
        }
    }

    /// Those that can do it.
    pub(crate) fn of(scenario: Scenario) -> &'static [Self] {
        match (scenario.dtls_1_3, scenario.resume, scenario.auth) {
            (false, false, _) => &[Self::OpenSsl, Self::MbedTls, Self::GnuTls, Self::Dimpl, Self::RtcDtls],
            (false, true, _) => &[Self::OpenSsl, Self::MbedTls, Self::GnuTls],
            // dimpl's DTLS 1.3 has no pre-shared keys, and neither resumption.
            (true, _, crate::scenario::Auth::Psk) | (true, true, _) => &[Self::WolfSsl],
            (true, false, _) => &[Self::WolfSsl, Self::Dimpl],
        }
    }

    pub(crate) fn serve(
        self,
        settings: &Settings,
        scenario: Scenario,
        pki: &Pki,
    ) -> Result<ServerProcess, String> {
        match self {
            Self::OpenSsl => openssl::serve(settings, scenario, pki),
            Self::MbedTls => mbedtls::serve(settings, scenario, pki),
            Self::GnuTls => gnutls::serve(settings, scenario, pki),
            Self::WolfSsl => wolfssl::serve(settings, scenario, pki),
            Self::Dimpl => rust::serve("dimpl", scenario, pki),
            Self::RtcDtls => rust::serve("rtc-dtls", scenario, pki),
        }
    }
}

/// The names and versions of all of them.
pub(crate) fn versions() -> Vec<String> {
    let coap_lite = Some("coap-lite 0.13".to_owned());
    let c = [openssl::version(), mbedtls::version(), gnutls::version(), wolfssl::version()];
    [coap_lite]
        .into_iter()
        .chain(c)
        .flatten()
        .chain(rust::versions())
        .chain(libcoap::version())
        .chain(ns3::version())
        .collect()
}

/// Where `benches/setup` puts what it builds.
fn cached(name: &str) -> Option<PathBuf> {
    let peers = env::var_os("SEDGE_PEERS").map(PathBuf::from).or_else(|| {
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
        Some(cache?.join("sedge-peers"))
    });
    Some(peers?.join(name))
}
