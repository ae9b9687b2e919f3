//! The sliding replay window (RFC 6347 section 4.1.2.6).

/// Which of the newest 64 sequence numbers were received.
///
/// Bit 0 of `seen` stands for `highest`, bit n for `highest - n`. No record yet: `seen` is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplayWindow {
    pub(crate) highest: u64,
    pub(crate) seen: u64,
}

impl ReplayWindow {
    pub(crate) const SIZE: u64 = 64;

    /// Whether a record with this number could be new. To be asked before decryption.
    pub(crate) const fn admits(&self, sequence: u64) -> bool {
        if self.is_newest(sequence) {
            return true;
        }
        let age = self.highest - sequence;
        age < Self::SIZE && self.seen & (1 << age) == 0
    }

    /// Whether it is newer than everything received.
    pub(crate) const fn is_newest(&self, sequence: u64) -> bool {
        sequence > self.highest || self.seen == 0
    }

    /// Notes an authenticated record. Returns whether it was the newest.
    pub(crate) const fn accept(&mut self, sequence: u64) -> bool {
        if self.is_newest(sequence) {
            let ahead = sequence.saturating_sub(self.highest);
            self.seen = if ahead < Self::SIZE { self.seen << ahead } else { 0 } | 1;
            self.highest = sequence;
            return true;
        }
        let age = self.highest - sequence;
        if age < Self::SIZE {
            self.seen |= 1 << age;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::HashSet;

    /// Every sequence of six numbers around the window's edges, against a set that remembers everything.
    #[test]
    fn agrees_with_a_perfect_memory() {
        let numbers = [0u64, 1, 2, 62, 63, 64, 65, 127, 128, 129, (1 << 48) - 1];
        let mut order = [0usize; 5];
        loop {
            let mut window = ReplayWindow::default();
            let mut seen = HashSet::new();
            let mut highest = None;
            for &choice in &order {
                let number = numbers[choice];
                let too_old = highest.is_some_and(|highest: u64| number + 64 <= highest);
                assert_eq!(window.admits(number), !seen.contains(&number) && !too_old, "{order:?}");
                if window.admits(number) {
                    let newest = highest.is_none_or(|highest| number > highest);
                    assert_eq!(window.accept(number), newest, "{order:?}");
                    let _ = seen.insert(number);
                    highest = highest.max(Some(number));
                }
            }
            let Some(place) = order.iter().position(|&choice| choice + 1 < numbers.len()) else { break };
            order[..place].fill(0);
            order[place] += 1;
        }
    }
}
