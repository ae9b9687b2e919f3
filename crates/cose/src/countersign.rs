//! Countersignatures, version 2 ([RFC 9338](https://www.rfc-editor.org/rfc/rfc9338)): who else stands for a message.
//!
//! A message is made first, then [`add`] puts a countersignature among its unprotected parameters. Whoever reads the
//! message asks [`of`] for them and checks each against the [`Target`] that the message gives. Of COSE_Encrypt0 the
//! ciphertext is countersigned, so that is done before it is opened.
//!
//! ```
//! use sedge_cose::{Algorithm, Encrypt0, Envelope, Header, SymmetricKey, countersign};
//! use sedge_crypto::{Crypto, RustCrypto, Secret};
//! # struct Rng(u64);
//! # impl sedge_crypto::TryRng for Rng {
//! #     type Error = core::convert::Infallible;
//! #     fn try_next_u32(&mut self) -> Result<u32, Self::Error> { Ok(self.try_next_u64()? as u32) }
//! #     fn try_next_u64(&mut self) -> Result<u64, Self::Error> { self.0 += 1; Ok(self.0) }
//! #     fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> { to.fill(7); Ok(()) }
//! # }
//! # impl sedge_crypto::TryCryptoRng for Rng {}
//! # let mut rng = Rng(0);
//! let crypto = RustCrypto;
//! let group = Secret::new([7; 16]);
//! let group = SymmetricKey::new(Algorithm::AES_CCM_16_64_128, group.expose())?;
//! let publisher = crypto.signing_key(&Secret::new([9; 32])).unwrap();
//!
//! let mut buffer = [0; 160];
//! let len = Encrypt0::seal(&crypto, &group, &[1; 13], &Envelope::default(), b"21.5", &mut buffer)?.len();
//! let sender = Header { kid: Some(&[2]), ..Header::default() };
//! let message = countersign::add(&crypto, &publisher, &mut rng, &sender, b"", &mut buffer, len)?;
//!
//! let received = Encrypt0::parse(message)?;
//! let by = countersign::of(received.headers()).next().unwrap()?;
//! assert_eq!(by.headers().kid(), Some(&[2][..]));
//! by.verify(&crypto, &crypto.public_key(&publisher), &received.target().unwrap(), b"")?;
//! assert_eq!(received.open(&crypto, &group, &[1; 13], b"")?, b"21.5");
//! # Ok::<_, sedge_cose::Error>(())
//! ```

use sedge_crypto::{Crypto, CryptoRng, PublicKey};

use crate::algorithm::Algorithm;
use crate::cbor::{Decoder, Encoder, NoRoom, Type};
use crate::error::Error;
use crate::header::{COUNTERSIGNATURE, COUNTERSIGNATURE0, Header, Headers};
use crate::message::content;
use crate::sign1::verify;
use crate::structure::Structure;

/// The tag of a countersignature that stands alone.
const TAG: u64 = 19;

/// What a countersignature is about
/// ([RFC 9338 section 3.3](https://www.rfc-editor.org/rfc/rfc9338#section-3.3)).
#[derive(Clone, Copy, Debug)]
pub struct Target<'m> {
    protected: &'m [u8],
    payload: &'m [u8],
    /// The tag or the signature, where a message has one beside its payload.
    other: Option<&'m [u8]>,
}

impl<'m> Target<'m> {
    pub(crate) const fn new(protected: &'m [u8], payload: &'m [u8], other: Option<&'m [u8]>) -> Self {
        Self { protected, payload, other }
    }

    /// The digest of Countersign_structure. The abbreviated form has no protected header of its own.
    fn digest<C: Crypto>(&self, crypto: &C, signer: Option<&[u8]>, external_aad: &[u8]) -> [u8; 32] {
        let Self { protected, payload, other } = *self;
        let (full, abbreviated);
        let (context, parts): (_, &[&[u8]]) = match signer {
            Some(signer) => {
                full = [protected, signer, external_aad, payload];
                (if other.is_some() { "CounterSignatureV2" } else { "CounterSignature" }, &full)
            }
            None => {
                abbreviated = [protected, external_aad, payload];
                (if other.is_some() { "CounterSignature0V2" } else { "CounterSignature0" }, &abbreviated)
            }
        };
        Structure { context, parts, other }.digest(crypto)
    }
}

