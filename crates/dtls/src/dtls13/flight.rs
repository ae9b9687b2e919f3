//! Outgoing flights: kept as messages, cut into records once, sent again piece by piece (RFC 9147 sections 4.3, 5.5 and
//! 7).

use sedge_crypto::Crypto;

use super::ack::RecordNumber;
use super::epoch::Sealer;
use crate::handshake::message::{Fragment, HANDSHAKE_HEADER, MessageType, write_header};
use crate::profile::Buffer;
use crate::record::{ContentType, Header, RECORD_HEADER};
use crate::wire::Writer;

/// The messages of one flight, and how much of it has arrived.
///
/// Messages stand one behind the other, each in one piece with its header. Where they are cut depends on the length of
/// datagrams only, so every transmission consists of the same pieces, each in a record of its own: an ACK for any
/// record that a piece was ever sent in is one for the piece.
#[derive(Debug)]
pub(crate) struct Flight<B> {
    messages: B,
    len: usize,
    /// Where the messages of epoch 2 begin.
    protected_from: usize,
    /// For datagrams of which length it is cut.
    datagram: usize,
    /// The longest content of a protected record.
    record_limit: usize,
    /// Which pieces are to be sent, and which have arrived.
    to_send: Pieces,
    arrived: Pieces,
    sent: SentLog,
}

/// A set of pieces.
type Pieces = u64;
/// What comes behind so many pieces is not sent.
const MAX_PIECES: usize = Pieces::BITS as usize;

/// Part of a flight that fits into one record: whole messages and fragments.
#[derive(Clone, Copy, Debug)]
struct Piece {
    number: usize,
    /// The message that it begins in, and where in that message's body.
    message: usize,
    offset: usize,
    /// How many bytes the record's content will have.
    length: usize,
    /// The message that it ends in, and where: the beginning of the next one if it ends with all of it.
    end: (usize, usize),
    protected: bool,
}

/// Where the bytes of epoch 0 get their record numbers from, and how those of epoch 2 are sealed.
pub(crate) struct Outlet<'a, C: Crypto> {
    pub(crate) crypto: &'a C,
    pub(crate) sequence: &'a mut u64,
    pub(crate) sealer: Option<&'a mut Sealer>,
}

impl<B: Buffer> Flight<B> {
    pub(crate) fn new() -> Self {
        Self {
            messages: B::zeroed(),
            len: 0,
            protected_from: 0,
            datagram: 0,
            record_limit: usize::MAX,
            to_send: 0,
            arrived: 0,
            sent: SentLog::default(),
        }
    }

