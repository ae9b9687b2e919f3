//! The last pages of the flash: the credential, which is written when the device is made, and four pages for the numbers
//! of what is encrypted, which keep them through a loss of power.

use embassy_nrf::nvmc::{Error, FLASH_SIZE, Nvmc, PAGE_SIZE};
use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use sedge_client::protected::{Record, SequenceStorage};

const PAGES: usize = 4;
const SEQUENCES: usize = FLASH_SIZE - PAGES * PAGE_SIZE;
const CREDENTIAL: usize = SEQUENCES - PAGE_SIZE;

pub struct Flash<'d>(pub Nvmc<'d>);

impl Flash<'_> {
    /// What was written there: a text, and behind it nothing but ones.
    pub fn credential<'a>(&mut self, memory: &'a mut [u8]) -> Option<&'a str> {
        self.0.read(CREDENTIAL as u32, memory).ok()?;
        let len = memory.iter().position(|byte| *byte == 0xff)?;
        core::str::from_utf8(memory.get(..len)?).ok()
    }
}

impl SequenceStorage for Flash<'_> {
    type Error = Error;

    fn slots(&self) -> usize {
        PAGES
    }

    fn read(&mut self, slot: usize, record: &mut Record) -> Result<(), Error> {
        self.0.read((SEQUENCES + slot * PAGE_SIZE) as u32, record)
    }

    fn write(&mut self, slot: usize, record: &Record) -> Result<(), Error> {
        let page = (SEQUENCES + slot * PAGE_SIZE) as u32;
        self.0.erase(page, page + PAGE_SIZE as u32)?;
        self.0.write(page, record)
    }
}
