//! Records that the keys of an established session do not explain.

use sedge_coap::{Code, OptionNumber, Type};
use sedge_tests::device::{Device, message, path};

use crate::scene::{QUIET, Scene};

/// A record with this header and body, without Connection ID.
pub(crate) fn record(content_type: u8, epoch: u16, sequence: u64, body: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type, 0xfe, 0xfd];
    record.extend(epoch.to_be_bytes());
    record.extend(&sequence.to_be_bytes()[2..]);
    record.extend(u16::try_from(body.len()).expect("short").to_be_bytes());
    record.extend(body);
    record
}

/// A `tls12_cid` record with this header and body.
pub(crate) fn cid_record(cid: &[u8], epoch: u16, sequence: u64, body: &[u8]) -> Vec<u8> {
    let mut record = record(25, epoch, sequence, body);
    record.splice(11..11, cid.iter().copied());
    record
}

/// A victim whose records carry a Connection ID (`true`) or not.
fn victims(scene: &Scene) -> [Device; 2] {
    let mut without = scene.identity.clone();
    without.cid = None;
    [scene.victim(), Device::connect(scene.broker.secure(), &without)]
}

/// Sends each of these on the victim's path; each must be counted under `counter`, and the session go on.
fn dropped(scene: &mut Scene, victim: &mut Device, counter: &str, datagrams: &[Vec<u8>]) {
    let counted = scene.counted(counter, datagrams.len() as u64, |_| {
        for datagram in datagrams {
            victim.connection().send_datagram(datagram);
        }
    });
    assert_eq!(counted, datagrams.len() as u64, "{counter}");
    assert_eq!(victim.connection().receive(QUIET), None, "no answer to {counter}");
    scene.still_works(victim);
}

#[test]
fn unauthenticated_records_of_each_epoch() {
    let mut scene = Scene::new();
    for mut victim in victims(&scene) {
        let cid = victim.connection().session.peer_cid().as_bytes().to_vec();
        let junk = [0x5a; 40];
        let forge = |epoch, sequence| match cid.as_slice() {
            [] => record(23, epoch, sequence, &junk),
            cid => cid_record(cid, epoch, sequence, &junk),
        };
        dropped(&mut scene, &mut victim, "dtls.discarded.bad_tag", &[forge(1, 1_000), forge(1, 1 << 47)]);
        dropped(&mut scene, &mut victim, "dtls.discarded.unknown_epoch", &[forge(2, 0), forge(0xffff, 5)]);
        let plain =
            [record(23, 0, 99, &junk), record(22, 0, 100, &[20, 0, 0, 12, 0, 3, 0, 0, 0, 0, 0, 12, 1])];
        dropped(&mut scene, &mut victim, "dtls.discarded.unprotected", &plain);
    }
}

#[test]
fn plaintext_alerts_and_data_and_unknown_content_types() {
    let mut scene = Scene::new();
    for mut victim in victims(&scene) {
        let alerts = [[2, 0], [1, 0], [2, 40], [2, 20]].map(|alert| record(21, 0, 7, &alert));
        dropped(&mut scene, &mut victim, "dtls.discarded.unprotected", &alerts);
        let get = message(Type::Con, Code::GET, 9, b"x", &path("d/t/own"), &[]);
        dropped(&mut scene, &mut victim, "dtls.discarded.unprotected", &[record(23, 0, 8, &get)]);
        let unknown = [0, 19, 26, 27, 64, 255].map(|content_type| record(content_type, 0, 9, b"whatever"));
        let before = scene.broker.counters();
        for datagram in &unknown {
            victim.connection().send_datagram(datagram);
        }
        assert_eq!(victim.connection().receive(QUIET), None);
        let after = scene.broker.counters();
        let grown = |name: &str| {
            let sum = |counters: &std::collections::BTreeMap<String, u64>| -> u64 {
                counters.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, value)| value).sum()
            };
            sum(&after) - sum(&before)
        };
        assert!(grown("dtls.discarded.") >= unknown.len() as u64, "each is counted");
        scene.still_works(&mut victim);
    }
}

