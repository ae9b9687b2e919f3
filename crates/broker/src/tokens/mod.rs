//! The broker as a resource server ([RFC 9200](https://www.rfc-editor.org/rfc/rfc9200)): the tokens that it was shown, and
//! who may do what because of them.
//!
//! A token is bound to a key, and whoever proves in a handshake that it holds the key has what the token permits. So there
//! is one entry for each key, with the token shown last. Entries have numbers as enrolled devices have, from
//! [`FIRST`](self::FIRST) on, and sessions know their peers by them.
//!
//! When a token is shown, the wall clock says whether it is good and for how long. From then on the monotonic clock
//! counts: a wall clock that is set neither ends a session early nor prolongs it. What was over once stays refused
//! when the wall clock goes back.

mod counters;
mod entries;
mod judge;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sedge_access::{Grants, Subject};
use sedge_ace::{PskIdentity, TokenHash, TokenKeys};
use sedge_cose::{Audience, Claims, NumericDate, Scope};
use sedge_crypto::PublicKey;
use sedge_dtls::Psk;
use sedge_time::Instant;

use crate::Principal;
use crate::clock::Clock;
use crate::remote::Remote;
use crate::security::Provider;
use counters::Counters;
pub(crate) use counters::Refused;
use entries::{Entries, Pop};
use judge::{Good, Judge};

/// The first number of a key that a token is bound to; those below are enrolled devices'.
pub(crate) const FIRST: Principal = 1 << 31;

/// The tokens that were shown.
pub(crate) struct Tokens {
    clock: Clock,
    /// As what the authorisation server knows this broker.
    audience: String,
    /// The authorisation server itself, as tokens name it that name it; empty if that is not known.
    issuer: String,
    entries: RwLock<Entries>,
    /// The keys of tokens for this broker, and of those for others by which a token is known to be meant for another.
    keys: RwLock<Vec<TokenKeys>>,
    counters: Counters,
    /// Who is asked about tokens that were shown, if that is configured.
    remote: Option<Arc<Remote>>,
}

/// A token that was shown and found good.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Its hash, and its twin's.
    pub(crate) hashes: [TokenHash; 2],
    /// Its identifier.
    pub(crate) id: Box<[u8]>,
    /// To whom it was issued.
    pub(crate) subject: String,
    /// What it permits.
    pub(crate) scope: Grants,
    /// When it was issued, in seconds since 1970.
    pub(crate) issued: Option<u64>,
    /// When it ends, in seconds since 1970.
    pub(crate) expires: u64,
    /// When it ends.
    pub(crate) end: Instant,
}

impl Shown {
    /// What it says: its claims, for whoever goes by it.
    pub(crate) fn described(&self, audience: &str) -> Vec<u8> {
        let date = |seconds| NumericDate::new(i64::try_from(seconds).unwrap_or(i64::MAX));
        let scope = self.scope.to_scope();
        let claims = Claims {
            subject: Some(&self.subject),
            audience: Some(Audience::one(audience)),
            expires: Some(date(self.expires)),
            issued_at: self.issued.map(date),
            id: Some(&self.id),
            scope: Some(Scope::Bytes(&scope)),
            ..Claims::default()
        };
        let mut encoded = vec![0; 96 + self.subject.len() + audience.len() + self.id.len() + scope.len()];
        let len = claims.encode(&mut encoded).map_or(0, |claims| claims.len());
        encoded.truncate(len);
        encoded
    }
}

impl Tokens {
    pub(crate) fn new(
        clock: Clock,
        audience: String,
        issuer: String,
        max: usize,
        remote: Option<Arc<Remote>>,
    ) -> Self {
        Self {
            remote,
            clock,
            audience,
            issuer,
            entries: RwLock::new(Entries::new(max)),
            keys: RwLock::default(),
            counters: Counters::default(),
        }
    }

    /// As what the authorisation server knows this broker.
    pub(crate) fn audience(&self) -> &str {
        &self.audience
    }

