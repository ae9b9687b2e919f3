//! Scopes and profiles, as several messages carry them.

use sedge_cose::Scope;
use sedge_cose::cbor::{Decoder, Encoder, Error, Type};

pub(crate) fn decode<'a>(value: &mut Decoder<'a>) -> Result<Scope<'a>, Error> {
    match value.peek()? {
        Type::Text => value.text().map(Scope::Text),
        _ => value.bytes().map(Scope::Bytes),
    }
}

pub(crate) fn encode(scope: Scope<'_>, encoder: &mut Encoder<'_>) {
    let _all = match scope {
        Scope::Text(text) => encoder.text(text),
        Scope::Bytes(bytes) => encoder.bytes(bytes),
    };
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
