//! Everything that a stranger can send, and everything that a man in the middle can change.

use sedge_crypto::{Crypto, NamedGroup, subject_public_key_info};
use sedge_dtls::*;
use sedge_time::Duration;

use crate::handshake::{Case, ECDHE_ECDSA, Way};
use crate::party::Party;
use crate::support::{Direction, TestRng, Watched};
use crate::world::{Side, World};

const RAW: CertificateType = CertificateType::RawPublicKey;

fn mutual() -> Case {
    Case { suite: ECDHE_ECDSA[0], way: Way::Certificates(RAW, Some(RAW)) }
}

/// A record of epoch 0.
fn record(content_type: u8, content: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99];
    record.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    record.extend(content);
    record
}

/// A whole handshake message in a record of epoch 0.
fn message(kind: u8, message_seq: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    record(22, &[&[kind], &length[1..], &[0, message_seq, 0, 0, 0], &length[1..], body].concat())
}

fn share(group: NamedGroup) -> Vec<u8> {
    let key = Watched.ephemeral_key(group, &mut TestRng(3)).unwrap();
    let share = Watched.key_share(&key);
    [&[share.as_bytes().len() as u8], share.as_bytes()].concat()
}

/// What somebody who knows the protocol, but no key, would send to either side: hellos, and every other message under
/// every number that a flight has.
fn forged() -> Vec<Vec<u8>> {
    let stranger = Watched.signing_key(&sedge_crypto::Secret::new([0x77; 32])).unwrap();
    let key = subject_public_key_info(&Watched.public_key(&stranger));
    let own = Party::new(Role::Server).showing(RAW).raw_public_key.unwrap();
    let signature = Watched.sign(&stranger, &[7; 32], &mut TestRng(4)).unwrap();
    let mut der = [0; 72];
    let signature = signature.write_der(&mut der);
    let signed = [&[4, 3, 0, signature.len() as u8], signature].concat();
    let vec24 = |content: &[u8]| [&[0, 0, content.len() as u8], content].concat();
    let params = |group: u8, share: &[u8]| [&[3, 0, group], share].concat();
    let p256 = share(NamedGroup::Secp256r1);
    let mut off_curve = p256.clone();
    off_curve[65] ^= 1;
    let bodies: Vec<(u8, Vec<u8>)> = vec![
        // Certificates: a stranger's, the server's own, none, junk.
        (11, vec24(&key)),
        (11, vec24(&own)),
        (11, vec24(&[])),
        (11, vec![0; 40]),
        (11, vec24(&vec24(&key))),
        // ServerKeyExchange: signed by a stranger, by another algorithm, in another group, off the curve, unsigned.
        (12, [params(23, &p256), signed.clone()].concat()),
        (12, [params(23, &p256), [&[4, 1], &signed[2..]].concat()].concat()),
        (12, [params(29, &share(NamedGroup::X25519)), signed.clone()].concat()),
        (12, [params(24, &p256), signed.clone()].concat()),
        (12, [params(23, &off_curve), signed.clone()].concat()),
        (12, params(23, &p256)),
        (12, [&[0, 0][..], &params(23, &p256)].concat()),
        (12, [&[0, 0][..], &params(23, &off_curve)].concat()),
        (12, vec![]),
        // CertificateRequest, ServerHelloDone, NewSessionTicket.
        (13, vec![1, 64, 0, 2, 4, 3, 0, 0]),
        (13, vec![1, 1, 0, 2, 4, 1, 0, 0]),
        (14, vec![]),
        (14, vec![0]),
        (4, vec![0, 0, 0, 9, 0, 3, 1, 2, 3]),
        // ClientKeyExchange: in this group or another, off the curve, with an identity.
        (16, p256.clone()),
        (16, share(NamedGroup::X25519)),
        (16, off_curve.clone()),
        (16, vec![0]),
        (16, [&[0, 8][..], b"sensor-7", &p256].concat()),
        (16, [&[0, 8][..], b"sensor-7"].concat()),
        // CertificateVerify by a stranger, and no signature at all.
        (15, signed.clone()),
        (15, [&[4, 3, 0, 2], &[0x30, 0][..]].concat()),
        (15, vec![]),
        // Finished in the clear, and what no side expects.
        (20, vec![0; 12]),
        (0, vec![]),
        (22, vec![1, 2, 3]),
    ];
    let numbers = 0..=6;
    let server_hello = |suite: u16, extensions: &[u8]| {
        let length = u16::try_from(extensions.len()).unwrap().to_be_bytes();
        let body =
            [&[0xfe, 0xfd][..], &[0xaa; 32], &[0], &suite.to_be_bytes(), &[0], &length, extensions].concat();
        message(2, 1, &body)
    };
    let master = &[0, 23, 0, 0][..];
    let raw = &[0, 19, 0, 1, 2, 0, 20, 0, 1, 2][..];
    let mut hellos = vec![
        server_hello(0xc0ae, &[master, raw].concat()),
        server_hello(0xc0ae, master),
        server_hello(0xc0ae, &[master, &[0, 20, 0, 1, 7]].concat()),
        server_hello(0xc0ae, raw),
        server_hello(0xd003, master),
        server_hello(0xc02b, &[master, raw].concat()),
        message(3, 0, &[0xfe, 0xff, 4, 1, 2, 3, 4]),
    ];
    hellos.extend(numbers.flat_map(|seq| bodies.iter().map(move |(kind, body)| message(*kind, seq, body))));
    hellos
}

