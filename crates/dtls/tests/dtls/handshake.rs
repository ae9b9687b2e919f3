//! Handshakes between this crate's client and server over a link without faults.
#![allow(unreachable_pub, reason = "one name for a helper, wherever it is used")]

use crate::support::*;
use crate::world::*;
use sedge_dtls::*;

/// Data goes both ways.
pub fn exchange_data(world: &mut World) {
    use Direction::{ToClient, ToServer};
    for (direction, text) in [(ToServer, &b"21.5"[..]), (ToClient, b"thanks"), (ToServer, b"")] {
        let record = world.seal(direction, text);
        world.send(direction, record);
        world.run();
        assert_eq!(world.received.pop().unwrap(), (direction, text.to_vec()));
    }
}

#[test]
fn a_client_and_a_server_agree() {
    let mut world = World::established(Setup::default());
    assert_eq!(world.discards, []);
    assert_eq!(world.principal, Some(PRINCIPAL));
    assert_eq!(world.trace.len(), 6, "one datagram for every flight");
    assert_eq!(world.client.session().peer_cid(), world.setup.server_cid);
    assert_eq!(world.server.session().own_cid(), world.setup.server_cid);
    exchange_data(&mut world);
}

#[test]
fn every_pairing_of_suites_and_connection_ids_works() {
    let both = [CipherSuite::TLS_PSK_WITH_AES_128_CCM, CipherSuite::TLS_PSK_WITH_AES_128_CCM_8];
    let cids = [None, Some(ConnectionId::EMPTY), Some(cid(b"c")), Some(cid(&[7; ConnectionId::MAX_LEN]))];
    let server_cids = [ConnectionId::EMPTY, cid(b"s"), cid(&[8; ConnectionId::MAX_LEN])];
    for client_suites in [&both[..1], &both[1..], &both] {
        for client_cid in cids {
            for server_cid in server_cids {
                let setup = Setup {
                    client_suites: client_suites.to_vec(),
                    server_suites: both[..].to_vec(),
                    client_cid,
                    server_cid,
                    ..Setup::default()
                };
                let mut world = World::established(setup);
                exchange_data(&mut world);
                let (client, server) = (world.client.session(), world.server.session());
                assert_eq!(client.suite(), client_suites[0], "the server's preference among what is offered");
                assert_eq!(client.suite(), server.suite());
                let (to_client, to_server) = match client_cid {
                    None => (ConnectionId::EMPTY, ConnectionId::EMPTY),
                    Some(client_cid) => (client_cid, server_cid),
                };
                assert_eq!((client.own_cid(), client.peer_cid()), (to_client, to_server));
                assert_eq!((server.own_cid(), server.peer_cid()), (to_server, to_client));
            }
        }
    }
}

#[test]
fn record_size_limits_are_announced_and_kept() {
    let limited = |limit| Transport { record_size_limit: limit, ..Transport::default() };
    let setup = Setup { client: limited(Some(512)), server: limited(Some(1024)), ..Setup::default() };
    let mut world = World::established(setup);
    assert_eq!(world.client.session().max_plaintext(), 1023, "the content type counts, RFC 9146 section 4");
    assert_eq!(world.server.session().max_plaintext(), 512);
    let mut buf = [0; 2048];
    let outcome = world.client.session().seal(&Watched, ContentType::APPLICATION_DATA, &mut buf, 1024);
    assert_eq!(outcome, Err(SealError::TooLong));

    let mut world =
        World::established(Setup { client: limited(None), server: limited(Some(64)), ..Setup::default() });
    assert_eq!(world.client.session().max_plaintext(), (1 << 14) - 1, "not asked, so not told");
    exchange_data(&mut world);
}

#[test]
fn an_unusable_configuration_is_refused() {
    let psk = Psk::new(&KEY).unwrap();
    let good = ClientConfig::default();
    let connect_as = |identity: &[u8], config: &ClientConfig<'_>| {
        let mut rng = TestRng(1);
        let mut cx = Context::new(&Watched, &mut rng, sedge_time::Instant::EPOCH);
        let mut client = ClientPsk { identity, psk: &psk };
        ClientHandshake::<PskOnly<Watched>>::connect(&mut cx, &mut client, config).map(|_| ())
    };
    let connect = |config: &ClientConfig<'_>| connect_as(IDENTITY, config);
    assert_eq!(connect(&good), Ok(()));
    let long = [0; MAX_IDENTITY + 1];
    assert_eq!(connect_as(&long, &good), Err(ConfigError::IdentityTooLong));
    let too_many = [CipherSuite::TLS_PSK_WITH_AES_128_CCM; ClientConfig::MAX_SUITES + 1];
    for suites in [&[][..], &[CipherSuite(0xffff)], &too_many] {
        assert_eq!(connect(&ClientConfig { suites, ..good }), Err(ConfigError::UnusableSuites));
    }
    for limit in [63, 16385] {
        let transport = Transport { record_size_limit: Some(limit), ..Transport::default() };
        assert_eq!(connect(&ClientConfig { transport, ..good }), Err(ConfigError::RecordSizeLimit));
    }
    assert!(Psk::new(b"").is_none() && Psk::new(&[1; 65]).is_none());
}

/// RFC 6347 section 4.2.8: the old session is good until the new one is.
#[test]
fn a_client_may_dial_again_from_the_same_address() {
    let mut world = World::established(Setup::default());
    let mut old = world.reconnect();
    for step in 0..4 {
        world.transmit();
        world.step();
        let late = seal(&mut old, ContentType::APPLICATION_DATA, b"from the old session");
        world.deliver(Direction::ToServer, late);
        assert!(world.received.pop().is_some(), "the old session was given up at step {step}");
    }
    world.run();
    assert!(world.client.is_established() && world.server.is_established() && world.predecessor.is_none());
    exchange_data(&mut world);
    world.discards.clear();
    let late = seal(&mut old, ContentType::APPLICATION_DATA, b"too late");
    world.deliver(Direction::ToServer, late);
    assert_eq!(world.discards, [(Direction::ToServer, Discard::BadTag)]);
}

/// Every byte of the longest hello fits the flight it is sent in.
#[test]
fn the_longest_hello_can_be_sent() {
    let world = World::established(Setup {
        client_cid: Some(cid(&[1; ConnectionId::MAX_LEN])),
        server_cid: cid(&[2; ConnectionId::MAX_LEN]),
        client_suites: [CipherSuite::TLS_PSK_WITH_AES_128_CCM; 4].to_vec(),
        client: Transport { record_size_limit: Some(600), ..Transport::default() },
        ..Setup::default()
    });
    assert_eq!(world.discards, []);
}

/// What a server keeps per session, and what either side keeps for as long as a handshake lasts.
#[test]
fn states_are_small() {
    assert!(size_of::<Session>() <= 256, "{}", size_of::<Session>());
    assert!(
        size_of::<ServerHandshake<PskOnly<Watched>>>() <= 1152,
        "{}",
        size_of::<ServerHandshake<PskOnly<Watched>>>()
    );
    assert!(
        size_of::<ClientHandshake<PskOnly<Watched>>>() <= 1536,
        "{}",
        size_of::<ClientHandshake<PskOnly<Watched>>>()
    );
}
