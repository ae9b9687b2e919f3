//! The implementations that Sedge meets, and what each cannot do.

use std::process::Command;

use sedge_tests::peers;

use super::feature::{Auth, Feature, Group, Then, Version};

/// An implementation that nobody here wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Library {
    OpenSsl,
    GnuTls,
    MbedTls,
    WolfSsl,
    Dimpl,
    Webrtc,
    Pion,
    Scandium,
}

/// Which end of a connection the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Server,
    Client,
}

impl Library {
    pub(crate) const ALL: [Self; 8] = [
        Self::OpenSsl,
        Self::GnuTls,
        Self::MbedTls,
        Self::WolfSsl,
        Self::Dimpl,
        Self::Webrtc,
        Self::Pion,
        Self::Scandium,
    ];

    /// Its name and version; of Debian's packages, which are updated, only what cannot change there.
    pub(crate) fn title(self) -> String {
        match self {
            Self::OpenSsl => format!("OpenSSL {}", version_of("openssl", "version")),
            Self::GnuTls => format!("GnuTLS {}", version_of("gnutls-cli", "--version")),
            Self::MbedTls => "Mbed TLS 3.6.5".to_owned(),
            Self::WolfSsl => "wolfSSL 5.9.4".to_owned(),
            Self::Dimpl => "dimpl 0.9.0".to_owned(),
            Self::Webrtc => "webrtc-dtls 0.12.0".to_owned(),
            Self::Pion => "pion/dtls 3.1.15".to_owned(),
            Self::Scandium => "Scandium 3.14.0 (Californium)".to_owned(),
        }
    }

    /// One word for messages and filters.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::OpenSsl => "openssl",
            Self::GnuTls => "gnutls",
            Self::MbedTls => "mbedtls",
            Self::WolfSsl => "wolfssl",
            Self::Dimpl => "dimpl",
            Self::Webrtc => "webrtc",
            Self::Pion => "pion",
            Self::Scandium => "scandium",
        }
    }

    /// Whether this machine has it.
    pub(crate) fn available(self) -> Result<(), String> {
        match self {
            Self::OpenSsl => peers::program("openssl").map(|_| ()),
            Self::GnuTls => peers::program("gnutls-serv").map(|_| ()),
            Self::Scandium => peers::program("java").and_then(|_| peers::find()).map(|_| ()),
            _ => peers::find().map(|_| ()),
        }
    }

    /// Why it cannot have such a connection, if it cannot.
    pub(crate) fn cannot(self, feature: &Feature) -> Option<&'static str> {
        match self {
            _ if feature.version == Version::V13 && !matches!(self, Self::WolfSsl | Self::Dimpl) => {
                Some("has no DTLS 1.3")
            }
            Self::OpenSsl => {
                without_rfc_8442(feature).or(without_raw_keys(feature)).or(without_cids(feature))
            }
            Self::GnuTls => without_rfc_8442(feature).or(without_cids(feature)),
            Self::MbedTls => without_rfc_8442(feature).or(without_raw_keys(feature)),
            Self::WolfSsl => wolfssl(feature),
            Self::Dimpl => without_raw_keys(feature).or(without_cids(feature)).or(dimpl(feature)),
            Self::Webrtc => without_rfc_8442(feature)
                .or(without_raw_keys(feature))
                .or(without_cids(feature))
                .or(feature.resumes().then_some("has no resumption")),
            Self::Pion => without_rfc_8442(feature)
                .or(without_raw_keys(feature))
                .or((feature.then == Then::Ticket).then_some("has no tickets")),
            Self::Scandium => (feature.then == Then::Ticket).then_some("has no tickets"),
        }
    }

    /// Why it cannot be this end of such a connection over a link that loses datagrams, though it can over another.
    pub(crate) fn cannot_when_lossy(self, feature: &Feature, role: Role) -> Option<&'static str> {
        match (self, role) {
            // Its last flight is lost, and it does not send it again.
            (Self::Pion, Role::Client) if feature.resumes() => Some("does not repeat a lost last flight"),
            // It sees that a flight is repeated only if Finished starts a record, and acknowledges it no second time.
            (Self::Dimpl, Role::Server)
                if feature.version == Version::V13 && feature.auth == Auth::Certificates =>
            {
                Some("does not acknowledge a repeated flight again")
            }
            (Self::OpenSsl | Self::GnuTls, Role::Server) if feature.resumes() => {
                Some("waits for the goodbye that was lost")
            }
            _ => None,
        }
    }
}

fn without_raw_keys(feature: &Feature) -> Option<&'static str> {
    (feature.auth == Auth::RawKeys).then_some("has no raw public keys")
}

fn without_cids(feature: &Feature) -> Option<&'static str> {
    feature.cid.then_some("has no Connection IDs")
}

fn without_rfc_8442(feature: &Feature) -> Option<&'static str> {
    feature.suite.starts_with("TLS_ECDHE_PSK_").then_some("has no suite of RFC 8442")
}

fn wolfssl(feature: &Feature) -> Option<&'static str> {
    if feature.suite.starts_with("TLS_ECDHE_PSK_") && !feature.is_gcm() {
        return Some("has only GCM of RFC 8442");
    }
    None
}

fn dimpl(feature: &Feature) -> Option<&'static str> {
    if feature.resumes() {
        return Some("has no resumption");
    }
    match (feature.version, feature.auth) {
        (Version::V12, Auth::Psk) if feature.group == Group::None => {
            (!feature.has_tag_of_8()).then_some("has only CCM_8 with PSK")
        }
        (Version::V12, Auth::Psk) => Some("has no suite of RFC 8442"),
        (Version::V13, Auth::Psk | Auth::PskEphemeral) => Some("has no PSK in DTLS 1.3"),
        _ if !feature.is_gcm() => Some("has only GCM with certificates"),
        _ => (feature.then == Then::Rekey).then_some("offers no KeyUpdate of its own"),
    }
}

/// The first two numbers of a program's version.
fn version_of(program: &str, flag: &str) -> String {
    let output = Command::new(program).arg(flag).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let word = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    word.map(|word| word.split('.').take(2).collect::<Vec<_>>().join(".")).unwrap_or_default()
}
