//! What an independent eye makes of Sedge's traffic: tshark dissects and decrypts it without a complaint.

use std::path::Path;
use std::process::Command;

use sedge_coap::Code;
use sedge_dtls::ConnectionId;
use sedge_tests::broker::TestBroker;
use sedge_tests::device::Device;
use sedge_tests::dtls::Datagram;
use sedge_tests::pcap::Capture;
use sedge_tests::{need, peers};

fn write_capture(path: &Path, datagrams: &[Datagram]) {
    let mut capture = Capture::create(path).expect("a file");
    for datagram in datagrams {
        capture.add(datagram.sent, &datagram.bytes).expect("written");
    }
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