    /// Forgets everything: a new flight begins.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn clear(&mut self) {
        (self.len, self.protected_from, self.datagram) = (0, 0, 0);
        (self.to_send, self.arrived) = (0, 0);
        self.sent = SentLog::default();
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All messages, each with its header.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.messages.bytes().get(..self.len).unwrap_or_default()
    }

    /// Appends a message and returns its body, or `None` if it does not fit.
    pub(crate) fn push(
        &mut self,
        message_type: MessageType,
        message_seq: u16,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Option<&mut [u8]> {
        let from = self.len + HANDSHAKE_HEADER;
        let mut out = Writer::new(self.messages.bytes_mut().get_mut(from..)?);
        body(&mut out);
        let length = out.finish()?;
        self.append(message_type, message_seq, length)
    }

    /// Makes a message of the body that stands behind the room for its header.
    #[cfg_attr(target_os = "none", inline(never))]
    fn append(&mut self, message_type: MessageType, message_seq: u16, length: usize) -> Option<&mut [u8]> {
        let room = self.messages.bytes_mut().get_mut(self.len..)?;
        let (header, tail) = room.split_at_mut_checked(HANDSHAKE_HEADER)?;
        write_header(&mut Writer::new(header), message_type, message_seq, length);
        self.len += HANDSHAKE_HEADER + length;
        self.to_send = Pieces::MAX;
        tail.get_mut(..length)
    }

    /// What is there so far is of epoch 0, what follows of epoch 2.
    pub(crate) const fn protect(&mut self) {
        self.protected_from = self.len;
    }

    /// RFC 8449: the peer takes no longer inner plaintexts, the content type counted.
    pub(crate) const fn limit_records(&mut self, limit: u16) {
        self.record_limit = (limit as usize).saturating_sub(1);
    }

    /// The longest content of a protected record.
    pub(crate) const fn record_limit(&self) -> usize {
        self.record_limit
    }

    /// Sends again what has not arrived.
    pub(crate) const fn rewind(&mut self) {
        self.to_send = !self.arrived;
    }

    /// Sends nothing for now.
    pub(crate) const fn hold(&mut self) {
        self.to_send = 0;
    }

    /// Notes which records the peer has. Returns whether one was not known to have arrived.
    pub(crate) fn acknowledge(&mut self, numbers: impl Iterator<Item = RecordNumber>) -> bool {
        let before = self.arrived;
        for number in numbers {
            if let Some(piece) = self.sent.find(number) {
                self.arrived |= 1 << piece;
            }
        }
        self.to_send &= !self.arrived;
        self.arrived != before
    }

    /// Sends again what stands before something that has arrived, and has not itself.
    pub(crate) const fn fill_gaps(&mut self) {
        let highest = Pieces::BITS - self.arrived.leading_zeros();
        let before = if highest < Pieces::BITS { (1 << highest) - 1 } else { Pieces::MAX };
        self.to_send |= before & !self.arrived;
    }

    /// Whether something has arrived.
    pub(crate) const fn has_arrived_in_part(&self) -> bool {
        self.arrived != 0
    }

    /// Whether all of it has arrived.
    pub(crate) fn has_arrived(&self, cid_len: usize, tag_len: usize) -> bool {
        let mut next = None;
        let mut count = 0;
        while let Some(piece) = self.piece(next, cid_len, tag_len) {
            count = piece.number + 1;
            next = Some(piece);
        }
        count > 0 && (0..count).all(|piece| self.arrived & (1 << piece) != 0)
    }

    /// Writes the next datagram to `buf`, if something is left to send and `buf` has room for it.
    pub(crate) fn write_datagram<C: Crypto>(
        &mut self,
        outlet: &mut Outlet<'_, C>,
        buf: &mut [u8],
    ) -> Option<usize> {
        if self.to_send == 0 || self.is_empty() {
            return None;
        }
        if self.datagram == 0 || buf.len() < self.datagram {
            // The first time, or the path got narrower: what had arrived has other borders now.
            self.datagram = buf.len();
            (self.to_send, self.arrived) = (Pieces::MAX, 0);
            self.sent = SentLog::default();
        }
        let (cid_len, tag_len) = match &outlet.sealer {
            Some(sealer) => (sealer.cid.len(), sealer.aead.tag_len()),
            None => (0, 0),
        };
        let buf = buf.get_mut(..self.datagram)?;
        let mut used = 0;
        let mut piece = self.next_to_send(None, cid_len, tag_len);
        while let Some(current) = piece {
            let next = self.next_to_send(Some(current), cid_len, tag_len);
            let room = buf.get_mut(used..)?;
            let space = current.space(cid_len, tag_len);
            if space > room.len() {
                break;
            }
            // The last record of a datagram does without its length.
            let more = next.is_some_and(|next| space + next.space(cid_len, tag_len) <= room.len());
            let Some(len) = self.write_piece(&current, outlet, room, more) else { break };
            used += len;
            self.to_send &= !(1 << current.number);
            piece = next;
            if !more {
                break;
            }
        }
        if piece.is_none() {
            self.to_send = 0;
        }
        (used > 0).then_some(used)
    }

    /// The next piece behind `after` that is to be sent.
    fn next_to_send(&self, after: Option<Piece>, cid_len: usize, tag_len: usize) -> Option<Piece> {
        let mut piece = self.piece(after, cid_len, tag_len)?;
        while self.to_send & (1 << piece.number) == 0 {
            piece = self.piece(Some(piece), cid_len, tag_len)?;
        }
        Some(piece)
    }

    /// The piece behind `after`, or the first one: as much as fits into what is left of the datagram that it would be
    /// in if all of the flight were sent. Only what of epoch 0 stands in front leaves less than a whole datagram.
    fn piece(&self, after: Option<Piece>, cid_len: usize, tag_len: usize) -> Option<Piece> {
        let (number, mut message, mut offset) = match after {
            None => (0, 0, 0),
            Some(Piece { number, end: (message, offset), .. }) => (number + 1, message, offset),
        };
        if number >= MAX_PIECES {
            return None;
        }
        let protected = message >= self.protected_from;
        let end = if protected { self.len } else { self.protected_from };
        let mut piece = Piece { number, message, offset, length: 0, end: (message, offset), protected };
        let shared = match after {
            Some(before) if protected && !before.protected => before.space(cid_len, tag_len),
            _ => 0,
        };
        let mut room = self.datagram.saturating_sub(shared + piece.space(cid_len, tag_len));
        if room < HANDSHAKE_HEADER + MIN_FRAGMENT && shared > 0 {
            room = self.datagram.checked_sub(piece.space(cid_len, tag_len))?;
        }
        if protected {
            room = room.min(self.record_limit);
        }
        while message < end {
            let left = self.message_at(message)?.length.checked_sub(offset)?;
            let fits = room.checked_sub(HANDSHAKE_HEADER).map_or(0, |room| room.min(left));
            let whole = room >= HANDSHAKE_HEADER && fits == left;
            if !whole && (fits < MIN_FRAGMENT && piece.length > 0 || fits == 0) {
                break;
            }
            piece.length += HANDSHAKE_HEADER + fits;
            if !whole {
                piece.end = (message, offset + fits);
                break;
            }
            (message, offset) = (message + HANDSHAKE_HEADER + offset + fits, 0);
            piece.end = (message, offset);
            if !protected {
                break;
            }
            room -= HANDSHAKE_HEADER + fits;
        }
        (piece.length > 0).then_some(piece)
    }

    /// The message that begins at `at`.
    fn message_at(&self, at: usize) -> Option<Fragment<'_>> {
        Fragment::parse(self.messages.bytes().get(at..self.len)?).map(|(message, _)| message)
    }

    /// Writes the fragments that a piece consists of.
    fn write_fragments(&self, piece: &Piece, out: &mut Writer<'_>) -> Option<()> {
        let Piece { mut message, mut offset, length, .. } = *piece;
        let mut left = length;
        while left > 0 {
            let whole = self.message_at(message)?;
            let room = left.checked_sub(HANDSHAKE_HEADER)?;
            let rest = whole.body.get(offset..)?;
            let body = rest.get(..room).unwrap_or(rest);
            Fragment { offset, body, ..whole }.write(out);
            left = room - body.len();
            message += HANDSHAKE_HEADER + whole.length;
            offset = 0;
        }
        Some(())
    }

    fn write_piece<C: Crypto>(
        &mut self,
        piece: &Piece,
        outlet: &mut Outlet<'_, C>,
        buf: &mut [u8],
        with_length: bool,
    ) -> Option<usize> {
        let headroom = match &outlet.sealer {
            Some(sealer) if piece.protected => sealer.headroom(with_length),
            _ if piece.protected => return None,
            _ => RECORD_HEADER,
        };
        let mut out = Writer::new(buf.get_mut(headroom..)?);
        self.write_fragments(piece, &mut out)?;
        let length = out.finish()?;
        let (epoch, sequence, len) = match &mut outlet.sealer {
            Some(sealer) if piece.protected => {
                let sequence = sealer.sequence;
                let len = sealer.seal(outlet.crypto, ContentType::HANDSHAKE, buf, length, with_length)?;
                (2, sequence, len)
            }
            _ => {
                let sequence = *outlet.sequence;
                let header = Header { content_type: ContentType::HANDSHAKE, epoch: 0, sequence };
                header.write(&mut Writer::new(buf), &[], length);
                *outlet.sequence += 1;
                (0, sequence, RECORD_HEADER + length)
            }
        };
        self.sent.note(RecordNumber { epoch, sequence }, piece.number);
        Some(len)
    }
}

