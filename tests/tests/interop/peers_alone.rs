//! The peers with each other: if this fails, the others' failures say nothing about Sedge.

use crate::peer::{Kind, Peer, available};

fn meet(client: Kind, server: Kind) {
    let test = format!("interop::peers_alone {client:?} and {server:?}");
    let (Some(()), Some(())) = (available(&test, client), available(&test, server)) else { return };
    let (mut listening, address) = Peer::server(server, &[]);
    let mut dialling = Peer::client(client, address, &[]);
    dialling.connected();
    dialling.send(b"up\n");
    listening.expect(b"up\n");
    listening.send(b"down\n");
    dialling.expect(b"down\n");
}

#[test]
fn openssl_and_mbedtls() {
    meet(Kind::OpenSsl, Kind::MbedTls);
    meet(Kind::MbedTls, Kind::OpenSsl);
}

#[test]
fn gnutls_and_dimpl() {
    meet(Kind::GnuTls, Kind::Dimpl);
}

#[test]
fn webrtc_and_mbedtls() {
    meet(Kind::Webrtc, Kind::MbedTls);
    meet(Kind::MbedTls, Kind::Webrtc);
}
