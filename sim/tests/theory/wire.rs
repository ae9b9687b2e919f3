//! The frames on the air beside two implementations that are not ours: smoltcp's wire formats, and tshark.

use std::io::Write;
use std::net::Ipv6Addr;
use std::process::Command;
use std::rc::Rc;

use sedge_crypto::Secret;
use sedge_sim::adaptation::Forwarding;
use sedge_sim::mac::{Addressing, LinkSecurity, Mac, SecurityLevel, eui64, fcs};
use sedge_sim::network::{Event, Medium, Network, NodeId, PacketId, Role, udp_packet};
use sedge_sim::routing::Routing;
use sedge_sim::theory::access::star;
use sedge_time::{Duration, Instant};
use smoltcp::wire::{
    Ieee802154Address, Ieee802154Frame, Ieee802154FrameType, SixlowpanFragPacket, SixlowpanIphcPacket,
    SixlowpanIphcRepr, SixlowpanUdpNhcPacket, SixlowpanUdpNhcRepr,
};

const KEY: [u8; 16] = *b"0123456789abcdef";

/// All frames of a packet with this payload, between two nodes (and those of a poll, if the receiver sleeps).
fn frames(mac: Mac, payload: usize, ports: (u16, u16), sleepy: bool) -> (Vec<Rc<[u8]>>, Vec<u8>) {
    let mut config = star(2, mac);
    if sleepy {
        config.nodes[1].role = Role::Sleepy { poll: Duration::from_secs(1) };
    }
    let mut network = Network::new(config, 1).unwrap();
    let ends = [(NodeId(0), ports.0), (NodeId(1), ports.1)].map(|(node, port)| (network.address(node), port));
    let packet = udp_packet(ends[0], ends[1], &(0..payload).map(|byte| byte as u8).collect::<Vec<_>>());
    network.send(Instant::EPOCH, NodeId(0), PacketId(1), packet.clone());
    let mut frames = Vec::new();
    while let Some(now) = network.deadline().filter(|&now| now < Instant::from_micros(2_500_000)) {
        network.advance(now, &mut |trace| {
            if let Event::Sent { bytes, .. } = &trace.event {
                frames.push(bytes.clone());
            }
        });
    }
    assert_eq!(network.poll().map(|arrived| arrived.packet), Some(packet.clone()));
    (frames, packet)
}

fn mac(addressing: Addressing, level: Option<SecurityLevel>) -> Mac {
    let security = level.map(|level| LinkSecurity { key: Secret::new(KEY), index: 1, level });
    Mac { addressing, security, ..Mac::default() }
}

/// The headers of smoltcp's own making are those of ours, to the bit.
#[test]
fn smoltcp_reads_our_frames_and_writes_the_same_headers() {
    for addressing in [Addressing::Short, Addressing::Extended] {
        // Of ports that are shortened on the receiver's side smoltcp 0.14 reads the wrong bits; tshark reads them below.
        for ports in [(5683, 49_152), (0xf012, 5684)] {
            let (frames, packet) = frames(mac(addressing, None), 40, ports, false);
            assert_eq!(frames.len(), 2, "a frame and its acknowledgement");
            let (bytes, check) = frames[0].split_last_chunk::<2>().unwrap();
            assert_eq!(u16::from_le_bytes(*check), fcs(bytes));
            let frame = Ieee802154Frame::new_checked(bytes).unwrap();
            assert_eq!(frame.frame_type(), Ieee802154FrameType::Data);
            assert!(frame.ack_request() && frame.pan_id_compression());
            let ends = (frame.src_addr(), frame.dst_addr());
            let payload = frame.payload().unwrap();

            let prefix = smoltcp::wire::SixlowpanAddressContext(packet[8..16].try_into().unwrap());
            // smoltcp finds no context without the byte that numbers it, which RFC 6282 leaves out for number 0.
            let payload = [&[payload[0], payload[1] | 0x80, 0], &payload[2..]].concat();
            let iphc = SixlowpanIphcPacket::new_checked(&payload[..]).unwrap();
            let ip = SixlowpanIphcRepr::parse(&iphc, ends.0, ends.1, &[prefix]).unwrap();
            assert_eq!(ip.src_addr.octets()[..], packet[8..24]);
            assert_eq!(ip.dst_addr.octets()[..], packet[24..40]);
            assert_eq!(ip.hop_limit, 64);
            let udp = SixlowpanUdpNhcPacket::new_checked(iphc.payload()).unwrap();
            let nhc =
                SixlowpanUdpNhcRepr::parse(&udp, &ip.src_addr, &ip.dst_addr, &Default::default()).unwrap();
            assert_eq!((nhc.src_port, nhc.dst_port), ports);
            assert_eq!(udp.payload(), &packet[48..]);

            let mut written = vec![0; nhc.header_len() + 40];
            let mut out = SixlowpanUdpNhcPacket::new_unchecked(&mut written[..]);
            nhc.emit(
                &mut out,
                &ip.src_addr,
                &ip.dst_addr,
                40,
                |out| out.copy_from_slice(&packet[48..]),
                &Default::default(),
            );
            assert_eq!(written, iphc.payload(), "the UDP header, checksum included");
        }
    }
}

