//! Sessions: handshakes under loss, moves, replacements, refusals, forgeries.

use super::*;

#[test]
fn a_device_connects_and_is_known() {
    let mut world = World::new();
    let session = world.dial();
    world.settle();
    assert_eq!(world.device.seen, [Seen::Connected(session, 0, None)]);
    assert!(matches!(world.server.seen[..], [Seen::Connected(_, PRINCIPAL, None)]));
    assert_eq!(world.server.endpoint.sessions().count(), 1);
    assert_eq!(world.server.endpoint.counters().cookies_sent, 1);
    assert_eq!(world.server.endpoint.handshakes_under_way(), 0, "a finished handshake leaves nothing behind");
    assert_eq!(world.device.endpoint.handshakes_under_way(), 0);
}

#[test]
fn a_handshake_survives_the_loss_and_the_copy_of_any_datagram() {
    let both = [Versions::ONLY_1_2, Versions::ONLY_1_3, Versions::ALL];
    for (copies, versions) in [0, 2].into_iter().flat_map(|copies| both.map(|versions| (copies, versions))) {
        for victim in 0..8 {
            let mut world = World { versions, ..World::new() };
            let _session = world.dial();
            let mut count = 0;
            for _ in 0..12 {
                world.settle_through(|_, datagram| {
                    count += 1;
                    if count == victim + 1 { std::vec![datagram; copies] } else { std::vec![datagram] }
                });
                if !world.device.seen.is_empty() && !world.server.seen.is_empty() {
                    break;
                }
                world.tick();
            }
            assert!(
                matches!(world.device.seen[..], [Seen::Connected(..)]),
                "victim {victim}, copies {copies}, {versions:?}"
            );
            assert!(
                matches!(world.server.seen[..], [Seen::Connected(..)]),
                "victim {victim}, copies {copies}, {versions:?}"
            );
        }
    }
}

#[test]
fn wrong_key_and_unknown_identity_look_the_same() {
    let trace = |identity: &[u8], key: u8, versions: Versions| {
        let mut world = World { versions, ..World::new() };
        (world.device.out.identity, world.device.out.key) =
            (identity.to_vec(), Psk::new(&[key; 16]).unwrap());
        let connect = Connect { versions, ..Connect::default() };
        let _ = world.device.endpoint.connect(world.now, SERVER, &connect, &mut world.device.out).unwrap();
        for _ in 0..40 {
            world.settle();
            if world.server.endpoint.deadline().or(world.device.endpoint.deadline()).is_none() {
                break;
            }
            world.tick();
        }
        assert!(matches!(world.device.seen[..], [Seen::Closed(..)]), "{:?}", world.device.seen);
        assert_eq!(world.server.endpoint.session_count(), 0);
        assert_eq!(world.server.endpoint.handshakes_under_way(), 0);
        world.wire.iter().map(|(side, bytes)| (*side, bytes.len(), bytes[0])).collect::<Vec<_>>()
    };
    for versions in [Versions::ONLY_1_2, Versions::ONLY_1_3] {
        assert_eq!(trace(IDENTITY, 0x11, versions), trace(b"device-8", 0x5e, versions), "{versions:?}");
    }
}

#[test]
fn a_session_with_a_connection_id_follows_its_peer_but_not_an_old_record() {
    let (mut world, session, on_server) = World::connected_with(Versions::ONLY_1_2, |config| {
        config.path_validation.procedure = crate::Procedure::Basic;
    });
    let request = crate::Request::confirmable(Code::PUT);
    let old = {
        let _ = world
            .device
            .endpoint
            .request(world.now, session, request, &mut world.device.out, |w| {
                w.payload(b"1");
            })
            .unwrap();
        world.device.out.sent.pop_front().unwrap().1
    };
    world.pass(Duration::from_secs(3));
    world.device.at = Address(9);
    world.settle();
    assert_eq!(world.server.endpoint.path(on_server), Some(Address(9)));
    assert_eq!(world.server.endpoint.counters().sessions_moved, 1);
    assert_eq!(world.server.endpoint.counters().handshakes_completed, 1);
    assert!(matches!(world.device.seen[..], [Seen::Response(_, Code::CHANGED, _, true)]));

    // The first copy of the request comes late, and from somewhere else: authentic, but not newer.
    world.server.take(world.now, Address(66), &old);
    assert_eq!(world.server.endpoint.path(on_server), Some(Address(9)));
    let requests = world.server.seen.iter().filter(|seen| matches!(seen, Seen::Request(..)));
    assert_eq!(requests.count(), 1, "the same message twice is one request");
    let counters = world.server.endpoint.counters();
    assert_eq!(counters.path_validations_started, 1, "an old record is no reason to ask anybody");
}

