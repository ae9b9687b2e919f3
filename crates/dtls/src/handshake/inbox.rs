//! Incoming handshake messages in one piece (RFC 6347 section 4.2.3).

use super::message::{Fragment, Message, MessageType};
use crate::discard::Discard;
use crate::profile::Buffer;

/// Puts one message together from its fragments, if it fits into `B`.
///
/// A message that arrives whole is handed on where it stands, without a copy. Nothing here is authenticated, so
/// a fragment that contradicts the ones before it (another type, number or length) starts the message anew:
/// junk delays a handshake by one retransmission, but cannot block it.
#[derive(Debug)]
pub(crate) struct Inbox<B> {
    /// Type, message_seq and length of the message in `body`.
    partial: Option<(MessageType, u16, usize)>,
    body: B,
    received: Ranges,
}

impl<B: Buffer> Inbox<B> {
    pub(crate) fn new() -> Self {
        Self { partial: None, body: B::zeroed(), received: Ranges::default() }
    }

    /// Takes a fragment in; the message, if it is whole now.
    pub(crate) fn accept<'a>(&'a mut self, fragment: Fragment<'a>) -> Result<Option<Message<'a>>, Discard> {
        let Fragment { message_type, length, message_seq, offset, body } = fragment;
        if fragment.is_whole() {
            return Ok(Some(Message { message_type, message_seq, body }));
        }
        let length16 = u16::try_from(length).map_err(|_| Discard::HandshakeTooLong)?;
        if length > self.body.bytes().len() {
            return Err(Discard::HandshakeTooLong);
        }
        if self.partial != Some((message_type, message_seq, length)) {
            self.partial = Some((message_type, message_seq, length));
            self.received = Ranges::default();
        }
        let end = offset + body.len();
        let place = self.body.bytes_mut().get_mut(offset..end).ok_or(Discard::MalformedHandshake)?;
        // Both are at most `length`.
        if !self.received.insert(offset as u16, end as u16) {
            return Err(Discard::TooManyFragments);
        }
        place.copy_from_slice(body);
        if !self.received.cover(length16) {
            return Ok(None);
        }
        let body = self.body.bytes().get(..length).unwrap_or_default();
        Ok(Some(Message { message_type, message_seq, body }))
    }

    /// The message put together was looked at: makes room for the next one, or a better one.
    pub(crate) const fn clear(&mut self) {
        self.partial = None;
    }
}

/// Which bytes of a message have come: ranges that neither touch nor overlap.
#[derive(Clone, Copy, Debug, Default)]
struct Ranges {
    ranges: [(u16, u16); Self::MAX],
    len: u8,
}

impl Ranges {
    /// How many pieces may lie apart. A sender cuts a message in order, so more come only of heavy reordering.
    const MAX: usize = 6;

    /// Adds `from..to`; `false` if there are too many pieces already.
    fn insert(&mut self, mut from: u16, mut to: u16) -> bool {
        let mut kept = Self::default();
        for &(start, end) in self.ranges.iter().take(usize::from(self.len)) {
            match start <= to && from <= end {
                true => (from, to) = (from.min(start), to.max(end)),
                false => kept.push(start, end),
            }
        }
        if usize::from(kept.len) == Self::MAX {
            return false;
        }
        kept.push(from, to);
        *self = kept;
        true
    }

    fn push(&mut self, from: u16, to: u16) {
        if let Some(place) = self.ranges.get_mut(usize::from(self.len)) {
            *place = (from, to);
            self.len += 1;
        }
    }

    /// Whether all of `0..length` has come.
    fn cover(&self, length: u16) -> bool {
        self.len == 1 && self.ranges.first() == Some(&(0, length))
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
        let mut inbox = Inbox::<[u8; 100]>::new();
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
                let mut inbox = Inbox::<[u8; 64]>::new();
                assert!(inbox.accept(parts[0]).unwrap().is_none());
                assert_eq!(inbox.accept(parts[1]).unwrap().unwrap().body, body);
            }
        }
    }

    #[test]
    fn a_contradicting_fragment_does_not_block_the_message() {
        let (genuine, junk) = ([7u8; 40], [9u8; 44]);
        let mut inbox = Inbox::<[u8; 64]>::new();
        assert!(inbox.accept(fragment(&junk, 0, 20)).unwrap().is_none());
        assert!(inbox.accept(fragment(&genuine, 0, 20)).unwrap().is_none());
        assert_eq!(inbox.accept(fragment(&genuine, 20, 40)).unwrap().unwrap().body, genuine);
    }

    #[test]
    fn a_message_longer_than_the_buffer_is_refused_at_its_first_fragment() {
        let body = [0u8; 65];
        let mut inbox = Inbox::<[u8; 64]>::new();
        assert_eq!(inbox.accept(fragment(&body, 0, 10)).unwrap_err(), Discard::HandshakeTooLong);
        assert!(inbox.accept(fragment(&body, 0, 65)).unwrap().is_some(), "whole, it needs no buffer");
    }
}
