//! What an established session does by itself: new keys, Connection IDs, ACKs, and what it refuses.

use sedge_crypto::Rng;
use sedge_dtls::*;
use sedge_time::Duration;

use crate::party::*;
use crate::world::*;

use Direction::*;

fn open(session: &mut Session, record: &[u8]) -> Result<(Vec<u8>, bool), Discard> {
    let mut record = record.to_vec();
    let opened = session.open(&Watched, &mut record)?;
    match opened.content {
        Content::ApplicationData(data) => Ok((data.to_vec(), opened.newest)),
        other => panic!("{other:?}"),
    }
}

/// Which epoch a side seals in, by its low bits.
fn epoch_bits(world: &mut World, direction: Direction) -> u8 {
    world.seal(direction, b"what epoch?")[0] & 3
}

#[test]
fn keys_are_replaced_in_one_direction_or_both() {
    let mut world = World::established(Setup::psk());
    world.client.session().update_keys(false);
    assert!(world.client.session().pending());
    assert_eq!(epoch_bits(&mut world, ToServer), 3, "not before the peer knows");
    let number = world.client.session().next_record_number();
    world.run();
    assert!(
        world.client.session().next_record_number() > number + 100,
        "no number reserved before is under a new key"
    );
    assert_eq!((epoch_bits(&mut world, ToServer), epoch_bits(&mut world, ToClient)), (0, 3));
    world.exchange_data();
    world.server.session().update_keys(true);
    world.run();
    assert_eq!((epoch_bits(&mut world, ToServer), epoch_bits(&mut world, ToClient)), (1, 0));
    world.exchange_data();
    for _ in 0..10 {
        world.client.session().update_keys(true);
        world.server.session().update_keys(true);
        world.run();
        world.exchange_data();
    }
    assert_eq!(world.discards, []);
}

/// Data goes on while keys are replaced over a bad link, and none of it is lost but what the link loses.
#[test]
fn keys_are_replaced_over_a_bad_link() {
    for seed in 0..60 {
        let mut world = World::established(Setup { seed: seed + 1, ..Setup::psk() });
        let mut rng = TestRng(seed);
        world.fate = Box::new(move |_, _, _| match rng.next_u32() % 100 {
            0..35 => vec![],
            35..85 => vec![LATENCY],
            _ => vec![LATENCY, LATENCY + Duration::from_millis(u64::from(rng.next_u32() % 3000))],
        });
        for round in 0..6 {
            match round % 3 {
                0 => world.client.session().update_keys(true),
                1 => world.server.session().update_keys(false),
                _ => {}
            }
            for direction in [ToServer, ToClient] {
                let record = world.seal(direction, b"on the way");
                world.send(direction, record);
            }
            world.run_for(Duration::from_secs(30));
        }
        world.fate = Box::new(undisturbed);
        world.run();
        assert!(!world.client.session().is_outstanding() && !world.server.session().is_outstanding());
        world.exchange_data();
    }
}

/// RFC 9147 section 8: the old keys are good until something comes with the new ones.
#[test]
fn a_lost_ack_of_new_keys_costs_nothing_but_time() {
    let mut world = World::established(Setup::psk());
    world.client.session().update_keys(false);
    let mut lost = 0;
    world.fate = Box::new(move |_, direction, _| {
        lost += 1;
        if direction == ToClient && lost < 6 { vec![] } else { vec![LATENCY] }
    });
    world.run_for(Duration::from_millis(100));
    assert_eq!(epoch_bits(&mut world, ToServer), 3, "the client goes on with its old keys");
    let record = world.seal(ToServer, b"old keys");
    world.send(ToServer, record);
    world.run();
    assert!(world.received.contains(&(ToServer, b"old keys".to_vec())));
    assert_eq!(epoch_bits(&mut world, ToServer), 0);
    world.exchange_data();
}

