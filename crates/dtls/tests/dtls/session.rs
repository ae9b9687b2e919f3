//! Established sessions: what they accept, what they refuse, and what outlives a restart.

use sedge_crypto::Rng;
use sedge_dtls::*;

use crate::handshake::exchange_data;
use crate::support::*;
use crate::world::*;

use Direction::{ToClient, ToServer};

#[test]
fn a_record_is_accepted_once_and_only_while_it_is_in_the_window() {
    let mut world = World::established(Setup::default());
    let records: Vec<_> = (0..200u8).map(|n| world.seal(ToServer, &[n])).collect();
    let server = world.server.session();
    assert_eq!(open(server, records[100].clone()), Ok((vec![100], true)));
    for n in (0..=100u8).rev() {
        let expected = match n {
            100 => Err(Discard::Replayed),
            37..100 => Ok((vec![n], false)),
            _ => Err(Discard::Replayed),
        };
        assert_eq!(open(server, records[usize::from(n)].clone()), expected, "{n}");
    }
    assert_eq!(open(server, records[199].clone()), Ok((vec![199], true)));
    for n in 37..=199 {
        let expected = if (136..199).contains(&n) { Ok((vec![n], false)) } else { Err(Discard::Replayed) };
        assert_eq!(open(server, records[usize::from(n)].clone()), expected, "{n}");
    }
}

/// RFC 9146 section 6: an old record that somebody sends from elsewhere must not move the peer's address.
#[test]
fn only_the_newest_record_may_move_the_address() {
    let mut world = World::established(Setup::default());
    let [old, new] = [b"old", b"new"].map(|text| world.seal(ToServer, text));
    let server = world.server.session();
    assert_eq!(open(server, new), Ok((b"new".to_vec(), true)));
    assert_eq!(open(server, old), Ok((b"old".to_vec(), false)));
}

#[test]
fn no_bit_of_a_record_can_be_changed() {
    for (client_cid, server_cid) in [(None, ConnectionId::EMPTY), (Some(cid(b"c")), cid(b"srv"))] {
        for client_suites in [CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, CipherSuite::TLS_PSK_WITH_AES_128_CCM]
        {
            let client_suites = vec![client_suites];
            let mut world =
                World::established(Setup { client_cid, server_cid, client_suites, ..Setup::default() });
            let record = world.seal(ToServer, b"21.5");
            let server = world.server.session();
            for bit in 0..record.len() * 8 {
                let mut forged = record.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                let outcome = open(server, forged);
                assert!(outcome.is_err(), "bit {bit}");
            }
            for len in 0..record.len() {
                assert!(open(server, record[..len].to_vec()).is_err(), "length {len}");
            }
            assert_eq!(open(server, record), Ok((b"21.5".to_vec(), true)), "and none of that did any harm");
        }
    }
}

#[test]
fn every_kind_of_stray_record_has_its_own_name() {
    let mut world = World::established(Setup::default());
    let server = world.server.session();
    let cid = server.own_cid();
    let protected = |kind: u8, epoch: u8, cid: &[u8], fragment: &[u8]| {
        let head = [kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 77];
        let length = u16::try_from(fragment.len()).unwrap().to_be_bytes();
        [&head[..], cid, &length, fragment].concat()
    };
    let cases = [
        (vec![23, 0xfe, 0xfd], Discard::MalformedRecord),
        (protected(23, 0, b"", b"hello"), Discard::Unprotected),
        (protected(21, 0, b"", &[2, 40]), Discard::Unprotected),
        (protected(22, 0, b"", &[0; 12]), Discard::Unprotected),
        (protected(20, 0, b"", &[1]), Discard::Unprotected),
        (protected(24, 0, b"", b"heart"), Discard::UnexpectedContentType),
        (protected(26, 1, b"", &[0; 32]), Discard::UnexpectedContentType),
        (protected(23, 1, b"", &[0; 32]), Discard::WrongConnectionId),
        (protected(25, 1, b"elsewher", &[0; 32]), Discard::WrongConnectionId),
        (protected(25, 2, cid.as_bytes(), &[0; 32]), Discard::UnknownEpoch),
        (protected(25, 1, cid.as_bytes(), &[0; 15]), Discard::TooShort),
        (protected(25, 1, cid.as_bytes(), b""), Discard::TooShort),
        (protected(25, 1, cid.as_bytes(), &[0; 16]), Discard::BadTag),
        (protected(25, 1, cid.as_bytes(), &[0; 40]), Discard::BadTag),
        (protected(25, 1, cid.as_bytes(), &[0; 8 + (1 << 14) + 1 + 8]), Discard::TooLong),
    ];
    for (record, discard) in cases {
        assert_eq!(open(server, record.clone()), Err(discard), "{:02x?}", &record[..record.len().min(30)]);
    }
    exchange_data(&mut world);

    let mut world = World::established(Setup { client_cid: None, ..Setup::default() });
    let server = world.server.session();
    assert_eq!(open(server, protected(25, 1, b"", &[0; 40])), Err(Discard::WrongConnectionId));
}

