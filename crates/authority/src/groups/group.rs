//! One group: its members, and its keys by generation.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use sedge_crypto::CryptoRng;
use sedge_group::keying::{GroupPolicy, Roles};
use sedge_group::{Cipher, Gid, GroupKey, SenderId};

/// How a group is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// What values are encrypted with.
    pub cipher: Cipher,
    /// How the group is used.
    pub policy: GroupPolicy,
    /// After how many seconds a key is replaced though nobody came or went.
    pub key_lifetime: u64,
}

impl Default for GroupSettings {
    fn default() -> Self {
        let policy = GroupPolicy { check_interval: Some(60), ..GroupPolicy::default() };
        Self { cipher: Cipher::default(), policy, key_lifetime: 7 * 24 * 3600 }
    }
}

/// How many generations of keys are kept for members that slept.
pub(super) const GENERATIONS: usize = 64;

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) settings: GroupSettings,
    /// By the name of the device.
    pub(super) members: BTreeMap<String, Member>,
    /// The oldest first; never empty.
    pub(super) generations: VecDeque<Generation>,
    /// Sender IDs given out since the newest generation began, those of present members included, with the credentials of
    /// those who got them: so what somebody has published before it got another one can still be attributed.
    pub(super) senders: BTreeMap<u32, Vec<u8>>,
    /// The newest key that members were told of; not kept, for who watches a group begins anew when its centre does.
    pub(super) announced: Option<u64>,
}

/// One generation of the key.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) key: GroupKey,
    /// When it was made, in seconds since 1970.
    pub(super) made: u64,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) roles: Roles,
    /// The generation with which it came: it gets none from before.
    pub(super) since: u64,
    /// If it publishes.
    pub(super) sender: Option<u32>,
    /// Its credential, a CWT Claims Set.
    pub(super) credential: Vec<u8>,
}

impl Group {
    pub(super) fn new<R: CryptoRng + ?Sized>(settings: GroupSettings, now: u64, rng: &mut R) -> Self {
        // Where Gids begin says nothing of how old a group is.
        let mut first = [0; 2];
        rng.fill_bytes(&mut first);
        let key = GroupKey::generate(settings.cipher, Gid::from_number(u16::from_be_bytes(first)), 0, rng);
        Self {
            settings,
            members: BTreeMap::new(),
            generations: VecDeque::from([Generation { key, made: now }]),
            senders: BTreeMap::new(),
            announced: None,
        }
    }

    /// Sets the group up in another way. What is encrypted differently needs another key; so does whoever has to sign from
    /// now on, for only with it will members ask for the new policy.
    pub(super) fn configure<R: CryptoRng + ?Sized>(
        &mut self,
        settings: GroupSettings,
        now: u64,
        rng: &mut R,
    ) {
        let before = core::mem::replace(&mut self.settings, settings);
        if (before.cipher, before.policy) != (settings.cipher, settings.policy) {
            self.rekey(now, rng);
        }
    }

    /// The newest generation.
    pub(super) fn newest(&self) -> Option<&Generation> {
        self.generations.back()
    }

    /// The key of a generation by its Gid, if the member may have it.
    pub(super) fn generation_for(&self, member: &Member, gid: &Gid) -> Option<&Generation> {
        let found = self.generations.iter().rev().find(|generation| generation.key.gid() == *gid)?;
        (found.key.number() >= member.since).then_some(found)
    }

    /// Makes a new key. Sender IDs of members stay as they are; all others are free again.
    pub(super) fn rekey<R: CryptoRng + ?Sized>(&mut self, now: u64, rng: &mut R) {
        let (gid, number) = self.newest().map_or((Gid::from_number(0), 0), |newest| {
            let gid = <[u8; 2]>::try_from(newest.key.gid().as_bytes()).map_or(0, u16::from_be_bytes);
            (Gid::from_number(gid.wrapping_add(1)), newest.key.number() + 1)
        });
        let key = GroupKey::generate(self.settings.cipher, gid, number, rng);
        if self.generations.len() >= GENERATIONS {
            let _oldest = self.generations.pop_front();
        }
        self.generations.push_back(Generation { key, made: now });
        let present = self.members.values();
        self.senders =
            present.filter_map(|member| Some((member.sender?, member.credential.clone()))).collect();
    }

    /// A Sender ID that nobody has had since the newest generation began: the lowest one. From now on it is whose
    /// credential this is.
    pub(super) fn next_sender(&mut self, credential: &[u8]) -> Option<u32> {
        let free = (0..).zip(self.senders.keys()).find(|(number, taken)| number != *taken);
        let number = match free {
            Some((number, _)) => number,
            None => u32::try_from(self.senders.len()).ok()?,
        };
        self.senders.insert(number, credential.to_vec()).is_none().then_some(number)
    }

    /// Adds a member, or gives one that was there already a further role and, if it publishes, a new Sender ID. Says
    /// whether there is a new key, so that it cannot read what was published before.
    pub(super) fn join<R: CryptoRng + ?Sized>(
        &mut self,
        name: &str,
        roles: Roles,
        credential: Vec<u8>,
        now: u64,
        rng: &mut R,
    ) -> Option<bool> {
        let known = self.members.get(name).map(|member| (member.since, member.roles));
        let publishers = self.members.values().filter(|member| member.sender.is_some()).count();
        let crowded = roles.publishes() && self.senders.len() >= ONE_BYTE.max(4 * publishers);
        let rekeyed = known.is_none() && !self.members.is_empty() || crowded;
        if rekeyed {
            self.rekey(now, rng);
        }
        let newest = self.newest()?.key.number();
        let (since, roles) = known.map_or((newest, roles), |(since, before)| (since, before | roles));
        let sender = if roles.publishes() { Some(self.next_sender(&credential)?) } else { None };
        let member = Member { roles, since, sender, credential };
        let _before = self.members.insert(name.to_owned(), member);
        Some(rekeyed)
    }

    /// Whether the key is to be replaced though nobody came or went.
    pub(super) fn is_old(&self, now: u64) -> bool {
        self.newest().is_some_and(|newest| now.saturating_sub(newest.made) >= self.settings.key_lifetime)
    }

    /// Takes a member out and makes a new key, which it does not get. Says whether it was one.
    pub(super) fn remove<R: CryptoRng + ?Sized>(&mut self, name: &str, now: u64, rng: &mut R) -> bool {
        let was = self.members.remove(name).is_some();
        if was {
            self.rekey(now, rng);
        }
        was
    }

    /// Every publisher, with its credential.
    pub(super) fn publishers(&self) -> Vec<(SenderId, &[u8])> {
        let entry = |member: &Member| member.sender.map(SenderId::from_number);
        self.members.values().filter_map(|member| Some((entry(member)?, &*member.credential))).collect()
    }

    /// Everyone who has had a Sender ID under the newest key.
    pub(super) fn all_senders(&self) -> Vec<(SenderId, &[u8])> {
        self.senders
            .iter()
            .map(|(number, credential)| (SenderId::from_number(*number), &**credential))
            .collect()
    }
}

/// Sender IDs that take one byte. When they are used up, a new key makes them free again; but all publishers ask for another
/// one then, so with many of them that has to be worth it.
const ONE_BYTE: usize = 256;
