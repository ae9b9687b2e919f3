//! The record layer of DTLS 1.3 once the handshake is done (RFC 9147 section 4).

use sedge_crypto::{Aead, Crypto};

use super::{Content, Opened, RecordLayer, Role, SealError};
use crate::alert::Alert;
use crate::discard::Discard;
use crate::dtls13::protection::{OpenError, OpenedRecord, RecordKeys, encrypted_len};
use crate::dtls13::record::{Heading, Unified, epoch_bits};
use crate::dtls13::schedule::{ResumptionSecret, TrafficSecret};
use crate::record::ContentType;
use crate::replay::ReplayWindow;
use crate::rrc::PathMessage;
use crate::suite::CipherSuite;

mod cids;
mod export;
mod limits;
mod parts;
mod post_handshake;
#[cfg(test)]
mod tests;

pub(crate) use cids::Cids;
use parts::Partial;
pub(crate) use post_handshake::Outstanding;

/// The epoch that a session begins in.
pub(crate) const FIRST_EPOCH: u16 = 3;

/// An established connection of DTLS 1.3.
#[derive(Debug)]
pub(crate) struct Session13 {
    pub(super) read: Direction,
    pub(super) write: Direction,
    pub(super) extra: Extra,
    pub(super) cids: Cids,
    /// The number of the next record sent in this epoch; the limits keep it far below 2^32.
    pub(super) next_sequence: u32,
    /// The replay window of the epoch that is read.
    pub(super) highest: u32,
    pub(super) seen: [u32; 2],
    /// How many records failed to open with the keys that are read with.
    pub(super) failed: u32,
    pub(super) read_epoch: u16,
    pub(super) write_epoch: u16,
    /// The message_seq of the next handshake message, sent and received.
    pub(super) next_message: u16,
    pub(super) next_received: u16,
    /// The low half of the number of the record in which the outstanding message was first sent.
    pub(super) outstanding_since: u16,
    /// The longest inner plaintext that the peer will take, and that it was told to send.
    pub(super) write_limit: u16,
    pub(super) read_limit: u16,
    pub(super) outstanding: Outstanding,
    /// How far the handshake record that is to be acknowledged is behind the newest record, or the number of a record
    /// of epoch 2.
    pub(super) ack_age: u8,
    pub(super) aead: Aead,
    /// The rarest values, among which [`Session`](super::Session) finds one to tell the versions by.
    pub(super) role: Role,
    pub(super) flags: u16,
}

/// What may be true of a session.
pub(super) mod flag {
    /// It answered the ClientHello; only in an export.
    pub(in super::super) const SERVER: u16 = 1;
    /// An ACK is to be sent.
    pub(in super::super) const ACK_DUE: u16 = 1 << 1;
    /// And it is of a record of epoch 2.
    pub(in super::super) const ACK_OF_HANDSHAKE: u16 = 1 << 2;
    /// The outstanding message is to be sent.
    pub(in super::super) const SEND_DUE: u16 = 1 << 3;
    /// Our keys are to be replaced.
    pub(in super::super) const UPDATE_WANTED: u16 = 1 << 4;
    /// And the peer is to be asked to replace its own.
    pub(in super::super) const UPDATE_REQUESTED: u16 = 1 << 5;
    /// The peer said that its next records are of the next epoch.
    pub(in super::super) const NEXT_EPOCH_READ: u16 = 1 << 6;
    /// The peer was given another Connection ID and may go on using the old one.
    pub(in super::super) const CID_REPLACED: u16 = 1 << 7;
    /// RFC 9853 was negotiated.
    pub(in super::super) const RETURN_ROUTABILITY: u16 = 1 << 8;
    /// More forgeries came than the keys stand: nothing more is opened.
    pub(in super::super) const OVER: u16 = 1 << 9;
    /// Handshake messages may have been sent that are not known of: no more are begun.
    pub(in super::super) const STREAM_UNKNOWN: u16 = 1 << 10;
}

/// One direction's secret and the keys made of it.
#[derive(Clone, Debug)]
pub(crate) struct Direction {
    pub(super) secret: TrafficSecret,
    pub(super) keys: RecordKeys,
}

