//! A topic's name, taken apart once for all the tables that it is looked up in.

use crate::name::{MAX_LEN, MAX_LEVELS};

/// The levels of a name with their hashes; on the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels<'t> {
    name: &'t str,
    /// Where each level ends.
    ends: [u8; MAX_LEVELS],
    /// Of each level alone.
    hashes: [u64; MAX_LEVELS],
    /// Of the name up to and with each level.
    prefixes: [u64; MAX_LEVELS],
    count: usize,
}

const _: () = assert!(MAX_LEN <= u8::MAX as usize);

impl<'t> Levels<'t> {
    /// Takes `name` apart, unless it is longer or deeper than names are.
    pub(crate) fn of(name: &'t str) -> Option<Self> {
        if name.len() > MAX_LEN {
            return None;
        }
        let mut levels = Self {
            name,
            ends: [0; MAX_LEVELS],
            hashes: [0; MAX_LEVELS],
            prefixes: [0; MAX_LEVELS],
            count: 0,
        };
        let (mut level, mut prefix) = (SEED, SEED);
        for (at, byte) in name.bytes().chain([b'/']).enumerate() {
            if byte == b'/' {
                *levels.ends.get_mut(levels.count)? = at as u8;
                *levels.hashes.get_mut(levels.count)? = finish(level);
                *levels.prefixes.get_mut(levels.count)? = finish(prefix);
                levels.count += 1;
                level = SEED;
            } else {
                level = mix(level, byte);
            }
            prefix = mix(prefix, byte);
        }
        Some(levels)
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// The level with this number and its hash.
    pub(crate) fn level(&self, number: usize) -> Option<(&'t str, u64)> {
        let end = usize::from(*self.ends.get(number)?);
        let start = match number.checked_sub(1) {
            Some(before) => usize::from(*self.ends.get(before)?) + 1,
            None => 0,
        };
        Some((self.name.get(start..end)?, *self.hashes.get(number)?))
    }

    /// The name up to and with the level with this number, and its hash.
    pub(crate) fn prefix(&self, number: usize) -> Option<(&'t str, u64)> {
        let end = usize::from(*self.ends.get(number)?);
        Some((self.name.get(..end)?, *self.prefixes.get(number)?))
    }
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a. Whoever could choose colliding texts writes the rules, and may write none at all.
const fn mix(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
}

/// Spreads a hash over all bits, of which tables use the highest and the lowest.
pub(crate) const fn finish(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 29
}

/// The hash that [`Levels`] has of a level, or a prefix, with this text.
pub(crate) fn hash(text: &str) -> u64 {
    finish(text.bytes().fold(SEED, mix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_prefixes_are_those_of_the_name() {
        let levels = Levels::of("site/Küche/t").unwrap();
        assert_eq!(levels.count(), 3);
        for (number, level, prefix) in
            [(0, "site", "site"), (1, "Küche", "site/Küche"), (2, "t", "site/Küche/t")]
        {
            assert_eq!(levels.level(number), Some((level, hash(level))));
            assert_eq!(levels.prefix(number), Some((prefix, hash(prefix))));
        }
        assert_eq!(levels.level(16), None);
        assert!(Levels::of(&"a".repeat(256)).is_none());
        assert!(Levels::of("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p").is_some());
        assert!(Levels::of("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q").is_none());
    }
}
