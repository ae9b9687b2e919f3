//! Whether a token is good.

use sedge_access::Grants;
use sedge_ace::{TokenError, TokenHash, TokenKeys, derive_key, open_token};
use sedge_cose::{Confirmation, CoseKey, Expected, Invalid, Material, Scope};
use sedge_crypto::{Crypto as _, KeyError, Signature};
use sedge_dtls::Psk;
use sedge_time::{Duration, Instant};

use super::entries::Pop;
use super::{Refused, Shown};
use crate::security::Provider;

/// A token that is good: what it says, the key that it is bound to, and that key's identifier.
pub(super) type Good = (Shown, Pop, Option<Box<[u8]>>);

/// By what a token is judged.
pub(super) struct Judge<'a> {
    pub(super) keys: &'a [TokenKeys],
    pub(super) audience: &'a str,
    /// Who issues tokens, if that is known by name.
    pub(super) issuer: Option<&'a str>,
    pub(super) now: Instant,
    /// The wall clock, in seconds since 1970.
    pub(super) unix: u64,
}

impl Judge<'_> {
    /// Decides on a token ([RFC 9200 section 5.10.1.1](https://www.rfc-editor.org/rfc/rfc9200#section-5.10.1.1)).
    pub(super) fn judge(&self, token: &[u8], hashes: [TokenHash; 2]) -> Result<Good, Refused> {
        let crypto = Provider::default();
        let mut bytes = zeroize::Zeroizing::new(token.to_vec());
        let (claims, keys) = open_token(&crypto, self.keys, &mut bytes).map_err(|error| match error {
            TokenError::Malformed => Refused::Malformed,
            TokenError::UnknownKey => Refused::UnknownKey,
            TokenError::Forged => Refused::Forged,
            TokenError::Claims => Refused::Claims,
        })?;
        let now = i64::try_from(self.unix).unwrap_or(i64::MAX);
        // Its key says who has issued it; a token that says so too has to say the same.
        let issuer = claims.issuer.and(self.issuer);
        let expected = Expected { audience: self.audience, issuer, now, leeway: 0 };
        claims.check(&expected).map_err(|invalid| match invalid {
            Invalid::Issuer => Refused::Issuer,
            Invalid::Audience => Refused::Audience,
            Invalid::Expired => Refused::Expired,
            Invalid::NotYet => Refused::NotYet,
        })?;
        // A token that never ends, or of which nobody says whose it is, is none that can be governed.
        let (Some(expires), Some(subject), Some(id)) = (claims.expires, claims.subject, claims.id) else {
            return Err(Refused::Claims);
        };
        let expires = u64::try_from(expires.seconds()).map_err(|_| Refused::Claims)?;
        let scope = match claims.scope {
            Some(Scope::Bytes(bytes)) => Grants::from_scope(bytes).map_err(|_| Refused::Scope)?,
            _ => return Err(Refused::Scope),
        };
        let Some(Confirmation::Key(key)) = claims.confirmation else { return Err(Refused::Confirmation) };
        let (pop, kid) = match key {
            CoseKey { material: Material::Symmetric { k }, kid: Some(kid), .. } => {
                let key = match k {
                    Some(k) => Psk::new(k),
                    // RFC 9202 section 3.3.1: derived from the token.
                    None => Psk::new(derive_key(&crypto, keys.derivation.expose(), token).expose()),
                };
                (Pop::Symmetric(key.ok_or(Refused::Confirmation)?), Some(Box::from(kid)))
            }
            key => (Pop::Public(usable(&key)?), None),
        };
        let lifetime = Duration::from_secs(expires.saturating_sub(self.unix));
        let shown = Shown {
            hashes,
            id: id.into(),
            subject: subject.to_owned(),
            scope,
            issued: claims.issued_at.and_then(|date| u64::try_from(date.seconds()).ok()),
            expires,
            end: self.now + lifetime,
        };
        Ok((shown, pop, kid))
    }
}

/// The public key, if it is one by which something can be verified.
fn usable(key: &CoseKey<'_>) -> Result<sedge_crypto::PublicKey, Refused> {
    let key = key.public_key().map_err(|_| Refused::Confirmation)?;
    // A point that is not on the curve can verify nothing; any other key has not made this signature.
    match Provider::default().verify(&key, &[0; 32], &Signature::new([1; 64])) {
        Err(KeyError::PublicKey) => Err(Refused::Confirmation),
        _ => Ok(key),
    }
}
