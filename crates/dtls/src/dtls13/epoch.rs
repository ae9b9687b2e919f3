//! The keys of epoch 2, which protect the handshake once the hellos agree (RFC 9147 section 6.1).

use sedge_crypto::{Aead, Crypto};

use super::protection::{OpenError, OpenedRecord, RecordKeys};
use super::record::{Heading, Unified, epoch_bits};
use crate::cid::ConnectionId;
use crate::discard::Discard;
use crate::record::ContentType;
use crate::replay::ReplayWindow;

/// The epoch of protected handshakes.
const EPOCH: u16 = 2;

/// Whether a record says that it is of this epoch and, if it names anybody, for us.
pub(crate) fn is_of_handshake(record: &[u8], own_cid: &ConnectionId) -> bool {
    Unified::parse(record, own_cid.len()).is_some_and(|unified| {
        let named = unified.cid.is_none_or(|cid| cid == own_cid.as_bytes());
        unified.epoch_bits == epoch_bits(EPOCH) && unified.len == record.len() && named
    })
}

/// Seals the records of this side.
#[derive(Debug)]
pub(crate) struct Sealer {
    pub(crate) keys: RecordKeys,
    pub(crate) aead: Aead,
    /// The number of the next record.
    pub(crate) sequence: u64,
    /// What the peer wants in its records.
    pub(crate) cid: ConnectionId,
}

impl Sealer {
    pub(crate) const fn new(keys: RecordKeys, aead: Aead, cid: ConnectionId) -> Self {
        Self { keys, aead, sequence: 0, cid }
    }

    fn heading(&self, with_length: bool) -> Heading<'_> {
        Heading { epoch: EPOCH, sequence: self.sequence, cid: self.cid.as_bytes(), with_length }
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn headroom(&self, with_length: bool) -> usize {
        self.heading(with_length).len()
    }

    /// How many bytes a record that ends its datagram is longer than its content.
    pub(crate) fn overhead(&self) -> usize {
        self.headroom(false) + 1 + self.aead.tag_len()
    }

    /// Seals what stands in `buf` behind the [headroom](Self::headroom). Returns the record's length.
    pub(crate) fn seal<C: Crypto>(
        &mut self,
        crypto: &C,
        content_type: ContentType,
        buf: &mut [u8],
        plaintext_len: usize,
        with_length: bool,
    ) -> Option<usize> {
        let heading = self.heading(with_length);
        let sealed = self.keys.seal(crypto, self.aead, &heading, content_type, buf, plaintext_len);
        // The number is spent even if the provider fails: a nonce is never used twice.
        self.sequence += 1;
        sealed
    }
}

/// Opens the records of the peer.
#[derive(Debug)]
pub(crate) struct Opener {
    keys: RecordKeys,
    pub(crate) aead: Aead,
    window: ReplayWindow,
    /// What the peer puts in its records.
    cid: ConnectionId,
}

impl Opener {
    pub(crate) fn new(keys: RecordKeys, aead: Aead, cid: ConnectionId) -> Self {
        Self { keys, aead, window: ReplayWindow::default(), cid }
    }

    /// What the peer puts in its records.
    pub(crate) fn cid(&self) -> &[u8] {
        self.cid.as_bytes()
    }

    /// Whether a record says that it is of this epoch.
    pub(crate) fn is_for(&self, record: &[u8]) -> bool {
        Unified::parse(record, self.cid.len()).is_some_and(|unified| unified.epoch_bits == epoch_bits(EPOCH))
    }

    /// How many bytes of a record stand before what is encrypted.
    pub(crate) fn header_len(&self, record: &[u8]) -> Option<usize> {
        Unified::parse(record, self.cid.len()).map(|unified| unified.header_len)
    }

    /// Opens exactly one record in place.
    pub(crate) fn open<'d, C: Crypto>(
        &mut self,
        crypto: &C,
        record: &'d mut [u8],
    ) -> Result<OpenedRecord<'d>, Discard> {
        let unified = Unified::parse(record, self.cid.len()).filter(|unified| unified.len == record.len());
        let Unified { epoch_bits: bits, cid, .. } = unified.ok_or(Discard::MalformedRecord)?;
        if cid.unwrap_or_default() != self.cid.as_bytes() {
            return Err(Discard::WrongConnectionId);
        }
        if bits != epoch_bits(EPOCH) {
            return Err(Discard::UnknownEpoch);
        }
        let expected = if self.window.seen == 0 { 0 } else { self.window.highest + 1 };
        let opened = self.keys.open(crypto, self.aead, expected, record, self.cid.len());
        let opened = opened.map_err(|error| match error {
            OpenError::TooShort => Discard::TooShort,
            OpenError::BadTag => Discard::BadTag,
        })?;
        if !self.window.admits(opened.sequence) {
            return Err(Discard::Replayed);
        }
        self.window.accept(opened.sequence);
        Ok(opened)
    }
}
