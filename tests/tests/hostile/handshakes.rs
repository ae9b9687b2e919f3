//! Handshakes on a network that loses, repeats, reorders and invents datagrams, and those of impostors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sedge_dtls::{Failure, Retransmission};
use sedge_tests::broker::TestBroker;
use sedge_tests::device::Device;
use sedge_tests::dtls::{Connection, Identity, receive, socket_towards};
use sedge_tests::gate::{Gate, Way};

use crate::records::record;
use crate::scene::{QUIET, Scene};

/// An identity that loses patience sooner.
pub(crate) fn hasty(identity: &Identity) -> Identity {
    let mut hasty = identity.clone();
    hasty.transport.retransmission = Retransmission {
        initial: sedge_time::Duration::from_millis(100),
        maximum: sedge_time::Duration::from_millis(1_600),
        attempts: 8,
    };
    hasty
}

fn connect_through(
    scene: &Scene,
    decide: impl FnMut(Way, usize, Vec<u8>) -> Vec<Vec<u8>> + Send + 'static,
) -> (Result<Connection, Failure>, Gate) {
    let gate = Gate::new(scene.broker.secure(), decide);
    (Connection::connect(gate.address(), &hasty(&scene.identity)), gate)
}

/// The same for a client that knows no Connection IDs, so that its flights can be cut into records.
fn connect_in_pieces(
    scene: &Scene,
    decide: impl FnMut(Way, usize, Vec<u8>) -> Vec<Vec<u8>> + Send + 'static,
) -> (Result<Connection, Failure>, Gate) {
    let gate = Gate::new(scene.broker.secure(), decide);
    let mut identity = hasty(&scene.identity);
    identity.cid = None;
    (Connection::connect(gate.address(), &identity), gate)
}

/// The flights: ClientHello, HelloVerifyRequest, ClientHello, ServerHello.., ClientKeyExchange.., Finished. Here
/// each is one datagram.
const FLIGHTS: [(Way, usize); 6] =
    [(Way::Up, 0), (Way::Down, 0), (Way::Up, 1), (Way::Down, 1), (Way::Up, 2), (Way::Down, 2)];

#[test]
fn every_flight_is_lost_once() {
    let mut scene = Scene::new();
    for flight in FLIGHTS {
        let (connected, _gate) =
            connect_through(
                &scene,
                move |way, number, datagram| {
                    if (way, number) == flight { vec![] } else { vec![datagram] }
                },
            );
        let connection = connected.unwrap_or_else(|failure| panic!("{flight:?} lost: {failure}"));
        scene.still_works(&mut Device::over(connection));
    }
}

#[test]
fn every_flight_comes_twice() {
    let mut scene = Scene::new();
    for flight in FLIGHTS {
        let (connected, _gate) = connect_through(&scene, move |way, number, datagram| {
            if (way, number) == flight { vec![datagram.clone(), datagram] } else { vec![datagram] }
        });
        let connection = connected.unwrap_or_else(|failure| panic!("{flight:?} doubled: {failure}"));
        scene.still_works(&mut Device::over(connection));
    }
}

#[test]
fn every_flight_comes_again_after_everything_else() {
    let mut scene = Scene::new();
    for flight in FLIGHTS {
        let mut kept = None;
        let (connected, _gate) = connect_through(&scene, move |way, number, datagram| {
            if (way, number) == flight {
                kept = Some(datagram.clone());
            }
            // The third datagram of a client is its Finished; what it sends then is data.
            match kept.take_if(|_| way == flight.0 && number > 2) {
                Some(old) => vec![old, datagram],
                None => vec![datagram],
            }
        });
        let connection = connected.unwrap_or_else(|failure| panic!("{flight:?} late: {failure}"));
        scene.still_works(&mut Device::over(connection));
    }
}

#[test]
fn records_of_a_flight_come_in_every_order() {
    let mut scene = Scene::new();
    for rotation in 0..3 {
        let seen = Arc::new(AtomicBool::new(false));
        let rotated = seen.clone();
        let (connected, _gate) = connect_in_pieces(&scene, move |way, _, datagram| {
            // ClientKeyExchange, ChangeCipherSpec and Finished, each in a datagram of its own.
            let mut records = split(&datagram);
            if way == Way::Up && records.len() == 3 {
                records.rotate_left(rotation);
                rotated.store(true, Ordering::Relaxed);
                return records;
            }
            vec![datagram]
        });
        let connection = connected.unwrap_or_else(|failure| panic!("rotated by {rotation}: {failure}"));
        assert!(seen.load(Ordering::Relaxed));
        scene.still_works(&mut Device::over(connection));
    }
}

/// Cuts a datagram of records without Connection IDs.
pub(crate) fn split(datagram: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut rest = datagram;
    while rest.len() >= 13 {
        let length = 13 + usize::from(u16::from_be_bytes([rest[11], rest[12]]));
        let (record, after) = rest.split_at(length.min(rest.len()));
        records.push(record.to_vec());
        rest = after;
    }
    records
}

