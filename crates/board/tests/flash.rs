//! Pages of flash that wears, whose words are written once between two erasures, and whose power fails.
#![allow(missing_docs, reason = "a test crate has no readers but this file's")]

use std::cell::RefCell;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use proptest::prelude::*;
use sedge_board::flash::{Error, Pages, text};
use sedge_client::protected::{Record, SequenceStorage};
use sedge_client::{SAVED_LEN, SavedSession, Storage};

const PAGE: usize = 4096;
const PAGES: usize = 3;

struct Chip {
    bytes: Vec<u8>,
    erased: u32,
    /// The power fails in the operation after so many.
    power: Option<u32>,
    /// And so many bytes of it are done.
    done: usize,
    /// Its last bit stays as it is.
    worn: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fault(NorFlashErrorKind);

impl NorFlashError for Fault {
    fn kind(&self) -> NorFlashErrorKind {
        self.0
    }
}

impl Chip {
    fn new() -> Self {
        Self { bytes: vec![0xff; PAGE * (PAGES + 1)], erased: 0, power: None, done: 0, worn: false }
    }

    /// How many of `len` bytes are changed before the power fails.
    fn powered(&mut self, len: usize) -> usize {
        match &mut self.power {
            Some(0) => self.done.min(len),
            Some(left) => {
                *left -= 1;
                len
            }
            None => len,
        }
    }
}

impl ErrorType for Chip {
    type Error = Fault;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        check_read(self, offset, bytes.len()).map_err(Fault)?;
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        check_erase(self, from, to).map_err(Fault)?;
        assert_eq!((to - from) as usize, PAGE, "one page at a time");
        let cut = self.power == Some(0);
        let done = self.powered(PAGE);
        self.bytes[from as usize..][..done].fill(0xff);
        self.erased += 1;
        if cut { Err(Fault(NorFlashErrorKind::Other)) } else { Ok(()) }
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        check_write(self, offset, bytes.len()).map_err(Fault)?;
        let cut = self.power == Some(0);
        let done = self.powered(bytes.len());
        let place = &mut self.bytes[offset as usize..][..done];
        assert!(place.iter().all(|byte| *byte == 0xff), "no word is written twice between two erasures");
        place.copy_from_slice(&bytes[..done]);
        if let Some(last) = place.last_mut().filter(|_| self.worn) {
            *last |= 1;
        }
        if cut { Err(Fault(NorFlashErrorKind::Other)) } else { Ok(()) }
    }
}

fn pages(chip: &RefCell<Chip>) -> Pages<'_, Chip> {
    Pages::new(chip, PAGE as u32..(PAGE * (PAGES + 1)) as u32).unwrap()
}

#[test]
fn only_whole_pages_of_the_chip_will_do() {
    let chip = RefCell::new(Chip::new());
    let page = PAGE as u32;
    for range in [0..page, 1..2 * page + 1, 0..2 * page + 4, page..5 * page, 3 * page..page] {
        assert!(Pages::new(&chip, range.clone()).is_none(), "{range:?}");
    }
    assert_eq!(Storage::slots(&pages(&chip)), PAGES);
}

#[test]
fn a_page_is_erased_when_it_is_full() {
    let chip = RefCell::new(Chip::new());
    let mut pages = pages(&chip);
    let per_page = PAGE / SAVED_LEN.next_multiple_of(4);
    assert!(per_page >= 10, "as the documentation says: {per_page}");
    let mut record: SavedSession = [0; SAVED_LEN];
    for round in 0..4 * per_page {
        for slot in 0..PAGES {
            record.fill((round * PAGES + slot) as u8 % 255);
            Storage::write(&mut pages, slot, &record).unwrap();
            let mut read = [0; SAVED_LEN];
            Storage::read(&mut pages, slot, &mut read).unwrap();
            assert_eq!(read, record);
        }
    }
    assert_eq!(chip.borrow().erased as usize, PAGES * 3);
    assert!(chip.borrow().bytes[..PAGE].iter().all(|byte| *byte == 0xff), "nobody else's page is touched");
}

#[test]
fn what_is_not_kept_is_noticed() {
    let chip = RefCell::new(Chip::new());
    let mut pages = pages(&chip);
    let record: Record = [6; 32];
    SequenceStorage::write(&mut pages, 0, &record).unwrap();
    chip.borrow_mut().worn = true;
    assert_eq!(SequenceStorage::write(&mut pages, 0, &record), Err(Error::NotKept));
}

#[test]
fn a_text_ends_where_nothing_was_written() {
    let chip = RefCell::new(Chip::new());
    let mut memory = [0; 32];
    assert_eq!(text(&chip, 0, &mut memory), None);
    chip.borrow_mut().bytes[..5].copy_from_slice(b"a b c");
    assert_eq!(text(&chip, 0, &mut memory), Some("a b c"));
    assert_eq!(text(&chip, 0, &mut memory[..4]), None, "it goes on");
}

proptest! {
    /// Whenever the power fails, all slots but the one that was being written hold what they held.
    #[test]
    fn power_that_fails_spoils_one_slot(
        before in 0_usize..60,
        power in 0_u32..40,
        done in 0_usize..PAGE,
        after in 1_usize..60,
    ) {
        let chip = RefCell::new(Chip::new());
        let mut kept = [[0xff; SAVED_LEN]; PAGES];
        let mut pages = pages(&chip);
        let mut number = 0;
        let mut cut = |pages: &mut Pages<'_, Chip>, kept: &mut [SavedSession; PAGES], writes: usize| {
            for _ in 0..writes {
                let slot = number % PAGES;
                number += 1;
                let record = [number as u8 & 0x7f; SAVED_LEN];
                if Storage::write(pages, slot, &record).is_err() {
                    return Some(slot);
                }
                kept[slot] = record;
            }
            None
        };
        prop_assert_eq!(cut(&mut pages, &mut kept, before), None);
        (chip.borrow_mut().power, chip.borrow_mut().done) = (Some(power), done);
        let spoilt = cut(&mut pages, &mut kept, 60);
        chip.borrow_mut().power = None;
        let mut read = [0; SAVED_LEN];
        for (slot, record) in kept.iter().enumerate().filter(|(slot, _)| Some(*slot) != spoilt) {
            Storage::read(&mut pages, slot, &mut read).unwrap();
            prop_assert_eq!(&read, record);
        }
        // And on it goes.
        prop_assert_eq!(cut(&mut pages, &mut kept, after + PAGES), None);
        for (slot, record) in kept.iter().enumerate() {
            Storage::read(&mut pages, slot, &mut read).unwrap();
            prop_assert_eq!(&read, record);
        }
    }
}
