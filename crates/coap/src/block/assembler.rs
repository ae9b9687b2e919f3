//! The receiving side of a block-wise transfer.

use core::fmt;

use super::Block;
use crate::Code;

/// A body that is received block by block into the caller's memory: a request's by a server (Block1), or a
/// response's by a client (Block2).
///
/// The blocks of one body share a key: [`Message::request_key`](crate::Message::request_key) on the server,
/// [`Message::response_key`](crate::Message::response_key) on the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Assembler {
    key: u64,
    len: usize,
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More is to come. A server answers 2.31 with the block's own option; a client asks for this block
    /// next.
    Continue(Block),
    /// All of it is there: the first so many bytes of the memory.
    Complete(usize),
}

/// Why a block was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockError {
    /// Blocks before it are missing, or it belongs to another body: a server answers 4.08, a client starts
    /// again at block 0.
    Incomplete,
    /// The body does not fit the memory: a server answers 4.13, with Size1 naming what would.
    TooLarge,
    /// Its payload does not have the size it says: a server answers 4.00.
    Size,
}

impl BlockError {
    /// The code a server answers.
    pub const fn code(self) -> Code {
        match self {
            Self::Incomplete => Code::REQUEST_ENTITY_INCOMPLETE,
            Self::TooLarge => Code::REQUEST_ENTITY_TOO_LARGE,
            Self::Size => Code::BAD_REQUEST,
        }
    }
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Incomplete => "earlier blocks of the body are missing",
            Self::TooLarge => "the body does not fit",
            Self::Size => "the payload is not as large as its block",
        })
    }
}

impl core::error::Error for BlockError {}

impl Assembler {
    /// Nothing was received.
    pub const fn new() -> Self {
        Self { key: 0, len: 0 }
    }

    /// How many bytes stand at the front of the memory.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was received.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes a block of the body `key`, whose Size1 or Size2 option may have told its `total` size in bytes.
    /// `memory` is the same in every call.
    ///
    /// Block 0 begins a body and drops what was there of another. A block that came before is taken again
    /// and answered as it was.
    ///
    /// # Errors
    /// The block was not taken; what was there before still is.
    pub fn receive(
        &mut self,
        memory: &mut [u8],
        key: u64,
        block: Block,
        total: Option<u32>,
        payload: &[u8],
    ) -> Result<Progress, BlockError> {
        let size = block.size().bytes();
        if payload.len() > size || block.more() && payload.len() < size {
            return Err(BlockError::Size);
        }
        let start = block.offset();
        if start != 0 && (start > self.len || key != self.key) {
            return Err(BlockError::Incomplete);
        }
        if total.is_some_and(|total| total as usize > memory.len()) {
            return Err(BlockError::TooLarge);
        }
        let end = start + payload.len();
        let progress = if block.more() {
            let next = Block::new(block.num() + 1, false, block.size());
            Progress::Continue(next.ok_or(BlockError::TooLarge)?)
        } else {
            Progress::Complete(end)
        };
        memory.get_mut(start..end).ok_or(BlockError::TooLarge)?.copy_from_slice(payload);
        // A block that came before leaves the body as long as it is.
        let len = if block.more() && start != 0 { end.max(self.len) } else { end };
        *self = Self { key, len };
        Ok(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::super::BlockSize;
    use super::*;

    fn block(num: u32, more: bool) -> Block {
        Block::new(num, more, BlockSize::MIN).unwrap()
    }

    #[test]
    fn collects_a_body() {
        let mut memory = [0; 40];
        let mut assembler = Assembler::new();
        let mut receive = |num, more, payload: &[u8]| {
            assembler.receive(&mut memory, 1, block(num, more), Some(36), payload)
        };
        assert_eq!(receive(0, true, &[1; 16]), Ok(Progress::Continue(block(1, false))));
        assert_eq!(receive(1, true, &[2; 16]), Ok(Progress::Continue(block(2, false))));
        // A block that came before: its answer was lost.
        assert_eq!(receive(1, true, &[2; 16]), Ok(Progress::Continue(block(2, false))));
        assert_eq!(receive(2, false, &[3; 4]), Ok(Progress::Complete(36)));
        assert_eq!(receive(2, false, &[3; 4]), Ok(Progress::Complete(36)));
        assert_eq!(memory[..36], [&[1; 16][..], &[2; 16], &[3; 4]].concat());
    }

    #[test]
    fn refuses_what_does_not_belong() {
        let mut memory = [0; 40];
        let mut assembler = Assembler::new();
        let mut receive = |key, num, more, total, payload: &[u8]| {
            assembler.receive(&mut memory, key, block(num, more), total, payload)
        };
        assert_eq!(receive(1, 1, true, None, &[0; 16]), Err(BlockError::Incomplete));
        assert_eq!(receive(1, 0, true, None, &[0; 15]), Err(BlockError::Size));
        assert_eq!(receive(1, 0, false, None, &[0; 17]), Err(BlockError::Size));
        assert_eq!(receive(1, 0, true, Some(41), &[0; 16]), Err(BlockError::TooLarge));
        assert!(receive(1, 0, true, None, &[0; 16]).is_ok());
        // Another body, a gap, and one block too many.
        assert_eq!(receive(2, 1, true, None, &[0; 16]), Err(BlockError::Incomplete));
        assert_eq!(receive(1, 2, true, None, &[0; 16]), Err(BlockError::Incomplete));
        assert!(receive(1, 1, true, None, &[0; 16]).is_ok());
        assert_eq!(receive(1, 2, true, None, &[0; 16]), Err(BlockError::TooLarge));
        assert_eq!(receive(1, 2, false, None, &[0; 8]), Ok(Progress::Complete(40)));
        // Block 0 begins another body.
        assert!(receive(2, 0, true, None, &[0; 16]).is_ok());
        assert_eq!(receive(1, 1, true, None, &[0; 16]), Err(BlockError::Incomplete));
        assert_eq!(receive(2, 2, true, None, &[0; 16]), Err(BlockError::Incomplete));
    }

    #[test]
    fn takes_blocks_that_become_smaller() {
        let mut memory = [0; 100];
        let mut assembler = Assembler::new();
        let large = Block::new(0, true, BlockSize::at_most(64)).unwrap();
        assert!(assembler.receive(&mut memory, 1, large, None, &[1; 64]).is_ok());
        assert_eq!(
            assembler.receive(&mut memory, 1, block(4, false), None, &[2; 9]),
            Ok(Progress::Complete(73))
        );
    }
}
