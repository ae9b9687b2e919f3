//! Floods of hellos: nothing is kept for whoever has not shown that it receives at its address.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use sedge_tests::dtls::{Connection, receive, socket_towards};

use crate::handshakes::hasty;
use crate::scene::{QUIET, Scene};
use crate::site::{Site, WAYS, Way};

/// The two ClientHellos of a handshake from this socket: without and with a cookie that is good for it.
fn hellos(scene: &Scene, socket: UdpSocket) -> (Vec<u8>, Vec<u8>) {
    let mut once = hasty(&scene.identity);
    once.transport.retransmission.attempts = 0;
    two_hellos(&socket, |socket, sent| {
        let outcome = Connection::connect_from(socket, scene.broker.secure(), &once, |number, datagram| {
            sent.push(datagram.clone());
            if number == 0 { vec![datagram] } else { vec![] }
        });
        assert!(outcome.is_err());
    })
}

/// What `connect` sends until it has had a cookie. On a busy machine that may come too late; then it tries again.
fn two_hellos(socket: &UdpSocket, connect: impl Fn(UdpSocket, &mut Vec<Vec<u8>>)) -> (Vec<u8>, Vec<u8>) {
    for _ in 0..20 {
        let mut sent = Vec::new();
        connect(socket.try_clone().expect("the same port"), &mut sent);
        if let [first, second] = sent.as_slice() {
            return (first.clone(), second.clone());
        }
        while receive(socket, QUIET).is_some() {}
    }
    panic!("no cookie came in time")
}

fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line about memory");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

const SOURCES: u32 = 4_000;
const EACH: u32 = 10;

#[test]
fn hellos_from_spoofed_addresses_cost_nothing() {
    let mut scene = Scene::new();
    let (hello, _) = hellos(&scene, socket_towards(scene.broker.secure()));
    let sessions = scene.broker.status().sessions;
    // The memory is that of all tests that run at the time. What the broker keeps, it keeps every time.
    let grown = (0..5).map(|_| hellos_from_many(&mut scene, &hello)).find(|grown| *grown < 4_096);
    assert!(grown.is_some(), "4 MB more after each {} hellos", SOURCES * EACH);
    assert_eq!(scene.broker.status().sessions, sessions);
}

/// Sends hellos while a bystander works, and says by how many kilobytes memory has grown.
fn hellos_from_many(scene: &mut Scene, hello: &[u8]) -> u64 {
    let before = scene.broker.counter("endpoint.cookies_sent");
    let memory = resident_kilobytes();
    let mut waits = Vec::new();
    for source in 0..SOURCES {
        // All of 127/8 is this machine: sources that nobody can tell from spoofed ones.
        let address = Ipv4Addr::from(0x7f01_0000 + source);
        let socket = UdpSocket::bind((address, 0)).expect("a loopback address");
        for _ in 0..EACH {
            socket.send_to(hello, scene.broker.secure()).expect("sent");
        }
        if source % 500 == 0 {
            let started = Instant::now();
            scene.bystander_works();
            waits.push(started.elapsed());
        }
    }
    // The kernel drops what the broker cannot take in time; most it can.
    scene.broker.expect_counter("endpoint.cookies_sent", before + u64::from(SOURCES * EACH / 2));
    // What is lost in a full socket is sent again after two seconds; as a rule nothing is.
    waits.sort();
    assert!(waits[waits.len() / 2] < Duration::from_secs(2), "the bystander waited {waits:?}");
    resident_kilobytes().saturating_sub(memory)
}

#[test]
fn an_answer_is_never_longer_than_its_hello() {
    let scene = Scene::new();
    let socket = socket_towards(scene.broker.secure());
    let (hello, _) = hellos(&scene, socket.try_clone().expect("the same port"));
    socket.send_to(&hello, scene.broker.secure()).expect("sent");
    let (answer, _) = receive(&socket, Duration::from_secs(5)).expect("a cookie");
    assert!(answer.len() <= hello.len(), "{} bytes for {}", answer.len(), hello.len());
}

#[test]
fn a_cookie_is_good_for_its_own_address_and_hello_only() {
    let mut scene = Scene::new();
    let socket = socket_towards(scene.broker.secure());
    let (hello, with_cookie) = hellos(&scene, socket.try_clone().expect("the same port"));
    let sessions = scene.broker.status().sessions;

    // From another port, and from another address, it is as good as none: another cookie is the answer.
    let elsewhere = UdpSocket::bind("127.9.9.9:0").expect("a loopback address");
    for stranger in [socket_towards(scene.broker.secure()), elsewhere] {
        stranger.send_to(&with_cookie, scene.broker.secure()).expect("sent");
        let (answer, _) = receive(&stranger, Duration::from_secs(5)).expect("a cookie");
        assert_eq!(answer[13], 3, "HelloVerifyRequest");
    }
    // With another random it is the same.
    let mut other = with_cookie.clone();
    other[13 + 12 + 2 + 5] ^= 1;
    socket.send_to(&other, scene.broker.secure()).expect("sent");
    let (answer, _) = receive(&socket, Duration::from_secs(5)).expect("a cookie");
    assert_eq!(answer[13], 3, "HelloVerifyRequest");
    assert_eq!(scene.broker.status().sessions, sessions);

    // Where it belongs it is good.
    socket.send_to(&with_cookie, scene.broker.secure()).expect("sent");
    let (answer, _) = receive(&socket, Duration::from_secs(5)).expect("a flight");
    assert_eq!(answer[13], 2, "ServerHello");
    assert!(hello.len() < with_cookie.len());
    scene.bystander_works();
}

