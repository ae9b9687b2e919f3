//! Writing a message straight into the host's buffer and sealing it there.

use sedge_coap::{Type, empty_message};
use sedge_dtls::{ContentType, Of};

use crate::counters::Counters;
use crate::endpoint::Endpoint;
use crate::host::HostOf;
use crate::memory::{CryptoOf, Memory, Pool};
use crate::session::{Channel, Peer, SessionId};

/// Why a message could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The session does not exist, or not any more.
    Gone,
    /// The session's handshake is not complete.
    NotConnected,
    /// As many confirmable messages as NSTART allows are not acknowledged yet; or three times the bytes that came
    /// from the peer's new path, which is not proven yet, have been sent there. Try again when an event for this
    /// session comes.
    Busy,
    /// The pool of exchanges is full. Try again when an event ends one.
    Full,
    /// The host has no room for a datagram at present.
    NoRoom,
    /// The message does not fit: into a datagram, into the memory for messages that await something, or into
    /// a record of the size that the peer takes.
    TooLong,
    /// The caller wrote something that is no message: options out of order, or after the payload.
    Malformed,
}

impl core::fmt::Display for SendError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Gone => "the session has ended",
            Self::NotConnected => "the handshake is not complete",
            Self::Busy => "earlier messages are not acknowledged yet",
            Self::Full => "too many exchanges are under way",
            Self::NoRoom => "the network has no room for a datagram",
            Self::TooLong => "the message is too long",
            Self::Malformed => "the message is malformed",
        })
    }
}

impl core::error::Error for SendError {}

/// What of an endpoint sending takes, beside the peer.
pub(crate) struct Link<'a, M: Memory> {
    pub(crate) crypto: &'a CryptoOf<M>,
    pub(crate) validations: &'a mut M::Validations,
    pub(crate) counters: &'a mut Counters,
}

impl<M: Memory> Link<'_, M> {
    /// Sends one CoAP message over an established session. `fill` writes the message and returns its length, or
    /// an error that becomes this function's own.
    pub(crate) fn send<H: HostOf<M>>(
        self,
        peer: &mut Peer<M::Path>,
        host: &mut H,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, SendError>,
    ) -> Result<(), SendError> {
        let Peer { channel, path, validation, .. } = peer;
        let (path, allowance) = match self.validations.get_mut(*validation) {
            Some(validation) => validation.route(*path),
            None => (*path, None),
        };
        let allowed =
            allowance.as_ref().map_or(usize::MAX, |bytes| usize::try_from(**bytes).unwrap_or(usize::MAX));
        // What becomes of it if the host refuses to call back at all.
        let mut outcome = Err(SendError::NoRoom);
        let mut held_back = false;
        let sent = host.transmit(&path, |buf| {
            let result = match channel {
                Channel::Handshake { .. } => Err(SendError::NotConnected),
                Channel::Plain => fill(buf),
                Channel::Dtls(session) => {
                    let overhead = session.overhead();
                    let limit = buf.len().saturating_sub(overhead).min(session.max_plaintext());
                    let headroom = session.headroom();
                    let room = buf.get_mut(headroom..headroom.saturating_add(limit));
                    room.ok_or(SendError::TooLong).and_then(fill).and_then(|len| {
                        if len + overhead + PADDING > allowed {
                            held_back = true;
                            return Err(SendError::Busy);
                        }
                        let layer = Of::<M::Dtls>::new(self.crypto);
                        let sealed = session.seal(&layer, ContentType::APPLICATION_DATA, buf, len);
                        sealed.map_err(|_| SendError::TooLong)
                    })
                }
            };
            outcome = result;
            result.unwrap_or(0)
        });
        if let (Some(allowance), Ok(len)) = (allowance, outcome) {
            *allowance = allowance.saturating_sub(u32::try_from(len).unwrap_or(u32::MAX));
        }
        self.counters.transmit_refused += u64::from(!sent);
        self.counters.records_sent += u64::from(sent && outcome.is_ok());
        self.counters.amplification_limited += u64::from(held_back);
        outcome.map(drop)
    }
}

/// How many bytes a record of DTLS 1.3 may be longer still, if what it holds is very short.
const PADDING: usize = 7;

impl<M: Memory> Endpoint<M> {
    /// Sends a message that `fill` writes; see [`Link::send`].
    pub(crate) fn send_to<H: HostOf<M>>(
        &mut self,
        session: SessionId,
        host: &mut H,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, SendError>,
    ) -> Result<(), SendError> {
        let peer = self.sessions.get_mut(session.slot).filter(|peer| peer.generation == session.generation);
        let peer = peer.ok_or(SendError::Gone)?;
        let Self { crypto, validations, counters, .. } = self;
        let sent = Link::<M> { crypto, validations, counters }.send(peer, host, fill);
        self.send_own(session, host);
        sent
    }

    /// Sends bytes that were stored before.
    pub(crate) fn send_stored<H: HostOf<M>>(&mut self, slot: u32, host: &mut H) {
        use crate::memory::Buffer as _;
        let Some(exchange) = self.exchanges.get(slot) else { return };
        let session = exchange.session;
        let peer = self.sessions.get_mut(session.slot).filter(|peer| peer.generation == session.generation);
        let Some(peer) = peer else { return };
        let bytes = exchange.message.bytes();
        // A refusal is a lost datagram: the next retransmission makes up for it.
        let Self { crypto, validations, counters, .. } = self;
        let _lost = Link::<M> { crypto, validations, counters }.send(peer, host, |buf| copy(bytes, buf));
        self.send_own(session, host);
    }

    /// Sends an empty message: an acknowledgement, a reset or a ping.
    pub(crate) fn send_empty<H: HostOf<M>>(
        &mut self,
        session: SessionId,
        kind: Type,
        message_id: u16,
        host: &mut H,
    ) {
        self.counters.resets_sent += u64::from(kind == Type::Rst);
        let _lost = self.send_to(session, host, |buf| copy(&empty_message(kind, message_id), buf));
    }
}

/// Copies a whole message to the front of `buf`.
pub(crate) fn copy(bytes: &[u8], buf: &mut [u8]) -> Result<usize, SendError> {
    buf.get_mut(..bytes.len()).ok_or(SendError::TooLong)?.copy_from_slice(bytes);
    Ok(bytes.len())
}
