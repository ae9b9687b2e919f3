//! What the rules refuse.

use alloc::boxed::Box;
use alloc::string::String;

use sedge_access::{Cause, Decision, Kind, Verb};

use crate::Refusal;

/// Something that a caller may not do, for the host to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What was to be done; `None` if the caller may not do anything with the topic.
    pub verb: Option<Verb>,
    /// The topic's name.
    pub topic: String,
    /// Why not.
    pub cause: Cause,
}

/// Why a request goes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It cannot be done, whoever asks.
    Refused(Refusal),
    /// The caller may not do it.
    Denied(Refusal, Box<Denied>),
}

impl Stop {
    /// What follows from a decision.
    pub(crate) fn unless_allowed(
        decision: &Decision<'_>,
        verb: Option<Verb>,
        topic: &str,
    ) -> Result<(), Self> {
        let Some(cause) = decision.cause() else { return Ok(()) };
        let refusal = Refusal::of(cause, decision.subject().kind());
        Err(Self::Denied(refusal, Box::new(Denied { verb, topic: topic.into(), cause })))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Refusal {
    /// How a caller is refused that the rules refuse
    /// ([RFC 9200 section 5.10.2](https://www.rfc-editor.org/rfc/rfc9200#section-5.10.2)).
    pub const fn of(cause: Cause, kind: Kind) -> Self {
        match (cause, kind) {
            (Cause::Revoked | Cause::Expired, _) => Self::Unauthorized,
            (Cause::LacksVerb, Kind::Token) => Self::NotPermitted,
            _ => Self::Forbidden,
        }
    }
}