/// A handshake that has `forged` slipped in, in both directions, before the `at`-th genuine datagram.
fn with_forged(case: Case, at: usize, forged: &[Vec<u8>]) -> World {
    let mut world = case.world();
    for _ in 0..at {
        world.transmit();
        world.step();
    }
    world.transmit();
    for datagram in forged {
        world.deliver(Direction::ToServer, datagram);
        world.deliver(Direction::ToClient, datagram);
    }
    world.run();
    world.assert_established();
    world
}

#[test]
fn no_forged_message_ends_a_handshake() {
    for at in 0..7 {
        for datagram in forged() {
            let _ = with_forged(mutual(), at, &[datagram]);
        }
    }
}

/// All of them at once, out of order too: more than anyone would compute for strangers.
#[test]
fn a_flood_of_forged_messages_is_bounded_and_ends_no_handshake() {
    for case in Case::shapes() {
        for at in 0..7 {
            let mut flood = forged();
            flood.extend(forged().into_iter().rev());
            let world = with_forged(case, at, &flood);
            // Once a second and a few times for each turn of the timer.
            assert!(world.server_party.verified + world.client_party.verified <= 40);
        }
    }
}

/// What strangers make a server compute is bounded, counted, and renewed with the timer.
#[test]
fn key_agreements_and_verifications_for_strangers_are_bounded() {
    let mut world = mutual().world();
    for _ in 0..3 {
        world.transmit();
        world.step();
    }
    assert!(matches!(world.server, Side::Handshaking(_)));
    let stranger = Watched.signing_key(&sedge_crypto::Secret::new([0x77; 32])).unwrap();
    for round in 0..200u8 {
        let mut key = subject_public_key_info(&Watched.public_key(&stranger));
        key[90] = round;
        world.deliver(Direction::ToServer, &message(11, 2, &[&[0, 0, 91], &key[..]].concat()));
    }
    assert!(world.server_party.verified <= 6, "{}", world.server_party.verified);
    let refused = |world: &World| {
        world.discards.iter().filter(|(_, discard)| *discard == Discard::TooManyAttempts).count()
    };
    assert!(refused(&world) >= 194);
    world.run();
    world.assert_established();
}

/// Every byte of every datagram changed by one bit, in every shape: the handshake comes to its end with the right keys
/// or not at all.
#[test]
fn whatever_byte_is_changed_nobody_completes_with_wrong_keys() {
    let mut completed = 0;
    for case in [mutual(), Case::shapes()[0]] {
        let lengths: Vec<usize> = {
            let mut world = case.world();
            world.run();
            world.trace.iter().map(|(_, datagram)| datagram.len()).collect()
        };
        for (place, len) in lengths.into_iter().enumerate() {
            for at in 0..len {
                let mut world = case.world();
                world.tamper = Box::new(move |index, _, datagram| {
                    if index == place
                        && let Some(byte) = datagram.get_mut(at)
                    {
                        *byte ^= 1 << (at % 8);
                    }
                });
                world.run();
                // A client that is told the truth in the end gets there; who was kept from it gives up.
                assert_eq!(world.client.is_established(), world.server.is_established(), "{place}: {at}");
                if world.client.is_established() {
                    world.assert_established();
                    completed += 1;
                }
            }
        }
    }
    println!("{completed} handshakes came to their end all the same");
    assert!(completed > 1_500, "{completed}");
}

