//! Asking for a token, and being given one
//! ([RFC 9200 section 5.8](https://www.rfc-editor.org/rfc/rfc9200#section-5.8)).

use core::fmt;

use sedge_cose::Scope;
use sedge_cose::cbor::{Decoder, Encoder, Error, Label, NoRoom, Type};

use crate::parameter as p;
use crate::scope::{self, Profile};

/// What a client asks of the token endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenRequest<'a> {
    /// For which resource server; the authorisation server's default if not given.
    pub audience: Option<&'a str>,
    /// What the token is to permit; as much as the client may if not given.
    pub scope: Option<Scope<'a>>,
    /// To which key the token is to be bound: an encoded `cnf`. A new symmetric one if not given.
    pub req_cnf: Option<&'a [u8]>,
    /// Whether the answer is to say which profile to use.
    pub asks_for_profile: bool,
    /// What the resource server gave the client to repeat
    /// ([RFC 9200 section 5.3.1](https://www.rfc-editor.org/rfc/rfc9200#section-5.3.1)).
    pub cnonce: Option<&'a [u8]>,
    /// Under which name the client is known, if it says so; it is believed for its DTLS session alone.
    pub client_id: Option<&'a str>,
}

/// Why a request for a token cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRequestError {
    /// It is no strict CBOR, or a parameter has another type.
    Cbor(Error),
    /// It names another grant type than client credentials.
    GrantType,
}

impl From<Error> for TokenRequestError {
    fn from(error: Error) -> Self {
        Self::Cbor(error)
    }
}

impl fmt::Display for TokenRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cbor(error) => error.fmt(f),
            Self::GrantType => f.write_str("no grant type but client credentials"),
        }
    }
}

impl core::error::Error for TokenRequestError {}

impl<'a> TokenRequest<'a> {
    /// Reads a body. Parameters that are not known are passed over, as
    /// [RFC 6749 section 3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2) wants it.
    ///
    /// # Errors
    /// [`TokenRequestError`].
    pub fn decode(body: &'a [u8]) -> Result<Self, TokenRequestError> {
        let mut request = Self::default();
        let mut decoder = Decoder::new(body);
        decoder.map(|label, value| {
            match label {
                Label::Int(p::AUDIENCE) => request.audience = Some(value.text()?),
                Label::Int(p::SCOPE) => request.scope = Some(scope::decode(value)?),
                Label::Int(p::REQ_CNF) => request.req_cnf = Some(map_item(value)?),
                Label::Int(p::CLIENT_ID) => request.client_id = Some(value.text()?),
                Label::Int(p::CNONCE) => request.cnonce = Some(value.bytes()?),
                Label::Int(p::ACE_PROFILE) => {
                    value.null()?;
                    request.asks_for_profile = true;
                }
                Label::Int(p::GRANT_TYPE) if value.unsigned()? != p::CLIENT_CREDENTIALS => {
                    return Err(TokenRequestError::GrantType);
                }
                _ => {}
            }
            Ok(())
        })?;
        decoder.end()?;
        Ok(request)
    }

    /// Writes the body.
    ///
    /// # Errors
    /// It takes more room.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8], NoRoom> {
        let given = [
            self.req_cnf.is_some(),
            self.audience.is_some(),
            self.scope.is_some(),
            self.client_id.is_some(),
            self.asks_for_profile,
            self.cnonce.is_some(),
        ];
        let mut encoder = Encoder::new(out);
        encoder.map(1 + given.into_iter().filter(|given| *given).count());
        if let Some(cnf) = self.req_cnf {
            encoder.int(p::REQ_CNF).raw(cnf);
        }
        if let Some(audience) = self.audience {
            encoder.int(p::AUDIENCE).text(audience);
        }
        if let Some(scope) = self.scope {
            scope::encode(scope, encoder.int(p::SCOPE));
        }
        if let Some(client_id) = self.client_id {
            encoder.int(p::CLIENT_ID).text(client_id);
        }
        encoder.int(p::GRANT_TYPE).unsigned(p::CLIENT_CREDENTIALS);
        if self.asks_for_profile {
            encoder.int(p::ACE_PROFILE).null();
        }
        if let Some(cnonce) = self.cnonce {
            encoder.int(p::CNONCE).bytes(cnonce);
        }
        encoder.finish()
    }
}