#[test]
fn forgeries_and_junk_change_nothing() {
    let (mut world, session, on_server) = World::connected();
    let junk: [&[u8]; 9] = [
        b"",
        b"\x15",
        // A plaintext fatal alert, plaintext application data, an unknown content type, an alert of epoch 1.
        b"\x15\xfe\xfd\0\0\0\0\0\0\0\x09\0\x02\x02\x28",
        b"\x17\xfe\xfd\0\0\0\0\0\0\0\x09\0\x02\x40\x01",
        b"\x63\xfe\xfd\0\x01\0\0\0\0\0\x09\0\x02\x02\x28",
        b"\x15\xfe\xfd\0\x01\0\0\0\0\0\x09\0\x12\0\x01\0\0\0\0\0\x09aaaaaaaaaa",
        // A record with too short a body, a truncated one, a ClientHello of nothing.
        b"\x17\xfe\xfd\0\x01\0\0\0\0\0\x09\0\x08aaaaaaaa",
        b"\x17\xfe\xfd\0\x01\0\0\0",
        b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x0c\x01\0\0\0\0\0\0\0\0\0\0\0",
    ];
    for (number, datagram) in junk.iter().enumerate() {
        world.server.take(world.now, DEVICE, datagram);
        world.server.take(world.now, Address(66), datagram);
        world.device.take(world.now, SERVER, datagram);
        assert!(world.server.seen.is_empty() && world.device.seen.is_empty(), "junk {number}");
        assert!(world.server.out.sent.is_empty() && world.device.out.sent.is_empty(), "junk {number}");
    }
    let request = crate::Request::confirmable(Code::PUT);
    let _ =
        world.device.endpoint.request(world.now, session, request, &mut world.device.out, |_| {}).unwrap();
    world.settle();
    assert!(matches!(world.device.seen[..], [Seen::Response(_, Code::CHANGED, _, true)]));
    assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE));
}

#[test]
fn a_device_that_forgot_everything_replaces_its_session_only_with_proof() {
    let (mut world, _, before) = World::connected();
    // The device restarts: same address, no memory. An attacker's attempt first, without the key.
    let restart = |seed| {
        let endpoint = Endpoint::new(
            Instant::EPOCH,
            Config::default(),
            RustCrypto,
            TestRng(seed),
            crate::Parts::default(),
        );
        side::<Device>(endpoint, DEVICE, None)
    };
    world.device = restart(50);
    let _ = world.dial_with(&Psk::new(b"guess").unwrap());
    world.settle();
    assert!(world.server.endpoint.path(before).is_some(), "the old session goes on");
    assert_eq!(world.server.endpoint.session_count(), 2);

    world.device = restart(51);
    let _ = world.dial();
    world.settle();
    assert!(matches!(world.server.seen[..], [Seen::Connected(_, PRINCIPAL, Some(old))] if old == before));
    assert_eq!(world.server.endpoint.session_count(), 1);
}

#[test]
fn an_abandoned_attempt_leaves_the_old_session_reachable() {
    [Versions::ONLY_1_2, Versions::ONLY_1_3].into_iter().for_each(abandon_an_attempt);
}

