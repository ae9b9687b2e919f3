//! Asking for the token revocation list, whole or what has changed of it
//! ([RFC 9770](https://www.rfc-editor.org/rfc/rfc9770)).

use sedge_cose::cbor::{Decoder, Encoder, Error, Label, NoRoom};

use crate::TokenHash;

/// `full_set`
const FULL_SET: i64 = 0;
/// `diff_set`
const DIFF_SET: i64 = 1;
/// `cursor`
const CURSOR: i64 = 2;
/// `more`
const MORE: i64 = 3;

/// What a requester asks, in the query of a GET
/// ([RFC 9770 section 6.3](https://www.rfc-editor.org/rfc/rfc9770#section-6.3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrlQuery {
    /// The whole list.
    Full,
    /// The last updates.
    Diff {
        /// How many at most; 0 for as many as there are.
        count: u64,
        /// Only those after the update with this number.
        cursor: Option<u64>,
    },
}

/// What is wrong with a query
/// ([RFC 9770 section 14](https://www.rfc-editor.org/rfc/rfc9770#section-14)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TrlError {
    /// A value is no number.
    InvalidValue = 0,
    /// A cursor without `diff`.
    InvalidSet = 1,
    /// A cursor that nobody has been given.
    OutOfBound = 2,
}

impl TrlError {
    /// The reason in a few words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidValue => "Invalid parameter value",
            Self::InvalidSet => "Invalid set of parameters",
            Self::OutOfBound => "Out of bound cursor value",
        }
    }
}

impl TrlQuery {
    /// Reads the arguments of a query; those that are not known are passed over.
    ///
    /// # Errors
    /// [`TrlError`], which is to be answered with 4.00.
    pub fn parse<'a>(arguments: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, TrlError> {
        let (mut diff, mut cursor) = (None, None);
        for argument in arguments {
            let mut parts = argument.splitn(2, |byte| *byte == b'=');
            match (parts.next(), parts.next()) {
                (Some(b"diff"), value) => diff = Some(number(value)),
                (Some(b"cursor"), value) => cursor = Some(number(value)),
                _ => {}
            }
        }
        match (diff, cursor) {
            (None, None) => Ok(Self::Full),
            (None, Some(_)) => Err(TrlError::InvalidSet),
            (Some(count), cursor) => {
                let invalid = TrlError::InvalidValue;
                Ok(Self::Diff {
                    count: count.ok_or(invalid)?,
                    cursor: cursor.map(|cursor| cursor.ok_or(invalid)).transpose()?,
                })
            }
        }
    }
}

/// Digits and nothing else, not even a sign.
fn number(value: Option<&[u8]>) -> Option<u64> {
    let value = value.filter(|value| value.iter().all(u8::is_ascii_digit))?;
    core::str::from_utf8(value).ok()?.parse().ok()
}

/// One update: the tokens that left the list because they expired, and those that were revoked.
pub type Patch<'a> = (&'a [TokenHash], &'a [TokenHash]);

/// Writes the answer to a query for the requester's whole part of the list: its tokens, and after which update changes
/// are to be asked for.
///
/// # Errors
/// It takes more room.
pub fn encode_full<'h, 'o>(
    hashes: impl Iterator<Item = &'h TokenHash> + Clone,
    cursor: Option<u64>,
    out: &'o mut [u8],
) -> Result<&'o mut [u8], NoRoom> {
    let mut encoder = Encoder::new(out);
    put_hashes(encoder.map(2).int(FULL_SET), hashes);
    put_cursor(&mut encoder, cursor);
    encoder.finish()
}

/// Writes the answer to a query for updates, the newest first; with where the next query goes on and whether there is
/// more to ask for.
///
/// # Errors
/// It takes more room.
pub fn encode_diff<'h, 'o>(
    patches: impl ExactSizeIterator<Item = Patch<'h>>,
    cursor: Option<u64>,
    more: bool,
    out: &'o mut [u8],
) -> Result<&'o mut [u8], NoRoom> {
    let mut encoder = Encoder::new(out);
    encoder.map(3).int(DIFF_SET).array(patches.len());
    for (removed, added) in patches {
        put_hashes(encoder.array(2), removed.iter());
        put_hashes(&mut encoder, added.iter());
    }
    put_cursor(&mut encoder, cursor);
    encoder.int(MORE).bool(more);
    encoder.finish()
}

fn put_hashes<'h>(encoder: &mut Encoder<'_>, hashes: impl Iterator<Item = &'h TokenHash> + Clone) {
    encoder.array(hashes.clone().count());
    for hash in hashes {
        encoder.bytes(hash.as_bytes());
    }
}

fn put_cursor(encoder: &mut Encoder<'_>, cursor: Option<u64>) {
    let _written = match cursor {
        Some(cursor) => encoder.int(CURSOR).unsigned(cursor),
        None => encoder.int(CURSOR).null(),
    };
}

/// An answer of the token revocation list's endpoint, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrlResponse<'a> {
    /// The whole list: an encoded array.
    full: Option<&'a [u8]>,
    /// Updates: an encoded array.
    diff: Option<&'a [u8]>,
    /// Where the next query for changes goes on, if there have been changes.
    pub cursor: Option<u64>,
    /// Whether there is more to ask for; without a cursor, the whole list.
    pub more: bool,
}

