//! Header parameters (RFC 9052 section 3).

use core::fmt;

use crate::algorithm::Algorithm;
use crate::cbor::{self, BYTES, Decoder, Encoder, Entry, Label, TEXT};
use crate::error::Error;

pub(crate) const ALG: i64 = 1;
const CRIT: i64 = 2;
const CONTENT_TYPE: i64 = 3;
pub(crate) const KID: i64 = 4;
const IV: i64 = 5;
const PARTIAL_IV: i64 = 6;
const KID_CONTEXT: i64 = 10;
pub(crate) const COUNTERSIGNATURE: i64 = 11;
pub(crate) const COUNTERSIGNATURE0: i64 = 12;
/// How many common parameters there are.
const COMMON: usize = 9;

/// Which of the common parameters this is.
const fn common(label: i64) -> Option<usize> {
    match label {
        ALG..=PARTIAL_IV => Some((label - ALG) as usize),
        KID_CONTEXT..=COUNTERSIGNATURE0 => Some((label - KID_CONTEXT) as usize + 6),
        _ => None,
    }
}

/// The header parameters of a message, as they were read: both buckets
/// ([RFC 9052 section 3](https://www.rfc-editor.org/rfc/rfc9052#section-3)).
///
/// A label is in one bucket only, so one look finds it. What is in the unprotected one anybody may have written.
#[derive(Clone, Copy)]
pub struct Headers<'b> {
    /// As it goes into what is authenticated: empty if it holds nothing.
    protected: &'b [u8],
    /// The encoded map.
    unprotected: &'b [u8],
    /// The encoded values of the common parameters; empty for those that are in neither bucket.
    common: [&'b [u8]; COMMON],
    /// Labels of the protected bucket.
    in_protected: Labels,
}

impl<'b> Headers<'b> {
    /// Reads the protected bucket, a byte string, and the unprotected one, a map.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn read(decoder: &mut Decoder<'b>) -> Result<Self, Error> {
        let protected = decoder.bytes()?;
        // Section 3: an empty map may be encoded or left out; what is authenticated leaves it out.
        let protected = if protected == [0xa0] { &[] } else { protected };
        let start = *decoder;
        let in_protected = Labels::default();
        let mut headers = Self { protected, unprotected: &[], common: [&[]; COMMON], in_protected };
        if !protected.is_empty() {
            let mut decoder = Decoder::new(protected);
            headers.in_protected = headers.read_bucket(&mut decoder)?;
            decoder.end()?;
        }
        let in_unprotected = headers.read_bucket(decoder)?;
        headers.unprotected = start.until(decoder);

