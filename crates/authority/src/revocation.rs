//! Which tokens are revoked, and how that came about: the token revocation list
//! ([RFC 9770](https://www.rfc-editor.org/rfc/rfc9770)).

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use sedge_ace::TokenHash;

/// Diff entries kept for each requester: `MAX_N` of
/// [RFC 9770 section 6.2](https://www.rfc-editor.org/rfc/rfc9770#section-6.2).
pub const MAX_N: usize = 64;
/// Diff entries in one answer: `MAX_DIFF_BATCH`.
pub const MAX_DIFF_BATCH: usize = 16;

/// Whose part of the list somebody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share<'a> {
    /// All of it: an administrator's.
    All,
    /// The tokens that were issued to this client, or for it as a resource server.
    Of(&'a str),
}

/// A token that was revoked before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// When it would have ended, in seconds since 1970; from then on it is on the list no more.
    pub expires: u64,
    /// To whom it was issued.
    pub subject: String,
    /// For which resource server.
    pub audience: String,
}

/// One update of a requester's part of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiffEntry {
    /// Tokens that have expired since.
    pub removed: Vec<TokenHash>,
    /// Tokens that were revoked.
    pub added: Vec<TokenHash>,
}

/// What a query for changes is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff<'a> {
    /// The entries, the newest first.
    pub entries: Vec<&'a DiffEntry>,
    /// Where the next query goes on.
    pub cursor: Option<u64>,
    /// Whether there is more, or, without a cursor, whether something is lost and the whole list is to be asked for.
    pub more: bool,
}

/// A cursor beyond the last update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBound;

/// The list, with its history for each requester.
#[derive(Clone, Debug, Default)]
pub struct RevocationList {
    revoked: BTreeMap<TokenHash, Revoked>,
    /// By requester; the empty name stands for administrators.
    history: BTreeMap<String, History>,
}

/// The last updates of one requester's part.
#[derive(Clone, Debug, Default)]
struct History {
    entries: VecDeque<DiffEntry>,
    /// How many there have ever been: the index of the next one.
    next: u64,
}

impl RevocationList {
    /// Puts a token back on the list that was on it before a restart.
    pub fn restore(&mut self, hash: TokenHash, revoked: Revoked) {
        let _same = self.revoked.insert(hash, revoked);
    }

    /// Puts tokens on the list, as one update; those that are on it already change nothing.
    pub fn add(&mut self, tokens: impl IntoIterator<Item = (TokenHash, Revoked)>) {
        let mut changes = BTreeMap::<String, DiffEntry>::new();
        for (hash, revoked) in tokens {
            if self.revoked.contains_key(&hash) {
                continue;
            }
            for requester in revoked.requesters() {
                changes.entry(requester.to_owned()).or_default().added.push(hash);
            }
            let _none = self.revoked.insert(hash, revoked);
        }
        self.note(changes);
    }

    /// Takes tokens off the list that have expired, as one update, and says which.
    pub fn expire(&mut self, now: u64) -> Vec<TokenHash> {
        let expired: Vec<TokenHash> =
            self.revoked.iter().filter(|(_, token)| token.expires <= now).map(|(hash, _)| *hash).collect();
        let mut changes = BTreeMap::<String, DiffEntry>::new();
        for hash in &expired {
            let Some(token) = self.revoked.remove(hash) else { continue };
            for requester in token.requesters() {
                changes.entry(requester.to_owned()).or_default().removed.push(*hash);
            }
        }
        self.note(changes);
        expired
    }

    /// When the next token leaves the list, in seconds since 1970.
    pub fn next_expiry(&self) -> Option<u64> {
        self.revoked.values().map(|token| token.expires).min()
    }

    /// Whether the token is on the list.
    pub fn contains(&self, hash: &TokenHash) -> bool {
        self.revoked.contains_key(hash)
    }

    /// The requester's part of the list
    /// ([RFC 9770 section 7](https://www.rfc-editor.org/rfc/rfc9770#section-7)).
    pub fn full<'a>(&'a self, share: Share<'a>) -> impl Iterator<Item = &'a TokenHash> + Clone {
        let pertains = move |token: &Revoked| match share {
            Share::All => true,
            Share::Of(name) => token.subject == name || token.audience == name,
        };
        self.revoked.iter().filter(move |(_, token)| pertains(token)).map(|(hash, _)| hash)
    }

    /// Where a query for changes would begin that wants to know what comes after now.
    pub fn cursor(&self, share: Share<'_>) -> Option<u64> {
        self.history(share)?.next.checked_sub(1)
    }