/// A message is not cut for less.
const MIN_FRAGMENT: usize = 16;

impl Piece {
    /// How long its record is at most.
    const fn space(&self, cid_len: usize, tag_len: usize) -> usize {
        match self.protected {
            // First byte, identifier, sequence number, length; content type.
            true => 1 + cid_len + 2 + 2 + self.length + 1 + tag_len,
            false => RECORD_HEADER + self.length,
        }
    }
}

/// Which piece went out in which of the last records.
#[derive(Debug, Default)]
struct SentLog {
    records: [Sent; Self::LEN],
    next: u8,
}

/// A record that was sent; of its epoch only whether it was protected.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    sequence: u16,
    protected: bool,
    /// One more than the piece's number; 0 for nothing.
    piece: u8,
}

impl SentLog {
    const LEN: usize = 32;

    fn note(&mut self, number: RecordNumber, piece: usize) {
        if let Some(place) = self.records.get_mut(usize::from(self.next) % Self::LEN)
            && piece < MAX_PIECES
            && let Ok(sequence) = u16::try_from(number.sequence)
        {
            *place = Sent { sequence, protected: number.epoch != 0, piece: piece as u8 + 1 };
            self.next = (self.next + 1) % Self::LEN as u8;
        }
    }

    fn find(&self, number: RecordNumber) -> Option<u8> {
        let protected = match number.epoch {
            0 => false,
            2 => true,
            _ => return None,
        };
        let sent = self.records.iter().find(|sent| {
            sent.piece > 0 && sent.protected == protected && u64::from(sent.sequence) == number.sequence
        })?;
        sent.piece.checked_sub(1)
    }
}