/// A handshake record with a part of a message.
fn fragment(sequence: u64, message: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
    let (header, body) = message.split_at(12);
    let mut part = header.to_vec();
    part[6..9].copy_from_slice(&u32::try_from(range.start).expect("short").to_be_bytes()[1..]);
    part[9..12].copy_from_slice(&u32::try_from(range.len()).expect("short").to_be_bytes()[1..]);
    part.extend(&body[range]);
    record(22, 0, sequence, &part)
}

#[test]
fn fragments_overlap_repeat_and_come_backwards() {
    let mut scene = Scene::new();
    type Shape = fn(usize) -> Vec<std::ops::Range<usize>>;
    let shapes: [Shape; 4] = [
        |length| (0..length).map(|at| at..at + 1).collect(),
        |length| (0..length).rev().map(|at| at..at + 1).collect(),
        |length| vec![0..length / 2 + 1, 0..length / 2 + 1, 1..length, length - 1..length],
        |length| vec![0..0, length..length, length / 2..length, 0..length, 0..length],
    ];
    for (number, shape) in shapes.into_iter().enumerate() {
        let (connected, _gate) = connect_in_pieces(&scene, move |way, count, datagram| {
            if way == Way::Up && count == 2 {
                let mut records = split(&datagram);
                let key_exchange = records.remove(0)[13..].to_vec();
                let mut parts: Vec<Vec<u8>> = shape(key_exchange.len() - 12)
                    .into_iter()
                    .enumerate()
                    .map(|(at, range)| fragment(100 + at as u64, &key_exchange, range))
                    .collect();
                parts.extend(records);
                return parts;
            }
            vec![datagram]
        });
        let connection = connected.unwrap_or_else(|failure| panic!("shape {number}: {failure}"));
        scene.still_works(&mut Device::over(connection));
    }
}

