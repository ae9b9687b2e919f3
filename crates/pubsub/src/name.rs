//! Topic names, and the URIs of the resources that belong to them.

use alloc::string::String;
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt::{self, Write};

use sedge_access::{NameError, name};

/// The path segment of the topic collection.
pub const COLLECTION: &str = "ps";
/// The path segment under which the topics' data are: `/d/<topic name>`.
pub const DATA: &str = "d";

/// A topic's name, valid by construction (the rules are those of [`sedge_access::name`]). Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// The name that `text` spells.
    ///
    /// # Errors
    /// The first rule of topic names that it breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        name::check(text)?;
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URI path of the topic's data, its levels percent-encoded where they must be
    /// ([RFC 7252 §6.5](https://www.rfc-editor.org/rfc/rfc7252#section-6.5)).
    pub fn data_uri(&self) -> String {
        let mut uri = String::with_capacity(DATA.len() + self.0.len() + 2);
        uri.push('/');
        uri.push_str(DATA);
        for level in self.0.split('/') {
            uri.push('/');
            push_percent_encoded(&mut uri, level);
        }
        uri
    }
}

/// The text of the name whose levels are these path segments, before it is checked as a name.
///
/// # Errors
/// A segment that cannot be a level at all, or more text than a name may have.
pub(crate) fn join_segments<'a>(segments: impl Iterator<Item = &'a [u8]>) -> Result<String, NameError> {
    let mut text = String::new();
    for (index, segment) in segments.enumerate() {
        let level = core::str::from_utf8(segment).map_err(|_| NameError::NotUtf8)?;
        if level.contains('/') {
            return Err(NameError::SlashInLevel);
        }
        if text.len() + level.len() > name::MAX_LEN {
            return Err(NameError::TooLong);
        }
        if index > 0 {
            text.push('/');
        }
        text.push_str(level);
    }
    Ok(text)
}

/// Appends one path segment of a URI: the characters of RFC 3986's `pchar` as they are, the others encoded.
fn push_percent_encoded(uri: &mut String, segment: &str) {
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
}

impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_join_to_a_name() {
        let join = |segments: &[&[u8]]| join_segments(segments.iter().copied());
        assert_eq!(join(&[b"site", b"7", b"temp"]).unwrap(), "site/7/temp");
        assert_eq!(join(&[b"a/b"]), Err(NameError::SlashInLevel));
        assert_eq!(join(&[b"\xff"]), Err(NameError::NotUtf8));
        assert_eq!(join(&[&[b'a'; 200], &[b'a'; 200]]), Err(NameError::TooLong));
        assert_eq!(join(&[]).unwrap(), "");
    }

    #[test]
    fn data_uris_are_percent_encoded() {
        let uri = |name| TopicName::new(name).unwrap().data_uri();
        assert_eq!(uri("site/7/temp"), "/d/site/7/temp");
        assert_eq!(uri("Küche/a b/50%?"), "/d/K%C3%BCche/a%20b/50%25%3F");
        assert_eq!(uri("it's/a:b@c"), "/d/it's/a:b@c");
    }
}
