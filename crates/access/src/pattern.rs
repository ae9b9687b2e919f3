//! Topic patterns: exact names, `+` for one level, `#` for the rest.

use alloc::boxed::Box;
use core::fmt;
use core::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::name::{self, NameError};

/// Which topics a rule is about.
///
/// A pattern is a topic name in which a level may be `+`, that stands for any one level, and the last level
/// may be `#`, that stands for whatever follows: `site/#` matches `site` itself and everything below it.
/// A `+` or `#` beside other characters of a level is an ordinary character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPattern(Box<str>);

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PatternError {
    /// A level breaks a rule of topic names.
    Name(NameError),
    /// `#` stands before the last level.
    RestNotLast,
}

impl TopicPattern {
    /// The pattern that `text` spells.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        name::check_size(text).map_err(PatternError::Name)?;
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            if level == "#" && levels.peek().is_some() {
                return Err(PatternError::RestNotLast);
            }
            name::check_level(level).map_err(PatternError::Name)?;
        }
        Ok(Self(text.into()))
    }

    /// The pattern of every topic, `#`.
    pub fn everything() -> Self {
        Self("#".into())
    }

    /// The text that the pattern was made from.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How every name that it matches begins: its levels before the first `+` or `#`.
    pub fn prefix(&self) -> &str {
        let mut end = 0;
        for level in self.0.split('/') {
            match level {
                "+" => break,
                // `site/#` matches `site` too.
                "#" => return self.0.get(..end).unwrap_or("").trim_end_matches('/'),
                exact => end += exact.len() + 1,
            }
        }
        self.0.get(..end.min(self.0.len())).unwrap_or("")
    }

    /// Whether the topic called `name` is one of those meant.
    pub fn matches(&self, name: &str) -> bool {
        let mut levels = name.split('/');
        for wanted in self.0.split('/') {
            let matched = match wanted {
                "#" => return true,
                "+" => levels.next().is_some(),
                exact => levels.next() == Some(exact),
            };
            if !matched {
                return false;
            }
        }
        levels.next().is_none()
    }
}

impl FromStr for TopicPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::new(text)
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::RestNotLast => f.write_str("# is only allowed as the last level of a pattern"),
        }
    }
}

impl core::error::Error for PatternError {}

/// As a text string.
impl<C> Encode<C> for TopicPattern {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for TopicPattern {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::new(d.str()?).map_err(|_| decode::Error::message("no topic pattern"))
    }
}
