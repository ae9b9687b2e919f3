//! What only someone with the keys can send: padded, empty and senseless inner plaintexts (RFC 9146 section 4).

extern crate std;

use std::vec::Vec;

use sedge_crypto::{Aead, RustCrypto, Secret};

use super::dtls12::{EPOCH, Parameters, Session12};
use super::*;
use crate::protection::{DirectionKeys, epoch_and_sequence};
use crate::record::Header;
use crate::wire::Writer;

fn session(role: Role) -> Session12 {
    let keys = || DirectionKeys { key: Secret::new([1; 16]), salt: Secret::new([2; 4]) };
    Session12::new(Parameters {
        role,
        suite: CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
        aead: Aead::Aes128Ccm8,
        read: keys(),
        write: keys(),
        own_cid: ConnectionId::new(b"cid").unwrap(),
        peer_cid: ConnectionId::new(b"cid").unwrap(),
        read_limit: 100,
        write_limit: 1 << 14,
        next_sequence: 0,
    })
}

/// A record around this inner plaintext, which a session would never write.
fn record(sequence: u64, inner: &[u8]) -> Vec<u8> {
    let header = Header { content_type: ContentType::TLS12_CID, epoch: EPOCH, sequence };
    let mut record = std::vec![0; 13 + 3 + 8 + inner.len() + 8];
    let (head, fragment) = record.split_at_mut(13 + 3 + 8);
    let mut out = Writer::new(head);
    header.write(&mut out, b"cid", 8 + inner.len() + 8);
    out.bytes(&epoch_and_sequence(&header).to_be_bytes());
    let (text, tag) = fragment.split_at_mut(inner.len());
    text.copy_from_slice(inner);
    session(Role::Client).write.seal(&RustCrypto, Aead::Aes128Ccm8, &header, b"cid", text, tag).unwrap();
    record
}

fn open(session: &mut Session12, sequence: u64, inner: &[u8]) -> Result<Vec<u8>, Discard> {
    match session.open(&RustCrypto, &mut record(sequence, inner))?.content {
        Content::ApplicationData(data) => Ok(data.to_vec()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn padding_is_taken_off_and_content_may_end_in_zeros() {
    let mut server = session(Role::Server);
    let cases: [(&[u8], &[u8]); 5] = [
        (b"text\x17", b"text"),
        (b"text\x17\0\0\0\0\0\0", b"text"),
        (b"\x17", b""),
        (b"\0\0\x17\0", b"\0\0"),
        (b"\x17\x17", b"\x17"),
    ];
    for (sequence, (inner, plaintext)) in (0..).zip(cases) {
        assert_eq!(open(&mut server, sequence, inner), Ok(plaintext.to_vec()));
    }
}

#[test]
fn an_inner_plaintext_without_sense_is_dropped() {
    let mut server = session(Role::Server);
    assert_eq!(open(&mut server, 0, b""), Err(Discard::MalformedContent));
    assert_eq!(open(&mut server, 1, b"\0\0\0"), Err(Discard::MalformedContent));
    assert_eq!(open(&mut server, 2, b"?\x19"), Err(Discard::UnexpectedContentType), "a tls12_cid in another");
    assert_eq!(open(&mut server, 3, b"?\x18"), Err(Discard::UnexpectedContentType));
    assert_eq!(open(&mut server, 4, &[b'x'; 101]), Err(Discard::TooLong));
    assert_eq!(open(&mut server, 3, b"again\x17"), Err(Discard::Replayed), "it was authentic all the same");
    assert_eq!(open(&mut server, 4, b"new\x17"), Ok(b"new".to_vec()), "it was never looked at");
}

/// RFC 9146 section 5.3: the identifier and its length are authenticated, so a record cannot be given another.
#[test]
fn the_connection_id_is_authenticated() {
    let mut other = Session12 { own_cid: ConnectionId::new(b"cie").unwrap(), ..session(Role::Server) };
    let mut renamed = record(0, b"text\x17");
    renamed[13] = b'e';
    assert_eq!(other.open(&RustCrypto, &mut renamed).map(|_| ()), Err(Discard::BadTag));
}
