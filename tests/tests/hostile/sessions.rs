//! Records of one session in the name of another, and what an authentic peer can make of Connection IDs and ACKs.

use std::time::Duration;

use sedge_crypto::RustCrypto;
use sedge_dtls::ContentType;
use sedge_tests::device::Device;
use sedge_tests::dtls::{Connection, SOON, receive, socket_towards};
use sedge_tests::gate::{Gate, Way as Direction};

use crate::every_way::unified;
use crate::party::settle;
use crate::records::{cid_record, record};
use crate::scene::QUIET;
use crate::site::{Site, WAYS};

fn cid_of(device: &mut Device) -> Vec<u8> {
    device.connection().session.peer_cid().as_bytes().to_vec()
}

/// Where the Connection ID stands in a record.
fn cid_at(record: &[u8]) -> usize {
    if record[0] == 25 { 11 } else { 1 }
}

#[test]
fn a_record_is_good_for_no_other_session() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    let mut devices: Vec<Device> = WAYS.iter().map(|way| site.party(*way).device(server)).collect();
    let cids: Vec<Vec<u8>> = devices.iter_mut().map(cid_of).collect();
    let opened = |site: &Site| site.scene.broker.counter("endpoint.records_received");
    let stranger = socket_towards(server);
    let before = opened(&site);
    let mut sent = 0;
    let seen = site.scene.broker.counter("net.datagrams_received");
    for from in 0..devices.len() {
        for to in (0..devices.len()).filter(|to| *to != from) {
            let connection = devices[from].connection();
            let mut sealed = connection.seal(b"whatever it says, it is not for this session");
            let at = cid_at(&sealed);
            sealed[at..at + cids[to].len()].copy_from_slice(&cids[to]);
            // From where the other session is, from where this one is, and from anywhere.
            connection.send_datagram(&sealed);
            devices[to].connection().send_datagram(&sealed);
            stranger.send_to(&sealed, server).expect("sent");
            sent += 3;
        }
    }
    site.scene.broker.expect_counter("net.datagrams_received", seen + sent);
    assert_eq!(opened(&site), before, "none was opened");
    assert_eq!(site.scene.broker.counter("endpoint.sessions_moved"), 0);
    assert!(receive(&stranger, QUIET).is_none());
    for device in &mut devices {
        site.scene.still_works(device);
    }
}

/// Each bit of an identifier: the slot, the generation and the shard of others.
#[test]
fn identifiers_of_other_sessions_and_shards_are_found_out() {
    let mut site = Site::with(|config, _, _| config.shards = 2);
    let server = site.scene.broker.secure();
    for way in [WAYS[0], WAYS[4], WAYS[6]] {
        let mut victim = site.party(way).device(server);
        let (cid, is_dtls_1_3) = (cid_of(&mut victim), victim.connection().session.is_dtls_1_3());
        let strangers = [(); 4].map(|()| socket_towards(server));
        let (seen, opened) = (
            site.scene.broker.counter("net.datagrams_received"),
            site.scene.broker.counter("endpoint.records_received"),
        );
        for stranger in &strangers {
            for bit in 0..cid.len() * 8 {
                let mut guess = cid.clone();
                guess[bit / 8] ^= 1 << (bit % 8);
                let forged = match is_dtls_1_3 {
                    true => unified(&guess, 3, &[0x5a; 40]),
                    false => cid_record(&guess, 1, 5, &[0x5a; 40]),
                };
                stranger.send_to(&forged, server).expect("sent");
                // The victim's own record under another name.
                let mut sealed = victim.connection().seal(b"mine, but not in this name");
                let at = cid_at(&sealed);
                sealed[at..at + guess.len()].copy_from_slice(&guess);
                stranger.send_to(&sealed, server).expect("sent");
            }
        }
        let sent = strangers.len() as u64 * cid.len() as u64 * 16;
        site.scene.broker.expect_counter("net.datagrams_received", seen + sent);
        std::thread::sleep(QUIET);
        assert_eq!(site.scene.broker.counter("endpoint.records_received"), opened, "{way:?}");
        for stranger in &strangers {
            assert!(receive(stranger, Duration::from_millis(10)).is_none());
        }
        site.scene.still_works(&mut victim);
    }
    assert_eq!(site.scene.broker.counter("endpoint.sessions_moved"), 0);
}

fn seal(connection: &mut Connection, kind: ContentType, content: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; content.len() + connection.session.overhead() + 16];
    let start = connection.session.headroom();
    buffer[start..start + content.len()].copy_from_slice(content);
    let length = connection.session.seal(&RustCrypto, kind, &mut buffer, content.len()).expect("room");
    buffer.truncate(length);
    buffer
}

/// Takes in what comes, and says what has to be said about it.
fn attend(device: &mut Device) {
    for _ in 0..4 {
        assert_eq!(device.connection().receive(Duration::from_millis(50)), None);
        settle(device.connection());
    }
}

