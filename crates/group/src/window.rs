//! Which sequence numbers of one publisher have come already
//! ([draft-ietf-ace-coap-pubsub-profile, section 6.3](https://datatracker.ietf.org/doc/html/draft-ietf-ace-coap-pubsub-profile#section-6.3)).

/// The newest 32 numbers: bit 0 of `seen` stands for `highest`, bit n for `highest - n`. Nothing has come yet while
/// `seen` is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    highest: u64,
    seen: u32,
}

impl Window {
    /// How many numbers it remembers.
    pub const SIZE: u64 = 32;

    /// Whether a message with this number could be new.
    pub const fn admits(&self, number: u64) -> bool {
        if self.seen == 0 || number > self.highest {
            return true;
        }
        let age = self.highest - number;
        age < Self::SIZE && self.seen & (1 << age) == 0
    }

    /// Notes an authentic message.
    pub const fn accept(&mut self, number: u64) {
        if self.seen == 0 || number > self.highest {
            let ahead = number.saturating_sub(self.highest);
            self.seen = if ahead < Self::SIZE { self.seen << ahead } else { 0 } | 1;
            self.highest = number;
            return;
        }
        let age = self.highest - number;
        if age < Self::SIZE {
            self.seen |= 1 << age;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        /// Against a memory that forgets nothing.
        #[test]
        fn agrees_with_a_set(numbers in proptest::collection::vec(prop_oneof![0u64..80, (1u64<<40)-40..(1u64<<40)], 0..60)) {
            let (mut window, mut seen, mut highest) = (Window::default(), HashSet::new(), None);
            for number in numbers {
                let old = highest.is_some_and(|highest| number + Window::SIZE <= highest);
                prop_assert_eq!(window.admits(number), !old && !seen.contains(&number));
                if window.admits(number) {
                    window.accept(number);
                    let _new = seen.insert(number);
                    highest = highest.max(Some(number));
                }
            }
        }
    }
}
