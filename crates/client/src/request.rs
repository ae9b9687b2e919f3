//! Requests and their answers, as an application sees them: whole bodies, no blocks.

use sedge_coap::block::{Block, BlockSize};
use sedge_coap::{Code, ContentFormat, OptionNumber, Writer};
use sedge_group::keying::ACE_GROUP;

/// The path below which the values of topics are: `/d/<topic>`.
pub const TOPIC_DATA: &str = "d";

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The value of a topic, such as `site/7/temp`; the levels of its name become segments of the path.
    Topic(&'a str),
    /// The key of a protected topic's group, at the key distribution centre: `/ace-group/<topic>`, in which the topic's
    /// name is one segment of the path.
    Keys(&'a str),
    /// A path, such as `/.well-known/core`, and a query if there is a `?`; nothing in it is percent-encoded.
    Path(&'a str),
}

/// Which kind of [`Target`] a name is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Named {
    #[default]
    Topic,
    Keys,
    Path,
}

impl Named {
    /// The target of this kind and name.
    pub(crate) const fn target(self, name: &str) -> Target<'_> {
        match self {
            Self::Topic => Target::Topic(name),
            Self::Keys => Target::Keys(name),
            Self::Path => Target::Path(name),
        }
    }
}

impl<'a> Target<'a> {
    /// What the target is, as it is kept for longer.
    pub(crate) const fn place(self) -> Place<'a> {
        let (named, name) = self.parts();
        Place { named, name: name.as_bytes() }
    }

    /// What it is, and its name.
    pub(crate) const fn parts(self) -> (Named, &'a str) {
        match self {
            Self::Topic(name) => (Named::Topic, name),
            Self::Keys(name) => (Named::Keys, name),
            Self::Path(name) => (Named::Path, name),
        }
    }
}

/// What a request is about, as bytes: a device has no use for knowing that they are UTF-8.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) named: Named,
    pub(crate) name: &'a [u8],
}

impl<'a> Place<'a> {
    /// Writes the path; what is left is the query.
    fn write_path(self, options: &mut Merge<'_, '_, '_>) -> Option<&'a [u8]> {
        match self.named {
            Named::Topic => {
                options.put(OptionNumber::URI_PATH, TOPIC_DATA.as_bytes());
                options.put_each(OptionNumber::URI_PATH, self.name, b'/');
                None
            }
            Named::Keys => {
                options.put(OptionNumber::URI_PATH, ACE_GROUP.as_bytes());
                options.put(OptionNumber::URI_PATH, self.name);
                None
            }
            Named::Path => {
                let (path, query) = match self.name.iter().position(|&byte| byte == b'?') {
                    Some(at) => (self.name.get(..at)?, self.name.get(at + 1..)),
                    None => (self.name, None),
                };
                let path = path.strip_prefix(b"/").unwrap_or(path);
                if !path.is_empty() {
                    options.put_each(OptionNumber::URI_PATH, path, b'/');
                }
                query
            }
        }
    }

    /// Writes the options of a GET with this value of Observe, which asks for blocks of this size of what is longer
    /// ([RFC 7959 section 2.6](https://www.rfc-editor.org/rfc/rfc7959#section-2.6)).
    pub(crate) fn write_observation(self, writer: &mut Writer<'_>, observe: u32, size: BlockSize) {
        let mut options = Merge { writer, theirs: &[] };
        options.uint(OptionNumber::OBSERVE, observe);
        if let Some(query) = self.write_path(&mut options) {
            options.put_each(OptionNumber::URI_QUERY, query, b'&');
        }
        options.maybe(OptionNumber::BLOCK2, asked(size).map(Block::value));
    }
}

/// The Block2 option of a request for answers in blocks of this size; none if any size will do.
pub(crate) fn asked(size: BlockSize) -> Option<Block> {
    Block::new(0, false, size).filter(|_| size < BlockSize::MAX)
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The method.
    pub method: Code,
    /// What it is about.
    pub target: Target<'a>,
    /// Whether it is sent again until the server acknowledges it.
    pub confirmable: bool,
    /// The format of the payload.
    pub content_format: Option<ContentFormat>,
    /// The only format in which an answer is wanted.
    pub accept: Option<ContentFormat>,
    /// The body, however long: it is sent in blocks if it does not fit.
    pub payload: &'a [u8],
    /// Further options, in ascending order of their numbers; not Observe, Block1, Block2, Size1 or
    /// Request-Tag.
    pub options: &'a [(OptionNumber, &'a [u8])],
}

impl<'a> Request<'a> {
    /// A confirmable request without a body.
    pub const fn new(method: Code, target: Target<'a>) -> Self {
        Self {
            method,
            target,
            confirmable: true,
            content_format: None,
            accept: None,
            payload: &[],
            options: &[],
        }
    }

    /// Reads what is at `path`.
    pub const fn get(path: &'a str) -> Self {
        Self::new(Code::GET, Target::Path(path))
    }

    /// Publishes a value to a topic.
    pub const fn publish(topic: &'a str, format: ContentFormat, payload: &'a [u8]) -> Self {
        Self { payload, content_format: Some(format), ..Self::new(Code::PUT, Target::Topic(topic)) }
    }