    /// The last updates of the requester's part, `count` at most (0: as many as there are), or those after `cursor`
    /// ([RFC 9770 sections 8 and 9](https://www.rfc-editor.org/rfc/rfc9770#section-8)).
    ///
    /// # Errors
    /// The cursor is none that was ever given.
    pub fn diff(&self, share: Share<'_>, count: u64, cursor: Option<u64>) -> Result<Diff<'_>, OutOfBound> {
        let nothing = Diff { entries: Vec::new(), cursor: None, more: false };
        let Some(history) = self.history(share).filter(|history| !history.entries.is_empty()) else {
            return Ok(nothing);
        };
        let size = history.entries.len();
        let last = history.next.saturating_sub(1);
        let after = match cursor {
            Some(cursor) if cursor > last => return Err(OutOfBound),
            Some(cursor) => match usize::try_from(last - cursor) {
                // The update after it is still known.
                Ok(after) if after <= size => after,
                // Some are lost: the whole list is to be asked for.
                _ => return Ok(Diff { more: true, ..nothing }),
            },
            None => size,
        };
        let count = usize::try_from(count).ok().filter(|count| (1..=MAX_N).contains(count)).unwrap_or(MAX_N);
        let wanted = count.min(after);
        let given = wanted.min(MAX_DIFF_BATCH);
        // The oldest of those that are wanted, in reverse order.
        let first = size - wanted;
        let entries = history.entries.iter().skip(first).take(given).rev().collect();
        let newest = last - (wanted - given) as u64;
        Ok(Diff { entries, cursor: Some(newest), more: wanted > given })
    }

    fn history(&self, share: Share<'_>) -> Option<&History> {
        self.history.get(match share {
            Share::All => "",
            Share::Of(name) => name,
        })
    }

    fn note(&mut self, changes: BTreeMap<String, DiffEntry>) {
        for (requester, entry) in changes {
            let history = self.history.entry(requester).or_default();
            if history.entries.len() == MAX_N {
                let _oldest = history.entries.pop_front();
            }
            history.entries.push_back(entry);
            history.next += 1;
        }
    }
}

impl Revoked {
    /// Whose part of the list it is in.
    fn requesters(&self) -> impl Iterator<Item = &str> {
        let audience = Some(self.audience.as_str()).filter(|audience| *audience != self.subject);
        ["", self.subject.as_str()].into_iter().chain(audience)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use sedge_crypto::RustCrypto;

    use super::*;

    fn hash(number: u8) -> TokenHash {
        TokenHash::of(&RustCrypto, &[number])
    }

    fn revoked(expires: u64) -> Revoked {
        Revoked { expires, subject: "client".into(), audience: "server".into() }
    }

    /// The figures of RFC 9770 appendix B.2: two tokens are revoked and expire.
    #[test]
    fn the_course_of_the_rfc() {
        let server = Share::Of("server");
        let mut list = RevocationList::default();
        assert_eq!(list.diff(server, 3, None), Ok(Diff { entries: vec![], cursor: None, more: false }));
        assert_eq!(list.cursor(server), None);
        list.add([(hash(1), revoked(100))]);
        list.add([(hash(2), revoked(200))]);
        let added = |number| DiffEntry { removed: vec![], added: vec![hash(number)] };
        let removed = |number| DiffEntry { removed: vec![hash(number)], added: vec![] };
        assert_eq!(list.diff(server, 3, None).unwrap().entries, [&added(2), &added(1)]);
        assert_eq!(list.expire(100), [hash(1)]);
        assert_eq!(list.full(server).collect::<Vec<_>>(), [&hash(2)]);
        assert_eq!(list.expire(200), [hash(2)]);
        let diff = list.diff(server, 3, None).unwrap();
        assert_eq!(diff.entries, [&removed(2), &removed(1), &added(2)]);
        assert_eq!((diff.cursor, diff.more), (Some(3), false));
        assert_eq!(list.full(Share::All).count(), 0);
        // Where the first answer ended.
        let diff = list.diff(server, 0, Some(1)).unwrap();
        assert_eq!(diff.entries, [&removed(2), &removed(1)]);
        let diff = list.diff(server, 0, Some(3)).unwrap();
        assert_eq!((diff.entries.len(), diff.cursor, diff.more), (0, Some(3), false));
        assert_eq!(list.diff(server, 0, Some(4)), Err(OutOfBound));
    }

    #[test]
    fn everybody_sees_what_pertains_to_them() {
        let mut list = RevocationList::default();
        list.add([(hash(1), revoked(9)), (hash(2), Revoked { subject: "other".into(), ..revoked(9) })]);
        for (share, count) in [
            (Share::All, 2),
            (Share::Of("server"), 2),
            (Share::Of("client"), 1),
            (Share::Of("other"), 1),
            (Share::Of("stranger"), 0),
        ] {
            assert_eq!(list.full(share).count(), count, "{share:?}");
            let diff = list.diff(share, 0, None).unwrap();
            assert_eq!(diff.entries.iter().map(|entry| entry.added.len()).sum::<usize>(), count);
        }
        // Once more changes nothing.
        list.add([(hash(1), revoked(9))]);
        assert_eq!(list.cursor(Share::All), Some(0));
    }

    #[test]
    fn a_reader_that_follows_the_cursor_misses_nothing_or_is_told() {
        let mut list = RevocationList::default();
        for number in 0..40 {
            list.add([(hash(number), revoked(9))]);
        }
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let diff = list.diff(Share::All, 0, cursor).unwrap();
            assert!(diff.entries.len() <= MAX_DIFF_BATCH);
            seen.extend(diff.entries.iter().rev().flat_map(|entry| entry.added.clone()));
            cursor = diff.cursor;
            if !diff.more {
                break;
            }
        }
        assert_eq!(seen, (0..40).map(hash).collect::<Vec<_>>());
        assert_eq!(cursor, Some(39));
        for number in 40..=40 + MAX_N as u8 {
            list.add([(hash(number), revoked(9))]);
        }
        // The update after number 39 is gone.
        assert_eq!(list.diff(Share::All, 0, cursor), Ok(Diff { entries: vec![], cursor: None, more: true }));
        assert!(!list.diff(Share::All, 0, Some(40)).unwrap().entries.is_empty());
    }
}
