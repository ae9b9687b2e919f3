//! Captures: what was on the air as [pcapng](https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/), with the
//! secrets that decrypt it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

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

/// A capture being written. Readers want secrets before what they decrypt, and these are known only when they have been
/// agreed on: the packets go to a file of their own until the end.
pub(crate) struct Capture {
    packets: BufWriter<File>,
    packets_at: PathBuf,
    target: PathBuf,
    frames: bool,
    record: SharedRecord,
    written: u64,
    limit: u64,
    failure: Option<io::Error>,
}

impl Capture {
    /// Begins a capture of frames, or else of IPv6 packets, that ends after so many bytes.
    pub(crate) fn new(target: PathBuf, frames: bool, limit: u64, record: SharedRecord) -> io::Result<Self> {
        let packets_at = target.with_extension("pcapng.part");
        let packets = BufWriter::with_capacity(1 << 16, File::create(&packets_at)?);
        Ok(Self { packets, packets_at, target, frames, record, written: 0, limit, failure: None })
    }

    /// Puts everything together.
    fn finish(&mut self) -> io::Result<()> {
        self.packets.flush()?;
        let mut out = BufWriter::new(File::create(&self.target)?);
        // Section header: byte order, version 1.0, length unknown.
        let mut section = Vec::new();
        section.extend(0x1a2b_3c4d_u32.to_le_bytes());
        section.extend([1, 0, 0, 0]);
        section.extend(u64::MAX.to_le_bytes());
        block(&mut out, 0x0a0d_0d0a, &section)?;
        // Interface: link type, no limit of length, times in microseconds.
        let link_type = if self.frames { IEEE802_15_4_TAP } else { IPV6 };
        let mut interface = Vec::new();
        interface.extend(link_type.to_le_bytes());
        interface.extend([0; 6]);
        block(&mut out, 1, &interface)?;
        let record = self.record.borrow();
        if !record.key_log.is_empty() {
            let mut secrets = Vec::new();
            secrets.extend(TLS_KEY_LOG.to_le_bytes());
            secrets.extend((record.key_log.len() as u32).to_le_bytes());
            secrets.extend(record.key_log.as_bytes());
            block(&mut out, 10, &secrets)?;
        }
        let _bytes = io::copy(&mut File::open(&self.packets_at)?, &mut out)?;
        out.flush()?;
        fs::remove_file(&self.packets_at)
    }

    fn packet(&mut self, at: Instant, head: &[u8], bytes: &[u8]) -> io::Result<()> {
        let length = (head.len() + bytes.len()) as u32;
        let time = at.as_micros();
        let mut body = Vec::with_capacity(20 + length as usize);
        for field in [0, (time >> 32) as u32, time as u32, length, length] {
            body.extend(field.to_le_bytes());
        }
        body.extend(head);
        body.extend(bytes);
        self.written += block(&mut self.packets, 6, &body)?;
        Ok(())
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

/// Writes one block; says how many bytes it takes.
fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<u64> {
    let padding = body.len().next_multiple_of(4) - body.len();
    let length = (12 + body.len() + padding) as u32;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(&[0; 3][..padding])?;
    out.write_all(&length.to_le_bytes())?;
    Ok(length.into())
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

impl Observer for Capture {
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
            None => self.finish(),
        }
    }
}
