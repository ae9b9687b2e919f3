//! Why an authorisation server refuses.

use core::fmt;

use sedge_cose::cbor::{Decoder, Encoder, Error, Label, NoRoom};

use crate::parameter as p;

/// The reason for which an authorisation server refuses
/// ([RFC 9200 section 8.4](https://www.rfc-editor.org/rfc/rfc9200#section-8.4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// The request cannot be understood, or has what excludes each other.
    pub const INVALID_REQUEST: Self = Self(1);
    /// Nobody knows the client.
    pub const INVALID_CLIENT: Self = Self(2);
    /// What the client offers for the token is not good.
    pub const INVALID_GRANT: Self = Self(3);
    /// This client may not ask this.
    pub const UNAUTHORIZED_CLIENT: Self = Self(4);
    /// There is no such grant type here.
    pub const UNSUPPORTED_GRANT_TYPE: Self = Self(5);
    /// The client may have nothing of what it asks for, or the scope is none.
    pub const INVALID_SCOPE: Self = Self(6);
    /// The token cannot be bound to this key.
    pub const UNSUPPORTED_POP_KEY: Self = Self(7);
    /// Client and resource server have no profile in common.
    pub const INCOMPATIBLE_ACE_PROFILES: Self = Self(8);

    /// The code's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::INVALID_REQUEST => "invalid_request",
            Self::INVALID_CLIENT => "invalid_client",
            Self::INVALID_GRANT => "invalid_grant",
            Self::UNAUTHORIZED_CLIENT => "unauthorized_client",
            Self::UNSUPPORTED_GRANT_TYPE => "unsupported_grant_type",
            Self::INVALID_SCOPE => "invalid_scope",
            Self::UNSUPPORTED_POP_KEY => "unsupported_pop_key",
            Self::INCOMPATIBLE_ACE_PROFILES => "incompatible_ace_profiles",
            _ => "unknown error",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The body of an answer that refuses
/// ([RFC 9200 section 5.8.3](https://www.rfc-editor.org/rfc/rfc9200#section-5.8.3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorResponse<'a> {
    /// The reason.
    pub error: ErrorCode,
    /// The reason in words, for people.
    pub description: Option<&'a str>,
}

impl<'a> ErrorResponse<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// It is no strict CBOR, or holds no error.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let (mut error, mut description) = (None, None);
        let mut decoder = Decoder::new(body);
        decoder.map(|label, value| {
            match label {
                Label::Int(p::ERROR) => error = Some(ErrorCode(value.int()?)),
                Label::Int(p::ERROR_DESCRIPTION) => description = Some(value.text()?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        decoder.end()?;
        Ok(Self { error: error.ok_or(Error::Type)?, description })
    }

    /// Writes the body.
    ///
    /// # Errors
    /// It takes more room.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8], NoRoom> {
        let mut encoder = Encoder::new(out);
        encoder.map(1 + usize::from(self.description.is_some())).int(p::ERROR).int(self.error.0);
        if let Some(description) = self.description {
            encoder.int(p::ERROR_DESCRIPTION).text(description);
        }
        encoder.finish()
    }
}
