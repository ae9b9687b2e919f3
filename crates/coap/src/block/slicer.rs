//! The sending side of a block-wise transfer.

use core::fmt;
use core::ops::Range;

use super::{Block, BlockSize};
use crate::Code;

/// One block of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Which bytes of the body are the payload.
    pub range: Range<usize>,
    /// The Block1 or Block2 option to send, or `None` if the body fits one message and nobody asked for
    /// blocks.
    pub block: Option<Block>,
}

/// The block that was asked for starts at or behind the end of the body, or the body has more than 2^20
/// blocks. A request that asks for it is answered 4.00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeyondTheEnd;

impl fmt::Display for BeyondTheEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body has no such block")
    }
}

impl core::error::Error for BeyondTheEnd {}

/// The part of a response body of `len` bytes that a request with the Block2 option `asked` gets, if the
/// server sends blocks of at most `size`
/// ([RFC 7959 section 2.4](https://www.rfc-editor.org/rfc/rfc7959#section-2.4)). A server keeps no state for
/// it but the body, and gives all blocks of one representation the same ETag.
///
/// A notification is sliced as if nothing had been asked: its first block goes out, the client fetches the
/// others ([section 2.6](https://www.rfc-editor.org/rfc/rfc7959#section-2.6)).
///
/// # Errors
/// The body has no such block.
pub fn slice(len: usize, asked: Option<Block>, size: BlockSize) -> Result<Slice, BeyondTheEnd> {
    let (start, size) = match asked {
        Some(asked) => (asked.offset(), asked.size().min(size)),
        None => (0, size),
    };
    if start > 0 && start >= len {
        return Err(BeyondTheEnd);
    }
    let end = len.min(start.saturating_add(size.bytes()));
    let block = if asked.is_none() && end == len {
        None
    } else {
        // A client asks for at most `MAX_NUM` blocks of its size, which may be more blocks of ours.
        Some(Block::at(start, end < len, size).ok_or(BeyondTheEnd)?)
    };
    Ok(Slice { range: start..end, block })
}

/// A request body that is sent in blocks, one after the other
/// ([RFC 7959 section 2.5](https://www.rfc-editor.org/rfc/rfc7959#section-2.5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slicer {
    len: usize,
    start: usize,
    size: BlockSize,
}

/// What a response means for a [`Slicer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the block that [`Slicer::current`] now names.
    Send,
    /// The response is the answer to the whole body. A 4.08 among them says that the server has lost
    /// blocks: the transfer may be begun anew.
    Done,
}

impl Slicer {
    /// A body of `len` bytes, in blocks of at most `size`.
    ///
    /// # Errors
    /// The body has more than 2^20 blocks.
    pub const fn new(len: usize, size: BlockSize) -> Result<Self, BeyondTheEnd> {
        if len > size.longest_body() {
            return Err(BeyondTheEnd);
        }
        Ok(Self { len, start: 0, size })
    }

    /// The block to send now. The first one should carry Size1 if there are more.
    pub fn current(&self) -> Slice {
        let end = self.len.min(self.start + self.size.bytes());
        let whole = self.start == 0 && end == self.len;
        let block = if whole { None } else { Block::at(self.start, end < self.len, self.size) };
        Slice { range: self.start..end, block }
    }