        let in_protected = headers.in_protected;
        // Both are about trust, so they have one place each.
        let displaced = in_unprotected.has(CRIT)
            || in_protected.has(COUNTERSIGNATURE)
            || in_protected.has(COUNTERSIGNATURE0);
        let twice = in_protected.known & in_unprotected.known != 0
            || (in_protected.others && in_unprotected.others && headers.share_a_label()?);
        // Section 3.1: a message has one of the two.
        let two_nonces = headers.value(IV).is_some() && headers.value(PARTIAL_IV).is_some();
        if displaced || twice || two_nonces {
            return Err(Error::Header);
        }
        if let Some(critical) = headers.value(CRIT) {
            check_critical(critical, in_protected)?;
        }
        Ok(headers)
    }

    /// Reads a map, keeps the values of common parameters, and returns which labels there are.
    #[cfg_attr(target_os = "none", inline(never))]
    fn read_bucket(&mut self, decoder: &mut Decoder<'b>) -> Result<Labels, Error> {
        let mut labels = Labels::default();
        let mut entries = decoder.entries()?;
        while let Some(Entry { key, value }) = entries.next()? {
            let number = Decoder::new(key).number()?;
            labels.add(number);
            let Some(number) = number else { continue };
            if let Some(place) = common(number).and_then(|number| self.common.get_mut(number)) {
                if !has_its_type(number, value) {
                    return Err(Error::Header);
                }
                *place = value;
            }
        }
        *decoder = entries.rest;
        Ok(labels)
    }

    /// Whether a label that has no bit of its own is in both buckets.
    fn share_a_label(&self) -> Result<bool, Error> {
        let mut unprotected = Decoder::new(self.unprotected);
        let count = unprotected.map_head()?;
        let mut entries = Decoder::new(self.protected).entries()?;
        while let Some(entry) = entries.next()? {
            if unprotected.has_key(entry.key, count)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The encoded value of a common parameter.
    fn value(&self, label: i64) -> Option<&'b [u8]> {
        let value = common(label).and_then(|number| self.common.get(number));
        value.copied().filter(|value| !value.is_empty())
    }

    /// The value of a common parameter that is a byte string.
    fn bytes(&self, label: i64) -> Option<&'b [u8]> {
        self.value(label).and_then(|value| Decoder::new(value).bytes().ok())
    }

    /// `alg`: what the message is protected with.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.value(ALG).and_then(|value| Decoder::new(value).int().ok()).map(Algorithm)
    }

    /// `content type`: a CoAP Content-Format, or the name of a media type.
    pub fn content_type(&self) -> Option<Label<'b>> {
        self.value(CONTENT_TYPE).and_then(|value| Decoder::new(value).label().ok())
    }

    /// `content type`, if it is a CoAP Content-Format and protected.
    pub fn protected_content_format(&self) -> Option<u64> {
        let value = self.value(CONTENT_TYPE).filter(|_| self.in_protected.has(CONTENT_TYPE));
        value.and_then(|value| Decoder::new(value).unsigned().ok())
    }

    /// `kid`: which key it is.
    pub fn kid(&self) -> Option<&'b [u8]> {
        self.bytes(KID)
    }

    /// `kid context`: which of those with this `kid` it is
    /// ([RFC 8613 section 5.1](https://www.rfc-editor.org/rfc/rfc8613#section-5.1)).
    pub fn kid_context(&self) -> Option<&'b [u8]> {
        self.bytes(KID_CONTEXT)
    }

    /// `IV`: the whole nonce.
    pub fn iv(&self) -> Option<&'b [u8]> {
        self.bytes(IV)
    }

    /// `Partial IV`: what differs from one message under a key to the next.
    pub fn partial_iv(&self) -> Option<&'b [u8]> {
        self.bytes(PARTIAL_IV)
    }

    /// The encoded value of the protected parameter with this label.
    pub fn protected(&self, label: Label<'_>) -> Option<Decoder<'b>> {
        find(self.protected, label)
    }

    /// The encoded value of the unprotected parameter with this label.
    pub fn unprotected(&self, label: Label<'_>) -> Option<Decoder<'b>> {
        find(self.unprotected, label)
    }

    /// Whether nothing stands in the unprotected bucket but these labels, in this order.
    ///
    /// Nobody can give a message another form then, if each of them plays a part in opening it.
    pub fn has_unprotected_only(&self, labels: &[i64]) -> bool {
        let mut left = labels.iter();
        let found = Decoder::new(self.unprotected).map(|label, _| {
            let known = left.any(|known| label == Label::Int(*known));
            if known { Ok(()) } else { Err(cbor::Error::Type) }
        });
        found.is_ok()
    }

    /// The protected bucket as it goes into what is authenticated.
    pub const fn protected_bytes(&self) -> &'b [u8] {
        self.protected
    }

    /// The nonce: the `IV`, or the `Partial IV` combined with the Base IV of the key
    /// ([RFC 9052 section 3.1](https://www.rfc-editor.org/rfc/rfc9052#section-3.1)).
    ///
    /// # Errors
    /// [`Error::Nonce`] if there is neither, or a length is not right for the algorithm.
    pub fn nonce(&self, algorithm: Algorithm, base_iv: Option<&[u8]>) -> Result<Nonce, Error> {
        let len = algorithm.nonce_len().ok_or(Error::Nonce)?;
        let whole = match (self.iv(), self.partial_iv(), base_iv) {
            (Some(iv), _, _) => Nonce::new(iv),
            (None, Some(partial_iv), Some(base_iv)) => Nonce::combine(base_iv, partial_iv),
            _ => None,
        };
        whole.filter(|nonce| nonce.as_bytes().len() == len).ok_or(Error::Nonce)
    }

    pub(crate) fn countersignature_item(&self) -> Option<&'b [u8]> {
        self.value(COUNTERSIGNATURE)
    }

    pub(crate) fn countersignature0_bytes(&self) -> Option<&'b [u8]> {
        self.bytes(COUNTERSIGNATURE0)
    }

    /// Makes sure that the message says that it is of the key's algorithm.
    pub(crate) fn expect_algorithm(&self, algorithm: Algorithm) -> Result<(), Error> {
        if self.algorithm() == Some(algorithm) { Ok(()) } else { Err(Error::Algorithm) }
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [protected, unprotected] = [self.protected, self.unprotected].map(cbor::Diagnostic::new);
        write!(f, "Headers(<<{protected}>>, {unprotected})")
    }
}

/// A nonce of at most 13 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce {
    bytes: [u8; 13],
    len: u8,
}

