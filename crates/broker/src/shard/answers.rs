//! Answers that do not come from the pub/sub model.

use sedge_coap::link_format::{Resource, write_resources};
use sedge_coap::problem::Problem;
use sedge_coap::{Code, ContentFormat, Message};
use sedge_pubsub::{Payload, Response};

use crate::store::StoreError;

/// By which everything else is found.
const RESOURCES: [Resource<'_>; 1] =
    [Resource { target: "/ps", attributes: &[("rt", "core.ps.coll"), ("ct", "40")] }];

/// `/.well-known/core` ([RFC 6690 section 4](https://www.rfc-editor.org/rfc/rfc6690#section-4)).
pub(super) fn links(message: &Message<'_>, has_topics: bool) -> Response {
    if message.code() != Code::GET {
        return problem(Code::METHOD_NOT_ALLOWED, "GET only");
    }
    if message.accept().is_some_and(|format| format != ContentFormat::LINK_FORMAT) {
        return problem(Code::NOT_ACCEPTABLE, "link-format only");
    }
    let mut body = String::new();
    // A string takes everything.
    let resources = if has_topics { &RESOURCES[..] } else { &[] };
    let _written = write_resources(&mut body, resources, message.uri_query());
    content(Code::CONTENT, ContentFormat::LINK_FORMAT, body.into_bytes())
}

/// An answer with a body.
pub(super) fn content(code: Code, format: ContentFormat, body: Vec<u8>) -> Response {
    Response { content_format: Some(format), payload: Payload::Bytes(body), ..Response::new(code) }
}

/// An error with its reason as problem details ([RFC 9290](https://www.rfc-editor.org/rfc/rfc9290)).
pub(super) fn problem(code: Code, title: &str) -> Response {
    let mut body = Vec::new();
    Problem::new(title).encode(|bytes| body.extend_from_slice(bytes));
    content(code, ContentFormat::PROBLEM_DETAILS, body)
}

/// The answer while the store does not work.
pub(super) fn unavailable(error: &StoreError) -> Response {
    let title = match error {
        StoreError::Full => "not kept: the disk is full",
        _ => "not kept: the store does not work",
    };
    Response { max_age: Some(5), ..problem(Code::SERVICE_UNAVAILABLE, title) }
}
