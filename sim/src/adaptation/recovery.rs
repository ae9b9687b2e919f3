//! Fragments that are recovered end to end ([RFC 8931](https://www.rfc-editor.org/rfc/rfc8931)): the first node cuts the
//! compressed packet, routers send each fragment on, and the last one says which of them have come.

use sedge_time::Instant;

use super::fragment::SLACK;
use crate::mac::SplitOff;
use crate::network::{NodeId, PacketId};

/// The header of a recoverable fragment
/// ([RFC 8931 section 5.1](https://www.rfc-editor.org/rfc/rfc8931#section-5.1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recoverable {
    /// Whether a queue on the way was long (E).
    pub congested: bool,
    /// By which the two ends of a link tell packets apart.
    pub tag: u8,
    /// Whether the receiver is to say what it has (X).
    pub asks: bool,
    /// Which fragment it is, 0 to 31.
    pub sequence: u8,
    /// Length of what follows.
    pub size: u16,
    /// Where that belongs in the compressed packet; of the first fragment, the length of the compressed packet. Zero takes
    /// the whole packet back.
    pub offset: u16,
}

/// What has come of a packet ([RFC 8931 section 5.2](https://www.rfc-editor.org/rfc/rfc8931#section-5.2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Whether a queue on the way was long (E).
    pub congested: bool,
    /// The packet's tag on this link.
    pub tag: u8,
    /// A bit for each fragment, the first one the highest; [`ALL`](Self::ALL) for the whole packet, and none if it was given up.
    pub bitmap: u32,
}

const RFRAG: u8 = 0b1110_1000;
const RFRAG_ACK: u8 = 0b1110_1010;
const CONGESTED: u8 = 1;
const ASKS: u16 = 1 << 15;
/// The most fragments of a packet.
pub const MOST: usize = 32;

impl Recoverable {
    /// Length of the header.
    pub const LEN: usize = 6;

    /// Writes the header.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[RFRAG | u8::from(self.congested), self.tag]);
        let asks = if self.asks { ASKS } else { 0 };
        let place = asks | u16::from(self.sequence) << 10 | self.size;
        out.extend_from_slice(&place.to_be_bytes());
        out.extend_from_slice(&self.offset.to_be_bytes());
    }

    /// Takes the header off the front; `None` if there is none, or if its size is not that of what follows.
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let [dispatch, tag] = *bytes.split_off_chunk()?;
        let place = u16::from_be_bytes(*bytes.split_off_chunk()?);
        let offset = u16::from_be_bytes(*bytes.split_off_chunk()?);
        let size = place & 0x3ff;
        let sequence = (place >> 10 & 31) as u8;
        let congested = dispatch & CONGESTED != 0;
        let fits = dispatch & !CONGESTED == RFRAG && usize::from(size) == bytes.len();
        fits.then_some(Self { congested, tag, asks: place & ASKS != 0, sequence, size, offset })
    }

    /// Whether these bytes begin with such a header.
    pub fn begins(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|first| first & !CONGESTED == RFRAG)
    }
}

impl Received {
    /// The whole packet is there.
    pub const ALL: u32 = u32::MAX;

    /// The bytes of it.
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![RFRAG_ACK | u8::from(self.congested), self.tag];
        out.extend_from_slice(&self.bitmap.to_be_bytes());
        out
    }

    /// Reads it; `None` if it is something else.
    pub fn read(mut bytes: &[u8]) -> Option<Self> {
        let [dispatch, tag] = *bytes.split_off_chunk()?;
        let bitmap = u32::from_be_bytes(*bytes.split_off_chunk()?);
        let fits = dispatch & !CONGESTED == RFRAG_ACK && bytes.is_empty();
        fits.then_some(Self { congested: dispatch & CONGESTED != 0, tag, bitmap })
    }

    /// Whether these bytes begin like it.
    pub fn begins(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|first| first & !CONGESTED == RFRAG_ACK)
    }
}

/// The bit of a fragment.
const fn bit(sequence: usize) -> u32 {
    1 << (31 - sequence)
}

