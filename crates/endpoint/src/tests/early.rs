//! Clients whose session begins with their last flight (RFC 9147 section 5.7).

use super::*;
use crate::Request;

impl World {
    fn deliver_to_server(&mut self) {
        for (_, datagram) in std::mem::take(&mut self.device.out.sent) {
            self.server.take(self.now, DEVICE, &datagram);
        }
    }

    fn deliver_to_device(&mut self) {
        for (_, datagram) in std::mem::take(&mut self.server.out.sent) {
            self.device.take(self.now, SERVER, &datagram);
        }
    }

    /// The device sends a request as soon as it is connected.
    fn request_when_connected(&mut self) {
        if let [Seen::Connected(session, ..)] = self.device.seen[..] {
            let (now, out) = (self.now, &mut self.device.out);
            let request = Request::confirmable(Code::PUT);
            let _ = self.device.endpoint.request(now, session, request, out, |_| {}).unwrap();
            self.device.seen.push(Seen::Other("asked".into()));
        }
    }

    fn is_answered(&self) -> bool {
        self.device.seen.iter().any(|seen| matches!(seen, Seen::Response(_, Code::CHANGED, _, true)))
    }

    fn requests(&self) -> usize {
        self.server.seen.iter().filter(|seen| matches!(seen, Seen::Request(..))).count()
    }
}

/// Round trips from the first ClientHello to the answer to the first request, one of them for the cookie.
fn round_trips(versions: Versions) -> usize {
    let mut world = World { versions, ..World::new() };
    let _session = world.dial();
    for round in 1.. {
        world.deliver_to_server();
        world.deliver_to_device();
        world.request_when_connected();
        if world.is_answered() {
            assert_eq!(world.device.endpoint.handshakes_under_way(), 0, "the ACK came with the answer");
            return round;
        }
    }
    unreachable!()
}

#[test]
fn the_first_request_travels_with_the_last_flight() {
    assert_eq!(round_trips(Versions::ONLY_1_2), 4);
    assert_eq!(round_trips(Versions::ONLY_1_3), 3);
    assert_eq!(round_trips(Versions::ALL), 3);
}

#[test]
fn the_last_flight_is_sent_again_until_it_has_arrived() {
    for copies in [0, 2] {
        for (first, second) in (0..8).flat_map(|first| (first..10).map(move |second| (first, second))) {
            let mut world = World { versions: Versions::ONLY_1_3, ..World::new() };
            let _session = world.dial();
            let mut count = 0;
            for _ in 0..40 {
                while !(world.device.out.sent.is_empty() && world.server.out.sent.is_empty()) {
                    world.settle_through(|_, datagram| {
                        count += 1;
                        let hit = count - 1 == first || count - 1 == second;
                        std::vec![datagram; if hit { copies } else { 1 }]
                    });
                    world.request_when_connected();
                }
                let at_rest = world.device.endpoint.handshakes_under_way() == 0;
                if world.is_answered() && at_rest {
                    break;
                }
                world.tick();
            }
            let which = std::format!("{copies} copies of {first} and {second}");
            assert!(world.is_answered(), "{which}: {:?}", world.device.seen);
            assert_eq!(world.requests(), 1, "{which}");
            assert_eq!(world.device.endpoint.handshakes_under_way(), 0, "{which}");
            assert!(matches!(world.server.seen[0], Seen::Connected(_, PRINCIPAL, None)), "{which}");
        }
    }
}

/// Whom the server does not believe learns of it, if later than otherwise.
#[test]
fn a_refused_certificate_ends_the_session_that_began() {
    let mut world = World { versions: Versions::ONLY_1_3, ..World::new() };
    world.device.out.by_key = Some(KeyPair::new(1, true));
    world.server.out.by_key = Some(KeyPair::new(2, false));
    let session = world.dial();
    world.settle();
    let reason = CloseReason::HandshakeFailed(AlertDescription::BAD_CERTIFICATE);
    assert_eq!(world.device.seen, [Seen::Connected(session, PRINCIPAL, None), Seen::Closed(session, reason)]);
    assert_eq!(world.device.endpoint.session_count() + world.device.endpoint.handshakes_under_way(), 0);
    // With the right key all is well.
    world.device.seen.clear();
    world.server.out.by_key = Some(KeyPair::new(2, true));
    let session = world.dial();
    world.settle();
    assert_eq!(world.device.seen, [Seen::Connected(session, PRINCIPAL, None)]);
    assert_eq!(world.device.endpoint.handshakes_under_way(), 0);
}

/// The server has gone while the last flight was under way.
#[test]
fn a_last_flight_that_never_arrives_ends_the_session() {
    let mut world = World { versions: Versions::ONLY_1_3, ..World::new() };
    let session = world.dial();
    while world.device.seen.is_empty() {
        world.deliver_to_server();
        world.deliver_to_device();
    }
    let mut lost = 0;
    while world.device.seen.len() < 2 {
        lost += std::mem::take(&mut world.device.out.sent).len();
        world.server.out.sent.clear();
        world.tick();
    }
    assert!(lost > 3, "{lost}");
    assert_eq!(world.device.seen[1], Seen::Closed(session, CloseReason::HandshakeTimeout));
    assert_eq!(world.device.endpoint.session_count() + world.device.endpoint.handshakes_under_way(), 0);
}

/// The session waits until the host has taken all of the flight.
#[test]
fn the_session_does_not_overtake_the_flight() {
    let mut world = World { versions: Versions::ONLY_1_3, ..World::new() };
    let session = world.dial();
    while world.server.endpoint.handshakes_under_way() == 0 {
        world.deliver_to_device();
        world.deliver_to_server();
    }
    world.device.out.refuse = usize::MAX;
    world.deliver_to_device();
    world.device.out.refuse = 0;
    assert!(world.device.seen.is_empty() && world.device.out.sent.is_empty());
    assert!(world.device.endpoint.continue_handshake(world.now, session, &mut world.device.out));
    assert!(world.device.seen.is_empty());
    assert_eq!(world.device.endpoint.deadline(), Some(world.now));
    while let Some(event) = world.device.endpoint.expire(world.now, &mut world.device.out) {
        assert!(matches!(event, Event::Connected { .. }), "{event:?}");
        world.device.seen.push(Seen::Connected(session, 0, None));
    }
    assert_eq!(world.device.seen.len(), 1);
    world.request_when_connected();
    world.settle();
    assert!(world.is_answered());
}

#[test]
fn a_goodbye_ends_the_handshake_too() {
    let mut world = World { versions: Versions::ONLY_1_3, ..World::new() };
    let session = world.dial();
    while world.device.seen.is_empty() {
        world.deliver_to_server();
        world.deliver_to_device();
    }
    assert_eq!(world.device.endpoint.handshakes_under_way(), 1);
    assert!(world.device.endpoint.close(session, &mut world.device.out));
    assert_eq!(world.device.endpoint.handshakes_under_way(), 0);
    world.settle();
    world.tick();
    assert!(world.device.out.sent.is_empty());
}
