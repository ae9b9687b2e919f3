//! What a peer is answered when it sends a message again (RFC 7252 sections 4.2, 4.3 and 4.5).
//!
//! DTLS drops a *datagram* that the network duplicated; a peer that missed our acknowledgement sends the same
//! *message* in a new record. Requests that change something, and confirmable responses to us as a client,
//! are therefore remembered with their outcome. A repeated GET or FETCH is simply answered afresh, as section
//! 4.5 allows for safe methods.

use sedge_coap::{Code, Entry, Key, Message, Type};
use sedge_time::{Duration, Instant};

use crate::endpoint::Endpoint;
use crate::memory::{Memory, Pool};
use crate::session::SessionId;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An empty acknowledgement.
    Acknowledged,
    /// A response of just a code, which is what most requests that change something get.
    Code(Code),
    /// A response kept in this slot of the pool: code, options and payload, without the header and token,
    /// which repeat the request's.
    Response(u32),
}

/// Room to remember one message.
pub type Handled = Entry<Outcome>;

impl<M: Memory> Endpoint<M> {
    /// The key under which a message is remembered; nobody outside can choose it.
    pub(crate) fn duplicate_key(&self, session: SessionId, message: &Message<'_>) -> Key {
        Key {
            peer: session.to_u64() ^ self.seed,
            message_id: message.message_id(),
            fingerprint: message.fingerprint(),
        }
    }

    /// How long the Message ID of a message of this kind is remembered (RFC 7252 section 4.8.2).
    pub(crate) fn lifetime(&self, kind: Type) -> Duration {
        match kind {
            Type::Con => self.config.transmission.exchange_lifetime(),
            _ => self.config.transmission.non_lifetime(),
        }
    }

    /// Notes the outcome of a message, for when it comes again.
    pub(crate) fn record_outcome(&mut self, key: Key, outcome: Outcome) {
        let known = self.duplicates().record(key, outcome);
        if let (false, Outcome::Response(slot)) = (known, outcome) {
            // Forgotten since, so nobody will ask for it.
            let _freed = self.replies.remove(slot);
        }
    }

    /// Whether a message came before; if not, it is remembered from now on.
    pub(crate) fn check_duplicate(&mut self, now: Instant, key: Key, kind: Type) -> Option<Option<Outcome>> {
        let lifetime = self.lifetime(kind);
        match self.duplicates().check(now, key, lifetime) {
            sedge_coap::Seen::Again(outcome) => Some(outcome),
            sedge_coap::Seen::First { displaced } => {
                if let Some(Outcome::Response(slot)) = displaced {
                    let _freed = self.replies.remove(slot);
                }
                None
            }
        }
    }

    fn duplicates(&mut self) -> sedge_coap::Duplicates<'_, Outcome> {
        sedge_coap::Duplicates::new(self.handled.as_mut())
    }
}