    /// Whether sending it twice does the same as sending it once.
    pub(crate) fn is_idempotent(&self) -> bool {
        !matches!(self.method, Code::POST | Code::PATCH)
    }

    /// Writes the request's options as far as Accept. Those of one message of it come next, and then
    /// [the end](Merge::finish).
    pub(crate) fn write<'w, 'b>(&self, writer: &'w mut Writer<'b>) -> Merge<'w, 'b, 'a> {
        let mut options = Merge { writer, theirs: self.options };
        let query = self.target.place().write_path(&mut options);
        options.maybe(OptionNumber::CONTENT_FORMAT, self.content_format.map(|format| format.0.into()));
        if let Some(query) = query {
            options.put_each(OptionNumber::URI_QUERY, query, b'&');
        }
        options.maybe(OptionNumber::ACCEPT, self.accept.map(|format| format.0.into()));
        options
    }
}

/// Writes two ascending lists of options as one.
pub(crate) struct Merge<'w, 'b, 'a> {
    writer: &'w mut Writer<'b>,
    theirs: &'a [(OptionNumber, &'a [u8])],
}

impl Merge<'_, '_, '_> {
    fn put(&mut self, number: OptionNumber, value: &[u8]) {
        while let Some(((theirs, bytes), rest)) = self.theirs.split_first()
            && *theirs < number
        {
            self.writer.option(*theirs, bytes);
            self.theirs = rest;
        }
        self.writer.option(number, value);
    }

    /// One option for each part of `all`.
    fn put_each(&mut self, number: OptionNumber, mut all: &[u8], separator: u8) {
        while let Some(at) = all.iter().position(|&byte| byte == separator) {
            self.put(number, all.get(..at).unwrap_or_default());
            all = all.get(at + 1..).unwrap_or_default();
        }
        self.put(number, all);
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn maybe(&mut self, number: OptionNumber, value: Option<u32>) {
        if let Some(value) = value {
            self.uint(number, value);
        }
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn uint(&mut self, number: OptionNumber, value: u32) {
        let bytes = value.to_be_bytes();
        let leading = (value.leading_zeros() / 8) as usize;
        self.put(number, bytes.get(leading..).unwrap_or_default());
    }

    pub(crate) fn finish(self) {
        for (number, bytes) in self.theirs {
            self.writer.option(*number, bytes);
        }
    }
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'b> {
    /// The server's code, success or not.
    pub code: Code,
    /// The format of the payload.
    pub content_format: Option<ContentFormat>,
    /// For how many seconds the answer stays fresh.
    pub max_age: u32,
    /// The body, put together from all its blocks.
    pub payload: &'b [u8],
}

#[cfg(test)]
mod tests {
    use super::*;
    use sedge_coap::{Message, Token, Type};

    fn written(request: &Request<'_>, extra: &[(OptionNumber, Option<u32>)]) -> std::vec::Vec<u8> {
        let mut buffer = [0; 128];
        let mut writer = Writer::new(&mut buffer, Type::Con, request.method, 1, Token::EMPTY);
        let mut options = request.write(&mut writer);
        extra.iter().for_each(|(number, value)| options.maybe(*number, *value));
        options.finish();
        let len = writer.finish().unwrap();
        buffer[..len].to_vec()
    }

    #[test]
    fn a_topic_is_a_path() {
        let request = Request::publish("site/7/temp", ContentFormat::TEXT, b"x");
        let bytes = written(&request, &[]);
        let message = Message::parse(&bytes).unwrap();
        assert!(message.uri_path().eq([&b"d"[..], b"site", b"7", b"temp"]));
        assert_eq!(message.content_format(), Some(ContentFormat::TEXT));
        let bytes = written(&Request::get("/rd?ep=a&lt=60"), &[]);
        let message = Message::parse(&bytes).unwrap();
        assert!(message.uri_path().eq([b"rd"]) && message.uri_query().eq([&b"ep=a"[..], b"lt=60"]));
        for (path, segments) in [("", 0), ("/", 0), ("/a", 1), ("a/", 2), ("/.well-known/core", 2), ("?a", 0)]
        {
            let bytes = written(&Request::get(path), &[]);
            assert_eq!(Message::parse(&bytes).unwrap().uri_path().count(), segments, "{path}");
        }
    }

    #[test]
    fn options_from_three_sources_come_in_order() {
        let request = Request {
            accept: Some(ContentFormat::CBOR),
            options: &[
                (OptionNumber::ETAG, b"e"),
                (OptionNumber::URI_QUERY, b"q=1"),
                (OptionNumber::NO_RESPONSE, b"\x02"),
            ],
            ..Request::get("/a/b")
        };
        let extra =
            [(OptionNumber::BLOCK2, Some(6)), (OptionNumber::BLOCK1, None), (OptionNumber::SIZE1, Some(300))];
        let bytes = written(&request, &extra);
        let numbers: std::vec::Vec<u16> =
            Message::parse(&bytes).unwrap().options().map(|(number, _)| number.0).collect();
        assert_eq!(numbers, [4, 11, 11, 15, 17, 23, 60, 258]);
    }
}
