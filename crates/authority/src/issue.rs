//! Making a token.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use sedge_access::Grants;
use sedge_ace::{DERIVED_KEY_LEN, TokenHash, derive_key};
use sedge_cose::{Audience, Claims, NumericDate, Scope};
use sedge_crypto::{Crypto, CryptoRng, PublicKey, Secret};
use zeroize::Zeroizing;

use crate::authority::{Authority, Happened, IssueError};
use crate::cnf::{self, encoded};
use crate::issued::{Issued, TokenId};
use crate::{Context, Format, seal};

/// A token that is to be made.
pub(crate) struct Order<'a> {
    pub(crate) subject: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) scope: &'a Grants,
    pub(crate) lifetime: u64,
    pub(crate) not_before: Option<u64>,
    pub(crate) format: Format,
    pub(crate) bound: Bound,
    pub(crate) cnonce: Option<&'a [u8]>,
}

/// To which key a token is bound.
pub(crate) enum Bound {
    /// A symmetric one that is made for it.
    New,
    /// The symmetric one of an earlier token.
    Same {
        kid: Vec<u8>,
        /// The key itself; none if it was derived from the earlier token.
        key: Option<Secret<16>>,
    },
    /// The client's own.
    Public(PublicKey),
}

/// A token, and what its bearer has to know.
#[derive(Clone)]
pub struct NewToken {
    /// The token.
    pub token: Vec<u8>,
    /// The symmetric key that it is bound to, if that is new.
    pub key: Option<Secret<16>>,
    /// What is known of it from here on.
    pub issued: Issued,
}

impl core::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NewToken").field("issued", &self.issued).finish_non_exhaustive()
    }
}

impl NewToken {
    /// The key as the answer to the client carries it, if it is new to the client: an encoded `cnf`.
    pub(crate) fn cnf(&self) -> Option<Zeroizing<Vec<u8>>> {
        let kid = self.issued.kid.as_ref()?;
        let key = self.key.as_ref()?;
        Some(Zeroizing::new(cnf::encode(&cnf::symmetric(kid, Some(key.expose())))))
    }
}

impl Authority {
    /// Makes a token, and notes it.
    pub(crate) fn make<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        order: &Order<'_>,
        cx: &mut Context<'_, C, R>,
    ) -> Result<NewToken, IssueError> {
        if order.scope.list().is_empty() {
            return Err(IssueError::Scope);
        }
        if self.tokens.len() >= self.settings.max_tokens {
            self.tokens.make_room(cx.now, cx.store);
        }
        if self.tokens.len() >= self.settings.max_tokens {
            return Err(IssueError::TooMany);
        }
        let generation = self.keys.present().ok_or(IssueError::NotReady)?;
        let keys = generation.for_audience(cx.crypto, order.audience).ok_or(IssueError::NotReady)?;
        let expires = cx.now.max(order.not_before.unwrap_or(0)).saturating_add(order.lifetime);
        let mut id = TokenId::default();
        cx.rng.fill_bytes(&mut id);
        let mut kid = None;
        let mut pop_key: Option<Secret<16>> = None;
        match &order.bound {
            Bound::Public(_) => {}
            Bound::Same { kid: known, key } => {
                kid = Some(known.clone());
                pop_key.clone_from(key);
            }
            Bound::New => {
                let mut fresh = [0; 8];
                cx.rng.fill_bytes(&mut fresh);
                kid = Some(fresh.to_vec());
                if order.format == Format::Encrypted {
                    let mut key = Secret::zero();
                    cx.rng.fill_bytes(key.expose_mut());
                    pop_key = Some(key);
                }
            }
        }
        let scope = order.scope.to_scope();
        let carried = pop_key.as_ref().filter(|_| order.format == Format::Encrypted);
        let claims = Claims {
            subject: Some(order.subject),
            audience: Some(Audience::one(order.audience)),
            expires: Some(date(expires)),
            not_before: order.not_before.map(date),
            issued_at: Some(date(cx.now)),
            id: Some(&id),
            confirmation: match &order.bound {
                Bound::Public(key) => Some(cnf::public(key)),
                _ => kid.as_ref().map(|kid| cnf::symmetric(kid, carried.map(|key| &key.expose()[..]))),
            },
            scope: Some(Scope::Bytes(&scope)),
            client_nonce: order.cnonce,
            ..Claims::default()
        };
        let claims = Zeroizing::new(encoded(|encoder| claims.write(encoder)));
        let token = seal::seal(order.format, generation, &keys, &claims, cx).ok_or(IssueError::NotReady)?;
        let new_key = match (&order.bound, &pop_key) {
            (Bound::New, Some(key)) => Some(key.clone()),
            (Bound::New, None) => {
                const { assert!(DERIVED_KEY_LEN == 16) };
                Some(derive_key(cx.crypto, keys.derivation.expose(), &token))
            }
            _ => None,
        };
        let issued = Issued {
            id,
            hash: TokenHash::of(cx.crypto, &token),
            subject: order.subject.to_string(),
            audience: order.audience.to_string(),
            scope,
            issued: cx.now,
            expires,
            format: order.format,
            key_id: generation.id,
            kid,
            pop_key,
            revoked: false,
        };
        self.tokens.put(issued.clone(), cx.store);
        self.untold.push(Happened::Issued(issued.clone()));
        Ok(NewToken { token, key: new_key, issued })
    }
}

/// What a resource server is told that asks about a token: its claims as far as they are known.
pub(crate) fn described(token: &Issued) -> Zeroizing<Vec<u8>> {
    let key = token.pop_key.as_ref().map(|key| &key.expose()[..]);
    let claims = Claims {
        subject: Some(&token.subject),
        audience: Some(Audience::one(&token.audience)),
        expires: Some(date(token.expires)),
        issued_at: Some(date(token.issued)),
        id: Some(&token.id),
        confirmation: token.kid.as_ref().map(|kid| cnf::symmetric(kid, key)),
        scope: Some(Scope::Bytes(&token.scope)),
        ..Claims::default()
    };
    Zeroizing::new(encoded(|encoder| claims.write(encoder)))
}

fn date(seconds: u64) -> NumericDate {
    NumericDate::new(i64::try_from(seconds).unwrap_or(i64::MAX))
}
