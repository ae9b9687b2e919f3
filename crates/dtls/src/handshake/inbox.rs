//! Incoming handshake messages in one piece (RFC 6347 section 4.2.3, RFC 9147 section 5.5), and what comes ahead of its
//! turn (section 5.2).

use core::ops::Range;

use super::message::{Fragment, HANDSHAKE_HEADER, Message, MessageType};
use crate::discard::Discard;
use crate::profile::Buffer;
use crate::wire::{Writer, move_within};

/// Puts one message together from its fragments, if it fits into `B`, and keeps what comes ahead of its turn in the room
/// that this leaves.
///
/// A message that arrives whole is handed on where it stands, without a copy. A fragment that contradicts the ones before
/// it (another type, number or length) starts the message anew: where nothing is authenticated yet, junk delays a
/// handshake by one retransmission, but cannot block it.
#[derive(Debug)]
pub(crate) struct Inbox<B> {
    /// Type, message_seq and length of the message in `body`.
    partial: Option<(MessageType, u16, u16)>,
    /// The length of a message in `body` that is wanted for longer.
    kept: Option<u16>,
    received: Ranges,
    /// How many bytes at the end of `body` hold what came ahead of its turn: fragments, each with its header.
    early: u16,
    /// How many of these, at the very end, do not give way to anything, so that the peer may be told of them.
    settled: u16,
    body: B,
}

/// What became of a fragment that came ahead of its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Early {
    /// There is no room for it.
    Dropped,
    /// It is here for as long as nothing else needs the room.
    Loose,
    /// It is here.
    Settled,
}

/// What a record is kept as that nobody has the keys for yet. No peer's message is of this type: those are looked at when
/// their record is opened.
const SEALED: MessageType = MessageType(255);

impl<B: Buffer> Inbox<B> {
    pub(crate) fn new() -> Self {
        Self {
            partial: None,
            kept: None,
            received: Ranges::default(),
            early: 0,
            settled: 0,
            body: B::zeroed(),
        }
    }

    /// Takes a fragment in; the message, if it is whole now.
    pub(crate) fn accept<'a>(&'a mut self, fragment: Fragment<'a>) -> Result<Option<Message<'a>>, Discard> {
        let Fragment { message_type, length, message_seq, offset, body } = fragment;
        if fragment.is_whole() {
            return Ok(Some(Message { message_type, message_seq, body }));
        }
        let end = offset + body.len();
        if self.body.bytes().len() < length {
            return Err(Discard::HandshakeTooLong);
        }
        let len = self.begin(&fragment)?;
        if !self.received.insert(offset as u16, end as u16) {
            return Err(Discard::TooManyFragments);
        }
        self.kept = None;
        self.make_room(length);
        let place = self.body.bytes_mut().get_mut(offset..end).ok_or(Discard::MalformedHandshake)?;
        place.copy_from_slice(body);
        if !self.received.cover(len) {
            return Ok(None);
        }
        let body = self.body.bytes().get(..length).unwrap_or_default();
        Ok(Some(Message { message_type, message_seq, body }))
    }

    /// The message that this fragment is of is the one that is put together now. Returns its length.
    fn begin(&mut self, fragment: &Fragment<'_>) -> Result<u16, Discard> {
        let len = u16::try_from(fragment.length).map_err(|_| Discard::HandshakeTooLong)?;
        let message = Some((fragment.message_type, fragment.message_seq, len));
        if self.partial != message {
            self.partial = message;
            self.received = Ranges::default();
        }
        Ok(len)
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

    /// Keeps a whole message that came ahead of its turn, if there is room for it. Nothing authenticates it.
    pub(crate) fn put_early(&mut self, fragment: &Fragment<'_>) {
        let known = self.find(fragment.message_seq).is_some();
        if !known && fragment.is_whole() && fragment.message_type != SEALED {
            let _ = self.push(fragment);
        }
    }

    /// Keeps an authentic fragment that came ahead of its turn, which is `next_seq`'s.
    ///
    /// It is settled if every message up to its own can be put together beside it: if they are all known in length.
    pub(crate) fn store(&mut self, fragment: &Fragment<'_>, next_seq: u16) -> Early {
        let (mut pieces, mut known, mut last) = (0, None, fragment.message_seq);
        let (mut at, settled_from) = (self.start(), self.settled_from());
        while let Some(other) = self.fragment_at(at) {
            if other.message_seq == fragment.message_seq {
                pieces += 1;
                if (other.offset, other.body.len()) == (fragment.offset, fragment.body.len()) {
                    known = Some(if at < settled_from { Early::Loose } else { Early::Settled });
                }
            }
            last = last.max(other.message_seq);
            at += HANDSHAKE_HEADER + other.body.len();
        }
        if let Some(known) = known {
            return known;
        }
        if fragment.message_type == SEALED {
            return Early::Dropped;
        }
        let all_settled = self.early == self.settled;
        if !self.push(fragment) {
            return Early::Dropped;
        }
        let longest = (next_seq..=last).try_fold(0, |longest, seq| Some(self.length_of(seq)?.max(longest)));
        let fits = longest.is_some_and(|longest| longest <= self.start());
        if all_settled && fits && pieces < Ranges::MAX {
            self.settled = self.early;
            return Early::Settled;
        }
        Early::Loose
    }

    /// How long a message is, if part of it is here.
    fn length_of(&self, message_seq: u16) -> Option<usize> {
        match self.partial {
            Some((_, seq, length)) if seq == message_seq => Some(length.into()),
            _ => Some(self.fragment_at(self.find(message_seq)?)?.length),
        }
    }

    /// Puts a fragment in front of the others, if there is room for it.
    fn push(&mut self, fragment: &Fragment<'_>) -> bool {
        let front = self.partial.map_or(0, |(_, _, len)| len).max(self.kept.unwrap_or(0));
        let end = self.start();
        let size = HANDSHAKE_HEADER + fragment.body.len();
        let start = end.checked_sub(size).filter(|&start| start >= usize::from(front));
        let place = start.and_then(|start| self.body.bytes_mut().get_mut(start..end));
        let (Some(place), Ok(size)) = (place, u16::try_from(size)) else { return false };
        fragment.write(&mut Writer::new(place));
        self.early += size;
        true
    }

    /// The message of this number, if all of it came ahead of its turn; what there is of it goes to where it is put
    /// together.
    pub(crate) fn due(&mut self, message_seq: u16) -> Option<Message<'_>> {
        while let Some(at) = self.find(message_seq) {
            let fragment = self.fragment_at(at)?;
            if fragment.is_whole() {
                let Fragment { message_type, body, .. } = self.fragment_at(at)?;
                return Some(Message { message_type, message_seq, body });
            }
            let Fragment { message_type, length, offset, body, .. } = fragment;
            let len = body.len();
            let header = Fragment { message_type, length, message_seq, offset, body: &[] };
            self.make_room(length);
            let from = at + HANDSHAKE_HEADER;
            if at < self.start() || self.begin(&header).is_err() {
                // It has given way.
                return None;
            }
            if self.received.insert(offset as u16, (offset + len) as u16) {
                move_within(self.body.bytes_mut(), from..from + len, offset);
            }
            self.cut(at..from + len);
        }
        let (message_type, _, length) = self.partial.filter(|&(_, seq, _)| seq == message_seq)?;
        let body = self.body.bytes().get(..length.into()).filter(|_| self.received.cover(length))?;
        Some(Message { message_type, message_seq, body })
    }

