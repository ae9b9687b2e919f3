//! Asking an authorisation server about a token
//! ([RFC 9200 section 5.9](https://www.rfc-editor.org/rfc/rfc9200#section-5.9)).

use sedge_cose::cbor::{Decoder, Encoder, Error, Label, NoRoom};

use crate::parameter as p;

/// What a resource server asks of the introspection endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntrospectionRequest<'a> {
    /// The token.
    pub token: &'a [u8],
}

impl<'a> IntrospectionRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// It is no strict CBOR, holds no token, or says that it is of another kind than those bound to a key.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut token = None;
        let mut decoder = Decoder::new(body);
        decoder.map(|label, value| {
            match label {
                Label::Int(p::TOKEN) => token = Some(value.bytes()?),
                Label::Int(p::TOKEN_TYPE_HINT) if value.unsigned()? != p::POP => return Err(Error::Range),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        decoder.end()?;
        Ok(Self { token: token.ok_or(Error::Type)? })
    }

    /// Writes the body.
    ///
    /// # Errors
    /// It takes more room.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8], NoRoom> {
        let mut encoder = Encoder::new(out);
        encoder.map(2).int(p::TOKEN).bytes(self.token).int(p::TOKEN_TYPE_HINT).unsigned(p::POP);
        encoder.finish()
    }
}

/// What the introspection endpoint answers: whether a token is good, and if so its claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntrospectionResponse<'a> {
    /// Whether the token is good now. If not, nothing else is said.
    pub active: bool,
    /// The token's claims: the entries of an encoded map, without its head, and how many there are.
    claims: (&'a [u8], usize),
}

impl<'a> IntrospectionResponse<'a> {
    /// The answer about a token that is not good, for whatever reason.
    pub const INACTIVE: Self = Self { active: false, claims: (&[], 0) };

    /// The answer about a token that is good, with its encoded claims.
    ///
    /// # Errors
    /// The claims are no map in strict CBOR.
    pub fn active(claims: &'a [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(claims);
        let mut count = 0;
        let mut first = claims.len();
        decoder.map(|_, _| {
            count += 1;
            Ok::<_, Error>(())
        })?;
        decoder.end()?;
        // The head of a map says only how many entries there are, so it is as long as ours would be.
        let mut head = [0; 9];
        let mut encoder = Encoder::new(&mut head);
        encoder.map(count);
        first -= claims.len() - encoder.len();
        let entries = claims.get(first..).ok_or(Error::Truncated)?;
        Ok(Self { active: true, claims: (entries, count) })
    }

    /// Writes the body.
    ///
    /// # Errors
    /// It takes more room.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8], NoRoom> {
        let (entries, count) = self.claims;
        let mut encoder = Encoder::new(out);
        encoder.map(1 + count).raw(entries).int(p::ACTIVE).bool(self.active);
        encoder.finish()
    }

    /// Reads whether the token is good. The body can then be read as claims, which pass over the entry `active`.
    ///
    /// # Errors
    /// It is no strict CBOR, or does not say.
    pub fn decode_active(body: &[u8]) -> Result<bool, Error> {
        let mut active = None;
        let mut decoder = Decoder::new(body);
        decoder.map(|label, value| {
            if label == Label::Int(p::ACTIVE) {
                active = Some(value.bool()?);
            }
            Ok::<_, Error>(())
        })?;
        decoder.end()?;
        active.ok_or(Error::Type)
    }
}
