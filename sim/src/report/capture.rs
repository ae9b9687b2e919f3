//! Captures: what was on the air as [pcapng](https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/), with the
//! secrets that decrypt it.

use std::io::{self, Write};

use sedge_time::Instant;

use crate::network::{Event, NodeId, Trace};
use crate::record::SharedRecord;
use crate::simulation::Observer;

/// [LINKTYPE_IEEE802_15_4_TAP](https://www.tcpdump.org/linktypes/LINKTYPE_IEEE802_15_4_TAP.html).
const IEEE802_15_4_TAP: u16 = 283;
/// Raw IPv6, of networks without frames.
const IPV6: u16 = 229;
/// Secrets of TLS and DTLS as lines of the NSS key log format.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// A capture being written.
pub(crate) struct Capture<W: Write> {
    out: W,
    frames: bool,
    record: SharedRecord,
    /// How much of the key log is written.
    logged: usize,
    written: u64,
    limit: u64,
    failure: Option<io::Error>,
}

impl<W: Write> Capture<W> {
    /// Begins a capture of frames, or else of IPv6 packets, that ends after so many bytes.
    pub(crate) fn new(out: W, frames: bool, limit: u64, record: SharedRecord) -> io::Result<Self> {
        let mut this = Self { out, frames, record, logged: 0, written: 0, limit, failure: None };
        // Section header: byte order, version 1.0, length unknown.
        let mut section = Vec::new();
        section.extend(0x1a2b_3c4d_u32.to_le_bytes());
        section.extend([1, 0, 0, 0]);
        section.extend(u64::MAX.to_le_bytes());
        this.block(0x0a0d_0d0a, &section)?;
        // Interface: link type, no limit of length, times in microseconds.
        let link_type = if frames { IEEE802_15_4_TAP } else { IPV6 };
        let mut interface = Vec::new();
        interface.extend(link_type.to_le_bytes());
        interface.extend([0; 6]);
        this.block(1, &interface)?;
        Ok(this)
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = (12 + body.len() + padding) as u32;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(body)?;
        self.out.write_all(&[0; 3][..padding])?;
        self.out.write_all(&length.to_le_bytes())?;
        self.written += u64::from(length);
        Ok(())
    }

    /// Secrets come before what they decrypt.
    fn secrets(&mut self) -> io::Result<()> {
        let record = self.record.clone();
        let record = record.borrow();
        let Some(news) = record.key_log.get(self.logged..).filter(|news| !news.is_empty()) else {
            return Ok(());
        };
        self.logged = record.key_log.len();
        let mut body = Vec::new();
        body.extend(TLS_KEY_LOG.to_le_bytes());
        body.extend((news.len() as u32).to_le_bytes());
        body.extend(news.as_bytes());
        self.block(10, &body)
    }

    fn packet(&mut self, at: Instant, head: &[u8], bytes: &[u8]) -> io::Result<()> {
        self.secrets()?;
        let length = (head.len() + bytes.len()) as u32;
        let time = at.as_micros();
        let mut body = Vec::with_capacity(20 + length as usize);
        for field in [0, (time >> 32) as u32, time as u32, length, length] {
            body.extend(field.to_le_bytes());
        }
        body.extend(head);
        body.extend(bytes);
        self.block(6, &body)
    }

    fn keep(&mut self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            let _first = self.failure.get_or_insert(error);
        }
    }

    fn is_over(&self) -> bool {
        self.failure.is_some() || self.written >= self.limit
    }
}

/// What the capture format says of a frame before it: its check sequence has 16 bits, and this is its channel.
fn tap_header(channel: u8) -> [u8; 20] {
    let mut header = [0; 20];
    header[2] = 20;
    // Type 0 (FCS), length 1: 1 for the 16-bit CRC.
    header[4..9].copy_from_slice(&[0, 0, 1, 0, 1]);
    // Type 3 (channel), length 3: channel and page.
    header[12..17].copy_from_slice(&[3, 0, 3, 0, channel]);
    header
}

impl<W: Write> Observer for Capture<W> {
    fn see(&mut self, trace: &Trace) {
        if let Event::Sent { channel, bytes, .. } = &trace.event
            && !self.is_over()
        {
            let outcome = self.packet(trace.at, &tap_header(*channel), bytes);
            self.keep(outcome);
        }
    }

    fn packet(&mut self, now: Instant, _: NodeId, bytes: &[u8]) {
        if !self.frames && !self.is_over() {
            let outcome = Capture::packet(self, now, &[], bytes);
            self.keep(outcome);
        }
    }

    fn end(&mut self) -> io::Result<()> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }
}
