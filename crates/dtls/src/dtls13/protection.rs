//! Sealing and opening one protected record (RFC 9147 sections 4 and 4.2.3).

use sedge_crypto::{Aead, AeadError, Crypto, Secret};

use super::record::{Heading, Unified, reconstruct};
use crate::record::{ContentType, MAX_SEQUENCE};
use crate::wire::Writer;

/// What protects the records of one direction in one epoch.
#[derive(Clone, Debug)]
pub(crate) struct RecordKeys {
    pub(crate) key: Secret<16>,
    pub(crate) iv: Secret<12>,
    /// Encrypts sequence numbers.
    pub(crate) sn: Secret<16>,
}

/// The shortest encrypted record: sequence numbers are encrypted with a mask made of this much of it.
pub(crate) const MIN_ENCRYPTED: usize = 16;

/// Length of `plaintext_len` bytes once the content type, the padding that a short record needs and the tag are added.
pub(crate) const fn encrypted_len(aead: Aead, plaintext_len: usize) -> usize {
    let len = plaintext_len + 1 + aead.tag_len();
    if len < MIN_ENCRYPTED { MIN_ENCRYPTED } else { len }
}

/// An authentic record.
#[derive(Debug)]
pub(crate) struct OpenedRecord<'d> {
    pub(crate) content_type: ContentType,
    pub(crate) plaintext: &'d mut [u8],
    pub(crate) sequence: u64,
}

/// Why a record was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// Nothing was tried: too short.
    TooShort,
    /// Not authentic under these keys.
    BadTag,
}

impl RecordKeys {
    /// Seals the plaintext that stands in `buf` behind the room for the header. Returns the record's length; `None` if
    /// it does not fit.
    ///
    /// `heading.sequence` must never have been used with these keys.
    pub(crate) fn seal<C: Crypto>(
        &self,
        crypto: &C,
        aead: Aead,
        heading: &Heading<'_>,
        content_type: ContentType,
        buf: &mut [u8],
        plaintext_len: usize,
    ) -> Option<usize> {
        let tag_len = aead.tag_len();
        let encrypted = encrypted_len(aead, plaintext_len);
        let record = buf.get_mut(..heading.len() + encrypted)?;
        let len = record.len();
        let (header, body) = record.split_at_mut_checked(heading.len())?;
        let mut out = Writer::new(header);
        heading.write(&mut out, encrypted);
        out.finish()?;

        // DTLSInnerPlaintext: content, type, zeros.
        let (inner, tag) = body.split_at_mut_checked(encrypted - tag_len)?;
        let (after, padding) = inner.get_mut(plaintext_len..)?.split_first_mut()?;
        *after = content_type.0;
        padding.fill(0);
        let computed =
            crypto.seal(aead, self.key.expose(), &self.nonce(heading.sequence), header, inner).ok()?;
        tag.copy_from_slice(computed.as_bytes());

        let mask = self.mask(crypto, body)?;
        let sequence = header.get_mut(heading.sequence_at()..)?.get_mut(..heading.sequence_len())?;
        sequence.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        Some(len)
    }