#[test]
fn records_too_short_for_nonce_and_tag() {
    let mut scene = Scene::new();
    for mut victim in victims(&scene) {
        let cid = victim.connection().session.peer_cid().as_bytes().to_vec();
        let short: Vec<Vec<u8>> = (0..16)
            .map(|length| match cid.as_slice() {
                [] => record(23, 1, 500, &vec![0; length]),
                cid => cid_record(cid, 1, 500, &vec![0; length]),
            })
            .collect();
        dropped(&mut scene, &mut victim, "dtls.discarded.too_short", &short);
    }
}

#[test]
fn truncated_and_mangled_records() {
    let mut scene = Scene::new();
    for mut victim in victims(&scene) {
        let get = message(Type::Non, Code::GET, 9, b"x", &path("d/t/own"), &[]);
        let good = victim.connection().seal(&get);
        let before = scene.broker.counter("endpoint.records_received");
        for length in 1..good.len() {
            victim.connection().send_datagram(&good[..length]);
        }
        for bit in 0..good.len() * 8 {
            let mut mangled = good.clone();
            mangled[bit / 8] ^= 1 << (bit % 8);
            victim.connection().send_datagram(&mangled);
        }
        assert_eq!(victim.connection().receive(QUIET), None);
        assert_eq!(scene.broker.counter("endpoint.records_received"), before, "none was opened");
        // The one that they all came from is still good.
        victim.connection().send_datagram(&good);
        let answer = victim.receive(sedge_tests::dtls::SOON).expect("an answer");
        assert_eq!(answer.code(), Code::CONTENT);
        scene.still_works(&mut victim);
    }
}

#[test]
fn records_replayed_across_the_window() {
    let mut scene = Scene::new();
    for mut victim in victims(&scene) {
        let mut options = path("d/t/own");
        options.push((OptionNumber::CONTENT_FORMAT, &[]));
        let mut sealed: Vec<Vec<u8>> = (0..200_u16)
            .map(|id| {
                let get = message(Type::Non, Code::GET, 1_000 + id, &id.to_be_bytes(), &path("d/t/own"), &[]);
                victim.connection().seal(&get)
            })
            .collect();
        // The newest first: of the others only those inside the window are taken, and none twice.
        let newest = sealed.pop().expect("200 of them");
        let opened = scene.broker.counter("endpoint.records_received");
        victim.connection().send_datagram(&newest);
        for datagram in sealed.iter().rev() {
            victim.connection().send_datagram(datagram);
        }
        let mut answers = 0;
        while victim.receive(QUIET).is_some() {
            answers += 1;
        }
        let taken = scene.broker.counter("endpoint.records_received") - opened;
        assert_eq!(answers, taken, "each that was taken was answered");
        assert!((32..200).contains(&taken), "a window has its size: {taken}");
        let all: Vec<Vec<u8>> = sealed.iter().chain([&newest]).cloned().collect();
        dropped(&mut scene, &mut victim, "dtls.discarded.replayed", &all);
    }
}

#[test]
fn junk_of_all_lengths_from_strangers_and_on_the_victims_path() {
    let mut scene = Scene::new();
    let mut victim = scene.victim();
    let mut random = sedge_sim::Random::new(6);
    let received = scene.broker.counter("net.datagrams_received");
    let stranger = sedge_tests::dtls::socket_towards(scene.broker.secure());
    for length in 0..1_300_usize {
        let mut junk: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
        if let Some(first) = junk.first_mut()
            && length % 2 == 0
        {
            // As often as not it looks like a record.
            *first = [20, 21, 22, 23, 25][length / 2 % 5];
        }
        stranger.send_to(&junk, scene.broker.secure()).expect("sent");
        victim.connection().send_datagram(&junk);
        if length % 100 == 0 {
            scene.bystander_works();
        }
    }
    scene.broker.expect_counter("net.datagrams_received", received + 2 * 1_299);
    assert_eq!(scene.broker.status().sessions, 2);
    scene.still_works(&mut victim);
}
