use std::net::Ipv6Addr;

use super::*;
use crate::mac::eui64;
use crate::network::{NodeId, udp_packet};

fn contexts() -> Contexts {
    Contexts::new(&[[0xfd, 0, 0, 0, 0, 0, 0, 1], [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0]])
}

fn ends() -> Ends {
    Ends { source: Address::Extended(eui64(NodeId(1))), destination: Address::Short(0x1234) }
}

fn round(packet: &[u8]) -> usize {
    let (mut compressed, covered) = compress(packet, ends(), &contexts()).unwrap();
    let length = compressed.len();
    compressed.extend_from_slice(&packet[covered..]);
    let mut headers = decompress(&compressed, ends(), &contexts(), None).unwrap();
    assert_eq!(headers.compressed, length);
    headers.bytes.extend_from_slice(&compressed[length..]);
    assert_eq!(headers.bytes, packet);
    let first = decompress(&compressed[..length], ends(), &contexts(), Some(packet.len())).unwrap();
    assert_eq!(first.bytes, packet[..covered], "a first fragment knows the whole length");
    length
}

#[test]
fn headers_shrink_to_what_cannot_be_known() {
    let from: Ipv6Addr = "fe80::5e:d6ff:fe00:1".parse().unwrap();
    let to: Ipv6Addr = "fe80::ff:fe00:1234".parse().unwrap();
    // Two bytes of IPHC; a UDP header of 7, 5, 5 and 4 bytes.
    for (ports, length) in
        [((5683, 5684), 9), ((0xf012, 5683), 8), ((5683, 0xf012), 8), ((0xf0b1, 0xf0bf), 6)]
    {
        assert_eq!(round(&udp_packet((from, ports.0), (to, ports.1), b"payload")), length, "{ports:?}");
    }
}

#[test]
fn every_kind_of_address_comes_back() {
    let addresses: Vec<Ipv6Addr> = [
        "fe80::5e:d6ff:fe00:1",
        "fe80::ff:fe00:1234",
        "fe80::ff:fe00:77",
        "fe80::1:2:3:4",
        "fd00::1:5e:d6ff:fe00:1",
        "fd00::1:0:ff:fe00:1234",
        "2001:db8::ff:fe00:9",
        "2001:db8::dead:beef:1:2",
        "2001:db9::1",
        "::1",
    ]
    .map(|address| address.parse().unwrap())
    .to_vec();
    let groups = ["ff02::1", "ff02::1a", "ff05::1:3", "ff0e::1:2:3", "ff35:40:fd00::1:2"]
        .map(|group| group.parse().unwrap());
    for &from in &addresses {
        for &to in addresses.iter().chain(&groups) {
            round(&udp_packet((from, 1), (to, 2), b"x"));
        }
        round(&udp_packet((Ipv6Addr::UNSPECIFIED, 1), (from, 2), b"x"));
    }
}

#[test]
fn traffic_class_flow_label_and_hop_limit_come_back() {
    let [from, to] = ["fe80::1:2:3:4", "2001:db8::1"].map(|address| address.parse().unwrap());
    let plain = udp_packet((from, 1), (to, 2), b"x");
    for class in [0_u8, 1, 2, 4, 0xb8, 0xff] {
        for flow in [0_u32, 1, 0xf_ffff] {
            for hops in [1, 2, 64, 255] {
                let mut packet = plain.clone();
                let word = 6 << 28 | u32::from(class) << 20 | flow;
                packet[..4].copy_from_slice(&word.to_be_bytes());
                packet[7] = hops;
                round(&packet);
                // Another header than UDP's goes along whole.
                packet[6] = 58;
                round(&packet);
            }
        }
    }
}

/// [RFC 6282 section 4.3](https://www.rfc-editor.org/rfc/rfc6282#section-4.3): a checksum that was left out is
/// worked out again.
#[test]
fn a_missing_checksum_is_worked_out() {
    let [from, to] = ["fe80::5e:d6ff:fe00:1", "fe80::ff:fe00:1234"].map(|address| address.parse().unwrap());
    let packet = udp_packet((from, 0xf0b1), (to, 0xf0b2), b"hello");
    let (mut compressed, covered) = compress(&packet, ends(), &contexts()).unwrap();
    compressed[2] |= 4;
    compressed.truncate(compressed.len() - 2);
    compressed.extend_from_slice(&packet[covered..]);
    let headers = decompress(&compressed, ends(), &contexts(), None).unwrap();
    assert_eq!(headers.bytes, packet[..covered]);
}

#[test]
fn what_is_cut_short_is_refused() {
    let [from, to] = ["2001:db9::1", "2001:db8::1:2:3:4"].map(|address| address.parse().unwrap());
    let packet = udp_packet((from, 0xf0b1), (to, 0xf0b2), b"");
    let (compressed, _) = compress(&packet, ends(), &contexts()).unwrap();
    for end in 0..compressed.len() {
        assert_eq!(decompress(&compressed[..end], ends(), &contexts(), None), None, "cut at {end}");
    }
}