#[test]
fn a_record_longer_than_announced_is_dropped() {
    let small = Transport { record_size_limit: Some(64), ..Transport::default() };
    // This client never announces, so its own limit never reaches the server.
    let mut world = World::established(Setup { client: small, ..Setup::default() });
    assert_eq!(world.server.session().max_plaintext(), 64);
    let record = world.seal(ToClient, &[0; 64]);
    assert_eq!(open(world.client.session(), record), Ok((vec![0; 64], true)));
    let exported = world.server.session().export();
    // A server that does not care: the exported session with its limit raised.
    let mut bytes = *exported.expose();
    let at = 1 + 1 + 2 + 2 * 20 + 8 + 16 + 2;
    bytes[at..at + 2].copy_from_slice(&1000u16.to_be_bytes());
    let mut careless = Session::import(&bytes, 10).unwrap();
    let record = seal(&mut careless, ContentType::APPLICATION_DATA, &[0; 65]);
    assert_eq!(open(world.client.session(), record), Err(Discard::TooLong));
}

#[test]
fn goodbyes_and_alerts_arrive() {
    let mut world = World::established(Setup::default());
    let mut buf = [0; 128];
    let len = world.client.session().close_notify(&Watched, &mut buf).unwrap();
    match world.server.session().open(&Watched, &mut buf[..len]).unwrap().content {
        Content::Alert(alert) => assert!(alert == Alert::CLOSE_NOTIFY && alert.ends_connection()),
        other => panic!("{other:?}"),
    }
    let fatal = Alert::fatal(AlertDescription::INTERNAL_ERROR);
    let len = world.server.session().alert(&Watched, fatal, &mut buf).unwrap();
    match world.client.session().open(&Watched, &mut buf[..len]).unwrap().content {
        Content::Alert(alert) => assert!(alert == fatal && alert.ends_connection()),
        other => panic!("{other:?}"),
    }
    assert!(!Alert::NO_RENEGOTIATION.ends_connection());
    let mut record = seal(world.client.session(), ContentType::ALERT, &[1]);
    let outcome = world.server.session().open(&Watched, &mut record).map(|_| ());
    assert_eq!(outcome, Err(Discard::MalformedContent));
}

#[test]
fn renegotiation_is_recognised_and_other_late_handshakes_are_dropped() {
    let mut world = World::established(Setup::default());
    let header = |kind: u8| [kind, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0];
    for (direction, kind, expected) in [
        (ToServer, 1, Ok(())),
        (ToClient, 0, Ok(())),
        (ToServer, 0, Err(Discard::UnexpectedHandshake)),
        (ToClient, 1, Err(Discard::UnexpectedHandshake)),
        (ToClient, 20, Err(Discard::HandshakeRepeated)),
        (ToServer, 16, Err(Discard::UnexpectedHandshake)),
    ] {
        let (from, to) = match direction {
            ToServer => (world.client.session(), world.server.session()),
            ToClient => (world.server.session(), world.client.session()),
        };
        let mut record = seal(from, ContentType::HANDSHAKE, &header(kind));
        let outcome = to.open(&Watched, &mut record).map(|opened| match opened.content {
            Content::Renegotiation => (),
            other => panic!("{other:?}"),
        });
        assert_eq!(outcome, expected, "{direction:?} {kind}");
    }
    let (from, to) = (world.client.session(), world.server.session());
    let mut record = seal(from, ContentType::HANDSHAKE, b"short");
    assert_eq!(to.open(&Watched, &mut record).map(|_| ()), Err(Discard::MalformedHandshake));
    let mut record = seal(from, ContentType::CHANGE_CIPHER_SPEC, &[1]);
    assert_eq!(to.open(&Watched, &mut record).map(|_| ()), Err(Discard::UnexpectedContentType));
    exchange_data(&mut world);
}

