//! Return routability check: asking whether a peer receives at an address (RFC 9853).

use core::fmt;

/// A message of the return routability check
/// ([RFC 9853 section 4](https://www.rfc-editor.org/rfc/rfc9853#section-4)), to be sealed as
/// [`RETURN_ROUTABILITY_CHECK`](crate::ContentType::RETURN_ROUTABILITY_CHECK).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMessage {
    /// What it says.
    pub kind: PathMessageKind,
    /// Ties an answer to its challenge: random in a challenge, repeated in the answer.
    pub cookie: [u8; 8],
}

/// What a [`PathMessage`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PathMessageKind {
    /// Answer from where this arrives.
    Challenge = 0,
    /// It arrived, and the address is to be used.
    Response = 1,
    /// It arrived, and the address is not to be used any more.
    Drop = 2,
}

impl PathMessage {
    /// Length in bytes.
    pub const LEN: usize = 9;

    /// The message in these bytes; `None` for one of another length or a kind that is not known, which are to be
    /// ignored.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (&kind, cookie) = bytes.split_first()?;
        let kind = match kind {
            0 => PathMessageKind::Challenge,
            1 => PathMessageKind::Response,
            2 => PathMessageKind::Drop,
            _ => return None,
        };
        Some(Self { kind, cookie: cookie.try_into().ok()? })
    }

    /// The message as bytes.
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let [a, b, c, d, e, f, g, h] = self.cookie;
        [self.kind as u8, a, b, c, d, e, f, g, h]
    }
}

impl fmt::Display for PathMessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Challenge => "path_challenge",
            Self::Response => "path_response",
            Self::Drop => "path_drop",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for kind in [PathMessageKind::Challenge, PathMessageKind::Response, PathMessageKind::Drop] {
            let message = PathMessage { kind, cookie: *b"a cookie" };
            assert_eq!(PathMessage::parse(&message.to_bytes()), Some(message));
        }
        assert_eq!(PathMessage::parse(b"\x01a cookie").unwrap().kind, PathMessageKind::Response);
    }

    #[test]
    fn other_kinds_and_lengths_are_ignored() {
        assert_eq!(PathMessage::parse(b"\x03a cookie"), None);
        assert_eq!(PathMessage::parse(b"\0a cooki"), None);
        assert_eq!(PathMessage::parse(b"\0a cookies"), None);
        assert_eq!(PathMessage::parse(b""), None);
    }
}
