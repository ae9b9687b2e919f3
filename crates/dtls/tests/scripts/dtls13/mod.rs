//! DTLS 1.3, written out once more: messages, records, the key schedule. Everything here is the test's own.

pub mod client;
pub mod server;

use sedge_crypto::{Aead, Crypto, Mac, RustCrypto};

use crate::scripts::wire::{HANDSHAKE, sha256, vec8, vec16};

pub const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
pub const CCM_8: [u8; 2] = [0x13, 0x05];

/// Extensions.
pub const SUPPORTED_GROUPS: u16 = 10;
pub const SIGNATURE_ALGORITHMS: u16 = 13;
pub const CLIENT_CERTIFICATE_TYPE: u16 = 19;
pub const SERVER_CERTIFICATE_TYPE: u16 = 20;
pub const PRE_SHARED_KEY: u16 = 41;
pub const SUPPORTED_VERSIONS: u16 = 43;
pub const COOKIE: u16 = 44;
pub const PSK_KEY_EXCHANGE_MODES: u16 = 45;
pub const KEY_SHARE: u16 = 51;

/// A message in the transcript (RFC 9147 section 5.2): without its number and its offset.
pub fn transcribed(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

/// What stands for the first ClientHello once it was answered by a HelloRetryRequest (RFC 8446 section 4.4.1).
pub fn message_hash(hello: &[u8]) -> Vec<u8> {
    transcribed(254, &sha256(hello))
}

pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = RustCrypto.hmac_sha256(key);
    parts.iter().for_each(|part| mac.update(part));
    mac.finish()
}

/// HKDF-Expand-Label (RFC 9147 section 5.9), for outputs of one block.
pub fn expand_label(secret: &[u8], label: &str, context: &[u8], length: u16) -> Vec<u8> {
    let label = vec8(format!("dtls13{label}").as_bytes());
    let out = hmac(secret, &[&length.to_be_bytes(), &label, &vec8(context), &[1]]);
    out[..usize::from(length)].to_vec()
}

/// The secrets of a handshake, one after the other (RFC 8446 section 7.1).
#[derive(Clone, Debug)]
pub struct Schedule(Vec<u8>);

impl Schedule {
    pub fn early(psk: &[u8]) -> Self {
        Self(hmac(&[0; 32], &[psk]).to_vec())
    }

    pub fn next(&self, input: &[u8]) -> Self {
        Self(hmac(&self.derive("derived", &[]), &[input]).to_vec())
    }

    /// Derive-Secret over these messages.
    pub fn derive(&self, label: &str, messages: &[u8]) -> Vec<u8> {
        expand_label(&self.0, label, &sha256(messages), 32)
    }
}

/// What a Finished or a binder says.
pub fn finished(secret: &[u8], messages: &[u8]) -> Vec<u8> {
    hmac(&expand_label(secret, "finished", &[], 32), &[&sha256(messages)]).to_vec()
}

/// What a CertificateVerify signs.
pub fn signed_digest(text: &str, messages: &[u8]) -> [u8; 32] {
    sha256(&[&[b' '; 64][..], text.as_bytes(), &[0], &sha256(messages)].concat())
}

fn nonce(secret: &[u8], sequence: u64) -> Vec<u8> {
    let mut nonce = expand_label(secret, "iv", &[], 12);
    nonce[4..].iter_mut().zip(sequence.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
    nonce
}

fn mask(secret: &[u8], ciphertext: &[u8]) -> [u8; 16] {
    let mut block = ciphertext[..16].try_into().unwrap();
    let key: [u8; 16] = expand_label(secret, "sn", &[], 16).try_into().unwrap();
    RustCrypto.encrypt_block(&key, &mut block);
    block
}

/// A CCM_8 record with a 16-bit number and a length, and without Connection ID.
pub fn seal(secret: &[u8], epoch: u8, sequence: u16, kind: u8, plaintext: &[u8]) -> Vec<u8> {
    let mut inner = [plaintext, &[kind]].concat();
    inner.resize(inner.len().max(8), 0);
    let first = 0x2c | epoch;
    let length = (inner.len() as u16 + 8).to_be_bytes();
    let mut header = [&[first][..], &sequence.to_be_bytes(), &length].concat();
    let key: [u8; 16] = expand_label(secret, "key", &[], 16).try_into().unwrap();
    let nonce = nonce(secret, sequence.into());
    let tag = RustCrypto.seal(Aead::Aes128Ccm8, &key, &nonce, &header, &mut inner).unwrap();
    inner.extend_from_slice(tag.as_bytes());
    let mask = mask(secret, &inner);
    header[1] ^= mask[0];
    header[2] ^= mask[1];
    [header, inner].concat()
}

/// The handshake messages in the records of one datagram: type, message_seq, body. Those of `epoch` 2 are opened with
/// this secret, all others but plaintext ones are left alone.
pub fn handshake_messages(mut datagram: &[u8], secret: &[u8]) -> Vec<(u8, u16, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some(&first) = datagram.first() {
        let (kind, content, rest) = match first {
            0x20..=0x3f => open(datagram, secret),
            _ => {
                let (fragment, rest) =
                    datagram[13..].split_at(usize::from(u16::from_be_bytes([datagram[11], datagram[12]])));
                (first, fragment.to_vec(), rest)
            }
        };
        let mut content = &content[..];
        while kind == HANDSHAKE && !content.is_empty() {
            let length = usize::from(u16::from_be_bytes([content[2], content[3]]));
            assert_eq!(content[1..4], content[9..12], "in one piece");
            let body = content[12..12 + length].to_vec();
            found.push((content[0], u16::from_be_bytes([content[4], content[5]]), body));
            content = &content[12 + length..];
        }
        datagram = rest;
    }
    found
}

fn open<'a>(record: &'a [u8], secret: &[u8]) -> (u8, Vec<u8>, &'a [u8]) {
    let first = record[0];
    assert_eq!(first & 0x10, 0, "no Connection ID was asked for");
    let number_len = 1 + usize::from(first & 8 != 0);
    let header_len = 1 + number_len + if first & 4 != 0 { 2 } else { 0 };
    let length = match first & 4 {
        0 => record.len() - header_len,
        _ => usize::from(u16::from_be_bytes([record[header_len - 2], record[header_len - 1]])),
    };
    let (ciphertext, rest) = record[header_len..].split_at(length);
    if first & 3 != 2 {
        return (0, Vec::new(), rest);
    }
    let mut header = record[..header_len].to_vec();
    let mask = mask(secret, ciphertext);
    header[1..1 + number_len].iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    let number = header[1..1 + number_len].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let key: [u8; 16] = expand_label(secret, "key", &[], 16).try_into().unwrap();
    let (inner, tag) = ciphertext.split_at(length - 8);
    let mut inner = inner.to_vec();
    RustCrypto.open(Aead::Aes128Ccm8, &key, &nonce(secret, number), &header, &mut inner, tag).unwrap();
    while inner.last() == Some(&0) {
        let _padding = inner.pop();
    }
    (inner.pop().unwrap(), inner, rest)
}

/// A Certificate message with this entry, or without any.
pub fn certificate(entry: Option<&[u8]>) -> Vec<u8> {
    let entry =
        entry.map(|entry| [crate::scripts::wire::vec24(entry), vec16(&[])].concat()).unwrap_or_default();
    [vec8(&[]), crate::scripts::wire::vec24(&entry)].concat()
}