#[test]
fn connection_ids_are_replaced_and_asked_for() {
    let cid = |bytes: &[u8]| ConnectionId::new(bytes).unwrap();
    let mut world =
        World::established(Setup { client_cid: Some(cid(b"cl")), server_cid: cid(b"old!"), ..Setup::psk() });
    let late = world.seal(ToServer, b"under the old name");
    assert!(!world.server.session().new_connection_id(&cid(b"longer")), "another length");
    assert!(world.server.session().new_connection_id(&cid(b"new!")));
    assert!(!world.server.session().new_connection_id(&cid(b"more")), "one at a time");
    world.run();
    assert_eq!(world.client.session().peer_cid(), cid(b"new!"));
    assert_eq!(world.server.session().own_cid(), cid(b"new!"));
    let record = world.seal(ToServer, b"x");
    assert_eq!(peek_cid(&record, 4), Some(&b"new!"[..]));
    assert_eq!(open(world.server.session(), &late), Ok((b"under the old name".to_vec(), false)));
    world.exchange_data();

    assert!(world.client.session().request_connection_ids(1));
    world.transmit();
    world.step();
    assert_eq!(world.wanted, Some(1));
    world.run();
    let mut world = World::established(Setup { client_cid: None, ..Setup::psk() });
    assert!(!world.client.session().request_connection_ids(1), "none was agreed on");
    assert!(!world.server.session().new_connection_id(&cid(b"any")));
}

#[test]
fn return_routability_messages_arrive_if_they_were_agreed_on() {
    let message = PathMessage { kind: PathMessageKind::Challenge, cookie: *b"a cookie" };
    for (client, server) in [(true, true), (true, false), (false, true), (false, false)] {
        let transport = |return_routability| Transport { return_routability, ..Transport::default() };
        let mut world = World::established(Setup {
            client_transport: transport(client),
            server_transport: transport(server),
            ..Setup::psk()
        });
        let agreed = client && server;
        assert_eq!(world.client.session().return_routability(), agreed);
        assert_eq!(world.server.session().return_routability(), agreed);
        let kind = ContentType::RETURN_ROUTABILITY_CHECK;
        let mut record = seal(world.client.session(), kind, &message.to_bytes());
        match world.server.session().open(&Watched, &mut record) {
            Ok(Opened { content: Content::ReturnRoutability(got), .. }) => assert!(agreed && got == message),
            other => assert_eq!(other.map(|_| ()), Err(Discard::UnexpectedContentType)),
        }
    }
}

#[test]
fn no_bit_of_a_record_can_be_changed() {
    for suite in [CipherSuite::TLS_AES_128_CCM_8_SHA256, CipherSuite::TLS_AES_128_GCM_SHA256] {
        let mut world = World::established(Setup { client_suites: vec![suite], ..Setup::psk() });
        let record = world.seal(ToServer, b"21.5 degrees");
        let server = world.server.session();
        // CCM_8 asks for other keys after 128 forgeries, which is a test of its own.
        for bit in 0..record.len() * 8 {
            let mut forged = record.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(server, &forged).is_err(), "bit {bit}");
        }
        for len in 0..record.len() {
            assert!(open(server, &record[..len]).is_err());
        }
        assert_eq!(open(server, &record), Ok((b"21.5 degrees".to_vec(), true)));
        assert_eq!(open(server, &record), Err(Discard::Replayed));
    }
}

#[test]
fn every_kind_of_stray_record_has_its_own_name() {
    let mut world = World::established(Setup { client_cid: None, ..Setup::psk() });
    let record = world.seal(ToServer, b"21.5 degrees");
    let server = world.server.session();
    let plain = |kind: u8| [&[kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2][..], &[2, 40]].concat();
    for kind in 20..=26 {
        assert_eq!(open(server, &plain(kind)), Err(Discard::Unprotected));
    }
    assert_eq!(open(server, &[]), Err(Discard::MalformedRecord));
    assert_eq!(open(server, &[0x80; 40]), Err(Discard::MalformedRecord));
    let with = |first: u8| [&[first], &record[1..]].concat();
    assert_eq!(open(server, &with(record[0] ^ 3)), Err(Discard::UnknownEpoch), "epoch 0");
    assert_eq!(open(server, &with(record[0] ^ 2)), Err(Discard::UnknownEpoch), "epoch 1");
    assert_eq!(open(server, &with(record[0] | 0x10)), Err(Discard::WrongConnectionId));
    assert_eq!(open(server, &record[..record.len() - 12]), Err(Discard::TooShort));
    assert_eq!(open(server, &record), Ok((b"21.5 degrees".to_vec(), true)));
}

