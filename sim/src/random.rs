//! A small generator whose sequence is part of what a seed means.

/// A seeded sequence of numbers (xoshiro256\*\*, seeded through SplitMix64): the same on every platform and in
/// every version, because experiments are quoted by their seeds. Not for secrets.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The sequence that `seed` names.
    pub fn new(seed: u64) -> Self {
        let mut mixer = seed;
        Self { state: core::array::from_fn(|_| split_mix(&mut mixer)) }
    }

    /// The sequence for the part numbered `index` of an experiment: unrelated to its neighbours'.
    pub fn for_part(seed: u64, index: u64) -> Self {
        let mut mixer = seed ^ index.wrapping_mul(0xd605_bbb5_8c8a_bd35);
        Self::new(split_mix(&mut mixer))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let carry = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= carry;
        *d = d.rotate_left(45);
        result
    }

    /// A number from 0 up to but not including 1, in steps of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_one_sequence_for_ever() {
        let mut random = Random::new(0);
        // SplitMix64's first output for seed 0 is published; the others follow from the definition.
        assert_eq!(random.state[0], 0xe220_a839_7b1d_cdaf);
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(first, [0x99ec_5f36_cb75_f2b4, 0xbf6e_1f78_4956_452a, 0x1a5f_849d_4933_e6e0]);
    }

    #[test]
    fn parts_of_one_seed_differ() {
        let firsts: std::collections::HashSet<u64> =
            (0..1_000).map(|index| Random::for_part(1, index).bits()).collect();
        assert_eq!(firsts.len(), 1_000);
    }

    #[test]
    fn unit_is_spread_evenly() {
        let mut random = Random::new(42);
        let mut tenths = [0_u32; 10];
        for _ in 0..100_000 {
            tenths[(random.unit() * 10.0) as usize] += 1;
        }
        // Three standard errors of a binomial(100000, 0.1).
        assert!(tenths.iter().all(|&count| count.abs_diff(10_000) < 285), "{tenths:?}");
    }
}
