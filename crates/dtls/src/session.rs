//! An established connection: all that is left of it once the handshake is done.

use core::fmt;

use crate::alert::Alert;
use crate::cid::ConnectionId;
use crate::discard::Discard;
use crate::record::ContentType;
use crate::rrc::PathMessage;
use crate::suite::CipherSuite;

mod dtls12;
mod dtls13;
mod export;
mod last_flight;
mod layer;
#[cfg(test)]
mod tests;
mod ticket;

pub(crate) use dtls12::{Parameters, Session12};
pub(crate) use dtls13::{
    Cids, Direction, Extra, Outstanding, Parameters13, Session13, Unprotected, Unprotected13,
};
pub use export::ImportError;
pub(crate) use last_flight::LastFlight;
pub use layer::{Of, RecordLayer};
pub use ticket::Ticket;

/// An established connection: keys, sequence numbers, replay window and Connection IDs, in at most 256 bytes.
///
/// Records are sealed and opened in the caller's memory. Keys are expanded anew for every record: keeping them
/// expanded would cost 700 bytes per direction and save almost nothing.
///
/// What arrives and is not authentic, not new or not for this session is a [`Discard`] and changes nothing.
#[derive(Debug)]
pub struct Session {
    version: Version,
}

#[derive(Debug)]
enum Version {
    Dtls12(Session12),
    Dtls13(Session13),
}

const _: () = assert!(size_of::<Session>() <= 256);

impl From<Session13> for Session {
    fn from(session: Session13) -> Self {
        Self { version: Version::Dtls13(session) }
    }
}

impl From<Session12> for Session {
    fn from(session: Session12) -> Self {
        Self { version: Version::Dtls12(session) }
    }
}

/// Which side of the handshake a session was on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It sent the ClientHello.
    Client,
    /// It answered.
    Server,
}

/// What a record held.
#[derive(Debug)]
pub struct Opened<'d> {
    /// The content, decrypted in place.
    pub content: Content<'d>,
    /// Whether this record is newer than every authentic record before it. Only then may the peer's address
    /// move to where the record came from
    /// ([RFC 9146 section 6](https://www.rfc-editor.org/rfc/rfc9146#section-6)).
    pub newest: bool,
}

/// What an authentic record holds, and what to do about it.
#[derive(Debug)]
pub enum Content<'d> {
    /// For the layer above.
    ApplicationData(&'d mut [u8]),
    /// The peer complains or says goodbye; see [`Alert::ends_connection`].
    Alert(Alert),
    /// The peer sent its Finished again because our last flight was lost: send
    /// [`Session::last_flight`].
    FinishedAgain,
    /// The peer asks for renegotiation, which is refused: answer with
    /// [`Alert::NO_RENEGOTIATION`], or not at all.
    Renegotiation,
    /// A return routability check (RFC 9853), if both sides know it.
    ReturnRoutability(PathMessage),
    /// Of a client: a ticket with which the session can be resumed.
    Ticket(Ticket<'d>),
    /// The peer asks for so many other Connection IDs: call [`Session::new_connection_id`], or not.
    ConnectionIdWanted(u8),
    /// Something for the session itself: look whether something is [`pending`](Session::pending).
    Nothing,
}

/// Why nothing could be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// The buffer has no room for the plaintext and [`Session::overhead`].
    BufferTooSmall,
    /// Longer than [`Session::max_plaintext`].
    TooLong,
    /// All 2^48 sequence numbers are used: the session must be replaced.
    SequenceExhausted,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall => "the buffer is too small for the record",
            Self::TooLong => "the plaintext is longer than the peer takes in one record",
            Self::SequenceExhausted => "all sequence numbers of the session are used",
        })
    }
}

impl core::error::Error for SealError {}

impl Session {
    /// Whether the return routability check was agreed on
    /// ([RFC 9853 section 3](https://www.rfc-editor.org/rfc/rfc9853#section-3)).
    pub fn return_routability(&self) -> bool {
        match &self.version {
            Version::Dtls12(session) => session.return_routability(),
            Version::Dtls13(session) => session.return_routability(),
        }
    }

