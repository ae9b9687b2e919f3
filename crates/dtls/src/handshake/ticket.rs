//! Session tickets: what a server would have to remember, kept by the client instead (RFC 5077).
//!
//! ```text
//! +----------+-----------+--------------------------------+---------+
//! | key id 4 | nonce  12 | what is remembered, encrypted  | tag 16  |
//! +----------+-----------+--------------------------------+---------+
//! ```

use core::fmt;

use sedge_crypto::{Aead, Crypto, CryptoRng, Secret};
use sedge_time::{Duration, Instant};

use crate::wire::{Reader, Writer};

/// The keys that seal a server's tickets.
///
/// [`rotate`](Self::rotate) them every now and then (a few hours are good): a ticket stays good until the second
/// rotation after it was made, or until it expires. A key that leaks opens every session whose ticket it sealed,
/// recorded ones included if they were resumed; so keys never leave this type and are gone when it is.
pub struct TicketKeys {
    current: TicketKey,
    previous: TicketKey,
}

/// For how long one proof of who a peer is lets it come back without another, however often its ticket is renewed (RFC 8446
/// section 4.6.1): a week, which is also the longest lifetime of a ticket. Then a certificate has to be shown again, and in
/// DTLS 1.2 the secret of all those sessions is replaced.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// When a new ticket for somebody who is known since `authenticated` ends; `None` if it is too late for any.
pub(crate) fn ends(now: Instant, lifetime: Duration, authenticated: Instant) -> Option<Instant> {
    Some((now + lifetime).min(authenticated + MAX_AGE)).filter(|&end| end > now)
}

/// One key, and how a ticket names it.
struct TicketKey {
    id: [u8; KEY_ID],
    key: Secret<16>,
}

const KEY_ID: usize = 4;
const NONCE: usize = 12;
/// A full tag: what is sealed is worth more than one record.
const AEAD: Aead = Aead::Aes128Ccm;

impl TicketKeys {
    /// How many bytes a ticket is longer than what it holds.
    pub(crate) const OVERHEAD: usize = KEY_ID + NONCE + AEAD.tag_len();

    /// Two random keys.
    pub fn new(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self { current: TicketKey::random(rng), previous: TicketKey::random(rng) }
    }

    /// Replaces the older key; tickets sealed with it are good no more.
    pub fn rotate(&mut self, rng: &mut (impl CryptoRng + ?Sized)) {
        self.previous = core::mem::replace(&mut self.current, TicketKey::random(rng));
    }

    /// Writes a ticket that holds `content` to `out`.
    ///
    /// `kind` says what the content is: a ticket opens only as what it was sealed as. The nonce is random: with 96
    /// bits, 2^32 tickets under one key leave a chance of 2^-33 that two share one.
    pub(crate) fn seal<C: Crypto, R: CryptoRng + ?Sized>(
        &self,
        crypto: &C,
        rng: &mut R,
        kind: u8,
        content: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let TicketKey { id, key } = &self.current;
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let len = content.len() + Self::OVERHEAD;
        let (head, sealed) = out.get_mut(..len)?.split_at_mut_checked(KEY_ID + NONCE)?;
        let (sealed, tag) = sealed.split_at_mut_checked(content.len())?;
        let mut head = Writer::new(head);
        head.bytes(id);
        head.bytes(&nonce);
        sealed.copy_from_slice(content);
        let computed = crypto.seal(AEAD, key.expose(), &nonce, &[kind], sealed).ok()?;
        tag.copy_from_slice(computed.as_bytes());
        Some(len)
    }

    /// What a ticket holds, written to `content`, which has room for it; `None` for what this server did not seal.
    pub(crate) fn open<'a, C: Crypto>(
        &self,
        crypto: &C,
        kind: u8,
        ticket: &[u8],
        content: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        let mut ticket = Reader::new(ticket);
        let id = ticket.array()?;
        let nonce: [u8; NONCE] = ticket.array()?;
        let sealed = ticket.rest();
        let (sealed, tag) = sealed.split_at_checked(sealed.len().checked_sub(AEAD.tag_len())?)?;
        let TicketKey { key, .. } = [&self.current, &self.previous].into_iter().find(|key| key.id == id)?;
        let content = content.get_mut(..sealed.len())?;
        content.copy_from_slice(sealed);
        crypto.open(AEAD, key.expose(), &nonce, &[kind], content, tag).ok()?;
        Some(content)
    }
}

impl TicketKey {
    fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut random = Self { id: [0; KEY_ID], key: Secret::zero() };
        rng.fill_bytes(&mut random.id);
        rng.fill_bytes(random.key.expose_mut());
        random
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use sedge_crypto::{RustCrypto, TryCryptoRng, TryRng};
    use std::vec::Vec;

    /// A counter is random enough to be different every time.
    struct Counter(u8);

    impl TryRng for Counter {
        type Error = core::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            self.0 += 1;
            Ok(self.0.into())
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            self.try_next_u32().map(Into::into)
        }

        fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
            self.0 += 1;
            dst.fill(self.0);
            Ok(())
        }
    }

    impl TryCryptoRng for Counter {}

    fn seal(keys: &TicketKeys, rng: &mut Counter) -> Vec<u8> {
        let mut out = [0; 64];
        let len = keys.seal(&RustCrypto, rng, 2, b"remember me", &mut out).unwrap();
        out[..len].to_vec()
    }

    fn open(keys: &TicketKeys, kind: u8, ticket: &[u8]) -> Option<Vec<u8>> {
        keys.open(&RustCrypto, kind, ticket, &mut [0; 32]).map(|content| content.to_vec())
    }

    #[test]
    fn a_ticket_opens_until_the_second_rotation() {
        let rng = &mut Counter(0);
        let mut keys = TicketKeys::new(rng);
        let ticket = seal(&keys, rng);
        assert_eq!(ticket.len(), b"remember me".len() + TicketKeys::OVERHEAD);
        for _ in 0..2 {
            assert_eq!(open(&keys, 2, &ticket), Some(b"remember me".to_vec()));
            keys.rotate(rng);
        }
        assert_eq!(open(&keys, 2, &ticket), None);
    }

    #[test]
    fn nothing_else_opens() {
        let rng = &mut Counter(0);
        let keys = TicketKeys::new(rng);
        let ticket = seal(&keys, rng);
        assert_eq!(open(&keys, 3, &ticket), None, "another kind");
        assert_eq!(open(&TicketKeys::new(rng), 2, &ticket), None, "another server's");
        for len in 0..ticket.len() {
            assert_eq!(open(&keys, 2, &ticket[..len]), None);
        }
        for at in 0..ticket.len() {
            let mut forged = ticket.clone();
            forged[at] ^= 1;
            assert_eq!(open(&keys, 2, &forged), None);
        }
        assert_eq!(open(&keys, 2, &[&ticket[..], &[0]].concat()), None);
        assert!(keys.open(&RustCrypto, 2, &ticket, &mut [0; 10]).is_none(), "no room");
    }

    #[test]
    fn two_tickets_never_look_alike() {
        let rng = &mut Counter(0);
        let keys = TicketKeys::new(rng);
        assert_ne!(seal(&keys, rng)[KEY_ID..], seal(&keys, rng)[KEY_ID..]);
    }
}
