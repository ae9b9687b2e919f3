//! The key distribution centre: who may read and write the values of a protected topic
//! ([RFC 9594](https://www.rfc-editor.org/rfc/rfc9594),
//! [draft-ietf-ace-coap-pubsub-profile](https://datatracker.ietf.org/doc/html/draft-ietf-ace-coap-pubsub-profile)).
//!
//! There is one group for each protected topic, called as the topic is. What somebody may be in it follows from what it
//! may do with the topic. Whoever comes or goes makes a new key: who has left cannot read what follows, who is new cannot
//! read what went before. The last 64 generations are kept for members that slept through some.
//!
//! | path | method | for | answer |
//! |---|---|---|---|
//! | `/ace-group` | FETCH | all | the groups of the requester's with these Gids |
//! | `/ace-group/G` | POST | who may publish or read | joins: key, Sender ID, policies |
//! | | GET, with `?gid=HEX` for an earlier one | members | the key; can be observed |
//! | `/ace-group/G/num` | GET | members | the number of the newest key |
//! | `/ace-group/G/creds` | GET, FETCH | members | who publishes |
//! | `/ace-group/G/policies` | GET | members | how the group is used |
//! | `/ace-group/G/nodes/N` | GET | N | key and Sender ID; can be observed |
//! | | POST, PUT | N, if it publishes | a new Sender ID |
//! | | DELETE | N | leaves |
//! | `/ace-group/G/nodes/N/cred` | POST | N, if it publishes | replaces its credential |
//!
//! There is no `kdc-cred`, which only a centre has whose rekeying messages it signs
//! ([section 4.1](https://www.rfc-editor.org/rfc/rfc9594#section-4.1) leaves it out otherwise): keys are handed out point to
//! point, over sessions that have shown who the centre is. Members learn of a new key at once if they observe
//! `/ace-group/G` ([section 6.1](https://www.rfc-editor.org/rfc/rfc9594#section-6.1)); otherwise by asking for `num`, or
//! when a message names a Gid that they do not know. `POST` on `nodes/N` is the draft's for `PUT`.

mod answers;
mod group;
mod join;
mod requests;
mod sealed;
mod state;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use sedge_access::Verb;
use sedge_crypto::{Crypto, CryptoRng, Secret};
use sedge_group::keying::Roles;

use crate::{Answer, Clients, Context, Request};
use answers::Refusal;
use group::Group;

pub use group::GroupSettings;
pub use sealed::{OperatorKey, PREFIX, TooShort};

/// How groups come to be, and how long their keys live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether a topic that somebody may publish to gets a group by the first one who joins.
    pub auto_create: bool,
    /// How groups are set up that come to be in that way.
    pub group: GroupSettings,
    /// How many groups there may be.
    pub max_groups: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { auto_create: true, group: GroupSettings::default(), max_groups: 10_000 }
    }
}

/// All groups.
pub struct Groups {
    settings: Settings,
    operator_key: OperatorKey,
    challenges: Secret<32>,
    groups: BTreeMap<String, Group>,
    /// Groups with a new key, or that are no more, of which nobody has been told yet.
    rekeyed: BTreeSet<String>,
    /// Who was taken out, and has not been told of yet.
    evicted: Vec<Evicted>,
}

/// A member that was taken out of a group, because it may no longer be what it was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// Its name.
    pub member: String,
    /// The topic of the group.
    pub topic: String,
}

/// What an operator is told of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// The topic.
    pub name: String,
    /// How it is set up.
    pub settings: GroupSettings,
    /// The number of the newest key.
    pub number: u64,
    /// Its members, and what they are.
    pub members: Vec<(String, Roles)>,
}

/// Why a group cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateError {
    /// There is one for this topic.
    Exists,
    /// There are as many as there may be.
    TooMany,
}

