//! What a client is answered.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use sedge_coap::problem::Problem;
use sedge_coap::{Code, ContentFormat, Message};

use crate::value::ETag;
use crate::{Change, Denied, Refusal, Value};

/// What a request led to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The answer; `None` if the request deserves none (RFC 7252 §5.4.1: a non-confirmable one with a critical
    /// option that is not understood).
    pub response: Option<Response>,
    /// What changed, if anything did.
    pub change: Option<Change>,
    /// Whether the session has just fetched the last block of a notification, so that
    /// [`Subscriptions::ready`](crate::Subscriptions::ready) has something for it.
    pub ready: bool,
    /// What the caller may not do, if that is why it is refused.
    pub denied: Option<Box<Denied>>,
}

/// An answer, before it is a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The code.
    pub code: Code,
    /// Names the representation; needed if it goes out in blocks, and for the client to ask for it again.
    pub etag: Option<ETag>,
    /// The sequence number of an observation that has begun; without it there is none.
    pub observe: Option<u32>,
    /// The path of what was created, by segments.
    pub location: Vec<String>,
    /// The payload's format.
    pub content_format: Option<ContentFormat>,
    /// How many seconds it is fresh, or when to try again.
    pub max_age: Option<u32>,
    /// The longest body that would have been taken, in bytes
    /// ([RFC 7959 section 2.9.3](https://www.rfc-editor.org/rfc/rfc7959#section-2.9.3)).
    pub size1: Option<u32>,
    /// The payload.
    pub payload: Payload,
}

/// The payload of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Made for this answer; often empty.
    Bytes(Vec<u8>),
    /// Made for this answer and others.
    Shared(Arc<[u8]>),
    /// A topic's value.
    Value(Arc<Value>),
}

impl Response {
    /// An answer that says no more than its code.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            etag: None,
            observe: None,
            location: Vec::new(),
            content_format: None,
            max_age: None,
            size1: None,
            payload: Payload::Bytes(Vec::new()),
        }
    }

    /// A representation that is made for this answer.
    pub(crate) fn content(content_format: ContentFormat, payload: Payload) -> Self {
        let response = Self { content_format: Some(content_format), payload, ..Self::new(Code::CONTENT) };
        let etag = ETag::of(response.payload(), response.content_format);
        Self { etag: Some(etag), ..response }
    }

    /// The response itself, or 2.03 in its place if the client holds the representation already
    /// ([RFC 7252 §5.10.6.2](https://www.rfc-editor.org/rfc/rfc7252#section-5.10.6.2)).
    pub(crate) fn validated(self, request: &Message<'_>) -> Self {
        match self.etag {
            Some(etag) if request.holds(etag.as_bytes()) => Self {
                etag: self.etag,
                observe: self.observe,
                max_age: self.max_age,
                ..Self::new(Code::VALID)
            },
            _ => self,
        }
    }

    /// The payload's bytes.
    pub fn payload(&self) -> &[u8] {
        match &self.payload {
            Payload::Bytes(bytes) => bytes,
            Payload::Shared(bytes) => bytes,
            Payload::Value(value) => &value.payload,
        }
    }
}

/// With the reason as the title of problem details ([RFC 9290](https://www.rfc-editor.org/rfc/rfc9290)).
impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let title = refusal.to_string();
        let mut body = Vec::new();
        Problem::new(&title).encode(|part| body.extend_from_slice(part));
        Self {
            content_format: Some(ContentFormat::PROBLEM_DETAILS),
            max_age: refusal.max_age(),
            payload: Payload::Bytes(body),
            ..Self::new(refusal.code())
        }
    }
}

impl Outcome {
    pub(crate) fn with_change(response: Response, change: Change) -> Self {
        Self { response: Some(response), change: Some(change), ready: false, denied: None }
    }
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Self {
        Self { response: Some(response), change: None, ready: false, denied: None }
    }
}
