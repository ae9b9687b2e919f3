//! How an authorisation server issues tokens.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

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