/// A packet that a node has cut and not yet seen arrive.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) tag: u8,
    pub(crate) next: NodeId,
    pub(crate) id: PacketId,
    /// The compressed packet.
    datagram: Vec<u8>,
    /// Where each fragment ends.
    ends: Vec<usize>,
    arrived: u32,
    window: usize,
    /// The last fragment that asked what has come.
    asked: usize,
    /// How often in a row nobody has answered.
    unanswered: u8,
    /// How often it was begun anew.
    pub(crate) begun: u8,
    /// Timers of an earlier round mean nothing any more.
    pub(crate) round: u32,
}

impl Sending {
    /// Cuts a compressed packet for frames with this much room; `None` if that makes too many fragments.
    pub(crate) fn new(tag: u8, next: NodeId, id: PacketId, datagram: Vec<u8>, room: usize) -> Option<Self> {
        let mut ends = vec![(room - Recoverable::LEN - SLACK).min(datagram.len())];
        while let Some(&end) = ends.last().filter(|end| **end < datagram.len()) {
            ends.push((end + room - Recoverable::LEN).min(datagram.len()));
        }
        // The first fragment goes alone: it opens the way for the others.
        let window = 1;
        let this = Self {
            tag,
            next,
            id,
            datagram,
            ends,
            arrived: 0,
            window,
            asked: 0,
            unanswered: 0,
            begun: 0,
            round: 0,
        };
        (this.ends.len() <= MOST).then_some(this)
    }

    pub(crate) fn fragments(&self) -> u16 {
        self.ends.len() as u16
    }

    /// The next fragments to send: what has not come, as many as the window holds. The last one asks.
    pub(crate) fn fragments_due(&mut self) -> Vec<Vec<u8>> {
        let missing: Vec<usize> = (0..self.ends.len())
            .filter(|&sequence| self.arrived & bit(sequence) == 0)
            .take(self.window)
            .collect();
        self.asked = missing.last().copied().unwrap_or(0);
        self.round += 1;
        missing.iter().map(|&sequence| self.write(sequence, sequence == self.asked)).collect()
    }

    /// Nobody has answered: the fragment that asks, again. `None` after so many repetitions.
    pub(crate) fn ask_again(&mut self, repetitions: u8) -> Option<Vec<u8>> {
        self.unanswered += 1;
        self.round += 1;
        (self.unanswered <= repetitions).then(|| self.write(self.asked, true))
    }

    fn write(&self, sequence: usize, asks: bool) -> Vec<u8> {
        let begin = if sequence == 0 { 0 } else { self.ends[sequence - 1] };
        let content = &self.datagram[begin..self.ends[sequence]];
        let offset = if sequence == 0 { self.datagram.len() } else { begin } as u16;
        let size = content.len() as u16;
        let header =
            Recoverable { congested: false, tag: self.tag, asks, sequence: sequence as u8, size, offset };
        let mut out = Vec::with_capacity(Recoverable::LEN + content.len());
        header.write(&mut out);
        out.extend_from_slice(content);
        out
    }

    /// The last node says what it has. Once all is there, `true`.
    pub(crate) fn learn(&mut self, received: Received, window: usize) -> bool {
        self.unanswered = 0;
        self.arrived |= received.bitmap;
        // A long queue on the way halves the window, none lets it grow again.
        self.window =
            if received.congested { (self.window / 2).max(1) } else { (self.window * 4).min(window) };
        received.bitmap == Received::ALL
    }

    /// From the first fragment on, under another tag.
    pub(crate) fn begin_again(&mut self, tag: u8) {
        self.tag = tag;
        self.arrived = 0;
        self.window = 1;
        self.asked = 0;
        self.unanswered = 0;
        self.begun += 1;
    }

    /// What takes the packet back on its way.
    pub(crate) fn abort(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let header =
            Recoverable { congested: false, tag: self.tag, asks: false, sequence: 0, size: 0, offset: 0 };
        header.write(&mut out);
        out
    }
}

/// A packet that comes in recoverable fragments.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) from: NodeId,
    pub(crate) tag: u8,
    datagram: Vec<u8>,
    missing: usize,
    bitmap: u32,
    pub(crate) expires: Instant,
}

impl Incoming {
    /// The first fragment of a packet.
    pub(crate) fn new(from: NodeId, first: Recoverable, expires: Instant) -> Self {
        let length = usize::from(first.offset);
        Self { from, tag: first.tag, datagram: vec![0; length], missing: length, bitmap: 0, expires }
    }

