//! What both versions have on the wire, as the test's own.

use sedge_crypto::{Crypto, Hash, RustCrypto};

pub const CCS: u8 = 20;
pub const HANDSHAKE: u8 = 22;
pub const APPLICATION_DATA: u8 = 23;
pub const ACK: u8 = 26;

pub const CLIENT_HELLO: u8 = 1;
pub const SERVER_HELLO: u8 = 2;
pub const HELLO_VERIFY_REQUEST: u8 = 3;
pub const NEW_SESSION_TICKET: u8 = 4;
pub const END_OF_EARLY_DATA: u8 = 5;
pub const ENCRYPTED_EXTENSIONS: u8 = 8;
pub const CERTIFICATE: u8 = 11;
pub const SERVER_KEY_EXCHANGE: u8 = 12;
pub const CERTIFICATE_REQUEST: u8 = 13;
pub const SERVER_HELLO_DONE: u8 = 14;
pub const CERTIFICATE_VERIFY: u8 = 15;
pub const CLIENT_KEY_EXCHANGE: u8 = 16;
pub const FINISHED: u8 = 20;
pub const KEY_UPDATE: u8 = 24;

/// A vector with its length in one byte.
pub fn vec8(content: &[u8]) -> Vec<u8> {
    [&[content.len() as u8], content].concat()
}

/// A vector with its length in two bytes.
pub fn vec16(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u16).to_be_bytes()[..], content].concat()
}

/// A vector with its length in three bytes.
pub fn vec24(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_be_bytes()[1..], content].concat()
}

pub fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(data)].concat()
}

pub fn message(kind: u8, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let length = &(body.len() as u32).to_be_bytes()[1..];
    [&[kind], length, &message_seq.to_be_bytes(), &[0; 3], length, body].concat()
}

pub fn record(kind: u8, epoch: u16, sequence: u64, fragment: &[u8]) -> Vec<u8> {
    let sequence = &sequence.to_be_bytes()[2..];
    [&[kind, 0xfe, 0xfd], &epoch.to_be_bytes()[..], sequence, &vec16(fragment)].concat()
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = RustCrypto.sha256();
    hash.update(bytes);
    hash.finish()
}

/// The data of an extension in a ClientHello's body.
pub fn hello_extension(body: &[u8], wanted: u16) -> Option<Vec<u8>> {
    let mut at = 34;
    at += 1 + usize::from(body[at]);
    at += 1 + usize::from(body[at]);
    at += 2 + usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
    at += 1 + usize::from(body[at]);
    let mut list = &body[at + 2..];
    while let [a, b, high, low, rest @ ..] = list {
        let (data, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        if u16::from_be_bytes([*a, *b]) == wanted {
            return Some(data.to_vec());
        }
        list = rest;
    }
    None
}
