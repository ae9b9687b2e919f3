//! Their clients and Sedge's DTLS server.

use std::time::Duration;

use sedge_dtls::{CipherSuite, ConnectionId};
use sedge_tests::dtls::{Connection, Identity, Listener};

use crate::peer::{KEY, Kind, NAME, Peer, SOON, available};

const CID: [u8; 8] = [0xc0, 1, 2, 3, 4, 5, 6, 7];

fn identity() -> Identity {
    Identity { cid: ConnectionId::new(&CID), ..Identity::new(NAME, &KEY) }
}

fn accept(kind: Kind, options: &[&str], identity: Identity) -> Option<(Connection, Peer)> {
    available(&format!("interop::dtls_server {kind:?}"), kind)?;
    let listener = Listener::new(identity);
    let mut client = Peer::client(kind, listener.address(), options);
    let mut connection =
        listener.accept(SOON).unwrap_or_else(|why| panic!("{kind:?}: {why}\n{}", client.process().printed()));
    for round in 0..3 {
        let up = format!("up {round}\n");
        client.send(up.as_bytes());
        assert_eq!(connection.receive(SOON).as_deref(), Some(up.as_bytes()), "{kind:?}");
        let down = format!("down {round}\n");
        connection.send(down.as_bytes());
        client.expect(down.as_bytes());
    }
    Some((connection, client))
}

const CCM_8: CipherSuite = CipherSuite::TLS_PSK_WITH_AES_128_CCM_8;
const CCM: CipherSuite = CipherSuite::TLS_PSK_WITH_AES_128_CCM;

#[test]
fn openssl() {
    for (suite, name) in [(CCM_8, "PSK-AES128-CCM8"), (CCM, "PSK-AES128-CCM")] {
        let Some((mut connection, mut client)) = accept(Kind::OpenSsl, &["-cipher", name], identity()) else {
            return;
        };
        assert_eq!(connection.session.suite(), suite);
        client.close();
        assert!(connection.is_closed(SOON), "its close_notify is understood");
    }
}

#[test]
fn openssl_asks_for_renegotiation_in_vain() {
    let Some((mut connection, mut client)) = accept(Kind::OpenSsl, &[], identity()) else { return };
    // A line that starts with R has s_client start a handshake inside the connection.
    client.process().send_line("R");
    assert_eq!(connection.receive(Duration::from_secs(1)), None);
    assert!(connection.renegotiations > 0, "the engine saw it and refused");
    assert_eq!(connection.session.suite(), CCM_8);
}

#[test]
fn gnutls() {
    let Some((mut connection, mut client)) = accept(Kind::GnuTls, &[], identity()) else { return };
    assert!(client.process().printed().contains("extended master secret"));
    client.close();
    assert!(connection.is_closed(SOON), "its close_notify is understood");
}

#[test]
fn mbedtls_keeps_its_connection_through_a_new_port() {
    let Some((mut connection, mut client)) = accept(Kind::MbedTls, &["--cid", "0a"], identity()) else {
        return;
    };
    assert!(client.process().printed().contains("cid=c001020304050607"));
    assert_eq!(connection.session.peer_cid().as_bytes(), [0x0a]);
    let before = connection.remote;
    client.rebind();
    client.send(b"elsewhere");
    assert_eq!(connection.receive(SOON).as_deref(), Some(&b"elsewhere"[..]));
    assert_ne!(connection.remote, before, "the session has followed");
    connection.send(b"found you");
    client.expect(b"found you");
    connection.close();
    client.closed();
}

#[test]
fn mbedtls_with_and_without_connection_ids_and_suites() {
    for options in [
        &["--suite", "TLS_PSK_WITH_AES_128_CCM_8"][..],
        &["--cid", "0a", "--suite", "TLS_PSK_WITH_AES_128_CCM"],
        &["--suite", "TLS_PSK_WITH_AES_128_CCM"],
        &["--cid", ""],
    ] {
        let Some((connection, _client)) = accept(Kind::MbedTls, options, identity()) else { return };
        assert_eq!(connection.session.own_cid().is_empty(), !options.contains(&"--cid"));
        let long_tag = options.contains(&"TLS_PSK_WITH_AES_128_CCM");
        assert_eq!(
            connection.session.suite() == CCM,
            long_tag,
            "{options:?} {:?}",
            connection.session.suite()
        );
    }
}

#[test]
fn mbedtls_fragments_its_flights() {
    // Not the first: a ClientHello in fragments would need memory before the cookie, and is not served.
    let Some((_connection, _client)) = accept(Kind::MbedTls, &["--mtu", "200"], identity()) else { return };
}

#[test]
fn dimpl() {
    let Some((mut connection, mut client)) = accept(Kind::Dimpl, &[], identity()) else { return };
    client.close();
    assert!(connection.is_closed(SOON), "its close_notify is understood");
}

#[test]
fn webrtc() {
    for name in ["TLS_PSK_WITH_AES_128_CCM_8", "TLS_PSK_WITH_AES_128_CCM"] {
        let Some((mut connection, mut client)) = accept(Kind::Webrtc, &["--suite", name], identity()) else {
            return;
        };
        client.close();
        assert!(connection.is_closed(SOON), "its close_notify is understood");
    }
}
