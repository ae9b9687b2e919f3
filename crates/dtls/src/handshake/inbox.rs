//! Incoming handshake messages in one piece (RFC 6347 section 4.2.3).

use super::message::{Fragment, Message, MessageType};
use crate::discard::Discard;

/// Puts one message of at most `N` bytes together from its fragments.
///
/// A message that arrives whole is handed on where it stands, without a copy. Nothing here is authenticated, so
/// a fragment that contradicts the ones before it (another type, number or length) starts the message anew:
/// junk delays a handshake by one retransmission, but cannot block it.
#[derive(Debug)]
pub(crate) struct Inbox<const N: usize> {
    /// Type, message_seq and length of the message in `body`.
    partial: Option<(MessageType, u16, usize)>,
    body: [u8; N],
    /// One bit for every byte of `body`.
    received: [u8; BITMAP],
}

const BITMAP: usize = 24;

impl<const N: usize> Inbox<N> {
    const BITMAP_COVERS_BODY: () = assert!(N <= BITMAP * 8);

    pub(crate) const fn new() -> Self {
        let () = Self::BITMAP_COVERS_BODY;
        Self { partial: None, body: [0; N], received: [0; BITMAP] }
    }

    /// Takes a fragment in; the message, if it is whole now.
    pub(crate) fn accept<'a>(&'a mut self, fragment: Fragment<'a>) -> Result<Option<Message<'a>>, Discard> {
        let Fragment { message_type, length, message_seq, offset, body } = fragment;
        if fragment.is_whole() {
            return Ok(Some(Message { message_type, message_seq, body }));
        }
        if length > N {
            return Err(Discard::HandshakeTooLong);
        }
        if self.partial != Some((message_type, message_seq, length)) {
            self.partial = Some((message_type, message_seq, length));
            self.received = [0; BITMAP];
        }
        let place = self.body.get_mut(offset..).and_then(|tail| tail.get_mut(..body.len()));
        place.ok_or(Discard::MalformedHandshake)?.copy_from_slice(body);
        for bit in offset..offset + body.len() {
            if let Some(byte) = self.received.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
        let count: u32 = self.received.iter().map(|byte| byte.count_ones()).sum();
        if usize::try_from(count) != Ok(length) {
            return Ok(None);
        }
        let body = self.body.get(..length).unwrap_or_default();
        Ok(Some(Message { message_type, message_seq, body }))
    }

    /// The message put together was looked at: makes room for the next one, or a better one.
    pub(crate) const fn clear(&mut self) {
        self.partial = None;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn fragment(body: &[u8], offset: usize, end: usize) -> Fragment<'_> {
        let message_type = MessageType::CLIENT_KEY_EXCHANGE;
        Fragment { message_type, length: body.len(), message_seq: 2, offset, body: &body[offset..end] }
    }

    #[test]
    fn fragments_in_any_order_overlapping_and_twice_make_the_message() {
        let body: Vec<u8> = (0..100).collect();
        let cuts = [(60, 100), (0, 30), (20, 50), (0, 30), (50, 60)];
        let mut inbox = Inbox::<100>::new();
        for (index, (from, to)) in cuts.into_iter().enumerate() {
            let message = inbox.accept(fragment(&body, from, to)).unwrap();
            assert_eq!(message.map(|message| message.body), (index == 4).then_some(&body[..]));
        }
    }

    #[test]
    fn every_split_in_two_works_both_ways_round() {
        let body: Vec<u8> = (0..64).collect();
        for cut in 1..64 {
            for swap in [false, true] {
                let mut parts = [fragment(&body, 0, cut), fragment(&body, cut, 64)];
                if swap {
                    parts.reverse();
                }
                let mut inbox = Inbox::<64>::new();
                assert!(inbox.accept(parts[0]).unwrap().is_none());
                assert_eq!(inbox.accept(parts[1]).unwrap().unwrap().body, body);
            }
        }
    }

    #[test]
    fn a_contradicting_fragment_does_not_block_the_message() {
        let (genuine, junk) = ([7u8; 40], [9u8; 44]);
        let mut inbox = Inbox::<64>::new();
        assert!(inbox.accept(fragment(&junk, 0, 20)).unwrap().is_none());
        assert!(inbox.accept(fragment(&genuine, 0, 20)).unwrap().is_none());
        assert_eq!(inbox.accept(fragment(&genuine, 20, 40)).unwrap().unwrap().body, genuine);
    }

    #[test]
    fn a_message_longer_than_the_buffer_is_refused_at_its_first_fragment() {
        let body = [0u8; 65];
        let mut inbox = Inbox::<64>::new();
        assert_eq!(inbox.accept(fragment(&body, 0, 10)).unwrap_err(), Discard::HandshakeTooLong);
        assert!(inbox.accept(fragment(&body, 0, 65)).unwrap().is_some(), "whole, it needs no buffer");
    }
}
