//! Incoming handshake messages in one piece (RFC 6347 section 4.2.3).

use super::message::{Fragment, HANDSHAKE_HEADER, Message, MessageType};
use crate::discard::Discard;
use crate::profile::Buffer;
use crate::wire::Writer;

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
    /// How many bytes at the end of `body` hold messages that came ahead of their turn, each with its header.
    early: u16,
    body: B,
}

impl<B: Buffer> Inbox<B> {
    pub(crate) fn new() -> Self {
        Self { partial: None, kept: None, received: Ranges::default(), early: 0, body: B::zeroed() }
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
        self.make_room(length);
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

    /// Keeps a whole message that came ahead of its turn, if there is room for it.
    pub(crate) fn put_early(&mut self, fragment: &Fragment<'_>) {
        let front = self.partial.map_or(0, |(_, _, len)| len).max(self.kept.unwrap_or(0));
        let size = HANDSHAKE_HEADER + fragment.length;
        let known = self.early(fragment.message_seq).is_some();
        let free = self.body.bytes().len().saturating_sub(usize::from(front) + usize::from(self.early));
        if known || !fragment.is_whole() || size > free {
            return;
        }
        let end = self.body.bytes().len() - usize::from(self.early);
        if let Some(place) = self.body.bytes_mut().get_mut(end - size..end) {
            fragment.write(&mut Writer::new(place));
            self.early += size as u16;
        }
    }

    /// The message of this number, if it came ahead of its turn.
    pub(crate) fn early(&self, message_seq: u16) -> Option<Message<'_>> {
        let bytes = self.body.bytes();
        let mut rest = bytes.get(bytes.len().checked_sub(self.early.into())?..)?;
        while let Some((Fragment { message_type, message_seq: seq, body, .. }, tail)) = Fragment::parse(rest)
        {
            if seq == message_seq {
                return Some(Message { message_type, message_seq, body });
            }
            rest = tail;
        }
        None
    }

    /// Its turn has come: whatever became of it, it is looked at once, for it may be forged.
    pub(crate) fn forget_early(&mut self, message_seq: u16) {
        let mut at = self.body.bytes().len() - usize::from(self.early);
        while let Some((fragment, _)) = self.body.bytes().get(at..).and_then(Fragment::parse) {
            let size = HANDSHAKE_HEADER + fragment.length;
            if fragment.message_seq == message_seq
                && let Some(number) = self.body.bytes_mut().get_mut(at + 4..at + 6)
            {
                number.fill(0xff);
            }
            at += size;
        }
    }

    /// What came ahead of its turn belongs to something that is over.
    pub(crate) const fn clear_early(&mut self) {
        self.early = 0;
    }

    /// What is put together in front goes before what came ahead of its turn.
    fn make_room(&mut self, front: usize) {
        if front + usize::from(self.early) > self.body.bytes().len() {
            self.early = 0;
        }
    }

    /// Keeps the body of the message that this fragment made whole, if there is room for it.
    pub(crate) fn keep(&mut self, fragment: &Fragment<'_>) {
        let len = u16::try_from(fragment.length).ok();
        self.make_room(fragment.length);
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
    fn messages_ahead_of_their_turn_wait_where_there_is_room() {
        fn whole(message_seq: u16, body: &[u8]) -> Fragment<'_> {
            let message_type = MessageType::CERTIFICATE;
            Fragment { message_type, length: body.len(), message_seq, offset: 0, body }
        }
        let mut inbox = Inbox::<[u8; 100]>::new();
        for message_seq in [4, 3, 4, 5, 6] {
            inbox.put_early(&whole(message_seq, &[message_seq as u8; 20]));
        }
        for message_seq in [3, 4, 5] {
            assert_eq!(inbox.early(message_seq).unwrap().body, [message_seq as u8; 20]);
        }
        assert!(inbox.early(6).is_none(), "three of 32 bytes fit into 100");
        // What is put together takes their place.
        let body = [7; 50];
        assert!(inbox.accept(fragment(&body, 0, 20)).unwrap().is_none());
        assert!(inbox.early(3).is_none());
        assert_eq!(inbox.accept(fragment(&body, 20, 50)).unwrap().unwrap().body, body);
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