    /// Whether it is of DTLS 1.3.
    pub const fn is_dtls_1_3(&self) -> bool {
        matches!(self.version, Version::Dtls13(_))
    }

    /// The Connection ID that the peer puts in its records; empty if it puts none.
    pub fn own_cid(&self) -> ConnectionId {
        match &self.version {
            Version::Dtls12(session) => *session.own_cid(),
            Version::Dtls13(session) => ConnectionId::new(session.cids.own()).unwrap_or_default(),
        }
    }

    /// The Connection ID that goes into records to the peer; empty if none does.
    pub fn peer_cid(&self) -> ConnectionId {
        match &self.version {
            Version::Dtls12(session) => *session.peer_cid(),
            Version::Dtls13(session) => ConnectionId::new(session.cids.peer()).unwrap_or_default(),
        }
    }

    /// The cipher suite in use.
    pub const fn suite(&self) -> CipherSuite {
        match &self.version {
            Version::Dtls12(session) => session.suite(),
            Version::Dtls13(session) => session.suite(),
        }
    }

    /// Which side this is.
    pub const fn role(&self) -> Role {
        match &self.version {
            Version::Dtls12(session) => session.role(),
            Version::Dtls13(session) => session.role(),
        }
    }

    /// How many bytes of the next record stand before the plaintext. In DTLS 1.3 it grows by one as record numbers do.
    pub fn headroom(&self) -> usize {
        match &self.version {
            Version::Dtls12(session) => session.headroom(),
            Version::Dtls13(session) => session.headroom(),
        }
    }

    /// How many bytes the next record is longer than its plaintext. In DTLS 1.3 with CCM_8 a plaintext below 7 bytes
    /// is padded to 7 on top of that.
    pub fn overhead(&self) -> usize {
        match &self.version {
            Version::Dtls12(session) => session.overhead(),
            Version::Dtls13(session) => session.overhead(),
        }
    }

    /// The longest plaintext, in bytes, that the peer takes in one record
    /// ([RFC 8449](https://www.rfc-editor.org/rfc/rfc8449)).
    pub const fn max_plaintext(&self) -> usize {
        match &self.version {
            Version::Dtls12(session) => session.max_plaintext(),
            Version::Dtls13(session) => session.max_plaintext(),
        }
    }

