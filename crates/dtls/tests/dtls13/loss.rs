//! Handshakes over a link that loses, doubles, delays and swaps datagrams.

use sedge_crypto::Rng;
use sedge_dtls::*;
use sedge_time::Duration;

use crate::handshake::{anonymous, mutual};
use crate::party::*;
use crate::world::*;

/// Setups whose flights are one datagram each, and whose flights are cut into many.
fn setups() -> Vec<Setup> {
    let narrow = Transport { mtu: 260, ..Transport::default() };
    let kind = CertificateType::RawPublicKey;
    vec![
        Setup::psk(),
        anonymous(kind),
        mutual(kind, kind),
        Setup { client_transport: narrow, server_transport: narrow, ..mutual(kind, CertificateType::X509) },
    ]
}

#[track_caller]
fn run(setup: &Setup, fate: impl FnMut(usize, Direction, &[u8]) -> Vec<Duration> + 'static) -> World {
    let mut world = World::new(setup.clone());
    world.fate = Box::new(fate);
    world.run();
    world.assert_established();
    world.fate = Box::new(undisturbed);
    world.exchange_data();
    world
}

#[test]
fn any_one_datagram_may_be_lost() {
    for setup in setups() {
        let count = run(&setup, undisturbed).trace.len();
        for lost in 0..count {
            let _ = run(&setup, move |index, _, _| if index == lost { vec![] } else { vec![LATENCY] });
        }
    }
}

#[test]
fn any_two_datagrams_may_be_lost() {
    for setup in setups() {
        let count = run(&setup, undisturbed).trace.len();
        for first in 0..count {
            for second in first + 1..count + 2 {
                let _ = run(
                    &setup,
                    move |index, _, _| {
                        if index == first || index == second { vec![] } else { vec![LATENCY] }
                    },
                );
            }
        }
    }
}

#[test]
fn any_datagram_may_come_twice() {
    for setup in setups() {
        let count = run(&setup, undisturbed).trace.len();
        for twice in 0..count {
            for later in [1, 15, 400, 700, 3_000] {
                let again = LATENCY + Duration::from_millis(later);
                let _ = run(
                    &setup,
                    move |index, _, _| {
                        if index == twice { vec![LATENCY, again] } else { vec![LATENCY] }
                    },
                );
            }
        }
    }
}

#[test]
fn any_two_neighbours_may_be_swapped() {
    for setup in setups() {
        let count = run(&setup, undisturbed).trace.len();
        for late in 0..count {
            for by in [1, 25, 1_100] {
                let delay = LATENCY + Duration::from_millis(by);
                let _ = run(&setup, move |index, _, _| vec![if index == late { delay } else { LATENCY }]);
            }
        }
    }
}

/// RFC 9147 section 7.1: what has arrived is not sent again, and what has not is asked for before any timer of a
/// whole second runs out.
#[test]
fn only_what_was_lost_is_sent_again_and_soon() {
    let setup = setups().pop().unwrap();
    let clean = World::established(setup.clone());
    let datagrams = clean.trace.len();
    let bytes: usize = clean.trace.iter().map(|(_, datagram)| datagram.len()).sum();
    let start = World::new(setup.clone()).now;
    for lost in 4..datagrams - 1 {
        let mut world = World::new(setup.clone());
        world.fate = Box::new(move |index, _, _| if index == lost { vec![] } else { vec![LATENCY] });
        world.run();
        world.assert_established();
        let took = world.now.saturating_since(start);
        let again: usize = world.trace.iter().map(|(_, datagram)| datagram.len()).sum::<usize>() - bytes;
        // One datagram again, perhaps its neighbour that came too early, and ACKs.
        assert!(again <= 2 * 260 + 2 * 120, "{again} bytes more without datagram {lost}");
        assert!(took < Duration::from_millis(1300), "{took:?} without datagram {lost}");
    }
}

/// The client's last flight has to be acknowledged: whoever loses the ACK gets it again from the session alone.
#[test]
fn the_last_ack_is_sent_again_by_the_session() {
    for setup in setups() {
        let mut lost = 0;
        let mut world = World::new(setup);
        world.fate = Box::new(move |_, direction, datagram| {
            // Epoch 3: its low bits are 3.
            if direction == Direction::ToClient && datagram[0] & 0xe3 == 0x23 && lost < 3 {
                lost += 1;
                return vec![];
            }
            vec![LATENCY]
        });
        world.run();
        world.assert_established();
        let acks = world
            .trace
            .iter()
            .filter(|(direction, datagram)| *direction == Direction::ToClient && datagram[0] & 0xe3 == 0x23);
        assert!(acks.count() >= 4);
        world.exchange_data();
    }
}

