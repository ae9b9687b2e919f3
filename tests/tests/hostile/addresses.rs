//! Connection IDs and addresses: a session moves with its peer and with nobody else.

use std::time::Duration;

use sedge_coap::{Code, Type};
use sedge_tests::device::{message, path};
use sedge_tests::dtls::{SOON, receive, socket_towards};

use crate::records::cid_record;
use crate::scene::{QUIET, Scene};

/// A sealed GET whose answer shows where the broker believes the victim to be.
fn sealed_get(victim: &mut sedge_tests::device::Device, id: u16) -> Vec<u8> {
    let get = message(Type::Non, Code::GET, id, &id.to_be_bytes(), &path("d/t/own"), &[]);
    victim.connection().seal(&get)
}

#[test]
fn a_session_follows_its_newest_record_only() {
    let mut scene = Scene::new();
    let mut victim = scene.victim();
    let server = scene.broker.secure();
    let (old, new) = (sealed_get(&mut victim, 100), sealed_get(&mut victim, 101));
    let (home, away) = (socket_towards(server), socket_towards(server));

    // The newer record from a new port moves the session there.
    let moved = scene.counted("endpoint.sessions_moved", 1, |_| {
        away.send_to(&new, server).expect("sent");
        assert!(receive(&away, SOON).is_some(), "the answer comes to where the request came from");
    });
    assert_eq!(moved, 1);

    // The older one, held back on the way and let go from a third port, is answered where the peer is, and
    // moves nothing.
    home.send_to(&old, server).expect("sent");
    assert!(receive(&away, SOON).is_some(), "the answer goes to where the session is");
    assert!(receive(&home, QUIET).is_none());
    assert_eq!(scene.broker.counter("endpoint.sessions_moved"), 1);

    // The same record again is a replay wherever it comes from.
    scene.counted("dtls.discarded.replayed", 2, |_| {
        home.send_to(&new, server).expect("sent");
        home.send_to(&old, server).expect("sent");
    });
    assert!(receive(&home, QUIET).is_none());
    // Where it went, it is asked whether it is there, and does not say.
    while receive(&away, QUIET).is_some() {}
    assert_eq!(scene.broker.counter("endpoint.sessions_moved"), 1);

    // The peer itself comes home.
    scene.still_works(&mut victim);
    assert_eq!(scene.broker.counter("endpoint.sessions_moved"), 2);
    assert_eq!(scene.broker.counter("endpoint.handshakes_completed"), 3, "no new handshake for all that");
}

#[test]
fn guessed_connection_ids_reach_nobody() {
    let mut scene = Scene::new();
    let mut victim = scene.victim();
    let server = scene.broker.secure();
    let cid = victim.connection().session.peer_cid().as_bytes().to_vec();
    let stranger = socket_towards(server);
    let received = scene.broker.counter("net.datagrams_received");
    for bit in 0..cid.len() * 8 {
        let mut guess = cid.clone();
        guess[bit / 8] ^= 1 << (bit % 8);
        stranger.send_to(&cid_record(&guess, 1, 5, &[0x5a; 40]), server).expect("sent");
    }
    // The right one with a wrong tag is dropped as such.
    scene.counted("dtls.discarded.bad_tag", 1, |_| {
        stranger.send_to(&cid_record(&cid, 1, 5, &[0x5a; 40]), server).expect("sent");
    });
    scene.broker.expect_counter("net.datagrams_received", received + cid.len() as u64 * 8 + 1);
    assert!(receive(&stranger, QUIET).is_none());
    assert_eq!(scene.broker.counter("endpoint.sessions_moved"), 0);
    scene.still_works(&mut victim);
}

#[test]
fn a_session_without_connection_id_does_not_move() {
    let mut scene = Scene::new();
    let mut identity = scene.identity.clone();
    identity.cid = None;
    let mut victim = sedge_tests::device::Device::connect(scene.broker.secure(), &identity);
    let request = sealed_get(&mut victim, 100);
    let elsewhere = socket_towards(scene.broker.secure());
    scene.counted("endpoint.unknown_peer", 1, |scene| {
        elsewhere.send_to(&request, scene.broker.secure()).expect("sent");
    });
    assert!(receive(&elsewhere, QUIET).is_none());
    scene.still_works(&mut victim);
}

#[test]
fn a_session_moves_over_shards() {
    let mut scene = Scene::with(sedge_tests::broker::TestBroker::with(|config| config.shards = 2));
    let mut victim = scene.victim();
    for _ in 0..16 {
        // The kernel spreads sources over shards: about half of these ports are the other shard's.
        victim.connection().rebind();
        scene.still_works(&mut victim);
    }
    assert!(scene.broker.counter("shard.handed_over") > 0);
    assert_eq!(scene.broker.counter("endpoint.sessions_moved"), 16);
    assert_eq!(victim.connection().receive(Duration::from_millis(50)), None);
}
