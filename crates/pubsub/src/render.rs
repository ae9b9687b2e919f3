//! Answers and notifications as options and payload of a CoAP message.

use sedge_coap::block::{self, Block, BlockSize};
use sedge_coap::{Code, ContentFormat, OptionNumber, Writer};

use crate::value::ETag;
use crate::{Content, Notification, Response, UnixTime};

/// What goes on the wire after the token: options, and as much of the payload as one message carries.
#[derive(Clone, Debug)]
pub struct Rendered<'b> {
    /// The message's code.
    pub code: Code,
    etag: Option<ETag>,
    observe: Option<u32>,
    location: &'b [alloc::string::String],
    content_format: Option<ContentFormat>,
    max_age: Option<u32>,
    block2: Option<Block>,
    /// The size of the whole body, told with its first block.
    size2: Option<u32>,
    size1: Option<u32>,
    payload: &'b [u8],
}

impl<'b> Rendered<'b> {
    const fn new(code: Code) -> Self {
        Self {
            code,
            etag: None,
            observe: None,
            location: &[],
            content_format: None,
            max_age: None,
            block2: None,
            size2: None,
            size1: None,
            payload: &[],
        }
    }

    /// Cuts out the block of `body` that was asked for; nothing if there is no such block.
    fn cut(&mut self, body: &'b [u8], asked: Option<Block>, size: BlockSize) -> Option<()> {
        let block::Slice { range, block } = block::slice(body.len(), asked, size).ok()?;
        self.payload = body.get(range)?;
        self.block2 = block;
        self.size2 = block.filter(|block| block.num() == 0 && block.more()).map(|_| body.len() as u32);
        Some(())
    }

    /// Adds everything to the message. `block1` is the option with which the layer below confirms the last
    /// block of the request's body, if that came in blocks.
    pub fn write(&self, writer: &mut Writer<'_>, block1: Option<Block>) {
        if let Some(etag) = &self.etag {
            writer.option(OptionNumber::ETAG, etag.as_bytes());
        }
        if let Some(observe) = self.observe {
            writer.option_uint(OptionNumber::OBSERVE, observe);
        }
        for segment in self.location {
            writer.option(OptionNumber::LOCATION_PATH, segment.as_bytes());
        }
        if let Some(format) = self.content_format {
            writer.content_format(format);
        }
        if let Some(seconds) = self.max_age {
            writer.option_uint(OptionNumber::MAX_AGE, seconds);
        }
        if let Some(block) = self.block2 {
            writer.block(OptionNumber::BLOCK2, block);
        }
        if let Some(block) = block1 {
            writer.block(OptionNumber::BLOCK1, block);
        }
        if let Some(size) = self.size2 {
            writer.option_uint(OptionNumber::SIZE2, size);
        }
        if let Some(size) = self.size1 {
            writer.option_uint(OptionNumber::SIZE1, size);
        }
        writer.payload(self.payload);
    }
}

impl Response {
    /// The answer to a request whose Block2 option is `asked`, in blocks of at most `largest`. A block behind
    /// the end becomes a 4.00 ([RFC 7959 §2.4](https://www.rfc-editor.org/rfc/rfc7959#section-2.4)).
    pub fn render(&self, asked: Option<Block>, largest: BlockSize) -> Rendered<'_> {
        let mut rendered = Rendered {
            etag: self.etag,
            observe: self.observe,
            location: &self.location,
            content_format: self.content_format,
            max_age: self.max_age,
            size1: self.size1,
            ..Rendered::new(self.code)
        };
        // What has no payload has no blocks, whatever was asked for.
        let asked = asked.filter(|_| !self.payload().is_empty());
        match rendered.cut(self.payload(), asked, largest) {
            Some(()) => rendered,
            None => Rendered::new(Code::BAD_REQUEST),
        }
    }
}

impl<'v> Notification<'v> {
    /// The notification: of a long value its first block, with an ETag so that the others can be told from
    /// those of a newer value.
    pub fn render(&self, now: UnixTime) -> Rendered<'v> {
        let value = match self.content {
            Content::End(code) => return Rendered::new(code),
            Content::Value(value) => value,
        };
        let mut rendered = Rendered {
            observe: Some(value.observe()),
            content_format: value.content_format,
            max_age: value.max_age_at(now),
            ..Rendered::new(Code::CONTENT)
        };
        if rendered.cut(&value.payload, None, self.block).is_some() && rendered.block2.is_some() {
            rendered.etag = Some(value.etag);
        }
        rendered
    }
}
