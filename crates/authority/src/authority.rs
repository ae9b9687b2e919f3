//! The authorisation server as a whole: its state, and what administrators do with it.

use alloc::string::String;
use alloc::vec::Vec;

use sedge_access::Grants;
use sedge_ace::{TokenHash, TokenKeys};
use sedge_crypto::{Crypto, CryptoRng, PublicKey};

use crate::issue::{Bound, NewToken, Order};
use crate::issued::{Issued, TokenId, Tokens};
use crate::keys::{KeyId, Keys};
use crate::revocation::{RevocationList, Revoked};
use crate::{Clients, Context, Format, Settings, issued, keys};

/// An authorisation server: its keys, the tokens that it has issued, and which of them are revoked.
///
/// - Inputs: [`restore`](Self::restore) at the start, then [`begin`](Self::begin); [`expire`](Self::expire) at
///   [`deadline`](Self::deadline).
/// - Requests: [`token`](Self::token), [`introspect`](Self::introspect), [`revocations`](Self::revocations),
///   [`token_keys`](Self::token_keys).
/// - Outputs: [`take_happened`](Self::take_happened).
/// - Commands: [`configure`](Self::configure), [`issue`](Self::issue), [`revoke`](Self::revoke), [`revoke_subject`](Self::revoke_subject),
///   [`rotate`](Self::rotate).
/// - Getters: [`tokens`](Self::tokens), [`revoked`](Self::revoked), [`audience_keys`](Self::audience_keys),
///   [`revision`](Self::revision).
#[derive(Clone, Debug)]
pub struct Authority {
    pub(crate) settings: Settings,
    pub(crate) keys: Keys,
    pub(crate) tokens: Tokens,
    pub(crate) revocations: RevocationList,
    /// What has happened, and the host has not been told yet.
    pub(crate) untold: Vec<Happened>,
    revision: u64,
}

/// Something that has happened to tokens, for the host to record and to act upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// This token was issued.
    Issued(Issued),
    /// This token was revoked.
    Revoked(Issued),
    /// The keys were replaced.
    KeysReplaced,
}

/// What an administrator asks a token for.
#[derive(Clone, Debug)]
pub struct Issue<'a> {
    /// To whom it is issued.
    pub subject: &'a str,
    /// For which resource server; the first one if not given.
    pub audience: Option<&'a str>,
    /// What it permits, to the word; as much as the subject may if not given.
    pub scope: Option<&'a Grants>,
    /// For how many seconds; as configured if not given.
    pub lifetime: Option<u64>,
    /// From when on it is good, in seconds since 1970; from now on if not given.
    pub not_before: Option<u64>,
    /// How it is protected; as configured if not given.
    pub format: Option<Format>,
    /// The public key to bind it to; a new symmetric key if not given.
    pub public_key: Option<PublicKey>,
}

/// Why a token was not issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueError {
    /// Nobody of this name is registered, so that it takes a scope.
    UnknownSubject,
    /// There is no such resource server.
    UnknownAudience,
    /// The subject may do nothing of what is asked for.
    Scope,
    /// The key cannot be used, or is not the subject's.
    Key,
    /// As many tokens as there may be are good already.
    TooMany,
    /// There are no keys, or they cannot be used.
    NotReady,
}

impl core::fmt::Display for IssueError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::UnknownSubject => "nobody of this name is enrolled: say what the token is to permit",
            Self::UnknownAudience => "there is no resource server of this name",
            Self::Scope => "the subject may do nothing of what the token is to permit",
            Self::Key => "the token cannot be bound to this key",
            Self::TooMany => "there are as many tokens as there may be",
            Self::NotReady => "the authorisation server has no keys",
        })
    }
}

impl core::error::Error for IssueError {}