/// smoltcp writes no contexts; of link-local addresses it makes the same two bytes as ours.
#[test]
fn smoltcp_compresses_link_local_addresses_to_the_same_bytes() {
    use sedge_sim::adaptation::iphc::{Contexts, Ends, compress};
    use sedge_sim::mac::Address;
    let ends = [NodeId(1), NodeId(0x1234)].map(eui64);
    let link_local = |mut eui64: [u8; 8]| {
        eui64[0] ^= 2;
        let mut address = [0; 16];
        address[..2].copy_from_slice(&[0xfe, 0x80]);
        address[8..].copy_from_slice(&eui64);
        Ipv6Addr::from(address)
    };
    let elsewhere: Ipv6Addr = "fe80::1:2:3:4".parse().unwrap();
    for [from, to] in
        [ends.map(link_local), [elsewhere, link_local(ends[1])], [link_local(ends[0]), elsewhere]]
    {
        for hop_limit in [1, 37, 64, 255] {
            let mut packet = udp_packet((from, 1), (to, 2), b"x");
            packet[7] = hop_limit;
            let known = Ends { source: Address::Extended(ends[0]), destination: Address::Extended(ends[1]) };
            let (ours, _) = compress(&packet, known, &Contexts::default()).unwrap();
            let theirs = SixlowpanIphcRepr {
                src_addr: from,
                ll_src_addr: Some(Ieee802154Address::Extended(ends[0])),
                dst_addr: to,
                ll_dst_addr: Some(Ieee802154Address::Extended(ends[1])),
                next_header: smoltcp::wire::SixlowpanNextHeader::Compressed,
                hop_limit,
                ecn: None,
                dscp: None,
                flow_label: None,
            };
            let mut bytes = vec![0; theirs.buffer_len()];
            theirs.emit(&mut SixlowpanIphcPacket::new_unchecked(&mut bytes));
            assert_eq!(ours[..bytes.len()], bytes, "{from} {to} {hop_limit}");
        }
    }
}

#[test]
fn smoltcp_reads_our_fragments() {
    let (frames, packet) = frames(mac(Addressing::Short, None), 300, (5683, 49_152), false);
    let (mut fragments, mut end) = (0, 0);
    for frame in frames.iter().filter(|frame| frame.len() > 5) {
        let frame = Ieee802154Frame::new_checked(&frame[..frame.len() - 2]).unwrap();
        let fragment = SixlowpanFragPacket::new_checked(frame.payload().unwrap()).unwrap();
        assert_eq!(usize::from(fragment.datagram_size()), packet.len());
        let offset = 8 * usize::from(fragment.datagram_offset());
        if fragments > 0 {
            assert_eq!(offset, if fragments == 1 { offset } else { end });
            assert_eq!(fragment.payload(), &packet[offset..offset + fragment.payload().len()]);
            end = offset + fragment.payload().len();
        }
        fragments += 1;
    }
    assert_eq!((fragments, end), (3, packet.len()));
}

/// tshark decrypts, puts together and dissects everything: no frame is malformed, and the payload comes out.
#[test]
fn tshark_finds_nothing_wrong() {
    let levels =
        [None, Some(SecurityLevel::EncMic32), Some(SecurityLevel::EncMic64), Some(SecurityLevel::Mic32)];
    for addressing in [Addressing::Short, Addressing::Extended] {
        for level in levels {
            let (frames, _) = frames(mac(addressing, level), 200, (40_000, 40_001), true);
            let capture = std::env::temp_dir()
                .join(format!("sedge-{}-{addressing:?}-{level:?}.pcap", std::process::id()));
            write_pcap(&capture, &frames);
            let output = Command::new("tshark")
                .args(["-r", capture.to_str().unwrap(), "-V"])
                .args(["-o", &format!("6lowpan.context0:{}", "fd5e:d6e0:0:1::/64")])
                .args(["-o", "wpan.802154_sec_suite:AES-128 Encryption, 32-bit Integrity Protection"])
                .args(["-o", "wpan.fcs_format:ITU-T CRC-16"])
                .args(preferences())
                .output()
                .expect("tshark");
            std::fs::remove_file(&capture).unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            for bad in ["Malformed", "Bad FCS", "Expert Info (Error", "MIC check failed", "Decryption failed"]
            {
                assert!(!text.contains(bad), "{addressing:?} {level:?}: {bad}\n{text}\n{errors}");
            }
            assert!(text.contains("Command Identifier: Data Request"), "{text}\n{errors}");
            assert!(
                text.contains("[Checksum Status: Good]")
                    || text.contains("User Datagram Protocol, Src Port: 40000, Dst Port: 40001"),
                "{addressing:?} {level:?}\n{text}\n{errors}"
            );
        }
    }
}

