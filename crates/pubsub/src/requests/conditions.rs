//! If-Match and If-None-Match ([RFC 7252 §5.10.8](https://www.rfc-editor.org/rfc/rfc7252#section-5.10.8)), and
//! the validation of a representation that the client holds (§5.10.6.2).

use sedge_coap::{Code, Message};

use crate::value::ETag;
use crate::{Refusal, Response};

/// Refuses a request whose conditions do not hold. `current` is the resource's ETag, if it exists.
pub(super) fn check(message: &Message<'_>, current: Option<ETag>) -> Result<(), Refusal> {
    let holds = |condition: &[u8]| match &current {
        Some(etag) => condition.is_empty() || condition == etag.as_bytes(),
        None => false,
    };
    let mut wanted = message.if_match().peekable();
    let matches = wanted.peek().is_none() || wanted.any(holds);
    if matches && !(message.if_none_match() && current.is_some()) {
        Ok(())
    } else {
        Err(Refusal::PreconditionFailed)
    }
}

/// The response itself, or 2.03 in its place if the client holds the representation already.
pub(super) fn validate(message: &Message<'_>, response: Response) -> Response {
    let held = |etag: ETag| message.etags().any(|held| held == etag.as_bytes());
    match response.etag {
        Some(etag) if held(etag) => Response {
            etag: response.etag,
            observe: response.observe,
            max_age: response.max_age,
            ..Response::new(Code::VALID)
        },
        _ => response,
    }
}
