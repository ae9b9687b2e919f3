//! The tokens that were issued and are not over yet.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};
use sedge_ace::TokenHash;
use sedge_crypto::Secret;
use zeroize::Zeroizing;

use crate::keys::KeyId;
use crate::{Format, Store};

/// The unique identifier of a token: its claim `cti`.
pub type TokenId = [u8; 8];

/// A token that was issued, without the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its identifier.
    pub id: TokenId,
    /// Its hash, by which it is revoked.
    pub hash: TokenHash,
    /// To whom it was issued.
    pub subject: String,
    /// For which resource server.
    pub audience: String,
    /// What it permits: an encoded AIF scope.
    pub scope: Vec<u8>,
    /// When it was issued, in seconds since 1970.
    pub issued: u64,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
    /// How it is protected.
    pub format: Format,
    /// Under which generation of keys.
    pub key_id: KeyId,
    /// The identifier of the key that it is bound to; a public key has none.
    pub kid: Option<Vec<u8>>,
    /// That key, if it is symmetric and was not derived.
    pub(crate) pop_key: Option<Secret<16>>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// The tokens by identifier.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    by_id: BTreeMap<TokenId, Issued>,
    by_hash: BTreeMap<TokenHash, TokenId>,
}

/// How the names of such records begin.
pub(crate) const PREFIX: &str = "token/";

/// How a token is kept.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Record {
    #[cbor(n(0), with = "minicbor::bytes")]
    hash: Vec<u8>,
    #[n(1)]
    subject: String,
    #[n(2)]
    audience: String,
    #[cbor(n(3), with = "minicbor::bytes")]
    scope: Vec<u8>,
    #[n(4)]
    issued: u64,
    #[n(5)]
    expires: u64,
    #[n(6)]
    format: u8,
    #[cbor(n(7), with = "minicbor::bytes")]
    key_id: [u8; 8],
    #[cbor(n(8), with = "minicbor::bytes")]
    kid: Option<Vec<u8>>,
    #[cbor(n(9), with = "minicbor::bytes")]
    pop_key: Option<Vec<u8>>,
    #[n(10)]
    revoked: bool,
}

impl Tokens {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Issued> {
        self.by_id.values()
    }

    pub(crate) fn by_hash(&self, hash: &TokenHash) -> Option<&Issued> {
        self.by_id.get(self.by_hash.get(hash)?)
    }

    /// Adds a token, or changes it.
    pub(crate) fn put(&mut self, token: Issued, store: &mut dyn Store) {
        store.put(&token.name(), &token.to_record());
        self.insert(token);
    }

    /// Notes that a token was revoked; `None` if there is none, or it was before.
    pub(crate) fn revoke(&mut self, id: &TokenId, store: &mut dyn Store) -> Option<&Issued> {
        let token = self.by_id.get_mut(id).filter(|token| !token.revoked)?;
        token.revoked = true;
        store.put(&token.name(), &token.to_record());
        Some(token)
    }

    /// Forgets tokens that are over.
    pub(crate) fn expire(&mut self, now: u64, store: &mut dyn Store) {
        self.forget(|token| token.expires <= now, store);
    }

    /// The same, but for revoked ones: that they are is to be known for as long as a wrong clock could have them look good.
    pub(crate) fn make_room(&mut self, now: u64, store: &mut dyn Store) {
        self.forget(|token| token.expires <= now && !token.revoked, store);
    }

    fn forget(&mut self, is_over: impl Fn(&Issued) -> bool, store: &mut dyn Store) {
        let by_hash = &mut self.by_hash;
        self.by_id.retain(|_, token| {
            let keep = !is_over(token);
            if !keep {
                let _known = by_hash.remove(&token.hash);
                store.remove(&token.name());
            }
            keep
        });
    }

    /// Takes up what a store has kept; `None` if that is no such record.
    pub(crate) fn restore(&mut self, name: &str, record: &[u8]) -> Option<Issued> {
        let token = Issued::from_record(name, record)?;
        self.insert(token.clone());
        Some(token)
    }

    fn insert(&mut self, token: Issued) {
        let _new = self.by_hash.insert(token.hash, token.id);
        let _old = self.by_id.insert(token.id, token);
    }
}

impl Issued {
    fn name(&self) -> String {
        format!("{PREFIX}{}", crate::hex::encode(&self.id))
    }

    fn to_record(&self) -> Zeroizing<Vec<u8>> {
        let record = Record {
            hash: self.hash.as_bytes().to_vec(),
            subject: self.subject.clone(),
            audience: self.audience.clone(),
            scope: self.scope.clone(),
            issued: self.issued,
            expires: self.expires,
            format: self.format.number(),
            key_id: self.key_id,
            kid: self.kid.clone(),
            pop_key: self.pop_key.as_ref().map(|key| key.expose().to_vec()),
            revoked: self.revoked,
        };
        // A vector takes everything.
        let bytes = Zeroizing::new(minicbor::to_vec(&record).unwrap_or_default());
        drop(record.pop_key.map(Zeroizing::new));
        bytes
    }

    fn from_record(name: &str, record: &[u8]) -> Option<Self> {
        let mut id = TokenId::default();
        crate::hex::decode(name.strip_prefix(PREFIX)?, &mut id)?;
        let record: Record = minicbor::decode(record).ok()?;
        let pop_key = record.pop_key.map(Zeroizing::new);
        Some(Self {
            id,
            hash: TokenHash::from_bytes(&record.hash)?,
            subject: record.subject,
            audience: record.audience,
            scope: record.scope,
            issued: record.issued,
            expires: record.expires,
            format: Format::from_number(record.format)?,
            key_id: record.key_id,
            kid: record.kid,
            pop_key: pop_key.and_then(|key| key.as_slice().try_into().ok()).map(Secret::new),
            revoked: record.revoked,
        })
    }
}
