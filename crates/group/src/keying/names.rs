//! Which groups have certain Gids: `FETCH /ace-group`
//! ([RFC 9594 section 4.2](https://www.rfc-editor.org/rfc/rfc9594#section-4.2)).

use sedge_cose::cbor::{Decoder, Encoder, Error, Label, NoRoom};

use super::{ACE_GROUP, key};
use crate::id::Gid;

/// Reads the request, and hands out each Gid in it.
///
/// # Errors
/// It is none.
pub fn read_gids(bytes: &[u8], mut each: impl FnMut(Gid)) -> Result<(), Error> {
    let mut asked = false;
    let mut decoder = Decoder::new(bytes);
    decoder.map(|label, value| {
        if label == Label::Int(key::GID) {
            asked = true;
            for _ in 0..value.array()? {
                // One that is longer than ours are is no group's.
                if let Some(gid) = Gid::new(value.bytes()?) {
                    each(gid);
                }
            }
        }
        Ok::<_, Error>(())
    })?;
    decoder.end()?;
    if asked { Ok(()) } else { Err(Error::Range) }
}

/// Writes the answer: each group with a Gid that was asked for, its name, and the path to join it.
///
/// # Errors
/// The buffer is too short.
pub fn encode_names(
    groups: impl ExactSizeIterator<Item = (Gid, impl AsRef<str>)> + Clone,
    buffer: &mut [u8],
) -> Result<&mut [u8], NoRoom> {
    let mut encoder = Encoder::new(buffer);
    encoder.map(3).int(key::GID).array(groups.len());
    for (gid, _) in groups.clone() {
        encoder.bytes(gid.as_bytes());
    }
    encoder.int(key::GNAME).array(groups.len());
    for (_, name) in groups.clone() {
        encoder.text(name.as_ref());
    }
    encoder.int(key::GURI).array(groups.len());
    for (_, name) in groups {
        write_path(&mut encoder, name.as_ref());
    }
    encoder.finish()
}

/// `/ace-group/GROUPNAME`, in which the levels of a name are parted by `%2F`.
fn write_path(encoder: &mut Encoder<'_>, name: &str) {
    let mut path = [0; 8 + 3 * 255 + 8];
    let mut len = 0;
    let mut put = |bytes: &[u8]| {
        if let Some(place) = path.get_mut(len..len + bytes.len()) {
            place.copy_from_slice(bytes);
            len += bytes.len();
        }
    };
    put(b"/");
    put(ACE_GROUP.as_bytes());
    put(b"/");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            put(&[byte]);
        } else {
            let digit = |nibble: u8| b"0123456789ABCDEF".get(usize::from(nibble)).copied().unwrap_or(b'0');
            put(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    let path = path.get(..len).and_then(|path| core::str::from_utf8(path).ok()).unwrap_or_default();
    encoder.text(path);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString as _;
    use std::vec::Vec;

    #[test]
    fn gids_are_asked_for_and_names_are_answered() {
        let gids = [Gid::new(&[1, 2]).unwrap(), Gid::new(&[3, 4]).unwrap()];
        let mut read = Vec::new();
        read_gids(b"\xa1\x00\x82\x42\x01\x02\x42\x03\x04", |gid| read.push(gid)).unwrap();
        assert_eq!(read, gids);
        assert_eq!(read_gids(b"\xa0", |_| ()), Err(Error::Range));
        let mut buffer = [0; 128];
        let bytes = encode_names(gids.into_iter().zip(["a/b", "c"]), &mut buffer).unwrap();
        let shown = sedge_cose::cbor::Diagnostic::new(bytes).to_string();
        let expected = r#"{0: [h'0102', h'0304'], 1: ["a/b", "c"], 2: ["/ace-group/a%2Fb", "/ace-group/c"]}"#;
        assert_eq!(shown, expected);
    }
}
