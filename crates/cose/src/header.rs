//! Header parameters (RFC 9052 section 3).

use core::fmt;

use crate::algorithm::Algorithm;
use crate::cbor::{self, Decoder, Encoder, Label};
use crate::error::Error;

pub(crate) const ALG: i64 = 1;
const CRIT: i64 = 2;
const CONTENT_TYPE: i64 = 3;
pub(crate) const KID: i64 = 4;
const IV: i64 = 5;
const PARTIAL_IV: i64 = 6;
pub(crate) const COUNTERSIGNATURE: i64 = 11;
pub(crate) const COUNTERSIGNATURE0: i64 = 12;

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
    algorithm: Option<Algorithm>,
    content_type: Option<Label<'b>>,
    kid: Option<&'b [u8]>,
    iv: Option<&'b [u8]>,
    partial_iv: Option<&'b [u8]>,
    critical: Option<&'b [u8]>,
    countersignature: Option<&'b [u8]>,
    countersignature0: Option<&'b [u8]>,
}

impl<'b> Headers<'b> {
    /// Reads the protected bucket, a byte string, and the unprotected one, a map.
    pub(crate) fn read(decoder: &mut Decoder<'b>) -> Result<Self, Error> {
        let protected = decoder.bytes()?;
        // Section 3: an empty map may be encoded or left out; what is authenticated leaves it out.
        let protected = if protected == [0xa0] { &[] } else { protected };
        let start = decoder.remaining();
        let mut headers = Self {
            protected,
            unprotected: &[],
            algorithm: None,
            content_type: None,
            kid: None,
            iv: None,
            partial_iv: None,
            critical: None,
            countersignature: None,
            countersignature0: None,
        };
        let (mut in_protected, mut in_unprotected) = (Labels::default(), Labels::default());
        if !protected.is_empty() {
            let mut decoder = Decoder::new(protected);
            headers.read_bucket(&mut decoder, &mut in_protected)?;
            decoder.end()?;
        }
        let critical = headers.critical.take();
        headers.read_bucket(decoder, &mut in_unprotected)?;
        headers.unprotected = start.get(..start.len() - decoder.remaining().len()).unwrap_or_default();

        // Both are about trust, so they have one place each.
        if headers.critical.is_some()
            || in_protected.has(COUNTERSIGNATURE)
            || in_protected.has(COUNTERSIGNATURE0)
        {
            return Err(Error::Header);
        }
        let twice = in_protected.known & in_unprotected.known != 0
            || (in_protected.others && in_unprotected.others && headers.share_a_label()?);
        // Section 3.1: a message has one of the two.
        if twice || (headers.iv.is_some() && headers.partial_iv.is_some()) {
            return Err(Error::Header);
        }
        if let Some(critical) = critical {
            check_critical(critical, in_protected)?;
        }
        Ok(headers)
    }

    fn read_bucket(&mut self, decoder: &mut Decoder<'b>, labels: &mut Labels) -> Result<(), Error> {
        decoder.map(|label, value| {
            labels.add(label);
            let Label::Int(number) = label else { return Ok(()) };
            match number {
                ALG => self.algorithm = Some(Algorithm(typed(value.int())?)),
                CRIT => self.critical = Some(value.item()?),
                CONTENT_TYPE => self.content_type = Some(content_type(value)?),
                KID => self.kid = Some(typed(value.bytes())?),
                IV => self.iv = Some(typed(value.bytes())?),
                PARTIAL_IV => self.partial_iv = Some(typed(value.bytes())?),
                COUNTERSIGNATURE => self.countersignature = Some(value.item()?),
                COUNTERSIGNATURE0 => self.countersignature0 = Some(typed(value.bytes())?),
                _ => {}
            }
            Ok(())
        })
    }

    /// Whether a label that has no bit of its own is in both buckets.
    fn share_a_label(&self) -> Result<bool, Error> {
        let mut shared = false;
        Decoder::new(self.protected).map(|label, _| {
            shared |= find(self.unprotected, label).is_some();
            Ok::<_, cbor::Error>(())
        })?;
        Ok(shared)
    }

    /// `alg`: what the message is protected with.
    pub const fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// `content type`: a CoAP Content-Format, or the name of a media type.
    pub const fn content_type(&self) -> Option<Label<'b>> {
        self.content_type
    }

    /// `kid`: which key it is.
    pub const fn kid(&self) -> Option<&'b [u8]> {
        self.kid
    }

    /// `IV`: the whole nonce.
    pub const fn iv(&self) -> Option<&'b [u8]> {
        self.iv
    }

    /// `Partial IV`: what differs from one message under a key to the next.
    pub const fn partial_iv(&self) -> Option<&'b [u8]> {
        self.partial_iv
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
        let whole = match (self.iv, self.partial_iv, base_iv) {
            (Some(iv), _, _) => Nonce::new(iv),
            (None, Some(partial_iv), Some(base_iv)) => Nonce::combine(base_iv, partial_iv),
            _ => None,
        };
        whole.filter(|nonce| nonce.as_bytes().len() == len).ok_or(Error::Nonce)
    }

    pub(crate) const fn countersignature_item(&self) -> Option<&'b [u8]> {
        self.countersignature
    }

    pub(crate) const fn countersignature0_bytes(&self) -> Option<&'b [u8]> {
        self.countersignature0
    }

    /// Makes sure that the message says that it is of the key's algorithm.
    pub(crate) fn expect_algorithm(&self, algorithm: Algorithm) -> Result<(), Error> {
        if self.algorithm == Some(algorithm) { Ok(()) } else { Err(Error::Algorithm) }
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
    /// Other labels, with their encoded values. They should be greater than 6 and in ascending order.
    pub others: &'a [(Label<'a>, &'a [u8])],
}

impl Header<'_> {
    /// Writes the map.
    pub(crate) fn encode(&self, encoder: &mut Encoder<'_>) {
        let strings = [(KID, self.kid), (IV, self.iv), (PARTIAL_IV, self.partial_iv)];
        encoder.map(self.count());
        if let Some(Algorithm(number)) = self.algorithm {
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

    /// Writes the map in a byte string, or an empty byte string for an empty map.
    pub(crate) fn encode_protected(&self, encoder: &mut Encoder<'_>) {
        if self.count() == 0 {
            encoder.bytes(&[]);
        } else {
            encoder.bytes_of(|encoder| self.encode(encoder));
        }
    }

    fn count(&self) -> usize {
        let strings = [self.kid, self.iv, self.partial_iv];
        usize::from(self.algorithm.is_some())
            + usize::from(self.content_type.is_some())
            + strings.iter().flatten().count()
            + self.others.len()
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
    fn add(&mut self, label: Label<'_>) {
        match label {
            Label::Int(number @ 0..32) => self.known |= 1 << number,
            _ => self.others = true,
        }
    }

    const fn has(self, number: i64) -> bool {
        self.known >> number & 1 == 1
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
        match decoder.label().map_err(|_| Error::Header)? {
            Label::Int(number @ (ALG | CONTENT_TYPE..=PARTIAL_IV)) if labels.has(number) => {}
            _ => return Err(Error::Critical),
        }
    }
    Ok(())
}

fn content_type<'b>(value: &mut Decoder<'b>) -> Result<Label<'b>, Error> {
    match typed(value.label())? {
        Label::Int(..0) => Err(Error::Header),
        label => Ok(label),
    }
}

/// A value of the wrong type is a fault of the header.
fn typed<T>(read: Result<T, cbor::Error>) -> Result<T, Error> {
    read.map_err(|_| Error::Header)
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
