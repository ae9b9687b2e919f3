//! Handshake messages in fragments, after the handshake (RFC 9147 section 5.5).
//!
//! A session has no memory to put messages together in, and needs none. It has to take what comes, or its peer would send it
//! for ever and could never replace its keys; but section 5.5 lets it process fragments in order. So
//! - KeyUpdate and RequestConnectionId have one byte: every fragment but an empty one is whole;
//! - of NewConnectionId the first identifier counts, and it stands at the beginning;
//! - a ticket is passed over: one that comes in fragments is mostly longer than
//!   [`Resumption::MAX_TICKET`](crate::Resumption::MAX_TICKET), and a client may have as many handshakes without it as it wants.
//!
//! What follows in a message that is done with is a repetition, and acknowledged as such.

use super::{Cids, Extra, Session13};
use crate::cid::ConnectionId;
use crate::discard::Discard;
use crate::handshake::message::{Fragment, MessageType};
use crate::session::Role;

/// The first bytes of a NewConnectionId: two of length, and one identifier behind its length.
const HEAD: usize = 2 + 1 + ConnectionId::MAX_LEN;

/// What there is of a NewConnectionId, from its beginning on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partial {
    pub(super) bytes: [u8; HEAD],
    pub(super) len: u8,
}

impl Partial {
    pub(super) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(self.bytes.into_iter().chain([self.len])).for_each(|(to, from)| *to = from);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk()?;
        let len = *rest.first().filter(|len| usize::from(**len) <= HEAD)?;
        Some(Self { bytes: *head, len })
    }
}

/// What a fragment does for its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It is not all of it yet.
    More,
    /// What matters of the message is here.
    Enough,
    /// The message is passed over.
    TooLong,
}

impl Session13 {
    /// Takes in a fragment of the message that is next.
    pub(super) fn part(&mut self, fragment: &Fragment<'_>) -> Result<Part, Discard> {
        match fragment.message_type {
            MessageType::KEY_UPDATE | MessageType::REQUEST_CONNECTION_ID if fragment.body.is_empty() => {
                Ok(Part::More)
            }
            MessageType::NEW_SESSION_TICKET if self.role() == Role::Client => Ok(Part::TooLong),
            MessageType::NEW_CONNECTION_ID if !self.cids.peer().is_empty() => {
                self.part_of_new_connection_id(fragment)
            }
            _ => Err(Discard::UnexpectedHandshake),
        }
    }

    fn part_of_new_connection_id(&mut self, fragment: &Fragment<'_>) -> Result<Part, Discard> {
        let Partial { mut bytes, len } = match self.extra {
            Extra::Partial(partial) => partial,
            _ => Partial { bytes: [0; HEAD], len: 0 },
        };
        let had = usize::from(len);
        // What comes ahead of its turn comes again.
        let new = had.checked_sub(fragment.offset).ok_or(Discard::HandshakeEarly)?;
        let new = fragment.body.get(new..).unwrap_or_default();
        let room = bytes.get_mut(had..).unwrap_or_default();
        let len = had + new.len().min(room.len());
        room.iter_mut().zip(new).for_each(|(place, byte)| *place = *byte);
        let head = bytes.get(2..len).unwrap_or_default();
        let first = head.split_first().and_then(|(&length, rest)| rest.get(..length.into()));
        // One that is longer than can be kept is none, as in a message that comes whole.
        if first.is_none() && len < HEAD.min(fragment.length) {
            self.extra = Extra::Partial(Partial { bytes, len: len as u8 });
            return Ok(Part::More);
        }
        if let Some(cids) =
            first.filter(|cid| !cid.is_empty()).and_then(|cid| Cids::new(self.cids.own(), cid))
        {
            self.cids = cids;
        }
        if let Extra::Partial(_) = self.extra {
            self.extra = Extra::Nothing;
        }
        Ok(Part::Enough)
    }
}