/// The same for good: whoever changes every copy of a byte keeps the two apart, and never brings them together under
/// different ideas of what was said.
#[test]
fn whatever_byte_is_changed_every_time_nobody_completes_with_wrong_keys() {
    let case = mutual();
    let hello_len = {
        let mut world = case.world();
        world.run();
        world.trace[3].1.len()
    };
    for at in (13..hello_len).step_by(3) {
        let mut world = case.world();
        world.tamper = Box::new(move |_, direction, datagram| {
            // The server's long flight.
            if direction == Direction::ToClient && datagram.len() > 200 {
                datagram[at.min(199)] ^= 0x20;
            }
        });
        world.run_for(Duration::from_secs(20));
        assert!(!world.server.is_established() || world.client.is_established(), "{at}");
        if world.client.is_established() {
            world.assert_established();
        }
    }
}

/// Junk of every length and fragments that contradict each other, into every state.
#[test]
fn fragments_that_contradict_each_other_end_nothing() {
    let mut junk = Vec::new();
    for (kind, length, offset, len) in [
        (11, 94, 0, 50),
        (11, 94, 40, 54),
        (11, 93, 0, 50),
        (12, 141, 0, 20),
        (12, 141, 100, 41),
        (12, 0xff_ffff, 0, 10),
        (16, 66, 0, 4),
        (16, 66, 65, 1),
        (15, 75, 0, 75),
        (11, 4_097, 0, 10),
    ] {
        for seq in 1..=4 {
            let length = u32::to_be_bytes(length);
            let header = [&[kind], &length[1..], &[0, seq, 0, 0, offset, 0, 0, len]].concat();
            junk.push(record(22, &[header, vec![0x55; len.into()]].concat()));
        }
    }
    // More pieces than are kept apart.
    for piece in 0..12u8 {
        junk.push(record(22, &[&[11, 0, 0, 94, 0, 2, 0, 0, piece * 8, 0, 0, 1], &[piece][..]].concat()));
    }
    for at in 0..7 {
        for datagram in &junk {
            let _ = with_forged(mutual(), at, std::slice::from_ref(datagram));
        }
        let _ = with_forged(mutual(), at, &junk);
    }
}

/// Genuine datagrams of other handshakes.
#[test]
fn foreign_datagrams_end_nothing() {
    let mut foreign = Vec::new();
    for case in [mutual(), Case::shapes()[0], Case::shapes()[1]] {
        let mut world = case.world();
        world.rng = TestRng(99);
        world.run();
        foreign.extend(world.trace.into_iter().map(|(_, datagram)| datagram));
    }
    for at in 0..7 {
        for datagram in &foreign {
            if !is_client_hello(datagram) {
                let _ = with_forged(mutual(), at, std::slice::from_ref(datagram));
            }
        }
    }
}

/// Between the last message and the moment that the session is taken nothing forged can undo what was decided.
#[test]
fn what_is_complete_stays_so() {
    let mut world = mutual().world();
    for _ in 0..4 {
        world.transmit();
        world.step();
    }
    world.transmit();
    let (direction, mut flight) = world.trace.last().unwrap().clone();
    assert_eq!(direction, Direction::ToServer);
    let Side::Handshaking(server) = &mut world.server else { panic!("the last flight has not arrived") };
    let mut cx = Context::new(&Watched, &mut world.rng, world.now);
    let mut outcome = Ok(Progress::Continue);
    for record in Records::new(&mut flight, server.own_cid().len()) {
        outcome = server.receive(&mut cx, &mut world.server_party, record);
    }
    assert_eq!(outcome, Ok(Progress::Complete));
    for mut datagram in forged() {
        assert!(server.receive(&mut cx, &mut world.server_party, &mut datagram).is_err());
    }
    assert!(server.take_session().is_some());
}
