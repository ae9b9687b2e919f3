//! One request with its answer, each of which may take many messages
//! ([RFC 7959](https://www.rfc-editor.org/rfc/rfc7959)).
//!
//! ```text
//!   Waiting --(sent)--> Sent --(2.31, or a block of the answer)--> Waiting
//!      ^                 |  \
//!      |  connection     |   +--(last block, or an error code)---> Done
//!      +-- lost ---------+   +--(nothing helps any more)---------> Failed
//! ```

use sedge_coap::block::{Assembler, Block, BlockError, BlockSize, Progress, Slicer, Step};
use sedge_coap::{Code, ContentFormat, Message, OptionNumber, Writer};
use sedge_endpoint::SendError;
use sedge_time::Instant;

use crate::error::Failure;
use crate::request::{Request, Response, Target, asked};

/// How often a transfer starts again before it gives up: because the connection was lost, the server lost
/// blocks, or the representation changed.
const RESTARTS: u8 = 4;

/// A request under way. It belongs to the caller and is lent to every call of [`Core`](crate::core::Core);
/// whoever drops it gives the request up.
#[derive(Debug)]
pub struct Transfer<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) stage: Stage,
    /// When to stop waiting for a connection.
    pub(crate) give_up_at: Option<Instant>,
    size: BlockSize,
    restarts: u8,
    /// The part of the request's payload to send; `None` when there is none, or the server has it all.
    upload: Option<Slicer>,
    /// The block of the answer to ask for next; `None` until the first one came.
    wanted: Option<Block>,
    download: Assembler,
    body: &'a mut [u8],
    answer: Answer,
    /// Tells the blocks of this body from those of another one to the same place
    /// ([RFC 9175 section 3](https://www.rfc-editor.org/rfc/rfc9175#section-3)).
    pub(crate) tag: u16,
    /// Whether the request goes out in blocks. Then all messages carry the tag, those that fetch the blocks of
    /// the answer too: it is by their options that the server knows what they belong to.
    tagged: bool,
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Waiting,
    /// Under this serial number.
    Sent(u16),
    Done,
    Failed(Failure),
}

/// What is known of the answer.
#[derive(Clone, Copy, Debug)]
struct Answer {
    code: Code,
    content_format: Option<ContentFormat>,
    max_age: u32,
    /// What all blocks of one representation share.
    key: u64,
    len: usize,
}

impl<'a> Transfer<'a> {
    /// A request whose answer's body goes to `body`, and which is sent in blocks of `size` if it is longer.
    pub fn new(request: Request<'a>, size: BlockSize, body: &'a mut [u8]) -> Self {
        let mut transfer = Self {
            request,
            stage: Stage::Waiting,
            give_up_at: None,
            size,
            restarts: 0,
            upload: None,
            wanted: None,
            download: Assembler::new(),
            body,
            answer: Answer { code: Code::EMPTY, content_format: None, max_age: 60, key: 0, len: 0 },
            tag: 0,
            tagged: false,
        };
        transfer.begin_upload();
        transfer
    }

    /// A transfer that only waits for the server to show that it is there
    /// ([RFC 7252 section 4.3](https://www.rfc-editor.org/rfc/rfc7252#section-4.3)).
    pub fn ping() -> Self {
        Self::new(Request::new(Code::EMPTY, Target::Path("")), BlockSize::MAX, &mut [])
    }

    /// Fetches the rest of a body of which the `first` block came by itself, in a notification (RFC 7959
    /// section 2.6). `key` is what all blocks of it share.
    pub(crate) fn rest(request: Request<'a>, first: &FirstBlock<'_>, body: &'a mut [u8]) -> Self {
        let mut transfer = Self::new(request, first.size, body);
        transfer.answer.key = first.key;
        transfer.answer.content_format = first.content_format;
        if let Some(block) = Block::new(0, true, first.size)
            && let Ok(Progress::Continue(next)) =
                transfer.download.receive(transfer.body, first.key, block, None, first.payload)
        {
            transfer.wanted = Some(next);
        }
        transfer
    }

