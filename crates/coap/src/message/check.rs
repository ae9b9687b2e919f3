//! Whether a well-formed message can be processed
//! ([RFC 7252 section 5.4](https://www.rfc-editor.org/rfc/rfc7252#section-5.4)).

use core::fmt;

use super::wire::decode_uint;
use crate::block::Block;
use crate::{Code, Format, Message, OptionNumber, Type};

impl Message<'_> {
    /// Checks the options against their definitions, given which of the critical ones the recipient acts on.
    ///
    /// Elective options that are unknown, of a wrong length or repeated wrongly are passed over in silence,
    /// as the RFC wants it; the getters do the same.
    ///
    /// # Errors
    /// The first option because of which the message is refused
    /// ([RFC 7252 section 5.4.1](https://www.rfc-editor.org/rfc/rfc7252#section-5.4.1)).
    pub fn check(&self, understands: impl Fn(OptionNumber) -> bool) -> Result<(), Rejected> {
        let mut previous = None;
        for (number, value) in self.options() {
            let repeated = previous == Some(number);
            previous = Some(number);
            let code = if number.is_elective() {
                // RFC 8768 section 3: no hop is left before the first.
                let is_spent = number == OptionNumber::HOP_LIMIT && value == [0];
                is_spent.then_some(Code::BAD_REQUEST)
            } else if repeated && !number.is_repeatable() || !number.allows_len(value.len()) {
                Some(Code::BAD_OPTION)
            } else if understands(number) {
                has_no_meaning(number, value).then_some(Code::BAD_REQUEST)
            } else if matches!(number, OptionNumber::PROXY_URI | OptionNumber::PROXY_SCHEME) {
                // RFC 7252 section 5.7.2: known, but not done here.
                Some(Code::PROXYING_NOT_SUPPORTED)
            } else {
                Some(Code::BAD_OPTION)
            };
            if let Some(code) = code {
                return Err(Rejected { option: number, reaction: self.refusal(code) });
            }
        }
        Ok(())
    }

    /// What to do with a message that is well formed but cannot be taken: requests get `code`, in so far
    /// as the RFC has them answered at all.
    fn refusal(&self, code: Code) -> Reaction {
        match self.kind() {
            Type::Con if self.code().is_request() => Reaction::Respond(code),
            Type::Con => Reaction::Reset,
            // RFC 7252 section 5.4.1: a critical option in a Non-confirmable message has it rejected, which
            // never means a 4.02.
            Type::Non if self.code().is_request() && code != Code::BAD_OPTION => Reaction::Respond(code),
            Type::Non => Reaction::Reset,
            Type::Ack | Type::Rst => Reaction::Ignore,
        }
    }
}

/// Whether a critical option's value has the right length, but says nothing that can be acted on.
fn has_no_meaning(number: OptionNumber, value: &[u8]) -> bool {
    match number {
        // RFC 7959 section 2.2: the reserved size exponent.
        OptionNumber::BLOCK1 | OptionNumber::BLOCK2 => {
            decode_uint(value).and_then(Block::from_value).is_none()
        }
        // RFC 7252 section 5.10.1: no resource has such a segment.
        OptionNumber::URI_PATH if matches!(value, b"." | b"..") => true,
        _ => {
            let is_text = number.definition().is_some_and(|definition| definition.format == Format::String);
            is_text && core::str::from_utf8(value).is_err()
        }
    }
}

/// What the RFC wants done about a message that cannot be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing: drop it.
    Ignore,
    /// Send a Reset with its Message ID.
    Reset,
    /// Answer the request with this code.
    Respond(Code),
}

/// An option because of which a well-formed message cannot be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The option.
    pub option: OptionNumber,
    /// What the sender is owed.
    pub reaction: Reaction,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} not acceptable", self.option)
    }
}

impl core::error::Error for Rejected {}
