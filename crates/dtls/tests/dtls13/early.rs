//! Clients that do not wait for the ACK of their last flight (RFC 9147 section 5.7).

use sedge_dtls::*;
use sedge_time::Duration;

use crate::handshake::mutual;
use crate::world::*;

fn early(setup: &Setup) -> World {
    let mut world = World::new(setup.clone());
    world.early = true;
    world
}

fn setups() -> Vec<Setup> {
    let narrow = Transport { mtu: 260, ..Transport::default() };
    let kind = CertificateType::X509;
    let many = Setup { client_transport: narrow, server_transport: narrow, ..mutual(kind, kind) };
    vec![Setup::psk(), Setup::psk_dhe(), mutual(kind, kind), many]
}

/// Data travels right behind the last flight: the answer is there when otherwise the ACK would have been.
#[test]
fn data_goes_out_with_the_last_flight() {
    for setup in setups() {
        let mut world = early(&setup);
        while !world.client.is_established() {
            world.run_for(Duration::from_millis(1));
        }
        assert!(!world.server.is_established());
        assert!(world.lingering.is_some());
        let request = world.seal(Direction::ToServer, b"request");
        world.send(Direction::ToServer, request);
        world.run_for(LATENCY);
        assert_eq!(world.received, [(Direction::ToServer, b"request".to_vec())], "{:?}", world.discards);
        let answer = world.seal(Direction::ToClient, b"answer");
        world.send(Direction::ToClient, answer);
        world.run_for(LATENCY);
        assert_eq!(world.received.last(), Some(&(Direction::ToClient, b"answer".to_vec())));
        assert!(world.lingering.is_none(), "the ACK came before it");
        assert_eq!(world.discards, []);
    }
}

/// The last flight is sent again until it has arrived, whatever is lost, and data goes both ways then.
#[test]
fn the_last_flight_is_sent_again_until_it_has_arrived() {
    for setup in setups() {
        let count = World::established(setup.clone()).trace.len();
        for first in 0..count {
            for second in first..count + 2 {
                let mut world = early(&setup);
                world.fate = Box::new(move |index, _, _| match index == first || index == second {
                    true => vec![],
                    false => vec![LATENCY],
                });
                world.run();
                world.assert_established();
                assert!(world.lingering.is_none());
                world.fate = Box::new(undisturbed);
                world.exchange_data();
            }
        }
    }
}

/// Whom the server does not believe learns of it, if later than otherwise.
#[test]
fn a_refusal_ends_what_began_early() {
    let kind = CertificateType::RawPublicKey;
    let mut setup = mutual(kind, kind);
    setup.server.peer.0 = 0x77;
    let mut world = early(&setup);
    let mut began = false;
    while world.client.failure().is_none() && world.now.as_micros() < 60_000_000 {
        world.run_for(Duration::from_millis(1));
        began |= world.client.is_established();
    }
    assert!(began);
    assert_eq!(world.client.failure(), Some(Failure::Refused(AlertDescription::BAD_CERTIFICATE)));
    assert!(world.lingering.is_none());
}
