//! The bytes of files: headers, records, and the hashes that tie them together.

use sedge_crypto::{Crypto as _, Hash as _, RustCrypto};

use crate::{Hash, Record};

pub(crate) const MAGIC: &[u8; 8] = b"SEDGEAU1";
/// A file's header, in bytes.
pub(crate) const HEADER: usize = 80;
/// The longest record, in bytes of CBOR: what an [`Event`](crate::Event) holds is bounded.
pub(crate) const MAX_RECORD: usize = 1 << 16;
/// What stands before the first record there is.
pub(crate) const BEGINNING: Hash = [0; 32];

/// Where a chain stands: the number of the next record, and the hash before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) next: u64,
    pub(crate) hash: Hash,
}

/// A record as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole one that fits; and how many bytes it takes.
    Record(Box<Record>, Hash, usize),
    /// The file ends here.
    End,
    /// The file ends within it.
    Torn,
    /// A whole one that does not fit; and how many bytes it seems to take.
    Broken(&'static str, usize),
}

pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hash = RustCrypto.sha256();
    parts.iter().for_each(|part| hash.update(part));
    hash.finish()
}

pub(crate) fn header(link: &Link) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&link.next.to_be_bytes());
    bytes[16..48].copy_from_slice(&link.hash);
    let check = sha256(&[&bytes[..48]]);
    bytes[48..].copy_from_slice(&check);
    bytes
}

/// The header of a file, if it is one.
pub(crate) fn read_header(bytes: &[u8]) -> Option<Link> {
    let next = u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?);
    let link = Link { next, hash: bytes.get(16..48)?.try_into().ok()? };
    (bytes.get(..HEADER)? == header(&link)).then_some(link)
}

/// A record's bytes, and its hash.
pub(crate) fn frame(link: &Link, record: &Record) -> (Vec<u8>, Hash) {
    let cbor = record.to_bytes();
    let hash = sha256(&[&link.hash, &cbor]);
    let mut bytes = Vec::with_capacity(4 + cbor.len() + 32);
    bytes.extend((cbor.len() as u32).to_be_bytes());
    bytes.extend(&cbor);
    bytes.extend(hash);
    (bytes, hash)
}

/// Takes a record off the front of `bytes`, which is all that follows in the file.
pub(crate) fn take(link: &Link, bytes: &[u8]) -> Found {
    if bytes.is_empty() {
        return Found::End;
    }
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Found::Torn };
    let length = u32::from_be_bytes(*length) as usize;
    if length > MAX_RECORD {
        return Found::Broken("its length is not one that a record has", bytes.len());
    }
    let (Some(cbor), Some(hash)) = (rest.get(..length), rest.get(length..length + 32)) else {
        return Found::Torn;
    };
    let size = 4 + length + 32;
    if sha256(&[&link.hash, cbor]) != hash {
        return Found::Broken("it does not fit what stands before it", size);
    }
    match Record::from_bytes(cbor) {
        Some(record) if record.number == link.next => {
            Found::Record(Box::new(record), hash.try_into().unwrap_or(BEGINNING), size)
        }
        Some(_) => Found::Broken("its number does not follow the one before it", size),
        None => Found::Broken("it is no record", size),
    }
}
