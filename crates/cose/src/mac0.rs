//! COSE_Mac0: with an authentication code, for one who has the key (RFC 9052 section 6).

use sedge_crypto::{Crypto, constant_time_eq};

use crate::algorithm::{Algorithm, SymmetricKey};
use crate::cbor::{Decoder, Encoder};
use crate::countersign::Target;
use crate::error::Error;
use crate::header::Headers;
use crate::message::{Envelope, MAC0_TAG, content, enter, reread};
use crate::structure::Structure;

const PARTS: usize = 4;

/// A message with an authentication code
/// ([RFC 9052 section 6.2](https://www.rfc-editor.org/rfc/rfc9052#section-6.2)).
#[derive(Clone, Copy, Debug)]
pub struct Mac0<'b> {
    headers: Headers<'b>,
    payload: Option<&'b [u8]>,
    tag: &'b [u8],
}

impl<'b> Mac0<'b> {
    /// Reads exactly one message, with or without its tag.
    pub fn parse(message: &'b [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(message);
        enter(&mut decoder, MAC0_TAG, PARTS)?;
        let headers = Headers::read(&mut decoder)?;
        let payload = content(&mut decoder)?;
        let tag = decoder.bytes()?;
        decoder.end()?;
        Ok(Self { headers, payload, tag })
    }

    /// The header parameters. Before it is [verified](Self::verify) nothing of them is known to be true.
    pub const fn headers(&self) -> &Headers<'b> {
        &self.headers
    }

    /// The payload, which is not known to be authentic; nothing if it is elsewhere.
    pub const fn dangerous_payload(&self) -> Option<&'b [u8]> {
        self.payload
    }

    /// What countersignatures of the message are about, if the payload is in it.
    pub fn target(&self) -> Option<Target<'b>> {
        self.payload.map(|payload| Target::new(self.headers.protected_bytes(), payload, Some(self.tag)))
    }

    /// Checks the authentication code and returns the payload.
    ///
    /// # Errors
    /// [`Error::Algorithm`] if the message is not of the key's algorithm, [`Error::Detached`] if the payload is
    /// elsewhere, [`Error::NotAuthentic`] if anything has been changed or the key is another.
    pub fn verify<C: Crypto>(
        &self,
        crypto: &C,
        key: &SymmetricKey<'_>,
        external_aad: &[u8],
    ) -> Result<&'b [u8], Error> {
        let payload = self.payload.ok_or(Error::Detached)?;
        self.check(crypto, key, external_aad, payload).map(|()| payload)
    }

    /// Checks the authentication code of a payload that was sent apart from the message.
    pub fn verify_detached<C: Crypto>(
        &self,
        crypto: &C,
        key: &SymmetricKey<'_>,
        external_aad: &[u8],
        payload: &[u8],
    ) -> Result<(), Error> {
        if self.payload.is_some() {
            return Err(Error::Detached);
        }
        self.check(crypto, key, external_aad, payload)
    }

    fn check<C: Crypto>(
        &self,
        crypto: &C,
        key: &SymmetricKey<'_>,
        external_aad: &[u8],
        payload: &[u8],
    ) -> Result<(), Error> {
        self.headers.expect_algorithm(key.algorithm())?;
        let len = tag_len(key.algorithm())?;
        let mac = mac(crypto, &self.headers, key, external_aad, payload);
        let authentic = mac.get(..len).is_some_and(|tag| constant_time_eq(tag, self.tag));
        if authentic { Ok(()) } else { Err(Error::NotAuthentic) }
    }

    /// Makes a message at the beginning of `out` and returns it.
    ///
    /// # Errors
    /// [`Error::Key`] if the key is not for a MAC, [`Error::Header`] if the envelope contradicts itself,
    /// [`Error::NoRoom`].
    pub fn create<'o, C: Crypto>(
        crypto: &C,
        key: &SymmetricKey<'_>,
        envelope: &Envelope<'_>,
        payload: &[u8],
        out: &'o mut [u8],
    ) -> Result<&'o mut [u8], Error> {
        let len = tag_len(key.algorithm())?;
        let mut encoder = Encoder::new(out);
        envelope.open(&mut encoder, MAC0_TAG, PARTS, key.algorithm());
        // Where there is no room, the end says how much it takes.
        let mac = match encoder.written() {
            Ok(head) => mac(crypto, &reread(head, MAC0_TAG, PARTS)?, key, envelope.external_aad, payload),
            Err(_) => [0; 32],
        };
        envelope.content(&mut encoder, payload);
        encoder.bytes(mac.get(..len).unwrap_or_default());
        Ok(encoder.finish()?)
    }
}

fn tag_len(algorithm: Algorithm) -> Result<usize, Error> {
    match algorithm {
        Algorithm::HMAC_256_64 => Ok(8),
        Algorithm::HMAC_256 => Ok(32),
        _ => Err(Error::Key),
    }
}

/// The code over MAC_structure (section 6.3), before it is cut.
fn mac<C: Crypto>(
    crypto: &C,
    headers: &Headers<'_>,
    key: &SymmetricKey<'_>,
    external_aad: &[u8],
    payload: &[u8],
) -> [u8; 32] {
    let parts = &[headers.protected_bytes(), external_aad, payload];
    Structure { context: "MAC0", parts, other: None }.mac(crypto, key.expose())
}