    /// Opens exactly one record in place. `expected` is the number that its number is near to.
    pub(crate) fn open<'d, C: Crypto>(
        &self,
        crypto: &C,
        aead: Aead,
        expected: u64,
        record: &'d mut [u8],
        cid_len: usize,
    ) -> Result<OpenedRecord<'d>, OpenError> {
        let Unified { sequence_at, sequence_len, header_len, .. } =
            Unified::parse(record, cid_len).ok_or(OpenError::TooShort)?;
        let (header, body) = record.split_at_mut_checked(header_len).ok_or(OpenError::TooShort)?;
        // RFC 9147 section 4.2.3: shorter than 16 bytes is as good as not authentic.
        let mask = self.mask(crypto, body).ok_or(OpenError::TooShort)?;
        let inner_len = body.len().checked_sub(aead.tag_len()).ok_or(OpenError::TooShort)?;

        // The associated data have the sequence number in the clear.
        let field = header.get_mut(sequence_at..).and_then(|tail| tail.get_mut(..sequence_len));
        let mut low = 0;
        for (byte, mask) in field.ok_or(OpenError::TooShort)?.iter_mut().zip(mask) {
            *byte ^= mask;
            low = low << 8 | u16::from(*byte);
        }
        let sequence = reconstruct(low, sequence_len, expected);
        if sequence > MAX_SEQUENCE {
            return Err(OpenError::BadTag);
        }
        let (inner, tag) = body.split_at_mut_checked(inner_len).ok_or(OpenError::TooShort)?;
        crypto
            .open(aead, self.key.expose(), &self.nonce(sequence), header, inner, tag)
            .map_err(|AeadError| OpenError::BadTag)?;

        // What has no type at all is of type 0, which nobody expects.
        let len = inner.iter().rposition(|&byte| byte != 0).unwrap_or_default();
        let (plaintext, tail) = inner.split_at_mut_checked(len).ok_or(OpenError::TooShort)?;
        let content_type = ContentType(tail.first().copied().unwrap_or_default());
        Ok(OpenedRecord { content_type, plaintext, sequence })
    }

    /// RFC 8446 section 5.3: the sequence number, padded to the length of the IV, XOR the IV.
    fn nonce(&self, sequence: u64) -> [u8; 12] {
        let mut nonce = *self.iv.expose();
        for (byte, number) in nonce.iter_mut().skip(4).zip(sequence.to_be_bytes()) {
            *byte ^= number;
        }
        nonce
    }

    /// What sequence numbers are encrypted with, made of the beginning of the encrypted record.
    fn mask<C: Crypto>(&self, crypto: &C, encrypted: &[u8]) -> Option<[u8; MIN_ENCRYPTED]> {
        let mut block = *encrypted.first_chunk::<MIN_ENCRYPTED>()?;
        crypto.encrypt_block(self.sn.expose(), &mut block);
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use sedge_crypto::RustCrypto;
    use std::vec::Vec;

    fn keys() -> RecordKeys {
        RecordKeys { key: Secret::new([1; 16]), iv: Secret::new([2; 12]), sn: Secret::new([3; 16]) }
    }

    fn sealed(aead: Aead, heading: &Heading<'_>, text: &[u8]) -> Vec<u8> {
        let mut buf = [0xaa; 128];
        buf[heading.len()..][..text.len()].copy_from_slice(text);
        let len = keys()
            .seal(&RustCrypto, aead, heading, ContentType::APPLICATION_DATA, &mut buf, text.len())
            .unwrap();
        assert_eq!(len, heading.len() + encrypted_len(aead, text.len()));
        buf[..len].to_vec()
    }

    fn opened(
        aead: Aead,
        record: &[u8],
        expected: u64,
        cid_len: usize,
    ) -> Result<(u8, Vec<u8>, u64), OpenError> {
        let mut record = record.to_vec();
        let opened = keys().open(&RustCrypto, aead, expected, &mut record, cid_len)?;
        Ok((opened.content_type.0, opened.plaintext.to_vec(), opened.sequence))
    }

    const AEADS: [Aead; 3] = [Aead::Aes128Ccm8, Aead::Aes128Ccm, Aead::Aes128Gcm];

    #[test]
    fn every_length_is_opened_as_it_was_sealed() {
        let text: Vec<u8> = (0..40).collect();
        for aead in AEADS {
            for len in 0..=text.len() {
                for (sequence, expected) in [(3, 0), (200, 190), (70_000, 66_000)] {
                    let heading = Heading { epoch: 3, sequence, cid: b"id", with_length: len % 2 == 0 };
                    let record = sealed(aead, &heading, &text[..len]);
                    assert!(record.len() - heading.len() >= MIN_ENCRYPTED);
                    assert_eq!(opened(aead, &record, expected, 2), Ok((23, text[..len].to_vec(), sequence)));
                }
            }
        }
    }

    /// RFC 9147 section 4: what a record is longer than its content with CCM_8 and an identifier of one byte.
    #[test]
    fn a_short_record_has_twelve_bytes_of_overhead() {
        let heading = Heading { epoch: 3, sequence: 0, cid: b"c", with_length: false };
        assert_eq!(sealed(Aead::Aes128Ccm8, &heading, b"21.5 degrees").len(), 12 + 12);
        assert_eq!(sealed(Aead::Aes128Ccm8, &heading, b"").len(), 3 + 16, "padded");
    }

    #[test]
    fn every_byte_of_a_record_is_authenticated() {
        for aead in AEADS {
            let heading = Heading { epoch: 3, sequence: 5, cid: b"id", with_length: true };
            let record = sealed(aead, &heading, b"sixteen letters!");
            for at in 0..record.len() {
                for bit in 0..8 {
                    let mut forged = record.clone();
                    forged[at] ^= 1 << bit;
                    assert!(opened(aead, &forged, 5, 2).is_err(), "byte {at} bit {bit}");
                }
            }
            for len in 0..record.len() {
                assert!(opened(aead, &record[..len], 5, 2).is_err());
            }
        }
    }

    #[test]
    fn encrypted_records_shorter_than_sixteen_bytes_are_refused() {
        let mut record = [0u8; 17];
        record[0] = 0x23;
        assert_eq!(opened(Aead::Aes128Ccm8, &record, 0, 0), Err(OpenError::TooShort));
        let mut record = [0u8; 18];
        record[0] = 0x23;
        assert_eq!(opened(Aead::Aes128Ccm8, &record, 0, 0), Err(OpenError::BadTag));
    }
}
