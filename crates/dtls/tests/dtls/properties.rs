//! Whatever arrives, nothing panics, and a handshake that can still complete does.

use proptest::collection::vec;
use proptest::prelude::*;
use sedge_dtls::*;

use crate::handshake::exchange_data;
use crate::support::*;
use crate::world::*;

/// Bytes that look like records, so that they get past the first checks.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let content_type = prop_oneof![Just(20u8), Just(21), Just(22), Just(22), Just(23), Just(25), any::<u8>()];
    let record = (content_type, 0..2u8, any::<u8>(), vec(any::<u8>(), 0..120)).prop_map(
        |(content_type, epoch, sequence, fragment)| {
            let mut record = vec![content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, sequence];
            if content_type == 25 {
                record.extend(Setup::default().server_cid.as_bytes());
            }
            record.extend(u16::try_from(fragment.len()).unwrap().to_be_bytes());
            record.extend(fragment);
            record
        },
    );
    let message = (0..24u8, 0..4u8, 0..60u8, vec(any::<u8>(), 0..60), 0..90u8).prop_map(
        |(kind, message_seq, offset, body, length)| {
            let fragment_length = u8::try_from(body.len()).unwrap();
            let head = [kind, 0, 0, length, 0, message_seq, 0, 0, offset, 0, 0, fragment_length];
            let content = [&head[..], &body].concat();
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 7], &length[..], &content].concat()
        },
    );
    prop_oneof![
        vec(any::<u8>(), 0..200),
        record.clone(),
        message.clone(),
        (record, message).prop_map(|(first, second)| [first, second].concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_datagrams_never_end_a_handshake(junk in vec((0..8usize, any::<bool>(), datagram()), 1..12)) {
        let mut world = World::new(Setup::default());
        for step in 0..8 {
            world.transmit();
            for (_, to_server, datagram) in junk.iter().filter(|(at, _, _)| *at == step) {
                let direction = if *to_server { Direction::ToServer } else { Direction::ToClient };
                world.deliver(direction, datagram.clone());
            }
            world.step();
        }
        world.run();
        prop_assert!(world.client.is_established() && world.server.is_established(), "{:?}", world.discards);
        exchange_data(&mut world);
    }

    #[test]
    fn any_mtu_and_any_identity_work(
        client_mtu in 0..700u16,
        server_mtu in 0..700u16,
        long in any::<bool>(),
        cid_len in 0..=ConnectionId::MAX_LEN,
    ) {
        let path = |mtu| Transport { mtu, ..Transport::default() };
        let setup = Setup {
            client: path(client_mtu),
            server: path(server_mtu),
            identity: if long { LONG_IDENTITY } else { IDENTITY }.to_vec(),
            server_cid: cid(&[9; ConnectionId::MAX_LEN][..cid_len]),
            ..Setup::default()
        };
        let mut world = World::established(setup);
        exchange_data(&mut world);
    }

    #[test]
    fn what_is_sealed_is_opened(
        text in vec(any::<u8>(), 0..600),
        client_cid in vec(any::<u8>(), 0..=20),
        server_cid in vec(any::<u8>(), 0..=20),
        short_tag in any::<bool>(),
    ) {
        let suite = match short_tag {
            true => CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
            false => CipherSuite::TLS_PSK_WITH_AES_128_CCM,
        };
        let setup = Setup {
            client_cid: Some(cid(&client_cid)),
            server_cid: cid(&server_cid),
            client_suites: vec![suite],
            ..Setup::default()
        };
        let mut world = World::established(setup);
        for direction in [Direction::ToServer, Direction::ToClient] {
            let record = world.seal(direction, &text);
            let receiver = match direction {
                Direction::ToServer => world.server.session(),
                Direction::ToClient => world.client.session(),
            };
            prop_assert_eq!(open(receiver, record), Ok((text.clone(), true)));
        }
    }
}
