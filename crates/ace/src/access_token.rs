//! Opening a token that somebody shows.

use core::fmt;

use sedge_cose::{Claims, Confirmation, CoseKey, Error, Material, Message};
use sedge_crypto::Crypto;

use crate::TokenKeys;

/// Labels of header parameters.
const KID: i64 = 4;
const IV: i64 = 5;

/// Why a token is not believed. Whoever shows it learns no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It is none: not strict CBOR, not one of the three structures, without the name of its key, or with header
    /// parameters that anybody can change.
    Malformed,
    /// It is under a key that is not known.
    UnknownKey,
    /// It is not authentic.
    Forged,
    /// It is authentic, and its claims cannot be read, or show to everybody what is secret.
    Claims,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "no token, or one in a form that is not known",
            Self::UnknownKey => "a token under a key that is not known",
            Self::Forged => "a token that is not authentic",
            Self::Claims => "a token whose claims cannot be read",
        })
    }
}

impl core::error::Error for TokenError {}

/// Opens a token where it stands: decrypts it, or verifies its code or signature, by those keys of `keys` that its header
/// names. Whether it is for us and good now, [`Claims::check`] says.
///
/// By what anybody can change in a token without making another one of it, a revoked token would get another hash. So
/// header parameters have to be protected ([RFC 9770 section 3](https://www.rfc-editor.org/rfc/rfc9770#section-3)), but for
/// those without which this very token does not open, which some authorisation servers leave open: the `kid` and the `IV`
/// of one that is encrypted, and the `kid` of one with an authentication code. Signatures of one authorisation server are
/// by one key under several names.
///
/// A secret key has to be encrypted
/// ([RFC 9202 section 3.3.1](https://www.rfc-editor.org/rfc/rfc9202#section-3.3.1)).
///
/// # Errors
/// [`TokenError`].
pub fn open_token<'t, 'k, C: Crypto>(
    crypto: &C,
    keys: &'k [TokenKeys],
    token: &'t mut [u8],
) -> Result<(Claims<'t>, &'k TokenKeys), TokenError> {
    let message = Message::parse(token).map_err(|_| TokenError::Malformed)?;
    let headers = message.headers();
    let open: &[i64] = match message {
        Message::Encrypt0(_) => &[KID, IV],
        Message::Mac0(_) => &[KID],
        Message::Sign1(_) => &[],
    };
    let kid = headers.kid().filter(|_| headers.has_unprotected_only(open)).ok_or(TokenError::Malformed)?;
    let known = keys.iter().fold(None, |known, keys| if keys.id == kid { Some(keys) } else { known });
    // A token under no key is tried all the same, so that time does not tell which keys there are.
    let tried = known.or(keys.last()).ok_or(TokenError::UnknownKey)?;
    let encrypted = matches!(message, Message::Encrypt0(_));
    let opened = opened(crypto, tried, message);
    let keys = known.ok_or(TokenError::UnknownKey)?;
    let claims = Claims::parse(opened.map_err(|_| TokenError::Forged)?).map_err(|_| TokenError::Claims)?;
    if encrypted || !shows_secret(&claims) { Ok((claims, keys)) } else { Err(TokenError::Claims) }
}

fn opened<'t, C: Crypto>(crypto: &C, keys: &TokenKeys, message: Message<'t>) -> Result<&'t [u8], Error> {
    match message {
        Message::Encrypt0(message) => {
            let key = keys.encryption_key()?;
            let nonce = message.headers().nonce(key.algorithm(), None)?;
            message.open(crypto, &key, nonce.as_bytes(), &[]).map(|claims| &*claims)
        }
        Message::Mac0(message) => message.verify(crypto, &keys.mac_key()?, &[]),
        Message::Sign1(message) => message.verify(crypto, &keys.verification, &[]),
    }
}

/// Whether whoever has seen these claims has the key that they are bound to.
const fn shows_secret(claims: &Claims<'_>) -> bool {
    matches!(
        claims.confirmation,
        Some(
            Confirmation::Key(CoseKey { material: Material::Symmetric { k: Some(_) }, .. })
                | Confirmation::Oscore(_)
        )
    )
}
