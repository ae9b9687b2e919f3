//! DTLS 1.2, written out once more: messages, records, the key schedule. Everything here is the test's own.

pub mod client;
pub mod server;

use sedge_crypto::{Aead, Crypto, Mac, RustCrypto};

use crate::scripts::wire::{HANDSHAKE, record, vec16};

pub const PSK: u16 = 0xc0a8;
pub const ECDHE_PSK: u16 = 0xd003;
pub const ECDHE_ECDSA: u16 = 0xc0ae;

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
