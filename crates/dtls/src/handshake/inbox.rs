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
    partial: Option<(MessageType, u16, u16)>,
    /// The length of a message in `body` that is wanted for longer.
    kept: Option<u16>,
    received: Ranges,
    body: B,
}

impl<B: Buffer> Inbox<B> {
    pub(crate) fn new() -> Self {
        Self { partial: None, kept: None, received: Ranges::default(), body: B::zeroed() }
    }

    /// Takes a fragment in; the message, if it is whole now.
    pub(crate) fn accept<'a>(&'a mut self, fragment: Fragment<'a>) -> Result<Option<Message<'a>>, Discard> {
        let Fragment { message_type, length, message_seq, offset, body } = fragment;
        if fragment.is_whole() {
            return Ok(Some(Message { message_type, message_seq, body }));
        }
        let end = offset + body.len();
        let len = u16::try_from(length).map_err(|_| Discard::HandshakeTooLong)?;
        let room = self.body.bytes_mut().get_mut(..length).ok_or(Discard::HandshakeTooLong)?;
        let place = room.get_mut(offset..end).ok_or(Discard::MalformedHandshake)?;
        if self.partial != Some((message_type, message_seq, len)) {
            self.partial = Some((message_type, message_seq, len));
            self.received = Ranges::default();
        }
        if !self.received.insert(offset as u16, end as u16) {
            return Err(Discard::TooManyFragments);
        }
        place.copy_from_slice(body);
        self.kept = None;
        if !self.received.cover(len) {
            return Ok(None);
        }
        let body = self.body.bytes().get(..length).unwrap_or_default();
        Ok(Some(Message { message_type, message_seq, body }))
    }

    /// Whether a fragment of this message can be taken in without losing those of another, or a message that is kept.
    pub(crate) fn has_room_for(&self, fragment: &Fragment<'_>) -> bool {
        let Fragment { message_type, message_seq, .. } = *fragment;
        let same = self.partial.is_some_and(|(kind, seq, _)| (kind, seq) == (message_type, message_seq));
        fragment.is_whole() || same || (self.partial.is_none() && self.kept.is_none())
    }

    /// The message put together was looked at: makes room for the next one, or a better one.
    pub(crate) const fn clear(&mut self) {
        self.partial = None;
    }

    /// Keeps the body of the message that this fragment made whole, if there is room for it.
    pub(crate) fn keep(&mut self, fragment: &Fragment<'_>) {
        let len = u16::try_from(fragment.length).ok();
        let place = self.body.bytes_mut().get_mut(..fragment.length);
        self.kept = len.filter(|_| place.is_some());
        if let Some(place) = place
            && fragment.is_whole()
        {
            place.copy_from_slice(fragment.body);
        }
    }

    /// The message that is kept.
    pub(crate) fn kept(&self) -> Option<&[u8]> {
        self.body.bytes().get(..usize::from(self.kept?))
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
