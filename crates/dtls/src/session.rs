//! An established connection: all that is left of it once the handshake is done.

use core::fmt;

use crate::alert::Alert;
use crate::cid::ConnectionId;
use crate::discard::Discard;
use crate::record::ContentType;
use crate::suite::CipherSuite;

mod dtls12;
mod export;
mod last_flight;
mod layer;
#[cfg(test)]
mod tests;

pub(crate) use dtls12::{Parameters, Session12};
pub use export::ImportError;
pub(crate) use last_flight::LastFlight;
pub use layer::{Of, RecordLayer};

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
}

const _: () = assert!(size_of::<Session>() <= 256);

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
    /// The Connection ID that the peer puts in its records; empty if it puts none.
    pub const fn own_cid(&self) -> &ConnectionId {
        match &self.version {
            Version::Dtls12(session) => session.own_cid(),
        }
    }

    /// The Connection ID that goes into records to the peer; empty if none does.
    pub const fn peer_cid(&self) -> &ConnectionId {
        match &self.version {
            Version::Dtls12(session) => session.peer_cid(),
        }
    }

    /// The cipher suite in use.
    pub const fn suite(&self) -> CipherSuite {
        match &self.version {
            Version::Dtls12(session) => session.suite(),
        }
    }

    /// Which side this is.
    pub const fn role(&self) -> Role {
        match &self.version {
            Version::Dtls12(session) => session.role(),
        }
    }

    /// How many bytes of the next record stand before the plaintext.
    pub const fn headroom(&self) -> usize {
        match &self.version {
            Version::Dtls12(session) => session.headroom(),
        }
    }

    /// How many bytes the next record is longer than its plaintext.
    pub const fn overhead(&self) -> usize {
        match &self.version {
            Version::Dtls12(session) => session.overhead(),
        }
    }

    /// The longest plaintext, in bytes, that the peer takes in one record
    /// ([RFC 8449](https://www.rfc-editor.org/rfc/rfc8449)).
    pub const fn max_plaintext(&self) -> usize {
        match &self.version {
            Version::Dtls12(session) => session.max_plaintext(),
        }
    }

    /// Opens one record (see [`Records`](crate::Records)) in place.
    pub fn open<'d, L: RecordLayer>(
        &mut self,
        layer: &L,
        record: &'d mut [u8],
    ) -> Result<Opened<'d>, Discard> {
        match &mut self.version {
            Version::Dtls12(session) => session.open(layer.crypto(), record),
        }
    }

    /// Seals the plaintext that stands at `buf[headroom..headroom + plaintext_len]` in place. Returns the
    /// record's length; the record starts at `buf[0]`.
    pub fn seal<L: RecordLayer>(
        &mut self,
        layer: &L,
        content_type: ContentType,
        buf: &mut [u8],
        plaintext_len: usize,
    ) -> Result<usize, SealError> {
        match &mut self.version {
            Version::Dtls12(session) => session.seal(layer.crypto(), content_type, buf, plaintext_len),
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
            Version::Dtls12(session) => session.last_flight(layer.crypto(), buf),
        }
    }
}
