//! What the broker speaks over DTLS, who it is there, and whom it believes.

use std::path::PathBuf;
use std::time::Duration;

use sedge_crypto::NamedGroup;
use sedge_dtls::{CipherSuite, Versions};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::{Listen, span};
use crate::Auth;

/// What the broker speaks over DTLS, who it is there, and whom it believes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dtls {
    /// Cipher suites accepted, the preferred first; none stands for all.
    #[serde(deserialize_with = "suites")]
    pub suites: Vec<CipherSuite>,
    /// Groups for key agreement, the preferred first.
    #[serde(deserialize_with = "groups")]
    pub groups: Vec<NamedGroup>,
    /// The file with the broker's private key; none stands for the one in its folder.
    pub private_key: PathBuf,
    /// The file with the broker's certificate and those of its issuers.
    pub certificate: PathBuf,
    /// Files with the certificates of the CAs whose devices may connect.
    pub trust_anchors: Vec<PathBuf>,
    /// Files with lists of revoked certificates.
    pub revocation_lists: Vec<PathBuf>,
    /// A certificate is refused of whose issuer there is no such list.
    pub revocation_required: bool,
    /// How often those files are looked at.
    #[serde(deserialize_with = "span::deserialize")]
    pub revocation_check: Duration,
    /// What a client without a pre-shared key has to show.
    pub client_certificates: ClientCertificates,
    /// How a session's new address is checked.
    pub return_routability: ReturnRoutability,
    /// How long a session can be resumed; zero for never.
    #[serde(deserialize_with = "span::deserialize")]
    pub tickets: Duration,
}

/// What a client without a pre-shared key has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// A certificate or a public key.
    Required,
    /// Nothing: such a client has the rights of [`Insecure`](super::Insecure).
    Optional,
}

/// How a session's new address is checked ([RFC 9853](https://www.rfc-editor.org/rfc/rfc9853)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReturnRoutability {
    /// Enhanced if the peer was heard at its old address a few seconds ago, and basic otherwise.
    Automatic,
    /// The new address has to answer.
    Basic,
    /// The old address is asked first, which tells an attacker who forwards faster from a peer that moves.
    Enhanced,
    /// Not at all: a session moves with any authentic record that is newer than those before it.
    Off,
}

/// A version of DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Version {
    /// DTLS 1.2.
    #[serde(rename = "1.2")]
    Dtls12,
    /// DTLS 1.3.
    #[serde(rename = "1.3")]
    Dtls13,
}

impl Default for Dtls {
    fn default() -> Self {
        Self {
            suites: Vec::new(),
            groups: vec![NamedGroup::Secp256r1, NamedGroup::X25519],
            private_key: PathBuf::new(),
            certificate: PathBuf::new(),
            trust_anchors: Vec::new(),
            revocation_lists: Vec::new(),
            revocation_required: false,
            revocation_check: Duration::from_secs(10),
            client_certificates: ClientCertificates::Required,
            return_routability: ReturnRoutability::Automatic,
            tickets: Duration::from_secs(24 * 3600),
        }
    }
}

/// The longest that a ticket may be good for ([RFC 8446 section
/// 4.6.1](https://www.rfc-editor.org/rfc/rfc8446#section-4.6.1)).
const LONGEST_TICKET: Duration = Duration::from_secs(7 * 24 * 3600);

impl Dtls {
    /// The cipher suites, the preferred first.
    pub fn accepted_suites(&self) -> &[CipherSuite] {
        if self.suites.is_empty() { CipherSuite::ALL } else { &self.suites }
    }

    /// What makes no sense together, as one line.
    pub(super) fn check(&self, listen: &Listen) -> Result<(), String> {
        let says = |auth| listen.auth.contains(&auth);
        if !listen.coaps.is_empty() && listen.auth.is_empty() {
            return Err(
                "listen.auth is empty: nobody could authenticate; add \"psk\", \"rpk\" or \"cert\"".into()
            );
        }
        if listen.versions.is_empty() {
            return Err("listen.versions is empty: add \"1.2\" or \"1.3\"".into());
        }
        if self.groups.is_empty() {
            return Err("dtls.groups is empty: add \"secp256r1\" or \"x25519\"".into());
        }
        if !self.trust_anchors.is_empty() && !says(Auth::Cert) {
            return Err("dtls.trust_anchors has no effect without \"cert\" in listen.auth".into());
        }
        if self.trust_anchors.is_empty() && (!self.revocation_lists.is_empty() || self.revocation_required) {
            return Err("revocation needs somebody who issues: name the CAs in dtls.trust_anchors".into());
        }
        if self.revocation_required && self.revocation_lists.is_empty() {
            return Err("dtls.revocation_required needs dtls.revocation_lists: nobody could connect".into());
        }
        if self.revocation_check.is_zero() {
            return Err("dtls.revocation_check must be longer than zero".into());
        }
        if self.tickets > LONGEST_TICKET {
            return Err("dtls.tickets must not be longer than 7 d".into());
        }
        Ok(())
    }
}

