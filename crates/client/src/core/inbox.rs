//! Values that arrived and that nobody has asked for yet, one after the other in one piece of memory.
//!
//! When it is full the oldest gives way: what a subscriber misses is what has been replaced.

use sedge_coap::block::BlockSize;
use sedge_coap::{Code, ContentFormat};

use super::SubscriptionId;

/// What came for a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole value.
    Value,
    /// The first block of a value that has more.
    FirstBlock(BlockSize),
    /// The end of the subscription.
    End(Code),
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'i> {
    pub(crate) subscription: SubscriptionId,
    /// As it stands in the memory, like the format (of an end, the code): who wants only the payload decodes neither.
    kind: u8,
    detail: u16,
    /// What stands for the value's ETag.
    pub(crate) key: u64,
    pub(crate) payload: &'i [u8],
}

/// Bytes of an entry before its payload: one word for all that is small, and the key.
const HEAD: usize = 8 + 8;
/// Kinds in that word. The others are the exponents of block sizes.
const VALUE: u8 = 7;
const END: u8 = 8;
/// Set with the kind if there is a format.
const HAS_FORMAT: u8 = 0x80;

impl<'i> Entry<'i> {
    /// The end of a subscription.
    pub(crate) const fn end(subscription: SubscriptionId, code: Code) -> Self {
        Self { subscription, kind: END, detail: code.0 as u16, key: 0, payload: &[] }
    }