/// Fragments that are recovered, and what is said of them, through a router: tshark sees in them what was meant. (After an
/// acknowledgement of the right length tshark 4.0 looks on into nothing and calls it malformed.)
#[test]
fn tshark_reads_fragments_that_are_recovered() {
    let parents = vec![None, Some(NodeId(0)), Some(NodeId(1))];
    let mut config = star(3, mac(Addressing::Short, None));
    let Medium::Ieee802154(medium) = &mut config.medium else { unreachable!("a star of radios") };
    medium.adaptation.forwarding = Forwarding::Recover;
    medium.routing = Routing::Static(parents);
    let mut network = Network::new(config, 1).unwrap();
    let ends = [NodeId(2), NodeId(0)].map(|node| (network.address(node), 40_000));
    network.send(Instant::EPOCH, NodeId(2), PacketId(1), udp_packet(ends[0], ends[1], &[0x55; 300]));
    let mut frames = Vec::new();
    while let Some(now) = network.deadline().filter(|&now| now < Instant::from_micros(2_500_000)) {
        network.advance(now, &mut |trace| {
            if let Event::Sent { bytes, acknowledgement: false, .. } = &trace.event {
                frames.push(bytes.clone());
            }
        });
    }
    assert!(network.poll().is_some());
    let capture = std::env::temp_dir().join(format!("sedge-{}-recovered.pcap", std::process::id()));
    write_pcap(&capture, &frames);
    let fields = ["tag", "sequence", "size", "datagram_size", "offset", "ack_requested", "ack_bitmask"];
    let output = Command::new("tshark")
        .args(["-r", capture.to_str().unwrap(), "-o", "wpan.fcs_format:ITU-T CRC-16", "-T", "fields"])
        .args(fields.iter().flat_map(|field| ["-e".to_owned(), format!("6lowpan.rfrag.{field}")]))
        .args(["-e", "_ws.malformed", "-e", "wpan.src16"])
        .output()
        .expect("tshark");
    std::fs::remove_file(&capture).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert!(rows.iter().all(|row| row[7].is_empty() || !row[6].is_empty()), "{text}");
    let (mut first, mut later, mut whole) = (Vec::new(), 0, 0);
    for row in &rows {
        match (row[1], row[6]) {
            ("0", _) => first.push((row[8], row[3].parse::<u16>().unwrap(), row[2].parse::<u16>().unwrap())),
            ("", bitmap) => {
                whole += u32::from(u32::from_str_radix(bitmap.trim_start_matches("0x"), 16) == Ok(u32::MAX))
            }
            _ => later += 1,
        }
    }
    // From the sender, and on from the router, whose headers say one thing more: the way of the hop limit and of the sender.
    let [(sender, size, length), (router, onward, longer)] = first[..] else { panic!("{text}") };
    assert_eq!((sender, router), ("0x0003", "0x0002"), "{text}");
    assert!(onward > size && onward - size == longer - length, "{text}");
    assert_eq!((later, whole), (4, 2), "two more over two links, and one answer for all: {text}");
}

/// The key, and the long addresses that belong to the short ones: nonces are made of them.
fn preferences() -> Vec<String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut tables = vec![format!("uat:ieee802154_keys:\"{}\",\"1\",\"No hash\"", hex(&KEY))];
    for node in [NodeId(0), NodeId(1)] {
        let eui64 = hex(&eui64(node));
        tables.push(format!("uat:802154_addresses:\"{:04x}\",\"5ed6\",{eui64}", node.0 + 1));
    }
    tables.into_iter().flat_map(|table| ["-o".to_owned(), table]).collect()
}

/// A capture with the link type of IEEE 802.15.4 with its check sequence (195).
fn write_pcap(path: &std::path::Path, frames: &[Rc<[u8]>]) {
    let mut file = std::fs::File::create(path).unwrap();
    let mut words =
        |words: &[u32]| words.iter().for_each(|word| file.write_all(&word.to_le_bytes()).unwrap());
    words(&[0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65_535, 195]);
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    for (number, frame) in frames.iter().enumerate() {
        let length = frame.len() as u32;
        for word in [number as u32, 0, length, length] {
            file.write_all(&word.to_le_bytes()).unwrap();
        }
        file.write_all(frame).unwrap();
    }
}