fn abandon_an_attempt(versions: Versions) {
    // Without a Connection ID, so that only the path leads to the session.
    let mut world = World { versions, ..World::with_config(|config| config.cid = CidLayout::NONE) };
    let session = world.dial();
    world.settle();
    world.server.seen.clear();
    // With a wrong key DTLS 1.3 ends at the ClientHello already; so there the attempt has the right one and stops.
    let (key, rounds) = match versions {
        Versions::ONLY_1_2 => (Psk::new(b"guess").unwrap(), 6),
        _ => (psk(), 2),
    };
    let mut stranger = Outbox { key, ..Outbox::default() };
    let endpoint = Endpoint::<Device>::new(
        world.now,
        Config::default(),
        RustCrypto,
        TestRng(50),
        crate::Parts::default(),
    );
    let mut thief = side(endpoint, DEVICE, None);
    thief.out.key = stranger.key.clone();
    let connect = Connect { versions, ..Connect::default() };
    let _ = thief.endpoint.connect(world.now, SERVER, &connect, &mut stranger).unwrap();
    // The thief sends from the device's own address and hears the answers.
    for _ in 0..rounds {
        while let Some((_, datagram)) = stranger.sent.pop_front() {
            world.server.take(world.now, DEVICE, &datagram);
        }
        while let Some((_, datagram)) = world.server.out.sent.pop_front() {
            thief.take(world.now, SERVER, &datagram);
        }
        stranger.sent.extend(thief.out.sent.drain(..));
    }
    assert_eq!(world.server.endpoint.session_count(), 2);

    let request = crate::Request::confirmable(Code::PUT);
    let put = |world: &mut World| {
        let _ = world
            .device
            .endpoint
            .request(world.now, session, request, &mut world.device.out, |_| {})
            .unwrap();
        world.settle();
    };
    put(&mut world);
    assert_eq!(world.server.seen.len(), 1, "data goes to the old session while the attempt is under way");
    while world.server.endpoint.handshakes_under_way() > 0 {
        world.tick();
    }
    put(&mut world);
    assert_eq!(world.server.endpoint.session_count(), 1);
    assert_eq!(world.server.seen.iter().filter(|seen| matches!(seen, Seen::Request(..))).count(), 2);
}

#[test]
fn a_full_pool_of_handshakes_makes_room_in_time() {
    [Versions::ONLY_1_2, Versions::ONLY_1_3].into_iter().for_each(fill_the_pool);
}

fn fill_the_pool(versions: Versions) {
    let mut world = World { versions, ..World::new() };
    // Two peers get their cookie right and then fall silent: the pool of two is full.
    for number in 0..2 {
        let endpoint = Endpoint::<Device>::new(
            world.now,
            Config::default(),
            RustCrypto,
            TestRng(60 + number),
            crate::Parts::default(),
        );
        let mut silent = side(endpoint, Address(20 + number as u8), None);
        let _ = silent
            .endpoint
            .connect(world.now, SERVER, &Connect { versions, ..Connect::default() }, &mut silent.out)
            .unwrap();
        for _ in 0..2 {
            let (_, hello) = silent.out.sent.pop_front().unwrap();
            world.server.take(world.now, silent.at, &hello);
            if let Some((_, verify)) = world.server.out.sent.pop_front() {
                silent.take(world.now, SERVER, &verify);
            }
        }
    }
    assert_eq!(world.server.endpoint.handshakes_under_way(), 2);
    let _ = world.dial();
    world.settle();
    assert_eq!(world.server.endpoint.counters().handshakes_refused, 1);
    assert!(world.device.seen.is_empty());
    for _ in 0..10 {
        world.tick();
        world.settle();
    }
    assert!(matches!(world.device.seen[..], [Seen::Connected(..)]), "the oldest gave way");
}

#[test]
fn goodbye_ends_both_sides_and_everything_on_them() {
    let (mut world, session, on_server) = World::connected();
    world.server.answer = None;
    let request = crate::Request::confirmable(Code::PUT);
    let _ =
        world.device.endpoint.request(world.now, session, request, &mut world.device.out, |_| {}).unwrap();
    world.settle();
    let ticket = world.server.tickets.pop().unwrap();
    let deferred = world.server.endpoint.defer(world.now, ticket).unwrap();
    assert!(world.device.endpoint.close(session, &mut world.device.out));
    assert!(!world.device.endpoint.close(session, &mut world.device.out));
    world.settle();
    assert_eq!(world.server.seen.last(), Some(&Seen::Closed(on_server, CloseReason::ByPeer)));
    assert_eq!(world.server.endpoint.session_count(), 0);
    let gone = world.server.endpoint.respond_deferred(
        world.now,
        deferred,
        &mut world.server.out,
        Code::CHANGED,
        |_| {},
    );
    assert_eq!(gone, Err(crate::SendError::Gone));
    world.pass(Duration::from_secs(3600));
    assert!(world.server.out.sent.is_empty() && world.device.out.sent.is_empty());
}