    /// Opens one record (see [`Records`](crate::Records)) in place. Afterwards something may be
    /// [`pending`](Self::pending).
    pub fn open<'d, L: RecordLayer>(
        &mut self,
        layer: &L,
        record: &'d mut [u8],
    ) -> Result<Opened<'d>, Discard> {
        match &mut self.version {
            Version::Dtls12(session) if L::DTLS_1_2 => session.open(layer.crypto(), record),
            Version::Dtls13(session) if L::DTLS_1_3 => session.open(layer, record),
            _ => Err(Discard::Closed),
        }
    }

    /// Seals the plaintext that stands at `buf[headroom..headroom + plaintext_len]` in place. Returns the
    /// record's length; the record starts at `buf[0]` and is to be a datagram of its own. Afterwards something may be
    /// [`pending`](Self::pending).
    pub fn seal<L: RecordLayer>(
        &mut self,
        layer: &L,
        content_type: ContentType,
        buf: &mut [u8],
        plaintext_len: usize,
    ) -> Result<usize, SealError> {
        match &mut self.version {
            Version::Dtls12(session) if L::DTLS_1_2 => {
                session.seal(layer.crypto(), content_type, buf, plaintext_len)
            }
            Version::Dtls13(session) if L::DTLS_1_3 => {
                session.seal(layer.crypto(), content_type, buf, plaintext_len, false)
            }
            _ => Err(SealError::SequenceExhausted),
        }
    }

    /// Writes a `close_notify` record to `buf` and returns its length. Nothing should be sealed afterwards.
    pub fn close_notify<L: RecordLayer>(&mut self, layer: &L, buf: &mut [u8]) -> Result<usize, SealError> {
        self.alert(layer, Alert::CLOSE_NOTIFY, buf)
    }

    /// Writes a record with this alert to `buf` and returns its length.
    pub fn alert<L: RecordLayer>(
        &mut self,
        layer: &L,
        alert: Alert,
        buf: &mut [u8],
    ) -> Result<usize, SealError> {
        let alert = alert.to_bytes();
        let place = buf.get_mut(self.headroom()..).and_then(|room| room.get_mut(..alert.len()));
        place.ok_or(SealError::BufferTooSmall)?.copy_from_slice(&alert);
        self.seal(layer, ContentType::ALERT, buf, alert.len())
    }

    /// Writes the last flight again, under fresh record numbers, and returns the datagram's length: what to do about
    /// [`Content::FinishedAgain`]. `None` if the peer is known to have it, or if `buf` is too small.
    pub fn last_flight<L: RecordLayer>(&mut self, layer: &L, buf: &mut [u8]) -> Option<usize> {
        match &mut self.version {
            // A client has the last word in a resumption only.
            Version::Dtls12(session) if L::DTLS_1_2 && (L::SERVER || L::RESUMPTION) => {
                session.last_flight(layer.crypto(), buf)
            }
            Version::Dtls13(session) if L::DTLS_1_3 && L::SERVER => session.write_ack(layer.crypto(), buf),
            _ => None,
        }
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has something to write. Never so in DTLS 1.2.
    pub fn pending(&self) -> bool {
        match &self.version {
            Version::Dtls12(_) => false,
            Version::Dtls13(session) => session.pending(),
        }
    }

    /// Writes the next datagram of the session's own and returns its length: an ACK, new keys, a Connection ID. To be
    /// called until it is `None` whenever something is [`pending`](Self::pending).
    pub fn poll_transmit<L: RecordLayer>(&mut self, layer: &L, buf: &mut [u8]) -> Option<usize> {
        match &mut self.version {
            Version::Dtls13(session) if L::DTLS_1_3 => session.poll_transmit(layer, buf),
            _ => None,
        }
    }

    /// Whether a message of the session's own was not acknowledged yet. As long as it is so, call
    /// [`retransmit`](Self::retransmit) every now and then: after a second, then after twice as long each time.
    pub fn is_outstanding(&self) -> bool {
        match &self.version {
            Version::Dtls12(_) => false,
            Version::Dtls13(session) => session.is_outstanding(),
        }
    }

    /// Makes the message that [`is_outstanding`](Self::is_outstanding) pending once more.
    pub fn retransmit(&mut self) {
        if let Version::Dtls13(session) = &mut self.version {
            session.retransmit();
        }
    }

    /// Wants the keys of this direction replaced
    /// ([RFC 9147 section 8](https://www.rfc-editor.org/rfc/rfc9147#section-8)), and if `request` those of the other
    /// one too. A session does this by itself before a key has been used too much. Without effect in DTLS 1.2, which
    /// cannot do it.
    pub fn update_keys(&mut self, request: bool) {
        if let Version::Dtls13(session) = &mut self.version {
            session.update_keys(request);
        }
    }

    /// Gives the peer another Connection ID to use from now on
    /// ([RFC 9147 section 9](https://www.rfc-editor.org/rfc/rfc9147#section-9)), as long as the one before, which
    /// stays good too. `false` in DTLS 1.2, for another length, or while something else
    /// [`is_outstanding`](Self::is_outstanding).
    pub fn new_connection_id(&mut self, cid: &ConnectionId) -> bool {
        match &mut self.version {
            Version::Dtls12(_) => false,
            Version::Dtls13(session) => session.new_connection_id(cid),
        }
    }

    /// Asks the peer for `count` other Connection IDs, the first of which will be used as soon as it comes. `false` in
    /// DTLS 1.2, if the peer wants none in its records, or while something else
    /// [`is_outstanding`](Self::is_outstanding).
    pub fn request_connection_ids(&mut self, count: u8) -> bool {
        match &mut self.version {
            Version::Dtls12(_) => false,
            Version::Dtls13(session) => session.request_connection_ids(count),
        }
    }
}
