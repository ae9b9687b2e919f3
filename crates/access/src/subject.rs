//! On whose behalf something is to be done.

use alloc::boxed::Box;

use sedge_time::Instant;

use crate::levels::hash;
use crate::rules::Rules;
use crate::{Grant, Grants};

/// Whoever wants to do something: a device, the bearer of a token, or anyone at all. Made once, asked often.
#[derive(Clone, Debug)]
pub struct Subject {
    name: Box<str>,
    kind: Kind,
    administrator: bool,
    pub(crate) rules: Rules,
    pub(crate) roles: Box<[Name]>,
    pub(crate) segment: Option<Name>,
    valid_until: Option<Instant>,
    revoked: bool,
}

/// Where a subject has its rights from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is enrolled.
    Device,
    /// It has shown a token.
    Token,
    /// It has shown nothing.
    Anyone,
}

/// The name of a role or segment, with its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: Box<str>,
    pub(crate) hash: u64,
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self { text: text.into(), hash: hash(text) }
    }
}

impl Subject {
    /// A device that is enrolled, with what it is granted itself.
    pub fn device(name: &str, grants: &Grants) -> Self {
        Self::new(name, Kind::Device, grants)
    }

    /// The bearer of a token with this scope; `name` is the token's subject. A scope makes no administrators.
    pub fn token(name: &str, scope: &Grants) -> Self {
        Self { administrator: false, ..Self::new(name, Kind::Token, scope) }
    }

    /// Whoever comes.
    pub fn anyone(grants: &Grants) -> Self {
        Self { administrator: false, ..Self::new("", Kind::Anyone, grants) }
    }

    fn new(name: &str, kind: Kind, grants: &Grants) -> Self {
        Self {
            name: name.into(),
            kind,
            administrator: grants.is_administrator(),
            rules: Rules::new(grants.list()),
            roles: Box::default(),
            segment: None,
            valid_until: None,
            revoked: false,
        }
    }

    /// The same with these roles.
    #[must_use]
    pub fn in_roles<'n>(self, roles: impl IntoIterator<Item = &'n str>) -> Self {
        Self { roles: roles.into_iter().map(Name::from).collect(), ..self }
    }

    /// The same in this segment.
    #[must_use]
    pub fn in_segment(self, segment: Option<&str>) -> Self {
        Self { segment: segment.map(Name::from), ..self }
    }

    /// The same until this moment; from then on it may do nothing.
    #[must_use]
    pub fn until(self, end: Instant) -> Self {
        Self { valid_until: Some(end), ..self }
    }

    /// The same without any rights, because they were taken back.
    #[must_use]
    pub fn revoked(self) -> Self {
        Self { revoked: true, ..self }
    }

    /// Its name: the device's, or the subject of the token.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it has its rights from.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is an administrator, who may do everything.
    pub const fn is_administrator(&self) -> bool {
        self.administrator
    }

    /// What it is granted itself, apart from its roles.
    pub fn grants(&self) -> &[Grant] {
        self.rules.list()
    }

    /// The roles that it has.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(|name| &*name.text)
    }

    /// The segment that it is in.
    pub fn segment(&self) -> Option<&str> {
        self.segment.as_ref().map(|name| &*name.text)
    }

    /// When its rights end by themselves.
    pub const fn valid_until(&self) -> Option<Instant> {
        self.valid_until
    }

    /// Whether its rights were taken back.
    pub const fn is_revoked(&self) -> bool {
        self.revoked
    }

    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.valid_until.is_some_and(|end| now >= end)
    }
}
