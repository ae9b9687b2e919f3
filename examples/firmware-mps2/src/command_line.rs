//! Who the device is. A real one has it in flash, written there when it is made; here it comes with QEMU's command line:
//! `ADDRESS:PORT IDENTITY KEY`, the key in hexadecimal, and then whatever the device is to be told.

use core::net::SocketAddrV4;
use core::str::SplitAsciiWhitespace;

use sedge_client::{Psk, Security};

use crate::board::host;

/// The words of the command line, one after the other.
pub type Words<'a> = SplitAsciiWhitespace<'a>;

/// Where the broker is, and what the device proves to it.
pub struct Credential<'a> {
    pub broker: SocketAddrV4,
    identity: &'a str,
    key: [u8; 32],
    key_len: usize,
}

impl<'a> Credential<'a> {
    /// Reads the command line into `memory`. Gives the words that follow the credential, too.
    pub fn from_command_line(memory: &'a mut [u8]) -> Option<(Self, Words<'a>)> {
        let mut words = host::command_line(memory)?.split_ascii_whitespace();
        let broker = words.next()?.parse().ok()?;
        let identity = words.next()?;
        let digits = words.next()?.as_bytes();
        let mut key = [0; 32];
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let key_len = pairs.len();
        for (byte, pair) in key.get_mut(..key_len)?.iter_mut().zip(pairs) {
            *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some((Self { broker, identity, key, key_len }, words))
    }

    /// For [`Client::new`](sedge_client::Client::new).
    pub fn security(&self) -> Option<Security<'_>> {
        let key = Psk::new(self.key.get(..self.key_len)?)?;
        Some(Security::Psk { identity: self.identity.as_bytes(), key })
    }

    /// What the operator calls the device.
    pub const fn identity(&self) -> &'a str {
        self.identity
    }
}