/// A stray Finished gets the last flight until the client has shown that it has it.
#[test]
fn the_last_flight_is_forgotten_with_the_first_data() {
    let mut world = World::established(Setup::default());
    let finished = [20, 0, 0, 12, 0, 3, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut buf = [0; 128];
    let mut again = seal(world.client.session(), ContentType::HANDSHAKE, &finished);
    let opened = world.server.session().open(&Watched, &mut again).unwrap();
    assert!(matches!(opened.content, Content::FinishedAgain));
    assert_eq!(world.server.session().last_flight(&Watched, &mut buf), Some(67));
    assert_eq!(world.client.session().last_flight(&Watched, &mut buf), None);
    exchange_data(&mut world);
    let mut again = seal(world.client.session(), ContentType::HANDSHAKE, &finished);
    let outcome = world.server.session().open(&Watched, &mut again).map(|_| ());
    assert_eq!(outcome, Err(Discard::HandshakeRepeated));
    assert_eq!(world.server.session().last_flight(&Watched, &mut buf), None);
}

#[test]
fn a_session_outlives_a_restart() {
    let mut world = World::established(Setup { client_cid: Some(cid(b"c")), ..Setup::default() });
    let replay = world.seal(ToServer, b"before");
    assert!(open(world.server.session(), replay.clone()).is_ok());
    let exported = world.server.session().export();
    // Sealed after the export and before the crash; the imported session must skip those numbers.
    for _ in 0..5 {
        let _ = world.seal(ToClient, b"lost in the crash");
    }
    let mut restored = Session::import(exported.expose(), 5).unwrap();
    assert_eq!(restored.export().expose()[2..12], exported.expose()[2..12]);
    assert_eq!(open(&mut restored, replay), Err(Discard::Replayed));
    world.server = Peer::Established(restored);
    exchange_data(&mut world);
    assert_eq!(format!("{:?}", exported), "[secret]");
}

#[test]
fn what_is_no_exported_session_is_not_imported() {
    let mut world = World::established(Setup::default());
    let exported = world.server.session().export();
    let good = exported.expose();
    for len in 0..good.len() {
        assert_eq!(Session::import(&good[..len], 0).map(|_| ()), Err(ImportError::Malformed));
    }
    assert_eq!(Session::import(&[&good[..], &[0]].concat(), 0).map(|_| ()), Err(ImportError::Malformed));
    for (at, value) in [(0, 9), (1, 4), (2, 0x13), (93, 21)] {
        let mut bad = *good;
        bad[at] = value;
        assert_eq!(Session::import(&bad, 0).map(|_| ()), Err(ImportError::Malformed), "{at}");
    }
    let mut rng = TestRng(3);
    for _ in 0..2000 {
        let mut bytes = *good;
        rng.fill_bytes(&mut bytes[1..]);
        let _ = Session::import(&bytes, rng.next_u64());
    }
}

#[test]
fn sequence_numbers_end_and_never_wrap() {
    let mut world = World::established(Setup::default());
    let exported = world.client.session().export();
    let last = (1u64 << 48) - 1;
    let mut client = Session::import(exported.expose(), last - 1).unwrap();
    let record = seal(&mut client, ContentType::APPLICATION_DATA, b"last");
    assert_eq!(open(world.server.session(), record), Ok((b"last".to_vec(), true)));
    let mut buf = [0; 128];
    let outcome = client.seal(&Watched, ContentType::APPLICATION_DATA, &mut buf, 4);
    assert_eq!(outcome, Err(SealError::SequenceExhausted));
    assert_eq!(client.close_notify(&Watched, &mut buf), Err(SealError::SequenceExhausted));
    for skip in [last, u64::MAX] {
        assert_eq!(Session::import(exported.expose(), skip).map(|_| ()), Err(ImportError::SequenceExhausted));
    }
}

#[test]
fn a_buffer_too_small_spends_no_number() {
    let mut world = World::established(Setup::default());
    let client = world.client.session();
    let needed = 4 + client.overhead();
    let mut buf = vec![0; needed];
    for len in 0..needed {
        let outcome = client.seal(&Watched, ContentType::APPLICATION_DATA, &mut buf[..len], 4);
        assert_eq!(outcome, Err(SealError::BufferTooSmall));
    }
    assert_eq!(client.seal(&Watched, ContentType::APPLICATION_DATA, &mut buf, 4), Ok(needed));
    assert_eq!(buf[10], 1, "the record after Finished");
}

#[test]
fn nothing_secret_is_printed() {
    let mut world = World::established(Setup::default());
    let printed = format!("{:?}", world.server.session());
    assert!(printed.contains("key: [secret]") && printed.contains("salt: [secret]"), "{printed}");
    assert_eq!(format!("{:?}", Psk::new(&KEY).unwrap()), "[secret]");
    assert_eq!(format!("{:?}", world.cookies), "[secret]");
}
