//! Header compression ([RFC 6282](https://www.rfc-editor.org/rfc/rfc6282)): IPv6, and UDP after it.

use crate::mac::Address;
use crate::mac::SplitOff;
use crate::network::packet::{HEADER_LEN, UDP, checksum};

/// The prefixes that both ends know by number
/// ([section 3.1.2](https://www.rfc-editor.org/rfc/rfc6282#section-3.1.2)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contexts(Vec<[u8; 8]>);

impl Contexts {
    /// At most 16 prefixes of 64 bits, by their numbers; the first is the one that needs no extra byte.
    pub fn new(prefixes: &[[u8; 8]]) -> Self {
        Self(prefixes.iter().copied().take(16).collect())
    }

    fn number(&self, prefix: &[u8]) -> Option<u8> {
        self.0.iter().position(|known| known == prefix).map(|number| number as u8)
    }

    fn prefix(&self, number: u8) -> Option<[u8; 8]> {
        self.0.get(usize::from(number)).copied()
    }
}

/// The link's ends, from which addresses may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Who sends the frame.
    pub source: Address,
    /// Whom it is for.
    pub destination: Address,
}

const DISPATCH: u8 = 0b011;
const LINK_LOCAL: [u8; 8] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0];

/// The second half of an address that follows from a link's end.
pub fn interface(address: Address) -> Option<[u8; 8]> {
    match address {
        Address::Absent => None,
        Address::Short(short) => {
            let [high, low] = short.to_be_bytes();
            Some([0, 0, 0, 0xff, 0xfe, 0, high, low])
        }
        Address::Extended(mut eui64) => {
            eui64[0] ^= 2;
            Some(eui64)
        }
    }
}

/// Compresses the headers of a packet; `None` if it is no IPv6 packet. Returns the compressed headers, and how many
/// bytes of the packet they stand for.
pub fn compress(packet: &[u8], ends: Ends, contexts: &Contexts) -> Option<(Vec<u8>, usize)> {
    let header: &[u8; HEADER_LEN] = packet.first_chunk()?;
    let [traffic_class, flow, hop_limit] = [header[0] << 4 | header[1] >> 4, header[1] & 15, header[7]];
    let udp = (header[6] == UDP).then(|| packet.get(HEADER_LEN..HEADER_LEN + 8)).flatten();
    let flow_label = [flow, header[2], header[3]];
    // ECN and DSCP have changed places (section 3.1.1).
    let class = traffic_class.rotate_right(2);
    let (flow_mode, inline_flow): (u8, &[u8]) = match (traffic_class, flow_label) {
        (0, [0, 0, 0]) => (3, &[]),
        (_, [0, 0, 0]) => (2, &[class]),
        _ if class & 0x3f == 0 => (1, &[class | flow, header[2], header[3]]),
        _ => (0, &[class, flow, header[2], header[3]]),
    };
    let hops = match hop_limit {
        1 => 1,
        64 => 2,
        255 => 3,
        _ => 0,
    };
    let source = unicast(&header[8..24], ends.source, contexts);
    let destination = if header[24] == 0xff {
        multicast(&header[24..])
    } else {
        unicast(&header[24..], ends.destination, contexts)
    };
    let extension = source.context > 0 || destination.context > 0;
    let mut out = Vec::with_capacity(HEADER_LEN);
    out.push(DISPATCH << 5 | flow_mode << 3 | u8::from(udp.is_some()) << 2 | hops);
    out.push(
        u8::from(extension) << 7
            | u8::from(source.stateful) << 6
            | source.mode << 4
            | u8::from(destination.multicast) << 3
            | u8::from(destination.stateful) << 2
            | destination.mode,
    );
    if extension {
        out.push(source.context << 4 | destination.context);
    }
    out.extend_from_slice(inline_flow);
    if udp.is_none() {
        out.push(header[6]);
    }
    if hops == 0 {
        out.push(hop_limit);
    }
    out.extend_from_slice(&source.inline);
    out.extend_from_slice(&destination.inline);
    let Some(udp) = udp else { return Some((out, HEADER_LEN)) };
    compress_udp(udp, &mut out);
    Some((out, HEADER_LEN + 8))
}

/// How an address is written.
struct Compressed {
    stateful: bool,
    multicast: bool,
    context: u8,
    mode: u8,
    inline: Vec<u8>,
}