#[test]
fn records_come_in_any_order_and_once() {
    let mut world = World::established(Setup::psk());
    let records: Vec<_> = (0..300u32).map(|at| world.seal(ToServer, &at.to_be_bytes())).collect();
    let server = world.server.session();
    assert_eq!(open(server, &records[10]), Ok((10u32.to_be_bytes().to_vec(), true)));
    assert_eq!(open(server, &records[3]), Ok((3u32.to_be_bytes().to_vec(), false)));
    assert_eq!(open(server, &records[3]), Err(Discard::Replayed));
    // Almost three hundred are lost in a row.
    assert_eq!(open(server, &records[299]), Ok((299u32.to_be_bytes().to_vec(), true)));
    assert_eq!(open(server, &records[240]), Ok((240u32.to_be_bytes().to_vec(), false)));
    assert_eq!(open(server, &records[200]), Err(Discard::Replayed), "older than the window");
}

#[test]
fn goodbyes_and_alerts_arrive() {
    let mut world = World::established(Setup::psk());
    let mut buf = [0; 64];
    let len = world.client.session().close_notify(&Watched, &mut buf).unwrap();
    match world.server.session().open(&Watched, &mut buf[..len]).unwrap().content {
        Content::Alert(alert) => assert!(alert == Alert::CLOSE_NOTIFY && alert.ends_connection()),
        other => panic!("{other:?}"),
    }
    // In DTLS 1.3 the level says nothing.
    let alert = Alert { level: AlertLevel::WARNING, description: AlertDescription::ACCESS_DENIED };
    let len = world.client.session().alert(&Watched, alert, &mut buf).unwrap();
    match world.server.session().open(&Watched, &mut buf[..len]).unwrap().content {
        Content::Alert(alert) => assert!(alert.ends_connection()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_outlives_a_restart() {
    let mut world = World::established(Setup::psk());
    world.exchange_data();
    world.client.session().update_keys(true);
    world.run();
    for skip in [0, 40] {
        for direction in [ToServer, ToClient] {
            let session = match direction {
                ToServer => world.client.session(),
                ToClient => world.server.session(),
            };
            let exported = session.export();
            *session = Session::import(exported.expose(), skip).unwrap();
            assert_eq!(
                session.peer_cid(),
                if direction == ToServer { world.setup.server_cid } else { ConnectionId::EMPTY }
            );
            for len in [0, 1, 100, Session::EXPORTED_LEN - 1] {
                assert_eq!(
                    Session::import(&exported.expose()[..len], 0).unwrap_err(),
                    ImportError::Malformed
                );
            }
        }
        world.exchange_data();
    }
    // What was sent in the meantime is not known: no handshake message may have the number of another one.
    world.client.session().update_keys(true);
    assert!(!world.client.session().pending());
    let exported = world.client.session().export();
    assert_eq!(Session::import(exported.expose(), 1 << 23).unwrap_err(), ImportError::SequenceExhausted);
}

#[test]
fn nothing_secret_is_printed() {
    let mut world = World::established(Setup::psk());
    let secret = world.keys.iter().find(|(label, ..)| *label == "CLIENT_TRAFFIC_SECRET_0").unwrap().2.clone();
    let printed = format!("{:?}", world.client.session());
    assert!(printed.contains("[secret]"));
    assert!(!printed.contains(&format!("{:?}", &secret[..4]).replace(['[', ']'], "")));
}

/// Nobody who lacks the keys can end a session or make it say more than he does.
#[test]
fn junk_never_disturbs_a_session() {
    let mut world = World::established(Setup::psk());
    let replay = world.trace.clone();
    let mut rng = TestRng(7);
    for round in 0..1500usize {
        let (_, mut datagram) = replay[round % replay.len()].clone();
        for _ in 0..rng.next_u32() % 3 {
            let at = rng.next_u32() as usize % datagram.len();
            datagram[at] ^= 1 << (rng.next_u32() % 8);
        }
        datagram.truncate(1 + rng.next_u32() as usize % datagram.len());
        for direction in [ToServer, ToClient] {
            let before = world.trace.len();
            world.deliver(direction, datagram.clone());
            let sent: usize = world.trace[before..].iter().map(|(_, datagram)| datagram.len()).sum();
            assert!(sent <= datagram.len(), "{sent} bytes for {}", datagram.len());
        }
    }
    world.run();
    world.exchange_data();
}
