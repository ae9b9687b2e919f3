//! Who the device is, in a line of text, so that one image serves all devices: `ADDRESS:PORT IDENTITY KEY`, the key in
//! hexadecimal, as `sedge device add` has given it.

use core::fmt;
use core::net::SocketAddr;
use core::str::FromStr;

use sedge_client::{Psk, Security};
use zeroize::Zeroizing;

/// A pre-shared key, the name it goes by, and the broker that knows it.
///
/// ```
/// use sedge_board::credential::Credential;
///
/// let credential: Credential = Credential::parse("198.51.100.7:5684 boiler-7 00112233445566778899aabbccddeeff").unwrap();
/// assert_eq!((credential.broker.port(), credential.identity), (5684, "boiler-7"));
/// assert!(credential.security().is_some());
/// assert!(Credential::<core::net::SocketAddrV6>::parse("[2001:db8::1]:5684 boiler-7 no-key").is_none());
/// ```
pub struct Credential<'a, A = SocketAddr> {
    /// Where the broker is.
    pub broker: A,
    /// What the operator calls the device.
    pub identity: &'a str,
    key: Zeroizing<[u8; LONGEST_KEY]>,
    key_len: usize,
}

/// The longest key, in bytes.
const LONGEST_KEY: usize = 32;

impl<'a, A: FromStr> Credential<'a, A> {
    /// Reads the line; `None` if it makes no sense. `A` says which addresses the network has: both kinds
    /// ([`SocketAddr`]), or one.
    pub fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let broker = words.next()?.parse().ok()?;
        let identity = words.next()?;
        let (pairs, []) = words.next()?.as_bytes().as_chunks::<2>() else { return None };
        let mut key = Zeroizing::new([0; LONGEST_KEY]);
        for (byte, pair) in key.get_mut(..pairs.len())?.iter_mut().zip(pairs) {
            *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self { broker, identity, key, key_len: pairs.len() })
    }

    /// What [`Client::new`](sedge_client::Client::new) wants to be told; `None` if the key is too long.
    pub fn security(&self) -> Option<Security<'_>> {
        let key = Psk::new(self.key.get(..self.key_len)?)?;
        Some(Security::Psk { identity: self.identity.as_bytes(), key })
    }
}

impl<A: fmt::Display> fmt::Debug for Credential<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({} {} [secret])", self.broker, self.identity)
    }
}
