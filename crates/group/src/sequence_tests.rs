extern crate std;

use proptest::prelude::*;
use sedge_crypto::RustCrypto;
use std::collections::{HashMap, HashSet};
use std::vec::Vec;

use super::*;

/// Flash that loses power in the middle of a write, and may forget what was in a slot.
#[derive(Clone, Debug)]
struct Flash {
    slots: Vec<Record>,
    cut: Option<Cut>,
    off: bool,
    writes: HashMap<usize, u32>,
}

/// The write that power fails in: how many go well before it, after how many bytes, and what becomes of the rest of the slot.
#[derive(Clone, Copy, Debug)]
struct Cut {
    after: usize,
    bytes: usize,
    rest: Rest,
}

#[derive(Clone, Copy, Debug)]
enum Rest {
    Old,
    Erased,
    Noise(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Off;

impl Flash {
    fn new(slots: usize) -> Self {
        Self { slots: std::vec![[0xff; RECORD_LEN]; slots], cut: None, off: false, writes: HashMap::new() }
    }

    fn power_on(&mut self) {
        (self.cut, self.off) = (None, false);
    }
}

impl Storage for Flash {
    type Error = Off;

    fn slots(&self) -> usize {
        self.slots.len()
    }

    fn read(&mut self, slot: usize, record: &mut Record) -> Result<(), Off> {
        if self.off {
            return Err(Off);
        }
        *record = self.slots[slot];
        Ok(())
    }

    fn write(&mut self, slot: usize, record: &Record) -> Result<(), Off> {
        if self.off {
            return Err(Off);
        }
        *self.writes.entry(slot).or_default() += 1;
        if let Some(Cut { after, .. }) = &mut self.cut
            && *after > 0
        {
            *after -= 1;
            self.slots[slot] = *record;
            return Ok(());
        }
        let Some(Cut { bytes, rest, .. }) = self.cut else {
            self.slots[slot] = *record;
            return Ok(());
        };
        let place = &mut self.slots[slot];
        for (at, byte) in place.iter_mut().enumerate() {
            if at < bytes {
                *byte = record[at];
                continue;
            }
            match rest {
                Rest::Old => {}
                Rest::Erased => *byte = 0xff,
                Rest::Noise(seed) => *byte = seed.wrapping_mul(31).wrapping_add(at as u8 * 7),
            }
        }
        self.off = true;
        Err(Off)
    }
}

fn context(number: u8) -> Context {
    Context([number; 8])
}

/// As a device does it: an earlier run is resumed if there is a record of it, and otherwise a Sender ID that
/// was never used is asked for.
fn boot(sequence: &mut Sequence<&mut Flash>, contexts: &mut u8) -> Result<Context, SequenceError<Off>> {
    let current = context(*contexts);
    match sequence.resume(&RustCrypto, current) {
        Ok(()) => Ok(current),
        Err(SequenceError::Unknown) => {
            *contexts += 1;
            let fresh = context(*contexts);
            sequence.begin(&RustCrypto, fresh).map(|()| fresh)
        }
        Err(error) => Err(error),
    }
}

/// Every place at which power can fail: in every write, after every byte, with every kind of remains, and again during
/// the write that follows. No number is used twice.
#[test]
fn power_may_fail_in_every_write() {
    let rests = [Rest::Old, Rest::Erased, Rest::Noise(1), Rest::Noise(200)];
    for slots in [2, 3] {
        for after in 0..2 * slots {
            for bytes in 0..=RECORD_LEN {
                for rest in rests {
                    for again in [0, 13, RECORD_LEN] {
                        power_fails(slots, Cut { after, bytes, rest }, again);
                    }
                }
            }
        }
    }
}

fn power_fails(slots: usize, cut: Cut, again: usize) {
    let (mut flash, mut used, mut contexts) = (Flash::new(slots), HashSet::new(), 0);
    let (at_once, next) = (Cut { after: 0, bytes: again, ..cut }, Cut { after: 1, ..cut });
    for cut in [None, Some(cut), Some(at_once), Some(next), None] {
        flash.power_on();
        flash.cut = cut;
        let mut sequence = Sequence::new(&mut flash);
        let context = boot(&mut sequence, &mut contexts).unwrap();
        for _ in 0..4 * STEP {
            match sequence.next(&RustCrypto) {
                Ok(number) => assert!(used.insert((context.0, number)), "{number} twice"),
                Err(SequenceError::Storage(Off)) => break,
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    assert!(contexts <= 2, "only the very first write may leave nothing to go by: {contexts}");
}

/// A flash that loses what was in a slot, whichever, before each of several starts, and power that fails while what was lost
/// is noted.
#[test]
fn every_slot_may_be_lost_at_every_start() {
    let losses =
        |slots: usize| (0..slots).flat_map(|slot| [(slot, 0xff), (slot, 0x5a)]).map(Some).chain([None]);
    for slots in [2, 3] {
        for first in losses(slots) {
            for second in losses(slots) {
                for third in losses(slots) {
                    for after in 0..4 {
                        for rest in [Rest::Old, Rest::Erased, Rest::Noise(9)] {
                            slots_are_lost(slots, [first, second, third], Cut { after, bytes: 13, rest });
                        }
                    }
                }
            }
        }
    }
}

fn slots_are_lost(slots: usize, losses: [Option<(usize, u8)>; 3], cut: Cut) {
    let (mut flash, mut used, mut contexts) = (Flash::new(slots), HashSet::new(), 0);
    for (start, loss) in [None].into_iter().chain(losses).enumerate() {
        flash.power_on();
        if let Some((slot, left)) = loss {
            flash.slots[slot] = [left; RECORD_LEN];
        }
        flash.cut = (start == 2).then_some(cut);
        let mut sequence = Sequence::new(&mut flash);
        let context = boot(&mut sequence, &mut contexts).unwrap();
        while let Ok(number) = sequence.next(&RustCrypto) {
            assert!(used.insert((context.0, number)), "{number} twice: {slots} slots, {losses:?}, {cut:?}");
            if number % STEP == 3 {
                break;
            }
        }
    }
}

proptest! {
    /// Any history of use, power cuts, lost slots and new keys.
    #[test]
    fn no_number_is_used_twice(
        slots in 2usize..6,
        runs in proptest::collection::vec((0usize..400, 0usize..=RECORD_LEN, 0u8..4, any::<u8>(), any::<bool>()), 1..12),
    ) {
        let (mut flash, mut used, mut contexts) = (Flash::new(slots), HashSet::new(), 0u8);
        for (numbers, bytes, rest, noise, new_key) in runs {
            flash.power_on();
            if noise < 40 {
                // One slot has lost what was in it.
                let left = if noise < 20 { noise | 1 } else { 0xff };
                flash.slots[usize::from(noise) % slots] = [left; RECORD_LEN];
            }
            let mut sequence = Sequence::new(&mut flash);
            let mut current = boot(&mut sequence, &mut contexts).unwrap();
            let rest = [Rest::Old, Rest::Erased, Rest::Noise(noise), Rest::Noise(noise ^ 0x55)][usize::from(rest)];
            for at in 0..=numbers {
                if at == numbers {
                    // The next write is the last, or one of the next.
                    sequence.storage_mut().cut = Some(Cut { after: usize::from(noise) % 3, bytes, rest });
                }
                if new_key && at == numbers / 2 {
                    contexts += 1;
                    current = context(contexts);
                    sequence.begin(&RustCrypto, current).unwrap();
                }
                match sequence.next(&RustCrypto) {
                    Ok(number) => prop_assert!(used.insert((current.0, number))),
                    Err(error) => {
                        prop_assert!(matches!(error, SequenceError::Storage(Off)));
                        break;
                    }
                }
            }
        }
    }
}

/// Firmware that finds fewer slots than the one before may have lost the newest record, and does not know of it.
#[test]
fn another_number_of_slots_begins_anew() {
    for (before, after) in [(4, 2), (3, 2), (2, 3)] {
        for used in 1..=before as u32 {
            let mut flash = Flash::new(before);
            let mut sequence = Sequence::new(&mut flash);
            sequence.begin(&RustCrypto, context(1)).unwrap();
            for _ in 0..used * STEP {
                let _number = sequence.next(&RustCrypto).unwrap();
            }
            flash.slots.resize(after, [0xff; RECORD_LEN]);
            let mut sequence = Sequence::new(&mut flash);
            assert_eq!(
                sequence.resume(&RustCrypto, context(1)),
                Err(SequenceError::Unknown),
                "{before} {after} {used}"
            );
        }
    }
}

/// Who begins what it has begun goes on, with a memory and without.
#[test]
fn nothing_begins_twice() {
    let mut flash = Flash::new(2);
    let mut sequence = Sequence::new(&mut flash);
    sequence.begin(&RustCrypto, context(1)).unwrap();
    assert_eq!(sequence.next(&RustCrypto), Ok(0));
    sequence.storage_mut().slots.fill([0xff; RECORD_LEN]);
    sequence.begin(&RustCrypto, context(1)).unwrap();
    assert_eq!(sequence.next(&RustCrypto), Ok(1));
    let mut sequence = Sequence::new(crate::Forgetful);
    for number in 0..3 {
        sequence.begin(&RustCrypto, context(1)).unwrap();
        assert_eq!(sequence.next(&RustCrypto), Ok(number));
    }
}

#[test]
fn slots_wear_alike_and_writes_are_few() {
    let mut flash = Flash::new(4);
    let mut sequence = Sequence::new(&mut flash);
    sequence.begin(&RustCrypto, context(1)).unwrap();
    for number in 0..10 * STEP {
        assert_eq!(sequence.next(&RustCrypto), Ok(number));
    }
    assert_eq!((sequence.writes(), sequence.wear()), (10, 3));
    let counts: Vec<u32> = (0..4).map(|slot| flash.writes[&slot]).collect();
    assert_eq!(counts, [3, 3, 2, 2]);
    let mut sequence = Sequence::new(&mut flash);
    sequence.resume(&RustCrypto, context(1)).unwrap();
    assert_eq!((sequence.next(&RustCrypto), sequence.writes()), (Ok(10 * STEP), 11));
    assert_eq!(sequence.resume(&RustCrypto, context(2)), Err(SequenceError::Unknown));
    assert_eq!(sequence.next(&RustCrypto), Err(SequenceError::Unknown));
}

#[test]
fn numbers_end() {
    let mut sequence = Sequence::new(crate::Forgetful);
    assert_eq!(sequence.next(&RustCrypto), Err(SequenceError::Unknown));
    sequence.begin(&RustCrypto, context(1)).unwrap();
    for number in 0..NUMBERS {
        assert_eq!(sequence.next(&RustCrypto), Ok(number));
    }
    assert_eq!(sequence.next(&RustCrypto), Err(SequenceError::Exhausted));
    sequence.begin(&RustCrypto, context(2)).unwrap();
    assert_eq!(sequence.next(&RustCrypto), Ok(0));
}
