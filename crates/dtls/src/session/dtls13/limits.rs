//! How much a key is used (RFC 9147 section 4.5.3).

use sedge_crypto::Aead;

use super::{Session13, flag};
use crate::discard::Discard;

/// How many records are protected with one key: for CCM 2^23 leave an attacker an advantage of 2^-60
/// (RFC 9147 appendix B.1); GCM would stand more.
pub(crate) const RECORDS: u32 = 1 << 23;
/// After how many our keys are replaced.
pub(crate) const RECORDS_UNTIL_UPDATE: u32 = 1 << 22;

/// How many records may fail to open with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forgeries {
    /// After how many the peer is asked for new keys.
    pub(crate) until_update: u32,
    /// After how many the session is over.
    pub(crate) until_over: u32,
}

impl Forgeries {
    pub(crate) const fn of(aead: Aead) -> Self {
        match aead {
            // RFC 9147 appendix B.3: with a tag of 8 bytes, 2^7 forgeries keep the chance of a success at 2^-57. The
            // keys are replaced there. A peer that does not answer, asleep for example, must not cost us the session
            // at once: only where the chance reaches 2^-48 it is over.
            Aead::Aes128Ccm8 => Self { until_update: 1 << 7, until_over: 1 << 16 },
            // Appendix B.2: 2^23.5.
            Aead::Aes128Ccm => Self { until_update: 1 << 22, until_over: 11_863_283 },
            // Section 4.5.3: 2^36, which is more than are counted.
            Aead::Aes128Gcm | Aead::ChaCha20Poly1305 => Self { until_update: 1 << 31, until_over: u32::MAX },
        }
    }
}

impl Session13 {
    /// A record was not authentic.
    pub(super) const fn failed_to_open(&mut self) -> Discard {
        let Forgeries { until_update, until_over } = Forgeries::of(self.aead);
        self.failed = self.failed.saturating_add(1);
        // Again at every multiple: the answer to the first may never come.
        if self.failed.is_multiple_of(until_update) && !self.has(flag::NEXT_EPOCH_READ) {
            self.set(flag::UPDATE_WANTED | flag::UPDATE_REQUESTED);
        }
        if self.failed >= until_over && !matches!(self.aead, Aead::Aes128Gcm | Aead::ChaCha20Poly1305) {
            self.set(flag::OVER);
        }
        Discard::BadTag
    }
}
