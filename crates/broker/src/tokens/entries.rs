//! The keys that tokens are bound to, each with its token.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sedge_ace::TokenHash;
use sedge_crypto::PublicKey;
use sedge_dtls::Psk;
use sedge_time::{Duration, Instant};

use super::{FIRST, Refused, Shown};
use crate::Principal;

/// The keys by number, by identifier and by themselves.
#[derive(Debug)]
pub(super) struct Entries {
    max: usize,
    next: Principal,
    entries: HashMap<Principal, Entry>,
    by_kid: HashMap<Box<[u8]>, Principal>,
    by_public_key: HashMap<PublicKey, Principal>,
    by_hash: HashMap<TokenHash, Principal>,
    /// When which token ends.
    ends: BTreeSet<(Instant, Principal)>,
    /// Tokens that are good no more whatever the wall clock says, each until when that is remembered.
    spent: HashMap<TokenHash, Instant>,
}

/// A key, with its token.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) pop: Pop,
    kid: Option<Box<[u8]>>,
    pub(super) token: Arc<Shown>,
}

/// A key of proof of possession.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pop {
    Symmetric(Psk),
    Public(PublicKey),
}

/// For how long tokens are remembered that are good no more: longer than a wall clock is likely to be wrong by.
const MEMORY: Duration = Duration::from_secs(7 * 86_400);

impl Entries {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            next: FIRST,
            entries: HashMap::new(),
            by_kid: HashMap::new(),
            by_public_key: HashMap::new(),
            by_hash: HashMap::new(),
            ends: BTreeSet::new(),
            spent: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry of this number, while its token is good.
    pub(super) fn get(&self, principal: Principal, now: Instant) -> Option<&Entry> {
        self.entries.get(&principal).filter(|entry| entry.token.end > now)
    }

    pub(super) fn by_kid(&self, kid: &[u8]) -> Option<Principal> {
        self.by_kid.get(kid).copied()
    }

    pub(super) fn by_public_key(&self, key: &PublicKey) -> Option<Principal> {
        self.by_public_key.get(key).copied()
    }

    pub(super) fn of_subject(&self, subject: &str) -> Vec<Principal> {
        let theirs = self.entries.iter().filter(|(_, entry)| entry.token.subject == subject);
        theirs.map(|(principal, _)| *principal).collect()
    }

    /// Whether a token with one of these hashes is good no more.
    pub(super) fn are_spent(&self, hashes: &[TokenHash; 2]) -> bool {
        hashes.iter().any(|hash| self.spent.contains_key(hash))
    }

