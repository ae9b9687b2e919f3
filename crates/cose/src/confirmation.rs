//! Which key the presenter of a token has to prove: the claim `cnf` (RFC 8747).

use core::fmt;

use crate::algorithm::Algorithm;
use crate::cbor::{Decoder, Encoder, Label};
use crate::error::Error;
use crate::key::CoseKey;

const COSE_KEY: i64 = 1;
const ENCRYPTED_COSE_KEY: i64 = 2;
const KEY_ID: i64 = 3;
const OSCORE: i64 = 4;

/// The claim `cnf`: the one key that whoever shows the token has to prove
/// ([RFC 8747 section 3.1](https://www.rfc-editor.org/rfc/rfc8747#section-3.1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation<'b> {
    /// `COSE_Key`: this key.
    Key(CoseKey<'b>),
    /// `Encrypted_COSE_Key`: the key in this COSE_Encrypt0 or COSE_Encrypt.
    EncryptedKey(&'b [u8]),
    /// `kid`: the key of this name.
    KeyId(&'b [u8]),
    /// `osc`: what an OSCORE context is derived from.
    Oscore(OscoreInput<'b>),
}

impl<'b> Confirmation<'b> {
    /// Reads the claim's value. Members that are not known are ignored.
    ///
    /// # Errors
    /// [`Error::Claim`] if none of its members is known, or more than one.
    pub fn read(decoder: &mut Decoder<'b>) -> Result<Self, Error> {
        let (mut found, mut several) = (None, false);
        decoder.map(|label, value| {
            let Label::Int(number) = label else { return Ok(()) };
            let member = match number {
                COSE_KEY => Self::Key(CoseKey::read(value)?),
                ENCRYPTED_COSE_KEY => Self::EncryptedKey(value.item()?),
                KEY_ID => Self::KeyId(value.bytes()?),
                OSCORE => Self::Oscore(OscoreInput::read(value)?),
                _ => return Ok(()),
            };
            several |= found.replace(member).is_some();
            Ok::<_, Error>(())
        })?;
        found.filter(|_| !several).ok_or(Error::Claim)
    }

    /// Writes the claim's value.
    pub fn encode(&self, encoder: &mut Encoder<'_>) {
        encoder.map(1);
        match self {
            Self::Key(key) => key.encode(encoder.int(COSE_KEY)),
            Self::EncryptedKey(message) => {
                encoder.int(ENCRYPTED_COSE_KEY).raw(message);
            }
            Self::KeyId(kid) => {
                encoder.int(KEY_ID).bytes(kid);
            }
            Self::Oscore(input) => input.encode(encoder.int(OSCORE)),
        }
    }
}

/// OSCORE_Input_Material ([RFC 9203 section 3.2.1](https://www.rfc-editor.org/rfc/rfc9203#section-3.2.1)).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct OscoreInput<'b> {
    /// `id`: the name of this material.
    pub id: Option<&'b [u8]>,
    /// `version` of OSCORE; 1 if it does not say.
    pub version: Option<u64>,
    /// `ms`: the master secret.
    pub master_secret: Option<&'b [u8]>,
    /// `hkdf`: HKDF's algorithm, of which only those with a number are known.
    pub hkdf: Option<Algorithm>,
    /// `alg`: the cipher.
    pub algorithm: Option<Algorithm>,
    /// `salt`: an input of the master salt.
    pub salt: Option<&'b [u8]>,
    /// `contextId`: the ID Context.
    pub context_id: Option<&'b [u8]>,
}

impl<'b> OscoreInput<'b> {
    fn read(decoder: &mut Decoder<'b>) -> Result<Self, Error> {
        let mut input = Self::default();
        decoder.map(|label, value| {
            let Label::Int(number) = label else { return Ok(()) };
            match number {
                0 => input.id = Some(value.bytes()?),
                1 => input.version = Some(value.unsigned()?),
                2 => input.master_secret = Some(value.bytes()?),
                3 => input.hkdf = Some(Algorithm(value.int()?)),
                4 => input.algorithm = Some(Algorithm(value.int()?)),
                5 => input.salt = Some(value.bytes()?),
                6 => input.context_id = Some(value.bytes()?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        Ok(input)
    }

    fn encode(&self, encoder: &mut Encoder<'_>) {
        let strings = [(0, self.id), (2, self.master_secret), (5, self.salt), (6, self.context_id)];
        let algorithms = [(3, self.hkdf), (4, self.algorithm)];
        let count = strings.iter().filter(|(_, value)| value.is_some()).count()
            + algorithms.iter().filter(|(_, value)| value.is_some()).count()
            + usize::from(self.version.is_some());
        encoder.map(count);
        for label in 0..=6 {
            if let Some((_, Some(value))) = strings.iter().find(|(of, _)| *of == label) {
                encoder.int(label).bytes(value);
            }
            if let Some((_, Some(Algorithm(number)))) = algorithms.iter().find(|(of, _)| *of == label) {
                encoder.int(label).int(*number);
            }
            if let (1, Some(version)) = (label, self.version) {
                encoder.int(label).unsigned(version);
            }
        }
    }
}

impl fmt::Debug for OscoreInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OscoreInput").field("id", &self.id).finish_non_exhaustive()
    }
}
