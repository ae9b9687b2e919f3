//! Who a member is: a CWT Claims Set
//! ([RFC 8392 section 3](https://www.rfc-editor.org/rfc/rfc8392#section-3)) with its name and its public key.

use sedge_cose::cbor::{Decoder, Encoder, Error, Label, NoRoom};
use sedge_crypto::PublicKey;

/// `{2: name, 8: {1: {1: 2, -1: 1, -2: x, -3: y}}}`; without `8` for a member that does not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberCredential<'b> {
    /// What the operator calls the member; `sub`.
    pub name: &'b str,
    /// The key that its countersignatures are made with.
    pub key: Option<PublicKey>,
}

const SUB: i64 = 2;
const CNF: i64 = 8;
const COSE_KEY: i64 = 1;
const KTY: i64 = 1;
const EC2: i64 = 2;
const CRV: i64 = -1;
const P256: i64 = 1;
const X: i64 = -2;
const Y: i64 = -3;

impl<'b> MemberCredential<'b> {
    /// Writes it.
    ///
    /// # Errors
    /// The buffer is too short.
    pub fn encode<'o>(&self, buffer: &'o mut [u8]) -> Result<&'o mut [u8], NoRoom> {
        let mut encoder = Encoder::new(buffer);
        encoder.map(1 + usize::from(self.key.is_some())).int(SUB).text(self.name);
        if let Some(key) = &self.key {
            let [_, point @ ..] = key.as_bytes();
            let (x, y) = point.split_at(32);
            encoder.int(CNF).map(1).int(COSE_KEY).map(4);
            encoder.int(KTY).int(EC2).int(CRV).int(P256).int(X).bytes(x).int(Y).bytes(y);
        }
        encoder.finish()
    }

    /// Reads it.
    ///
    /// # Errors
    /// It has no name, or a key that is none in P-256.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        let (mut name, mut key) = (None, None);
        let mut decoder = Decoder::new(bytes);
        decoder.map(|label, value| {
            match label {
                Label::Int(SUB) => name = Some(value.text()?),
                Label::Int(CNF) => value.map(|label, value| {
                    if label == Label::Int(COSE_KEY) {
                        key = Some(read_key(value)?);
                    }
                    Ok::<_, Error>(())
                })?,
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        decoder.end()?;
        Ok(Self { name: name.ok_or(Error::Range)?, key })
    }
}

fn read_key(decoder: &mut Decoder<'_>) -> Result<PublicKey, Error> {
    let (mut kty, mut crv, mut x, mut y) = (None, None, None, None);
    decoder.map(|label, value| {
        match label {
            Label::Int(KTY) => kty = Some(value.int()?),
            Label::Int(CRV) => crv = Some(value.int()?),
            Label::Int(X) => x = Some(value.bytes()?),
            Label::Int(Y) => y = Some(value.bytes()?),
            _ => {}
        }
        Ok::<_, Error>(())
    })?;
    let (Some(EC2), Some(P256), Some(x), Some(y)) = (kty, crv, x, y) else { return Err(Error::Range) };
    if x.len() != 32 || y.len() != 32 {
        return Err(Error::Range);
    }
    let mut point = [4; PublicKey::LEN];
    for (to, from) in point.iter_mut().skip(1).zip(x.iter().chain(y)) {
        *to = *from;
    }
    PublicKey::new(point).map_err(|_| Error::Range)
}
