//! Block-wise transfer ([RFC 7959](https://www.rfc-editor.org/rfc/rfc7959)).

mod assembler;
mod slicer;
mod window;

pub use assembler::{Assembler, BlockError, Progress};
pub use slicer::{BeyondTheEnd, Slice, Slicer, Step, slice};
pub use window::Window;

use core::fmt;

/// The size of a block: 16 to 1024 bytes, a power of two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockSize {
    // 0 to 6.
    szx: u8,
}

impl BlockSize {
    /// 16 bytes.
    pub const MIN: Self = Self { szx: 0 };
    /// 1024 bytes.
    pub const MAX: Self = Self { szx: 6 };

    /// The size whose exponent is `szx`; `None` for the reserved 7 and above.
    pub const fn from_szx(szx: u8) -> Option<Self> {
        if szx <= 6 { Some(Self { szx }) } else { None }
    }

    /// The largest size of at most `bytes`; 16 bytes if that is less.
    pub const fn at_most(bytes: usize) -> Self {
        let mut size = Self::MAX;
        while size.szx > 0 && size.bytes() > bytes {
            size.szx -= 1;
        }
        size
    }

    /// The exponent as it is sent.
    pub const fn szx(self) -> u8 {
        self.szx
    }

    /// The size in bytes.
    pub const fn bytes(self) -> usize {
        16 << self.szx
    }

    /// The longest body that has no more such blocks than there are numbers, in bytes.
    pub(crate) const fn longest_body(self) -> usize {
        self.bytes() << 20
    }
}

impl fmt::Debug for BlockSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.bytes())
    }
}

/// The value of a Block1 or Block2 option
/// ([RFC 7959 section 2.2](https://www.rfc-editor.org/rfc/rfc7959#section-2.2)):
///
/// ```text
///  | NUM, 20 bits | M | SZX, 3 bits |
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Block {
    // At most 24 bits, and SZX is not 7.
    value: u32,
}

impl Block {
    /// The highest block number, 2^20 - 1.
    pub const MAX_NUM: u32 = (1 << 20) - 1;

    /// A block, or `None` if `num` is above [`MAX_NUM`](Self::MAX_NUM).
    pub const fn new(num: u32, more: bool, size: BlockSize) -> Option<Self> {
        if num > Self::MAX_NUM {
            return None;
        }
        Some(Self { value: num << 4 | (more as u32) << 3 | size.szx as u32 })
    }

    /// The block that `offset` bytes into a body starts, or `None` if none starts there.
    pub const fn at(offset: usize, more: bool, size: BlockSize) -> Option<Self> {
        let num = offset >> (4 + size.szx);
        if num << (4 + size.szx) == offset && num <= Self::MAX_NUM as usize {
            Self::new(num as u32, more, size)
        } else {
            None
        }
    }

    /// Reads an option's value; `None` if its SZX is the reserved 7 or its NUM is above 20 bits.
    pub const fn from_value(value: u32) -> Option<Self> {
        if value >> 4 <= Self::MAX_NUM && value & 7 != 7 { Some(Self { value }) } else { None }
    }

    /// The option's value.
    pub const fn value(self) -> u32 {
        self.value
    }

    /// The number of this block, counted in blocks of its own size.
    pub const fn num(self) -> u32 {
        self.value >> 4
    }

    /// Whether more blocks follow.
    pub const fn more(self) -> bool {
        self.value & 8 != 0
    }

    /// The size of the blocks.
    pub const fn size(self) -> BlockSize {
        BlockSize { szx: (self.value & 7) as u8 }
    }

    /// Where this block starts in the body, in bytes.
    pub const fn offset(self) -> usize {
        (self.num() as usize) << (4 + self.size().szx)
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.more() { ", more follow" } else { "" };
        write!(f, "{} of {:?}{more}", self.num(), self.size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_and_write() {
        let size = BlockSize::at_most(64);
        assert_eq!((size.szx(), size.bytes()), (2, 64));
        let block = Block::new(3, true, size).unwrap();
        assert_eq!((block.value(), block.offset()), (0x3a, 192));
        assert_eq!(Block::from_value(0x3a), Some(block));
        assert_eq!(Block::at(192, true, size), Some(block));
        assert_eq!(Block::at(100, true, size), None);
        assert_eq!(Block::from_value(0xff_fffe), Block::new(Block::MAX_NUM, true, BlockSize::MAX));
        assert_eq!(Block::new(Block::MAX_NUM + 1, false, size), None);
        for reserved in [0x07, 0x0f, 0xff_ffff] {
            assert_eq!(Block::from_value(reserved), None);
        }
        assert_eq!(Block::from_value(0x0100_0000), None);
        assert_eq!(Block::at(Block::MAX_NUM as usize * 16 + 16, false, BlockSize::MIN), None);
    }

    #[test]
    fn sizes_never_exceed_what_is_asked() {
        for (bytes, size) in [(0, 16), (31, 16), (32, 32), (1023, 512), (1024, 1024), (70_000, 1024)] {
            assert_eq!(BlockSize::at_most(bytes).bytes(), size);
        }
    }
}
