//! The broker's configuration: one TOML file in which every key has a safe default.
//!
//! [`DEFAULT_TOML`] is what `sedge broker --print-config` prints: every key with its default and a comment. A
//! test holds it equal to [`Config::default`]. Unknown keys are refused with their line and the nearest known key.

mod access;
mod authority;
mod dtls;
mod explain;
mod groups;
mod span;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sedge_access::{Definition, Policy, PolicyError};
use serde::Deserialize;

use crate::Auth;

pub use access::{Bridge, Role, Segment};
pub use authority::{Authority, TokenFormat};
pub use dtls::{ClientCertificates, Dtls, ReturnRoutability, Version};
pub use groups::Groups;

/// The commented configuration file with every key at its default.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// Everything an operator can set. See [`DEFAULT_TOML`] for what each key means.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Threads that serve sockets; 0 means one per core.
    pub shards: usize,
    /// Addresses served.
    pub listen: Listen,
    /// What is spoken there, who the broker is, and whom it believes.
    pub dtls: Dtls,
    /// What peers without any security may do.
    pub insecure: Insecure,
    /// What those may do who have a role, by its name.
    pub role: BTreeMap<String, Role>,
    /// Which topics belong together, apart from others.
    pub segment: BTreeMap<String, Segment>,
    /// The ways from one segment to another.
    #[serde(deserialize_with = "access::bridges")]
    pub bridge: Vec<Bridge>,
    /// The authorisation server in the broker, and as what it knows the broker.
    pub authority: Authority,
    /// The key distribution centre of protected topics.
    pub groups: Groups,
    /// Upper bounds on what peers can make the broker hold or do.
    pub limits: Limits,
    /// Timers.
    pub timing: Timing,
    /// How topics behave.
    pub topics: Topics,
    /// How values reach the disk.
    pub store: Store,
    /// How administrators are served.
    pub admin: Admin,
    /// The record of who was granted, refused and changed what.
    pub audit: Audit,
    /// What is logged.
    pub log: Log,
    /// The file that it was read from, to be read again.
    #[serde(skip)]
    pub source: Option<PathBuf>,
}

/// Addresses served.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// CoAP over DTLS.
    pub coaps: Vec<SocketAddr>,
    /// How devices may authenticate there.
    pub auth: Vec<Auth>,
    /// Versions of DTLS spoken there.
    pub versions: Vec<Version>,
    /// CoAP without security.
    pub insecure_coap: Vec<SocketAddr>,
}

/// What anyone may do over [`Listen::insecure_coap`], as topic patterns.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Insecure {
    /// Topics that may be published to.
    pub publish: Vec<String>,
    /// Topics that may be read and observed.
    pub subscribe: Vec<String>,
}

/// Upper bounds on what peers can make the broker hold or do.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Sessions over all shards.
    pub sessions: usize,
    /// Handshakes in progress per shard.
    pub handshakes: usize,
    /// Observations per session.
    pub observations_per_session: usize,
    /// Largest datagram sent, in bytes of UDP payload.
    pub datagram_bytes: usize,
    /// Largest representation, in bytes.
    pub body_bytes: usize,
    /// Bodies being assembled per shard.
    pub bodies: usize,
    /// Bodies being assembled per session.
    pub bodies_per_session: usize,
    /// Messages remembered per shard, to recognise them when they come again.
    pub remembered: usize,
    /// Datagrams waiting between two shards.
    pub handover: usize,
    /// Tokens that were shown and are good.
    pub tokens: usize,
}

/// Timers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// First retransmission of a DTLS flight.
    #[serde(deserialize_with = "span::deserialize")]
    pub handshake_retransmit: Duration,
    /// First retransmission of a confirmable message.
    #[serde(deserialize_with = "span::deserialize")]
    pub ack_timeout: Duration,
    /// Retransmissions of a confirmable message before it is given up, and the observation with it.
    pub max_retransmit: u8,
    /// A session without traffic for this long is closed.
    #[serde(deserialize_with = "span::deserialize")]
    pub session_idle: Duration,
    /// A body without a further block for this long is dropped.
    #[serde(deserialize_with = "span::deserialize")]
    pub body_timeout: Duration,
}

/// How topics behave.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topics {
    /// Whether there are any.
    pub enabled: bool,
    /// A first publish creates the topic.
    pub auto_create: bool,
    /// Topics kept at most.
    pub max: usize,
    /// Recent values kept in memory per topic.
    pub history: u16,
    /// Bytes of recent values kept in memory per topic.
    pub history_bytes: usize,
    /// Average publishes per second and topic; 0 means no limit.
    pub publishes_per_second: u32,
    /// Publishes at once per topic.
    pub publish_burst: u32,
    /// Notifications sent without asking for an acknowledgement between two that do ask.
    pub unconfirmed: u8,
    /// A publish waits for the disk.
    pub durable: bool,
}

