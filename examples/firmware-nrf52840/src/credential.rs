//! Who the device is: a line of text `ADDRESS:PORT IDENTITY KEY`, the key in hexadecimal, in a page of its own.

use core::net::SocketAddrV6;

use sedge_client::{Psk, Security};

pub struct Credential<'a> {
    pub broker: SocketAddrV6,
    /// What the operator calls the device.
    pub identity: &'a str,
    key: [u8; 32],
    key_len: usize,
}

impl<'a> Credential<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let broker = words.next()?.parse().ok()?;
        let identity = words.next()?;
        let digits = words.next()?.as_bytes();
        let mut key = [0; 32];
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let key_len = pairs.len();
        for (byte, pair) in key.get_mut(..key_len)?.iter_mut().zip(pairs) {
            *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self { broker, identity, key, key_len })
    }

    pub fn security(&self) -> Option<Security<'_>> {
        let key = Psk::new(self.key.get(..self.key_len)?)?;
        Some(Security::Psk { identity: self.identity.as_bytes(), key })
    }
}
