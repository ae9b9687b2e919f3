//! All rules together, compiled, and the decision that follows from them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::{HashMap, HashTable};
use sedge_time::Instant;

use crate::decision::{Cause, Decision};
use crate::definition::{Bridge, Definition, PolicyError, check_name};
use crate::levels::{Levels, hash};
use crate::rules::Rules;
use crate::{Grant, Permissions, Subject, Verb};

/// Roles, segments and bridges, compiled from a [`Definition`]. A policy never changes: another takes its place.
///
/// A [`Subject`] may do what its own grants or those of its roles permit, as long as the topic is in its own
/// segment, or in none, or a bridge leads there. Without roles and segments, its own grants decide.
///
/// ```
/// use sedge_access::{Cause, Definition, Grants, Permissions, Policy, Role, Segment, Subject, Verb};
/// use sedge_time::Instant;
///
/// let readers = Grants::none().with("+/temp".parse()?, Permissions::READ);
/// let policy = Policy::new(Definition {
///     roles: vec![Role { name: "reader".into(), grants: readers }],
///     segments: vec![Segment { name: "north".into(), topics: vec!["n".into()] }],
///     bridges: vec![],
/// })?;
/// let now = Instant::EPOCH;
/// let display = Subject::device("display", &Grants::none()).in_roles(["reader"]);
/// assert!(policy.decide(now, &display, Verb::Read, "s/temp").is_allowed());
/// assert_eq!(policy.decide(now, &display, Verb::Publish, "s/temp").cause(), Some(Cause::LacksVerb));
/// assert_eq!(policy.decide(now, &display, Verb::Read, "n/temp").cause(), Some(Cause::OtherSegment));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Policy {
    definition: Definition,
    /// In the order of the definition.
    pub(crate) roles: Vec<Rules>,
    role_names: Table,
    segment_names: Table,
    /// Segments by the prefixes of their topics.
    prefixes: HashTable<Prefix>,
    /// By the numbers of the segment of the device and that of the topic.
    bridges: HashMap<(u32, u32), Crossing, Numbers>,
}

/// Numbers by names.
#[derive(Clone, Debug, Default)]
struct Table(HashTable<(Box<str>, u32)>);

#[derive(Clone, Debug)]
struct Prefix {
    text: Box<str>,
    segment: u32,
}

/// All bridges from one segment to another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crossing {
    /// One grant for each pattern of each bridge.
    pub(crate) rules: Rules,
}

/// Where a subject stands to a topic, as far as segments go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Border<'p> {
    /// The topic is in no segment.
    Common,
    /// Both are in this one.
    Inside(&'p str),
    /// The topic is in another.
    Between {
        /// The topic's.
        to: &'p str,
        /// What leads there.
        crossing: Option<&'p Crossing>,
    },
}

impl Policy {
    /// Compiles a definition.
    ///
    /// # Errors
    /// What in it makes no sense.
    pub fn new(definition: Definition) -> Result<Self, PolicyError> {
        let mut policy = Self::default();
        for (number, role) in (0..).zip(&definition.roles) {
            check_name(&role.name)?;
            if role.grants.is_administrator() {
                return Err(PolicyError::Administrator(role.name.clone()));
            }
            policy.role_names.insert(&role.name, number)?;
            policy.roles.push(Rules::new(role.grants.list()));
        }
        for (number, segment) in (0..).zip(&definition.segments) {
            segment.check()?;
            policy.segment_names.insert(&segment.name, number)?;
            segment.topics.iter().try_for_each(|prefix| policy.add_prefix(prefix, number))?;
        }
        policy.add_bridges(&definition.bridges)?;
        Ok(Self { definition, ..policy })
    }

    fn add_prefix(&mut self, text: &str, segment: u32) -> Result<(), PolicyError> {
        if self.prefixes.find(hash(text), |known| &*known.text == text).is_some() {
            return Err(PolicyError::Shared(text.into()));
        }
        let prefix = Prefix { text: text.into(), segment };
        self.prefixes.insert_unique(hash(text), prefix, |known| hash(&known.text));
        Ok(())
    }

    fn add_bridges(&mut self, bridges: &[Bridge]) -> Result<(), PolicyError> {
        let mut ways: HashMap<(u32, u32), Vec<Grant>, Numbers> = HashMap::default();
        for bridge in bridges {
            let number = |name: &str| {
                let found = self.segment_names.find(name, hash(name));
                found.ok_or_else(|| PolicyError::NoSegment(name.into()))
            };
            let (from, to) = (number(&bridge.from)?, number(&bridge.to)?);
            if from == to {
                return Err(PolicyError::Loop(bridge.from.clone()));
            }
            if bridge.topics.is_empty() || !bridge.permissions.intersects(Permissions::ON_TOPICS) {
                return Err(PolicyError::Useless(bridge.from.clone()));
            }
            let back = bridge.both.then_some((to, from));
            for way in [Some((from, to)), back].into_iter().flatten() {
                let grants = bridge
                    .topics
                    .iter()
                    .map(|pattern| Grant { pattern: pattern.clone(), permissions: bridge.permissions });
                ways.entry(way).or_default().extend(grants);
            }
        }
        let compiled = ways.into_iter().map(|(way, grants)| (way, Crossing { rules: Rules::new(&grants) }));
        self.bridges = compiled.collect();
        Ok(())
    }

