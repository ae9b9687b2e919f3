//! The authorisation server.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::span;

/// The authorisation server in the broker, and as what it knows the broker.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authority {
    /// Clients get tokens at `/token`.
    pub enabled: bool,
    /// The broker's name in tokens that are for it.
    pub audience: String,
    /// Other resource servers for which there are tokens.
    pub audiences: Vec<String>,
    /// The URI of the token endpoint, as clients are told who have no token; none is told if empty.
    pub uri: String,
    /// How long a token is good.
    #[serde(deserialize_with = "span::deserialize")]
    pub lifetime: Duration,
    /// How a token is protected.
    pub protection: TokenFormat,
    /// How many tokens may be good at once.
    pub max_tokens: usize,
    /// How often the keys are replaced.
    #[serde(deserialize_with = "span::deserialize")]
    pub rotation: Duration,
    /// The credential file with which the broker connects, as a resource server, to the authorisation server that its
    /// tokens come from; none if they come from here.
    pub credential: PathBuf,
    /// The URI of that authorisation server, if it is not the one in the credential.
    pub remote: String,
    /// How often it is asked for what notifications tell, too.
    #[serde(deserialize_with = "span::deserialize")]
    pub poll: Duration,
    /// Whether it is asked about every token that is shown.
    pub introspection: bool,
}

/// How a token is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenFormat {
    /// COSE_Encrypt0.
    #[default]
    Encrypt0,
    /// COSE_Mac0.
    Mac0,
    /// COSE_Sign1.
    Sign1,
}

impl From<TokenFormat> for sedge_authority::Format {
    fn from(format: TokenFormat) -> Self {
        match format {
            TokenFormat::Encrypt0 => Self::Encrypted,
            TokenFormat::Mac0 => Self::Authenticated,
            TokenFormat::Sign1 => Self::Signed,
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self {
            enabled: true,
            audience: "sedge".into(),
            audiences: Vec::new(),
            uri: String::new(),
            lifetime: Duration::from_secs(3600),
            protection: TokenFormat::Encrypt0,
            max_tokens: 1_000_000,
            rotation: Duration::from_secs(30 * 86_400),
            credential: PathBuf::new(),
            remote: String::new(),
            poll: Duration::from_secs(10),
            introspection: false,
        }
    }
}

impl Authority {
    pub(super) fn check(&self) -> Result<(), String> {
        let names = || std::iter::once(&self.audience).chain(&self.audiences);
        if names().any(String::is_empty) {
            return Err("authority.audience and authority.audiences must not be empty names".into());
        }
        if self.audiences.contains(&self.audience) {
            return Err("authority.audiences names the broker itself, which authority.audience does".into());
        }
        let longest = Duration::from_secs(366 * 86_400);
        let spans = [("lifetime", self.lifetime), ("rotation", self.rotation), ("poll", self.poll)];
        for (key, value) in spans {
            if value < Duration::from_secs(1) || value > longest {
                return Err(format!("authority.{key} must be from 1 s to 366 d"));
            }
        }
        let has_credential = !self.credential.as_os_str().is_empty();
        if !self.remote.is_empty() && !has_credential {
            return Err(format!(
                "authority.remote = \"{}\" takes authority.credential, the file that `sedge authority add-rs` has \
                 written there",
                self.remote
            ));
        }
        if has_credential && self.enabled {
            return Err("authority.credential names an authorisation server elsewhere: with it goes \
                        authority.enabled = false"
                .into());
        }
        if self.introspection && !has_credential {
            return Err("authority.introspection asks an authorisation server elsewhere: it takes \
                        authority.credential"
                .into());
        }
        if self.max_tokens == 0 {
            return Err("authority.max_tokens must be greater than zero".into());
        }
        Ok(())
    }
}
