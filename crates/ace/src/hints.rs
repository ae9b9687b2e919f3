//! Where a client gets a token: AS request creation hints.

use sedge_cose::Scope;
use sedge_cose::cbor::{Decoder, Encoder, Error, Label, NoRoom};

use crate::parameter as p;
use crate::scope;

/// What a resource server tells a client that has no token for what it asked
/// ([RFC 9200 section 5.3](https://www.rfc-editor.org/rfc/rfc9200#section-5.3)), as body of a 4.01.
///
/// Nothing of it is to be believed: a client asks only authorisation servers that it knows already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreationHints<'a> {
    /// The URI of the authorisation server's token endpoint.
    pub authorization_server: Option<&'a str>,
    /// The key to which the client's present token is bound.
    pub kid: Option<&'a [u8]>,
    /// How the authorisation server knows the resource server.
    pub audience: Option<&'a str>,
    /// What to ask for.
    pub scope: Option<Scope<'a>>,
    /// What the token is to repeat.
    pub cnonce: Option<&'a [u8]>,
}

impl<'a> CreationHints<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// It is no strict CBOR, or a hint has another type.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut hints = Self::default();
        let mut decoder = Decoder::new(body);
        decoder.map(|label, value| {
            match label {
                Label::Int(p::AS) => hints.authorization_server = Some(value.text()?),
                Label::Int(p::KID) => hints.kid = Some(value.bytes()?),
                Label::Int(p::AUDIENCE) => hints.audience = Some(value.text()?),
                Label::Int(p::SCOPE) => hints.scope = Some(scope::decode(value)?),
                Label::Int(p::CNONCE) => hints.cnonce = Some(value.bytes()?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        decoder.end()?;
        Ok(hints)
    }

    /// Writes the body.
    ///
    /// # Errors
    /// It takes more room.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8], NoRoom> {
        let given = [
            self.authorization_server.is_some(),
            self.kid.is_some(),
            self.audience.is_some(),
            self.scope.is_some(),
            self.cnonce.is_some(),
        ];
        let mut encoder = Encoder::new(out);
        encoder.map(given.into_iter().filter(|given| *given).count());
        if let Some(uri) = self.authorization_server {
            encoder.int(p::AS).text(uri);
        }
        if let Some(kid) = self.kid {
            encoder.int(p::KID).bytes(kid);
        }
        if let Some(audience) = self.audience {
            encoder.int(p::AUDIENCE).text(audience);
        }
        if let Some(scope) = self.scope {
            scope::encode(scope, encoder.int(p::SCOPE));
        }
        if let Some(cnonce) = self.cnonce {
            encoder.int(p::CNONCE).bytes(cnonce);
        }
        encoder.finish()
    }
}
