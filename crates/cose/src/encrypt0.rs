//! COSE_Encrypt0: encrypted, for one who has the key (RFC 9052 section 5).

use core::fmt;

use sedge_crypto::{Aead, Crypto};

use crate::algorithm::SymmetricKey;
use crate::cbor::{Decoder, Encoder};
use crate::countersign::Target;
use crate::error::Error;
use crate::header::Headers;
use crate::message::{ENCRYPT0_TAG, Envelope, content, enter, reread};

const PARTS: usize = 3;

/// Most bytes that a cipher's additional data may take: the protected header, the external data, and 14 bytes around
/// them. They are put together on the stack.
pub const MAX_AAD: usize = 256;

/// An encrypted message ([RFC 9052 section 5.2](https://www.rfc-editor.org/rfc/rfc9052#section-5.2)).
pub struct Encrypt0<'b> {
    headers: Headers<'b>,
    ciphertext: Option<&'b mut [u8]>,
}

impl<'b> Encrypt0<'b> {
    /// Reads exactly one message, with or without its tag.
    pub fn parse(message: &'b mut [u8]) -> Result<Self, Error> {
        // The ciphertext stands last: what is before it can be lent while it is decrypted. Where that is comes first, and
        // everything is checked once it is known.
        let mut decoder = Decoder::new(message);
        enter(&mut decoder, ENCRYPT0_TAG, PARTS)?;
        let headers = message.len() - decoder.remaining().len();
        decoder.bytes()?;
        decoder.hop()?;
        let ciphertext = content(&mut decoder)?.map(<[u8]>::len);
        decoder.end()?;

        let start = message.len().saturating_sub(ciphertext.unwrap_or(0));
        let (head, rest) = message.split_at_mut_checked(start).ok_or(Error::Structure)?;
        let mut decoder = Decoder::new(head.get(headers..).unwrap_or_default());
        Ok(Self { headers: Headers::read(&mut decoder)?, ciphertext: ciphertext.map(|_| rest) })
    }