    /// Believes tokens under these keys from now on, and under no others.
    pub(crate) fn set_keys(&self, keys: Vec<TokenKeys>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// The keys under which tokens are believed.
    pub(crate) fn keys(&self) -> Vec<TokenKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the token is known to be good no more.
    pub(crate) fn is_revoked(&self, token: &[u8]) -> bool {
        self.read().are_spent(&TokenHash::with_twin(&Provider::default(), token))
    }

    /// Takes in a token that somebody shows; says under which number whoever holds its key is known.
    ///
    /// Showing a token gives nobody anything: only its key does.
    pub(crate) fn show(&self, unix: u64, token: &[u8]) -> Result<Principal, Refused> {
        let outcome = self
            .judge(unix, token)
            .and_then(|(shown, pop, kid)| self.write().insert(self.clock.now(), Arc::new(shown), pop, kid));
        match &outcome {
            Ok(_) => self.counters.accepted(),
            Err(refused) => self.counters.refused(*refused),
        }
        if let (Ok(_), Some(remote)) = (&outcome, &self.remote) {
            remote.ask_about(token);
        }
        outcome
    }

    /// The number and the key of whoever claims this identity in a handshake: the identifier of a key, or a token.
    ///
    /// # Errors
    /// Why the token is refused, if it is one.
    pub(crate) fn by_identity(
        &self,
        unix: u64,
        identity: &[u8],
    ) -> Result<(Psk, Principal), Option<Refused>> {
        let principal = match PskIdentity::parse(identity).ok_or(None)? {
            PskIdentity::Kid(kid) => self.read().by_kid(kid).ok_or(None)?,
            PskIdentity::Token(token) => self.show(unix, token).map_err(Some)?,
        };
        let entries = self.read();
        let entry = entries.get(principal, self.clock.now()).ok_or(None)?;
        match &entry.pop {
            Pop::Symmetric(key) => Ok((key.clone(), principal)),
            Pop::Public(_) => Err(None),
        }
    }

    /// The number of whoever holds this public key, if it has a token that is good.
    pub(crate) fn by_public_key(&self, key: &PublicKey) -> Option<Principal> {
        let entries = self.read();
        let principal = entries.by_public_key(key)?;
        entries.get(principal, self.clock.now()).map(|_| principal)
    }

    /// The token of whoever has this number, while it is good.
    pub(crate) fn get(&self, principal: Principal) -> Option<Arc<Shown>> {
        self.read().get(principal, self.clock.now()).map(|entry| entry.token.clone())
    }

    /// What whoever has this number may do, while its token is good. `segment` is that of its subject.
    pub(crate) fn subject(&self, principal: Principal, segment: Option<&str>) -> Option<Arc<Subject>> {
        let shown = self.get(principal)?;
        Some(Arc::new(Subject::token(&shown.subject, &shown.scope).in_segment(segment).until(shown.end)))
    }

    /// The numbers of those whose tokens were issued to this subject.
    pub(crate) fn of_subject(&self, subject: &str) -> Vec<Principal> {
        self.read().of_subject(subject)
    }

    /// Hears that tokens were revoked: they are good no more, and never again. Returns those that were shown, and whose
    /// they were.
    pub(crate) fn revoke(&self, hashes: impl IntoIterator<Item = TokenHash>) -> Vec<(Principal, Arc<Shown>)> {
        let (mut entries, now) = (self.write(), self.clock.now());
        hashes.into_iter().filter_map(|hash| entries.revoke(now, hash)).collect()
    }

    /// Forgets tokens that are over.
    pub(crate) fn expire(&self) {
        self.write().expire(self.clock.now());
    }

    /// Every counter by its name.
    pub(crate) fn counters(&self) -> impl Iterator<Item = (String, u64)> {
        let held = ("tokens.held".to_owned(), self.read().len() as u64);
        self.counters.entries().chain([held])
    }

    /// Decides whether a token is good.
    fn judge(&self, unix: u64, token: &[u8]) -> Result<Good, Refused> {
        let hashes = TokenHash::with_twin(&Provider::default(), token);
        if self.read().are_spent(&hashes) {
            return Err(Refused::Revoked);
        }
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let issuer = Some(self.issuer.as_str()).filter(|issuer| !issuer.is_empty());
        Judge { keys: &keys, audience: &self.audience, issuer, now: self.clock.now(), unix }
            .judge(token, hashes)
    }

    // Every change is complete before the next can fail, so a panic elsewhere leaves the maps in step.
    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}
