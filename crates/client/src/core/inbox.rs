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
    pub(crate) kind: Kind,
    pub(crate) content_format: Option<ContentFormat>,
    /// A digest of the value's ETag.
    pub(crate) key: u64,
    pub(crate) payload: &'i [u8],
}

/// Bytes of an entry before its payload: length, subscription (2 + 1), kind, its detail, format (1 + 2), key.
const HEAD: usize = 2 + 3 + 2 + 3 + 8;

/// A queue of entries in the caller's memory.
pub(crate) struct Inbox<B> {
    memory: B,
    len: usize,
    /// Goes up whenever the oldest entry goes, so that it can be named.
    removed: u32,
    /// Values pushed out before anyone saw them.
    pub(crate) lost: u64,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Inbox<B> {
    pub(crate) const fn new(memory: B) -> Self {
        Self { memory, len: 0, removed: 0, lost: 0 }
    }

    /// Adds an entry at the end. A value in blocks replaces an earlier one of its subscription: the server has
    /// only the newest.
    pub(crate) fn push(&mut self, entry: &Entry<'_>) {
        if matches!(entry.kind, Kind::FirstBlock(_)) {
            self.remove_superseded(entry.subscription);
        }
        let size = HEAD + entry.payload.len();
        let Ok(encoded) = u16::try_from(size) else {
            self.lost += 1;
            return;
        };
        if size > self.memory.as_ref().len() {
            self.lost += 1;
            return;
        }
        while self.memory.as_ref().len() - self.len < size {
            self.lost += 1;
            self.remove_at(0);
        }
        let [length_high, length_low] = encoded.to_be_bytes();
        let [serial_high, serial_low] = entry.subscription.serial.to_be_bytes();
        let (kind, detail) = match entry.kind {
            Kind::Value => (0, 0),
            Kind::FirstBlock(size) => (1, size.szx()),
            Kind::End(code) => (2, code.0),
        };
        let (has_format, format) = match entry.content_format {
            Some(format) => (1, format.0),
            None => (0, 0),
        };
        let [format_high, format_low] = format.to_be_bytes();
        let head = [
            length_high,
            length_low,
            serial_high,
            serial_low,
            entry.subscription.slot,
            kind,
            detail,
            has_format,
            format_high,
            format_low,
        ];
        for part in [&head[..], &entry.key.to_be_bytes(), entry.payload] {
            let end = self.len + part.len();
            if let Some(place) = self.memory.as_mut().get_mut(self.len..end) {
                place.copy_from_slice(part);
                self.len = end;
            }
        }
    }

    /// The oldest entry, and its name.
    pub(crate) fn front(&self) -> Option<(u32, Entry<'_>)> {
        Some((self.removed, self.entry_at(0)?.0))
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
                newest = Some((entry.kind, copied.map_or(0, |()| entry.payload.len())));
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
        self.lost += self
            .retain(|entry| entry.subscription != subscription || !matches!(entry.kind, Kind::FirstBlock(_)));
    }

    /// Takes out what `keep` refuses; says how many those were.
    fn retain(&mut self, mut keep: impl FnMut(&Entry<'_>) -> bool) -> u64 {
        let (mut at, mut count) = (0, 0);
        while let Some((entry, size)) = self.entry_at(at) {
            if keep(&entry) {
                at += size;
            } else {
                self.remove_at(at);
                count += 1;
            }
        }
        count
    }

    fn remove_at(&mut self, at: usize) {
        let Some((_, size)) = self.entry_at(at) else {
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

    /// The entry that starts at `at`, and its size.
    fn entry_at(&self, at: usize) -> Option<(Entry<'_>, usize)> {
        let rest = self.memory.as_ref().get(at..self.len)?;
        let (
            &[high, low, serial_high, serial_low, slot, kind, detail, has_format, format_high, format_low],
            rest,
        ) = rest.split_first_chunk()?;
        let (&key, rest) = rest.split_first_chunk()?;
        let size = usize::from(u16::from_be_bytes([high, low]));
        let kind = match kind {
            0 => Kind::Value,
            1 => Kind::FirstBlock(BlockSize::from_szx(detail)?),
            _ => Kind::End(Code(detail)),
        };
        let format = ContentFormat(u16::from_be_bytes([format_high, format_low]));
        let entry = Entry {
            subscription: SubscriptionId { slot, serial: u16::from_be_bytes([serial_high, serial_low]) },
            kind,
            content_format: (has_format == 1).then_some(format),
            key: u64::from_be_bytes(key),
            payload: rest.get(..size.checked_sub(HEAD)?)?,
        };
        Some((entry, size))
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
        let subscription = SubscriptionId { slot, serial: 513 };
        Entry { subscription, kind, content_format: Some(ContentFormat::TEXT), key: u64::MAX - 5, payload }
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
            Entry { content_format: None, ..entry(2, Kind::Value, b"") },
            entry(3, Kind::End(Code::NOT_FOUND), b""),
            entry(4, Kind::FirstBlock(BlockSize::at_most(64)), &[7; 64]),
        ];
        for entry in &all {
            inbox.push(entry);
        }
        for entry in &all {
            let (name, front) = inbox.front().unwrap();
            assert_eq!(front, *entry);
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
