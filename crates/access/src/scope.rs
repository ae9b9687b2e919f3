//! Grants as the scope of a token: the AIF data model of
//! [RFC 9237](https://www.rfc-editor.org/rfc/rfc9237) as
//! [draft-ietf-ace-coap-pubsub-profile](https://datatracker.ietf.org/doc/draft-ietf-ace-pubsub-profile/) uses it:
//! `[* [topic: tstr, permissions: uint]]`.

use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decoder, Encoder};

use crate::{Grant, Grants, PatternError, Permissions, TopicPattern};

/// Entries that a scope has at most.
pub const MAX_ENTRIES: usize = 256;

/// Why bytes are no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeError {
    /// Not the CBOR that it should be, or not in its shortest form, or something follows.
    Malformed,
    /// More entries than [`MAX_ENTRIES`].
    TooMany,
    /// A topic is no pattern.
    Pattern(PatternError),
    /// A permission that has no meaning.
    UnknownPermission,
}

impl Grants {
    /// Reads a scope. Encoding is held to be deterministic
    /// ([RFC 8949 section 4.2](https://www.rfc-editor.org/rfc/rfc8949#section-4.2)): what a token says, it says in
    /// one way.
    ///
    /// # Errors
    /// [`ScopeError`].
    pub fn from_scope(bytes: &[u8]) -> Result<Self, ScopeError> {
        let malformed = |_| ScopeError::Malformed;
        let mut decoder = Decoder::new(bytes);
        let count = decoder.array().map_err(malformed)?.ok_or(ScopeError::Malformed)?;
        if count > MAX_ENTRIES as u64 {
            return Err(ScopeError::TooMany);
        }
        let entry = |_| {
            if decoder.array().map_err(malformed)? != Some(2) {
                return Err(ScopeError::Malformed);
            }
            let pattern =
                TopicPattern::new(decoder.str().map_err(malformed)?).map_err(ScopeError::Pattern)?;
            let bits = decoder.u64().map_err(malformed)?;
            let permissions = Permissions::from_bits(bits).ok_or(ScopeError::UnknownPermission)?;
            Ok(Grant { pattern, permissions })
        };
        let grants: Self = (0..count).map(entry).collect::<Result<_, _>>()?;
        // Whatever could be written otherwise was not written as it should be.
        if grants.to_scope() == bytes { Ok(grants) } else { Err(ScopeError::Malformed) }
    }

    /// The grants as a scope. That somebody is an administrator is nothing that a scope can say.
    pub fn to_scope(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes);
        // Writing to memory does not fail.
        let _ = encoder.array(self.list().len() as u64);
        for grant in self.list() {
            let _ = encoder.array(2).and_then(|e| e.str(grant.pattern.as_str()));
            let _ = encoder.u8(grant.permissions.bits());
        }
        bytes
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not an array of [topic, permissions] in deterministic CBOR"),
            Self::TooMany => write!(f, "more than {MAX_ENTRIES} entries"),
            Self::Pattern(error) => error.fmt(f),
            Self::UnknownPermission => f.write_str("a permission bit that has no meaning"),
        }
    }
}

impl core::error::Error for ScopeError {}
