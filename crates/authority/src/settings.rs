//! How an authorisation server issues tokens.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use minicbor::{Decode, Encode};

/// How an authorisation server issues tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The resource servers for which there are tokens; the first is meant where none is named.
    pub audiences: Vec<String>,
    /// For how many seconds a token is good.
    pub lifetime: u64,
    /// How a token is protected.
    pub format: Format,
    /// How many tokens may be good at once.
    pub max_tokens: usize,
}

/// How settings are kept.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Record {
    #[n(0)]
    audiences: Vec<String>,
    #[n(1)]
    lifetime: u64,
    #[n(2)]
    format: u8,
    #[n(3)]
    max_tokens: u64,
}

impl Settings {
    /// The name of their record.
    pub(crate) const RECORD: &str = "settings";

    pub(crate) fn to_record(&self) -> Vec<u8> {
        let record = Record {
            audiences: self.audiences.clone(),
            lifetime: self.lifetime,
            format: self.format.number(),
            max_tokens: self.max_tokens as u64,
        };
        // A vector takes everything.
        minicbor::to_vec(&record).unwrap_or_default()
    }

    pub(crate) fn from_record(record: &[u8]) -> Option<Self> {
        let record: Record = minicbor::decode(record).ok()?;
        Some(Self {
            audiences: record.audiences,
            lifetime: record.lifetime,
            format: Format::from_number(record.format)?,
            max_tokens: usize::try_from(record.max_tokens).ok()?,
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { audiences: Vec::new(), lifetime: 3600, format: Format::default(), max_tokens: 1_000_000 }
    }
}

/// How a token is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// COSE_Encrypt0: nobody but the resource server can read it, and it carries the key that it is bound to.
    #[default]
    Encrypted,
    /// COSE_Mac0: everybody can read it. A symmetric key that it is bound to is derived from the token.
    Authenticated,
    /// COSE_Sign1 (ES256): the same, and everybody who knows the public key can verify it.
    Signed,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Encrypted, Self::Authenticated, Self::Signed];

    /// Its name in configurations and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypt0",
            Self::Authenticated => "mac0",
            Self::Signed => "sign1",
        }
    }

    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Encrypted => 0,
            Self::Authenticated => 1,
            Self::Signed => 2,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.number() == number)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no [`Format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFormat;

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such format: it is one of encrypt0, mac0, sign1")
    }
}

impl core::error::Error for UnknownFormat {}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.as_str() == text).ok_or(UnknownFormat)
    }
}
