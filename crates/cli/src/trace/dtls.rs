//! The records of a datagram, as far as they can be read without keys (RFC 6347, RFC 9146).

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
}

/// The content type of records with a Connection ID.
const TLS12_CID: u8 = 25;

/// Takes a datagram apart. `cid_len` is the length of the Connection IDs on records of this direction; nothing
/// if that is not known, for then the last record takes up the rest.
pub(crate) fn records(mut datagram: &[u8], cid_len: Option<usize>) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    while let Some(&[content_type, _, _, epoch_high, epoch_low]) = datagram.first_chunk() {
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
        other => format!("record of type {other}"),
    }
}

/// An alert in words.
pub(crate) fn alert(level: u8, description: u8) -> String {
    let level = if level == 2 { "fatal" } else { "warning" };
    format!("alert: {level} {}", sedge_dtls::AlertDescription(description))
}

fn handshake_messages(mut body: &[u8]) -> String {
    let mut names = Vec::new();
    while let [kind, _, _, _, _, _, _, _, _, high, middle, low, rest @ ..] = body {
        let fragment = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        names.push(handshake_name(*kind));
        body = rest.get(fragment..).unwrap_or_default();
    }
    names.join(" + ")
}

fn handshake_name(kind: u8) -> &'static str {
    match kind {
        0 => "HelloRequest",
        1 => "ClientHello",
        2 => "ServerHello",
        3 => "HelloVerifyRequest",
        11 => "Certificate",
        12 => "ServerKeyExchange",
        13 => "CertificateRequest",
        14 => "ServerHelloDone",
        15 => "CertificateVerify",
        16 => "ClientKeyExchange",
        20 => "Finished",
        _ => "handshake message",
    }
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