fn unicast(address: &[u8], end: Address, contexts: &Contexts) -> Compressed {
    let (prefix, host) = address.split_at(8);
    let context = contexts.number(prefix);
    let full =
        Compressed { stateful: false, multicast: false, context: 0, mode: 0, inline: address.to_vec() };
    if address.iter().all(|&byte| byte == 0) {
        // The unspecified address has a code of its own, for a source.
        return Compressed { stateful: true, inline: Vec::new(), ..full };
    }
    if prefix != LINK_LOCAL && context.is_none() {
        return full;
    }
    let (mode, inline) = if interface(end).as_ref().is_some_and(|interface| interface == host) {
        (3, &[][..])
    } else if host.starts_with(&[0, 0, 0, 0xff, 0xfe, 0]) {
        (2, &host[6..])
    } else {
        (1, host)
    };
    let stateful = prefix != LINK_LOCAL;
    let context = if stateful { context.unwrap_or(0) } else { 0 };
    Compressed { stateful, context, mode, inline: inline.to_vec(), ..full }
}

fn multicast(address: &[u8]) -> Compressed {
    let zero = |range: std::ops::Range<usize>| address[range].iter().all(|&byte| byte == 0);
    let (mode, inline) = if address[1] == 2 && zero(2..15) {
        (3, vec![address[15]])
    } else if zero(2..13) {
        (2, [&address[1..2], &address[13..]].concat())
    } else if zero(2..11) {
        (1, [&address[1..2], &address[11..]].concat())
    } else {
        (0, address.to_vec())
    };
    Compressed { stateful: false, multicast: true, context: 0, mode, inline }
}

/// Ports from 0xf0b0 to 0xf0bf take four bits, from 0xf000 to 0xf0ff eight
/// ([section 4.3](https://www.rfc-editor.org/rfc/rfc6282#section-4.3)). The checksum always goes along: CoAP needs
/// it, and nothing below it is allowed to leave it out.
fn compress_udp(udp: &[u8], out: &mut Vec<u8>) {
    let ports = [[udp[0], udp[1]], [udp[2], udp[3]]];
    let [source, destination] = ports;
    if ports.iter().all(|port| port[0] == 0xf0 && port[1] & 0xf0 == 0xb0) {
        out.extend_from_slice(&[0b1111_0011, source[1] << 4 | destination[1] & 15]);
    } else if destination[0] == 0xf0 {
        out.extend_from_slice(&[0b1111_0001, source[0], source[1], destination[1]]);
    } else if source[0] == 0xf0 {
        out.extend_from_slice(&[0b1111_0010, source[1], destination[0], destination[1]]);
    } else {
        out.push(0b1111_0000);
        out.extend_from_slice(&udp[..4]);
    }
    out.extend_from_slice(&udp[6..8]);
}

/// The headers of a packet, as they were before compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// The IPv6 header, and the UDP header if it was compressed; lengths are those of `payload`.
    pub bytes: Vec<u8>,
    /// How many compressed bytes they took.
    pub compressed: usize,
}

