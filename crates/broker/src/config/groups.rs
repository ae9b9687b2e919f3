//! The key distribution centre of protected topics.

use std::path::PathBuf;
use std::time::Duration;

use sedge_group::Cipher;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::span;

/// The key distribution centre in the broker's process.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Groups {
    /// Members of protected topics get their keys here.
    pub enabled: bool,
    /// The file with the key under which group keys are sealed in the store.
    pub key_file: PathBuf,
    /// Whether a topic becomes a protected one by the first publisher that joins.
    pub auto_create: bool,
    /// What values are encrypted with, unless a topic says otherwise.
    #[serde(deserialize_with = "cipher")]
    pub cipher: Cipher,
    /// Whether publishers countersign, unless a topic says otherwise.
    pub signed: bool,
    /// How often members ask whether there is a new key.
    #[serde(deserialize_with = "span::deserialize")]
    pub check_interval: Duration,
    /// When a key is replaced though nobody came or went.
    #[serde(deserialize_with = "span::deserialize")]
    pub key_lifetime: Duration,
    /// How many protected topics there may be.
    pub max: usize,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            enabled: false,
            key_file: PathBuf::new(),
            auto_create: true,
            cipher: Cipher::default(),
            signed: false,
            check_interval: Duration::from_secs(60),
            key_lifetime: Duration::from_secs(7 * 86_400),
            max: 10_000,
        }
    }
}

impl Groups {
    pub(super) fn check(&self) -> Result<(), String> {
        for (key, value) in [("check_interval", self.check_interval), ("key_lifetime", self.key_lifetime)] {
            if value < Duration::from_secs(1) || value > Duration::from_secs(366 * 86_400) {
                return Err(format!("groups.{key} must be from 1 s to 366 d"));
            }
        }
        if self.max == 0 {
            return Err("groups.max must be greater than zero".into());
        }
        Ok(())
    }
}

/// Reads the name of a cipher in the registry of COSE.
fn cipher<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cipher, D::Error> {
    let name = String::deserialize(deserializer)?;
    let found = Cipher::ALL.into_iter().find(|cipher| cipher.as_str() == name);
    found.ok_or_else(|| {
        let known = Cipher::ALL.map(Cipher::as_str).join("`, `");
        D::Error::custom(format!("`{name}` is none of `{known}`"))
    })
}