impl Direction {
    pub(crate) fn new<C: Crypto>(crypto: &C, secret: TrafficSecret) -> Self {
        Self { keys: secret.keys(crypto), secret }
    }

    /// What it will be after the next KeyUpdate.
    fn next<C: Crypto>(&self, crypto: &C) -> Self {
        Self::new(crypto, self.secret.next(crypto))
    }
}

/// What a session keeps on top, in the place of one secret.
#[derive(Clone, Debug)]
pub(crate) enum Extra {
    Nothing,
    /// Of a client: what the keys of tickets come from.
    Resumption(ResumptionSecret),
    /// Of a server: the secret of the client's epoch 2, in which it repeats its last flight.
    Handshake(TrafficSecret),
    /// The beginning of a message that comes in fragments. What stood here is lost for it.
    Partial(Partial),
}

/// What the handshake agreed on.
pub(crate) struct Parameters13 {
    pub(crate) role: Role,
    pub(crate) aead: Aead,
    pub(crate) read: Direction,
    pub(crate) write: Direction,
    pub(crate) extra: Extra,
    pub(crate) cids: Cids,
    pub(crate) read_limit: u16,
    pub(crate) write_limit: u16,
    /// The message_seq of the next handshake message, sent and received.
    pub(crate) next_message: u16,
    pub(crate) next_received: u16,
    pub(crate) return_routability: bool,
}

impl Session13 {
    pub(crate) fn new(parameters: Parameters13) -> Self {
        let Parameters13 { role, aead, read, write, extra, cids, read_limit, write_limit, .. } = parameters;
        let Parameters13 { next_message, next_received, return_routability, .. } = parameters;
        Self {
            read,
            write,
            extra,
            cids,
            next_sequence: 0,
            highest: 0,
            seen: [0; 2],
            failed: 0,
            read_epoch: FIRST_EPOCH,
            write_epoch: FIRST_EPOCH,
            next_message,
            next_received,
            outstanding_since: 0,
            write_limit,
            read_limit,
            outstanding: Outstanding::Nothing,
            ack_age: 0,
            aead,
            role,
            flags: if return_routability { flag::RETURN_ROUTABILITY } else { 0 },
        }
    }

    pub(crate) const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(super) const fn set(&mut self, flag: u16) {
        self.flags |= flag;
    }

    pub(super) const fn clear(&mut self, flag: u16) {
        self.flags &= !flag;
    }

    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    pub(crate) const fn return_routability(&self) -> bool {
        self.has(flag::RETURN_ROUTABILITY)
    }

    pub(crate) const fn suite(&self) -> CipherSuite {
        match self.aead {
            Aead::Aes128Ccm8 => CipherSuite::TLS_AES_128_CCM_8_SHA256,
            Aead::Aes128Ccm => CipherSuite::TLS_AES_128_CCM_SHA256,
            Aead::Aes128Gcm => CipherSuite::TLS_AES_128_GCM_SHA256,
            // No handshake here ends with it.
            Aead::ChaCha20Poly1305 => CipherSuite(0x1303),
        }
    }

    /// The header of the next record.
    fn heading(&self, with_length: bool) -> Heading<'_> {
        Heading {
            epoch: self.write_epoch,
            sequence: self.next_sequence.into(),
            cid: self.cids.peer(),
            with_length,
        }
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn headroom(&self) -> usize {
        self.heading(false).len()
    }

    /// Not counting the padding of a plaintext below 7 bytes with CCM_8.
    pub(crate) fn overhead(&self) -> usize {
        self.headroom() + 1 + self.aead.tag_len()
    }

    /// RFC 8449 section 4: the limit counts the content type.
    pub(crate) const fn max_plaintext(&self) -> usize {
        (self.write_limit as usize).saturating_sub(1)
    }