    /// Notes a token that is good. One for a key that is known takes the place of the key's token, unless it is older.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        token: Arc<Shown>,
        pop: Pop,
        kid: Option<Box<[u8]>>,
    ) -> Result<Principal, Refused> {
        if let Some(principal) = token.hashes.iter().find_map(|hash| self.by_hash.get(hash)) {
            return Ok(*principal);
        }
        self.expire(now);
        let known = match &pop {
            Pop::Public(key) => self.by_public_key(key),
            Pop::Symmetric(_) => kid.as_deref().and_then(|kid| self.by_kid(kid)),
        };
        let Some(principal) = known else {
            if self.entries.len() >= self.max || self.next == Principal::MAX {
                return Err(Refused::Full);
            }
            let principal = self.next;
            self.next += 1;
            if let Some(kid) = &kid {
                let _none = self.by_kid.insert(kid.clone(), principal);
            }
            if let Pop::Public(key) = &pop {
                let _none = self.by_public_key.insert(*key, principal);
            }
            self.link(principal, &token);
            let _none = self.entries.insert(principal, Entry { pop, kid, token });
            return Ok(principal);
        };
        let Some(entry) = self.entries.get_mut(&principal) else { return Err(Refused::Conflict) };
        if entry.token.subject != token.subject {
            return Err(Refused::Conflict);
        }
        if token.issued < entry.token.issued {
            return Err(Refused::Stale);
        }
        let before = std::mem::replace(&mut entry.token, token.clone());
        self.unlink(principal, &before);
        self.link(principal, &token);
        Ok(principal)
    }

    /// Takes a token's rights away for good; returns whose it was, if it was shown.
    pub(super) fn revoke(&mut self, now: Instant, hash: TokenHash) -> Option<(Principal, Arc<Shown>)> {
        let _before = self.spent.insert(hash, now + MEMORY);
        let principal = *self.by_hash.get(&hash)?;
        let token = self.entries.get(&principal)?.token.clone();
        self.remove(principal);
        Some((principal, token))
    }

    /// Forgets what is over.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((end, principal)) = self.ends.first().copied().filter(|(end, _)| *end <= now) {
            if let Some(entry) = self.entries.get(&principal) {
                let [hash, _] = entry.token.hashes;
                let _none = self.spent.insert(hash, end + MEMORY);
            }
            self.remove(principal);
        }
        if self.spent.len() > self.max {
            self.spent.retain(|_, until| *until > now);
        }
    }

    fn remove(&mut self, principal: Principal) {
        let Some(entry) = self.entries.remove(&principal) else { return };
        self.unlink(principal, &entry.token);
        if let Some(kid) = &entry.kid {
            let _known = self.by_kid.remove(kid);
        }
        if let Pop::Public(key) = &entry.pop {
            let _known = self.by_public_key.remove(key);
        }
    }

    fn link(&mut self, principal: Principal, token: &Shown) {
        let _new = self.ends.insert((token.end, principal));
        self.by_hash.extend(token.hashes.map(|hash| (hash, principal)));
    }

    fn unlink(&mut self, principal: Principal, token: &Shown) {
        let _known = self.ends.remove(&(token.end, principal));
        for hash in &token.hashes {
            let _known = self.by_hash.remove(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use sedge_access::Grants;

    use super::*;
    use crate::security::Provider;

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    fn token(name: u8, subject: &str, issued: u64, end: Instant) -> Arc<Shown> {
        Arc::new(Shown {
            hashes: [[name], [name | 0x80]].map(|token| TokenHash::of(&Provider::default(), &token)),
            id: Box::from([name]),
            subject: subject.into(),
            scope: Grants::none(),
            issued: Some(issued),
            expires: 0,
            end,
        })
    }

    fn key(number: u8) -> (Pop, Option<Box<[u8]>>) {
        (Pop::Symmetric(Psk::new(&[number; 16]).unwrap()), Some(Box::from([number])))
    }

    fn show(entries: &mut Entries, now: u64, shown: Arc<Shown>, number: u8) -> Result<Principal, Refused> {
        let (pop, kid) = key(number);
        entries.insert(at(now), shown, pop, kid)
    }

    /// Whatever the wall clock says then: nothing here asks it.
    #[test]
    fn a_token_ends_by_the_monotonic_clock_and_does_not_come_back() {
        let mut entries = Entries::new(8);
        let shown = token(1, "a", 0, at(10));
        let principal = show(&mut entries, 0, shown.clone(), 1).unwrap();
        assert!(entries.get(principal, at(9)).is_some() && entries.get(principal, at(10)).is_none());
        entries.expire(at(10));
        assert!(entries.are_spent(&shown.hashes) && entries.by_kid(&[1]).is_none());
        // Another token for the key is another matter, under another number.
        let again = show(&mut entries, 11, token(2, "a", 1, at(20)), 1).unwrap();
        assert_ne!(again, principal);
        // Revoked by the one hash, it is known by the other.
        let revoked = entries.revoke(at(12), token(2, "a", 1, at(20)).hashes[1]);
        assert_eq!(revoked.map(|(whose, _)| whose), Some(again));
        assert!(entries.get(again, at(12)).is_none() && entries.len() == 0);
        assert!(entries.are_spent(&token(2, "a", 1, at(20)).hashes));
    }

    #[test]
    fn one_token_for_each_key_the_newest() {
        let mut entries = Entries::new(2);
        let principal = show(&mut entries, 0, token(1, "a", 5, at(10)), 1).unwrap();
        assert_eq!(show(&mut entries, 0, token(2, "a", 6, at(20)), 1), Ok(principal));
        assert_eq!(show(&mut entries, 0, token(1, "a", 5, at(10)), 1), Err(Refused::Stale));
        assert_eq!(show(&mut entries, 0, token(3, "b", 7, at(10)), 1), Err(Refused::Conflict));
        entries.expire(at(10));
        assert!(entries.get(principal, at(19)).is_some(), "the older one's end is not the newer one's");
        let _second = show(&mut entries, 10, token(4, "b", 0, at(30)), 2).unwrap();
        assert_eq!(show(&mut entries, 10, token(5, "c", 0, at(30)), 3), Err(Refused::Full));
        assert!(show(&mut entries, 20, token(5, "c", 0, at(30)), 3).is_ok(), "time makes room");
    }
}
