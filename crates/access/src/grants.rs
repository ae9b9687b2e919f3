//! What one caller, or one role, is granted.

use alloc::vec::Vec;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::{Permissions, TopicPattern};

/// One line of a caller's rights: these permissions on those topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which topics.
    pub pattern: TopicPattern,
    /// What may be done with them.
    pub permissions: Permissions,
}

/// What one caller, or one role, is granted, in the order in which it was written.
///
/// Grants only add: what none of them permits is refused. Whether they suffice is for
/// [`Policy::decide`](crate::Policy::decide) to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    administrator: bool,
    list: Vec<Grant>,
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
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        Self { administrator: false, list: grants.into_iter().collect() }
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
