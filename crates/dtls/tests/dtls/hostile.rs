//! Everything that someone without the keys can send, into every state: it is dropped and counted, and the
//! handshake or session goes on.

use sedge_crypto::Rng;
use sedge_dtls::*;
use sedge_time::Duration;

use crate::handshake::exchange_data;
use crate::support::*;
use crate::world::*;

/// A record of epoch 0.
fn plaintext(content_type: u8, content: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99];
    record.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    record.extend(content);
    record
}

/// A whole handshake message in a record of epoch 0.
fn message(kind: u8, message_seq: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let content = [&[kind], &length[1..], &[0, message_seq, 0, 0, 0], &length[1..], body].concat();
    plaintext(22, &content)
}

fn server_hello(random: u8, suite: u16) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([random; 32]);
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.extend([0, 0, 4, 0, 23, 0, 0]);
    message(2, 1, &body)
}

/// Datagrams that nobody needs a key for.
fn junk() -> Vec<Vec<u8>> {
    let mut junk: Vec<Vec<u8>> = vec![
        vec![],
        vec![22],
        vec![0xff; 40],
        plaintext(21, &[2, 40]),
        plaintext(21, &[1, 0]),
        plaintext(21, &[2]),
        plaintext(23, b"hello"),
        plaintext(20, &[1]),
        plaintext(20, &[2]),
        plaintext(24, b"heartbeat"),
        plaintext(99, b"?"),
        plaintext(26, b""),
        plaintext(22, b""),
        plaintext(22, &[1, 0, 0]),
        message(0, 0, b""),
        message(1, 0, b""),
        message(2, 1, b""),
        message(11, 2, &[0; 100]),
        message(12, 2, &[0, 0]),
        message(14, 2, b""),
        message(14, 2, b"x"),
        message(16, 2, &[0, 4, b'e', b'v', b'i', b'l']),
        message(16, 2, &[0, 9, b'e']),
        message(20, 3, &[0; 12]),
        message(3, 0, &[0xfe, 0xff, 4, 1, 2, 3, 4]),
        message(3, 0, &[0xfe, 0xff, 255]),
        server_hello(0xaa, 0xc0a8),
        server_hello(0xbb, 0x1301),
        [server_hello(0xcc, 0xc0a8), message(14, 2, b"")].concat(),
    ];
    // Fragments that contradict, overlap, or promise more than will come.
    for (kind, length, offset, len) in
        [(2, 80, 0, 20), (2, 80, 10, 20), (2, 0xff_ffff, 0, 10), (16, 20, 0, 4), (16, 20, 19, 4)]
    {
        let length = u32::to_be_bytes(length);
        let body = vec![0x55; len];
        let header =
            [&[kind], &length[1..], &[0, 2, 0, 0, offset, 0, 0, u8::try_from(len).unwrap()]].concat();
        junk.push(plaintext(22, &[header, body].concat()));
    }
    // Records of epoch 1 and 2 that nothing authenticates, of every interesting length, with and without a
    // Connection ID.
    for epoch in [1, 2] {
        for len in [0, 1, 8, 15, 16, 17, 40] {
            for kind in [20, 21, 22, 23, 25] {
                let mut record = plaintext(kind, &vec![7; len]);
                record[4] = epoch;
                junk.push(record.clone());
                if kind == 25 {
                    let mut with_cid = record[..11].to_vec();
                    with_cid.extend(Setup::default().server_cid.as_bytes());
                    with_cid.extend(&record[11..]);
                    junk.push(with_cid);
                }
            }
        }
    }
    junk
}

fn both_ways() -> [Direction; 2] {
    [Direction::ToServer, Direction::ToClient]
}

/// Runs a handshake that has `junk` slipped in, in both directions, before the `at`-th genuine datagram.
fn with_junk_before(at: usize, junk: &[Vec<u8>]) -> World {
    let mut world = World::new(Setup::default());
    for _ in 0..at {
        world.transmit();
        world.step();
    }
    world.transmit();
    for datagram in junk {
        for direction in both_ways() {
            world.deliver(direction, datagram.clone());
        }
    }
    world.run();
    let outcome = (world.client.is_established(), world.server.is_established());
    assert_eq!(outcome, (true, true), "junk before {at}: {junk:02x?}, {:?}", world.discards);
    exchange_data(&mut world);
    world
}

#[test]
fn junk_never_ends_a_handshake() {
    for at in 0..7 {
        for datagram in junk() {
            let _ = with_junk_before(at, &[datagram]);
        }
        let _ = with_junk_before(at, &junk());
    }
}

/// Genuine datagrams of another handshake, and damaged copies of this one's, except hellos with a good cookie:
/// whoever can read and repeat those is on the path.
#[test]
fn damaged_and_foreign_datagrams_never_end_a_handshake() {
    let foreign = World::established(Setup { seed: 77, ..Setup::default() }).trace;
    let own = World::established(Setup::default()).trace;
    let mut rng = TestRng(5);
    for at in 0..7 {
        for round in 0..150 {
            let (_, mut datagram) = own[[0, 1, 3, 4, 5][round % 5]].clone();
            for _ in 0..=rng.next_u32() % 3 {
                let place = rng.next_u32() as usize % datagram.len();
                datagram[place] ^= 1 << (rng.next_u32() % 8);
            }
            if rng.next_u32().is_multiple_of(4) {
                datagram.truncate(rng.next_u32() as usize % datagram.len());
            }
            let _ = with_junk_before(at, &[datagram]);
        }
        for (_, datagram) in &foreign {
            let _ = with_junk_before(at, std::slice::from_ref(datagram));
        }
    }
}