    /// What it was compiled from.
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Whether `subject` may do `verb` on the topic called `topic`, and why. Allocates nothing.
    pub fn decide<'a>(
        &'a self,
        now: Instant,
        subject: &'a Subject,
        verb: Verb,
        topic: &'a str,
    ) -> Decision<'a> {
        Decision::new(self, now, subject, verb, topic)
    }

    /// Why `subject` may not do `verb` on `topic`, or `None` if it may.
    pub(crate) fn cause(&self, now: Instant, subject: &Subject, verb: Verb, topic: &str) -> Option<Cause> {
        if subject.is_revoked() {
            return Some(Cause::Revoked);
        }
        if subject.is_expired(now) {
            return Some(Cause::Expired);
        }
        if subject.is_administrator() {
            return None;
        }
        let Some(levels) = Levels::of(topic) else { return Some(Cause::NotATopic) };
        let wanted = verb.permission();
        if !self.grants(subject, wanted, topic, &levels) {
            let touched = self.grants(subject, Permissions::ALL, topic, &levels);
            return Some(if touched { Cause::LacksVerb } else { Cause::NoGrant });
        }
        if self.lets_through(subject, wanted, topic, &levels) { None } else { Some(Cause::OtherSegment) }
    }

    /// Whether `subject` may know that the topic called `topic` exists: it may do something with it.
    pub fn sees(&self, now: Instant, subject: &Subject, topic: &str) -> bool {
        if subject.is_revoked() || subject.is_expired(now) {
            return false;
        }
        if subject.is_administrator() {
            return true;
        }
        let Some(levels) = Levels::of(topic) else { return false };
        let passes = match self.border(subject, &levels) {
            Border::Common | Border::Inside(_) => Permissions::ON_TOPICS,
            Border::Between { crossing, .. } => {
                crossing.map_or(Permissions::NONE, |crossing| crossing.rules.union(topic, &levels))
            }
        };
        self.grants(subject, passes.intersection(Permissions::ON_TOPICS), topic, &levels)
    }

    /// How the names of all topics begin that `subject` may know of.
    pub fn prefixes<'a>(&'a self, subject: &'a Subject) -> impl Iterator<Item = &'a str> {
        let everything = subject.is_administrator().then_some("");
        let own = subject.rules.list().iter();
        let granted = own.chain(self.roles_of(subject).flat_map(|(_, _, rules)| rules.list()));
        everything.into_iter().chain(granted.map(|grant| grant.pattern.prefix()))
    }

    /// Whether there is a role of this name.
    pub fn has_role(&self, name: &str) -> bool {
        self.role_names.find(name, hash(name)).is_some()
    }

    /// Whether there is a segment of this name.
    pub fn has_segment(&self, name: &str) -> bool {
        self.segment_names.find(name, hash(name)).is_some()
    }

    /// The segment that the topic called `topic` is in.
    pub fn segment_of(&self, topic: &str) -> Option<&str> {
        let number = self.segment(&Levels::of(topic)?)?;
        self.segment_name(number)
    }

    fn grants(&self, subject: &Subject, wanted: Permissions, topic: &str, levels: &Levels<'_>) -> bool {
        let has = |rules: &Rules| rules.find(wanted, topic, levels).is_some();
        has(&subject.rules) || self.roles_of(subject).any(|(_, _, rules)| has(rules))
    }

    /// The roles of `subject` that there are: their numbers, names and rules.
    pub(crate) fn roles_of<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> impl Iterator<Item = (usize, &'a str, &'a Rules)> {
        subject.roles.iter().filter_map(|name| {
            let number = self.role_names.find(&name.text, name.hash)? as usize;
            Some((number, &*name.text, self.roles.get(number)?))
        })
    }

    fn lets_through(&self, subject: &Subject, wanted: Permissions, topic: &str, levels: &Levels<'_>) -> bool {
        match self.border(subject, levels) {
            Border::Common | Border::Inside(_) => true,
            Border::Between { crossing, .. } => {
                crossing.is_some_and(|crossing| crossing.rules.find(wanted, topic, levels).is_some())
            }
        }
    }

    pub(crate) fn border(&self, subject: &Subject, levels: &Levels<'_>) -> Border<'_> {
        let Some(to) = self.segment(levels) else { return Border::Common };
        let name = self.segment_name(to).unwrap_or_default();
        let from = subject.segment.as_ref().and_then(|own| self.segment_names.find(&own.text, own.hash));
        if from == Some(to) {
            return Border::Inside(name);
        }
        let crossing = from.and_then(|from| self.bridges.get(&(from, to)));
        Border::Between { to: name, crossing }
    }

    /// The number of the segment whose longest prefix the name begins with.
    fn segment(&self, levels: &Levels<'_>) -> Option<u32> {
        if self.prefixes.is_empty() {
            return None;
        }
        (0..levels.count()).rev().find_map(|number| {
            let (prefix, hash) = levels.prefix(number)?;
            self.prefixes.find(hash, |known| &*known.text == prefix).map(|known| known.segment)
        })
    }

    fn segment_name(&self, number: u32) -> Option<&str> {
        self.definition.segments.get(number as usize).map(|segment| segment.name.as_str())
    }
}

impl Table {
    fn insert(&mut self, name: &str, number: u32) -> Result<(), PolicyError> {
        if self.find(name, hash(name)).is_some() {
            return Err(PolicyError::Twice(name.into()));
        }
        let _ = self.0.insert_unique(hash(name), (name.into(), number), |(name, _)| hash(name));
        Ok(())
    }

    fn find(&self, name: &str, hash: u64) -> Option<u32> {
        self.0.find(hash, |(known, _)| &**known == name).map(|(_, number)| *number)
    }
}

/// Hashes pairs of small numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers;

impl core::hash::BuildHasher for Numbers {
    type Hasher = NumberHasher;

    fn build_hasher(&self) -> NumberHasher {
        NumberHasher(0)
    }
}

struct NumberHasher(u64);

impl core::hash::Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = crate::levels::finish(self.0.rotate_left(21) ^ u64::from(number));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