    /// Its turn has come: whatever became of it, it is looked at once, for it may be forged.
    pub(crate) fn forget_early(&mut self, message_seq: u16) {
        while let Some(at) = self.find(message_seq) {
            let Some(fragment) = self.fragment_at(at) else { return };
            let end = at + HANDSHAKE_HEADER + fragment.body.len();
            self.cut(at..end);
        }
    }

    /// What came ahead of its turn belongs to something that is over.
    pub(crate) const fn clear_early(&mut self) {
        (self.early, self.settled) = (0, 0);
    }

    /// Keeps a sealed record until there are keys to open it with, if there is room for it.
    pub(crate) fn put_sealed(&mut self, record: &[u8]) {
        let length = record.len();
        let _ =
            self.push(&Fragment { message_type: SEALED, length, message_seq: 0, offset: 0, body: record });
    }

    /// Opens what was kept sealed: `open` says where in the record its content is. What holds anything but handshake
    /// messages is forgotten.
    pub(crate) fn unseal(&mut self, mut open: impl FnMut(&mut [u8]) -> Option<Range<usize>>) {
        let mut at = self.start();
        while let Some(fragment) = self.fragment_at(at) {
            let (sealed, from) = (fragment.message_type == SEALED, at + HANDSHAKE_HEADER);
            let end = from + fragment.body.len();
            if sealed {
                let record = self.body.bytes_mut().get_mut(from..end);
                let content = record.and_then(&mut open).unwrap_or_default();
                let content = from + content.start..from + content.end;
                let messages = self.body.bytes().get(content.clone()).unwrap_or_default();
                let length = if are_messages(messages) { messages.len() } else { 0 };
                move_within(self.body.bytes_mut(), content.start..content.start + length, end - length);
                self.cut(at..end - length);
            }
            at = end;
        }
    }

    /// Where what came ahead of its turn begins.
    fn start(&self) -> usize {
        self.body.size().saturating_sub(self.early.into())
    }

    /// And where what is settled of it begins.
    fn settled_from(&self) -> usize {
        self.body.size().saturating_sub(self.settled.into())
    }

    fn fragment_at(&self, at: usize) -> Option<Fragment<'_>> {
        // As a rule nothing came early, and then the memory may not be there either.
        if self.early == 0 {
            return None;
        }
        Fragment::parse(self.body.bytes().get(at..)?).map(|(fragment, _)| fragment)
    }

    /// Where a fragment of this message stands.
    fn find(&self, message_seq: u16) -> Option<usize> {
        let mut at = self.start();
        loop {
            let fragment = self.fragment_at(at)?;
            if fragment.message_seq == message_seq && fragment.message_type != SEALED {
                return Some(at);
            }
            at += HANDSHAKE_HEADER + fragment.body.len();
        }
    }

    /// Takes out what stands there.
    fn cut(&mut self, gap: Range<usize>) {
        let (start, settled_from) = (self.start(), self.settled_from());
        let len = gap.len() as u16;
        if start <= gap.start && gap.end <= self.body.bytes().len() {
            move_within(self.body.bytes_mut(), start..gap.start, start + gap.len());
            self.early -= len;
            if gap.start >= settled_from {
                self.settled -= len;
            }
        }
    }

    /// What is put together in front goes before what came ahead of its turn.
    fn make_room(&mut self, front: usize) {
        if front > self.start() {
            self.early = self.settled;
        }
        if front > self.start() {
            self.clear_early();
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
        let len = usize::from(self.kept?);
        self.body.bytes().get(..len)
    }
}

/// Whether there are fragments of messages and nothing else.
fn are_messages(mut bytes: &[u8]) -> bool {
    while let Some((fragment, rest)) = Fragment::parse(bytes) {
        if fragment.message_type == SEALED {
            return false;
        }
        bytes = rest;
    }
    bytes.is_empty()
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
mod tests;
