//! A value of a topic: one publication, immutable and shared.

use alloc::boxed::Box;
use alloc::vec::Vec;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use sedge_coap::ContentFormat;

use crate::{UnixTime, cbor};

/// One publication. Shared as `Arc<Value>` by the topic, every subscriber's queue and the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The representation.
    pub payload: Box<[u8]>,
    /// The representation's format, if the publisher named one.
    pub content_format: Option<ContentFormat>,
    /// Its place among everything that happened to the topic's data; never used twice.
    pub sequence: u64,
    /// When it was published.
    pub published: UnixTime,
    /// For how many seconds after that it is fresh, if the publisher said so.
    pub max_age: Option<u32>,
    /// Names the representation.
    pub etag: ETag,
}

/// What a publisher sends, and what becomes a [`Value`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Publication<'p> {
    /// The representation.
    pub payload: &'p [u8],
    /// Its format.
    pub content_format: Option<ContentFormat>,
    /// For how many seconds it is fresh.
    pub max_age: Option<u32>,
}

impl Value {
    pub(crate) fn new(publication: Publication<'_>, sequence: u64, published: UnixTime) -> Self {
        let Publication { payload, content_format, max_age } = publication;
        let etag = ETag::of(payload, content_format);
        Self { payload: payload.into(), content_format, sequence, published, max_age, etag }
    }

    /// The sequence number that notifications of this value carry
    /// ([RFC 7641 §4.4](https://www.rfc-editor.org/rfc/rfc7641#section-4.4)): 24 bits that wrap.
    pub const fn observe(&self) -> u32 {
        (self.sequence & 0xff_ffff) as u32
    }

    /// For how many more seconds the value is fresh; `None` if the publisher did not say.
    pub fn max_age_at(&self, now: UnixTime) -> Option<u32> {
        let age = u32::try_from(now.seconds_since(self.published)).unwrap_or(u32::MAX);
        self.max_age.map(|max_age| max_age.saturating_sub(age))
    }
}

/// Names a representation ([RFC 7252 §5.10.6](https://www.rfc-editor.org/rfc/rfc7252#section-5.10.6)): a
/// fingerprint of the bytes and their format, so that the same representation has the same ETag whenever it
/// was published, before or after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ETag([u8; 8]);

impl ETag {
    /// The ETag of a representation.
    pub fn of(payload: &[u8], format: Option<ContentFormat>) -> Self {
        let format = format.map_or(u64::MAX, |format| u64::from(format.0));
        Self(fingerprint(format, payload).to_be_bytes())
    }

    /// The option's value.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A 64-bit hash by folded multiplication, eight bytes at a time. No defence against someone who looks for
/// collisions: the only ones to find are between a publisher's own values.
pub(crate) fn fingerprint(seed: u64, bytes: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product >> 64) as u64 ^ product as u64
    };
    let start = fold(seed ^ MULTIPLIER.rotate_left(32), MULTIPLIER);
    let hash = bytes.chunks(8).fold(start, |hash, chunk| {
        let mut word = [0; 8];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        fold(hash ^ u64::from_le_bytes(word), MULTIPLIER).wrapping_add(MULTIPLIER)
    });
    fold(hash ^ bytes.len() as u64, MULTIPLIER)
}

/// As the store keeps it: `[sequence, published, payload, content-format or null, max-age or null]`.
impl<C> Encode<C> for Value {
    fn encode<W: encode::Write>(
        &self,
        e: &mut Encoder<W>,
        cx: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(5)?.u64(self.sequence)?.u64(self.published.0)?.bytes(&self.payload)?;
        e.encode_with(self.content_format.map(|format| format.0), cx)?.encode_with(self.max_age, cx)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Value {
    fn decode(d: &mut Decoder<'b>, cx: &mut C) -> Result<Self, decode::Error> {
        if d.array()? != Some(5) {
            return Err(decode::Error::message("a stored value has five fields"));
        }
        let sequence = d.u64()?;
        let published = UnixTime(d.u64()?);
        let payload = d.bytes()?;
        let content_format = d.decode_with::<C, Option<u16>>(cx)?.map(ContentFormat);
        let max_age = d.decode_with(cx)?;
        Ok(Self::new(Publication { payload, content_format, max_age }, sequence, published))
    }
}

impl Value {
    /// The value as the store keeps it.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::to_bytes(self)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// It is something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, decode::Error> {
        minicbor::decode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(payload: &[u8], format: Option<u16>, max_age: Option<u32>) -> Value {
        let content_format = format.map(ContentFormat);
        Value::new(Publication { payload, content_format, max_age }, 0x1_2345_6789, UnixTime(1000))
    }

    #[test]
    fn equal_representations_have_equal_etags() {
        let etag = |payload, format| value(payload, format, None).etag;
        assert_eq!(etag(b"21.5", Some(0)), etag(b"21.5", Some(0)));
        for (payload, format) in
            [(&b"21.5"[..], None), (b"21.6", Some(0)), (b"21.5\0", Some(0)), (b"21.5", Some(1))]
        {
            assert_ne!(etag(payload, format), etag(b"21.5", Some(0)));
        }
    }

    #[test]
    fn max_age_runs_down_and_stops_at_zero() {
        let value = value(b"", None, Some(30));
        for (now, left) in [(900, 30), (1000, 30), (1010, 20), (2000, 0)] {
            assert_eq!(value.max_age_at(UnixTime(now)), Some(left));
        }
    }

    #[test]
    fn the_observe_number_has_24_bits() {
        assert_eq!(value(b"", None, None).observe(), 0x45_6789);
    }

    #[test]
    fn values_survive_the_store() {
        for value in [value(b"", None, None), value(b"\x81\x00", Some(112), Some(0))] {
            assert_eq!(Value::from_bytes(&value.to_bytes()).unwrap(), value);
        }
        assert!(Value::from_bytes(&[0x84, 1, 2, 0x40, 0xf6]).is_err());
    }
}