#[test]
fn a_new_identifier_is_the_sessions_own() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    for way in [WAYS[4], WAYS[5]] {
        let mut victim = site.party(way).device(server);
        attend(&mut victim);
        let old = cid_of(&mut victim);
        let held_back = victim.connection().seal(b"sealed under the old one");
        assert!(victim.connection().session.request_connection_ids(1));
        site.scene.counted("endpoint.connection_ids_given", 1, |_| attend_once(&mut victim));
        attend(&mut victim);
        let new = cid_of(&mut victim);
        assert_ne!(old, new, "{way:?}");
        site.scene.still_works(&mut victim);

        // Under either name a forged record is a forged record, and a genuine one has one name only.
        site.scene.counted("dtls.discarded.bad_tag", 3, |_| {
            let stranger = socket_towards(server);
            for cid in [&old, &new] {
                stranger.send_to(&unified(cid, 3, &[0x5a; 40]), server).expect("sent");
            }
            let mut renamed = held_back.clone();
            renamed[1..1 + new.len()].copy_from_slice(&new);
            stranger.send_to(&renamed, server).expect("sent");
        });
        // A peer that asks and asks gets one at a time, and no other session is touched.
        for _ in 0..20 {
            let request = [10, 0, 0, 1, 0, 200, 0, 0, 0, 0, 0, 1, 255];
            let datagram = seal(victim.connection(), ContentType::HANDSHAKE, &request);
            victim.connection().send_datagram(&datagram);
        }
        attend(&mut victim);
        site.scene.still_works(&mut victim);
        assert_eq!(site.scene.broker.counter("endpoint.sessions_moved"), 0);
    }
}

fn attend_once(device: &mut Device) {
    settle(device.connection());
    assert_eq!(device.connection().receive(Duration::from_millis(100)), None);
    settle(device.connection());
}

/// An ACK's body with these record numbers.
fn ack(numbers: &[(u64, u64)]) -> Vec<u8> {
    let mut body = u16::try_from(numbers.len() * 16).expect("short").to_be_bytes().to_vec();
    for (epoch, sequence) in numbers {
        body.extend(epoch.to_be_bytes());
        body.extend(sequence.to_be_bytes());
    }
    body
}

#[test]
fn authentic_nonsense_about_records_and_keys_changes_nothing() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    let everything: Vec<(u64, u64)> = (0..60).map(|at| (at % 8, at * 7)).collect();
    let future =
        [(4, 0), (5, 1), (u64::from(u16::MAX), 0), (u64::MAX, u64::MAX), (3, u64::MAX), (3, 1 << 40)];
    for way in [WAYS[4], WAYS[5], WAYS[6]] {
        let mut peer = site.party(way).device(server);
        for acknowledgement in [ack(&[]), ack(&everything), ack(&future)] {
            let datagram = seal(peer.connection(), ContentType::ACK, &acknowledgement);
            peer.connection().send_datagram(&datagram);
            site.scene.still_works(&mut peer);
        }
        // Half a number, more than there is, less than there is.
        let broken =
            [&ack(&future)[..40], &[0xff, 0xff, 0, 0], &[0, 8, 0, 0, 0, 0, 0, 0, 0, 3], &[0, 0, 9], &[]];
        site.scene.counted("dtls.discarded.malformed_content", broken.len() as u64, |_| {
            for broken in broken {
                let datagram = seal(peer.connection(), ContentType::ACK, broken);
                peer.connection().send_datagram(&datagram);
            }
        });
        // Handshake messages of every type that are not in turn, or have no place in a session.
        for kind in 0..=25 {
            for number in [0_u8, 9, 255] {
                let body = [kind, 0, 0, 1, 0, number, 0, 0, 0, 0, 0, 1, 7];
                let datagram = seal(peer.connection(), ContentType::HANDSHAKE, &body);
                peer.connection().send_datagram(&datagram);
            }
        }
        for junk in [
            &[][..],
            &[24],
            &[24, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1],
            &[24, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            let datagram = seal(peer.connection(), ContentType::HANDSHAKE, junk);
            peer.connection().send_datagram(&datagram);
        }
        for kind in [0, 19, 20, 24, 25, 64, 255] {
            let datagram = seal(peer.connection(), ContentType(kind), b"of no kind");
            peer.connection().send_datagram(&datagram);
        }
        attend(&mut peer);
        site.scene.still_works(&mut peer);
    }
}

/// Somebody acknowledges in the clear what never arrived: the server sends it again all the same.
#[test]
fn forged_acknowledgements_stop_no_flight() {
    let mut site = Site::new();
    let all: Vec<(u64, u64)> = (0..30).map(|at| (at / 10, at % 10)).collect();
    for way in WAYS.into_iter().filter(|way| way.versions.dtls_1_3) {
        let all = all.clone();
        // The broker's second answer is its flight. It is lost, in all of its datagrams; the ACK goes ahead of the
        // client's next datagram.
        let mut lost = 0;
        let gate = Gate::new(site.scene.broker.secure(), move |direction, count, datagram| match direction {
            Direction::Down if count >= 1 && lost < 2 => {
                lost += 1;
                vec![]
            }
            Direction::Up if count >= 1 => {
                vec![datagram, record(26, 0, 900, &ack(&all)), record(26, 2, 901, &ack(&all))]
            }
            _ => vec![datagram],
        });
        let connected = site.party(way).connect(gate.address());
        let mut device = connected.unwrap_or_else(|failure| panic!("{way:?}: {failure}")).device();
        site.scene.still_works(&mut device);
        assert_eq!(device.connection().receive(QUIET.min(SOON)), None);
    }
}
