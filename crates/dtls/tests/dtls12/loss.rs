//! Handshakes over links that lose, double, delay and swap datagrams.

use sedge_dtls::*;
use sedge_time::Duration;

use crate::handshake::Case;
use crate::support::{Direction, Fate, LATENCY, TestRng, losing, undisturbed};
use crate::world::{Setup, World};

/// Every shape, in few long datagrams and in many short ones.
fn worlds() -> Vec<impl Fn() -> World> {
    let mut worlds = Vec::new();
    for case in Case::shapes() {
        for mtu in [1152, 200] {
            worlds.push(move || {
                let (client, server) = case.parties();
                let transport = Transport { mtu, ..Transport::default() };
                World::new(Setup { transport, ..case.setup() }, client, server)
            });
        }
    }
    worlds
}

fn run(world: &impl Fn() -> World, fate: Fate) -> World {
    let mut world = world();
    world.fate = fate;
    world.run();
    world.assert_established();
    world
}

#[test]
fn any_one_datagram_may_be_lost() {
    for world in worlds() {
        let count = run(&world, Box::new(undisturbed)).trace.len();
        for lost in 0..count {
            let _ = run(&world, losing(move |index| index == lost));
        }
    }
}

#[test]
fn any_datagram_may_come_twice() {
    for world in worlds() {
        let count = run(&world, Box::new(undisturbed)).trace.len();
        for twice in 0..count {
            for later in [1, 700] {
                let again = LATENCY + Duration::from_millis(later);
                let fate = move |index, _: Direction, _: &[u8]| {
                    if index == twice { vec![LATENCY, again] } else { vec![LATENCY] }
                };
                let _ = run(&world, Box::new(fate));
            }
        }
    }
}

#[test]
fn any_datagram_may_come_late() {
    for world in worlds() {
        let count = run(&world, Box::new(undisturbed)).trace.len();
        for late in 0..count {
            for by in [1, 25, 1_100] {
                let delay = LATENCY + Duration::from_millis(by);
                let fate =
                    move |index, _: Direction, _: &[u8]| vec![if index == late { delay } else { LATENCY }];
                let _ = run(&world, Box::new(fate));
            }
        }
    }
}

/// Random weather with a fixed seed: a quarter lost, some doubled, all delayed differently.
#[test]
fn handshakes_survive_storms() {
    use sedge_crypto::Rng;
    let (mut established, mut tried) = (0, 0);
    for world in worlds() {
        for seed in 0..12 {
            let mut rng = TestRng(seed);
            let mut roll = move || rng.next_u32() % 100;
            let mut world = world();
            world.fate = Box::new(move |_, _, _| {
                let copies = match roll() {
                    0..25 => 0,
                    25..90 => 1,
                    _ => 2,
                };
                (0..copies).map(|_| Duration::from_millis(u64::from(roll()) * 4)).collect()
            });
            world.run();
            tried += 1;
            if world.client.is_established() {
                world.assert_established();
                established += 1;
            }
        }
    }
    println!("{established} of {tried}");
    assert!(established * 10 >= tried * 8, "only {established} of {tried}");
}

/// Messages that overtake each other wait for those before them: no turn of the timer is lost, in whatever order the
/// server's flight comes, as long as each message is whole.
#[test]
fn a_flight_in_any_order_costs_no_turn_of_the_timer() {
    let world = || {
        let (client, server) = Case::shapes()[3].parties();
        let transport = Transport { mtu: 256, ..Transport::default() };
        World::new(Setup { transport, ..Case::shapes()[3].setup() }, client, server)
    };
    let start = world().now;
    let mut flight = world();
    flight.run();
    let of_server = |(direction, datagram): &(Direction, Vec<u8>)| {
        *direction == Direction::ToClient && datagram[0] == ContentType::HANDSHAKE.0
    };
    let count = flight.trace.iter().filter(|sent| of_server(sent)).count() - 1;
    assert!(count >= 2, "{count}");
    for shuffle in 0..24usize {
        let mut world = world();
        world.fate = Box::new(move |index, direction, _| {
            // Three places, every order of them and more.
            let delay = [1, 9, 5, 3, 7, 2][(index * 5 + shuffle) % 6] * (shuffle as u64 % 4 + 1);
            let late = if direction == Direction::ToClient { delay } else { 0 };
            vec![LATENCY + Duration::from_millis(late)]
        });
        world.run();
        world.assert_established();
        let took = world.now.saturating_since(start);
        assert!(took < Duration::from_millis(900), "{shuffle}: {} ms", took.as_millis());
    }
}

/// To lose a datagram costs one turn of the timer: never more.
#[test]
fn losing_one_datagram_costs_one_turn_of_the_timer() {
    for world in worlds() {
        let undisturbed = run(&world, Box::new(undisturbed));
        let start = world().now;
        for lost in 0..undisturbed.trace.len() {
            let mut world = world();
            world.fate = losing(move |index| index == lost);
            world.run();
            let took = world.now.saturating_since(start);
            assert!(took <= Duration::from_millis(1_200), "{lost}: {} ms", took.as_millis());
        }
    }
}
