//! Digests of what makes messages belong together.

use crate::{Message, OptionNumber};

/// Digests, to compare messages with those that came before. They are no protection against someone who looks
/// for a collision, so they only ever compare messages of one peer.
impl Message<'_> {
    /// A digest of the code and token, which a retransmission shares with the original. Together with the
    /// Message ID it tells duplicates from messages that use an ID again.
    pub fn fingerprint(&self) -> u32 {
        let digest = digest(digest(DIGEST_SEED, &[self.code().0]), self.token().as_bytes());
        (digest >> 32) as u32 ^ digest as u32
    }

    /// A digest of what all block requests of one transfer share: the method and the options that belong to
    /// the cache key, Request-Tag among them, but not Block1, Block2 and Observe
    /// ([RFC 7959 section 2.5](https://www.rfc-editor.org/rfc/rfc7959#section-2.5)).
    pub fn request_key(&self) -> u64 {
        let mut key = digest(DIGEST_SEED, &[self.code().0]);
        for (number, value) in self.options() {
            let per_block =
                matches!(number, OptionNumber::BLOCK1 | OptionNumber::BLOCK2 | OptionNumber::OBSERVE);
            if !per_block && !number.is_no_cache_key() {
                key = digest(digest(key, &number.0.to_be_bytes()), &(value.len() as u16).to_be_bytes());
                key = digest(key, value);
            }
        }
        key
    }

    /// What all block responses of one representation share: the ETag, or, as 0, its absence
    /// ([RFC 7959 section 2.4](https://www.rfc-editor.org/rfc/rfc7959#section-2.4)).
    pub fn response_key(&self) -> u64 {
        // Its one to eight bytes are a number as they are. The bit tells zeros from none.
        let number =
            |etag: &[u8]| etag.iter().fold(1 << 63, |key: u64, &byte| key.rotate_left(8) ^ u64::from(byte));
        self.value(OptionNumber::ETAG).map_or(0, number)
    }
}

// FNV-1a.
const DIGEST_SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn digest(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
