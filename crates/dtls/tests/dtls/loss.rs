//! Handshakes over a link that loses, doubles, delays and swaps datagrams.

use sedge_dtls::*;
use sedge_time::Duration;

use crate::handshake::exchange_data;
use crate::support::*;
use crate::world::*;

/// Setups whose flights are one datagram each, and whose flights are cut into many.
fn setups() -> [Setup; 2] {
    let narrow = Transport { mtu: Transport::MIN_MTU, ..Transport::default() };
    [
        Setup::default(),
        Setup { client: narrow, server: narrow, identity: LONG_IDENTITY.to_vec(), ..Setup::default() },
    ]
}

fn run(setup: &Setup, fate: impl FnMut(usize, Direction, &[u8]) -> Vec<Duration> + 'static) -> World {
    let mut world = World::new(setup.clone());
    world.fate = Box::new(fate);
    world.run();
    let outcome = (world.client.is_established(), world.server.is_established());
    assert_eq!(outcome, (true, true), "client and server; {:?}", world.discards);
    world.fate = Box::new(undisturbed);
    exchange_data(&mut world);
    world
}

#[test]
fn any_one_datagram_may_be_lost() {
    for setup in setups() {
        let count = run(&setup, undisturbed).trace.len() - 3;
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
            for second in first + 1..count + 3 {
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

/// The last flight is the server's: whoever loses it must get it again from the session alone.
#[test]
fn the_last_flight_is_sent_again_by_the_session() {
    let mut lost = 0;
    let mut world = World::new(Setup::default());
    world.fate = Box::new(move |_, direction, datagram| {
        let last_flight =
            direction == Direction::ToClient && datagram[0] == ContentType::CHANGE_CIPHER_SPEC.0;
        if last_flight && lost < 3 {
            lost += 1;
            return vec![];
        }
        vec![LATENCY]
    });
    world.run();
    assert!(world.client.is_established());
    let flights: Vec<_> =
        world.trace.iter().filter(|(_, datagram)| datagram[0] == ContentType::CHANGE_CIPHER_SPEC.0).collect();
    assert_eq!(flights.len(), 4);
    let mut numbers: Vec<_> = flights.iter().map(|(_, datagram)| &datagram[3..11]).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), 4, "every copy has its own record number");
    exchange_data(&mut world);
}

/// Random weather with a fixed seed: a third lost, some doubled, all delayed differently.
#[test]
fn handshakes_survive_storms() {
    let mut established = 0;
    for seed in 0..200 {
        for setup in setups() {
            let mut rng = TestRng(seed);
            let mut roll = move || {
                use sedge_crypto::Rng;
                rng.next_u32() % 100
            };
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
                exchange_data(&mut world);
                established += 1;
            } else {
                assert!(matches!(world.client, Peer::Failed(Failure::TimedOut)));
            }
        }
    }
    assert!(established > 360, "only {established} of 400");
}