/// A record of the store was not sealed under the operator's key, or is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl Groups {
    /// No groups yet.
    pub fn new<C: Crypto>(crypto: &C, operator_key: OperatorKey, settings: Settings) -> Self {
        let challenges = operator_key.challenges(crypto);
        let (groups, rekeyed, evicted) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        Self { settings, operator_key, challenges, groups, rekeyed, evicted }
    }

    /// Takes in a record of the store.
    ///
    /// # Errors
    /// [`Unreadable`]: nothing should be served then, for another key would give out Sender IDs a second time.
    pub fn restore<C: Crypto>(&mut self, crypto: &C, record: &str, sealed: &[u8]) -> Result<(), Unreadable> {
        let state = self.operator_key.open(crypto, record, sealed).ok_or(Unreadable)?;
        let (name, group) = Group::decode(&state).map_err(|_| Unreadable)?;
        let _twice = self.groups.insert(name, group);
        Ok(())
    }

    /// How a group is set up unless something else is said.
    pub const fn defaults(&self) -> GroupSettings {
        self.settings.group
    }

    /// Makes a group for a topic.
    ///
    /// # Errors
    /// [`CreateError`].
    pub fn create<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        topic: &str,
        settings: GroupSettings,
    ) -> Result<(), CreateError> {
        if self.groups.contains_key(topic) {
            return Err(CreateError::Exists);
        }
        if self.groups.len() >= self.settings.max_groups {
            return Err(CreateError::TooMany);
        }
        let group = Group::new(settings, cx.now, cx.rng);
        let _none = self.groups.insert(topic.to_string(), group);
        self.keep(cx, topic);
        Ok(())
    }

    /// Sets a group up in another way, with a new key if members have to know. Says whether there is such a group.
    pub fn configure<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        topic: &str,
        settings: GroupSettings,
    ) -> bool {
        let Some(group) = self.groups.get_mut(topic) else { return false };
        group.configure(settings, cx.now, cx.rng);
        self.keep(cx, topic);
        true
    }

    /// How the group of a topic is set up.
    pub fn settings_of(&self, topic: &str) -> Option<GroupSettings> {
        Some(self.groups.get(topic)?.settings)
    }

    /// The groups that got a new key, or have ended, since this was asked last: whoever observes them is to be told.
    pub fn take_rekeyed(&mut self) -> BTreeSet<String> {
        core::mem::take(&mut self.rekeyed)
    }

    /// Who was taken out of a group since this was asked last.
    pub fn take_evicted(&mut self) -> Vec<Evicted> {
        core::mem::take(&mut self.evicted)
    }

    /// Ends a group. Says whether there was one.
    pub fn delete<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        topic: &str,
    ) -> bool {
        let was = self.groups.remove(topic).is_some();
        if was {
            cx.store.remove(&sealed::record(topic));
            let _new = self.rekeyed.insert(topic.to_string());
        }
        was
    }

    /// Answers a request below `/ace-group`.
    pub fn handle<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        request: &Request<'_>,
    ) -> Answer {
        self.dispatch(cx, request).unwrap_or_else(Refusal::into_answer)
    }

    /// What somebody is told who observes `/ace-group/G` or `/ace-group/G/nodes/N`: the same as if it asked, or why there is
    /// nothing any more ([sections 5 and 6.1](https://www.rfc-editor.org/rfc/rfc9594#section-6.1)).
    pub fn observed<C, R: ?Sized>(&self, cx: &Context<'_, C, R>, request: &Request<'_>) -> Answer {
        self.observe(cx, request).unwrap_or_else(Refusal::into_answer)
    }

    /// Takes out members that may no longer be what they are, after rights have changed or devices were removed, and
    /// replaces keys that are too old.
    pub fn review<C: Crypto, R: CryptoRng + ?Sized>(&mut self, cx: &mut Context<'_, C, R>) {
        let names: Vec<String> = self.groups.keys().cloned().collect();
        for name in names {
            let Some(group) = self.groups.get_mut(&name) else { continue };
            let gone: Vec<String> = group
                .members
                .iter()
                .filter(|(member, state)| {
                    !rights(cx.clients, member, &name).is_some_and(|may| may.contains(state.roles))
                })
                .map(|(member, _)| member.clone())
                .collect();
            let mut changed = false;
            for member in gone {
                changed |= group.members.remove(&member).is_some();
                self.evicted.push(Evicted { member, topic: name.clone() });
            }
            if changed || group.is_old(cx.now) {
                group.rekey(cx.now, cx.rng);
                self.keep(cx, &name);
            }
        }
    }

    /// Everything about all groups but their keys.
    pub fn list(&self) -> impl Iterator<Item = GroupInfo> {
        self.groups.iter().map(|(name, group)| GroupInfo {
            name: name.clone(),
            settings: group.settings,
            number: group.newest().map_or(0, |generation| generation.key.number()),
            members: group.members.iter().map(|(name, member)| (name.clone(), member.roles)).collect(),
        })
    }

    /// Writes a group to the store.
    fn keep<C: Crypto, R: CryptoRng + ?Sized>(&mut self, cx: &mut Context<'_, C, R>, topic: &str) {
        let Some(group) = self.groups.get_mut(topic) else { return };
        let newest = group.newest().map(|newest| newest.key.number());
        if core::mem::replace(&mut group.announced, newest) != newest {
            let _new = self.rekeyed.insert(topic.to_string());
        }
        let record = sealed::record(topic);
        let sealed = self.operator_key.seal(cx.crypto, cx.rng, &record, &group.encode(topic));
        cx.store.put(&record, &sealed);
    }
}

/// What somebody may be in the group of a topic; `None` if nothing.
fn rights(clients: &dyn Clients, name: &str, topic: &str) -> Option<Roles> {
    let publisher = clients.allows(name, Verb::Publish, topic).then_some(Roles::PUBLISHER);
    let subscriber = clients.allows(name, Verb::Read, topic).then_some(Roles::SUBSCRIBER);
    match (publisher, subscriber) {
        (Some(publisher), Some(subscriber)) => Some(publisher | subscriber),
        (one, other) => one.or(other),
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups")
            .field("settings", &self.settings)
            .field("groups", &self.groups.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exists => "the topic is protected already",
            Self::TooMany => "there are as many groups as there may be",
        })
    }
}

impl core::error::Error for CreateError {}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the keys of a group cannot be read: they were sealed under another key, or are damaged")
    }
}

impl core::error::Error for Unreadable {}
