//! Datagrams on their way to the socket.

use sedge_crypto::Crypto;
use sedge_endpoint::Host;

use crate::memory::Server;

/// Learns the secrets of a client's sessions.
#[cfg(feature = "std")]
type KeyLog = std::boxed::Box<dyn FnMut(&str, &[u8; 32], &[u8]) + Send>;

/// Holds the datagrams that one call makes until the caller sends them, each after its length in two bytes.
pub struct Outbox<B> {
    memory: B,
    len: usize,
    #[cfg(feature = "std")]
    key_log: Option<KeyLog>,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Outbox<B> {
    /// An empty one in the caller's memory, which should have room for the largest datagram and two bytes.
    pub const fn new(memory: B) -> Self {
        Self {
            memory,
            len: 0,
            #[cfg(feature = "std")]
            key_log: None,
        }
    }

    /// Tells the secrets of every session from now on; see [`KeyLog`](sedge_dtls::KeyLog).
    #[cfg(feature = "std")]
    pub fn dangerous_log_keys(&mut self, log: impl FnMut(&str, &[u8; 32], &[u8]) + Send + 'static) {
        self.key_log = Some(std::boxed::Box::new(log));
    }

    /// The datagram to send next.
    pub fn front(&self) -> Option<&[u8]> {
        let (&length, rest) = self.memory.as_ref().get(..self.len)?.split_first_chunk()?;
        rest.get(..usize::from(u16::from_be_bytes(length)))
    }

    /// Takes out the datagram that was sent.
    pub fn pop(&mut self) {
        let size = self.front().map_or(self.len, |datagram| 2 + datagram.len());
        if size <= self.len {
            self.memory.as_mut().copy_within(size..self.len, 0);
            self.len -= size;
        }
    }

    /// Whether everything was sent.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<C: Crypto, B: AsRef<[u8]> + AsMut<[u8]>> Host<C> for Outbox<B> {
    type Path = Server;

    fn transmit(&mut self, _: &Server, fill: impl FnOnce(&mut [u8]) -> usize) -> bool {
        let Some((length, room)) =
            self.memory.as_mut().get_mut(self.len..).and_then(<[u8]>::split_first_chunk_mut)
        else {
            return false;
        };
        let room_len = room.len().min(usize::from(u16::MAX));
        let written = fill(room.get_mut(..room_len).unwrap_or_default()).min(room_len);
        *length = (written as u16).to_be_bytes();
        self.len += if written == 0 { 0 } else { 2 + written };
        true
    }

    const DANGEROUS_KEY_LOG: bool = cfg!(feature = "std");

    #[cfg(feature = "std")]
    fn dangerous_log_keys(&mut self, label: &'static str, client_random: &[u8; 32], secret: &[u8]) {
        if let Some(log) = &mut self.key_log {
            log(label, client_random, secret);
        }
    }
}

#[cfg(test)]
mod tests {
    use sedge_crypto::RustCrypto;

    use super::*;

    fn transmit(outbox: &mut Outbox<[u8; 16]>, fill: impl FnOnce(&mut [u8]) -> usize) -> bool {
        Host::<RustCrypto>::transmit(outbox, &Server, fill)
    }

    #[test]
    fn datagrams_queue_up_while_there_is_room() {
        let mut outbox = Outbox::new([0; 16]);
        assert!(transmit(&mut outbox, |room| {
            room[..3].copy_from_slice(b"abc");
            3
        }));
        assert!(transmit(&mut outbox, |_| 0));
        assert!(transmit(&mut outbox, |room| {
            assert_eq!(room.len(), 9);
            room.fill(7);
            9
        }));
        assert!(!transmit(&mut outbox, |_| unreachable!("there is no room")));
        assert_eq!(outbox.front(), Some(&b"abc"[..]));
        outbox.pop();
        assert_eq!(outbox.front(), Some(&[7; 9][..]));
        outbox.pop();
        assert!(outbox.is_empty() && outbox.front().is_none());
    }
}