/// Restores the headers of a packet. `total` is the length of the whole packet if it is known otherwise (from a
/// fragment); without it, what follows the headers is all there is.
pub fn decompress(data: &[u8], ends: Ends, contexts: &Contexts, total: Option<usize>) -> Option<Headers> {
    let mut rest = data;
    let [first, second] = *rest.split_off_chunk()?;
    if first >> 5 != DISPATCH {
        return None;
    }
    let numbers = if second >> 7 == 1 { rest.split_off_chunk::<1>()?[0] } else { 0 };
    let (class, flow) = match first >> 3 & 3 {
        0 => {
            let [class, flow @ ..] = *rest.split_off_chunk::<4>()?;
            (class, flow)
        }
        1 => {
            let [class, high, low] = *rest.split_off_chunk()?;
            (class & 0xc0, [class & 15, high, low])
        }
        2 => (rest.split_off_chunk::<1>()?[0], [0; 3]),
        _ => (0, [0; 3]),
    };
    let class = class.rotate_left(2);
    let udp_follows = first >> 2 & 1 == 1;
    let next_header = if udp_follows { UDP } else { rest.split_off_chunk::<1>()?[0] };
    let hop_limit = match first & 3 {
        0 => rest.split_off_chunk::<1>()?[0],
        hops => [1, 64, 255][usize::from(hops) - 1],
    };
    let source_prefix = prefix(second >> 6 & 1 == 1, numbers >> 4, contexts);
    let source = match (second >> 6 & 1, second >> 4 & 3) {
        (1, 0) => [0; 16],
        (_, mode) => read_unicast(&mut rest, mode, source_prefix, ends.source)?,
    };
    let destination = if second >> 3 & 1 == 1 {
        if second >> 2 & 1 == 1 {
            return None;
        }
        read_multicast(&mut rest, second & 3)?
    } else {
        if second & 7 == 4 {
            return None;
        }
        read_unicast(
            &mut rest,
            second & 3,
            prefix(second >> 2 & 1 == 1, numbers & 15, contexts),
            ends.destination,
        )?
    };
    let mut bytes =
        vec![0x60 | class >> 4, class << 4 | flow[0] & 15, flow[1], flow[2], 0, 0, next_header, hop_limit];
    bytes.extend_from_slice(&source);
    bytes.extend_from_slice(&destination);
    let ports_and_sum = if udp_follows { Some(read_udp(&mut rest)?) } else { None };
    let headers = HEADER_LEN + if udp_follows { 8 } else { 0 };
    let length = total.unwrap_or(headers + rest.len()).checked_sub(HEADER_LEN)?;
    let length = u16::try_from(length).ok()?;
    bytes[4..6].copy_from_slice(&length.to_be_bytes());
    if let Some((ports, sum)) = ports_and_sum {
        bytes.extend_from_slice(&ports);
        bytes.extend_from_slice(&length.to_be_bytes());
        let sum = match sum {
            Some(sum) => sum,
            None if total.is_some() => return None,
            None => {
                let datagram = [&ports[..], &length.to_be_bytes(), &[0, 0], rest].concat();
                checksum(&source, &destination, UDP, &datagram).to_be_bytes()
            }
        };
        bytes.extend_from_slice(&sum);
    }
    Some(Headers { bytes, compressed: data.len() - rest.len() })
}

fn prefix(stateful: bool, number: u8, contexts: &Contexts) -> Option<[u8; 8]> {
    if stateful { contexts.prefix(number) } else { Some(LINK_LOCAL) }
}

fn read_unicast(rest: &mut &[u8], mode: u8, prefix: Option<[u8; 8]>, end: Address) -> Option<[u8; 16]> {
    if mode == 0 {
        return rest.split_off_chunk().copied();
    }
    let host = match mode {
        1 => *rest.split_off_chunk()?,
        2 => interface(Address::Short(u16::from_be_bytes(*rest.split_off_chunk()?)))?,
        _ => interface(end)?,
    };
    let mut address = [0; 16];
    address[..8].copy_from_slice(&prefix?);
    address[8..].copy_from_slice(&host);
    Some(address)
}

fn read_multicast(rest: &mut &[u8], mode: u8) -> Option<[u8; 16]> {
    let mut address = [0; 16];
    address[0] = 0xff;
    match mode {
        0 => return rest.split_off_chunk().copied(),
        1 => {
            let [flags, group @ ..] = *rest.split_off_chunk::<6>()?;
            address[1] = flags;
            address[11..].copy_from_slice(&group);
        }
        2 => {
            let [flags, group @ ..] = *rest.split_off_chunk::<4>()?;
            address[1] = flags;
            address[13..].copy_from_slice(&group);
        }
        _ => {
            address[1] = 2;
            address[15] = rest.split_off_chunk::<1>()?[0];
        }
    }
    Some(address)
}

/// Both ports, and the checksum unless it was left out.
fn read_udp(rest: &mut &[u8]) -> Option<([u8; 4], Option<[u8; 2]>)> {
    let [kind] = *rest.split_off_chunk()?;
    if kind >> 3 != 0b11110 {
        return None;
    }
    let ports = match kind & 3 {
        0 => *rest.split_off_chunk()?,
        1 => {
            let [high, low, destination] = *rest.split_off_chunk()?;
            [high, low, 0xf0, destination]
        }
        2 => {
            let [source, high, low] = *rest.split_off_chunk()?;
            [0xf0, source, high, low]
        }
        _ => {
            let [both] = *rest.split_off_chunk()?;
            [0xf0, 0xb0 | both >> 4, 0xf0, 0xb0 | both & 15]
        }
    };
    let sum = if kind >> 2 & 1 == 1 { None } else { Some(*rest.split_off_chunk()?) };
    Some((ports, sum))
}

#[cfg(test)]
mod tests;
