//! How a token, or the key it is bound to, is named in a handshake with a pre-shared key, and how that key can be made
//! from the token ([RFC 9202 section 3.3](https://www.rfc-editor.org/rfc/rfc9202#section-3.3)).

use sedge_cose::cbor::{Decoder, Encoder, Error, Label, NoRoom, Type};
use sedge_crypto::{Crypto, Secret, hkdf_expand, hkdf_extract};

/// `cnf`, as claims are numbered.
const CNF: i64 = 8;
/// A COSE_Key, in a `cnf`.
const COSE_KEY: i64 = 1;
/// `kty` of a COSE_Key.
const KTY: i64 = 1;
/// `kid` of a COSE_Key.
const KID: i64 = 2;
/// The key type of symmetric keys.
const SYMMETRIC: i64 = 4;

/// What a client claims in a handshake with a pre-shared key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PskIdentity<'a> {
    /// The key with this identifier, whose token the server was shown before.
    Kid(&'a [u8]),
    /// A token, which the server is to take as shown.
    Token(&'a [u8]),
}

impl<'a> PskIdentity<'a> {
    /// Tells the two forms apart; `None` if it is neither.
    ///
    /// A token is the encoding of a COSE structure: an array, or a tag before one.
    pub fn parse(identity: &'a [u8]) -> Option<Self> {
        match Decoder::new(identity).peek().ok()? {
            Type::Map => kid(identity).ok().map(Self::Kid),
            Type::Array | Type::Tag => Some(Self::Token(identity)),
            _ => None,
        }
    }

    /// Writes the identity.
    ///
    /// # Errors
    /// It takes more room.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8], NoRoom> {
        let mut encoder = Encoder::new(out);
        match self {
            Self::Kid(kid) => {
                encoder.map(1).int(CNF).map(1).int(COSE_KEY);
                encoder.map(2).int(KTY).int(SYMMETRIC).int(KID).bytes(kid)
            }
            Self::Token(token) => encoder.raw(token),
        };
        encoder.finish()
    }
}

/// The identifier in `{8: {1: {1: 4, 2: kid}}}`, with nothing beside it.
fn kid(identity: &[u8]) -> Result<&[u8], Error> {
    let mut found = None;
    let mut symmetric = false;
    let mut decoder = Decoder::new(identity);
    decoder.map(|label, cnf| {
        only(label, CNF)?;
        cnf.map(|label, key| {
            only(label, COSE_KEY)?;
            key.map(|label, value| {
                match label {
                    Label::Int(KTY) => symmetric = value.int()? == SYMMETRIC,
                    Label::Int(KID) => found = Some(value.bytes()?),
                    _ => return Err(Error::Type),
                }
                Ok(())
            })
        })
    })?;
    decoder.end()?;
    found.filter(|_| symmetric).ok_or(Error::Type)
}

fn only(label: Label<'_>, expected: i64) -> Result<(), Error> {
    if label == Label::Int(expected) { Ok(()) } else { Err(Error::Type) }
}

/// The length of keys that are derived from tokens, in bytes.
pub const DERIVED_KEY_LEN: usize = 16;

/// Makes the key that a token is bound to which names one but does not carry it, from the key derivation key that
/// authorisation server and resource server share.
///
/// `token` is what the client was given as `access_token`, byte for byte.
pub fn derive_key<C: Crypto>(crypto: &C, key_derivation_key: &[u8], token: &[u8]) -> Secret<DERIVED_KEY_LEN> {
    // A text of 28 bytes, a number of one, and the head of a byte string: all of the array but the token itself.
    let mut info = [0; 48];
    let mut encoder = Encoder::new(&mut info);
    encoder.array(3).text("ACE-CoAP-DTLS-key-derivation").unsigned(DERIVED_KEY_LEN as u64);
    encoder.bytes_head(token.len());
    let info: &[u8] = encoder.finish().map_or(&[], |info| info);
    let key = hkdf_extract(crypto, &[], key_derivation_key);
    hkdf_expand(&crypto.hmac_sha256(key.expose()), &[info, token])
}