    /// See [`Session::seal`](super::Session::seal).
    pub(crate) fn seal<C: Crypto>(
        &mut self,
        crypto: &C,
        content_type: ContentType,
        buf: &mut [u8],
        plaintext_len: usize,
        with_length: bool,
    ) -> Result<usize, SealError> {
        if plaintext_len > self.max_plaintext() {
            return Err(SealError::TooLong);
        }
        if self.next_sequence >= limits::RECORDS {
            return Err(SealError::SequenceExhausted);
        }
        let heading = self.heading(with_length);
        if buf.len() < heading.len() + encrypted_len(self.aead, plaintext_len) {
            return Err(SealError::BufferTooSmall);
        }
        let sealed = self.write.keys.seal(crypto, self.aead, &heading, content_type, buf, plaintext_len);
        // The number is spent even if the provider fails: a nonce is never used twice.
        self.next_sequence += 1;
        let updating = matches!(self.outstanding, Outstanding::KeyUpdate(_));
        if self.next_sequence >= limits::RECORDS_UNTIL_UPDATE && !updating {
            self.set(flag::UPDATE_WANTED);
        }
        sealed.ok_or(SealError::TooLong)
    }

    /// See [`Session::open`](super::Session::open).
    pub(crate) fn open<'d, L: RecordLayer>(
        &mut self,
        layer: &L,
        record: &'d mut [u8],
    ) -> Result<Opened<'d>, Discard> {
        let Unprotected13 { content_type, plaintext, newest } = match self.unprotect(layer, record)? {
            Unprotected::Current(unprotected) => unprotected,
            Unprotected::FinishedAgain => {
                return Ok(Opened { content: Content::FinishedAgain, newest: false });
            }
        };
        let content = match content_type {
            ContentType::APPLICATION_DATA => Content::ApplicationData(plaintext),
            ContentType::ALERT => {
                Content::Alert(Alert::parse(plaintext).ok_or(Discard::MalformedContent)?.in_dtls_1_3())
            }
            ContentType::HANDSHAKE => self.post_handshake(layer, plaintext)?,
            ContentType::ACK => self.acknowledged(layer.crypto(), plaintext)?,
            ContentType::RETURN_ROUTABILITY_CHECK if self.has(flag::RETURN_ROUTABILITY) => {
                Content::ReturnRoutability(PathMessage::parse(plaintext).ok_or(Discard::MalformedContent)?)
            }
            _ => return Err(Discard::UnexpectedContentType),
        };
        Ok(Opened { content, newest })
    }

    /// Checks and decrypts a record; says nothing yet about what it holds.
    pub(crate) fn unprotect<'d, L: RecordLayer>(
        &mut self,
        layer: &L,
        record: &'d mut [u8],
    ) -> Result<Unprotected<'d>, Discard> {
        let unified =
            Unified::parse(record, self.cids.own().len()).filter(|unified| unified.len == record.len());
        let Some(Unified { epoch_bits: bits, cid, header_len, .. }) = unified else {
            // RFC 9147 section 4.1: plaintext records, which nothing authenticates.
            let plaintext = record.first().is_some_and(|first| (20..=26).contains(first));
            return Err(if plaintext { Discard::Unprotected } else { Discard::MalformedRecord });
        };
        self.check_cid(cid)?;
        // RFC 8449 section 4: the limit is on all that the encryption holds.
        let inner_len = (record.len() - header_len).saturating_sub(self.aead.tag_len());
        if inner_len > usize::from(self.read_limit) {
            return Err(Discard::TooLong);
        }
        if self.has(flag::OVER) {
            return Err(Discard::Closed);
        }
        if bits == epoch_bits(self.read_epoch) {
            return self.unprotect_current(layer.crypto(), record).map(Unprotected::Current);
        }
        if bits == epoch_bits(self.read_epoch.wrapping_add(1)) && self.has(flag::NEXT_EPOCH_READ) {
            return self.unprotect_next(layer.crypto(), record).map(Unprotected::Current);
        }
        if L::SERVER && self.read_epoch == FIRST_EPOCH && bits == epoch_bits(2) {
            return self.finished_again(layer.crypto(), record);
        }
        Err(Discard::UnknownEpoch)
    }

    /// Names us as agreed. An identifier of ours from before will do: whose it is was seen when the record was routed
    /// here, and it is authenticated with the rest of the header.
    fn check_cid(&self, cid: Option<&[u8]>) -> Result<(), Discard> {
        let own = self.cids.own();
        let right = match cid {
            None => own.is_empty(),
            Some(cid) => !own.is_empty() && (cid == own || self.has(flag::CID_REPLACED)),
        };
        if right { Ok(()) } else { Err(Discard::WrongConnectionId) }
    }

    fn unprotect_current<'d, C: Crypto>(
        &mut self,
        crypto: &C,
        record: &'d mut [u8],
    ) -> Result<Unprotected13<'d>, Discard> {
        let mut window = self.window();
        let expected = if window.seen == 0 { 0 } else { window.highest + 1 };
        match self.read.keys.open(crypto, self.aead, expected, record, self.cids.own().len()) {
            Ok(OpenedRecord { content_type, plaintext, sequence }) => {
                // RFC 9147 section 4.5.1: after decryption, so that the answer's time tells nothing of the number.
                if !window.admits(sequence) {
                    return Err(Discard::Replayed);
                }
                let before = window.highest;
                let newest = window.accept(sequence);
                self.set_window(window)?;
                self.note_arrival(content_type, window.highest - before, window.highest - sequence);
                Ok(Unprotected13 { content_type, plaintext, newest })
            }
            Err(OpenError::TooShort) => Err(Discard::TooShort),
            Err(OpenError::BadTag) => Err(self.failed_to_open()),
        }
    }

    /// Keeps track of the record that is to be acknowledged, as newer ones come.
    fn note_arrival(&mut self, content_type: ContentType, ahead: u64, behind: u64) {
        if content_type == ContentType::HANDSHAKE {
            self.ack_age = u8::try_from(behind).unwrap_or_default();
            self.clear(flag::ACK_OF_HANDSHAKE);
        } else if self.has(flag::ACK_DUE) && !self.has(flag::ACK_OF_HANDSHAKE) {
            match u8::try_from(ahead).ok().and_then(|ahead| self.ack_age.checked_add(ahead)) {
                Some(age) => self.ack_age = age,
                // Nobody asked for the ACK in all that time; the peer will ask again.
                None => self.clear(flag::ACK_DUE),
            }
        }
    }

    /// RFC 9147 section 8: the old keys are kept until a record opens with the new ones, which are therefore made
    /// each time that one might.
    fn unprotect_next<'d, C: Crypto>(
        &mut self,
        crypto: &C,
        record: &'d mut [u8],
    ) -> Result<Unprotected13<'d>, Discard> {
        let next = self.read.next(crypto);
        let opened = next.keys.open(crypto, self.aead, 0, record, self.cids.own().len());
        let OpenedRecord { content_type, plaintext, sequence } = match opened {
            Ok(opened) => opened,
            Err(OpenError::TooShort) => return Err(Discard::TooShort),
            Err(OpenError::BadTag) => return Err(self.failed_to_open()),
        };
        let mut window = ReplayWindow::default();
        window.accept(sequence);
        self.set_window(window)?;
        self.read = next;
        self.read_epoch = self.read_epoch.wrapping_add(1);
        (self.failed, self.ack_age) = (0, 0);
        self.clear(flag::NEXT_EPOCH_READ);
        if content_type != ContentType::HANDSHAKE {
            // What was to be acknowledged was of the epoch before, and the peer knows that it has arrived.
            self.clear(flag::ACK_DUE);
        }
        Ok(Unprotected13 { content_type, plaintext, newest: true })
    }

    fn window(&self) -> ReplayWindow {
        let [low, high] = self.seen;
        ReplayWindow { highest: self.highest.into(), seen: u64::from(high) << 32 | u64::from(low) }
    }

    /// A peer that counts further than any limit allows is not followed.
    fn set_window(&mut self, window: ReplayWindow) -> Result<(), Discard> {
        self.highest = u32::try_from(window.highest).map_err(|_| Discard::Closed)?;
        self.seen = [window.seen as u32, (window.seen >> 32) as u32];
        Ok(())
    }
}

/// A record that opened.
pub(crate) enum Unprotected<'d> {
    /// Of the session.
    Current(Unprotected13<'d>),
    /// The client's last flight once more, for which an ACK is due.
    FinishedAgain,
}

/// An authentic record's content.
pub(crate) struct Unprotected13<'d> {
    pub(crate) content_type: ContentType,
    pub(crate) plaintext: &'d mut [u8],
    pub(crate) newest: bool,
}