#[test]
fn more_handshakes_than_there_is_room_for_keep_nobody_out() {
    let mut scene = Scene::with(sedge_tests::broker::TestBroker::with(|config| {
        config.limits.handshakes = 8;
        config.timing.handshake_retransmit = Duration::from_millis(100);
    }));
    // Real addresses this time: each shows its cookie and then says no more.
    let stalled: Vec<UdpSocket> = (0..50)
        .map(|_| {
            let socket = socket_towards(scene.broker.secure());
            let (_, with_cookie) = hellos(&scene, socket.try_clone().expect("the same port"));
            socket.send_to(&with_cookie, scene.broker.secure()).expect("sent");
            socket
        })
        .collect();
    scene.bystander_works();
    scene.broker.expect_counter("endpoint.handshakes_refused", 1);
    // A patient client gets in as soon as one of them has timed out.
    let patient = hasty(&scene.identity);
    let connected = (0..10).find_map(|_| Connection::connect(scene.broker.secure(), &patient).ok());
    let mut victim = sedge_tests::device::Device::over(connected.expect("connected in the end"));
    scene.still_works(&mut victim);
    drop(stalled);
    assert_eq!(victim.connection().receive(QUIET), None);
}

/// The hello by this way from this socket without a cookie, and the one with it.
fn hellos_by(site: &Site, way: Way, socket: &UdpSocket) -> (Vec<u8>, Vec<u8>) {
    two_hellos(socket, |socket, sent| {
        let mut party = site.party(way).patient(0);
        let outcome = party.connect_from(socket, site.scene.broker.secure(), |number, datagram| {
            sent.push(datagram.clone());
            if number == 0 { vec![datagram] } else { vec![] }
        });
        assert!(outcome.is_err());
    })
}

#[test]
fn hellos_of_every_kind_cost_nothing() {
    const SOURCES: u32 = 500;
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    for way in WAYS {
        let (hello, _) = hellos_by(&site, way, &socket_towards(server));
        let sessions = site.scene.broker.status().sessions;
        let before = site.scene.broker.counter("endpoint.cookies_sent");
        for source in 0..SOURCES {
            let socket =
                UdpSocket::bind((Ipv4Addr::from(0x7f02_0000 + source), 0)).expect("a loopback address");
            for _ in 0..4 {
                socket.send_to(&hello, server).expect("sent");
            }
        }
        site.scene.broker.expect_counter("endpoint.cookies_sent", before + u64::from(SOURCES * 2));
        assert_eq!(site.scene.broker.status().sessions, sessions, "{way:?}");
        site.scene.bystander_works();
    }
}

#[test]
fn a_cookie_of_every_kind_is_good_for_its_own_address_and_hello_only() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    for way in WAYS {
        let socket = socket_towards(server);
        let (_, with_cookie) = hellos_by(&site, way, &socket);
        let sessions = site.scene.broker.status().sessions;
        let elsewhere = UdpSocket::bind("127.9.9.9:0").expect("a loopback address");
        for stranger in [socket_towards(server), elsewhere] {
            stranger.send_to(&with_cookie, server).expect("sent");
            let (answer, _) =
                receive(&stranger, Duration::from_secs(5)).expect("another cookie, or a refusal");
            assert!(answer.len() <= with_cookie.len(), "{way:?}");
            assert!(receive(&stranger, QUIET).is_none(), "{way:?}: nothing is sent again");
        }
        // With a changed cookie; in DTLS 1.2 also with another random. In DTLS 1.3 that shows in the transcript.
        let changes = match way.versions.dtls_1_3 {
            // Behind the name of the extension and two lengths.
            true => vec![
                6 + 60 + with_cookie.windows(2).skip(60).position(|part| part == [0, 44]).expect("a cookie"),
            ],
            // Behind a session identifier of no bytes.
            false => vec![13 + 12 + 2 + 32 + 1 + 1, 13 + 12 + 2 + 5],
        };
        for at in changes {
            let mut other = with_cookie.clone();
            other[at] ^= 1;
            socket.send_to(&other, server).expect("sent");
            while let Some((answer, _)) = receive(&socket, QUIET) {
                assert!(answer.len() <= other.len(), "{way:?}");
            }
        }
        assert_eq!(site.scene.broker.status().sessions, sessions, "{way:?}: nothing is kept");
        // Where it belongs it is good.
        socket.send_to(&with_cookie, server).expect("sent");
        let (answer, _) = receive(&socket, Duration::from_secs(5)).expect("a flight");
        assert_eq!(answer[13], 2, "ServerHello");
        assert!(
            receive(&socket, Duration::from_secs(1)).is_some(),
            "a flight that is kept is sent again: {way:?}"
        );
        site.scene.bystander_works();
    }
}
