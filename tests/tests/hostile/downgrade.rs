//! Somebody between the two who would rather they spoke something older or weaker.

use std::sync::{Arc, Mutex};

use sedge_crypto::NamedGroup;
use sedge_dtls::{CipherSuite, Versions};
use sedge_tests::dtls::SOON;
use sedge_tests::gate::{Gate, Way as Direction};

use crate::records::record;
use crate::site::{By, Site, WAYS};

const ALL: [By; 3] = [By::Psk, By::RawPublicKey, By::Certificate];

/// A ClientHello in one record, taken apart.
struct Hello {
    record: [u8; 13],
    message: [u8; 12],
    /// Version, random, session id and cookie, with their lengths.
    start: Vec<u8>,
    suites: Vec<[u8; 2]>,
    compression: Vec<u8>,
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    fn parse(datagram: &[u8]) -> Option<Self> {
        if datagram.len() < 60 || datagram[0] != 22 || datagram[3..5] != [0, 0] || datagram[13] != 1 {
            return None;
        }
        let body = &datagram[25..];
        let session = 34 + 1 + usize::from(body[34]);
        let cookie = session + 1 + usize::from(body[session]);
        let number = |at: usize| usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
        let suites = cookie + 2 + number(cookie);
        let compression = suites + 1 + usize::from(body[suites]);
        let mut extensions = Vec::new();
        let mut at = compression + 2;
        while at < compression + 2 + number(compression) {
            let end = at + 4 + number(at + 2);
            extensions.push((number(at) as u16, body[at + 4..end].to_vec()));
            at = end;
        }
        Some(Self {
            record: datagram[..13].try_into().ok()?,
            message: datagram[13..25].try_into().ok()?,
            start: body[..cookie].to_vec(),
            suites: body[cookie + 2..suites].as_chunks::<2>().0.to_vec(),
            compression: body[suites..compression].to_vec(),
            extensions,
        })
    }

    fn write(&self) -> Vec<u8> {
        let long = |length: usize| u16::try_from(length).expect("short").to_be_bytes();
        let mut body = self.start.clone();
        body.extend(long(self.suites.len() * 2));
        self.suites.iter().for_each(|suite| body.extend(suite));
        body.extend(&self.compression);
        let mut extensions = Vec::new();
        for (kind, value) in &self.extensions {
            extensions.extend(kind.to_be_bytes());
            extensions.extend(long(value.len()));
            extensions.extend(value);
        }
        body.extend(long(extensions.len()));
        body.extend(extensions);
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        let mut message = self.message;
        message[1..4].copy_from_slice(&length[1..]);
        message[9..12].copy_from_slice(&length[1..]);
        let mut record = self.record;
        record[11..13].copy_from_slice(&long(12 + body.len()));
        [&record[..], &message, &body].concat()
    }
}

/// A relay that changes hellos.
fn relay(site: &Site, mut change: impl FnMut(&mut Hello) + Send + 'static) -> Gate {
    Gate::new(site.scene.broker.secure(), move |direction, _, datagram| {
        match Hello::parse(&datagram).filter(|_| direction == Direction::Up) {
            Some(mut hello) => {
                change(&mut hello);
                vec![hello.write()]
            }
            None => vec![datagram],
        }
    })
}

const SUPPORTED_VERSIONS: u16 = 43;

