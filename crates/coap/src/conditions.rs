//! Conditional requests and content negotiation
//! ([RFC 7252 section 5.10](https://www.rfc-editor.org/rfc/rfc7252#section-5.10)).

use crate::{Code, ContentFormat, Message, OptionNumber};

/// What a request makes its answer depend on.
impl Message<'_> {
    /// Whether If-Match and If-None-Match let the request be carried out on a resource whose current ETag is
    /// `etag`, or which does not exist (`None`).
    ///
    /// # Errors
    /// 4.12 Precondition Failed.
    pub fn check_conditions(&self, etag: Option<&[u8]>) -> Result<(), Code> {
        let mut if_match = self.if_match().peekable();
        let matches = match (if_match.peek(), etag) {
            (None, _) => true,
            (Some(_), None) => false,
            // An empty value asks for no more than that the resource exists.
            (Some(_), Some(current)) => if_match.any(|etag| etag.is_empty() || etag == current),
        };
        if matches && !(self.if_none_match() && etag.is_some()) {
            Ok(())
        } else {
            Err(Code::PRECONDITION_FAILED)
        }
    }

    /// Whether the client holds the representation with this ETag already, so that 2.03 Valid without a
    /// payload answers it.
    pub fn holds(&self, etag: &[u8]) -> bool {
        self.etags().any(|held| held == etag)
    }

    /// Whether the client takes a representation in `format`; if not, the answer is 4.06 Not Acceptable.
    pub fn accepts(&self, format: ContentFormat) -> bool {
        self.accept().is_none_or(|accepted| accepted == format)
    }

    /// The Hop-Limit with which a proxy passes the request on, one less than it came with, 16 if it came
    /// without ([RFC 8768 section 3](https://www.rfc-editor.org/rfc/rfc8768#section-3)).
    ///
    /// # Errors
    /// 5.08 Hop Limit Reached.
    pub fn next_hop_limit(&self) -> Result<u8, Code> {
        match self.hop_limit() {
            None => Ok(16),
            Some(1) => Err(Code::HOP_LIMIT_REACHED),
            Some(hops) => Ok(hops - 1),
        }
    }

    /// Whether the client wants a response with `code`, as its No-Response option says
    /// ([RFC 7967 section 2.1](https://www.rfc-editor.org/rfc/rfc7967#section-2.1)).
    pub fn wants(&self, code: Code) -> bool {
        let unwanted = self.uint(OptionNumber::NO_RESPONSE).unwrap_or(0);
        let class_bit = 1_u32.checked_shl(u32::from(code.class()).wrapping_sub(1)).unwrap_or(0);
        unwanted & class_bit == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Token, Type, Writer};

    fn with(options: &[(OptionNumber, &[u8])], check: impl FnOnce(Message<'_>)) {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer, Type::Con, Code::PUT, 1, Token::EMPTY);
        for (number, value) in options {
            writer.option(*number, value);
        }
        let len = writer.finish().unwrap();
        check(Message::parse(&buffer[..len]).unwrap());
    }

    /// RFC 7252 section 5.10.8.
    #[test]
    fn conditions_hold_or_fail() {
        const FAILED: Result<(), Code> = Err(Code::PRECONDITION_FAILED);
        with(&[], |message| {
            assert_eq!(message.check_conditions(None), Ok(()));
            assert_eq!(message.check_conditions(Some(b"a")), Ok(()));
        });
        with(&[(OptionNumber::IF_MATCH, b"a"), (OptionNumber::IF_MATCH, b"b")], |message| {
            assert_eq!(message.check_conditions(None), FAILED);
            assert_eq!(message.check_conditions(Some(b"b")), Ok(()));
            assert_eq!(message.check_conditions(Some(b"c")), FAILED);
        });
        with(&[(OptionNumber::IF_MATCH, b"")], |message| {
            assert_eq!(message.check_conditions(None), FAILED);
            assert_eq!(message.check_conditions(Some(b"c")), Ok(()));
        });
        with(&[(OptionNumber::IF_NONE_MATCH, b"")], |message| {
            assert_eq!(message.check_conditions(None), Ok(()));
            assert_eq!(message.check_conditions(Some(b"c")), FAILED);
        });
    }

    #[test]
    fn representations_are_negotiated() {
        with(&[(OptionNumber::ETAG, b"a"), (OptionNumber::ETAG, b"b")], |message| {
            assert!(message.holds(b"b") && !message.holds(b"c"));
            assert!(message.accepts(ContentFormat::CBOR));
        });
        with(&[(OptionNumber::ACCEPT, b"\x3c")], |message| {
            assert!(message.accepts(ContentFormat::CBOR) && !message.accepts(ContentFormat::TEXT));
        });
    }

    /// RFC 7967 table 2: 2 for class 2, 8 for class 4, 16 for class 5; an empty value wants all.
    #[test]
    fn responses_can_be_unwanted() {
        let codes = [Code::CHANGED, Code::NOT_FOUND, Code::INTERNAL_SERVER_ERROR];
        for (value, wanted) in [
            (&b""[..], [true, true, true]),
            (b"\x02", [false, true, true]),
            (b"\x08", [true, false, true]),
            (b"\x10", [true, true, false]),
            (b"\x1a", [false, false, false]),
        ] {
            with(&[(OptionNumber::NO_RESPONSE, value)], |message| {
                assert_eq!(codes.map(|code| message.wants(code)), wanted);
            });
        }
        with(&[], |message| assert!(codes.iter().all(|&code| message.wants(code))));
    }

    #[test]
    fn hops_count_down() {
        for (value, next) in [(16, Ok(15)), (2, Ok(1)), (1, Err(Code::HOP_LIMIT_REACHED))] {
            with(&[(OptionNumber::HOP_LIMIT, &[value])], |message| {
                assert_eq!(message.next_hop_limit(), next);
            });
        }
        with(&[], |message| assert_eq!(message.next_hop_limit(), Ok(16)));
    }
}
