//! The answer to "may this subject do this on that topic", and every rule that spoke.

use alloc::vec::Vec;
use core::fmt;

use sedge_time::Instant;

use crate::levels::Levels;
use crate::name::{self, NameError};
use crate::policy::Border;
use crate::rules::Rules;
use crate::{Bridge, Grant, Kind, Policy, Subject, Verb};

/// What a [`Policy`] says about one thing that one subject wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    policy: &'a Policy,
    subject: &'a Subject,
    now: Instant,
    verb: Verb,
    topic: &'a str,
    cause: Option<Cause>,
}

/// Why something is refused, in one word: the first of these that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// The subject's rights were taken back.
    Revoked,
    /// The subject's rights have ended.
    Expired,
    /// No topic can have this name.
    NotATopic,
    /// No grant of the subject's, or of its roles, matches the topic.
    NoGrant,
    /// Grants match, but none carries what it takes.
    LacksVerb,
    /// The topic is in another segment, and no bridge lets this through.
    OtherSegment,
}

/// Something that spoke for or against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule<'a> {
    /// For: the subject is an administrator, who may do everything.
    Administrator,
    /// Against: the subject's rights were taken back.
    Revoked,
    /// Against: the subject's rights have ended.
    Expired,
    /// Against: no topic can have this name.
    NotATopic(NameError),
    /// A grant that matches the topic.
    Grant {
        /// Whose it is.
        source: Source<'a>,
        /// Its place there, from 0.
        index: usize,
        /// The grant.
        grant: &'a Grant,
        /// Whether it carries what it takes, and so speaks for it.
        carries: bool,
    },
    /// Against: no grant matches the topic.
    NoGrant,
    /// Against: the subject has a role that does not exist.
    NoRole(&'a str),
    /// For: the topic is in no segment.
    CommonTopic,
    /// For: the subject and the topic are both in this segment.
    SameSegment(&'a str),
    /// A bridge between the subject's segment and the topic's.
    Bridge {
        /// Its place in the definition, from 0.
        index: usize,
        /// The bridge.
        bridge: &'a Bridge,
        /// Whether it lets this through, and so speaks for it.
        carries: bool,
    },
    /// Against: there is no bridge between the subject's segment, if it is in any, and the topic's.
    NoBridge {
        /// The subject's.
        from: Option<&'a str>,
        /// The topic's.
        to: &'a str,
    },
    /// Against: the subject is in a segment that does not exist.
    NoSegment(&'a str),
}

/// Whose a grant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// The device's own.
    Own,
    /// The scope of the token.
    Scope,
    /// What anyone may do.
    Anyone,
    /// That of a role.
    Role(&'a str),
}

impl<'a> Decision<'a> {
    pub(crate) fn new(
        policy: &'a Policy,
        now: Instant,
        subject: &'a Subject,
        verb: Verb,
        topic: &'a str,
    ) -> Self {
        let cause = policy.cause(now, subject, verb, topic);
        Self { policy, subject, now, verb, topic, cause }
    }

    /// Whether the answer is yes.
    pub const fn is_allowed(&self) -> bool {
        self.cause.is_none()
    }

    /// Why the answer is no.
    pub const fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// Who asked.
    pub const fn subject(&self) -> &'a Subject {
        self.subject
    }

    /// Every rule that spoke, for or against, in the order in which they are asked. This is for people: it looks at
    /// every rule that the subject has.
    pub fn rules(&self) -> Vec<Rule<'a>> {
        let mut rules = Vec::new();
        if self.subject.is_revoked() {
            rules.push(Rule::Revoked);
        }
        if self.subject.is_expired(self.now) {
            rules.push(Rule::Expired);
        }
        if self.subject.is_administrator() {
            rules.push(Rule::Administrator);
            return rules;
        }
        if let Err(error) = name::check(self.topic) {
            rules.push(Rule::NotATopic(error));
        }
        let Some(levels) = Levels::of(self.topic) else { return rules };
        self.grants(&mut rules);
        self.border(&levels, &mut rules);
        rules
    }

    fn grants(&self, rules: &mut Vec<Rule<'a>>) {
        let before = rules.len();
        let own = match self.subject.kind() {
            Kind::Device => Source::Own,
            Kind::Token => Source::Scope,
            Kind::Anyone => Source::Anyone,
        };
        self.matching(own, &self.subject.rules, rules);
        for (_, name, of_role) in self.policy.roles_of(self.subject) {
            self.matching(Source::Role(name), of_role, rules);
        }
        if rules.len() == before {
            rules.push(Rule::NoGrant);
        }
        rules.extend(self.subject.roles().filter(|name| !self.policy.has_role(name)).map(Rule::NoRole));
    }

    fn matching(&self, source: Source<'a>, of: &'a Rules, rules: &mut Vec<Rule<'a>>) {
        let matching = of.list().iter().enumerate().filter(|(_, grant)| grant.pattern.matches(self.topic));
        rules.extend(matching.map(|(index, grant)| {
            let carries = grant.permissions.contains(self.verb.permission());
            Rule::Grant { source, index, grant, carries }
        }));
    }

    fn border(&self, levels: &Levels<'_>, rules: &mut Vec<Rule<'a>>) {
        let segment = self.subject.segment();
        rules.extend(segment.filter(|name| !self.policy.has_segment(name)).map(Rule::NoSegment));
        let (to, from) = match self.policy.border(self.subject, levels) {
            Border::Common => return rules.push(Rule::CommonTopic),
            Border::Inside(name) => return rules.push(Rule::SameSegment(name)),
            Border::Between { to, .. } => (to, segment),
        };
        let before = rules.len();
        for (index, bridge) in self.policy.definition().bridges.iter().enumerate() {
            let there = Some(bridge.from.as_str()) == from && bridge.to == to;
            let back = bridge.both && Some(bridge.to.as_str()) == from && bridge.from == to;
            if there || back {
                let carries = bridge.permissions.contains(self.verb.permission())
                    && bridge.topics.iter().any(|pattern| pattern.matches(self.topic));
                rules.push(Rule::Bridge { index, bridge, carries });
            }
        }
        if rules.len() == before {
            rules.push(Rule::NoBridge { from, to });
        }
    }
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 6] =
        [Self::Revoked, Self::Expired, Self::NotATopic, Self::NoGrant, Self::LacksVerb, Self::OtherSegment];

    /// Its name in logs and counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::NotATopic => "not-a-topic",
            Self::NoGrant => "no-grant",
            Self::LacksVerb => "lacks-verb",
            Self::OtherSegment => "other-segment",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revoked => "its rights were revoked",
            Self::Expired => "its rights have expired",
            Self::NotATopic => "no topic can have this name",
            Self::NoGrant => "no grant matches the topic",
            Self::LacksVerb => "no grant that matches the topic permits this",
            Self::OtherSegment => "the topic is in another segment, and no bridge lets this through",
        })
    }
}

