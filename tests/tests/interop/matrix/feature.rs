//! What a connection of the matrix is to have.

/// A version of DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V12,
    V13,
}

impl Version {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V12 => "1.2",
            Self::V13 => "1.3",
        }
    }
}

/// How the two sides authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// By a pre-shared key.
    Psk,
    /// By a pre-shared key of DTLS 1.3, with Diffie-Hellman.
    PskEphemeral,
    /// Both by raw public keys.
    RawKeys,
    /// Both by certificates.
    Certificates,
    /// The server alone, by a certificate.
    ServerCertificate,
}

/// A group for Diffie-Hellman.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// None is agreed on.
    None,
    P256,
    X25519,
    /// The client offers a share of P-256 and the server takes X25519 only.
    Retry,
}

/// What comes after the first exchange of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    /// Records go on under Connection IDs from another port.
    Rebind,
    /// The client asks for new keys, its own and the server's.
    Rekey,
    /// A second connection resumes the first by a ticket.
    Ticket,
    /// A second connection resumes the first by its identifier.
    SessionId,
}

/// A row of the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feature {
    /// What the table calls it.
    pub(crate) name: &'static str,
    pub(crate) version: Version,
    pub(crate) auth: Auth,
    /// The suite's name in the registry.
    pub(crate) suite: &'static str,
    pub(crate) group: Group,
    /// Whether both sides ask for Connection IDs.
    pub(crate) cid: bool,
    pub(crate) then: Then,
}

impl Feature {
    pub(crate) const fn resumes(&self) -> bool {
        matches!(self.then, Then::Ticket | Then::SessionId)
    }

    pub(crate) const fn has_tag_of_8(&self) -> bool {
        let name = self.suite.as_bytes();
        // ..._CCM_8 or ..._CCM_8_SHA256
        matches!(
            name,
            [.., b'C', b'C', b'M', b'_', b'8'] | [.., b'8', b'_', b'S', b'H', b'A', b'2', b'5', b'6']
        )
    }

    pub(crate) fn is_gcm(&self) -> bool {
        self.suite.contains("_GCM_")
    }
}

const fn row(
    name: &'static str,
    version: Version,
    auth: Auth,
    suite: &'static str,
    group: Group,
    cid: bool,
    then: Then,
) -> Feature {
    Feature { name, version, auth, suite, group, cid, then }
}

const V12: Version = Version::V12;
const V13: Version = Version::V13;
const PSK_CCM_8: &str = "TLS_PSK_WITH_AES_128_CCM_8";
const ECDSA_CCM_8: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8";
const ECDSA_CCM: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_CCM";
const ECDSA_GCM: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
const CCM_8: &str = "TLS_AES_128_CCM_8_SHA256";
const CCM: &str = "TLS_AES_128_CCM_SHA256";
const GCM: &str = "TLS_AES_128_GCM_SHA256";

/// Every row, in the order of the table.
#[rustfmt::skip]
pub(crate) const FEATURES: &[Feature] = &[
    row("PSK, CCM_8", V12, Auth::Psk, PSK_CCM_8, Group::None, false, Then::Nothing),
    row("PSK, CCM", V12, Auth::Psk, "TLS_PSK_WITH_AES_128_CCM", Group::None, false, Then::Nothing),
    row("PSK, CCM_8, Connection IDs, new port", V12, Auth::Psk, PSK_CCM_8, Group::None, true, Then::Rebind),
    row("PSK, CCM_8, session id", V12, Auth::Psk, PSK_CCM_8, Group::None, false, Then::SessionId),
    row("ECDHE_PSK, CCM_8, P-256", V12, Auth::Psk, "TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256", Group::P256, false, Then::Nothing),
    row("ECDHE_PSK, CCM, X25519", V12, Auth::Psk, "TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256", Group::X25519, false, Then::Nothing),
    row("ECDHE_PSK, GCM, X25519", V12, Auth::Psk, "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256", Group::X25519, false, Then::Nothing),
    row("certificates, CCM_8, P-256", V12, Auth::Certificates, ECDSA_CCM_8, Group::P256, false, Then::Nothing),
    row("certificates, CCM, X25519", V12, Auth::Certificates, ECDSA_CCM, Group::X25519, false, Then::Nothing),
    row("certificates, GCM, P-256", V12, Auth::Certificates, ECDSA_GCM, Group::P256, false, Then::Nothing),
    row("certificates, CCM_8, Connection IDs, new port", V12, Auth::Certificates, ECDSA_CCM_8, Group::P256, true, Then::Rebind),
    row("server's certificate, GCM, X25519", V12, Auth::ServerCertificate, ECDSA_GCM, Group::X25519, false, Then::Nothing),
    row("server's certificate, CCM_8, ticket", V12, Auth::ServerCertificate, ECDSA_CCM_8, Group::P256, false, Then::Ticket),
    row("server's certificate, CCM_8, session id", V12, Auth::ServerCertificate, ECDSA_CCM_8, Group::P256, false, Then::SessionId),
    row("raw public keys, CCM_8, P-256", V12, Auth::RawKeys, ECDSA_CCM_8, Group::P256, false, Then::Nothing),
    row("raw public keys, CCM_8, Connection IDs, new port", V12, Auth::RawKeys, ECDSA_CCM_8, Group::X25519, true, Then::Rebind),
    row("raw public keys, CCM_8, session id", V12, Auth::RawKeys, ECDSA_CCM_8, Group::P256, false, Then::SessionId),
    row("PSK, CCM_8", V13, Auth::Psk, CCM_8, Group::None, false, Then::Nothing),
    row("PSK, CCM, new keys", V13, Auth::Psk, CCM, Group::None, false, Then::Rekey),
    row("PSK, CCM_8, Connection IDs, new port", V13, Auth::Psk, CCM_8, Group::None, true, Then::Rebind),
    row("PSK, CCM_8, ticket", V13, Auth::Psk, CCM_8, Group::None, false, Then::Ticket),
    row("PSK with ECDHE, CCM_8, P-256", V13, Auth::PskEphemeral, CCM_8, Group::P256, false, Then::Nothing),
    row("PSK with ECDHE, GCM, X25519", V13, Auth::PskEphemeral, GCM, Group::X25519, false, Then::Nothing),
    row("PSK with ECDHE, CCM_8, another group", V13, Auth::PskEphemeral, CCM_8, Group::Retry, false, Then::Nothing),
    row("certificates, CCM_8, P-256", V13, Auth::Certificates, CCM_8, Group::P256, false, Then::Nothing),
    row("certificates, CCM, X25519, new keys", V13, Auth::Certificates, CCM, Group::X25519, false, Then::Rekey),
    row("certificates, GCM, P-256", V13, Auth::Certificates, GCM, Group::P256, false, Then::Nothing),
    row("certificates, CCM_8, Connection IDs, new port", V13, Auth::Certificates, CCM_8, Group::P256, true, Then::Rebind),
    row("server's certificate, GCM, X25519", V13, Auth::ServerCertificate, GCM, Group::X25519, false, Then::Nothing),
    row("server's certificate, GCM, another group", V13, Auth::ServerCertificate, GCM, Group::Retry, false, Then::Nothing),
    row("server's certificate, CCM_8, ticket", V13, Auth::ServerCertificate, CCM_8, Group::P256, false, Then::Ticket),
    row("raw public keys, CCM_8, P-256", V13, Auth::RawKeys, CCM_8, Group::P256, false, Then::Nothing),
    row("raw public keys, CCM_8, Connection IDs, new port", V13, Auth::RawKeys, CCM_8, Group::X25519, true, Then::Rebind),
];
