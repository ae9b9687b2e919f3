//! The sizes of an image's sections, from its ELF headers.

use std::fs;
use std::path::Path;

/// What an image takes.
pub(super) struct Sections {
    /// Code and constants.
    pub(super) flash: u64,
    /// Variables.
    pub(super) ram: u64,
}

impl Sections {
    /// Reads a 32-bit little-endian ELF file, which is what the targets have.
    pub(super) fn read(image: &Path) -> Result<Self, String> {
        let file = fs::read(image).map_err(|error| format!("cannot read the image: {error}"))?;
        if file.get(..6) != Some(b"\x7fELF\x01\x01") {
            return Err("not a 32-bit little-endian ELF file".into());
        }
        let word = |at: usize| {
            file.get(at..at + 4)
                .and_then(|bytes| bytes.try_into().ok())
                .map(u32::from_le_bytes)
                .ok_or("the ELF file is cut short")
        };
        let half = |at: usize| word(at).map(|word| word as usize & 0xffff);
        let (headers, size, count) = (word(32)? as usize, half(46)?, half(48)?);
        let mut sections = Self { flash: 0, ram: 0 };
        for header in (0..count).map(|index| headers + index * size) {
            const ALLOCATED: u32 = 2;
            const WRITABLE: u32 = 1;
            let (flags, length) = (word(header + 8)?, u64::from(word(header + 20)?));
            if flags & ALLOCATED != 0 {
                *(if flags & WRITABLE == 0 { &mut sections.flash } else { &mut sections.ram }) += length;
            }
        }
        Ok(sections)
    }
}
