//! Fragments ([RFC 4944 section 5.3](https://www.rfc-editor.org/rfc/rfc4944#section-5.3)).

use crate::mac::SplitOff;

/// The header of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Length of the whole packet before compression.
    pub size: u16,
    /// By which the receiver tells packets of one sender apart.
    pub tag: u16,
    /// Where its payload belongs in the packet before compression; zero for the first fragment.
    pub offset: u16,
}

const FIRST: u8 = 0b11000;
const LATER: u8 = 0b11100;

impl Fragment {
    /// Length of the first fragment's header.
    pub const FIRST_LEN: usize = 4;
    /// Length of the header of all others.
    pub const LATER_LEN: usize = 5;

    /// Writes the header.
    pub fn write(&self, out: &mut Vec<u8>) {
        let dispatch = if self.offset == 0 { FIRST } else { LATER };
        out.extend_from_slice(&(u16::from(dispatch) << 11 | self.size).to_be_bytes());
        out.extend_from_slice(&self.tag.to_be_bytes());
        if self.offset > 0 {
            out.push((self.offset / 8) as u8);
        }
    }

    /// Takes the header off the front; `None` if there is none.
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let first = u16::from_be_bytes(*bytes.split_off_chunk()?);
        let tag = u16::from_be_bytes(*bytes.split_off_chunk()?);
        let offset = match (first >> 11) as u8 {
            FIRST => 0,
            LATER => {
                let [offset] = *bytes.split_off_chunk()?;
                if offset == 0 {
                    return None;
                }
                8 * u16::from(offset)
            }
            _ => return None,
        };
        Some(Self { size: first & 0x7ff, tag, offset })
    }

    /// Whether these bytes begin with such a header.
    pub fn begins(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|first| [FIRST, LATER].contains(&(first >> 3)))
    }
}

/// Room that a first fragment leaves, so that a router that has to write addresses or the hop limit out can send it
/// on ([RFC 8930 section 5.1](https://www.rfc-editor.org/rfc/rfc8930#section-5.1)).
pub const SLACK: usize = 5;

/// Cuts a packet whose compressed headers these are into payloads of frames with this much room each.
///
/// # Panics
/// If the headers do not fit one frame.
pub fn cut(packet: &[u8], headers: &[u8], covered: usize, tag: u16, room: usize) -> Vec<Vec<u8>> {
    let size = packet.len() as u16;
    let free =
        room.checked_sub(Fragment::FIRST_LEN + headers.len() + SLACK).expect("headers that fit a frame");
    // Offsets count in eights of the packet before compression.
    let mut offset = (covered + free) / 8 * 8;
    assert!(offset >= covered, "headers that fit a frame");
    let mut first = Vec::with_capacity(room);
    Fragment { size, tag, offset: 0 }.write(&mut first);
    first.extend_from_slice(headers);
    first.extend_from_slice(&packet[covered..offset.min(packet.len())]);
    let mut fragments = vec![first];
    let step = (room - Fragment::LATER_LEN) / 8 * 8;
    while offset < packet.len() {
        let mut later = Vec::with_capacity(room);
        Fragment { size, tag, offset: offset as u16 }.write(&mut later);
        let end = (offset + step).min(packet.len());
        later.extend_from_slice(&packet[offset..end]);
        fragments.push(later);
        offset = end;
    }
    fragments
}
