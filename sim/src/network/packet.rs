//! The few things that the layers below look at in an IPv6 packet.

use std::net::Ipv6Addr;

/// Length of an IPv6 header.
pub(crate) const HEADER_LEN: usize = 40;

/// The number of UDP among the headers that can follow.
pub(crate) const UDP: u8 = 17;

/// A whole IPv6 packet that holds this UDP datagram, with a hop limit of 64.
///
/// # Panics
/// If the payload is longer than 65,527 bytes.
pub fn udp_packet(from: (Ipv6Addr, u16), to: (Ipv6Addr, u16), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).expect("a payload that fits a datagram");
    let mut udp = Vec::with_capacity(usize::from(length));
    udp.extend_from_slice(&from.1.to_be_bytes());
    udp.extend_from_slice(&to.1.to_be_bytes());
    udp.extend_from_slice(&length.to_be_bytes());
    udp.extend_from_slice(&[0, 0]);
    udp.extend_from_slice(payload);
    let sum = checksum(&from.0.octets(), &to.0.octets(), UDP, &udp);
    // RFC 8200 section 8.1: a sum of zero is sent as its other form.
    let sum = if sum == 0 { 0xffff } else { sum };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    packet(from.0, to.0, UDP, 64, &udp)
}

/// A whole IPv6 packet around a payload.
pub(crate) fn packet(
    from: Ipv6Addr,
    to: Ipv6Addr,
    next_header: u8,
    hop_limit: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEADER_LEN + payload.len());
    packet.extend_from_slice(&[0x60, 0, 0, 0]);
    packet.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    packet.extend_from_slice(&[next_header, hop_limit]);
    packet.extend_from_slice(&from.octets());
    packet.extend_from_slice(&to.octets());
    packet.extend_from_slice(payload);
    packet
}

/// Where a packet goes, if it is an IPv6 packet of the length it claims.
pub(crate) fn destination(packet: &[u8]) -> Option<&[u8]> {
    let length = packet.get(4..6).map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])))?;
    (packet[0] >> 4 == 6 && packet.len() == HEADER_LEN + length).then(|| &packet[24..40])
}

/// The checksum of an upper-layer packet with its pseudo-header
/// ([RFC 8200 section 8.1](https://www.rfc-editor.org/rfc/rfc8200#section-8.1)); zero for one that is right.
pub(crate) fn checksum(from: &[u8], to: &[u8], next_header: u8, payload: &[u8]) -> u16 {
    let mut sum = payload.len() as u32 + u32::from(next_header);
    for part in [from, to, payload] {
        let mut words = part.chunks_exact(2);
        sum += words.by_ref().map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum::<u32>();
        sum += words.remainder().first().map_or(0, |&last| u32::from(last) << 8);
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