#[test]
fn silent_sessions_are_forgotten_after_their_time() {
    let mut world = World::with_config(|config| config.idle_timeout = Duration::from_secs(160));
    let _ = world.dial();
    world.settle();
    world.server.seen.clear();
    world.pass(Duration::from_secs(150));
    assert!(world.server.seen.is_empty());
    world.pass(Duration::from_secs(30));
    assert!(matches!(world.server.seen[..], [Seen::Closed(_, CloseReason::Idle)]));
    assert_eq!(world.server.endpoint.counters().sessions_idle, 1);
}

/// What the memory of a broker is made of: one of the first for each device, one of the second for a moment.
#[test]
fn a_peer_is_small_and_a_handshake_has_its_own_piece_of_the_heap() {
    assert!(size_of::<sedge_dtls::Session>() <= 256);
    assert!(size_of::<crate::Peer<[u8; 28]>>() <= 368, "{}", size_of::<crate::Peer<[u8; 28]>>());
    assert!(size_of::<crate::Validation<[u8; 28]>>() <= 112, "{}", size_of::<crate::Validation<[u8; 28]>>());
    let full = size_of::<crate::Handshake<Full<RustCrypto>>>();
    let hosted = size_of::<crate::Handshake<Hosted<RustCrypto>>>();
    let psk = size_of::<crate::Handshake<sedge_dtls::PskOnly<RustCrypto>>>();
    std::println!(
        "handshakes: {full} bytes with certificates, {hosted} of them beside buffers on the heap, {psk} with pre-shared keys alone"
    );
    assert!(full <= 12_288 && hosted <= 2_500, "{full} {hosted}");
    assert!(psk <= 1_600, "{psk}");
}

/// RFC 9147 section 9: with another Connection ID the session is found as before, and the old one is good still.
#[test]
fn a_session_is_found_by_every_connection_id_that_it_was_given() {
    let (mut world, session, on_server) = World::connected_with(Versions::ONLY_1_3, |_| {});
    let put = |world: &mut World| {
        let (now, out) = (world.now, &mut world.device.out);
        let request = crate::Request::confirmable(Code::PUT);
        let _ = world.device.endpoint.request(now, session, request, out, |_| {}).unwrap();
        out.sent.front().unwrap().1.clone()
    };
    let old = put(&mut world);
    let old_cid = sedge_dtls::peek_cid(&old, 4).unwrap().to_vec();
    let late = world.device.out.sent.pop_front().unwrap().1;
    world.pass(Duration::from_secs(4));
    world.settle();
    assert!(world.device.endpoint.request_connection_id(session, &mut world.device.out));
    for _ in 0..4 {
        world.settle();
        world.tick();
    }
    let new = put(&mut world);
    assert_ne!(sedge_dtls::peek_cid(&new, 4).unwrap(), old_cid, "another one is in use");
    world.settle();
    assert_eq!(world.server.seen.iter().filter(|seen| matches!(seen, Seen::Request(..))).count(), 2);
    assert_eq!(world.server.endpoint.counters().connection_ids_given, 1);
    assert_eq!(world.server.endpoint.path(on_server), Some(DEVICE));
    // A record from before, which comes late, is a repetition; it is not lost as nobody's.
    let unknown = world.server.endpoint.counters().unknown_peer;
    world.server.take(world.now, DEVICE, &late);
    assert_eq!(world.server.endpoint.counters().unknown_peer, unknown);
    assert_eq!(world.server.seen.iter().filter(|seen| matches!(seen, Seen::Request(..))).count(), 2);
    // In DTLS 1.2 there is no such thing.
    let (mut world, session, _) = World::connected();
    assert!(!world.device.endpoint.request_connection_id(session, &mut world.device.out));
    assert!(world.device.out.sent.is_empty());
}
