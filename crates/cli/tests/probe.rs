//! What a probe finds out about servers that others wrote.
#![allow(missing_docs, reason = "a test crate has no readers but this file's")]

mod support;

use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};
use support::Desk;

/// A server, which is killed when this is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Starts a server of this name with these words, if there is one; where everything must run there has to be one.
fn start(desk: &Desk, test: &str, program: &str, words: &str) -> Option<Server> {
    let mut command = Command::new(program);
    command.args(words.split_whitespace()).current_dir(&desk.folder);
    let quiet = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    match quiet.spawn() {
        Ok(child) => Some(Server(child)),
        Err(error) => {
            let why =
                format!("{test} needs the command `{program}` ({error}): `tests/interop/setup` fetches it");
            assert!(std::env::var_os("CI").is_none(), "{why}");
            eprintln!("{why}");
            None
        }
    }
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What a probe says of DTLS 1.2 at this port, as soon as somebody listens there.
fn probe(desk: &Desk, port: u16) -> Json {
    let uri = format!("coaps://127.0.0.1:{port}");
    for _ in 0..50 {
        let outcome = desk.run(&["probe", &uri, "--json", "--timeout", "2"]);
        if outcome.status != Some(1) {
            let found: Json = serde_json::from_str(&outcome.stdout).unwrap();
            assert_eq!(found["dtls_1_3"], Json::Null, "{found}");
            return found["dtls_1_2"].clone();
        }
        assert!(outcome.stderr.contains("nothing listens"), "{outcome:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("nobody listens at {uri}")
}

fn names(found: &Json) -> Vec<&str> {
    found["suites"].as_array().unwrap().iter().map(|suite| suite["name"].as_str().unwrap()).collect()
}

/// `localhost.pem` and its key.
fn with_certificate() -> Desk {
    let desk = Desk::new();
    desk.ok(&["ca", "init", "ca", "--no-passphrase"]);
    desk.ok(&["ca", "issue", "ca", "localhost", "--server"]);
    desk
}

/// It serves one client after the other, asks everybody for a cookie as DTLS 1.2 does, and sends fragments.
#[test]
fn openssl_is_probed() {
    let (desk, port) = (with_certificate(), free_port());
    let words = format!(
        "s_server -dtls1_2 -mtu 300 -accept 127.0.0.1:{port} -cert localhost.pem -key localhost.key.pem"
    );
    let Some(_server) = start(&desk, "openssl_is_probed", "openssl", &words) else { return };
    let found = probe(&desk, port);
    assert_eq!(names(&found), ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"], "{found}");
    assert_eq!(found["groups"], json!(["secp256r1", "x25519"]), "{found}");
    assert_eq!(found["shows"][0]["kind"], "certificate", "{found}");
    assert_eq!((&found["cookie"], &found["tickets"]), (&json!(true), &json!(true)), "{found}");
    assert!(found["resumption"]["sent"].is_u64(), "{found}");
    assert_eq!((&found["record_size_limit"], &found["connection_id"]), (&json!(false), &json!(false)));
    assert_eq!((&found["asks_for_certificate"], &found["admits_anonymous"]), (&json!(false), &json!(true)));
}

#[test]
fn gnutls_is_probed() {
    let (desk, port) = (with_certificate(), free_port());
    let words = format!(
        "--udp --port {port} --x509certfile localhost.pem --x509keyfile localhost.key.pem --echo --require-client-cert"
    );
    let Some(_server) = start(&desk, "gnutls_is_probed", "gnutls-serv", &words) else { return };
    let found = probe(&desk, port);
    let suites = ["TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"];
    assert_eq!(names(&found), suites, "{found}");
    assert_eq!(found["groups"], json!(["secp256r1", "x25519"]), "{found}");
    assert_eq!((&found["cookie"], &found["record_size_limit"]), (&json!(true), &json!(true)), "{found}");
    assert_eq!(found["asks_for_certificate"], true, "{found}");
}
