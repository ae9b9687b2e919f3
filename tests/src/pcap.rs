//! Capture files: datagrams between one client and one server, for tshark.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// A capture file (pcap, raw IPv4) of datagrams between a client and port 5684.
#[derive(Debug)]
pub struct Capture {
    file: File,
    packets: u32,
}

impl Capture {
    /// Starts a capture file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut header = Vec::new();
        header.extend(0xa1b2_c3d4_u32.to_le_bytes());
        for half in [2_u16, 4] {
            header.extend(half.to_le_bytes());
        }
        for word in [0_u32, 0, 65_535, 101] {
            header.extend(word.to_le_bytes());
        }
        let mut file = File::create(path)?;
        file.write_all(&header)?;
        Ok(Self { file, packets: 0 })
    }

    /// Adds a datagram; each is captured a second after the one before.
    ///
    /// # Errors
    /// If it cannot be written.
    ///
    /// # Panics
    /// If it is longer than a datagram can be.
    pub fn add(&mut self, from_client: bool, datagram: &[u8]) -> io::Result<()> {
        let udp_length = u16::try_from(8 + datagram.len()).expect("a datagram");
        let mut packet = vec![0x45, 0];
        packet.extend((20 + udp_length).to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
        let (client, server) = (([10, 0, 0, 1], 40_000_u16), ([10, 0, 0, 2], 5_684_u16));
        let (from, to) = if from_client { (client, server) } else { (server, client) };
        packet.extend(from.0);
        packet.extend(to.0);
        packet.extend(from.1.to_be_bytes());
        packet.extend(to.1.to_be_bytes());
        packet.extend(udp_length.to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(datagram);
        let length = u32::try_from(packet.len()).expect("a packet");
        let mut record = Vec::new();
        for word in [self.packets, 0, length, length] {
            record.extend(word.to_le_bytes());
        }
        record.extend(packet);
        self.packets += 1;
        self.file.write_all(&record)
    }
}
