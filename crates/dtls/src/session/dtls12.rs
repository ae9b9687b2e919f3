//! The record layer of DTLS 1.2 once the handshake is done (RFC 6347 section 4.1, RFC 9146).

use sedge_crypto::{Aead, Crypto};

use super::{Content, LastFlight, Opened, Role, SealError};
use crate::alert::Alert;
use crate::cid::ConnectionId;
use crate::discard::Discard;
use crate::protection::{DirectionKeys, EXPLICIT_NONCE, epoch_and_sequence};
use crate::record::{ContentType, Header, MAX_SEQUENCE, RECORD_HEADER, Record};
use crate::replay::ReplayWindow;
use crate::rrc::PathMessage;
use crate::suite::CipherSuite;
use crate::wire::Writer;

/// The epoch of everything a session protects: renegotiation is refused, so there is no other.
pub(super) const EPOCH: u16 = 1;

/// An established connection of DTLS 1.2.
#[derive(Debug)]
pub(crate) struct Session12 {
    pub(super) read: DirectionKeys,
    pub(super) write: DirectionKeys,
    /// The number of the next record sent in this epoch.
    pub(super) next_sequence: u64,
    pub(super) window: ReplayWindow,
    pub(super) own_cid: ConnectionId,
    pub(super) peer_cid: ConnectionId,
    pub(super) last_flight: Option<LastFlight>,
    /// The longest (inner) plaintext that the peer will take, and that it was told to send.
    pub(super) write_limit: u16,
    pub(super) read_limit: u16,
    pub(super) suite: CipherSuite,
    pub(super) aead: Aead,
    pub(super) role: Role,
    /// Whether RFC 9853 was negotiated.
    pub(super) return_routability: bool,
}

/// What the handshake agreed on.
pub(crate) struct Parameters {
    pub(crate) role: Role,
    pub(crate) suite: CipherSuite,
    pub(crate) aead: Aead,
    pub(crate) read: DirectionKeys,
    pub(crate) write: DirectionKeys,
    pub(crate) own_cid: ConnectionId,
    pub(crate) peer_cid: ConnectionId,
    pub(crate) read_limit: u16,
    pub(crate) write_limit: u16,
    pub(crate) next_sequence: u64,
}

impl Session12 {
    pub(crate) fn new(parameters: Parameters) -> Self {
        let Parameters { role, suite, aead, read, write, own_cid, peer_cid, .. } = parameters;
        let Parameters { read_limit, write_limit, next_sequence, .. } = parameters;
        Self {
            read,
            write,
            next_sequence,
            window: ReplayWindow::default(),
            own_cid,
            peer_cid,
            last_flight: None,
            write_limit,
            read_limit,
            suite,
            aead,
            role,
            return_routability: false,
        }
    }

    /// RFC 9853 was negotiated.
    pub(crate) const fn agree_on_return_routability(&mut self) {
        self.return_routability = true;
    }

    pub(crate) const fn return_routability(&self) -> bool {
        self.return_routability
    }

    /// The Connection ID that the peer puts in its records; empty if it puts none.
    pub(crate) const fn own_cid(&self) -> &ConnectionId {
        &self.own_cid
    }

    /// The Connection ID that goes into records to the peer; empty if none does.
    pub(crate) const fn peer_cid(&self) -> &ConnectionId {
        &self.peer_cid
    }

    /// The cipher suite in use.
    pub(crate) const fn suite(&self) -> CipherSuite {
        self.suite
    }

    /// Which side this is.
    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    pub(crate) const fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// How many bytes of a record stand before the plaintext.
    pub(crate) const fn headroom(&self) -> usize {
        RECORD_HEADER + self.peer_cid.len() + EXPLICIT_NONCE
    }

    /// How many bytes a record is longer than its plaintext.
    pub(crate) const fn overhead(&self) -> usize {
        self.headroom() + self.inner_type_len() + self.aead.tag_len()
    }

    /// The longest plaintext, in bytes, that the peer takes in one record
    /// ([RFC 8449](https://www.rfc-editor.org/rfc/rfc8449)).
    pub(crate) const fn max_plaintext(&self) -> usize {
        (self.write_limit as usize).saturating_sub(self.inner_type_len())
    }

    /// A record with a Connection ID carries its content type inside.
    const fn inner_type_len(&self) -> usize {
        if self.peer_cid.is_empty() { 0 } else { 1 }
    }