/// How values reach the disk.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Values published within this time share one commit.
    #[serde(deserialize_with = "span::deserialize")]
    pub commit_interval: Duration,
    /// Page cache, in bytes.
    pub cache_bytes: usize,
}

/// How administrators are served.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// `POST /sedge/admin` over coaps.
    pub remote: bool,
}

/// The record of who was granted, refused and changed what.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Whether it is kept.
    pub enabled: bool,
    /// A file of more bytes is followed by another.
    pub file_bytes: u64,
    /// So is one whose first record is older.
    #[serde(deserialize_with = "span::deserialize")]
    pub file_age: Duration,
    /// So many files are kept, besides the one that is written to.
    pub files: usize,
    /// So many events wait to be written.
    pub queue: usize,
    /// What the same one is refused for the same reason is recorded once in this time, with how often it was.
    #[serde(deserialize_with = "span::deserialize")]
    pub repeat: Duration,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Least severe level shown.
    pub level: LogLevel,
    /// Least time between two entries of one kind that strangers can cause.
    #[serde(deserialize_with = "span::deserialize")]
    pub repeat: Duration,
    /// A file to which the secrets of all sessions are appended; none for nowhere. Whoever reads it reads all traffic.
    pub dangerous_key_log: PathBuf,
}

/// Severity of log entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something needs attention.
    Warn,
    /// Starts, stops, enrolments.
    Info,
    /// Sessions and requests.
    Debug,
    /// Datagrams.
    Trace,
}

impl Default for Listen {
    fn default() -> Self {
        let everywhere = SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), 5684);
        Self {
            coaps: vec![everywhere],
            auth: Auth::ALL.to_vec(),
            versions: vec![Version::Dtls12, Version::Dtls13],
            insecure_coap: Vec::new(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 1_000_000,
            handshakes: 1024,
            observations_per_session: 64,
            datagram_bytes: 1232,
            body_bytes: 65_536,
            bodies: 256,
            bodies_per_session: 2,
            remembered: 65_536,
            handover: 4096,
            tokens: 100_000,
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            handshake_retransmit: Duration::from_secs(1),
            ack_timeout: Duration::from_secs(2),
            max_retransmit: 4,
            session_idle: Duration::from_secs(30 * 24 * 3600),
            body_timeout: Duration::from_secs(60),
        }
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            enabled: true,
            auto_create: true,
            max: 100_000,
            history: 16,
            history_bytes: 1 << 20,
            publishes_per_second: 10_000,
            publish_burst: 10_000,
            unconfirmed: 0,
            durable: false,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { commit_interval: Duration::from_millis(50), cache_bytes: 16 << 20 }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { remote: true }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            enabled: true,
            file_bytes: 16 << 20,
            file_age: Duration::from_secs(30 * 24 * 3600),
            files: 64,
            queue: 16_384,
            repeat: Duration::from_secs(60),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, repeat: Duration::from_secs(10), dangerous_key_log: PathBuf::new() }
    }
}

