//! Tokens as identities in handshakes: whatever is wrong with one, it looks like a name that nobody has.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sedge_dtls::{Failure, Psk, Versions};
use sedge_tests::gate::{Gate, Way as Direction};
use sedge_tests::issuer::{Form, symmetric_cnf};

use super::{ELSEWHERE, Hall, KEY, another, guest};
use crate::party::Party;
use crate::site::{new_key, public, unix_now};

#[test]
fn every_bad_token_looks_like_a_name_that_nobody_has() {
    let mut hall = Hall::new();
    let (keys, elsewhere) = (hall.keys(), hall.issuer.keys(ELSEWHERE));
    let carried = another().with(8, symmetric_cnf(b"another-1", Some(&KEY)));
    let make =
        |claims: &sedge_tests::issuer::ClaimSet| hall.issuer.token(Form::Encrypted, &keys, &claims.encode());
    let good = make(&carried);
    let mut forged = good.clone();
    *forged.last_mut().expect("it is there") ^= 1;
    let over = make(&carried.clone().with(4, vec![0x00]));
    let mut unknown = keys.clone();
    unknown.id = [9; 8];
    let unknown = hall.issuer.token(Form::Encrypted, &unknown, &carried.encode());
    let theirs = hall.issuer.token(Form::Encrypted, &elsewhere, &carried.encode());
    let claimless = make(&carried.clone().without(9));
    let stolen = make(
        &guest()
            .with(2, b"\x65thief".to_vec())
            .with(4, sedge_tests::issuer::encoded(|encoder| encoder.unsigned(unix_now() + 60))),
    );
    let nobody = vec![0x61; good.len()];
    let kid = b"\xa1\x08\xa1\x01\xa2\x01\x04\x02\x47another".to_vec();
    let names = [
        ("nobody", nobody),
        ("a good one, without its key", good),
        ("a forged one", forged),
        ("one that is over", over),
        ("one under an unknown key", unknown),
        ("another's", theirs),
        ("one that permits nothing", claimless),
        ("one for the guest's key", stolen),
        ("the name of a key that nobody has", kid),
    ];
    let server = hall.scene.broker.secure();
    for versions in [Versions::ONLY_1_2, Versions::ONLY_1_3] {
        let shapes = std::thread::scope(|scope| {
            let knocking =
                names.each_ref().map(|(_, name)| scope.spawn(move || knock(server, versions, name)));
            knocking.map(|knocking| knocking.join().expect("it ends"))
        });
        let (outcome, datagrams) = &shapes[0];
        assert!(outcome.is_err() && !datagrams.is_empty(), "{:?}", shapes[0]);
        for ((what, _), shape) in names.iter().zip(&shapes) {
            assert_eq!(shape, &shapes[0], "{what} {versions:?}");
        }
    }
    // The one that was good is held, which is what a token is for.
    assert_eq!(hall.counted()["held"], 2);
    hall.scene.still_works(&mut hall.victim);
    assert_eq!(hall.guest.notification(super::WATCH).text(), hall.scene.published.to_string());
}

/// How a handshake fails with this name and a key that is nobody's, and what datagrams come back, however often.
fn knock(
    server: SocketAddr,
    versions: Versions,
    name: &[u8],
) -> (Result<(), Failure>, BTreeSet<(u8, usize)>) {
    let mut party = Party::new(public(&new_key()), public(&new_key())).patient(3);
    party.versions = versions;
    party.psk = Some((name.to_vec(), Psk::new(&[0x77; 16]).expect("a key")));
    let log = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = log.clone();
    let gate = Gate::new(server, move |direction, _, datagram| {
        if direction == Direction::Down {
            let _new = seen.lock().expect("one thread").insert((datagram[0], datagram.len()));
        }
        vec![datagram]
    });
    let outcome = party.connect(gate.address()).map(|_| ());
    drop(gate);
    let seen = log.lock().expect("one thread").clone();
    (outcome, seen)
}
