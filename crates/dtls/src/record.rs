//! The record layer's header, and cutting a datagram into records (RFC 6347 section 4.1, RFC 9146 section 4).
//!
//! ```text
//! DTLSPlaintext / DTLSCiphertext            tls12_cid record
//! +---------+---------+-------+----------+  +----+---------+-------+----------+-----+--------+
//! | type  1 | version | epoch | sequence |  | 25 | version | epoch | sequence | cid | length |
//! |         |    2    |   2   |     6    |  |    |    2    |   2   |     6    |  n  |    2   |
//! +---------+---------+-------+----------+  +----+---------+-------+----------+-----+--------+
//! | length  2 | fragment ...             |  | fragment ...                                   |
//! +-----------+--------------------------+  +------------------------------------------------+
//! ```

use core::fmt;

use crate::dtls13::record::{Unified, has_cid, is_unified};
use crate::wire::{Reader, Writer};

/// `ContentType` ([RFC 5246 section 6.2.1](https://www.rfc-editor.org/rfc/rfc5246#section-6.2.1)).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentType(pub u8);

impl ContentType {
    /// What follows is protected with the new keys.
    pub const CHANGE_CIPHER_SPEC: Self = Self(20);
    /// See [`Alert`](crate::Alert).
    pub const ALERT: Self = Self(21);
    /// Handshake messages, or fragments of them.
    pub const HANDSHAKE: Self = Self(22);
    /// What the layer above sent.
    pub const APPLICATION_DATA: Self = Self(23);
    /// A protected record that names its connection
    /// ([RFC 9146 section 4](https://www.rfc-editor.org/rfc/rfc9146#section-4)).
    pub const TLS12_CID: Self = Self(25);
    /// Which records with handshake messages have arrived
    /// ([RFC 9147 section 7](https://www.rfc-editor.org/rfc/rfc9147#section-7)).
    pub const ACK: Self = Self(26);
    /// See [`PathMessage`](crate::PathMessage).
    pub const RETURN_ROUTABILITY_CHECK: Self = Self(27);
}

impl fmt::Debug for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::CHANGE_CIPHER_SPEC => "change_cipher_spec",
            Self::ALERT => "alert",
            Self::HANDSHAKE => "handshake",
            Self::APPLICATION_DATA => "application_data",
            Self::TLS12_CID => "tls12_cid",
            Self::ACK => "ack",
            Self::RETURN_ROUTABILITY_CHECK => "return_routability_check",
            Self(other) => return write!(f, "content type {other}"),
        })
    }
}

/// DTLS 1.3 on the wire, where it is negotiated; records and hellos go on saying 1.2.
pub(crate) const DTLS_1_3: u16 = 0xfefc;
/// DTLS 1.2 on the wire.
pub(crate) const DTLS_1_2: u16 = 0xfefd;
/// DTLS 1.0 on the wire: the version of a first ClientHello's record and of a HelloVerifyRequest.
pub(crate) const DTLS_1_0: u16 = 0xfeff;
/// Length of a record header without a Connection ID.
pub(crate) const RECORD_HEADER: usize = 13;
/// The largest 48-bit sequence number.
pub(crate) const MAX_SEQUENCE: u64 = (1 << 48) - 1;

/// A record's header, checked for form only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) content_type: ContentType,
    pub(crate) epoch: u16,
    pub(crate) sequence: u64,
}

impl Header {
    /// Writes the header for `length` bytes of fragment, to a peer that wants `cid` in it.
    pub(crate) fn write(&self, out: &mut Writer<'_>, cid: &[u8], length: usize) {
        out.u8(self.content_type.0);
        out.u16(DTLS_1_2);
        out.u16(self.epoch);
        out.u48(self.sequence);
        out.bytes(cid);
        out.u16(u16::try_from(length).unwrap_or(u16::MAX));
    }
}

/// A record seen in the bytes it arrived in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) header: Header,
    pub(crate) cid: &'a [u8],
    pub(crate) fragment: &'a [u8],
}

impl<'a> Record<'a> {
    /// Views exactly one record; `cid_len` is the length of the receiver's own Connection ID.
    pub(crate) fn parse(record: &'a [u8], cid_len: usize) -> Option<Self> {
        Self::parse_first(record, cid_len).and_then(|(record, rest)| rest.is_empty().then_some(record))
    }

