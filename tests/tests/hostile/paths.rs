//! Who decides where a session is, and how many bytes somebody gets who asked for nothing (RFC 9853).

use std::net::UdpSocket;
use std::time::Duration;

use sedge_coap::{Code, Type};
use sedge_crypto::RustCrypto;
use sedge_dtls::{Content, ContentType, PathMessage, PathMessageKind, Records};
use sedge_tests::device::{Device, message, path};
use sedge_tests::dtls::{Connection, SOON, receive, socket_towards};

use crate::records::record;
use crate::scene::QUIET;
use crate::site::{Site, WAYS, Way};

/// Both versions, and tags of 8 bytes and of 16.
fn ways() -> [Way; 3] {
    [WAYS[0], WAYS[3], WAYS[5]]
}

/// A victim that knows the return routability check.
fn victim(site: &Site, way: Way) -> Device {
    let mut party = site.party(way);
    party.transport.return_routability = true;
    party.device(site.scene.broker.secure())
}

fn seal(connection: &mut Connection, kind: ContentType, content: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; content.len() + connection.session.overhead() + 16];
    let start = connection.session.headroom();
    buffer[start..start + content.len()].copy_from_slice(content);
    let length = connection.session.seal(&RustCrypto, kind, &mut buffer, content.len()).expect("room");
    buffer.truncate(length);
    buffer
}

fn seal_path(connection: &mut Connection, kind: PathMessageKind, cookie: [u8; 8]) -> Vec<u8> {
    seal(connection, ContentType::RETURN_ROUTABILITY_CHECK, &PathMessage { kind, cookie }.to_bytes())
}

/// The next message about paths that comes to this socket; what else comes is passed over.
fn path_message(connection: &mut Connection, socket: &UdpSocket, within: Duration) -> Option<PathMessage> {
    loop {
        let (mut datagram, _) = receive(socket, within)?;
        for record in Records::new(&mut datagram, 0) {
            if let Ok(opened) = connection.session.open(&RustCrypto, record)
                && let Content::ReturnRoutability(message) = opened.content
            {
                return Some(message);
            }
        }
    }
}

fn sealed_get(victim: &mut Device, id: u16) -> Vec<u8> {
    victim.connection().seal(&message(Type::Non, Code::GET, id, &id.to_be_bytes(), &path("d/t/own"), &[]))
}

/// How many bytes come to this socket until it falls silent.
fn bytes_received(socket: &UdpSocket) -> usize {
    std::iter::from_fn(|| receive(socket, QUIET)).map(|(datagram, _)| datagram.len()).sum()
}

/// Somebody forwards a record faster than the network does: the old path is asked, and the session stays.
#[test]
fn whoever_forwards_faster_gets_nothing() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    for way in ways() {
        let mut victim = victim(&site, way);
        assert!(victim.connection().session.return_routability(), "{way:?}");
        site.scene.still_works(&mut victim);
        let moved = site.scene.broker.counter("endpoint.sessions_moved");
        let (home, away) =
            (victim.connection().socket.try_clone().expect("the same"), socket_towards(server));
        let request = sealed_get(&mut victim, 100);
        away.send_to(&request, server).expect("sent");
        let challenge = path_message(victim.connection(), &home, SOON).expect("the old path is asked");
        assert_eq!(challenge.kind, PathMessageKind::Challenge);
        site.scene.counted("endpoint.paths_kept", 1, |_| {
            let response = seal_path(victim.connection(), PathMessageKind::Response, challenge.cookie);
            home.send_to(&response, server).expect("sent");
        });
        assert_eq!(bytes_received(&away), 0, "{way:?}");
        assert_eq!(site.scene.broker.counter("endpoint.sessions_moved"), moved);
        site.scene.still_works(&mut victim);

        // This time the device does not say where it is: nobody answers on the new path, and it stays all the same.
        let request = sealed_get(&mut victim, 101);
        let failed = site.scene.broker.counter("endpoint.path_validations_failed");
        away.send_to(&request, server).expect("sent");
        site.scene.broker.expect_counter("endpoint.path_validations_failed", failed + 1);
        let got = bytes_received(&away);
        assert!(got > 0 && got <= 3 * request.len(), "{way:?}: {got} bytes for {}", request.len());
        assert_eq!(site.scene.broker.counter("endpoint.sessions_moved"), moved);
        while receive(&home, Duration::from_millis(10)).is_some() {}
        site.scene.still_works(&mut victim);
    }
}