/// A countersignature with header parameters of its own
/// ([RFC 9338 section 3.1](https://www.rfc-editor.org/rfc/rfc9338#section-3.1)).
#[derive(Clone, Copy, Debug)]
pub struct Countersignature<'b> {
    headers: Headers<'b>,
    signature: &'b [u8],
}

impl<'b> Countersignature<'b> {
    /// Reads exactly one that stands alone, with or without its tag.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        decoder.skip_tag(TAG);
        let countersignature = Self::read(&mut decoder)?;
        decoder.end()?;
        Ok(countersignature)
    }

    fn read(decoder: &mut Decoder<'b>) -> Result<Self, Error> {
        if decoder.array()? != 3 {
            return Err(Error::Structure);
        }
        Ok(Self { headers: Headers::read(decoder)?, signature: decoder.bytes()? })
    }

    /// Its header parameters: who signed.
    pub const fn headers(&self) -> &Headers<'b> {
        &self.headers
    }

    /// Checks the countersignature of this message.
    ///
    /// # Errors
    /// [`Error::Algorithm`] if it is not of ES256, [`Error::NotAuthentic`] if the message is another, anything has been
    /// changed or somebody else has signed.
    pub fn verify<C: Crypto>(
        &self,
        crypto: &C,
        key: &PublicKey,
        target: &Target<'_>,
        external_aad: &[u8],
    ) -> Result<(), Error> {
        self.headers.expect_algorithm(Algorithm::ES256)?;
        let digest = target.digest(crypto, Some(self.headers.protected_bytes()), external_aad);
        verify(crypto, key, &digest, self.signature)
    }
}

/// The countersignatures of a message.
pub fn of<'b>(headers: &Headers<'b>) -> impl Iterator<Item = Result<Countersignature<'b>, Error>> {
    let mut decoder = items(headers);
    core::iter::from_fn(move || {
        if decoder.is_empty() {
            return None;
        }
        let next = Countersignature::read(&mut decoder);
        if next.is_err() {
            // What follows a malformed one cannot be told.
            decoder = Decoder::new(&[]);
        }
        Some(next)
    })
}

/// The countersignature of a message that has one at most.
///
/// # Errors
/// It is malformed, or there are several.
#[cfg_attr(target_os = "none", inline(never))]
pub fn single<'b>(headers: &Headers<'b>) -> Result<Option<Countersignature<'b>>, Error> {
    let mut decoder = items(headers);
    if decoder.is_empty() {
        return Ok(None);
    }
    let countersignature = Countersignature::read(&mut decoder)?;
    decoder.end()?;
    Ok(Some(countersignature))
}

/// The countersignatures, one behind the other.
fn items<'b>(headers: &Headers<'b>) -> Decoder<'b> {
    let decoder = Decoder::new(headers.countersignature_item().unwrap_or_default());
    // One, or an array of them.
    let mut ahead = decoder;
    match (ahead.array(), ahead.peek()) {
        (Ok(1..), Ok(Type::Array)) => ahead,
        _ => decoder,
    }
}

/// Checks the abbreviated countersignature of a message, by ES256
/// ([RFC 9338 section 3.2](https://www.rfc-editor.org/rfc/rfc9338#section-3.2)). Who signed, and how, both sides know.
///
/// # Errors
/// [`Error::NotAuthentic`] if there is none, or it is not right.
pub fn verify0<C: Crypto>(
    crypto: &C,
    key: &PublicKey,
    headers: &Headers<'_>,
    target: &Target<'_>,
    external_aad: &[u8],
) -> Result<(), Error> {
    let signature = headers.countersignature0_bytes().ok_or(Error::NotAuthentic)?;
    verify(crypto, key, &target.digest(crypto, None, external_aad), signature)
}