    /// Views the first record in `datagram`; also what stands behind it.
    pub(crate) fn parse_first(datagram: &'a [u8], cid_len: usize) -> Option<(Self, &'a [u8])> {
        let mut bytes = Reader::new(datagram);
        let content_type = ContentType(bytes.u8()?);
        let version = bytes.u16()?;
        let epoch = bytes.u16()?;
        let sequence = bytes.u48()?;
        let cid = bytes.take(if content_type == ContentType::TLS12_CID { cid_len } else { 0 })?;
        let fragment = bytes.vec16()?;
        // RFC 6347 section 4.1: DTLS 1.0 is for hellos only.
        let known = version == DTLS_1_2 || (version == DTLS_1_0 && epoch == 0);
        let header = Header { content_type, epoch, sequence };
        known.then_some((Self { header, cid, fragment }, bytes.rest()))
    }
}

/// Cuts a datagram into its records.
///
/// What is left at the end and is no whole record comes out as the last item, so that
/// [`Session::open`](crate::Session::open) or a handshake sees and counts it.
#[derive(Debug)]
pub struct Records<'d> {
    rest: &'d mut [u8],
    cid_len: usize,
}

impl<'d> Records<'d> {
    /// The records in `datagram` for a receiver whose own Connection ID has `own_cid_len` bytes.
    pub const fn new(datagram: &'d mut [u8], own_cid_len: usize) -> Self {
        Self { rest: datagram, cid_len: own_cid_len }
    }

    /// The bytes that were not handed out yet.
    pub fn into_rest(self) -> &'d mut [u8] {
        self.rest
    }
}

impl<'d> Iterator for Records<'d> {
    type Item = &'d mut [u8];

    fn next(&mut self) -> Option<&'d mut [u8]> {
        let rest = core::mem::take(&mut self.rest);
        if rest.is_empty() {
            return None;
        }
        let len = record_len(rest, self.cid_len).unwrap_or(rest.len());
        match rest.split_at_mut_checked(len) {
            Some((record, tail)) => {
                self.rest = tail;
                Some(record)
            }
            None => None,
        }
    }
}

/// The length of the first record in `bytes`, if it is whole.
fn record_len(bytes: &[u8], cid_len: usize) -> Option<usize> {
    if is_unified(*bytes.first()?) {
        return Unified::parse(bytes, cid_len).map(|unified| unified.len);
    }
    let mut reader = Reader::new(bytes);
    let cid_len = if reader.u8()? == ContentType::TLS12_CID.0 { cid_len } else { 0 };
    let _version_epoch_sequence_cid = reader.take(10 + cid_len)?;
    let _fragment = reader.vec16()?;
    Some(bytes.len() - reader.rest().len())
}

/// The Connection ID of the first record in `datagram`, if that has one and is long enough for an identifier of
/// `cid_len` bytes: for routing, before any state is looked at. Nothing is authenticated yet.
pub fn peek_cid(datagram: &[u8], cid_len: usize) -> Option<&[u8]> {
    let mut reader = Reader::new(datagram);
    let first = reader.u8()?;
    if has_cid(first) {
        return reader.take(cid_len);
    }
    if first != ContentType::TLS12_CID.0 {
        return None;
    }
    let _version_epoch_sequence = reader.take(10)?;
    reader.take(cid_len)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const PLAIN: [u8; 15] = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 7, 0, 2, 0xaa, 0xbb];
    const WITH_CID: [u8; 16] = [25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0xc1, 0xc2, 0, 1, 0xdd];

    #[test]
    fn a_datagram_falls_into_records_and_a_tail() {
        let mut datagram: Vec<u8> = [&PLAIN[..], &WITH_CID, &PLAIN, &PLAIN[..14]].concat();
        let lengths: Vec<usize> = Records::new(&mut datagram, 2).map(|record| record.len()).collect();
        assert_eq!(lengths, [15, 16, 15, 14]);
    }

    #[test]
    fn the_connection_id_is_seen_only_in_its_own_records() {
        assert_eq!(peek_cid(&WITH_CID, 2), Some(&[0xc1, 0xc2][..]));
        assert_eq!(peek_cid(&PLAIN, 2), None);
        assert_eq!(peek_cid(&WITH_CID[..12], 2), None);
        let record = Record::parse(&WITH_CID, 2).unwrap();
        assert_eq!((record.cid, record.fragment), (&[0xc1, 0xc2][..], &[0xdd][..]));
        assert_eq!((record.header.epoch, record.header.sequence), (1, 9));
    }

    #[test]
    fn every_truncation_is_refused() {
        for record in [&PLAIN[..], &WITH_CID] {
            for len in 0..record.len() {
                assert!(Record::parse(&record[..len], 2).is_none());
            }
        }
    }

    #[test]
    fn only_hellos_may_claim_the_old_version() {
        let mut record = PLAIN;
        record[2] = 0xff;
        assert!(Record::parse(&record, 0).is_some());
        record[4] = 1;
        assert!(Record::parse(&record, 0).is_none());
    }
}