    /// The response to the current block: its code and Block1 option.
    pub fn receive(&mut self, code: Code, block1: Option<Block>) -> Step {
        let Slice { range, block: Some(sent) } = self.current() else { return Step::Done };
        let Some(reply) = block1 else { return Step::Done };
        let smaller = self.size.min(reply.size());
        let start = if code == Code::REQUEST_ENTITY_TOO_LARGE && range.start == 0 && smaller < self.size {
            // Section 2.9.3: the server would take it in smaller blocks.
            0
        } else if code.is_success() && reply.num() == sent.num() && sent.more() {
            // 2.31 collects; another success with this block's number has acted on the block alone.
            range.end
        } else {
            return Step::Done;
        };
        if self.len > smaller.longest_body() {
            return Step::Done;
        }
        (self.start, self.size) = (start, smaller);
        Step::Send
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(num: u32, more: bool, bytes: usize) -> Option<Block> {
        Block::new(num, more, BlockSize::at_most(bytes))
    }

    fn slice_of(len: usize, asked: Option<Block>, bytes: usize) -> (Range<usize>, Option<Block>) {
        let Slice { range, block } = slice(len, asked, BlockSize::at_most(bytes)).unwrap();
        (range, block)
    }

    /// RFC 7959 figures 2 to 4.
    #[test]
    fn a_server_slices_as_asked() {
        assert_eq!(slice_of(300, None, 128), (0..128, block(0, true, 128)));
        assert_eq!(slice_of(300, block(1, false, 128), 128), (128..256, block(1, true, 128)));
        assert_eq!(slice_of(300, block(2, false, 128), 128), (256..300, block(2, false, 128)));
        // The client wants smaller blocks, at once or later.
        assert_eq!(slice_of(300, block(0, false, 64), 128), (0..64, block(0, true, 64)));
        assert_eq!(slice_of(300, block(2, false, 64), 128), (128..192, block(2, true, 64)));
        // The client wants larger ones than there are.
        assert_eq!(slice_of(3000, block(1, false, 1024), 128), (1024..1152, block(8, true, 128)));
        // A body of one message needs no option, unless asked; a body of full blocks ends with the last.
        assert_eq!(slice_of(128, None, 128), (0..128, None));
        assert_eq!(slice_of(0, None, 128), (0..0, None));
        assert_eq!(slice_of(0, block(0, false, 16), 128), (0..0, block(0, false, 16)));
        assert_eq!(slice_of(256, block(1, false, 128), 128), (128..256, block(1, false, 128)));
        assert_eq!(slice(256, block(2, false, 128), BlockSize::MAX), Err(BeyondTheEnd));
        assert_eq!(slice(usize::MAX, block(Block::MAX_NUM, false, 1024), BlockSize::MIN), Err(BeyondTheEnd));
    }

    /// RFC 7959 figures 7 and 8.
    #[test]
    fn a_client_slices_as_the_server_likes() {
        let mut slicer = Slicer::new(300, BlockSize::at_most(128)).unwrap();
        assert_eq!(slicer.current(), Slice { range: 0..128, block: block(0, true, 128) });
        assert_eq!(slicer.receive(Code::CONTINUE, block(0, true, 32)), Step::Send);
        for num in 4..9 {
            let start = num as usize * 32;
            assert_eq!(slicer.current(), Slice { range: start..start + 32, block: block(num, true, 32) });
            assert_eq!(slicer.receive(Code::CONTINUE, block(num, true, 32)), Step::Send);
        }
        assert_eq!(slicer.current(), Slice { range: 288..300, block: block(9, false, 32) });
        assert_eq!(slicer.receive(Code::CHANGED, block(9, false, 32)), Step::Done);
    }

    #[test]
    fn a_client_tries_smaller_blocks_when_told_to() {
        let mut slicer = Slicer::new(300, BlockSize::at_most(128)).unwrap();
        assert_eq!(slicer.receive(Code::REQUEST_ENTITY_TOO_LARGE, block(0, true, 64)), Step::Send);
        assert_eq!(slicer.current(), Slice { range: 0..64, block: block(0, true, 64) });
        assert_eq!(slicer.receive(Code::REQUEST_ENTITY_TOO_LARGE, block(0, true, 64)), Step::Done);
    }

    #[test]
    fn a_client_stops_at_what_it_does_not_expect() {
        let slicer = Slicer::new(300, BlockSize::at_most(128)).unwrap();
        for (code, block1) in [
            (Code::REQUEST_ENTITY_INCOMPLETE, block(0, true, 128)),
            (Code::NOT_FOUND, None),
            (Code::CHANGED, None),
            (Code::CONTINUE, block(1, true, 128)),
        ] {
            assert_eq!(slicer.clone().receive(code, block1), Step::Done);
        }
        let mut whole = Slicer::new(20, BlockSize::MAX).unwrap();
        assert_eq!(whole.current(), Slice { range: 0..20, block: None });
        assert_eq!(whole.receive(Code::CHANGED, None), Step::Done);
        assert_eq!(Slicer::new((1 << 24) + 1, BlockSize::MIN), Err(BeyondTheEnd));
        // As many blocks as there are numbers, but no more after the server asks for smaller ones.
        assert!(Slicer::new(1 << 24, BlockSize::MIN).is_ok());
        let mut largest = Slicer::new(1 << 24, BlockSize::at_most(32)).unwrap();
        assert_eq!(largest.receive(Code::CONTINUE, block(0, true, 16)), Step::Send);
        let mut larger = Slicer::new((1 << 24) + 1, BlockSize::at_most(32)).unwrap();
        assert_eq!(larger.receive(Code::CONTINUE, block(0, true, 16)), Step::Done);
    }
}