impl Authority {
    /// An authorisation server that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            keys: Keys::default(),
            tokens: Tokens::default(),
            revocations: RevocationList::default(),
            untold: Vec::new(),
            revision: 0,
        }
    }

    /// Takes up a record that a [`Store`](crate::Store) has kept; says whether it is one of this version's.
    #[must_use]
    pub fn restore(&mut self, key: &str, record: &[u8]) -> bool {
        if key == Settings::RECORD {
            let settings = Settings::from_record(record);
            return settings.map(|settings| self.settings = settings).is_some();
        }
        if key.starts_with(keys::PREFIX) {
            return self.keys.restore(key, record);
        }
        if !key.starts_with(issued::PREFIX) {
            return false;
        }
        let Some(token) = self.tokens.restore(key, record) else { return false };
        if token.revoked {
            self.revocations.restore(token.hash, Revoked::of(&token));
        }
        true
    }

    /// Makes the first keys if there are none.
    pub fn begin<C: Crypto, R: CryptoRng + ?Sized>(&mut self, cx: &mut Context<'_, C, R>) {
        let made = self.keys.begin(cx.now, cx.crypto, cx.rng, cx.store);
        self.revision += u64::from(made);
    }

    /// Issues tokens in another way from now on, and for whoever works on the store alone.
    pub fn configure<C, R: ?Sized>(&mut self, settings: Settings, cx: &mut Context<'_, C, R>) {
        cx.store.put(Settings::RECORD, &settings.to_record());
        self.settings = settings;
        self.revision += 1;
    }

    /// Replaces the keys by the next ones, which resource servers have already. Tokens under the old ones stay good until
    /// they end. If the present ones may be known to somebody, so may the next: then it takes two rotations.
    pub fn rotate<C: Crypto, R: CryptoRng + ?Sized>(&mut self, cx: &mut Context<'_, C, R>) {
        self.keys.rotate(cx.now, cx.crypto, cx.rng, cx.store);
        self.revision += 1;
        self.untold.push(Happened::KeysReplaced);
        self.prune(cx);
    }

    /// How it issues tokens.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// When the present keys were made, in seconds since 1970.
    pub fn keys_since(&self) -> Option<u64> {
        self.keys.present().map(|generation| generation.since)
    }

    /// The keys that are shared with a resource server, of every generation that has tokens, of the present one and, at the
    /// end, of the next.
    pub fn audience_keys<'a, C: Crypto>(
        &'a self,
        crypto: &'a C,
        audience: &'a str,
    ) -> impl Iterator<Item = TokenKeys> + 'a {
        self.keys.iter().filter_map(move |generation| generation.for_audience(crypto, audience))
    }

    /// A number that is another one whenever what resource servers observe may have changed: the list of revoked tokens, or
    /// their keys.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The tokens that are not over, revoked ones too.
    pub fn tokens(&self) -> impl Iterator<Item = &Issued> {
        self.tokens.iter()
    }

    /// The list of revoked tokens.
    pub const fn revoked(&self) -> &RevocationList {
        &self.revocations
    }

    /// When [`expire`](Self::expire) is to be called, in seconds since 1970.
    pub fn deadline(&self) -> Option<u64> {
        self.tokens.iter().map(|token| token.expires).min()
    }

    /// Forgets tokens that are over, and keys that nobody needs any more; says whether the list of revoked tokens has
    /// changed.
    ///
    /// What is forgotten does not come back when a clock that was ahead is put right: a host whose clock may be wrong says
    /// an earlier time here than to the other calls.
    pub fn expire<C, R: ?Sized>(&mut self, cx: &mut Context<'_, C, R>) -> bool {
        self.tokens.expire(cx.now, cx.store);
        self.prune(cx);
        let changed = !self.revocations.expire(cx.now).is_empty();
        self.revision += u64::from(changed);
        changed
    }

    /// Issues a token in an administrator's name. Its subject has to be registered if no scope is given.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn issue<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        wanted: &Issue<'_>,
        cx: &mut Context<'_, C, R>,
    ) -> Result<NewToken, IssueError> {
        let audience = self.audience(wanted.audience, cx.clients).ok_or(IssueError::UnknownAudience)?;
        let scope = match wanted.scope {
            Some(scope) => scope.clone(),
            None => {
                let client = cx.clients.client(wanted.subject).ok_or(IssueError::UnknownSubject)?;
                crate::scope::everything(&client.grants)
            }
        };
        let bound = match &wanted.public_key {
            Some(key) => Bound::Public(*key),
            None => Bound::New,
        };
        let order = Order {
            subject: wanted.subject,
            audience: &audience,
            scope: &scope,
            lifetime: wanted.lifetime.unwrap_or(self.settings.lifetime),
            not_before: wanted.not_before,
            format: wanted.format.unwrap_or(self.settings.format),
            bound,
            cnonce: None,
        };
        self.make(&order, cx)
    }

    /// Revokes a token; `None` if there is none that is good.
    pub fn revoke<C, R: ?Sized>(&mut self, id: &TokenId, cx: &mut Context<'_, C, R>) -> Option<TokenHash> {
        let token = self.tokens.revoke(id, cx.store)?;
        let (hash, revoked) = (token.hash, Revoked::of(token));
        self.untold.push(Happened::Revoked(token.clone()));
        self.revocations.add([(hash, revoked)]);
        self.revision += 1;
        Some(hash)
    }

    /// Revokes every token of a subject, as one update of the list.
    pub fn revoke_subject<C, R: ?Sized>(
        &mut self,
        subject: &str,
        cx: &mut Context<'_, C, R>,
    ) -> Vec<TokenHash> {
        let theirs = self.tokens.iter().filter(|token| token.subject == subject && !token.revoked);
        let theirs: Vec<TokenId> = theirs.map(|token| token.id).collect();
        let mut revoked = Vec::new();
        for id in theirs {
            if let Some(token) = self.tokens.revoke(&id, cx.store) {
                revoked.push((token.hash, Revoked::of(token)));
                self.untold.push(Happened::Revoked(token.clone()));
            }
        }
        let hashes: Vec<_> = revoked.iter().map(|(hash, _)| *hash).collect();
        self.revision += u64::from(!hashes.is_empty());
        self.revocations.add(revoked);
        hashes
    }

    /// What has happened since this was called last.
    pub fn take_happened(&mut self) -> Vec<Happened> {
        core::mem::take(&mut self.untold)
    }

    /// The resource server that is meant: one of those in the settings, or a client that is enrolled as one. Where none is
    /// named, it is the first of the settings, or the only one that is enrolled.
    pub(crate) fn audience(&self, named: Option<&str>, clients: &dyn Clients) -> Option<String> {
        let mut known = self.settings.audiences.iter();
        match named {
            None => known.next().cloned().or_else(|| match clients.resource_servers().as_slice() {
                [only] => Some(only.clone()),
                _ => None,
            }),
            Some(named) => {
                let enrolled = || clients.client(named).is_some_and(|client| client.is_resource_server);
                (known.any(|audience| audience == named) || enrolled()).then(|| named.into())
            }
        }
    }

    fn prune<C, R: ?Sized>(&mut self, cx: &mut Context<'_, C, R>) {
        let tokens = &self.tokens;
        let is_needed = |id: &KeyId| tokens.iter().any(|token| token.key_id == *id);
        let pruned = self.keys.prune(is_needed, cx.store);
        self.revision += u64::from(pruned);
    }
}

impl Revoked {
    fn of(token: &Issued) -> Self {
        Self { expires: token.expires, subject: token.subject.clone(), audience: token.audience.clone() }
    }
}
