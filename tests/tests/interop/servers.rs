//! Sedge's client and their CoAP servers.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sedge_client::tokio::{Address, Client, config, connect_to};
use sedge_client::{Code, ContentFormat, Psk, Request, Security, Target};
use sedge_tests::process::Running;
use sedge_tests::{need, peers};

use crate::peer::{SOON, free_port};

const KEY: &str = "0123456789abcdef";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .expect("a runtime")
        .block_on(async { tokio::time::timeout(SOON * 2, future).await.expect("in time") })
}

async fn connect(uri: &str) -> Client {
    let address = Address::parse(uri).expect("an address");
    let security = match address.secure {
        true => Security::Psk { identity: b"boiler", key: Psk::new(KEY.as_bytes()).expect("a key") },
        false => Security::DangerousNone,
    };
    // The server may need a moment to listen.
    for _ in 0..50 {
        if let Ok(client) = connect_to(&address, security.clone(), config()).await {
            return client;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{uri} cannot be reached")
}

/// libcoap's example server; with DTLS it listens on the next port too.
fn coap_server(program: &str) -> Option<(Running, u16)> {
    need::or_say_why("interop::servers libcoap", peers::program(program))?;
    let port = free_port().port() & !1;
    let mut command = Command::new(program);
    command.args(["-A", "127.0.0.1", "-p", &port.to_string(), "-d", "10", "-k", KEY, "-h", "hint"]);
    Some((Running::start(&mut command), port))
}

async fn talk_to_libcoap(uri: &str) {
    let mut client = connect(uri).await;
    let mut buffer = vec![0; 8_192];
    let answer = client.request(&Request::get("/"), &mut buffer).await.expect("an answer");
    assert_eq!(answer.code, Code::CONTENT);
    assert!(String::from_utf8_lossy(answer.payload).contains("libcoap"));

    // Up and down again in blocks.
    let large: Vec<u8> = (0..3_000_u32).map(|at| (at % 251) as u8).collect();
    let put = Request {
        content_format: Some(ContentFormat::OCTET_STREAM),
        payload: &large,
        ..Request::new(Code::PUT, Target::Path("/large"))
    };
    let answer = client.request(&put, &mut buffer).await.expect("an answer");
    assert!(matches!(answer.code, Code::CREATED | Code::CHANGED), "{:?}", answer.code);
    let answer = client.request(&Request::get("/large"), &mut buffer).await.expect("an answer");
    assert_eq!((answer.code, answer.payload), (Code::CONTENT, &large[..]));
    client.close().await;
}

#[test]
fn libcoap_over_openssl() {
    let Some((_server, port)) = coap_server("coap-server-openssl") else { return };
    block_on(talk_to_libcoap(&format!("coaps://127.0.0.1:{}", port + 1)));
}

#[test]
fn libcoap_over_gnutls() {
    let Some((_server, port)) = coap_server("coap-server-gnutls") else { return };
    block_on(talk_to_libcoap(&format!("coaps://127.0.0.1:{}", port + 1)));
}

#[test]
fn libcoap_without_security() {
    let Some((_server, port)) = coap_server("coap-server-notls") else { return };
    block_on(talk_to_libcoap(&format!("coap://127.0.0.1:{port}")));
}

#[test]
fn aiocoap_without_security() {
    let Some(peers) = need::or_say_why("interop::servers aiocoap", peers::find()) else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/peers/aiocoap_peer.py");
    let port = free_port().port();
    let mut server = Command::new(&peers.python);
    let mut server = Running::start(server.arg(script).args(["server", "127.0.0.1", &port.to_string()]));
    server.expect("listening", SOON);
    block_on(async {
        let mut client = connect(&format!("coap://127.0.0.1:{port}")).await;
        let mut buffer = vec![0; 8_192];
        let answer = client.request(&Request::get("/hello"), &mut buffer).await.expect("an answer");
        assert_eq!((answer.code, answer.payload), (Code::CONTENT, &b"hello from aiocoap"[..]));
        let pattern: Vec<u8> = (0..6_000_u32).map(|at| (at % 251) as u8).collect();
        let answer = client.request(&Request::get("/large"), &mut buffer).await.expect("an answer");
        assert!((answer.code, answer.payload) == (Code::CONTENT, &pattern[..]), "{:?}", answer.code);
        for (path, length, echoed) in [("/echo", 900, 900), ("/count", 6_000, 4)] {
            let put = Request { payload: &pattern[..length], ..Request::new(Code::PUT, Target::Path(path)) };
            let answer = client.request(&put, &mut buffer).await.expect("an answer");
            assert_eq!((answer.code, answer.payload.len()), (Code::CHANGED, echoed));
        }
        let answer = client.request(&Request::get("/nowhere"), &mut buffer).await.expect("an answer");
        assert_eq!(answer.code, Code::NOT_FOUND);
    });
}
