//! What the keys do not explain, in every version, suite and way to authenticate.

use std::time::Duration;

use sedge_coap::{Code, Type};
use sedge_dtls::ConnectionId;
use sedge_tests::device::{Device, message, path};
use sedge_tests::dtls::{receive, socket_towards};
use sedge_tests::gate::{Gate, Way as Direction};

use crate::party::settle;
use crate::records::{cid_record, record};
use crate::scene::QUIET;
use crate::site::{Site, WAYS, Way};

/// A record of DTLS 1.3 with this Connection ID and these bits of its epoch, around what nobody has sealed.
pub(crate) fn unified(cid: &[u8], epoch: u8, junk: &[u8]) -> Vec<u8> {
    let first = 0b0010_0000 | if cid.is_empty() { 0 } else { 0x10 } | epoch & 3;
    [&[first], cid, &[9], junk].concat()
}

/// A session by each way; with `cid`, the records to the broker have one.
fn victims(site: &Site, cid: bool) -> Vec<(Way, Device)> {
    let connect = |way: &Way| {
        let mut party = site.party(*way);
        party.cid = cid.then_some(ConnectionId::EMPTY);
        (*way, party.device(site.scene.broker.secure()))
    };
    WAYS.iter().map(connect).collect()
}

/// What anybody can send, whatever the session; and what it counts as.
fn forgeries(device: &mut Device) -> Vec<(&'static str, Vec<u8>)> {
    let session = &device.connection().session;
    let (cid, is_dtls_1_3) = (session.peer_cid(), session.is_dtls_1_3());
    let junk = [0x5a; 40];
    let mut all = Vec::new();
    for kind in [20, 21, 22, 23] {
        all.push(("unprotected", record(kind, 0, 70, &[2, 40])));
    }
    all.push(("unprotected", record(22, 0, 71, &[20, 0, 0, 12, 0, 9, 0, 0, 0, 0, 0, 12, 1])));
    match is_dtls_1_3 {
        true => {
            // ACKs of anything; records of both versions for each epoch; what is too short to have a tag.
            all.push((
                "unprotected",
                record(26, 0, 72, &[0, 16, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]),
            ));
            all.push(("unprotected", record(23, 1, 73, &junk)));
            all.push(("unknown_epoch", unified(cid.as_bytes(), 0, &junk)));
            all.push(("unknown_epoch", unified(cid.as_bytes(), 1, &junk)));
            all.push(("bad_tag", unified(cid.as_bytes(), 3, &junk)));
            for length in 0..16 {
                all.push(("too_short", unified(cid.as_bytes(), 3, &junk[..length]).into_iter().collect()));
            }
        }
        false => {
            let forge = |epoch, sequence, junk: &[u8]| match cid.as_bytes() {
                [] => record(23, epoch, sequence, junk),
                cid => cid_record(cid, epoch, sequence, junk),
            };
            for epoch in [2, 3, 0xffff] {
                all.push(("unknown_epoch", forge(epoch, 5, &junk)));
            }
            all.push(("bad_tag", forge(1, 1_000, &junk)));
            for length in 0..16 {
                all.push(("too_short", forge(1, 1_000, &junk[..length])));
            }
        }
    }
    all
}

#[test]
fn records_that_nobody_has_sealed_are_dropped() {
    let mut site = Site::new();
    for with_cid in [true, false] {
        for (way, mut victim) in victims(&site, with_cid) {
            let forgeries = forgeries(&mut victim);
            let reasons = ["unprotected", "unknown_epoch", "bad_tag", "too_short"];
            for reason in reasons {
                let these: Vec<_> = forgeries.iter().filter(|(why, _)| *why == reason).collect();
                let counter = format!("dtls.discarded.{reason}");
                let counted = site.scene.counted(&counter, these.len() as u64, |_| {
                    these.iter().for_each(|(_, datagram)| victim.connection().send_datagram(datagram));
                });
                assert_eq!(counted, these.len() as u64, "{reason} {way:?}");
            }
            assert_eq!(victim.connection().receive(Duration::from_millis(30)), None, "no answer: {way:?}");
            site.scene.still_works(&mut victim);
        }
    }
}

