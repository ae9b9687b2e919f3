//! What others send: nobody who lacks the keys ends a handshake, and nothing that was changed gets through.

use sedge_crypto::Rng;
use sedge_dtls::*;

use crate::handshake::mutual;
use crate::party::*;
use crate::world::*;

fn ways() -> Vec<Setup> {
    let kind = CertificateType::RawPublicKey;
    vec![Setup::psk(), mutual(kind, kind)]
}

/// Every byte of every datagram, changed on its way: the handshake is delayed, or it fails; it never succeeds with the
/// two sides in disagreement.
#[test]
fn a_changed_byte_never_goes_unnoticed() {
    for way in ways() {
        let lengths: Vec<_> =
            World::established(way.clone()).trace.iter().map(|(_, datagram)| datagram.len()).collect();
        for (at, len) in lengths.into_iter().enumerate() {
            for byte in (0..len).step_by(if len > 200 { 3 } else { 1 }) {
                let mut world = World::new(way.clone());
                let mut count = 0;
                world.meddle = Some(Box::new(move |_, datagram| {
                    if count == at {
                        datagram[byte] ^= 0x15;
                    }
                    count += 1;
                }));
                world.run();
                if world.client.is_established() {
                    assert!(world.server.is_established(), "datagram {at} byte {byte}");
                    world.exchange_data();
                }
                // What is protected is simply lost, and sent again.
                assert!(at < 4 || world.client.is_established(), "datagram {at} byte {byte}");
            }
        }
    }
}

fn plaintext(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, content.len() as u8][..], content].concat()
}

/// Alerts, ACKs, data and unknown kinds in the clear, and protected junk of every epoch, before every datagram.
#[test]
fn junk_never_ends_a_handshake() {
    let ack = [&[0, 32][..], &[0; 15], &[1], &[0; 7], &[2], &[0; 8]].concat();
    let mut junk = vec![
        plaintext(21, &[2, 40]),
        plaintext(21, &[1, 0]),
        plaintext(20, &[1]),
        plaintext(23, b"data"),
        plaintext(24, b"?"),
        plaintext(26, &[0, 0]),
        plaintext(26, &ack),
        vec![],
        vec![0x2e],
    ];
    for first in 0x20..0x40u8 {
        junk.push([&[first][..], &[0x5a; 60]].concat());
        junk.push(vec![first; 12]);
    }
    for way in ways() {
        for at in 0..6 {
            let mut world = World::new(way.clone());
            for _ in 0..at {
                world.transmit();
                world.step();
            }
            world.transmit();
            for datagram in &junk {
                for direction in [Direction::ToServer, Direction::ToClient] {
                    world.deliver(direction, datagram.clone());
                }
            }
            world.run();
            world.assert_established();
            world.exchange_data();
        }
    }
}

/// Genuine datagrams of another handshake and damaged copies of this one's.
#[test]
fn damaged_and_foreign_datagrams_never_end_a_handshake() {
    for way in ways() {
        let foreign = World::established(Setup { seed: 77, ..way.clone() }).trace;
        let own = World::established(way.clone()).trace;
        let mut rng = TestRng(5);
        for at in 0..6 {
            for round in 0..40 {
                let (direction, mut datagram) = match round % 2 {
                    0 => foreign[round / 2 % foreign.len()].clone(),
                    _ => own[round / 2 % own.len()].clone(),
                };
                if round % 2 == 1 {
                    let place = rng.next_u32() as usize % datagram.len();
                    datagram[place] ^= 1 << (rng.next_u32() % 8);
                }
                let mut world = World::new(way.clone());
                for _ in 0..at {
                    world.transmit();
                    world.step();
                }
                world.transmit();
                // A hello with a good cookie is not junk: whoever can repeat it is on the path.
                if direction == Direction::ToServer && is_client_hello(&datagram) {
                    continue;
                }
                world.deliver(direction, datagram);
                world.run();
                world.assert_established();
                world.exchange_data();
            }
        }
    }
}

/// RFC 8446 section 4.2.11: probing which identities exist tells nothing.
#[test]
fn an_unknown_identity_looks_exactly_like_a_wrong_key() {
    for way in [Setup::psk(), Setup::psk_dhe()] {
        let failed = |identity: &[u8], key: &[u8]| {
            let mut setup = way.clone();
            setup.client.identity = identity.to_vec();
            setup.client.psk = Psk::new(key);
            let mut world = World::new(setup);
            world.run();
            let alert = AlertDescription::DECRYPT_ERROR;
            assert_eq!(world.refusal, Some(alert));
            assert_eq!(world.client.failure(), Some(Failure::Refused(alert)));
            let shape: Vec<_> =
                world.trace.iter().map(|(direction, datagram)| (*direction, datagram.len())).collect();
            (shape, world.discards, world.now)
        };
        assert_eq!(failed(b"sensor-8", &KEY), failed(IDENTITY, b"fedcba9876543210"));
    }
}

#[test]
fn a_cookie_is_good_for_its_address_and_for_two_periods() {
    let mut world = World::new(Setup::psk());
    world.transmit();
    world.step();
    world.step();
    world.transmit();
    let second = world.trace.last().unwrap().1.clone();
    let config = world.setup.server_config();
    let mut reply = [0; HELLO_REPLY_LEN];
    let mut keys = CookieKeys::new(&Watched, &mut TestRng(world.setup.seed));
    for period in 0..3 {
        let verdict = hello(&Watched, &keys, &config, ADDRESS, &second, &mut reply);
        match verdict {
            Hello::Accept(_) => assert!(period < 2),
            Hello::Reply(len) => {
                assert!(period == 2);
                assert_eq!((reply[0], &reply[13..len]), (21, &[2, 47][..]), "illegal_parameter");
            }
            Hello::Discard(discard) => panic!("{discard}"),
        }
        let elsewhere = hello(&Watched, &keys, &config, b"192.0.2.2:4711", &second, &mut reply);
        assert!(matches!(elsewhere, Hello::Reply(15)));
        keys.rotate(&Watched, &mut TestRng(100 + period));
    }
}

/// Nothing is said to a stranger that is longer than what he said, and nothing is kept for him.
#[test]
fn hellos_are_never_amplified() {
    let mut rng = TestRng(3);
    let hellos: Vec<_> = ways()
        .into_iter()
        .map(|way| {
            let mut world = World::new(way);
            world.transmit();
            world.trace[0].1.clone()
        })
        .collect();
    let keys = CookieKeys::new(&Watched, &mut rng);
    let setup = Setup { server_versions: Versions::ALL, ..Setup::psk() };
    let config = setup.server_config();
    for round in 0..20_000 {
        let mut datagram = hellos[round % hellos.len()].clone();
        for _ in 0..rng.next_u32() % 4 {
            let at = rng.next_u32() as usize % datagram.len();
            datagram[at] = rng.next_u32() as u8;
        }
        let mut reply = [0; HELLO_REPLY_LEN];
        match hello(&Watched, &keys, &config, ADDRESS, &datagram, &mut reply) {
            Hello::Reply(len) => assert!(len <= datagram.len()),
            Hello::Accept(_) => panic!("without a cookie"),
            Hello::Discard(_) => {}
        }
    }
}
