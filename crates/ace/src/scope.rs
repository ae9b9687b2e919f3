//! Scopes and profiles, as several messages carry them.

use sedge_cose::cbor::{Decoder, Encoder, Error, Type};

/// What a token is to permit, or permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Names in a text, separated by spaces.
    Text(&'a str),
    /// An encoded structure, such as that of AIF ([RFC 9237](https://www.rfc-editor.org/rfc/rfc9237)).
    Binary(&'a [u8]),
}

impl<'a> Scope<'a> {
    pub(crate) fn decode(value: &mut Decoder<'a>) -> Result<Self, Error> {
        match value.peek()? {
            Type::Text => value.text().map(Self::Text),
            _ => value.bytes().map(Self::Binary),
        }
    }

    pub(crate) fn encode(self, encoder: &mut Encoder<'_>) {
        let _all = match self {
            Self::Text(text) => encoder.text(text),
            Self::Binary(bytes) => encoder.bytes(bytes),
        };
    }
}

/// How client and resource server protect what they say to each other
/// ([RFC 9200 section 8.8](https://www.rfc-editor.org/rfc/rfc9200#section-8.8)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile(pub i64);

impl Profile {
    /// CoAP over DTLS ([RFC 9202](https://www.rfc-editor.org/rfc/rfc9202)).
    pub const COAP_DTLS: Self = Self(1);
    /// OSCORE ([RFC 9203](https://www.rfc-editor.org/rfc/rfc9203)).
    pub const COAP_OSCORE: Self = Self(2);
}
