//! A wire that loses, copies, delays, reorders and corrupts, by seed: whatever it does, each request that was
//! answered was handled exactly once, and afterwards the session still works.

use rand_core::Rng as _;

use super::*;
use crate::{Request, SendError};

struct Wire {
    rng: TestRng,
    /// (from the device, datagram)
    flying: Vec<(bool, Vec<u8>)>,
}

impl Wire {
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.next_u32() % 100 < percent
    }

    fn pick(&mut self, len: usize) -> usize {
        self.rng.next_u32() as usize % len
    }

    fn collect(&mut self, world: &mut World) {
        for (from_device, side) in [(true, &mut world.device.out), (false, &mut world.server.out)] {
            for (_, datagram) in side.sent.drain(..).collect::<Vec<_>>() {
                if self.chance(20) {
                    continue;
                }
                if self.chance(20) {
                    self.flying.push((from_device, datagram.clone()));
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
                    self.flying.push((from_device, damaged));
                }
                self.flying.push((from_device, datagram));
            }
        }
    }

    /// Delivers something in flight, not always the oldest.
    fn deliver(&mut self, world: &mut World) {
        if self.flying.is_empty() {
            return;
        }
        let number = if self.chance(70) { 0 } else { self.pick(self.flying.len()) };
        let (from_device, datagram) = self.flying.remove(number);
        if from_device {
            world.server.take(world.now, DEVICE, &datagram);
        } else {
            world.device.take(world.now, SERVER, &datagram);
        }
    }
}

/// Returns how many requests came through while the wire was bad.
fn run(seed: u64) -> usize {
    let mut world = World::new();
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
    total
}

#[test]
fn nothing_on_the_wire_breaks_a_session() {
    let through: usize = (0..300).map(run).sum();
    assert!(through > 3_000, "{through} requests are too few to have tried anything");
}
