//! Their CoAP clients and Sedge's broker.

use std::path::Path;
use std::process::Command;

use sedge_coap::Code;
use sedge_tests::broker::TestBroker;
use sedge_tests::device::Device;
use sedge_tests::process::Running;
use sedge_tests::{need, peers};

use crate::peer::SOON;

/// A key that programs can take as text.
const KEY: &str = "0123456789abcdef";
const NAME: &str = "boiler";

/// A broker that knows the device, and where it is.
fn broker() -> (TestBroker, String) {
    let broker = TestBroker::with(|config| {
        config.listen.insecure_coap = vec![([127, 0, 0, 1], 0).into()];
        config.insecure.publish = vec!["open/#".to_owned()];
        config.insecure.subscribe = vec!["open/#".to_owned()];
    });
    let _known = broker.enrol_with_key(NAME, KEY.as_bytes(), &["site/#"], &["site/#"]);
    let base = format!("coaps://{}/d", broker.secure());
    (broker, base)
}

/// One of libcoap's clients; `secure` ones with the device's key.
fn coap_client(program: &str, secure: bool, words: &[&str]) -> Running {
    let mut command = Command::new(program);
    if secure {
        command.args(["-u", NAME, "-k", KEY]);
    }
    Running::start(command.args(["-w", "-B", "5"]).args(words))
}

/// Runs a client to its end and returns what it printed.
fn output(mut client: Running) -> String {
    assert!(client.finish(SOON).success(), "{}", client.printed());
    client.printed()
}

/// PUT, GET, observe, large values both ways and a refusal.
fn libcoap(program: &str, secure: bool, base: &str, broker: &TestBroker) {
    let call = |words: &[&str]| output(coap_client(program, secure, words));
    let uri = format!("{base}/temp");
    assert_eq!(call(&["-m", "put", "-t", "0", "-e", "21.5", &uri]).trim(), "");
    assert_eq!(call(&["-m", "get", &uri]).trim(), "21.5");

    let mut observer = coap_client(program, secure, &["-m", "get", "-s", "3", &uri]);
    observer.expect("21.5", SOON);
    for value in ["22.0", "22.5", "23.0"] {
        call(&["-m", "put", "-t", "0", "-e", value, &uri]);
        observer.expect(value, SOON);
    }
    assert!(observer.finish(SOON).success());
    assert!(broker.counter("observe.subscribed") >= 1);

    // A value of several blocks, up and down again.
    let file = broker.folder().join("large");
    let large: String = (0..3_000).map(|at| char::from(b'a' + (at % 26) as u8)).collect();
    std::fs::write(&file, &large).expect("written");
    let uri = format!("{base}/large");
    let path = file.to_str().expect("a path in UTF-8");
    call(&["-m", "put", "-t", "0", "-b", "256", "-f", path, &uri]);
    assert_eq!(call(&["-m", "get", "-b", "128", &uri]).trim(), large);
    assert_eq!(call(&["-m", "get", &uri]).trim(), large);

    // What is refused is refused with its code: whoever has shown neither a credential nor a token may do so (RFC 9200).
    let refused = if secure { "4.03" } else { "4.01" };
    let elsewhere = base.replace("/site", "/other").replace("/open", "/other");
    assert!(call(&["-m", "put", "-t", "0", "-e", "1", &format!("{elsewhere}/x")]).contains(refused));
    assert!(call(&["-m", "get", &format!("{base}/nothing/here")]).contains("4.04"));
}

#[test]
fn libcoap_over_openssl() {
    let Some(_) = need::or_say_why("interop::broker libcoap", peers::program("coap-client-openssl")) else {
        return;
    };
    let (broker, base) = broker();
    libcoap("coap-client-openssl", true, &format!("{base}/site/o"), &broker);
}

#[test]
fn libcoap_over_gnutls() {
    let Some(_) = need::or_say_why("interop::broker libcoap", peers::program("coap-client-gnutls")) else {
        return;
    };
    let (broker, base) = broker();
    libcoap("coap-client-gnutls", true, &format!("{base}/site/g"), &broker);
}

#[test]
fn libcoap_without_security() {
    let Some(_) = need::or_say_why("interop::broker libcoap", peers::program("coap-client-notls")) else {
        return;
    };
    let (broker, _) = broker();
    let base = format!("coap://{}/d/open/n", broker.insecure());
    libcoap("coap-client-notls", false, &base, &broker);
}

#[test]
fn libcoap_finds_topics_and_creates_one() {
    let Some(_) = need::or_say_why("interop::broker libcoap", peers::program("coap-client-notls")) else {
        return;
    };
    let (broker, _) = broker();
    let base = format!("coap://{}", broker.insecure());
    let mut device = Device::plain(broker.insecure());
    assert_eq!(device.publish("open/found", "1"), Code::CREATED);
    let call = |words: &[&str]| output(coap_client("coap-client-notls", false, words));
    let core = call(&["-m", "get", &format!("{base}/.well-known/core")]);
    assert!(core.contains("rt=\"core.ps.coll\"") || core.contains("rt=core.ps.coll"), "{core}");
    let topics = call(&["-m", "get", &format!("{base}/ps")]);
    assert!(topics.contains("</ps/"), "{topics}");
}

fn aiocoap(words: &[&str]) -> Running {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/peers/aiocoap_peer.py");
    Running::start(Command::new(&peers::find().expect("built").python).arg(script).arg("client").args(words))
}

/// PUT, GET, observe and large values both ways.
fn aiocoap_talks(base: &str, credentials: &[&str]) {
    let call = |words: &[&str]| output(aiocoap(&[words, credentials].concat()));
    let uri = format!("{base}/temp");
    assert_eq!(call(&["put", &uri, "--payload", "21.5"]).trim(), "2.01");
    assert_eq!(call(&["get", &uri]).trim(), "2.05 21.5");
    let mut observer = aiocoap(&[&["observe", &uri, "--count", "3"][..], credentials].concat());
    observer.expect("2.05 21.5", SOON);
    for value in ["22.0", "22.5"] {
        assert_eq!(call(&["put", &uri, "--payload", value]).trim(), "2.04");
        observer.expect(&format!("2.05 {value}"), SOON);
    }
    assert!(observer.finish(SOON).success(), "{}", observer.printed());
    let uri = format!("{base}/large");
    assert!(call(&["put", &uri, "--size", "5000"]).starts_with("2.01"));
    assert_eq!(call(&["get", &uri, "--size", "5000"]).trim(), "2.05 5000 right");
}

#[test]
fn aiocoap_without_security() {
    let Some(_) = need::or_say_why("interop::broker aiocoap", peers::find()) else { return };
    let (broker, _) = broker();
    aiocoap_talks(&format!("coap://{}/d/open/a", broker.insecure()), &[]);
}

#[test]
fn aiocoap_over_dtls() {
    let Some(_) = need::or_say_why("interop::broker aiocoap", peers::find()) else { return };
    let (_broker, base) = broker();
    aiocoap_talks(&format!("{base}/site/a"), &["--identity", NAME, "--key", KEY]);
}
