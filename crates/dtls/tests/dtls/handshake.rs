//! Handshakes between this crate's client and server over a link without faults.
#![allow(unreachable_pub, reason = "one name for a helper, wherever it is used")]

use crate::support::*;
use sedge_crypto::RustCrypto;
use sedge_dtls::*;

pub fn exchange_data(world: &mut World) {
    for (from_client, text) in [(true, &b"21.5"[..]), (false, b"thanks"), (true, b"22.0")] {
        let session = if from_client { world.client.session() } else { world.server.session() };
        let mut buf = [0; 256];
        let at = session.headroom();
        buf[at..at + text.len()].copy_from_slice(text);
        let len = session.seal(&RustCrypto, ContentType::APPLICATION_DATA, &mut buf, text.len()).unwrap();
        assert_eq!(len, text.len() + session.overhead());
        let direction = if from_client { Direction::ToServer } else { Direction::ToClient };
        world.send(direction, buf[..len].to_vec());
        world.run();
        assert_eq!(world.received.pop().unwrap(), (direction, text.to_vec()));
    }
}

#[test]
fn a_client_and_a_server_agree() {
    let mut world = World::established(Setup::default());
    assert_eq!(world.discards, []);
    assert_eq!(world.principal, Some(PRINCIPAL));
    assert_eq!(world.trace.len(), 6, "one datagram for every flight");
    assert_eq!(world.client.session().peer_cid(), &world.setup.server_cid);
    assert_eq!(world.server.session().own_cid(), &world.setup.server_cid);
    exchange_data(&mut world);
}

/// What a server keeps per session, and what either side keeps for as long as a handshake lasts.
#[test]
fn states_are_small() {
    assert!(size_of::<Session>() <= 160, "{}", size_of::<Session>());
    assert!(size_of::<ServerHandshake<RustCrypto>>() <= 896, "{}", size_of::<ServerHandshake<RustCrypto>>());
    assert!(size_of::<ClientHandshake<RustCrypto>>() <= 1536, "{}", size_of::<ClientHandshake<RustCrypto>>());
}
