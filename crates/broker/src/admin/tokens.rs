//! What administrators do with tokens, and the messages that say it.

use minicbor::{Decode, Encode};
use sedge_access::Grants;
use sedge_ace::{TokenHash, open_token};
use sedge_authority::{Format, Issue, IssueError, Issued};
use sedge_cose::cbor::Encoder;
use sedge_crypto::PublicKey;

use super::service::{PageBuilder, Service, store_failed, unix_seconds};
use super::{AdminReply, After, Page, Reason, Refusal};
use crate::Key;
use crate::audit::Actor;
use crate::authority::News;
use crate::login::public_key;
use crate::security::Provider;

/// A token to be issued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct NewToken {
    /// To whom: a device, or, if a scope is given, any name.
    #[n(0)]
    pub subject: String,
    /// For which resource server; this broker if not given.
    #[n(1)]
    pub audience: Option<String>,
    /// What it permits; all that the device may do if not given.
    #[n(2)]
    pub scope: Option<Grants>,
    /// For how many seconds it is good; as configured if not given.
    #[n(3)]
    pub lifetime: Option<u64>,
    /// From when on it is good, in seconds since 1970.
    #[n(4)]
    pub not_before: Option<u64>,
    /// How it is protected: `encrypt0`, `mac0` or `sign1`; as configured if not given.
    #[n(5)]
    pub format: Option<String>,
    /// The public key that it is bound to; a new symmetric one if not given.
    #[cbor(n(6), with = "public_key::optional", has_nil)]
    pub public_key: Option<PublicKey>,
}

/// Which tokens are meant.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum TokenChoice {
    /// The one with this identifier, in hexadecimal digits.
    #[n(0)]
    Id(#[n(0)] String),
    /// All that were issued to this name.
    #[n(1)]
    Subject(#[n(0)] String),
}

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenInfo {
    /// Its identifier (`cti`), in hexadecimal digits.
    #[n(0)]
    pub id: String,
    /// To whom it was issued.
    #[n(1)]
    pub subject: String,
    /// For which resource server.
    #[n(2)]
    pub audience: String,
    /// What it permits.
    #[n(3)]
    pub scope: Grants,
    /// When it was issued, in seconds since 1970.
    #[n(4)]
    pub issued: u64,
    /// When it ends, in seconds since 1970.
    #[n(5)]
    pub expires: u64,
    /// How it is protected.
    #[n(6)]
    pub format: String,
    /// Whether it was revoked.
    #[n(7)]
    pub revoked: bool,
    /// The identifier of its key, if that is symmetric.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub kid: Option<Vec<u8>>,
}

/// A new token, which nobody is shown again.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenIssued {
    /// What is known of it.
    #[n(0)]
    pub info: TokenInfo,
    /// The token.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub token: Vec<u8>,
    /// The symmetric key that it is bound to.
    #[n(2)]
    pub key: Option<Key>,
}

impl std::fmt::Debug for TokenIssued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenIssued").field("info", &self.info).finish_non_exhaustive()
    }
}

/// A token that was opened.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenOpened {
    /// Its claims as CBOR, if it is authentic. The key that it is bound to is not among them.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub claims: Option<Vec<u8>>,
    /// What is wrong with it, if anything is.
    #[n(1)]
    pub problem: Option<String>,
}

impl TokenInfo {
    fn of(token: &Issued) -> Self {
        Self {
            id: crate::key::hex_encode(&token.id),
            subject: token.subject.clone(),
            audience: token.audience.clone(),
            scope: Grants::from_scope(&token.scope).unwrap_or_default(),
            issued: token.issued,
            expires: token.expires,
            format: token.format.to_string(),
            revoked: token.revoked,
            kid: token.kid.clone(),
        }
    }
}

impl Service {
    pub(super) async fn token_issue(&self, new: NewToken, by: &Actor) -> Result<AdminReply, Refusal> {
        if let Some(remote) = &self.state().remote {
            let message = format!("tokens for this broker come from {}: issue it there", remote.uri());
            return Err(Refusal::new(Reason::Invalid, message));
        }
        if new.subject.is_empty() || new.subject.len() > 64 {
            return Err(Refusal::new(Reason::Invalid, "a token is issued to a name of 1 to 64 bytes"));
        }
        let format = new.format.as_deref().map(str::parse::<Format>).transpose();
        let format = format.map_err(|error| Refusal::new(Reason::Invalid, error.to_string()))?;
        if new.lifetime == Some(0) {
            return Err(Refusal::new(Reason::Invalid, "a token is good for a second at least"));
        }
        let issue = Issue {
            subject: &new.subject,
            audience: new.audience.as_deref(),
            scope: new.scope.as_ref(),
            lifetime: new.lifetime,
            not_before: new.not_before,
            format,
            public_key: new.public_key,
        };
        let issued = self.state().authorise(by, |authority, lent| authority.issue(&issue, lent), &|_| {});
        let issued = issued.await.map_err(|error| store_failed(&error))?.map_err(|error| {
            let reason = match error {
                IssueError::UnknownSubject | IssueError::UnknownAudience => Reason::NotFound,
                IssueError::TooMany => Reason::Limit,
                _ => Reason::Invalid,
            };
            Refusal::new(reason, error.to_string())
        })?;
        let info = TokenInfo::of(&issued.issued);
        tracing::info!(subject = info.subject, id = info.id, expires = info.expires, "a token was issued");
        let key = issued.key.as_ref().and_then(|key| Key::from_bytes(key.expose()).ok());
        Ok(AdminReply::TokenIssued(Box::new(TokenIssued { info, token: issued.token, key })))
    }

