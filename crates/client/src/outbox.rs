//! Datagrams on their way to the socket.

/// Learns the secrets of a client's sessions.
#[cfg(feature = "std")]
type Listener = std::boxed::Box<dyn FnMut(&str, &[u8; 32], &[u8]) + Send>;

/// Who learns them.
#[cfg(feature = "std")]
struct Log(Listener);

#[cfg(feature = "std")]
impl sedge_dtls::KeyLog for Log {
    fn secret(&mut self, label: &'static str, client_random: &[u8; 32], secret: &[u8]) {
        (self.0)(label, client_random, secret);
    }
}

/// Holds the datagrams that one call makes until the caller sends them, each after its length in two bytes.
#[repr(C)]
pub(crate) struct Outbox<B> {
    /// What waits stands in between. Both are zero when nothing does.
    start: usize,
    end: usize,
    #[cfg(feature = "std")]
    key_log: Option<Log>,
    memory: B,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Outbox<B> {
    /// An empty one in the caller's memory, which should have room for the largest datagram and two bytes.
    pub(crate) const fn new(memory: B) -> Self {
        Self {
            memory,
            start: 0,
            end: 0,
            #[cfg(feature = "std")]
            key_log: None,
        }
    }

    /// Tells the secrets of every session from now on; see [`KeyLog`](sedge_dtls::KeyLog).
    #[cfg(feature = "std")]
    pub(crate) fn dangerous_log_keys(&mut self, log: impl FnMut(&str, &[u8; 32], &[u8]) + Send + 'static) {
        self.key_log = Some(Log(std::boxed::Box::new(log)));
    }

    /// Who learns the secrets of a handshake.
    #[cfg(feature = "std")]
    pub(crate) fn key_log(&mut self) -> Option<&mut dyn sedge_dtls::KeyLog> {
        self.key_log.as_mut().map(|log| log as &mut dyn sedge_dtls::KeyLog)
    }

    /// Where the next datagram is to be written, before it is [committed](Self::commit); `None` if there is no room.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn room(&mut self) -> Option<&mut [u8]> {
        self.memory.as_mut().get_mut(self.end + 2..)
    }

    /// Adds the datagram whose first byte stands where the room begins; of no length, it is none.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn commit(&mut self, len: usize) {
        let (Ok(encoded @ 1..), Some(place)) = (u16::try_from(len), self.memory.as_mut().get_mut(self.end..))
        else {
            return;
        };
        if let Some(length) = place.first_chunk_mut() {
            *length = encoded.to_be_bytes();
            self.end += 2 + len;
        }
    }

    /// The datagram to send next.
    pub(crate) fn front(&self) -> Option<&[u8]> {
        let (&length, rest) = self.memory.as_ref().get(self.start..self.end)?.split_first_chunk()?;
        rest.get(..usize::from(u16::from_be_bytes(length)))
    }

    /// Takes out the datagram that was sent.
    pub(crate) fn pop(&mut self) {
        self.start += self.front().map_or(self.end, |datagram| 2 + datagram.len());
        if self.start >= self.end {
            (self.start, self.end) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_queue_up_while_there_is_room() {
        let mut outbox = Outbox::new([0; 16]);
        outbox.room().unwrap()[..3].copy_from_slice(b"abc");
        outbox.commit(3);
        outbox.commit(0);
        assert_eq!(outbox.room().unwrap().len(), 9);
        outbox.room().unwrap().fill(7);
        outbox.commit(9);
        assert!(outbox.room().is_none());
        assert_eq!(outbox.front(), Some(&b"abc"[..]));
        outbox.pop();
        assert_eq!(outbox.front(), Some(&[7; 9][..]));
        outbox.pop();
        assert!(outbox.front().is_none());
    }
}