#[test]
fn junk_never_disturbs_a_session() {
    let mut world = World::established(Setup::default());
    let replay = world.trace.clone();
    for datagram in junk().into_iter().chain(replay.into_iter().map(|(_, datagram)| datagram)) {
        for direction in both_ways() {
            let before = world.trace.len();
            world.deliver(direction, datagram.clone());
            let answer = world.trace.get(before).map(|(_, datagram)| datagram[13]);
            assert!(
                matches!(answer, None | Some(3)),
                "only a hello is answered, and without keeping anything"
            );
        }
        exchange_data(&mut world);
    }
    assert_eq!(world.received, []);
}

/// Without the keys a Finished is junk; with the keys and a wrong verify_data it is the end. The second takes a
/// man in the middle who strips the extended master secret from a client and a server that both allow that.
#[test]
fn a_finished_over_another_transcript_is_refused() {
    let loose = Transport { dangerous_allow_plain_master_secret: true, ..Transport::default() };
    let mut world = World::new(Setup { client: loose, server: loose, ..Setup::default() });
    for _ in 0..6 {
        world.transmit();
        world.rewrite(|direction, datagram| {
            // The extended_master_secret extension of the hello with the cookie becomes one that nobody knows.
            if direction == Direction::ToServer
                && is_client_hello(datagram)
                && let Some(at) = datagram.windows(4).position(|bytes| bytes == [0, 23, 0, 0])
            {
                datagram[at] = 0x7a;
            }
        });
        world.step();
    }
    assert!(matches!(world.server, Peer::Failed(Failure::Aborted(AlertDescription::DECRYPT_ERROR))));
    assert!(matches!(world.client, Peer::Failed(Failure::Refused(AlertDescription::DECRYPT_ERROR))));
}

#[test]
fn stripping_the_extended_master_secret_is_refused_by_default() {
    let mut world = World::new(Setup::default());
    world.transmit();
    world.rewrite(|_, datagram| {
        let at = datagram.windows(4).position(|bytes| bytes == [0, 23, 0, 0]).unwrap();
        datagram[at] = 0x7a;
    });
    // The cookie does not cover extensions: a hello that lost one still is the same hello.
    world.step();
    let second = world.trace.len();
    world.step();
    world.transmit();
    world.rewrite(|_, datagram| {
        let at = datagram.windows(4).position(|bytes| bytes == [0, 23, 0, 0]).unwrap();
        datagram[at] = 0x7a;
    });
    world.step();
    assert!(world.trace.len() > second);
    assert_eq!(world.refusal.map(|refusal| refusal.description()), Some(AlertDescription::HANDSHAKE_FAILURE));
}

#[test]
fn an_unknown_identity_looks_exactly_like_a_wrong_key() {
    let failed = |identity: &[u8], key: &[u8]| {
        let setup = Setup { identity: identity.to_vec(), key: key.to_vec(), ..Setup::default() };
        let mut world = World::new(setup);
        world.run();
        assert!(matches!(world.client, Peer::Failed(Failure::TimedOut)));
        assert!(matches!(world.server, Peer::Failed(Failure::TimedOut)));
        let shape: Vec<_> =
            world.trace.iter().map(|(direction, datagram)| (*direction, datagram.len())).collect();
        (shape, world.discards, world.now)
    };
    assert_eq!(failed(b"sensor-8", &KEY), failed(IDENTITY, b"fedcba9876543210"));
}

#[test]
fn a_refusal_that_nothing_authenticates_needs_two_turns_of_the_timer() {
    // The server is gone; someone answers with an alert.
    let mut world = World::new(Setup::default());
    world.fate = Box::new(|_, _, _| vec![]);
    world.deliver(Direction::ToClient, plaintext(21, &[2, 40]));
    let start = world.now;
    world.run();
    assert!(matches!(world.client, Peer::Failed(Failure::Refused(AlertDescription::HANDSHAKE_FAILURE))));
    assert_eq!(world.now.saturating_since(start), Duration::from_secs(3));

    // The same for a server that chooses what was not offered; it is told so.
    let mut world = World::new(Setup::default());
    world.fate = Box::new(|_, _, _| vec![]);
    world.deliver(Direction::ToClient, server_hello(1, 0xc0a4));
    world.run();
    assert!(matches!(world.client, Peer::Failed(Failure::Aborted(AlertDescription::ILLEGAL_PARAMETER))));
    assert_eq!(world.trace.last().unwrap().1[13..], [2, 47]);
}

/// Someone who contradicts himself all the time cannot keep a client busy for ever.
#[test]
fn a_client_that_is_told_nonsense_gives_up_in_the_end() {
    for flight in [1, 2] {
        let mut world = World::new(Setup::default());
        world.fate = Box::new(|_, _, _| vec![]);
        let start = world.now;
        for round in 0..=255u8 {
            world.deliver(Direction::ToClient, message(3, 0, &[0xfe, 0xff, 1, round]));
            world.deliver(Direction::ToClient, server_hello(round, 0xc0a8));
            if flight == 2 {
                world.deliver(Direction::ToClient, message(14, 2, b""));
            }
            world.run_for(Duration::from_secs(2));
        }
        assert!(matches!(world.client, Peer::Failed(Failure::TimedOut)));
        assert!(world.trace.len() < 60, "{} datagrams", world.trace.len());
        assert!(world.now.saturating_since(start) <= Duration::from_secs(512));
    }
}

#[test]
fn a_server_without_a_common_suite_says_so() {
    let suites = vec![CipherSuite::TLS_PSK_WITH_AES_128_CCM];
    let mut world = World::new(Setup { server_suites: suites, ..Setup::default() });
    world.run();
    assert!(matches!(world.client, Peer::Failed(Failure::Refused(AlertDescription::HANDSHAKE_FAILURE))));
    assert_eq!(world.refusal.unwrap().description(), AlertDescription::HANDSHAKE_FAILURE);
}