#[test]
fn spoofed_answers_prove_nothing() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    for way in ways() {
        let mut victim = victim(&site, way);
        let moved = site.scene.broker.counter("endpoint.sessions_moved");
        let (home, away) =
            (victim.connection().socket.try_clone().expect("the same"), socket_towards(server));
        let third = socket_towards(server);
        away.send_to(&sealed_get(&mut victim, 100), server).expect("sent");
        let challenge = path_message(victim.connection(), &home, SOON).expect("the old path is asked");
        // With made-up cookies; with the right one over the wrong path; each as it would be and as its contrary.
        site.scene.counted("endpoint.path_answers_invalid", 6, |_| {
            for (socket, cookie) in [(&home, *b"made up!"), (&away, *b"made up!"), (&third, challenge.cookie)]
            {
                for kind in [PathMessageKind::Response, PathMessageKind::Drop] {
                    let answer = seal_path(victim.connection(), kind, cookie);
                    socket.send_to(&answer, server).expect("sent");
                }
            }
        });
        // In the clear, where the session does not know them at all; and of another session.
        let before = discarded(&site);
        let mut other = self::victim(&site, way);
        let foreign = seal_path(other.connection(), PathMessageKind::Drop, challenge.cookie);
        let (own, others) = (victim.connection().session.peer_cid(), other.connection().session.peer_cid());
        let at = foreign.windows(others.len()).position(|part| part == others.as_bytes()).expect("its CID");
        let mut foreign = foreign;
        foreign[at..at + own.len()].copy_from_slice(own.as_bytes());
        home.send_to(&foreign, server).expect("sent");
        for kind in 0..3 {
            let plain = [&[kind][..], &challenge.cookie].concat();
            home.send_to(&record(27, 0, 50, &plain), server).expect("sent");
        }
        let deadline = std::time::Instant::now() + SOON;
        while discarded(&site) < before + 4 {
            assert!(std::time::Instant::now() < deadline, "{way:?}: each is counted");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(site.scene.broker.counter("endpoint.sessions_moved"), moved, "{way:?}");
        while receive(&home, QUIET).is_some() {}
        site.scene.still_works(&mut victim);
    }
}

fn discarded(site: &Site) -> u64 {
    let counters = site.scene.broker.counters();
    counters.iter().filter(|(name, _)| name.starts_with("dtls.discarded.")).map(|(_, count)| count).sum()
}

/// A peer that asks and asks: each challenge has one answer, which is no longer.
#[test]
fn a_flood_of_challenges_is_not_amplified() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    for way in ways() {
        let mut peer = victim(&site, way);
        let mut sent = 0;
        let socket = peer.connection().socket.try_clone().expect("the same");
        for number in 0..100_u64 {
            let challenge = seal_path(peer.connection(), PathMessageKind::Challenge, number.to_be_bytes());
            sent += challenge.len();
            socket.send_to(&challenge, server).expect("sent");
        }
        let received = bytes_received(&socket);
        assert!(received > 0 && received <= sent, "{way:?}: {received} bytes for {sent}");
        site.scene.still_works(&mut peer);
    }
}

/// A record forwarded from a victim's address, while much is to be sent: to somebody who knows no check, or does not
/// answer it, at most three times the bytes go that came from there.
#[test]
fn copied_records_buy_a_victim_at_most_three_times_their_bytes() {
    let mut site = Site::with(|config, _, _| {
        config.dtls.return_routability = sedge_broker::config::ReturnRoutability::Basic;
    });
    let server = site.scene.broker.secure();
    let mut publisher = site.scene.victim();
    assert_eq!(publisher.publish("t/large", "0"), Code::CREATED);
    for way in WAYS {
        for check in [false, true] {
            let mut party = site.party(way);
            party.transport.return_routability = check;
            let mut device = party.device(server);
            device.acknowledges = false;
            assert_eq!(device.observe("t/large", b"large").code(), Code::CONTENT);
            let bystander = socket_towards(server);
            let mut sent = 0;
            for id in 0..3 {
                // Three copies of small records, between values of a thousand bytes.
                let copy = sealed_get(&mut device, 200 + id);
                sent += copy.len();
                bystander.send_to(&copy, server).expect("sent");
                assert_eq!(publisher.publish("t/large", &"x".repeat(1_000)), Code::CHANGED);
            }
            let received = bytes_received(&bystander);
            assert!(received <= 3 * sent, "{way:?} check {check}: {received} bytes for {sent}");
            assert!(received > 0, "{way:?} check {check}: it was not even asked");
            // Nothing more comes later.
            std::thread::sleep(Duration::from_millis(300));
            let received = received + bytes_received(&bystander);
            assert!(received <= 3 * sent, "{way:?} check {check}: {received} bytes for {sent}");
        }
        site.scene.bystander_works();
    }
}

/// Before the cookie nobody gets more bytes than he sent, whatever he sent.
#[test]
fn before_the_cookie_nothing_is_amplified() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    for way in WAYS {
        let mut hello = Vec::new();
        let lost = site.party(way).patient(0).connect_from(socket_towards(server), server, |_, datagram| {
            hello = datagram;
            vec![]
        });
        assert!(lost.is_err());
        let mut variants = vec![hello.clone(), hello.repeat(2), hello.repeat(3)];
        variants.extend((1..hello.len()).step_by(11).map(|length| hello[..length].to_vec()));
        variants.extend((13..hello.len()).step_by(5).map(|at| {
            let mut changed = hello.clone();
            changed[at] ^= 0x81;
            changed
        }));
        // Each from a port of its own, so that no answer is taken for another's.
        let sent: Vec<(Vec<u8>, UdpSocket)> = variants
            .into_iter()
            .map(|variant| {
                let socket = socket_towards(server);
                socket.send_to(&variant, server).expect("sent");
                (variant, socket)
            })
            .collect();
        site.scene.bystander_works();
        // Long enough for something to be sent again, if anything were.
        std::thread::sleep(Duration::from_millis(250));
        let mut answered = 0;
        for (variant, socket) in sent {
            let received: usize = std::iter::from_fn(|| receive(&socket, Duration::from_millis(1)))
                .map(|(answer, _)| answer.len())
                .sum();
            assert!(received <= variant.len(), "{way:?}: {received} bytes for {variant:02x?}");
            answered += usize::from(received > 0);
        }
        assert!(answered > 10, "{way:?}: only {answered} were answered at all");
    }
    site.scene.bystander_works();
}
