//! A wire that loses, copies, delays, reorders and corrupts, by seed: whatever it does, each request that was
//! answered was handled exactly once, and afterwards the session still works.

use rand_core::Rng as _;

use super::*;
use crate::{Request, SendError};

/// A datagram under way.
#[derive(Clone)]
struct Flying {
    from: Address,
    /// Where the server sent it; `None` if it is for the server.
    to: Option<Address>,
    datagram: Vec<u8>,
}

struct Wire {
    rng: TestRng,
    flying: Vec<Flying>,
}

impl Wire {
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.next_u32() % 100 < percent
    }

    fn pick(&mut self, len: usize) -> usize {
        self.rng.next_u32() as usize % len
    }

    fn collect(&mut self, world: &mut World) {
        let at = world.device.at;
        for (from, side) in [(at, &mut world.device.out), (SERVER, &mut world.server.out)] {
            for (to, datagram) in side.sent.drain(..).collect::<Vec<_>>() {
                let to = (from == SERVER).then_some(to);
                if self.chance(20) {
                    continue;
                }
                if self.chance(20) {
                    self.flying.push(Flying { from, to, datagram: datagram.clone() });
                }
                if self.chance(20) {
                    let mut damaged = datagram.clone();
                    match self.rng.next_u32() % 3 {
                        0 => damaged.truncate(self.pick(datagram.len())),
                        1 => damaged.extend_from_slice(&datagram[..self.pick(datagram.len())]),
                        _ => {
                            let place = self.pick(damaged.len());
                            damaged[place] ^= 1 << self.pick(8);
                        }
                    }
                    self.flying.push(Flying { from, to, datagram: damaged });
                }
                self.flying.push(Flying { from, to, datagram });
            }
        }
    }

    /// Delivers something in flight, not always the oldest.
    fn deliver(&mut self, world: &mut World) {
        if self.flying.is_empty() {
            return;
        }
        let number = if self.chance(70) { 0 } else { self.pick(self.flying.len()) };
        let Flying { from, to, datagram } = self.flying.remove(number);
        match to {
            Some(to) if to == world.device.at => world.device.take(world.now, SERVER, &datagram),
            // A NAT has forgotten it.
            Some(_) => {}
            None => world.server.take(world.now, from, &datagram),
        }
    }
}

/// Returns how many requests came through while the wire was bad, and how often the session moved.
fn run(seed: u64, versions: Versions) -> (usize, u64) {
    let mut world = World { versions, ..World::new() };
    // Now and then the device has another address, which a NAT gave it.
    let mut addresses = TestRng(!seed);
    let mut wire = Wire { rng: TestRng(seed), flying: Vec::new() };
    let mut session = world.dial();
    let mut number = 0_u32;
    for _ in 0..400 {
        wire.collect(&mut world);
        wire.deliver(&mut world);
        if wire.chance(10) {
            world.tick();
        }
        if world.device.endpoint.path(session).is_none() {
            session = world.dial();
        }
        if addresses.next_u32().is_multiple_of(40) {
            world.device.at = Address(10 + (addresses.next_u32() % 4) as u8);
        }
        // And now and then one side wants new keys.
        match addresses.next_u32() % 80 {
            0 => drop(world.device.endpoint.update_keys(session, &mut world.device.out)),
            1 => {
                let on_server = world.server.endpoint.sessions().next().map(|(session, _)| session);
                let out = &mut world.server.out;
                let _ = on_server.map(|session| world.server.endpoint.update_keys(session, out));
            }
            _ => {}
        }
        let out = &mut world.device.out;
        let sent =
            world.device.endpoint.request(world.now, session, Request::confirmable(Code::PUT), out, |w| {
                w.payload(&number.to_be_bytes());
            });
        match sent {
            Ok(_) => number += 1,
            Err(SendError::Busy | SendError::NotConnected | SendError::Full) => {}
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }

    let requests = world.server.seen.iter().filter_map(|seen| match seen {
        Seen::Request(_, payload) => Some(payload.clone()),
        _ => None,
    });
    let mut handled: Vec<_> = requests.collect();
    let total = handled.len();
    handled.sort();
    handled.dedup();
    assert_eq!(handled.len(), total, "seed {seed}: a request was handled twice");

    // The wire is mended. Whatever is still open comes to its end, and then everything works.
    wire.flying.clear();
    for _ in 0..40 {
        world.settle();
        world.tick();
    }
    if world.device.endpoint.path(session).is_none() {
        session = world.dial();
        world.settle();
    }
    world.device.seen.clear();
    let out = &mut world.device.out;
    let last = world
        .device
        .endpoint
        .request(world.now, session, Request::confirmable(Code::PUT), out, |w| {
            w.payload(b"last");
        })
        .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    world.settle();
    assert_eq!(
        world.device.seen.last(),
        Some(&Seen::Response(last, Code::CHANGED, b"ok".to_vec(), true)),
        "seed {seed}"
    );
    (total, world.server.endpoint.counters().sessions_moved)
}

#[test]
fn nothing_on_the_wire_breaks_a_session() {
    for versions in [Versions::ONLY_1_2, Versions::ONLY_1_3, Versions::ALL] {
        let runs = (0..100).map(|seed| run(seed, versions));
        let (through, moved) = runs.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        assert!(
            through > 1_000 && moved > 200,
            "{through} requests and {moved} moves are too few to have tried anything: {versions:?}"
        );
    }
}