impl Nonce {
    /// The nonce of these bytes, if they are 13 at most.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        Self::combine(bytes, &[])
    }

    /// The Base IV, whose last bytes are combined with the Partial IV by exclusive or.
    pub fn combine(base_iv: &[u8], partial_iv: &[u8]) -> Option<Self> {
        let mut bytes = [0; 13];
        let place = bytes.get_mut(..base_iv.len())?;
        place.copy_from_slice(base_iv);
        let start = base_iv.len().checked_sub(partial_iv.len())?;
        place.get_mut(start..)?.iter_mut().zip(partial_iv).for_each(|(byte, with)| *byte ^= with);
        Some(Self { bytes, len: base_iv.len() as u8 })
    }

    /// The nonce's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes)
    }
}

/// Header parameters to be written: one bucket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Header<'a> {
    /// `alg`. The protected bucket of a message gets the key's, whatever stands here.
    pub algorithm: Option<Algorithm>,
    /// `content type`: a CoAP Content-Format of zero or more, or the name of a media type.
    pub content_type: Option<Label<'a>>,
    /// `kid`.
    pub kid: Option<&'a [u8]>,
    /// `IV`.
    pub iv: Option<&'a [u8]>,
    /// `Partial IV`.
    pub partial_iv: Option<&'a [u8]>,
    /// `kid context` ([RFC 8613 section 5.1](https://www.rfc-editor.org/rfc/rfc8613#section-5.1)).
    pub kid_context: Option<&'a [u8]>,
    /// Other labels, with their encoded values. They should be greater than 10 and in ascending order.
    pub others: &'a [(Label<'a>, &'a [u8])],
}

impl Header<'_> {
    /// Writes the map.
    pub(crate) fn encode(&self, encoder: &mut Encoder<'_>) {
        self.encode_with(self.algorithm, encoder);
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn encode_with(&self, algorithm: Option<Algorithm>, encoder: &mut Encoder<'_>) {
        let strings =
            [(KID, self.kid), (IV, self.iv), (PARTIAL_IV, self.partial_iv), (KID_CONTEXT, self.kid_context)];
        encoder.map(
            usize::from(algorithm.is_some())
                + usize::from(self.content_type.is_some())
                + strings.iter().filter(|(_, value)| value.is_some()).count()
                + self.others.len(),
        );
        if let Some(Algorithm(number)) = algorithm {
            encoder.int(ALG).int(number);
        }
        if let Some(content_type) = self.content_type {
            encoder.int(CONTENT_TYPE).label(content_type);
        }
        for (label, value) in strings {
            if let Some(value) = value {
                encoder.int(label).bytes(value);
            }
        }
        for (label, value) in self.others {
            encoder.label(*label).raw(value);
        }
    }

    /// Writes the map, with this algorithm, in a byte string.
    pub(crate) fn encode_protected(&self, algorithm: Algorithm, encoder: &mut Encoder<'_>) {
        encoder.bytes_of(|encoder| self.encode_with(Some(algorithm), encoder));
    }
}

/// Which labels a bucket has.
#[derive(Clone, Copy, Default)]
struct Labels {
    /// A bit for each number from 0 to 31.
    known: u32,
    /// Whether there are others.
    others: bool,
}

impl Labels {
    fn add(&mut self, number: Option<i64>) {
        match number {
            Some(number @ 0..32) => self.known |= 1 << number,
            _ => self.others = true,
        }
    }

    const fn has(self, number: i64) -> bool {
        self.known >> number & 1 == 1
    }
}

/// Whether the value of a common parameter, which has been checked, is of the type that belongs there.
fn has_its_type(label: i64, value: &[u8]) -> bool {
    let major = value.first().map(|first| first >> 5);
    match label {
        ALG => Decoder::new(value).int().is_ok(),
        CONTENT_TYPE => major == Some(TEXT) || Decoder::new(value).int().is_ok_and(|format| format >= 0),
        KID | IV | PARTIAL_IV | KID_CONTEXT | COUNTERSIGNATURE0 => major == Some(BYTES),
        _ => true,
    }
}

/// `crit` lists labels of the protected bucket (section 3.1). Those that are understood are the common ones.
fn check_critical(list: &[u8], labels: Labels) -> Result<(), Error> {
    let mut decoder = Decoder::new(list);
    let count = decoder.array().map_err(|_| Error::Header)?;
    if count == 0 {
        return Err(Error::Header);
    }
    for _ in 0..count {
        match decoder.number().map_err(|_| Error::Header)? {
            Some(number @ (ALG | CONTENT_TYPE..=PARTIAL_IV)) if labels.has(number) => {}
            _ => return Err(Error::Critical),
        }
    }
    Ok(())
}

/// The value that a map, which has been checked, has for a label.
fn find<'b>(map: &'b [u8], wanted: Label<'_>) -> Option<Decoder<'b>> {
    let mut found = None;
    // An empty bucket is no map at all.
    let _ = Decoder::new(map).map(|label, value| {
        if label == wanted {
            found = Some(*value);
        }
        Ok::<_, cbor::Error>(())
    });
    found
}