#[test]
fn junk_fragments_before_the_real_ones() {
    let mut scene = Scene::new();
    let before = scene.broker.counters();
    let (connected, _gate) = connect_through(&scene, |way, count, datagram| {
        if way == Way::Up && count == 2 {
            let junk: [&[u8]; 8] = [
                // ClientKeyExchange with message_seq 2: shorter than its header says, longer, beyond its end,
                // with a huge length, without any bytes, of an unknown type, far ahead, and only half a header.
                &[16, 0, 0, 20, 0, 2, 0, 0, 0, 0, 0, 20, 0],
                &[16, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 5, 0, 1, 2, 3, 4],
                &[16, 0, 0, 4, 0, 2, 0, 0, 9, 0, 0, 2, 0, 1],
                &[16, 255, 255, 255, 0, 2, 0, 0, 0, 0, 0, 2, 0, 1],
                &[16, 0, 0, 9, 0, 2, 0, 0, 0, 0, 0, 0],
                &[99, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 1, 0],
                &[20, 0, 0, 12, 0, 77, 0, 0, 0, 0, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
                &[16, 0, 0, 9, 0, 2],
            ];
            let mut all: Vec<Vec<u8>> =
                junk.iter().enumerate().map(|(at, body)| record(22, 0, 200 + at as u64, body)).collect();
            // A ChangeCipherSpec too early, one that is none, and records of an epoch that has no keys yet.
            all.extend([record(20, 0, 300, &[1]), record(20, 0, 301, &[2, 2]), record(22, 1, 0, &[7; 40])]);
            all.extend([record(21, 0, 302, &[2, 40]), record(23, 0, 303, b"data")]);
            all.push(datagram);
            return all;
        }
        vec![datagram]
    });
    let connection = connected.unwrap_or_else(|failure| panic!("{failure}"));
    scene.still_works(&mut Device::over(connection));
    let after = scene.broker.counters();
    let grown =
        |name: &str| after[&format!("dtls.discarded.{name}")] - before[&format!("dtls.discarded.{name}")];
    assert!(grown("malformed_handshake") >= 3, "{after:#?}");
    assert_eq!(grown("unauthenticated_alert"), 1);
}

#[test]
fn a_client_that_starts_over_and_never_finishes_does_not_end_the_old_session() {
    let mut scene = Scene::new();
    let mut victim = scene.victim();
    let socket = victim.connection().socket.try_clone().expect("the same port");
    // A whole handshake from the victim's own port with the wrong key: its last flight proves nothing.
    let mut impostor = hasty(&scene.identity);
    impostor.key = vec![7; 16];
    impostor.transport.retransmission.attempts = 2;
    let outcome =
        Connection::connect_from(socket, scene.broker.secure(), &impostor, |_, datagram| vec![datagram]);
    assert!(outcome.is_err());
    scene.still_works(&mut victim);
}

#[test]
fn a_client_that_lost_its_state_connects_again_from_the_same_port() {
    let mut scene = Scene::new();
    let mut victim = scene.victim();
    scene.still_works(&mut victim);
    let sessions = scene.broker.status().sessions;
    let socket = victim.connection().socket.try_clone().expect("the same port");
    let identity = hasty(&scene.identity);
    let again =
        Connection::connect_from(socket, scene.broker.secure(), &identity, |_, datagram| vec![datagram]);
    let mut again = Device::over(again.expect("connected"));
    scene.still_works(&mut again);
    assert_eq!(scene.broker.status().sessions, sessions, "the new session has replaced the old one");
}

#[test]
fn unknown_identities_and_wrong_keys_look_the_same() {
    // Nothing is to be sent again meanwhile, however busy the machine is.
    let mut scene = Scene::with(TestBroker::with(|config| {
        config.timing.handshake_retransmit = Duration::from_secs(30);
    }));
    let mut wrong_key = hasty(&scene.identity);
    wrong_key.key = vec![7; 16];
    let mut unknown = hasty(&scene.identity);
    unknown.name = b"victor".to_vec();
    assert_eq!(unknown.name.len(), wrong_key.name.len(), "so that lengths can be compared");
    unknown.key = vec![7; 16];
    // What the server sends, and how long each answer takes, round by round in turn.
    let mut shapes = [Vec::new(), Vec::new()];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..15 {
        for (which, identity) in [&wrong_key, &unknown].into_iter().enumerate() {
            let (shape, time) = probe(&scene, identity);
            shapes[which].push(shape);
            times[which].push(time);
        }
    }
    assert_eq!(shapes[0], shapes[1]);
    // The shortest of each: what else the machine does only adds to it.
    let [key, identity] = times.map(|times| times.into_iter().min().expect("several"));
    // Both cost a whole key derivation. Whoever skipped it would be several times faster.
    let (fast, slow) = (key.min(identity), key.max(identity));
    assert!(slow < fast * 2 + Duration::from_micros(300), "wrong key {key:?}, unknown identity {identity:?}");
    scene.bystander_works();
}

/// Shakes hands up to the client's Finished; returns the datagrams that the server sent, without what is random
/// in them, and how long the server was busy with the last flight.
fn probe(scene: &Scene, identity: &Identity) -> (Vec<(u8, usize)>, Duration) {
    let server = scene.broker.secure();
    // On a busy machine an answer may take longer than the client has patience for.
    let (log, socket) =
        (0..10).map(|_| half_way(server, identity)).find(|(log, _)| log.len() > 2).expect("three flights");
    let last_flight = &log[2];
    // The broker works off one datagram after the other: the answer to a second hello tells when it was done.
    let hello = log.first().expect("a hello");
    let start = Instant::now();
    socket.send_to(last_flight, server).expect("sent");
    socket.send_to(hello, server).expect("sent");
    let (answer, _) = receive(&socket, Duration::from_secs(5)).expect("an answer to the hello");
    let time = start.elapsed();
    let mut shape = vec![(answer[0], answer.len())];
    while let Some((datagram, _)) = receive(&socket, Duration::from_millis(20)) {
        shape.push((datagram[0], datagram.len()));
    }
    (shape, time)
}

/// Shakes hands as far as a client's last flight, which is not sent; what there was to send, and from where.
fn half_way(server: std::net::SocketAddr, identity: &Identity) -> (Vec<Vec<u8>>, std::net::UdpSocket) {
    let socket = socket_towards(server);
    let copy = socket.try_clone().expect("the same port");
    let mut once = identity.clone();
    once.transport.retransmission.initial = sedge_time::Duration::from_millis(300);
    once.transport.retransmission.attempts = 0;
    let mut sent = Vec::new();
    let outcome = Connection::connect_from(socket, server, &once, |number, datagram| {
        sent.push(datagram.clone());
        if number < 2 { vec![datagram] } else { vec![] }
    });
    assert!(outcome.is_err());
    (sent, copy)
}

#[test]
fn a_handshake_that_stops_half_way_blocks_nobody() {
    let mut scene = Scene::new();
    let stalled: Vec<_> = (0..20)
        .map(|_| {
            let socket = socket_towards(scene.broker.secure());
            let keep = socket.try_clone().expect("the same port");
            let mut once = hasty(&scene.identity);
            once.transport.retransmission.attempts = 0;
            let server = scene.broker.secure();
            let outcome = Connection::connect_from(socket, server, &once, |number, datagram| {
                if number < 2 { vec![datagram] } else { vec![] }
            });
            assert!(outcome.is_err());
            keep
        })
        .collect();
    let started = Instant::now();
    let mut victim = scene.victim();
    // They are given up after far longer.
    assert!(started.elapsed() < Duration::from_secs(8));
    scene.still_works(&mut victim);
    drop(stalled);
    assert_eq!(victim.connection().receive(QUIET), None);
}