impl<'a> TrlResponse<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// It is no strict CBOR, has neither of the two sets, or one with something else in it than hashes by SHA-256.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut response = Self { full: None, diff: None, cursor: None, more: false };
        let mut decoder = Decoder::new(body);
        decoder.map(|label, value| {
            match label {
                Label::Int(FULL_SET) => response.full = Some(value.item()?),
                Label::Int(DIFF_SET) => response.diff = Some(value.item()?),
                Label::Int(CURSOR) => match value.null() {
                    Ok(()) => response.cursor = None,
                    Err(_) => response.cursor = Some(value.unsigned()?),
                },
                Label::Int(MORE) => response.more = value.bool()?,
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        decoder.end()?;
        match (response.full, response.diff) {
            (Some(full), None) => read_hashes(&mut Decoder::new(full), &mut |_| {})?,
            (None, Some(diff)) => read_patches(diff, &mut |_, _| {})?,
            _ => return Err(Error::Type),
        }
        Ok(response)
    }

    /// Calls `each` with every token of a whole list; says whether this is one.
    pub fn each_revoked(&self, mut each: impl FnMut(TokenHash)) -> bool {
        self.full.is_some_and(|full| read_hashes(&mut Decoder::new(full), &mut each).is_ok())
    }

    /// Calls `each` with every token that was put on the list (`true`) or left it (`false`), the newest update first;
    /// says whether this is an answer with updates.
    pub fn each_change(&self, mut each: impl FnMut(TokenHash, bool)) -> bool {
        self.diff.is_some_and(|diff| read_patches(diff, &mut each).is_ok())
    }
}

fn read_hashes(decoder: &mut Decoder<'_>, each: &mut impl FnMut(TokenHash)) -> Result<(), Error> {
    for _ in 0..decoder.array()? {
        each(TokenHash::from_bytes(decoder.bytes()?).ok_or(Error::Range)?);
    }
    Ok(())
}

fn read_patches(diff: &[u8], each: &mut impl FnMut(TokenHash, bool)) -> Result<(), Error> {
    let mut decoder = Decoder::new(diff);
    for _ in 0..decoder.array()? {
        if decoder.array()? != 2 {
            return Err(Error::Type);
        }
        read_hashes(&mut decoder, &mut |hash| each(hash, false))?;
        read_hashes(&mut decoder, &mut |hash| each(hash, true))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use sedge_crypto::RustCrypto;

    use super::*;

    #[test]
    fn answers_read_back() {
        let hashes = [1, 2, 3].map(|number| TokenHash::of(&RustCrypto, &[number]));
        let [a, b, c] = hashes;
        let mut out = [0; 256];
        let body = encode_full(hashes.iter(), Some(7), &mut out).unwrap();
        // RFC 9770 figure 6: {0: [h'01...', ...], 2: 7}
        assert_eq!(&body[..6], [0xa2, 0x00, 0x83, 0x58, 33, 1]);
        assert_eq!(&body[body.len() - 2..], [0x02, 0x07]);
        let response = TrlResponse::decode(body).unwrap();
        let mut seen = Vec::new();
        assert!(response.each_revoked(|hash| seen.push(hash)));
        assert_eq!((seen, response.cursor), (hashes.to_vec(), Some(7)));
        assert!(!response.each_change(|_, _| {}));

        let (revoked, expired) = ([a, b], [c]);
        let patches = [(&[][..], &revoked[..]), (&expired[..], &[][..])];
        let body = encode_diff(patches.into_iter(), None, true, &mut out).unwrap();
        let response = TrlResponse::decode(body).unwrap();
        let mut seen = Vec::new();
        assert!(response.each_change(|hash, added| seen.push((hash, added))));
        assert_eq!(seen, [(a, true), (b, true), (c, false)]);
        assert_eq!((response.cursor, response.more), (None, true));
    }

    #[test]
    fn queries_are_digits() {
        let parse = |arguments: &[&str]| TrlQuery::parse(arguments.iter().map(|text| text.as_bytes()));
        assert_eq!(parse(&[]), Ok(TrlQuery::Full));
        assert_eq!(parse(&["other=1"]), Ok(TrlQuery::Full));
        assert_eq!(parse(&["diff=3"]), Ok(TrlQuery::Diff { count: 3, cursor: None }));
        assert_eq!(parse(&["cursor=9", "diff=0"]), Ok(TrlQuery::Diff { count: 0, cursor: Some(9) }));
        for wrong in ["diff", "diff=", "diff=-1", "diff=+1", "diff=x", "diff=99999999999999999999"] {
            assert_eq!(parse(&[wrong]), Err(TrlError::InvalidValue), "{wrong}");
        }
        assert_eq!(parse(&["diff=1", "cursor=-53"]), Err(TrlError::InvalidValue));
        assert_eq!(parse(&["cursor=1"]), Err(TrlError::InvalidSet));
    }

    #[test]
    fn other_answers_are_refused() {
        for body in
            [&[0xa0][..], &[0xa1, 0, 0x81, 0x41, 1], &[0xa2, 0, 0x80, 1, 0x80], &[0xa1, 1, 0x81, 0x81, 0x80]]
        {
            assert!(TrlResponse::decode(body).is_err(), "{body:02x?}");
        }
    }
}