    /// Takes a fragment in; the compressed packet when it was the last that was missing.
    pub(crate) fn take(&mut self, fragment: Recoverable, content: &[u8]) -> Option<&[u8]> {
        let begin = if fragment.sequence == 0 { 0 } else { usize::from(fragment.offset) };
        let place = self.datagram.get_mut(begin..begin + content.len())?;
        if self.bitmap & bit(fragment.sequence.into()) != 0 {
            return None;
        }
        place.copy_from_slice(content);
        self.bitmap |= bit(fragment.sequence.into());
        self.missing = self.missing.saturating_sub(content.len());
        (self.missing == 0).then_some(&self.datagram)
    }

    /// Whether all of it is there: it is kept only to say so again.
    pub(crate) const fn is_whole(&self) -> bool {
        self.missing == 0
    }

    /// What it says to its sender.
    pub(crate) fn report(&self, congested: bool) -> Received {
        let bitmap = if self.is_whole() { Received::ALL } else { self.bitmap };
        Received { congested, tag: self.tag, bitmap }
    }
}

/// The way of a packet whose fragments a router sends on, and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    pub(crate) from: NodeId,
    pub(crate) tag: u8,
    pub(crate) next: NodeId,
    pub(crate) next_tag: u8,
    /// By how much the headers grew here: later fragments lie that much further back.
    pub(crate) grown: i32,
    /// Whether all of it has arrived: the way is kept only for questions.
    pub(crate) done: bool,
    pub(crate) expires: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_as_they_were_written() {
        let header =
            Recoverable { congested: true, tag: 0xa5, asks: true, sequence: 19, size: 3, offset: 0x1234 };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        // RFC 8931 figure 1: 1110100E, tag, X with sequence and size, offset.
        assert_eq!(bytes, [0xe9, 0xa5, 0x80 | 19 << 2, 3, 0x12, 0x34]);
        bytes.extend_from_slice(b"abc");
        let mut rest = &bytes[..];
        assert_eq!((Recoverable::read(&mut rest), rest), (Some(header), &b"abc"[..]));
        assert_eq!(Recoverable::read(&mut &bytes[..8]), None, "shorter than it says");
        let received = Received { congested: false, tag: 7, bitmap: 0xc000_0001 };
        assert_eq!(received.write(), [0xea, 7, 0xc0, 0, 0, 1]);
        assert_eq!(Received::read(&received.write()), Some(received));
    }

    #[test]
    fn what_is_missing_is_sent_again_and_nothing_else() {
        let datagram: Vec<u8> = (0..500).map(|byte| byte as u8).collect();
        let mut sending = Sending::new(1, NodeId(0), PacketId(1), datagram.clone(), 106).unwrap();
        assert_eq!(sending.fragments(), 6);
        let read = |bytes: &[u8]| {
            let mut rest = bytes;
            (Recoverable::read(&mut rest).unwrap(), rest.to_vec())
        };
        let first = sending.fragments_due();
        let (header, content) = read(&first[0]);
        assert_eq!((first.len(), header.offset, header.asks), (1, 500, true));
        let mut incoming = Incoming::new(NodeId(3), header, Instant::EPOCH);
        assert_eq!(incoming.take(header, &content), None);
        assert!(!sending.learn(incoming.report(false), 3));
        let second: Vec<_> = sending.fragments_due().iter().map(|bytes| read(bytes)).collect();
        assert_eq!(second.iter().map(|(header, _)| header.sequence).collect::<Vec<_>>(), [1, 2, 3]);
        // The one in the middle is lost.
        for (header, content) in [&second[0], &second[2]] {
            assert_eq!(incoming.take(*header, content), None);
        }
        assert!(!sending.learn(incoming.report(true), 3));
        let third: Vec<_> = sending.fragments_due().iter().map(|bytes| read(bytes)).collect();
        assert_eq!(third.len(), 1, "a long queue made the window small");
        assert_eq!(third[0].0.sequence, 2);
        let _more = incoming.take(third[0].0, &third[0].1);
        assert!(!sending.learn(incoming.report(false), 3));
        let last: Vec<_> = sending.fragments_due().iter().map(|bytes| read(bytes)).collect();
        let whole =
            last.iter().filter_map(|(header, content)| incoming.take(*header, content).map(<[u8]>::to_vec));
        assert_eq!(whole.collect::<Vec<_>>(), [datagram]);
        assert!(sending.learn(incoming.report(false), 3));
    }
}