    pub(super) fn token_list(&self, after: &After) -> Page<TokenInfo> {
        let mut page = PageBuilder::new();
        let authority = self.state().authority();
        for token in authority.tokens() {
            let info = TokenInfo::of(token);
            if info.id > after.0 && !page.push(&info.id.clone(), info) {
                break;
            }
        }
        page.finish()
    }

    pub(super) async fn token_revoke(&self, choice: TokenChoice, by: &Actor) -> Result<AdminReply, Refusal> {
        let tell = |news| self.tell(news);
        let revoked = self.state().authorise(
            by,
            |authority, lent| match &choice {
                TokenChoice::Subject(subject) => authority.revoke_subject(subject, lent).len(),
                TokenChoice::Id(id) => {
                    let id = crate::key::hex_decode(id).and_then(|id| id.try_into().ok());
                    usize::from(id.is_some_and(|id| authority.revoke(&id, lent).is_some()))
                }
            },
            &tell,
        );
        let revoked = revoked.await.map_err(|error| store_failed(&error))?;
        if revoked == 0 {
            let message = match &choice {
                TokenChoice::Id(id) => {
                    format!("there is no token `{id}` that is good; `sedge token list` shows all")
                }
                TokenChoice::Subject(subject) => format!("`{subject}` has no token that is good"),
            };
            return Err(Refusal::new(Reason::NotFound, message));
        }
        tracing::info!(?choice, revoked, "tokens were revoked");
        Ok(AdminReply::TokensRevoked(revoked as u64))
    }

    /// Takes back what a device may do that was removed.
    pub(super) async fn revoke_tokens_of(&self, device: &str, by: &Actor) -> Result<(), Refusal> {
        match self.token_revoke(TokenChoice::Subject(device.to_owned()), by).await {
            Err(refusal) if refusal.reason != Reason::NotFound => Err(refusal),
            _ => Ok(()),
        }
    }

    pub(super) fn token_open(&self, token: &[u8]) -> AdminReply {
        let crypto = Provider::default();
        let authority = self.state().authority();
        let audiences = self.state().audiences(&authority);
        let own = audiences.iter().flat_map(|audience| authority.audience_keys(&crypto, audience));
        let keys = match &self.state().remote {
            Some(_) => self.state().tokens.keys(),
            None => own.collect(),
        };
        let mut bytes = zeroize::Zeroizing::new(token.to_vec());
        let (claims, _) = match open_token(&crypto, &keys, &mut bytes) {
            Ok(opened) => opened,
            Err(error) => {
                return AdminReply::TokenOpened(TokenOpened {
                    claims: None,
                    problem: Some(error.to_string()),
                });
            }
        };
        let now = i64::try_from(unix_seconds()).unwrap_or(i64::MAX);
        let is_revoked = authority.revoked().contains(&TokenHash::of(&crypto, token))
            || self.state().tokens.is_revoked(token);
        let problem = if claims.expires.is_some_and(|end| end.seconds() <= now) {
            Some("it is over")
        } else if is_revoked {
            Some("it was revoked")
        } else if claims.not_before.is_some_and(|start| start.seconds() > now) {
            Some("it is not good yet")
        } else {
            None
        };
        // Whoever looks at a token needs no key for that.
        let claims = sedge_cose::Claims { confirmation: claims.confirmation.map(without_key), ..claims };
        let mut encoded = vec![0; token.len() + 16];
        let mut encoder = Encoder::new(&mut encoded);
        claims.write(&mut encoder);
        let len = encoder.len();
        encoded.truncate(len);
        AdminReply::TokenOpened(TokenOpened { claims: Some(encoded), problem: problem.map(str::to_owned) })
    }

    pub(super) fn tell(&self, news: News) {
        if let Some(live) = self.live() {
            live.tell(news);
        }
    }

    pub(super) async fn keys_rotate(&self, by: &Actor) -> Result<AdminReply, Refusal> {
        let tell = |news| self.tell(news);
        let rotated = self.state().authorise(by, |authority, lent| authority.rotate(lent), &tell);
        rotated.await.map_err(|error| store_failed(&error))?;
        tracing::info!("the keys of tokens were replaced");
        Ok(AdminReply::Done)
    }
}

fn without_key(confirmation: sedge_cose::Confirmation<'_>) -> sedge_cose::Confirmation<'_> {
    use sedge_cose::{Confirmation, CoseKey, Material};
    match confirmation {
        Confirmation::Key(CoseKey { material: Material::Symmetric { .. }, kid, .. }) => {
            Confirmation::Key(CoseKey { kid, ..CoseKey::new(Material::Symmetric { k: None }) })
        }
        other => other,
    }
}