    /// A value, or the first `block` of one.
    pub(crate) const fn value(
        subscription: SubscriptionId,
        block: Option<BlockSize>,
        content_format: Option<ContentFormat>,
        key: u64,
        payload: &'i [u8],
    ) -> Self {
        let kind = match block {
            Some(size) => size.szx(),
            None => VALUE,
        };
        match content_format {
            Some(format) => Self { subscription, kind: kind | HAS_FORMAT, detail: format.0, key, payload },
            None => Self { subscription, kind, detail: 0, key, payload },
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self.kind & !HAS_FORMAT {
            VALUE => Kind::Value,
            szx => match BlockSize::from_szx(szx) {
                Some(size) => Kind::FirstBlock(size),
                None => Kind::End(Code(self.detail as u8)),
            },
        }
    }

    /// Of a value; an end has none.
    pub(crate) const fn content_format(&self) -> Option<ContentFormat> {
        if self.kind & HAS_FORMAT != 0 { Some(ContentFormat(self.detail)) } else { None }
    }

    const fn is_first_block(&self) -> bool {
        self.kind & !HAS_FORMAT < VALUE
    }

    const fn size(&self) -> usize {
        HEAD + self.payload.len()
    }

    /// Length 2 B, serial number 2 B, slot 1 B, kind 1 B, format (at the end, the code) 2 B.
    fn word(&self) -> u64 {
        let SubscriptionId { slot, serial } = self.subscription;
        let low = self.size() as u32 & 0xffff | u32::from(serial) << 16;
        let high = u32::from(slot) | u32::from(self.kind) << 8 | u32::from(self.detail) << 16;
        u64::from(low) | u64::from(high) << 32
    }
}

/// A queue of entries in the caller's memory.
#[repr(C)]
pub(crate) struct Inbox<B> {
    len: usize,
    /// Goes up whenever the oldest entry goes, so that it can be named.
    removed: u32,
    /// Values pushed out before anyone saw them.
    pub(crate) lost: u32,
    memory: B,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Inbox<B> {
    pub(crate) const fn new(memory: B) -> Self {
        Self { len: 0, removed: 0, lost: 0, memory }
    }

    /// Adds an entry at the end. A value in blocks replaces an earlier one of its subscription: the server has
    /// only the newest.
    pub(crate) fn push(&mut self, entry: &Entry<'_>) {
        if entry.is_first_block() {
            self.remove_superseded(entry.subscription);
        }
        let size = entry.size();
        let room = self.memory.as_ref().len();
        if size > room.min(u16::MAX.into()) {
            self.lost += 1;
            return;
        }
        while room - self.len < size {
            self.lost += 1;
            self.remove_at(0);
        }
        let free = self.memory.as_mut().get_mut(self.len..).unwrap_or_default();
        if let Some((word, rest)) = free.split_first_chunk_mut()
            && let Some((key, rest)) = rest.split_first_chunk_mut()
            && let Some(payload) = rest.get_mut(..entry.payload.len())
        {
            *word = entry.word().to_le_bytes();
            *key = entry.key.to_le_bytes();
            payload.copy_from_slice(entry.payload);
            self.len += size;
        }
    }

    /// The oldest entry, and its name.
    pub(crate) fn front(&self) -> Option<(u32, Entry<'_>)> {
        Some((self.removed, self.entry_at(0)?))
    }

    /// Takes the oldest entry out if it still is the one of this name.
    pub(crate) fn remove(&mut self, name: u32) {
        if name == self.removed && self.len > 0 {
            self.remove_at(0);
        }
    }

    /// Takes out all entries of a subscription, and gives the last of them: its kind, and how many bytes of it are in
    /// `buffer`, which is none if they do not fit.
    pub(crate) fn take_newest(
        &mut self,
        subscription: SubscriptionId,
        buffer: &mut [u8],
    ) -> Option<(Kind, usize)> {
        let mut newest = None;
        let _count = self.retain(|entry| {
            let is_its = entry.subscription == subscription;
            if is_its {
                let place = buffer.get_mut(..entry.payload.len());
                let copied = place.map(|place| place.copy_from_slice(entry.payload));
                newest = Some((entry.kind(), copied.map_or(0, |()| entry.payload.len())));
            }
            !is_its
        });
        newest
    }

    /// Takes out all entries of a subscription.
    pub(crate) fn forget(&mut self, subscription: SubscriptionId) {
        let _count = self.retain(|entry| entry.subscription != subscription);
    }

    fn remove_superseded(&mut self, subscription: SubscriptionId) {
        self.lost += self.retain(|entry| entry.subscription != subscription || !entry.is_first_block());
    }

    /// Takes out what `keep` refuses; says how many those were.
    fn retain(&mut self, mut keep: impl FnMut(&Entry<'_>) -> bool) -> u32 {
        let (mut at, mut count) = (0, 0);
        while let Some(entry) = self.entry_at(at) {
            if keep(&entry) {
                at += entry.size();
            } else {
                self.remove_at(at);
                count += 1;
            }
        }
        count
    }

    fn remove_at(&mut self, at: usize) {
        let Some(size) = self.entry_at(at).map(|entry| entry.size()) else {
            self.len = 0;
            return;
        };
        let len = self.len;
        if at + size <= len {
            close_gap(self.memory.as_mut(), at, size);
            self.len = len - size;
            // It may have been a key.
            if let Some(rest) = self.memory.as_mut().get_mut(self.len..len) {
                rest.fill(0);
            }
        }
        if at == 0 {
            self.removed = self.removed.wrapping_add(1);
        }
    }

    /// The entry that starts at `at`.
    fn entry_at(&self, at: usize) -> Option<Entry<'_>> {
        let (&word, rest) = self.memory.as_ref().get(at..self.len)?.split_first_chunk()?;
        let (&key, rest) = rest.split_first_chunk()?;
        let word = u64::from_le_bytes(word);
        let (low, high) = (word as u32, (word >> 32) as u32);
        Some(Entry {
            subscription: SubscriptionId { slot: high as u8, serial: (low >> 16) as u16 },
            kind: (high >> 8) as u8,
            detail: (high >> 16) as u16,
            key: u64::from_le_bytes(key),
            payload: rest.get(..usize::from(low as u16).checked_sub(HEAD)?)?,
        })
    }
}

/// Moves what follows a gap to where it begins. Byte by byte: in firmware this would be the only reason to link `memmove`,
/// which is longer than all of this file.
fn close_gap(memory: &mut [u8], at: usize, size: usize) {
    let mut to = at;
    while let Some(&byte) = memory.get(to + size) {
        if let Some(place) = memory.get_mut(to) {
            *place = byte;
        }
        to += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(slot: u8, kind: Kind, payload: &[u8]) -> Entry<'_> {
        let (subscription, format) = (SubscriptionId { slot, serial: 513 }, Some(ContentFormat::TEXT));
        match kind {
            Kind::End(code) => Entry::end(subscription, code),
            Kind::Value => Entry::value(subscription, None, format, u64::MAX - 5, payload),
            Kind::FirstBlock(size) => Entry::value(subscription, Some(size), format, u64::MAX - 5, payload),
        }
    }

    fn drain<const N: usize>(inbox: &mut Inbox<[u8; N]>) -> std::vec::Vec<(u8, usize)> {
        let mut all = std::vec::Vec::new();
        while let Some((name, entry)) = inbox.front() {
            all.push((entry.subscription.slot, entry.payload.len()));
            inbox.remove(name);
        }
        all
    }

    #[test]
    fn entries_come_out_as_they_went_in() {
        let mut inbox = Inbox::new([0; 200]);
        let all = [
            entry(1, Kind::Value, b"21.5"),
            Entry::value(SubscriptionId { slot: 2, serial: 513 }, None, None, 0, b""),
            entry(3, Kind::End(Code::NOT_FOUND), b""),
            entry(4, Kind::FirstBlock(BlockSize::at_most(64)), &[7; 64]),
        ];
        for entry in &all {
            inbox.push(entry);
        }
        assert_eq!((all[0].kind(), all[0].content_format()), (Kind::Value, Some(ContentFormat::TEXT)));
        assert_eq!((all[1].kind(), all[1].content_format()), (Kind::Value, None));
        assert_eq!((all[2].kind(), all[2].content_format()), (Kind::End(Code::NOT_FOUND), None));
        assert_eq!(all[3].kind(), Kind::FirstBlock(BlockSize::at_most(64)));
        for entry in &all {
            let (name, front) = inbox.front().unwrap();
            assert_eq!(front, *entry);
            assert_eq!((front.kind(), front.content_format()), (entry.kind(), entry.content_format()));
            inbox.remove(name);
            inbox.remove(name);
        }
        assert_eq!((inbox.front(), inbox.lost), (None, 0));
    }

    #[test]
    fn the_oldest_gives_way() {
        let mut inbox = Inbox::new([0; 3 * (HEAD + 10)]);
        for slot in 0..5 {
            inbox.push(&entry(slot, Kind::Value, &[0; 10]));
        }
        inbox.push(&entry(9, Kind::Value, &[0; 100]));
        assert_eq!(inbox.lost, 3);
        assert_eq!(drain(&mut inbox), [(2, 10), (3, 10), (4, 10)]);
    }

    #[test]
    fn the_newest_of_a_subscription_is_taken_out_of_turn_and_nothing_is_left_of_it() {
        let mut inbox = Inbox::new([0; 300]);
        let all = [(1, 7), (2, 8), (1, 9), (2, 10), (3, 11)];
        for (slot, len) in all {
            inbox.push(&entry(slot, Kind::Value, &[slot; 20][..len]));
        }
        let mut buffer = [0; 10];
        let of = |slot| SubscriptionId { slot, serial: 513 };
        assert_eq!(inbox.take_newest(of(2), &mut buffer), Some((Kind::Value, 10)));
        assert_eq!((buffer, inbox.take_newest(of(2), &mut buffer)), ([2; 10], None));
        assert_eq!(inbox.take_newest(of(3), &mut buffer), Some((Kind::Value, 0)), "it does not fit");
        inbox.push(&entry(1, Kind::End(Code::FORBIDDEN), b""));
        assert_eq!(inbox.take_newest(of(1), &mut buffer), Some((Kind::End(Code::FORBIDDEN), 0)));
        assert_eq!((inbox.lost, inbox.memory), (0, [0; 300]));
    }

    #[test]
    fn a_newer_value_in_blocks_replaces_an_older_one() {
        let mut inbox = Inbox::new([0; 300]);
        let first_block = Kind::FirstBlock(BlockSize::MIN);
        inbox.push(&entry(1, first_block, &[1; 16]));
        inbox.push(&entry(1, Kind::Value, &[2; 3]));
        inbox.push(&entry(2, first_block, &[3; 16]));
        let (name, _) = inbox.front().unwrap();
        inbox.push(&entry(1, first_block, &[4; 16]));
        inbox.remove(name);
        assert_eq!(drain(&mut inbox), [(1, 3), (2, 16), (1, 16)]);
        assert_eq!(inbox.lost, 1);
        inbox.push(&entry(1, Kind::Value, &[2; 3]));
        inbox.forget(SubscriptionId { slot: 1, serial: 513 });
        assert_eq!(drain(&mut inbox), []);
    }
}
