//! What is signed, authenticated or given to the cipher as additional data: an array of a context and byte strings
//! (RFC 9052 sections 4.4, 5.3, 6.3; RFC 9338 section 3.3).

use sedge_crypto::{Crypto, Hash, Mac};

use crate::cbor::{ARRAY, BYTES, EncodedHead, Encoder, TEXT};
use crate::error::Error;

/// Most bytes that a cipher's additional data may take: the protected header, the external data, and 14 bytes around
/// them.
pub const MAX_AAD: usize = 512;

/// The context, and the byte strings in their order.
pub(crate) struct Structure<'a> {
    pub(crate) context: &'static str,
    pub(crate) parts: &'a [&'a [u8]],
    /// An array of one byte string more, as some countersignatures have it.
    pub(crate) other: Option<&'a [u8]>,
}

impl Structure<'_> {
    /// Hands the encoded structure over, piece by piece.
    fn feed(&self, mut put: impl FnMut(&[u8])) {
        let count = 1 + self.parts.len() + usize::from(self.other.is_some());
        put(EncodedHead::new(ARRAY, count as u64).as_bytes());
        put(EncodedHead::new(TEXT, self.context.len() as u64).as_bytes());
        put(self.context.as_bytes());
        self.parts.iter().for_each(|part| put_bytes(&mut put, part));
        if let Some(other) = self.other {
            put(EncodedHead::new(ARRAY, 1).as_bytes());
            put_bytes(&mut put, other);
        }
    }

    /// Its SHA-256.
    pub(crate) fn digest<C: Crypto>(&self, crypto: &C) -> [u8; 32] {
        let mut hash = crypto.sha256();
        self.feed(|bytes| hash.update(bytes));
        hash.finish()
    }

    /// Its HMAC.
    pub(crate) fn mac<C: Crypto>(&self, crypto: &C, key: &[u8]) -> [u8; 32] {
        let mut mac = crypto.hmac_sha256(key);
        self.feed(|bytes| mac.update(bytes));
        mac.finish()
    }

    /// All of it, in the buffer.
    pub(crate) fn write<'b>(&self, buffer: &'b mut [u8; MAX_AAD]) -> Result<&'b [u8], Error> {
        let mut encoder = Encoder::new(buffer);
        self.feed(|bytes| {
            encoder.raw(bytes);
        });
        encoder.finish().map(|written| &*written).map_err(|_| Error::AadTooLong)
    }
}

fn put_bytes(put: &mut impl FnMut(&[u8]), bytes: &[u8]) {
    put(EncodedHead::new(BYTES, bytes.len() as u64).as_bytes());
    put(bytes);
}
