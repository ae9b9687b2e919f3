//! Opening a token that somebody shows.

use core::fmt;

use sedge_cose::{Claims, Error, Message};
use sedge_crypto::Crypto;

use crate::TokenKeys;

/// Why a token is not believed. Whoever shows it learns no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It is none: not strict CBOR, not one of the three structures, or without the name of its key.
    Malformed,
    /// It is under a key that is not known.
    UnknownKey,
    /// It is not authentic.
    Forged,
    /// It is authentic, and its claims cannot be read.
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
/// # Errors
/// [`TokenError`].
pub fn open_token<'t, 'k, C: Crypto>(
    crypto: &C,
    keys: &'k [TokenKeys],
    token: &'t mut [u8],
) -> Result<(Claims<'t>, &'k TokenKeys), TokenError> {
    let message = Message::parse(token).map_err(|_| TokenError::Malformed)?;
    let kid = message.headers().kid().ok_or(TokenError::Malformed)?;
    let keys = keys.iter().find(|keys| keys.id == kid).ok_or(TokenError::UnknownKey)?;
    let claims = opened(crypto, keys, message).map_err(|_| TokenError::Forged)?;
    Claims::parse(claims).map(|claims| (claims, keys)).map_err(|_| TokenError::Claims)
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