    /// Opens one record (see [`Records`](crate::Records)) in place.
    pub(crate) fn open<'d, C: Crypto>(
        &mut self,
        crypto: &C,
        record: &'d mut [u8],
    ) -> Result<Opened<'d>, Discard> {
        let Unprotected { content_type, plaintext, newest } = self.unprotect(crypto, record)?;
        let content = match content_type {
            ContentType::APPLICATION_DATA => {
                // The peer sends data only after it has our Finished, so the last flight has arrived.
                self.last_flight = None;
                Content::ApplicationData(plaintext)
            }
            ContentType::ALERT => Content::Alert(Alert::parse(plaintext).ok_or(Discard::MalformedContent)?),
            ContentType::HANDSHAKE => self.late_handshake(plaintext)?,
            ContentType::RETURN_ROUTABILITY_CHECK if self.return_routability => {
                Content::ReturnRoutability(PathMessage::parse(plaintext).ok_or(Discard::MalformedContent)?)
            }
            _ => return Err(Discard::UnexpectedContentType),
        };
        Ok(Opened { content, newest })
    }

    /// Seals the plaintext that stands at `buf[headroom..headroom + plaintext_len]` in place. Returns the
    /// record's length; the record starts at `buf[0]`.
    pub(crate) fn seal<C: Crypto>(
        &mut self,
        crypto: &C,
        content_type: ContentType,
        buf: &mut [u8],
        plaintext_len: usize,
    ) -> Result<usize, SealError> {
        if plaintext_len > self.max_plaintext() {
            return Err(SealError::TooLong);
        }
        if self.next_sequence > MAX_SEQUENCE {
            return Err(SealError::SequenceExhausted);
        }
        let headroom = self.headroom();
        let inner_len = plaintext_len + self.inner_type_len();
        let tag_len = self.aead.tag_len();
        let (head, fragment) = buf.split_at_mut_checked(headroom).ok_or(SealError::BufferTooSmall)?;
        let fragment = fragment.get_mut(..inner_len + tag_len).ok_or(SealError::BufferTooSmall)?;
        let (inner, tag) = fragment.split_at_mut_checked(inner_len).ok_or(SealError::BufferTooSmall)?;

        let mut header = Header { content_type, epoch: EPOCH, sequence: self.next_sequence };
        if !self.peer_cid.is_empty() {
            // RFC 9146 section 4: DTLSInnerPlaintext, here without padding.
            header.content_type = ContentType::TLS12_CID;
            *inner.last_mut().ok_or(SealError::BufferTooSmall)? = content_type.0;
        }
        let cid = self.peer_cid.as_bytes();
        let mut out = Writer::new(head);
        header.write(&mut out, cid, EXPLICIT_NONCE + inner_len + tag_len);
        out.bytes(&epoch_and_sequence(&header).to_be_bytes());

        // The number is spent even if the provider fails: a nonce is never used twice.
        self.next_sequence += 1;
        self.write.seal(crypto, self.aead, &header, cid, inner, tag).map_err(|_| SealError::TooLong)?;
        Ok(headroom + inner_len + tag_len)
    }

    /// Writes a record with this alert to `buf` and returns its length.
    pub(crate) fn alert<C: Crypto>(
        &mut self,
        crypto: &C,
        alert: Alert,
        buf: &mut [u8],
    ) -> Result<usize, SealError> {
        let alert = alert.to_bytes();
        let place = buf.get_mut(self.headroom()..).and_then(|room| room.get_mut(..alert.len()));
        place.ok_or(SealError::BufferTooSmall)?.copy_from_slice(&alert);
        self.seal(crypto, ContentType::ALERT, buf, alert.len())
    }

    /// Checks and decrypts a record; says nothing yet about what it holds.
    pub(crate) fn unprotect<'d, C: Crypto>(
        &mut self,
        crypto: &C,
        record: &'d mut [u8],
    ) -> Result<Unprotected<'d>, Discard> {
        let Record { header, cid, fragment } =
            Record::parse(record, self.own_cid.len()).ok_or(Discard::MalformedRecord)?;
        match header.content_type {
            ContentType::TLS12_CID
            | ContentType::APPLICATION_DATA
            | ContentType::ALERT
            | ContentType::HANDSHAKE
            | ContentType::CHANGE_CIPHER_SPEC
            | ContentType::RETURN_ROUTABILITY_CHECK => {}
            _ => return Err(Discard::UnexpectedContentType),
        }
        match header.epoch {
            EPOCH => {}
            0 => return Err(Discard::Unprotected),
            _ => return Err(Discard::UnknownEpoch),
        }
        // RFC 9146 section 6: with a non-empty identifier agreed on, a record without it is discarded.
        let names_us = header.content_type == ContentType::TLS12_CID;
        if names_us == self.own_cid.is_empty() || cid != self.own_cid.as_bytes() {
            return Err(Discard::WrongConnectionId);
        }
        // A CCM_8 record below 8 + 8 bytes: nothing to authenticate.
        let inner_len =
            fragment.len().checked_sub(EXPLICIT_NONCE + self.aead.tag_len()).ok_or(Discard::TooShort)?;
        if inner_len > usize::from(self.read_limit) {
            return Err(Discard::TooLong);
        }
        if !self.window.admits(header.sequence) {
            return Err(Discard::Replayed);
        }

        let headroom = record.len() - fragment.len() + EXPLICIT_NONCE;
        let (head, fragment) = record.split_at_mut_checked(headroom).ok_or(Discard::TooShort)?;
        let (inner, tag) = fragment.split_at_mut_checked(inner_len).ok_or(Discard::TooShort)?;
        let &explicit_nonce = head.last_chunk().ok_or(Discard::TooShort)?;
        self.read
            .open(crypto, self.aead, &header, self.own_cid.as_bytes(), explicit_nonce, inner, tag)
            .map_err(|_| Discard::BadTag)?;
        let newest = self.window.accept(header.sequence);

        if !names_us {
            return Ok(Unprotected { content_type: header.content_type, plaintext: inner, newest });
        }
        // DTLSInnerPlaintext: content, type, then zeros.
        let len = inner.iter().rposition(|&byte| byte != 0).ok_or(Discard::MalformedContent)?;
        let (plaintext, tail) = inner.split_at_mut_checked(len).ok_or(Discard::MalformedContent)?;
        let content_type = ContentType(*tail.first().ok_or(Discard::MalformedContent)?);
        Ok(Unprotected { content_type, plaintext, newest })
    }
}

/// An authentic record's content.
pub(crate) struct Unprotected<'d> {
    pub(crate) content_type: ContentType,
    pub(crate) plaintext: &'d mut [u8],
    pub(crate) newest: bool,
}