    /// Whether there is nothing left to do.
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Done | Stage::Failed(_))
    }

    /// Whether its message is on its way.
    pub const fn is_sent(&self) -> bool {
        matches!(self.stage, Stage::Sent(_))
    }

    /// The serial number of the exchange of its message.
    pub(crate) const fn serial(&self) -> Option<u16> {
        match self.stage {
            Stage::Sent(serial) => Some(serial),
            _ => None,
        }
    }

    /// The answer.
    ///
    /// # Errors
    /// What went wrong; [`Failure::Timeout`] if the transfer is not over.
    pub fn into_response(self) -> Result<Response<'a>, Failure> {
        let Answer { code, content_format, max_age, len, .. } = self.answer;
        match self.stage {
            Stage::Done => {
                let payload = self.body.get(..len).unwrap_or_default();
                Ok(Response { code, content_format, max_age, payload })
            }
            Stage::Failed(failure) => Err(failure),
            Stage::Waiting | Stage::Sent(_) => Err(Failure::Timeout),
        }
    }

    /// What all blocks of the answer share: a digest of its ETag.
    pub(crate) const fn key(&self) -> u64 {
        self.answer.key
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        self.stage = Stage::Failed(failure);
    }

    pub(crate) fn succeed(&mut self) {
        self.stage = Stage::Done;
    }

    /// The connection was lost, or nothing was heard: starts again if that is harmless.
    pub(crate) fn interrupted(&mut self, failure: Failure) {
        let harmless = self.request.is_idempotent() && self.request.confirmable;
        if harmless && self.restart() {
            self.begin_upload();
        } else {
            self.fail(failure);
        }
    }

    /// Writes the next message's options and payload.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        use OptionNumber as O;
        let slice = self.upload.as_ref().map(Slicer::current);
        let block1 = slice.as_ref().and_then(|slice| slice.block);
        let asks = matches!(self.request.method, Code::GET | Code::FETCH);
        let early = asked(self.size).filter(|_| asks && block1.is_none_or(|block| !block.more()));
        let whole = u32::try_from(self.request.payload.len()).unwrap_or(u32::MAX);
        let size1 = block1.filter(|block| block.num() == 0).map(|_| whole);
        let mut options = self.request.write(writer);
        options.maybe(O::BLOCK2, self.wanted.or(early).map(Block::value));
        options.maybe(O::BLOCK1, block1.map(Block::value));
        options.maybe(O::SIZE1, size1);
        options.maybe(O::REQUEST_TAG, self.tagged.then_some(self.tag.into()));
        options.finish();
        if let Some(slice) = slice {
            writer.payload(self.request.payload.get(slice.range).unwrap_or_default());
        }
    }

    /// Takes in an answer to the message sent last.
    pub(crate) fn receive(&mut self, message: &Message<'_>) {
        self.stage = Stage::Waiting;
        let code = message.code();
        if let Some(upload) = &mut self.upload {
            if upload.receive(code, message.block1()) == Step::Send {
                return;
            }
            let begun = upload.current().range.start > 0;
            self.upload = None;
            if code == Code::REQUEST_ENTITY_INCOMPLETE && begun && self.restart() {
                self.begin_upload();
                return;
            }
        }
        self.answer.code = code;
        self.answer.max_age = message.max_age();
        if self.wanted.is_none() {
            self.answer.content_format = message.content_format();
        }
        match message.block2().filter(|_| code.is_success()) {
            Some(block) => self.receive_block(message, block),
            None => self.receive_whole(message),
        }
    }

    fn receive_block(&mut self, message: &Message<'_>, block: Block) {
        let key = message.response_key();
        self.answer.key = key;
        let total = message.size2();
        match self.download.receive(self.body, key, block, total, message.payload()) {
            Ok(Progress::Continue(next)) => self.wanted = Some(next),
            Ok(Progress::Complete(len)) => self.finish(len),
            Err(BlockError::TooLarge) => self.fail(Failure::BufferTooSmall { needed: total }),
            // Another representation than before: from its beginning.
            Err(BlockError::Incomplete | BlockError::Size) => {
                if !self.restart() {
                    self.fail(Failure::KeepsChanging);
                }
            }
        }
    }

    fn receive_whole(&mut self, message: &Message<'_>) {
        let payload = message.payload();
        let fits = payload.len().min(self.body.len());
        if fits < payload.len() && message.code().is_success() {
            self.fail(Failure::BufferTooSmall { needed: u32::try_from(payload.len()).ok() });
            return;
        }
        // Of the explanation of an error as much is kept as there is room for.
        if let (Some(to), Some(from)) = (self.body.get_mut(..fits), payload.get(..fits)) {
            to.copy_from_slice(from);
        }
        self.answer.key = message.response_key();
        self.finish(fits);
    }

    fn finish(&mut self, len: usize) {
        self.answer.len = len;
        self.stage = Stage::Done;
    }

    /// Goes back to the beginning of the answer, unless that has been done too often.
    #[cfg_attr(target_os = "none", inline(never))]
    fn restart(&mut self) -> bool {
        if self.restarts == RESTARTS {
            return false;
        }
        self.restarts += 1;
        self.wanted = None;
        self.download = Assembler::new();
        self.stage = Stage::Waiting;
        true
    }

    fn begin_upload(&mut self) {
        self.upload = None;
        if self.request.payload.is_empty() {
            return;
        }
        match Slicer::new(self.request.payload.len(), self.size) {
            Ok(upload) => {
                self.tagged = upload.current().block.is_some();
                self.upload = Some(upload);
            }
            Err(_) => self.fail(Failure::Send(SendError::TooLong)),
        }
    }
}

/// The first block of a body, as a notification brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstBlock<'d> {
    pub(crate) size: BlockSize,
    pub(crate) key: u64,
    pub(crate) content_format: Option<ContentFormat>,
    pub(crate) payload: &'d [u8],
}
