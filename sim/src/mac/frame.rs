//! Frames as bytes (IEEE 802.15.4-2006 section 7.2).

use super::security::Protection;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// A payload of the layer above.
    Data,
    /// An acknowledgement: nothing but its sequence number.
    Acknowledgement,
    /// A command of the MAC.
    Command,
}

/// The identifier of the command by which a sleeping node asks for its frames.
pub(crate) const DATA_REQUEST: u8 = 4;

/// An address in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// None.
    Absent,
    /// 16 bits; 0xffff is everyone.
    Short(u16),
    /// 64 bits, the most significant byte first (frames carry it the other way round).
    Extended([u8; 8]),
}

impl Address {
    /// Everyone.
    pub const BROADCAST: Self = Self::Short(0xffff);

    const fn mode(self) -> u16 {
        match self {
            Self::Absent => 0,
            Self::Short(_) => 2,
            Self::Extended(_) => 3,
        }
    }
}

/// A frame's header, within one PAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub frame_type: FrameType,
    /// Whether more waits for the receiver.
    pub pending: bool,
    /// Whether the receiver has to acknowledge.
    pub acknowledge: bool,
    /// Sequence number.
    pub sequence: u8,
    /// The network.
    pub pan: u16,
    /// To whom.
    pub destination: Address,
    /// From whom.
    pub source: Address,
    /// How the frame is protected.
    pub protection: Option<Protection>,
}

impl Header {
    /// An acknowledgement.
    pub const fn acknowledgement(sequence: u8, pending: bool) -> Self {
        Self {
            frame_type: FrameType::Acknowledgement,
            pending,
            acknowledge: false,
            sequence,
            pan: 0,
            destination: Address::Absent,
            source: Address::Absent,
            protection: None,
        }
    }

    /// Writes the header, the auxiliary security header included.
    pub fn write(&self, out: &mut Vec<u8>) {
        let kind = match self.frame_type {
            FrameType::Data => 1,
            FrameType::Acknowledgement => 2,
            FrameType::Command => 3,
        };
        let both = self.destination != Address::Absent && self.source != Address::Absent;
        // Security came with the version of 2006.
        let version = u16::from(self.protection.is_some());
        let control = kind
            | u16::from(self.protection.is_some()) << 3
            | u16::from(self.pending) << 4
            | u16::from(self.acknowledge) << 5
            | u16::from(both) << 6
            | self.destination.mode() << 10
            | version << 12
            | self.source.mode() << 14;
        out.extend_from_slice(&control.to_le_bytes());
        out.push(self.sequence);
        for (address, pan) in [(self.destination, true), (self.source, !both)] {
            if pan && address != Address::Absent {
                out.extend_from_slice(&self.pan.to_le_bytes());
            }
            match address {
                Address::Absent => {}
                Address::Short(short) => out.extend_from_slice(&short.to_le_bytes()),
                Address::Extended(eui64) => out.extend(eui64.iter().rev()),
            }
        }
        if let Some(protection) = self.protection {
            protection.write(out);
        }
    }

    /// Reads a header; the rest of the frame follows it. `None` if it is none of the frames written here.
    pub fn read<'a>(bytes: &mut &'a [u8]) -> Option<Self> {
        let control = u16::from_le_bytes(*bytes.split_off_chunk()?);
        let [sequence] = *bytes.split_off_chunk()?;
        let frame_type = match control & 7 {
            1 => FrameType::Data,
            2 => FrameType::Acknowledgement,
            3 => FrameType::Command,
            _ => return None,
        };
        let mut pan = 0;
        let mut address = |bytes: &mut &'a [u8], mode: u16, with_pan: bool| {
            if mode != 0 && with_pan {
                pan = u16::from_le_bytes(*bytes.split_off_chunk()?);
            }
            match mode & 3 {
                0 => Some(Address::Absent),
                2 => Some(Address::Short(u16::from_le_bytes(*bytes.split_off_chunk()?))),
                3 => {
                    let mut eui64: [u8; 8] = *bytes.split_off_chunk()?;
                    eui64.reverse();
                    Some(Address::Extended(eui64))
                }
                _ => None,
            }
        };
        let destination = address(bytes, control >> 10 & 3, true)?;
        let source = address(bytes, control >> 14, control >> 6 & 1 == 0)?;
        let protection = if control >> 3 & 1 == 1 { Some(Protection::read(bytes)?) } else { None };
        Some(Self {
            frame_type,
            pending: control >> 4 & 1 == 1,
            acknowledge: control >> 5 & 1 == 1,
            sequence,
            pan,
            destination,
            source,
            protection,
        })
    }

    /// How many bytes it takes.
    pub fn len(&self) -> usize {
        let mut bytes = Vec::with_capacity(32);
        self.write(&mut bytes);
        bytes.len()
    }

    /// Never; a header has bytes.
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// Takes fixed numbers of bytes off the front.
pub(crate) trait SplitOff<'a> {
    fn split_off_chunk<const N: usize>(&mut self) -> Option<&'a [u8; N]>;
}

impl<'a> SplitOff<'a> for &'a [u8] {
    fn split_off_chunk<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (chunk, rest) = self.split_first_chunk()?;
        *self = rest;
        Some(chunk)
    }
}

/// The frame check sequence: the CRC of ITU-T with the polynomial `x^16 + x^12 + x^5 + 1`, lowest bit first.
pub fn fcs(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum: u16, &byte| sum >> 8 ^ FCS[usize::from((sum ^ u16::from(byte)) & 0xff)])
}

const FCS: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u16;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x8408 } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::{Addressing, SecurityLevel};
    use crate::network::NodeId;

    #[test]
    fn headers_read_as_they_were_written() {
        let protections =
            [None, Some(Protection { level: SecurityLevel::EncMic32, counter: 0x0102_0304, key: 7 })];
        for addressing in [Addressing::Short, Addressing::Extended] {
            for protection in protections {
                let header = Header {
                    frame_type: FrameType::Data,
                    pending: true,
                    acknowledge: true,
                    sequence: 200,
                    pan: 0xabcd,
                    destination: addressing.of(NodeId(3)),
                    source: addressing.of(NodeId(0x1234)),
                    protection,
                };
                let mut bytes = Vec::new();
                header.write(&mut bytes);
                assert_eq!(bytes.len(), header.len());
                let mut rest = &bytes[..];
                assert_eq!(Header::read(&mut rest), Some(header));
                assert!(rest.is_empty());
                for end in 0..bytes.len() {
                    assert_eq!(Header::read(&mut &bytes[..end]), None, "cut at {end}");
                }
            }
        }
    }

    #[test]
    fn the_check_sequence_is_that_of_its_polynomial() {
        // The check value of this CRC (KERMIT).
        assert_eq!(fcs(b"123456789"), 0x2189);
    }
}