impl Rule<'_> {
    /// Whether it speaks for what was asked, or against.
    pub const fn is_for(&self) -> bool {
        match self {
            Self::Administrator | Self::CommonTopic | Self::SameSegment(_) => true,
            Self::Grant { carries, .. } | Self::Bridge { carries, .. } => *carries,
            _ => false,
        }
    }

    /// Its kind, for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::NotATopic(_) => "not-a-topic",
            Self::Grant { .. } => "grant",
            Self::NoGrant => "no-grant",
            Self::NoRole(_) => "no-role",
            Self::CommonTopic => "common-topic",
            Self::SameSegment(_) => "same-segment",
            Self::Bridge { .. } => "bridge",
            Self::NoBridge { .. } => "no-bridge",
            Self::NoSegment(_) => "no-segment",
        }
    }
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administrator => f.write_str("it is an administrator, who may do everything"),
            Self::Revoked => f.write_str("its rights were revoked"),
            Self::Expired => f.write_str("its rights have expired"),
            Self::NotATopic(error) => write!(f, "no topic can have this name: {error}"),
            Self::Grant { source, index, grant, carries } => {
                let only = if *carries { "" } else { "only " };
                write!(f, "{source} grant {index} gives {only}{} on {}", grant.permissions, grant.pattern)
            }
            Self::NoGrant => f.write_str("no grant matches the topic"),
            Self::NoRole(name) => write!(f, "it has the role `{name}`, which does not exist"),
            Self::CommonTopic => f.write_str("the topic is in no segment"),
            Self::SameSegment(name) => write!(f, "it is in the topic's segment, `{name}`"),
            Self::Bridge { index, bridge, carries } => {
                let Bridge { from, to, both, topics, permissions } = bridge;
                let (arrow, only) = (if *both { "<->" } else { "->" }, if *carries { "" } else { "only " });
                write!(f, "bridge {index}, {from} {arrow} {to}, lets {only}{permissions} through on")?;
                topics.iter().try_for_each(|pattern| write!(f, " {pattern}"))
            }
            Self::NoBridge { from: Some(from), to } => {
                write!(f, "no bridge leads from its segment, `{from}`, to the topic's, `{to}`")
            }
            Self::NoBridge { from: None, to } => {
                write!(f, "the topic is in the segment `{to}`, and it is in none")
            }
            Self::NoSegment(name) => write!(f, "it is in the segment `{name}`, which does not exist"),
        }
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("its own"),
            Self::Scope => f.write_str("the token's"),
            Self::Anyone => f.write_str("everyone's"),
            Self::Role(name) => write!(f, "role `{name}`,"),
        }
    }
}

impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            None => f.write_str("allowed"),
            Some(cause) => write!(f, "refused: {cause}"),
        }
    }
}
