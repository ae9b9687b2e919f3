//! What an independent eye makes of Sedge's traffic: tshark dissects and decrypts it without a complaint.

use std::path::Path;
use std::process::Command;

use sedge_coap::Code;
use sedge_dtls::ConnectionId;
use sedge_tests::broker::TestBroker;
use sedge_tests::device::Device;
use sedge_tests::dtls::Datagram;
use sedge_tests::{need, peers};

/// A capture file (pcap, raw IPv4) of datagrams between a client and port 5684.
fn write_capture(path: &Path, datagrams: &[Datagram]) {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    for half in [2_u16, 4] {
        file.extend(half.to_le_bytes());
    }
    for word in [0_u32, 0, 65_535, 101] {
        file.extend(word.to_le_bytes());
    }
    for (number, datagram) in datagrams.iter().enumerate() {
        let udp_length = u16::try_from(8 + datagram.bytes.len()).expect("a datagram");
        let mut packet = vec![0x45, 0];
        packet.extend((20 + udp_length).to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
        let (client, server) = (([10, 0, 0, 1], 40_000_u16), ([10, 0, 0, 2], 5_684_u16));
        let (from, to) = if datagram.sent { (client, server) } else { (server, client) };
        packet.extend(from.0);
        packet.extend(to.0);
        packet.extend(from.1.to_be_bytes());
        packet.extend(to.1.to_be_bytes());
        packet.extend(udp_length.to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(&datagram.bytes);
        let length = u32::try_from(packet.len()).expect("a packet");
        let time = u32::try_from(number).expect("a few");
        for word in [time, 0, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    std::fs::write(path, file).expect("written");
}

fn tshark(capture: &Path, key: &[u8], words: &[&str]) -> String {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let output = Command::new("tshark")
        .args(["-n", "-o", &format!("dtls.psk:{key}"), "-r"])
        .arg(capture)
        .args(words)
        .output()
        .expect("tshark runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn tshark_understands_all_of_it() {
    let Some(_) = need::or_say_why("interop::capture", peers::program("tshark")) else { return };
    let broker = TestBroker::start();
    let known = broker.enrol("boiler", &["t/#"], &["t/#"]);
    for cid in [None, Some(ConnectionId::EMPTY), ConnectionId::new(&[0xa1, 0xa2])] {
        let mut identity = known.clone();
        identity.cid = cid;
        let mut device = Device::connect(broker.secure(), &identity);
        assert!(device.publish("t/a", "21.5").is_success());
        assert_eq!(device.observe("t/a", b"eye").code(), Code::CONTENT);
        assert_eq!(device.publish("t/a", "22.5"), Code::CHANGED);
        assert_eq!(device.notification(b"eye").text(), "22.5");
        assert_eq!(device.publish("elsewhere", "1"), Code::FORBIDDEN);
        assert!(device.receive(std::time::Duration::from_millis(50)).is_none());
        let log = device.connection().log.clone();
        let capture = broker.folder().join("capture.pcap");
        write_capture(&capture, &log);

        let complaints =
            tshark(&capture, &identity.key, &["-Y", "_ws.malformed || _ws.expert.severity >= 0x600000"]);
        assert_eq!(complaints, "", "{cid:?}");
        let frames = tshark(&capture, &identity.key, &["-Y", "dtls", "-T", "fields", "-e", "frame.number"]);
        assert_eq!(frames.lines().count(), log.len(), "every datagram is DTLS");
        // CoAP inside, once decrypted: 0.03 PUT, 0.01 GET, 2.05, and the refusal.
        let codes = tshark(&capture, &identity.key, &["-Y", "coap", "-T", "fields", "-e", "coap.code"]);
        for code in ["1", "3", "69", "131"] {
            assert!(codes.split([',', '\n']).any(|seen| seen == code), "{cid:?}: no {code} among {codes:?}");
        }
    }
}