impl Listen {
    /// The versions of DTLS, as the protocol wants them.
    pub fn dtls_versions(&self) -> Versions {
        let speaks = |version| self.versions.contains(&version);
        Versions { dtls_1_2: speaks(Version::Dtls12), dtls_1_3: speaks(Version::Dtls13) }
    }
}

fn suites<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CipherSuite>, D::Error> {
    let suite = |name: String| {
        let found = CipherSuite::ALL.iter().find(|suite| suite.as_str() == name);
        found.copied().ok_or_else(|| {
            let known: Vec<_> = CipherSuite::ALL.iter().map(|suite| suite.as_str()).collect();
            D::Error::custom(format!("`{name}` is none of the cipher suites {}", known.join(", ")))
        })
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(suite).collect()
}

fn groups<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NamedGroup>, D::Error> {
    let group = |name: String| match name.as_str() {
        "secp256r1" => Ok(NamedGroup::Secp256r1),
        "x25519" => Ok(NamedGroup::X25519),
        _ => Err(D::Error::custom(format!("`{name}` is none of the groups secp256r1, x25519"))),
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn what_is_asked_for_is_read() {
        let text = "[listen]\nauth = [\"rpk\"]\nversions = [\"1.3\"]\n\
                    [dtls]\nsuites = [\"TLS_PSK_WITH_AES_128_CCM\"]\ngroups = [\"x25519\"]\n\
                    return_routability = \"enhanced\"\ntickets = \"0 s\"\nclient_certificates = \"optional\"\n";
        let Config { listen, dtls, .. } = Config::parse(text).unwrap();
        assert_eq!(listen.auth, [Auth::Rpk]);
        assert_eq!(listen.dtls_versions(), Versions::ONLY_1_3);
        assert_eq!(dtls.accepted_suites(), [CipherSuite::TLS_PSK_WITH_AES_128_CCM]);
        assert_eq!(dtls.groups, [NamedGroup::X25519]);
        assert_eq!(dtls.return_routability, ReturnRoutability::Enhanced);
        assert_eq!(dtls.client_certificates, ClientCertificates::Optional);
        assert!(dtls.tickets.is_zero());
        assert_eq!(Config::default().dtls.accepted_suites(), CipherSuite::ALL);
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_says_what_to_do() {
        for (text, hint) in [
            ("[listen]\nauth = []\n", "add \"psk\""),
            ("[listen]\nauth = [\"password\"]\n", "line 2"),
            ("[listen]\nversions = []\n", "\"1.3\""),
            ("[listen]\nversions = [\"1.1\"]\n", "line 2"),
            ("[dtls]\nsuites = [\"TLS_NULL_WITH_NULL_NULL\"]\n", "TLS_PSK_WITH_AES_128_CCM_8"),
            ("[dtls]\ngroups = [\"secp384r1\"]\n", "x25519"),
            ("[dtls]\ngroups = []\n", "x25519"),
            ("[dtls]\ntickets = \"8 d\"\n", "7 d"),
            ("[dtls]\nrevocation_lists = [\"crl.pem\"]\n", "dtls.trust_anchors"),
            ("[dtls]\nrevocation_required = true\ntrust_anchors = [\"ca.pem\"]\n", "dtls.revocation_lists"),
            ("[listen]\nauth = [\"psk\"]\n[dtls]\ntrust_anchors = [\"ca.pem\"]\n", "listen.auth"),
            ("[dtls]\nreturn_routability = \"maybe\"\n", "line 2"),
        ] {
            let message = Config::parse(text).unwrap_err().to_string();
            assert!(message.contains(hint) && !message.contains('\n'), "{text}: {message}");
        }
    }
}
