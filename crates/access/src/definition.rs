//! What an operator writes down: roles, segments and bridges.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decode, Encode};

use crate::name::{self, NameError};
use crate::{Grants, Permissions, TopicPattern};

/// Everything that [`Policy`](crate::Policy) is made of. Field numbers are never reused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Definition {
    /// What those may do who have a role.
    #[n(0)]
    pub roles: Vec<Role>,
    /// Which topics belong together, apart from others.
    #[n(1)]
    pub segments: Vec<Segment>,
    /// Who may cross from one segment to another.
    #[n(2)]
    pub bridges: Vec<Bridge>,
}

/// A role: grants that many share.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Role {
    /// Its name: 1 to 64 letters, digits, `.`, `_` or `-`.
    #[n(0)]
    pub name: String,
    /// What it grants. That somebody is an administrator is not for roles to say.
    #[n(1)]
    pub grants: Grants,
}

/// A segment: topics, and by [`Subject::in_segment`](crate::Subject::in_segment) devices, that keep to
/// themselves.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Segment {
    /// Its name: 1 to 64 letters, digits, `.`, `_` or `-`.
    #[n(0)]
    pub name: String,
    /// How the names of its topics begin: these topics and all below them, unless a longer prefix puts them
    /// into another segment. A topic under no prefix belongs to no segment, and is open to devices of all.
    #[n(1)]
    pub topics: Vec<String>,
}

/// A way from one segment to another. It grants nothing: it lets grants reach across.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Bridge {
    /// Devices of this segment ...
    #[n(0)]
    pub from: String,
    /// ... reach topics of this one.
    #[n(1)]
    pub to: String,
    /// Devices of `to` reach topics of `from`, too.
    #[n(2)]
    pub both: bool,
    /// Which topics.
    #[n(3)]
    pub topics: Vec<TopicPattern>,
    /// To do what there.
    #[n(4)]
    pub permissions: Permissions,
}

/// Why a [`Definition`] makes no [`Policy`](crate::Policy).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// A role or a segment cannot be called so.
    Name(String),
    /// Two roles, or two segments, have this name.
    Twice(String),
    /// A role is to be an administrator, which only a device can be.
    Administrator(String),
    /// A prefix of a segment is no topic's name.
    Prefix {
        /// The segment.
        segment: String,
        /// The prefix.
        prefix: String,
        /// What is wrong with it.
        error: NameError,
    },
    /// A prefix stands in two segments, or twice in one.
    Shared(String),
    /// A bridge begins or ends at a segment that does not exist.
    NoSegment(String),
    /// A bridge leads from a segment to itself.
    Loop(String),
    /// A bridge has no topics, or lets nothing be done there.
    Useless(String),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => {
                write!(
                    f,
                    "`{name}` is no name of a role or segment: use 1 to 64 letters, digits or `.`, `_`, `-`"
                )
            }
            Self::Twice(name) => write!(f, "`{name}` is there twice: give one of them another name"),
            Self::Administrator(name) => {
                write!(f, "the role `{name}` cannot make administrators: enrol them with --admin")
            }
            Self::Prefix { segment, prefix, error: NameError::Wildcard } => write!(
                f,
                "segment `{segment}`: `{prefix}` has a wildcard, but a prefix means all topics below it anyway: write `{}`",
                prefix.trim_end_matches(['/', '+', '#'])
            ),
            Self::Prefix { segment, prefix, error } => {
                write!(f, "segment `{segment}`: `{prefix}` is no prefix of topics: {error}")
            }
            Self::Shared(prefix) => {
                write!(f, "the prefix `{prefix}` is there twice: a topic belongs to one segment")
            }
            Self::NoSegment(name) => write!(f, "a bridge names the segment `{name}`, which does not exist"),
            Self::Loop(name) => {
                write!(f, "a bridge leads from `{name}` to itself, which takes no bridge")
            }
            Self::Useless(name) => {
                write!(
                    f,
                    "a bridge from `{name}` lets nothing through: name topics and verbs, or leave both out"
                )
            }
        }
    }
}

impl core::error::Error for PolicyError {}

/// Says whether a role or a segment may be called so.
///
/// # Errors
/// It is not 1 to 64 letters, digits, `.`, `_` or `-`.
pub fn check_name(name: &str) -> Result<(), PolicyError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(PolicyError::Name(name.into()))
}

impl Segment {
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        check_name(&self.name)?;
        self.topics.iter().try_for_each(|prefix| {
            name::check(prefix).map_err(|error| PolicyError::Prefix {
                segment: self.name.clone(),
                prefix: prefix.clone(),
                error,
            })
        })
    }
}
