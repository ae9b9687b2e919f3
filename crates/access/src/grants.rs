//! What one caller holds, and the decision that follows from it.

use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::{Permissions, TopicPattern, Verb};

/// One line of a caller's rights: these permissions on those topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which topics.
    pub pattern: TopicPattern,
    /// What may be done with them.
    pub permissions: Permissions,
}

/// Everything that one caller may do.
///
/// What no grant permits is refused. Grants only add: their order decides which of several that permit the
/// same thing is named as the reason, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    administrator: bool,
    list: Vec<Grant>,
}

/// The answer to "may this caller do this on that topic", with what decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'g> {
    /// It may, by this rule.
    Allowed(Rule<'g>),
    /// It may not, for want of this.
    Refused(Refusal<'g>),
}

/// The rule that allows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule<'g> {
    /// The caller is an administrator, who may do everything.
    Administrator,
    /// The first grant whose pattern matches and whose permissions suffice.
    Grant {
        /// Its place in the caller's list, from 0.
        index: usize,
        /// The grant.
        grant: &'g Grant,
    },
}

/// What is missing when something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'g> {
    /// No pattern of the caller's matches the topic.
    NoMatch,
    /// Patterns match, but none carries the permission; this is the first of them.
    NotPermitted {
        /// Its place in the caller's list, from 0.
        index: usize,
        /// The grant.
        grant: &'g Grant,
    },
}

impl Grants {
    /// No rights at all.
    pub const fn none() -> Self {
        Self { administrator: false, list: Vec::new() }
    }

    /// An administrator's rights: everything on every topic, and whatever else is kept for administrators.
    pub const fn administrator() -> Self {
        Self { administrator: true, list: Vec::new() }
    }

    /// These grants, with one more.
    #[must_use]
    pub fn with(mut self, pattern: TopicPattern, permissions: Permissions) -> Self {
        self.list.push(Grant { pattern, permissions });
        self
    }

    /// Whether the caller is an administrator.
    pub const fn is_administrator(&self) -> bool {
        self.administrator
    }

    /// The grants in their order.
    pub fn list(&self) -> &[Grant] {
        &self.list
    }

    /// Whether the caller may do `verb` on the topic called `topic`, and why.
    pub fn decide(&self, verb: Verb, topic: &str) -> Decision<'_> {
        if self.administrator {
            return Decision::Allowed(Rule::Administrator);
        }
        let mut nearest = Refusal::NoMatch;
        for (index, grant) in self.list.iter().enumerate() {
            if !grant.pattern.matches(topic) {
                continue;
            }
            if grant.permissions.contains(verb.permission()) {
                return Decision::Allowed(Rule::Grant { index, grant });
            }
            if nearest == Refusal::NoMatch {
                nearest = Refusal::NotPermitted { index, grant };
            }
        }
        Decision::Refused(nearest)
    }

    /// Whether the caller may do `verb` on the topic called `topic`.
    pub fn allows(&self, verb: Verb, topic: &str) -> bool {
        matches!(self.decide(verb, topic), Decision::Allowed(_))
    }

    /// Whether the caller may know that the topic called `topic` exists: it may do something with it.
    pub fn sees(&self, topic: &str) -> bool {
        Verb::ALL.into_iter().any(|verb| self.allows(verb, topic))
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        Self { administrator: false, list: grants.into_iter().collect() }
    }
}

impl Decision<'_> {
    /// Whether the answer is yes.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(Rule::Administrator) => f.write_str("allowed: administrator"),
            Self::Allowed(Rule::Grant { index, grant }) => {
                write!(f, "allowed by grant {index}: {} on {}", grant.permissions, grant.pattern)
            }
            Self::Refused(Refusal::NoMatch) => f.write_str("refused: no grant matches the topic"),
            Self::Refused(Refusal::NotPermitted { index, grant }) => {
                write!(f, "refused: grant {index} gives only {} on {}", grant.permissions, grant.pattern)
            }
        }
    }
}

/// `[administrator: bool, [* [pattern: tstr, permissions: uint]]]`; the inner list has the form of an AIF scope.
impl<C> Encode<C> for Grants {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        cx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(2)?.bool(self.administrator)?.array(self.list.len() as u64)?;
        for grant in &self.list {
            e.array(2)?.encode_with(&grant.pattern, cx)?.encode_with(grant.permissions, cx)?;
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Grants {
    fn decode(d: &mut Decoder<'b>, cx: &mut C) -> Result<Self, decode::Error> {
        expect_array(d, 2)?;
        let administrator = d.bool()?;
        let count = d.array()?.ok_or_else(|| decode::Error::message("array of indefinite length"))?;
        let mut list = Vec::new();
        for _ in 0..count {
            expect_array(d, 2)?;
            list.push(Grant { pattern: d.decode_with(cx)?, permissions: d.decode_with(cx)? });
        }
        Ok(Self { administrator, list })
    }
}

fn expect_array(d: &mut Decoder<'_>, len: u64) -> Result<(), decode::Error> {
    if d.array()? == Some(len) { Ok(()) } else { Err(decode::Error::message("array of another length")) }
}
