//! Sedge's DTLS client and their servers.

use sedge_dtls::{CipherSuite, ConnectionId, Retransmission};
use sedge_tests::dtls::{Connection, Identity};

use crate::peer::{KEY, Kind, NAME, Peer, SOON, available};

fn connect(kind: Kind, options: &[&str], identity: &Identity) -> Option<(Connection, Peer)> {
    available(&format!("interop::dtls_client {kind:?}"), kind)?;
    let (mut server, address) = Peer::server(kind, options);
    let mut connection = Connection::connect(address, identity)
        .unwrap_or_else(|failure| panic!("{kind:?}: {failure}\n{}", server.process().printed()));
    // Data flows both ways, more than once. GnuTLS's server sends back what it gets.
    for round in 0..3 {
        let up = format!("up {round}\n");
        connection.send(up.as_bytes());
        if kind == Kind::GnuTls {
            assert_eq!(connection.receive(SOON).as_deref(), Some(up.as_bytes()));
            continue;
        }
        server.expect(up.as_bytes());
        let down = format!("down {round}\n");
        server.send(down.as_bytes());
        assert_eq!(connection.receive(SOON).as_deref(), Some(down.as_bytes()), "{kind:?}");
    }
    Some((connection, server))
}

fn identity() -> Identity {
    Identity::new(NAME, &KEY)
}

fn with_suite(suite: CipherSuite) -> Identity {
    Identity { suites: vec![suite], ..identity() }
}

const CCM_8: CipherSuite = CipherSuite::TLS_PSK_WITH_AES_128_CCM_8;
const CCM: CipherSuite = CipherSuite::TLS_PSK_WITH_AES_128_CCM;

#[test]
fn openssl() {
    for (suite, name) in [(CCM_8, "PSK-AES128-CCM8"), (CCM, "PSK-AES128-CCM")] {
        let Some((connection, mut server)) = connect(Kind::OpenSsl, &["-cipher", name], &with_suite(suite))
        else {
            return;
        };
        assert_eq!(connection.session.suite(), suite);
        connection.close();
        server.closed();
    }
}

#[test]
fn gnutls() {
    for suite in [CCM_8, CCM] {
        let Some((connection, _server)) = connect(Kind::GnuTls, &[], &with_suite(suite)) else { return };
        assert_eq!(connection.session.suite(), suite);
        connection.close();
    }
}

#[test]
fn mbedtls_with_connection_ids_both_ways() {
    let own = ConnectionId::new(&[0xaa, 0xbb, 0xcc]).expect("three bytes");
    let identity = Identity { cid: Some(own), ..identity() };
    let Some((mut connection, mut server)) =
        connect(Kind::MbedTls, &["--cid", "0102030405060708"], &identity)
    else {
        return;
    };
    assert_eq!(connection.session.peer_cid().as_bytes(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(server.process().printed().contains("cid=aabbcc"));

    // Its server follows a record with its Connection ID to wherever that came from.
    connection.rebind();
    connection.send(b"elsewhere");
    let port = connection.socket.local_addr().expect("an address").port();
    assert_eq!(server.moved(), port);
    server.expect(b"elsewhere");
    server.send(b"found you");
    assert_eq!(connection.receive(SOON).as_deref(), Some(&b"found you"[..]));
    connection.close();
    server.closed();
}

#[test]
fn mbedtls_with_an_empty_connection_id_in_one_direction() {
    let Some((connection, mut server)) = connect(Kind::MbedTls, &["--cid", "0b"], &identity()) else {
        return;
    };
    assert_eq!(connection.session.peer_cid().as_bytes(), [0x0b]);
    assert!(connection.session.own_cid().is_empty());
    server.close();
    let mut connection = connection;
    assert!(connection.is_closed(SOON), "its close_notify is understood");
}

#[test]
fn mbedtls_without_connection_ids() {
    for (options, cid) in [(&[][..], Some(ConnectionId::EMPTY)), (&["--cid", "0b"], None)] {
        let identity = Identity { cid, ..identity() };
        let Some((connection, _server)) = connect(Kind::MbedTls, options, &identity) else { return };
        assert!(connection.session.peer_cid().is_empty() && connection.session.own_cid().is_empty());
    }
}

#[test]
fn mbedtls_with_a_small_mtu_fragments_its_flights() {
    let Some((_, _)) = connect(Kind::MbedTls, &["--mtu", "100", "--cid", "0b"], &identity()) else { return };
}

#[test]
fn dimpl() {
    let Some((connection, mut server)) = connect(Kind::Dimpl, &[], &identity()) else { return };
    assert_eq!(connection.session.suite(), CCM_8);
    connection.close();
    server.closed();
}

#[test]
fn webrtc() {
    for (suite, name) in [(CCM_8, "TLS_PSK_WITH_AES_128_CCM_8"), (CCM, "TLS_PSK_WITH_AES_128_CCM")] {
        let Some((connection, mut server)) = connect(Kind::Webrtc, &["--suite", name], &with_suite(suite))
        else {
            return;
        };
        connection.close();
        server.closed();
    }
}

#[test]
fn a_wrong_key_or_identity_is_refused_by_every_server() {
    for kind in Kind::ALL {
        let Some(()) = available("interop::dtls_client wrong key", kind) else { return };
        for wrong in [Identity::new(NAME, b"not the key......"), Identity::new("nobody", &KEY)] {
            let (_server, address) = Peer::server(kind, &[]);
            let mut wrong = wrong;
            wrong.suites = vec![CCM_8];
            wrong.transport.retransmission = Retransmission {
                initial: sedge_time::Duration::from_millis(100),
                attempts: 3,
                ..Retransmission::default()
            };
            // OpenSSL's test server only grumbles about an identity that it does not expect.
            let expected = kind == Kind::OpenSsl && wrong.key == KEY;
            let outcome = Connection::connect(address, &wrong);
            assert_eq!(outcome.is_ok(), expected, "{kind:?} {wrong:?}");
        }
    }
}