impl LogLevel {
    /// The level's name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Why a configuration was refused, as one line that says where and what to do.
#[derive(Debug)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads `text` as TOML.
    ///
    /// # Errors
    /// A syntax error, an unknown key, or a value outside its range; the message names the line.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError(explain::explain(text, &error)))?;
        config.policy().map_err(|error| ConfigError(access::explain(text, &error)))?;
        config.check()?;
        Ok(config)
    }

    /// Roles, segments and bridges, as the rules that they make.
    pub fn access(&self) -> Definition {
        access::definition(&self.role, &self.segment, &self.bridge)
    }

    /// The same, compiled.
    pub(crate) fn policy(&self) -> Result<Policy, PolicyError> {
        Policy::new(self.access())
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or as [`Config::parse`]; the message names the file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("cannot read {}: {error}", path.display())))?;
        let config =
            Self::parse(&text).map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
        Ok(Self { source: Some(path.to_owned()), ..config })
    }

    /// Holds the values to ranges in which the broker works.
    ///
    /// # Errors
    /// The first key outside its range. A caller who sets fields in code calls this too, by starting the broker.
    pub fn check(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        let ranges = [
            ("shards", self.shards, 0, MAX_SHARDS),
            ("limits.sessions", limits.sessions, 1, 1 << 24),
            ("limits.handshakes", limits.handshakes, 1, 1 << 20),
            ("limits.observations_per_session", limits.observations_per_session, 1, 1 << 16),
            ("limits.datagram_bytes", limits.datagram_bytes, 576, 9000),
            ("limits.body_bytes", limits.body_bytes, 1024, 1 << 30),
            ("limits.bodies", limits.bodies, 1, 1 << 20),
            ("limits.bodies_per_session", limits.bodies_per_session, 1, 64),
            ("limits.remembered", limits.remembered, 64, 1 << 26),
            ("limits.handover", limits.handover, 16, 1 << 20),
            ("limits.tokens", limits.tokens, 1, 1 << 24),
            ("timing.max_retransmit", self.timing.max_retransmit.into(), 1, 20),
            ("topics.max", self.topics.max, 1, 1 << 24),
            ("topics.history", self.topics.history.into(), 1, 1024),
            ("store.cache_bytes", self.store.cache_bytes, 1 << 20, 1 << 40),
            ("audit.file_bytes", usize::try_from(self.audit.file_bytes).unwrap_or(usize::MAX), 4096, 1 << 40),
            ("audit.files", self.audit.files, 1, 1 << 20),
            ("audit.queue", self.audit.queue, 16, 1 << 24),
        ];
        for (key, value, least, most) in ranges {
            if value < least || value > most {
                return Err(ConfigError(format!("{key} = {value} is outside {least} to {most}")));
            }
        }
        if self.listen.coaps.is_empty() && self.listen.insecure_coap.is_empty() {
            return Err(ConfigError("listen.coaps is empty: the broker would serve nobody".into()));
        }
        self.dtls.check(&self.listen).map_err(ConfigError)?;
        self.authority.check().map_err(ConfigError)?;
        self.groups.check().map_err(ConfigError)?;
        let _compiles = self.policy().map_err(|error| ConfigError(error.to_string()))?;
        for (key, value) in [
            ("timing.handshake_retransmit", self.timing.handshake_retransmit),
            ("timing.ack_timeout", self.timing.ack_timeout),
            ("timing.session_idle", self.timing.session_idle),
            ("timing.body_timeout", self.timing.body_timeout),
            ("audit.file_age", self.audit.file_age),
            ("audit.repeat", self.audit.repeat),
        ] {
            if value.is_zero() {
                return Err(ConfigError(format!("{key} must be longer than zero")));
            }
        }
        Ok(())
    }
}

/// Shards at most: as many as the shard bits of a Connection ID can name.
pub const MAX_SHARDS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_configuration_is_the_default() {
        assert_eq!(Config::parse(DEFAULT_TOML).unwrap(), Config::default());
    }

    /// Deserialising an empty table of defaults would also pass above: every key must stand in the file.
    #[test]
    fn every_key_is_printed() {
        let printed: toml::Table = DEFAULT_TOML.parse().unwrap();
        // Those that have names of their own, and what is no key, are printed as comments, or not at all.
        let absent = ["role: {}, ", "segment: {}, ", "bridge: [], ", ", source: None"];
        let known = absent.iter().fold(format!("{:?}", Config::default()), |known, absent| {
            assert!(known.contains(absent), "{known}");
            known.replace(absent, "")
        });
        let keys: usize = printed.values().map(|value| value.as_table().map_or(1, toml::Table::len)).sum();
        // `{:?}` shows each field once as `name: `; sections are fields of `Config` too.
        let sections = printed.values().filter(|value| value.is_table()).count();
        assert_eq!(known.matches(": ").count() - sections, keys, "{known}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest_key() {
        let message = Config::parse("shards = 2\n[limits]\nsesions = 5\n").unwrap_err().to_string();
        assert!(message.contains("line 3") && message.contains("`sesions`"), "{message}");
        assert!(message.contains("`sessions`"), "{message}");
        assert!(!message.contains('\n'), "{message}");

        let message = Config::parse("[limit]\n").unwrap_err().to_string();
        assert!(message.contains("line 1") && message.contains("`limits`"), "{message}");
    }

    #[test]
    fn wrong_values_are_refused_with_their_line() {
        for (text, hint) in [
            ("[store]\ncommit_interval = 50\n", "line 2"),
            ("[store]\ncommit_interval = \"50\"\n", "unit"),
            ("[store]\ncommit_interval = \"50 parsecs\"\n", "unit"),
            ("[listen]\ncoaps = [\"localhost\"]\n", "line 2"),
            ("[limits]\nsessions = 0\n", "limits.sessions"),
            ("[log]\nlevel = \"loud\"\n", "line 2"),
            ("shards = \n", "line 1"),
            ("[listen]\ncoaps = []\n", "listen.coaps"),
        ] {
            let message = Config::parse(text).unwrap_err().to_string();
            assert!(message.contains(hint) && !message.contains('\n'), "{text}: {message}");
        }
    }

    #[test]
    fn a_file_needs_only_what_it_changes() {
        let config = Config::parse("[store]\ncommit_interval = \"1.5 s\"\n").unwrap();
        assert_eq!(config.store.commit_interval, Duration::from_millis(1500));
        assert_eq!(config.limits, Limits::default());
    }
}