/// Adds a countersignature with ES256 to the message in the first `len` bytes of `buffer`, and returns the longer message.
///
/// `signer` is the unprotected header of the countersignature; the protected one names the algorithm.
///
/// # Errors
/// [`Error::Header`] if the message has a countersignature already, or so many parameters that its map would get a
/// longer head, [`Error::Detached`] if the content is elsewhere, [`Error::NoRoom`], [`Error::Provider`] if the provider
/// cannot sign, and those of a message that is none.
pub fn add<'o, C: Crypto, R: CryptoRng + ?Sized>(
    crypto: &C,
    key: &C::SigningKey,
    rng: &mut R,
    signer: &Header<'_>,
    external_aad: &[u8],
    buffer: &'o mut [u8],
    len: usize,
) -> Result<&'o mut [u8], Error> {
    let write = |out: &mut [u8], signature: &[u8; 64]| {
        let mut encoder = Encoder::new(out);
        encoder.int(COUNTERSIGNATURE).array(3);
        Header::default().encode_protected(Algorithm::ES256, &mut encoder);
        signer.encode(&mut encoder);
        encoder.bytes(signature);
        encoder.len()
    };
    let signer_protected = &[0xa1, 0x01, 0x26];
    let digest = Place::of(buffer.get(..len).ok_or(Error::Structure)?)?.target.digest(
        crypto,
        Some(signer_protected),
        external_aad,
    );
    let signature = crypto.sign(key, &digest, rng).map_err(|_| Error::Provider)?;
    insert(buffer, len, |out| write(out, signature.as_bytes()))
}

/// Adds an abbreviated countersignature with ES256, as [`add`] adds one with a header.
pub fn add0<'o, C: Crypto, R: CryptoRng + ?Sized>(
    crypto: &C,
    key: &C::SigningKey,
    rng: &mut R,
    external_aad: &[u8],
    buffer: &'o mut [u8],
    len: usize,
) -> Result<&'o mut [u8], Error> {
    let digest =
        Place::of(buffer.get(..len).ok_or(Error::Structure)?)?.target.digest(crypto, None, external_aad);
    let signature = crypto.sign(key, &digest, rng).map_err(|_| Error::Provider)?;
    insert(buffer, len, |out| {
        let mut encoder = Encoder::new(out);
        encoder.int(COUNTERSIGNATURE0).bytes(signature.as_bytes());
        encoder.len()
    })
}

/// Where a countersignature belongs in a message.
struct Place<'m> {
    target: Target<'m>,
    /// Of the unprotected map's head.
    map: usize,
    /// Behind its last entry.
    end: usize,
}

impl<'m> Place<'m> {
    fn of(message: &'m [u8]) -> Result<Self, Error> {
        let at = |decoder: &Decoder<'_>| message.len() - decoder.remaining().len();
        let mut decoder = Decoder::new(message);
        let _ = decoder.tag();
        let count = decoder.array()?;
        let mut ahead = decoder;
        ahead.bytes()?;
        let map = at(&ahead);
        let headers = Headers::read(&mut decoder)?;
        let end = at(&decoder);
        if headers.countersignature_item().is_some() || headers.countersignature0_bytes().is_some() {
            return Err(Error::Header);
        }
        let payload = content(&mut decoder)?.ok_or(Error::Detached)?;
        let other = match count {
            3 => None,
            4 => Some(decoder.bytes()?),
            _ => return Err(Error::Structure),
        };
        decoder.end()?;
        Ok(Self { target: Target::new(headers.protected_bytes(), payload, other), map, end })
    }
}

/// Makes room at the end of the unprotected map for the entry that `write` writes.
fn insert(buffer: &mut [u8], len: usize, write: impl Fn(&mut [u8]) -> usize) -> Result<&mut [u8], Error> {
    let Place { map, end, .. } = Place::of(buffer.get(..len).ok_or(Error::Structure)?)?;
    let added = write(&mut []);
    let needed = len + added;
    let message = buffer.get_mut(..needed).ok_or(NoRoom { needed })?;
    message.copy_within(end..len, end + added);
    write(message.get_mut(end..end + added).unwrap_or_default());
    match message.get_mut(map) {
        // A map of up to 22 entries counts them in its first byte.
        Some(head @ 0xa0..0xb7) => *head += 1,
        _ => return Err(Error::Header),
    }
    Ok(message)
}