    /// The header parameters. Before it is [open](Self::open) nothing of them is known to be true.
    pub const fn headers(&self) -> &Headers<'b> {
        &self.headers
    }

    /// The ciphertext and its tag, if they are in the message.
    pub fn ciphertext(&self) -> Option<&[u8]> {
        self.ciphertext.as_deref()
    }

    /// What countersignatures of the message are about, if the ciphertext is in it.
    pub fn target(&self) -> Option<Target<'_>> {
        self.ciphertext().map(|ciphertext| Target::new(self.headers.protected_bytes(), ciphertext, None))
    }

    /// Decrypts the message where it stands and returns the plaintext.
    ///
    /// [`Headers::nonce`] finds the nonce of a message that carries it.
    ///
    /// # Errors
    /// [`Error::Algorithm`] if the message is not of the key's algorithm, [`Error::Detached`] if the ciphertext is
    /// elsewhere, [`Error::NotAuthentic`] if anything has been changed or the key is another. Of what did not open
    /// nothing is left.
    pub fn open<C: Crypto>(
        self,
        crypto: &C,
        key: &SymmetricKey<'_>,
        nonce: &[u8],
        external_aad: &[u8],
    ) -> Result<&'b mut [u8], Error> {
        let ciphertext = self.ciphertext.ok_or(Error::Detached)?;
        open(crypto, &self.headers, key, nonce, external_aad, ciphertext)
    }

    /// Decrypts `ciphertext`, which is the message's own, where the message stands, and returns how long the plaintext is.
    ///
    /// For whoever has to find out the nonce: what did not open has been erased, so the next try brings it along again.
    ///
    /// # Errors
    /// As those of [`open`](Self::open).
    pub fn try_open<C: Crypto>(
        &mut self,
        crypto: &C,
        key: &SymmetricKey<'_>,
        nonce: &[u8],
        external_aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<usize, Error> {
        let place = self.ciphertext.as_deref_mut().ok_or(Error::Detached)?;
        if place.len() != ciphertext.len() {
            return Err(Error::NotAuthentic);
        }
        place.copy_from_slice(ciphertext);
        open(crypto, &self.headers, key, nonce, external_aad, place).map(|text| text.len())
    }

    /// Decrypts the ciphertext of a message that was sent apart from it.
    pub fn open_detached<'c, C: Crypto>(
        self,
        crypto: &C,
        key: &SymmetricKey<'_>,
        nonce: &[u8],
        external_aad: &[u8],
        ciphertext: &'c mut [u8],
    ) -> Result<&'c mut [u8], Error> {
        match self.ciphertext {
            Some(_) => Err(Error::Detached),
            None => open(crypto, &self.headers, key, nonce, external_aad, ciphertext),
        }
    }

    /// Makes a message at the beginning of `out` and returns it.
    ///
    /// The nonce must never have been used with the key before.
    ///
    /// # Errors
    /// [`Error::Key`] if the key is not for an authenticated cipher, [`Error::Nonce`] if the nonce has not the
    /// algorithm's length, [`Error::Header`] if the envelope contradicts itself, [`Error::NoRoom`], and
    /// [`Error::Detached`] because a ciphertext apart from its message is read here, but not made.
    pub fn seal<'o, C: Crypto>(
        crypto: &C,
        key: &SymmetricKey<'_>,
        nonce: &[u8],
        envelope: &Envelope<'_>,
        plaintext: &[u8],
        out: &'o mut [u8],
    ) -> Result<&'o mut [u8], Error> {
        let aead = cipher(key, nonce)?;
        if envelope.detached {
            return Err(Error::Detached);
        }
        let mut encoder = Encoder::new(out);
        envelope.open(&mut encoder, ENCRYPT0_TAG, PARTS, key.algorithm());
        encoder.bytes_head(plaintext.len() + aead.tag_len());
        let start = encoder.len();
        encoder.raw(plaintext).raw([0; 16].get(..aead.tag_len()).unwrap_or_default());
        let message = encoder.finish()?;

        let (head, body) = message.split_at_mut_checked(start).ok_or(Error::Structure)?;
        let (text, tag) = body.split_at_mut_checked(plaintext.len()).ok_or(Error::Structure)?;
        let protected = reread(head, ENCRYPT0_TAG, PARTS)?.protected_bytes();
        let mut aad = [0; MAX_AAD];
        let aad = structure(protected, envelope.external_aad, &mut aad)?;
        let computed = crypto.seal(aead, key.expose(), nonce, aad, text).map_err(|_| Error::Provider)?;
        tag.copy_from_slice(computed.as_bytes());
        Ok(message)
    }
}

fn open<'c, C: Crypto>(
    crypto: &C,
    headers: &Headers<'_>,
    key: &SymmetricKey<'_>,
    nonce: &[u8],
    external_aad: &[u8],
    ciphertext: &'c mut [u8],
) -> Result<&'c mut [u8], Error> {
    headers.expect_algorithm(key.algorithm())?;
    let aead = cipher(key, nonce)?;
    let mut aad = [0; MAX_AAD];
    let aad = structure(headers.protected_bytes(), external_aad, &mut aad)?;
    let len = ciphertext.len().checked_sub(aead.tag_len()).ok_or(Error::NotAuthentic)?;
    let (text, tag) = ciphertext.split_at_mut_checked(len).ok_or(Error::NotAuthentic)?;
    crypto.open(aead, key.expose(), nonce, aad, text, tag).map_err(|_| Error::NotAuthentic)?;
    Ok(text)
}

/// The cipher that the key is for, if the nonce has its length.
fn cipher(key: &SymmetricKey<'_>, nonce: &[u8]) -> Result<Aead, Error> {
    let (aead, nonce_len) = key.algorithm().cipher().ok_or(Error::Key)?;
    if nonce.len() == nonce_len { Ok(aead) } else { Err(Error::Nonce) }
}

/// Enc_structure (section 5.3).
fn structure<'a>(
    protected: &[u8],
    external_aad: &[u8],
    buffer: &'a mut [u8; MAX_AAD],
) -> Result<&'a [u8], Error> {
    let mut encoder = Encoder::new(buffer);
    encoder.array(3).text("Encrypt0").bytes(protected).bytes(external_aad);
    encoder.finish().map(|written| &*written).map_err(|_| Error::AadTooLong)
}

impl fmt::Debug for Encrypt0<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.ciphertext().map(<[u8]>::len);
        f.debug_struct("Encrypt0").field("headers", &self.headers).field("ciphertext_len", &len).finish()
    }
}