#[test]
fn truncated_mangled_and_repeated_records_are_dropped() {
    let mut site = Site::new();
    for with_cid in [true, false] {
        for (way, mut victim) in victims(&site, with_cid) {
            let get = message(Type::Non, Code::GET, 9, b"x", &path("d/t/own"), &[]);
            let good = victim.connection().seal(&get);
            let before = site.scene.broker.counter("endpoint.records_received");
            // Fewer than it takes for new keys with a tag of 8 bytes, which have their own test.
            let step = if good.len() > 60 { 2 } else { 1 };
            for length in (1..good.len()).step_by(step) {
                victim.connection().send_datagram(&good[..length]);
            }
            for bit in (0..good.len() * 8).step_by(7 * step) {
                let mut mangled = good.clone();
                mangled[bit / 8] ^= 1 << (bit % 8);
                victim.connection().send_datagram(&mangled);
            }
            assert_eq!(victim.connection().receive(Duration::from_millis(30)), None, "{way:?}");
            assert_eq!(
                site.scene.broker.counter("endpoint.records_received"),
                before,
                "{way:?}: none was opened"
            );
            // The one that they all came from is still good, and good once.
            victim.connection().send_datagram(&good);
            assert_eq!(victim.receive(sedge_tests::dtls::SOON).expect("an answer").code(), Code::CONTENT);
            let counted = site.scene.counted("dtls.discarded.replayed", 2, |_| {
                victim.connection().send_datagram(&good);
                victim.connection().send_datagram(&good);
            });
            assert_eq!(counted, 2, "{way:?}");
            site.scene.still_works(&mut victim);
        }
    }
}

/// RFC 9147 section 4.5.3: after so many forgeries the keys are replaced; nobody has to connect again for that.
#[test]
fn forgeries_cost_new_keys_and_not_the_session() {
    let mut site = Site::new();
    let way = WAYS[4];
    assert_eq!(way.suite, sedge_dtls::CipherSuite::TLS_AES_128_CCM_8_SHA256);
    let mut victim = site.party(way).device(site.scene.broker.secure());
    for round in 0..3 {
        // The records to the broker are of another epoch after each round.
        let sample = victim.connection().seal(b"nothing for CoAP");
        let epoch = sample[0] & 3;
        assert_eq!(epoch, (3 + round) & 3);
        let cid = victim.connection().session.peer_cid();
        site.scene.counted("dtls.discarded.bad_tag", 128, |scene| {
            let stranger = socket_towards(scene.broker.secure());
            for number in 0..128 {
                let forged = unified(cid.as_bytes(), epoch, &[number; 32]);
                stranger.send_to(&forged, scene.broker.secure()).expect("sent");
            }
        });
        // The broker asks for new keys when it next hears the device; the device answers.
        for _ in 0..3 {
            site.scene.still_works(&mut victim);
            assert_eq!(victim.connection().receive(QUIET), None);
            settle(victim.connection());
        }
    }
    assert_eq!(site.scene.broker.counter("endpoint.sessions_moved"), 0);
}

/// Junk that comes before each datagram of a handshake, in both directions.
fn junk_around(genuine: &[u8], direction: Direction) -> Vec<Vec<u8>> {
    let junk = [0x5a; 40];
    let mut all = vec![
        record(21, 0, 300, &[2, 40]),
        record(21, 0, 301, &[1, 0]),
        record(23, 0, 302, b"data"),
        record(20, 0, 303, &[2, 2]),
        record(99, 0, 304, b"unknown"),
        record(26, 0, 305, &[0, 0]),
        record(22, 0, 306, &[16, 255, 255, 255, 0, 2, 0, 0, 0, 0, 0, 2, 0, 1]),
        record(22, 0, 307, &[11, 0, 0, 9, 0, 2, 0, 0, 0, 0, 0, 0]),
        record(22, 0, 308, &[99, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 1, 0]),
        record(22, 0, 309, &[20, 0, 0, 9, 0, 2]),
    ];
    all.extend((1..4).map(|epoch| record(22, epoch, 400, &junk)));
    all.extend((0..4).map(|epoch| unified(&[], epoch, &junk)));
    all.extend((0..20).map(|length| unified(&[], 2, &junk[..length])));
    // What was cut off on the way.
    all.extend([1, 12, 13, 14, 24, 26].map(|length| genuine[..length.min(genuine.len() - 1)].to_vec()));
    if direction == Direction::Down {
        // Requests to start over that nobody asked for.
        all.push(record(22, 0, 500, &[0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0]));
    }
    all
}

