//! COSE_Sign1: signed by one (RFC 9052 section 4).

use sedge_crypto::{Crypto, CryptoRng, PublicKey, Signature};

use crate::algorithm::Algorithm;
use crate::cbor::{Decoder, Encoder};
use crate::countersign::Target;
use crate::error::Error;
use crate::header::Headers;
use crate::message::{Envelope, SIGN1_TAG, content, enter, reread};
use crate::structure::Structure;

const PARTS: usize = 4;

/// A signed message ([RFC 9052 section 4.2](https://www.rfc-editor.org/rfc/rfc9052#section-4.2)).
#[derive(Clone, Copy, Debug)]
pub struct Sign1<'b> {
    headers: Headers<'b>,
    payload: Option<&'b [u8]>,
    signature: &'b [u8],
}

impl<'b> Sign1<'b> {
    /// Reads exactly one message, with or without its tag.
    pub fn parse(message: &'b [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(message);
        enter(&mut decoder, SIGN1_TAG, PARTS)?;
        let headers = Headers::read(&mut decoder)?;
        let payload = content(&mut decoder)?;
        let signature = decoder.bytes()?;
        decoder.end()?;
        Ok(Self { headers, payload, signature })
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
        self.payload.map(|payload| Target::new(self.headers.protected_bytes(), payload, Some(self.signature)))
    }

    /// Checks the signature and returns the payload.
    ///
    /// # Errors
    /// [`Error::Algorithm`] if the message is not of ES256, [`Error::Detached`] if the payload is elsewhere,
    /// [`Error::NotAuthentic`] if anything has been changed or somebody else has signed.
    pub fn verify<C: Crypto>(
        &self,
        crypto: &C,
        key: &PublicKey,
        external_aad: &[u8],
    ) -> Result<&'b [u8], Error> {
        let payload = self.payload.ok_or(Error::Detached)?;
        self.check(crypto, key, external_aad, payload).map(|()| payload)
    }

    /// Checks the signature of a payload that was sent apart from the message.
    pub fn verify_detached<C: Crypto>(
        &self,
        crypto: &C,
        key: &PublicKey,
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
        key: &PublicKey,
        external_aad: &[u8],
        payload: &[u8],
    ) -> Result<(), Error> {
        self.headers.expect_algorithm(Algorithm::ES256)?;
        let digest = structure(&self.headers, external_aad, payload, |structure| structure.digest(crypto));
        verify(crypto, key, &digest, self.signature)
    }

    /// Makes a message at the beginning of `out`, signed with ES256, and returns it.
    ///
    /// # Errors
    /// [`Error::Header`] if the envelope contradicts itself, [`Error::Provider`] if the provider cannot sign,
    /// [`Error::NoRoom`].
    pub fn sign<'o, C: Crypto, R: CryptoRng + ?Sized>(
        crypto: &C,
        key: &C::SigningKey,
        rng: &mut R,
        envelope: &Envelope<'_>,
        payload: &[u8],
        out: &'o mut [u8],
    ) -> Result<&'o mut [u8], Error> {
        let mut encoder = Encoder::new(out);
        envelope.open(&mut encoder, SIGN1_TAG, PARTS, Algorithm::ES256);
        // Where there is no room, the end says how much it takes.
        let signature = match encoder.written() {
            Ok(head) => {
                let headers = reread(head, SIGN1_TAG, PARTS)?;
                let digest = structure(&headers, envelope.external_aad, payload, |it| it.digest(crypto));
                crypto.sign(key, &digest, rng).map_err(|_| Error::Provider)?
            }
            Err(_) => Signature::new([0; 64]),
        };
        envelope.content(&mut encoder, payload);
        encoder.bytes(signature.as_bytes());
        Ok(encoder.finish()?)
    }
}

/// Sig_structure (section 4.4).
fn structure<T>(
    headers: &Headers<'_>,
    external_aad: &[u8],
    payload: &[u8],
    then: impl FnOnce(Structure<'_>) -> T,
) -> T {
    let parts = &[headers.protected_bytes(), external_aad, payload];
    then(Structure { context: "Signature1", parts, other: None })
}

/// Checks an ES256 signature, `r | s` (RFC 9053 section 2.1).
pub(crate) fn verify<C: Crypto>(
    crypto: &C,
    key: &PublicKey,
    digest: &[u8; 32],
    signature: &[u8],
) -> Result<(), Error> {
    let signature = Signature::new(signature.try_into().map_err(|_| Error::NotAuthentic)?);
    crypto.verify(key, digest, &signature).map_err(|_| Error::NotAuthentic)
}
