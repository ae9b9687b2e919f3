//! The records of a datagram, as far as they can be read without keys (RFC 6347, RFC 9146, RFC 9147).

use super::handshake;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record<'d> {
    pub(crate) content: Content<'d>,
    /// Bytes on the wire, header included.
    pub(crate) size: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content<'d> {
    /// In the clear, and what it is.
    Clear(String),
    /// Sealed: so many bytes of plaintext, of the type that the header tells; a record with a Connection ID
    /// has its type inside.
    Sealed { content_type: Option<u8>, ciphertext: &'d [u8] },
    /// The rest of a datagram: sealed records of DTLS 1.3 whose borders only their receiver knows.
    SealedRest,
}

/// The content type of records with a Connection ID.
const TLS12_CID: u8 = 25;

/// The fixed bits at the beginning of a sealed record of DTLS 1.3 (RFC 9147 section 4).
const UNIFIED: u8 = 0b0010_0000;

/// Takes a datagram apart. `cid_len` is the length of the Connection IDs on records of this direction; nothing
/// if that is not known, for then the last record takes up the rest.
pub(crate) fn records(mut datagram: &[u8], cid_len: Option<usize>) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    loop {
        if let Some(first) = datagram.first().copied().filter(|first| first & 0b1110_0000 == UNIFIED) {
            match unified(first, datagram, cid_len) {
                Some((record, rest)) => {
                    records.push(record);
                    datagram = rest;
                    continue;
                }
                None => {
                    records.push(Record { content: Content::SealedRest, size: datagram.len() });
                    break;
                }
            }
        }
        let Some(&[content_type, _, _, epoch_high, epoch_low]) = datagram.first_chunk() else { break };
        let epoch = u16::from_be_bytes([epoch_high, epoch_low]);
        let (header, body) = if content_type == TLS12_CID {
            match cid_len {
                Some(len) => (13 + len, body_len(datagram, 11 + len)),
                None => (13, Some(datagram.len().saturating_sub(13))),
            }
        } else {
            (13, body_len(datagram, 11))
        };
        let size = header + body.unwrap_or(0);
        let (Some(ciphertext), Some(rest)) = (datagram.get(header..size), datagram.get(size..)) else {
            break;
        };
        let content = match (content_type, epoch) {
            (TLS12_CID, _) => Content::Sealed { content_type: None, ciphertext },
            (_, 0) => Content::Clear(clear(content_type, ciphertext)),
            _ => Content::Sealed { content_type: Some(content_type), ciphertext },
        };
        records.push(Record { content, size });
        datagram = rest;
    }
    records
}

/// A sealed record of DTLS 1.3, and what comes after it; nothing if it cannot be told where it ends.
fn unified(first: u8, datagram: &[u8], cid_len: Option<usize>) -> Option<(Record<'_>, &[u8])> {
    let (has_cid, long_number, has_len) = (first & 0x10 != 0, first & 0x08 != 0, first & 0x04 != 0);
    let cid = if has_cid { cid_len? } else { 0 };
    let at = 1 + cid + if long_number { 2 } else { 1 };
    let (header, body) =
        if has_len { (at + 2, body_len(datagram, at)?) } else { (at, datagram.len().checked_sub(at)?) };
    let ciphertext = datagram.get(header..header + body)?;
    let content = Content::Sealed { content_type: None, ciphertext };
    Some((Record { content, size: header + body }, datagram.get(header + body..)?))
}

fn body_len(datagram: &[u8], at: usize) -> Option<usize> {
    let bytes = datagram.get(at..at + 2)?;
    Some(usize::from(u16::from_be_bytes(bytes.try_into().ok()?)))
}

/// What a record in the clear says.
pub(crate) fn clear(content_type: u8, body: &[u8]) -> String {
    match content_type {
        20 => "ChangeCipherSpec".into(),
        21 => match body {
            [level, description] => alert(*level, *description),
            _ => "alert".into(),
        },
        22 => handshake_messages(body),
        26 => "ACK".into(),
        27 => return_routability(body).into(),
        other => format!("record of type {other}"),
    }
}

/// A message of a return routability check (RFC 9853 section 4).
const fn return_routability(body: &[u8]) -> &'static str {
    match body {
        [0, ..] => "path_challenge",
        [1, ..] => "path_response",
        [2, ..] => "path_drop",
        _ => "return routability check",
    }
}

/// An alert in words.
pub(crate) fn alert(level: u8, description: u8) -> String {
    let level = if level == 2 { "fatal" } else { "warning" };
    format!("alert: {level} {}", sedge_dtls::AlertDescription(description))
}

fn handshake_messages(body: &[u8]) -> String {
    let messages = handshake::messages(body);
    messages.iter().map(handshake::Handshake::describe).collect::<Vec<_>>().join(" + ")
}

/// Takes the padding and the inner content type off a plaintext (RFC 9146 section 4).
pub(crate) fn inner(plaintext: &[u8]) -> Option<(u8, &[u8])> {
    let end = plaintext.iter().rposition(|byte| *byte != 0)?;
    Some((*plaintext.get(end)?, plaintext.get(..end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content_type: u8, epoch: u8, cid: &[u8], body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1];
        bytes.extend(cid);
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn a_flight_is_read() {
        let hello = [&[1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2][..], b"xy"].concat();
        let flight =
            [record(22, 0, b"", &hello), record(20, 0, b"", b"\x01"), record(22, 1, b"", &[7; 40])].concat();
        let read = records(&flight, None);
        assert_eq!(read[0].content, Content::Clear("ClientHello".into()));
        assert_eq!(read[1].content, Content::Clear("ChangeCipherSpec".into()));
        assert_eq!(read[2].content, Content::Sealed { content_type: Some(22), ciphertext: &[7; 40] });
        assert_eq!(read.iter().map(|record| record.size).sum::<usize>(), flight.len());
    }

    #[test]
    fn records_of_dtls_1_3_are_read() {
        // Without a Connection ID, one with a length and one without; then with one of unknown length.
        let flight = [&[0x2e, 0, 1, 0, 3, 7, 7, 7][..], &[0x2a, 0, 2, 9, 9]].concat();
        let read = records(&flight, Some(0));
        assert_eq!(read[0].content, Content::Sealed { content_type: None, ciphertext: &[7; 3] });
        assert_eq!(read[1].content, Content::Sealed { content_type: None, ciphertext: &[9; 2] });
        let with_cid = [0x3e, 1, 2, 0, 1, 0, 1, 7];
        assert_eq!(records(&with_cid, None)[0].content, Content::SealedRest);
        assert_eq!(
            records(&with_cid, Some(2))[0].content,
            Content::Sealed { content_type: None, ciphertext: &[7] }
        );
        assert_eq!((clear(26, &[0; 18]), clear(27, &[1; 9])), ("ACK".into(), "path_response".into()));
    }

    #[test]
    fn connection_ids_and_inner_types_are_read() {
        let datagram = record(25, 1, b"cid1", &[9; 30]);
        let read = records(&datagram, Some(4));
        assert_eq!(read[0].content, Content::Sealed { content_type: None, ciphertext: &[9; 30] });
        assert_eq!(records(&datagram, None).len(), 1);
        assert_eq!(inner(b"hello\x17\x00\x00"), Some((23, &b"hello"[..])));
        assert_eq!(inner(b"\x00"), None);
        assert!(records(&datagram[..20], Some(4)).is_empty());
        assert_eq!(clear(21, &[2, 40]), "alert: fatal handshake_failure");
    }
}