#[test]
fn junk_in_each_epoch_ends_no_handshake() {
    let mut site = Site::new();
    for way in WAYS {
        let gate = Gate::new(site.scene.broker.secure(), |direction, _, datagram| {
            let mut all = junk_around(&datagram, direction);
            all.push(datagram);
            all
        });
        let connected = site.party(way).connect(gate.address());
        let mut device = connected.unwrap_or_else(|failure| panic!("{way:?}: {failure}")).device();
        site.scene.still_works(&mut device);
    }
}

/// One datagram after the other is lost, comes twice, or comes again at the end.
#[test]
fn lost_doubled_and_late_flights_end_no_handshake() {
    let mut site = Site::new();
    for way in WAYS {
        for (direction, number) in
            [0, 1, 2].into_iter().flat_map(|at| [(Direction::Up, at), (Direction::Down, at)])
        {
            for fault in 0..3 {
                let mut late = None;
                let gate = Gate::new(site.scene.broker.secure(), move |towards, count, datagram| {
                    if (towards, count) != (direction, number) {
                        return match late.take_if(|_| towards == direction) {
                            Some(late) => vec![datagram, late],
                            None => vec![datagram],
                        };
                    }
                    match fault {
                        0 => vec![],
                        1 => vec![datagram.clone(), datagram],
                        _ => {
                            late = Some(datagram.clone());
                            vec![datagram]
                        }
                    }
                });
                let connected = site.party(way).connect(gate.address());
                let what = || format!("{way:?} {direction:?} {number} fault {fault}");
                let mut device = connected.unwrap_or_else(|failure| panic!("{}: {failure}", what())).device();
                assert_eq!(device.publish("t/own", "1"), Code::CHANGED, "{}", what());
            }
        }
        site.scene.bystander_works();
    }
}

#[test]
fn whoever_starts_over_from_the_same_port_replaces_only_what_is_its_own() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    for (at, way) in WAYS.into_iter().enumerate() {
        let mut victim = site.party(way).device(server);
        let socket = victim.connection().socket.try_clone().expect("the same port");
        // Whoever cannot prove anything, by the way of the next: neither the session nor its peer notices.
        let mut impostor = site.party(WAYS[(at + 1) % WAYS.len()]).patient(1);
        impostor.lose_key();
        let outcome =
            impostor.connect_from(socket.try_clone().expect("the same"), server, |_, sent| vec![sent]);
        assert!(outcome.is_err(), "{way:?}");
        while receive(&socket, QUIET).is_some() {}
        site.scene.still_works(&mut victim);

        // The device itself, which has lost its memory.
        let sessions = site.scene.broker.status().sessions;
        let again = site.party(way).connect_from(socket, server, |_, sent| vec![sent]);
        let mut again = again.unwrap_or_else(|failure| panic!("{way:?}: {failure}")).device();
        site.scene.still_works(&mut again);
        assert_eq!(
            site.scene.broker.status().sessions,
            sessions,
            "{way:?}: the new session has replaced the old"
        );
    }
}

#[test]
fn unknown_and_wrong_look_the_same_in_dtls_1_3() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    let mut outcomes = Vec::new();
    let mut shapes = Vec::new();
    for name in [&b"victim"[..], b"victor"] {
        let mut party = site.party(WAYS[4]).patient(1);
        party.psk = Some((name.to_vec(), crate::site::unknown_psk()));
        let socket = socket_towards(server);
        let log = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = log.clone();
        let gate = Gate::new(server, move |direction, _, datagram| {
            if direction == Direction::Down {
                seen.lock().expect("one thread").push((
                    datagram[0],
                    datagram.len(),
                    datagram.last().copied(),
                ));
            }
            vec![datagram]
        });
        outcomes.push(party.connect_from(socket, gate.address(), |_, sent| vec![sent]).map(|_| ()));
        drop(gate);
        let mut seen = log.lock().expect("one thread").clone();
        // The cookie is random.
        seen.iter_mut().filter(|(first, ..)| *first == 22).for_each(|(.., last)| *last = None);
        shapes.push(seen);
    }
    assert!(outcomes[0].is_err());
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(shapes[0], shapes[1]);
    site.scene.bystander_works();
}