/// Random weather with a fixed seed: a third lost, some doubled, all delayed differently.
#[test]
fn handshakes_survive_storms() {
    let (mut established, mut count) = (0, 0);
    for seed in 0..100 {
        for setup in setups() {
            count += 1;
            let mut rng = TestRng(seed);
            let mut roll = move || rng.next_u32() % 100;
            let mut world = World::new(Setup { seed: seed + 1, ..setup.clone() });
            world.fate = Box::new(move |_, _, _| {
                let copies = match roll() {
                    0..30 => 0,
                    30..90 => 1,
                    _ => 2,
                };
                (0..copies).map(|_| Duration::from_millis(u64::from(roll()) * 8)).collect()
            });
            world.run();
            if world.client.is_established() {
                assert!(world.server.is_established());
                world.fate = Box::new(undisturbed);
                world.exchange_data();
                established += 1;
            } else {
                assert_eq!(world.client.failure(), Some(Failure::TimedOut));
            }
        }
    }
    assert!(established * 100 > count * 85, "only {established} of {count}");
}

/// Setups in which some flight takes many datagrams.
fn long_setups() -> Vec<Setup> {
    let narrow = Transport { mtu: 260, ..Transport::default() };
    let long = |key| Party { certificate_len: 450, ..Party::new() }.shows(CertificateType::X509, key);
    let (server, client) = (long(SERVER_KEY), long(CLIENT_KEY));
    let kind = CertificateType::X509;
    let both = Setup::new(
        client.believes(kind, SERVER_KEY, SERVER_PRINCIPAL),
        server.believes(kind, CLIENT_KEY, KEY_PRINCIPAL),
    );
    [both, mutual(CertificateType::RawPublicKey, kind)]
        .map(|setup| Setup { client_transport: narrow, server_transport: narrow, ..setup })
        .to_vec()
}

/// RFC 9147 section 5.2: what overtakes its predecessors waits for them, the ServerHello included: in whatever order the
/// datagrams of a flight come, nothing is sent again, and no ACK is needed.
#[test]
fn a_flight_in_any_order_needs_nothing_again() {
    for setup in long_setups() {
        let clean = World::established(setup.clone());
        let flights = |world: &World| -> Vec<(Direction, usize)> {
            world.trace.iter().map(|(direction, datagram)| (*direction, datagram.len())).collect()
        };
        let expected = flights(&clean);
        assert!(expected.len() >= 10, "{expected:?}");
        for seed in 0..60 {
            let mut rng = TestRng(seed);
            let world = run_only(&setup, move |_, _, _| {
                vec![LATENCY + Duration::from_millis(u64::from(rng.next_u32() % 40))]
            });
            assert_eq!(flights(&world), expected, "seed {seed}: {:?}", world.discards);
        }
        // Each datagram alone, far behind all the others, but before anybody loses patience.
        for late in 0..expected.len() {
            let world = run_only(&setup, move |index, _, _| {
                vec![if index == late { LATENCY + Duration::from_millis(120) } else { LATENCY }]
            });
            assert_eq!(flights(&world), expected, "datagram {late}: {:?}", world.discards);
        }
    }
}

/// RFC 9147 section 7: what waits for its turn is acknowledged, so that only what was lost is sent again, in the middle
/// of a long flight too.
#[test]
fn what_came_behind_a_loss_is_not_sent_again() {
    let setup = long_setups().remove(0);
    let clean = World::established(setup.clone());
    let bytes = |world: &World| -> usize { world.trace.iter().map(|(_, datagram)| datagram.len()).sum() };
    let flight: Vec<usize> = (0..clean.trace.len()).filter(|&at| clean.trace[at].1.len() > 200).collect();
    let first_of_certificate = 1;
    let mut spared = 0;
    for lost in flight.into_iter().skip(first_of_certificate) {
        let world = run_only(&setup, move |index, _, _| if index == lost { vec![] } else { vec![LATENCY] });
        let again = bytes(&world) - bytes(&clean);
        if again <= 260 + 150 {
            spared += 1;
        }
    }
    assert!(spared >= 5, "{spared}");
}

#[track_caller]
fn run_only(setup: &Setup, fate: impl FnMut(usize, Direction, &[u8]) -> Vec<Duration> + 'static) -> World {
    let mut world = World::new(setup.clone());
    world.fate = Box::new(fate);
    world.run();
    world.assert_established();
    world
}
