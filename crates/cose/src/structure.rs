//! What is signed or authenticated: an array of a context and byte strings (RFC 9052 sections 4.4, 6.3; RFC 9338 section
//! 3.3).

use sedge_crypto::{Crypto, Hash, Mac};

use crate::cbor::{ARRAY, BYTES, EncodedHead, TEXT};

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
}

fn put_bytes(put: &mut impl FnMut(&[u8]), bytes: &[u8]) {
    put(EncodedHead::new(BYTES, bytes.len() as u64).as_bytes());
    put(bytes);
}
