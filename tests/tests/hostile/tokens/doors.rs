//! Tokens as identities in handshakes: whatever is wrong with one, it looks like a name that nobody has.

use sedge_dtls::{Psk, Versions};
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
        let mut expected = None;
        for (what, name) in &names {
            let mut party = Party::new(public(&new_key()), public(&new_key())).patient(1);
            party.versions = versions;
            party.psk = Some((name.clone(), Psk::new(&[0x77; 16]).expect("a key")));
            let log = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
            let seen = log.clone();
            let gate = Gate::new(server, move |direction, _, datagram| {
                if direction == Direction::Down {
                    seen.lock().expect("one thread").push((datagram[0], datagram.len()));
                }
                vec![datagram]
            });
            let outcome = party.connect(gate.address()).map(|_| ());
            drop(gate);
            let shape = (outcome, log.lock().expect("one thread").clone());
            assert!(shape.0.is_err(), "{what}");
            assert_eq!(&shape, expected.get_or_insert_with(|| shape.clone()), "{what} {versions:?}");
        }
    }
    // The one that was good is held, which is what a token is for.
    assert_eq!(hall.counted()["held"], 2);
    hall.scene.still_works(&mut hall.victim);
    assert_eq!(hall.guest.notification(super::WATCH).text(), hall.scene.published.to_string());
}