/// A token with what a client has to know about it. It may hold a key, so it does not print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenResponse<'a> {
    /// The token, which is nothing but bytes to the client.
    pub access_token: &'a [u8],
    /// For how many seconds from now it is good.
    pub expires_in: Option<u64>,
    /// What it permits, if that is not what was asked for.
    pub scope: Option<Scope<'a>>,
    /// The key that it is bound to, if the client has not named one: an encoded `cnf`.
    pub cnf: Option<&'a [u8]>,
    /// The resource server's public key: an encoded `cnf`.
    pub rs_cnf: Option<&'a [u8]>,
    /// How to speak to the resource server.
    pub ace_profile: Option<Profile>,
}

impl<'a> TokenResponse<'a> {
    /// A token about which there is nothing to say.
    pub const fn new(access_token: &'a [u8]) -> Self {
        Self { access_token, expires_in: None, scope: None, cnf: None, rs_cnf: None, ace_profile: None }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// It is no strict CBOR, holds no token, or one that is bound to no key.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut token = None;
        let mut response = Self::new(&[]);
        let mut decoder = Decoder::new(body);
        decoder.map(|label, value| {
            match label {
                Label::Int(p::ACCESS_TOKEN) => token = Some(value.bytes()?),
                Label::Int(p::EXPIRES_IN) => response.expires_in = Some(value.unsigned()?),
                Label::Int(p::SCOPE) => response.scope = Some(scope::decode(value)?),
                Label::Int(p::CNF) => response.cnf = Some(map_item(value)?),
                Label::Int(p::RS_CNF) => response.rs_cnf = Some(map_item(value)?),
                Label::Int(p::ACE_PROFILE) => response.ace_profile = Some(Profile(value.int()?)),
                Label::Int(p::TOKEN_TYPE) if value.unsigned()? != p::POP => return Err(Error::Range),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        decoder.end()?;
        Ok(Self { access_token: token.ok_or(Error::Type)?, ..response })
    }

    /// Writes the body.
    ///
    /// # Errors
    /// It takes more room.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8], NoRoom> {
        let given = [
            self.expires_in.is_some(),
            self.scope.is_some(),
            self.cnf.is_some(),
            self.rs_cnf.is_some(),
            self.ace_profile.is_some(),
        ];
        let mut encoder = Encoder::new(out);
        encoder.map(2 + given.into_iter().filter(|given| *given).count());
        encoder.int(p::ACCESS_TOKEN).bytes(self.access_token);
        if let Some(seconds) = self.expires_in {
            encoder.int(p::EXPIRES_IN).unsigned(seconds);
        }
        if let Some(cnf) = self.cnf {
            encoder.int(p::CNF).raw(cnf);
        }
        if let Some(scope) = self.scope {
            scope::encode(scope, encoder.int(p::SCOPE));
        }
        encoder.int(p::TOKEN_TYPE).unsigned(p::POP);
        if let Some(profile) = self.ace_profile {
            encoder.int(p::ACE_PROFILE).int(profile.0);
        }
        if let Some(cnf) = self.rs_cnf {
            encoder.int(p::RS_CNF).raw(cnf);
        }
        encoder.finish()
    }
}

impl fmt::Debug for TokenResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("access_token", &format_args!("{} bytes", self.access_token.len()))
            .field("expires_in", &self.expires_in)
            .field("cnf", &self.cnf.map(|_| format_args!("[secret]")))
            .finish_non_exhaustive()
    }
}

/// An encoded map as it is.
pub(crate) fn map_item<'a>(value: &mut Decoder<'a>) -> Result<&'a [u8], Error> {
    match value.peek()? {
        Type::Map => value.item(),
        _ => Err(Error::Type),
    }
}
