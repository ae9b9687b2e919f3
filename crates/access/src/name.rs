//! What a topic may be called.
//!
//! A name is UTF-8 text in levels separated by `/`. Every level becomes one path segment of the topic's data
//! resource, so what cannot be a segment of a CoAP URI cannot be a level: an empty one, `.` or `..`
//! ([RFC 7252 §6.4](https://www.rfc-editor.org/rfc/rfc7252#section-6.4)). `+` and `#` are left to patterns.

use core::fmt;

/// The longest name, in bytes of UTF-8, separators included.
pub const MAX_LEN: usize = 255;
/// The deepest name, in levels.
pub const MAX_LEVELS: usize = 16;

/// Why a text cannot be a topic's name, or the level of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameError {
    /// Longer than [`MAX_LEN`] bytes.
    TooLong,
    /// More than [`MAX_LEVELS`] levels.
    TooDeep,
    /// A level is empty: the name is empty, begins or ends with `/`, or has `//` within.
    EmptyLevel,
    /// A level is `.` or `..`, which no CoAP URI can carry.
    DotLevel,
    /// A level is `+` or `#`, which patterns use.
    Wildcard,
    /// A control character, which has no place in names that people and logs show.
    ControlCharacter,
    /// A path segment is not UTF-8.
    NotUtf8,
    /// A path segment has a `/` within, so that it would read as two levels.
    SlashInLevel,
}

impl NameError {
    /// The reason in a few plain words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "topic name longer than 255 bytes",
            Self::TooDeep => "topic name deeper than 16 levels",
            Self::EmptyLevel => "topic name with an empty level",
            Self::DotLevel => "topic name with a level that is . or ..",
            Self::Wildcard => "topic name with a level that is + or #",
            Self::ControlCharacter => "topic name with a control character",
            Self::NotUtf8 => "topic name that is not UTF-8",
            Self::SlashInLevel => "path segment with a slash inside",
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for NameError {}

/// Says whether `name` can be a topic's name.
///
/// # Errors
/// The first rule of this module that it breaks.
pub fn check(name: &str) -> Result<(), NameError> {
    check_size(name)?;
    name.split('/').try_for_each(|level| match level {
        "+" | "#" => Err(NameError::Wildcard),
        _ => check_level(level),
    })
}

/// The rules that count bytes and levels.
pub(crate) fn check_size(name: &str) -> Result<(), NameError> {
    if name.len() > MAX_LEN {
        return Err(NameError::TooLong);
    }
    if name.split('/').count() > MAX_LEVELS {
        return Err(NameError::TooDeep);
    }
    Ok(())
}

/// The rules that every level keeps, in names and in patterns.
pub(crate) fn check_level(level: &str) -> Result<(), NameError> {
    match level {
        "" => Err(NameError::EmptyLevel),
        "." | ".." => Err(NameError::DotLevel),
        _ if level.chars().any(char::is_control) => Err(NameError::ControlCharacter),
        _ => Ok(()),
    }
}
