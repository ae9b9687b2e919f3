//! DTLS 1.2, written out once more: messages, records, the key schedule. Everything here is the test's own.

mod client;
mod server;

use sedge_crypto::{Aead, Crypto, Hash, Mac, RustCrypto};

pub const CCS: u8 = 20;
pub const HANDSHAKE: u8 = 22;
pub const APPLICATION_DATA: u8 = 23;

pub const CLIENT_HELLO: u8 = 1;
pub const SERVER_HELLO: u8 = 2;
pub const HELLO_VERIFY_REQUEST: u8 = 3;
pub const CERTIFICATE: u8 = 11;
pub const SERVER_KEY_EXCHANGE: u8 = 12;
pub const CERTIFICATE_REQUEST: u8 = 13;
pub const SERVER_HELLO_DONE: u8 = 14;
pub const CERTIFICATE_VERIFY: u8 = 15;
pub const CLIENT_KEY_EXCHANGE: u8 = 16;
pub const FINISHED: u8 = 20;

pub const PSK: u16 = 0xc0a8;
pub const ECDHE_PSK: u16 = 0xd003;
pub const ECDHE_ECDSA: u16 = 0xc0ae;

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

/// The messages in the plaintext records of a datagram: type, message_seq, body.
pub fn messages(mut datagram: &[u8]) -> Vec<(u8, u16, Vec<u8>)> {
    let mut found = Vec::new();
    while let [kind, _, _, 0, 0, _, _, _, _, _, _, high, low, rest @ ..] = datagram {
        let (fragment, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        if *kind == HANDSHAKE {
            let length = usize::from(u16::from_be_bytes([fragment[2], fragment[3]]));
            assert_eq!(fragment.len(), 12 + length, "each message has a record of its own, in one piece");
            found.push((
                fragment[0],
                u16::from_be_bytes([fragment[4], fragment[5]]),
                fragment[12..].to_vec(),
            ));
        }
        datagram = rest;
    }
    found
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = RustCrypto.sha256();
    hash.update(bytes);
    hash.finish()
}

pub fn prf(secret: &[u8], label: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let hmac = |parts: &[&[u8]]| {
        let mut mac = RustCrypto.hmac_sha256(secret);
        parts.iter().for_each(|part| mac.update(part));
        mac.finish()
    };
    let mut a = hmac(&[label, seed]);
    let mut out = Vec::new();
    while out.len() < length {
        out.extend(hmac(&[&a, label, seed]));
        a = hmac(&[&a]);
    }
    out.truncate(length);
    out
}

/// The premaster secret of a pre-shared key (RFC 4279 section 2), with zeros or a shared secret in front.
pub fn psk_premaster(other: &[u8], psk: &[u8]) -> Vec<u8> {
    [vec16(other), vec16(psk)].concat()
}

/// One direction's keys.
#[derive(Clone, Debug)]
pub struct Keys {
    key: [u8; 16],
    salt: [u8; 4],
}

/// The client's and the server's.
pub fn keys(master: &[u8], client_random: &[u8], server_random: &[u8]) -> (Keys, Keys) {
    let block = prf(master, b"key expansion", &[server_random, client_random].concat(), 40);
    let half = |key: usize, salt: usize| Keys {
        key: block[key..key + 16].try_into().unwrap(),
        salt: block[salt..salt + 4].try_into().unwrap(),
    };
    (half(0, 32), half(16, 36))
}

impl Keys {
    /// A CCM_8 record of epoch 1.
    pub fn seal(&self, kind: u8, sequence: u64, plaintext: &[u8]) -> Vec<u8> {
        let number = 1 << 48 | sequence;
        let nonce = [&self.salt[..], &number.to_be_bytes()].concat();
        let aad = [&number.to_be_bytes()[..], &[kind, 0xfe, 0xfd], &(plaintext.len() as u16).to_be_bytes()]
            .concat();
        let mut sealed = plaintext.to_vec();
        let tag = RustCrypto.seal(Aead::Aes128Ccm8, &self.key, &nonce, &aad, &mut sealed).unwrap();
        record(kind, 1, sequence, &[&number.to_be_bytes()[..], &sealed, tag.as_bytes()].concat())
    }
}