#[test]
fn nobody_makes_two_that_speak_both_versions_speak_the_older() {
    let mut site = Site::new();
    let sessions = site.scene.broker.status().sessions;
    type Change = fn(&mut Hello);
    let is_1_3 = |suite: &[u8; 2]| suite[0] == 0x13;
    let changes: [(&str, Change); 5] = [
        ("without the versions", |hello| hello.extensions.retain(|(kind, _)| *kind != SUPPORTED_VERSIONS)),
        ("with the older version only", |hello| {
            hello.extensions.iter_mut().filter(|(kind, _)| *kind == SUPPORTED_VERSIONS).for_each(
                |(_, value)| {
                    *value = vec![2, 0xfe, 0xfd];
                },
            );
        }),
        ("with versions that nobody speaks", |hello| {
            hello.extensions.iter_mut().filter(|(kind, _)| *kind == SUPPORTED_VERSIONS).for_each(
                |(_, value)| {
                    *value = vec![4, 0xfe, 0xfb, 0xfe, 0xfd];
                },
            );
        }),
        ("without the newer suites", |hello| hello.suites.retain(|suite| suite[0] != 0x13)),
        ("without anything of the newer", |hello| {
            hello.suites.retain(|suite| suite[0] != 0x13);
            hello.extensions.retain(|(kind, _)| ![41, 42, 43, 44, 45, 49, 51].contains(kind));
        }),
    ];
    for by in ALL {
        // Undisturbed they speak the newer.
        let gate = relay(&site, move |hello| assert!(hello.suites.iter().any(is_1_3)));
        let connected = site.party_by(by).connect(gate.address()).expect("connected");
        assert!(connected.connection.session.is_dtls_1_3());
        connected.connection.close();
        for (what, change) in changes {
            let gate = relay(&site, change);
            let outcome = site.party_by(by).patient(2).connect(gate.address());
            assert!(
                outcome.is_err(),
                "{by:?}, a hello {what}: {:?}",
                outcome.map(|connected| connected.connection)
            );
        }
    }
    site.scene.bystander_works();
    while site.scene.broker.status().sessions > sessions {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Forged answers of the older version in front of the genuine ones: they delay.
#[test]
fn forged_answers_of_the_older_version_only_delay() {
    let mut site = Site::new();
    let message = |kind: u8, number: u8, body: &[u8]| {
        let length = [0, 0, u8::try_from(body.len()).expect("short")];
        record(22, 0, 0, &[&[kind], &length[..], &[0, number, 0, 0, 0], &length, body].concat())
    };
    let server_hello = |random: [u8; 32], suite: u16| {
        message(2, 0, &[&[0xfe, 0xfd][..], &random, &[0], &suite.to_be_bytes(), &[0]].concat())
    };
    let mut marked = [7; 32];
    marked[24..].copy_from_slice(b"DOWNGRD\x01");
    let forgeries = [
        message(3, 0, b"\xfe\xff\x08a cookie"),
        server_hello([7; 32], 0xc0a8),
        server_hello(marked, 0xc0ae),
        record(21, 0, 0, &[2, 70]),
        record(21, 0, 0, &[2, 86]),
    ];
    for by in ALL {
        for (at, forgery) in forgeries.iter().enumerate() {
            for when in 0..2 {
                let forgery = forgery.clone();
                let gate = Gate::new(site.scene.broker.secure(), move |direction, count, datagram| {
                    match direction == Direction::Down && count == when {
                        true => vec![forgery.clone(), datagram],
                        false => vec![datagram],
                    }
                });
                let connected = site.party_by(by).connect(gate.address());
                let connected = connected
                    .unwrap_or_else(|failure| panic!("{by:?} forgery {at} before {when}: {failure}"));
                assert!(connected.connection.session.is_dtls_1_3(), "{by:?} forgery {at} before {when}");
                site.scene.still_works(&mut connected.device());
            }
        }
    }
}

/// Whatever is taken out of the hellos on the way, in whichever version: nobody completes a handshake of it.
#[test]
fn a_hello_that_lost_something_on_the_way_completes_nothing() {
    let site = Site::new();
    std::thread::scope(|scope| {
        for way in WAYS {
            let site = &site;
            scope.spawn(move || {
                // What there is to be taken out.
                let kinds: Arc<Mutex<Vec<u16>>> = Arc::default();
                let seen = kinds.clone();
                let gate = relay(site, move |hello| {
                    *seen.lock().expect("one thread") =
                        hello.extensions.iter().map(|(kind, _)| *kind).collect();
                });
                let offer = || {
                    let mut party = site.party(way).patient(1);
                    party.suites = match way.versions {
                        Versions::ONLY_1_2 => CipherSuite::ALL.to_vec(),
                        _ => vec![
                            CipherSuite::TLS_AES_128_GCM_SHA256,
                            CipherSuite::TLS_AES_128_CCM_SHA256,
                            CipherSuite::TLS_AES_128_CCM_8_SHA256,
                        ],
                    };
                    party
                };
                offer().patient(8).connect(gate.address()).expect("connected").connection.close();
                let kinds = kinds.lock().expect("one thread").clone();
                assert!(kinds.len() >= 3, "{kinds:?}");
                for missing in kinds {
                    let gate =
                        relay(site, move |hello| hello.extensions.retain(|(kind, _)| *kind != missing));
                    let outcome = offer().connect(gate.address());
                    assert!(outcome.is_err(), "{way:?} without extension {missing}");
                }
                // The weakest suite only; another order; one more.
                type Change = fn(&mut Vec<[u8; 2]>);
                let changes: [Change; 3] = [
                    |suites| drop(suites.drain(..suites.len() - 2)),
                    |suites| suites.reverse(),
                    |suites| suites.push([0x00, 0xae]),
                ];
                for (number, change) in changes.into_iter().enumerate() {
                    let gate = relay(site, move |hello| change(&mut hello.suites));
                    let outcome = offer().connect(gate.address());
                    assert!(outcome.is_err(), "{way:?} with changed suites ({number})");
                }
            });
        }
    });
    let mut site = site;
    site.scene.bystander_works();
}

/// The relay makes the server ask for another group, or none that the client has.
#[test]
fn groups_weakened_on_the_way_complete_nothing() {
    const SUPPORTED_GROUPS: u16 = 10;
    let mut site = Site::new();
    for way in WAYS.into_iter().filter(|way| way.by != By::Psk) {
        for groups in [&[0, 2, 0, 29][..], &[0, 2, 0, 24], &[0, 0]] {
            let gate = relay(&site, |hello| {
                hello.extensions.iter_mut().filter(|(kind, _)| *kind == SUPPORTED_GROUPS).for_each(
                    |(_, value)| {
                        *value = groups.to_vec();
                    },
                );
            });
            let mut party = site.party(way).patient(1);
            party.groups = vec![NamedGroup::Secp256r1, NamedGroup::X25519];
            assert!(party.connect(gate.address()).is_err(), "{way:?} {groups:?}");
        }
    }
    let mut victim = site.scene.victim();
    site.scene.still_works(&mut victim);
    assert_eq!(victim.connection().receive(SOON / 50), None);
}
