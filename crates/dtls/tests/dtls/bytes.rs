//! What a handshake costs on the wire.

use sedge_dtls::*;

use crate::support::*;
use crate::world::*;

/// RFC 6347 with a cookie and a Connection ID of eight bytes, identity of eight bytes: every byte of it.
#[test]
fn a_handshake_takes_at_most_500_bytes() {
    let world = World::established(Setup::default());
    let parts: [(&str, usize); 6] = [
        // record 13, message 12, version 2, random 32, session_id 1, cookie 1, suites 2+4, compression 2,
        // extensions 2: extended_master_secret 4, connection_id 5
        ("ClientHello", 13 + 12 + 2 + 32 + 1 + 1 + 6 + 2 + 2 + 4 + 5),
        // version 2, cookie 1+8
        ("HelloVerifyRequest", 13 + 12 + 2 + 9),
        ("ClientHello with cookie", 80 + 8),
        // version 2, random 32, session_id 1, suite 2, compression 1, extensions 2: extended_master_secret 4,
        // renegotiation_info 5, connection_id 5+8; ServerHelloDone
        ("ServerHello, ServerHelloDone", (13 + 12 + 2 + 32 + 1 + 2 + 1 + 2 + 4 + 5 + 13) + (13 + 12)),
        // identity 2+8; ChangeCipherSpec; Finished: record 13, cid 8, nonce 8, message 12+12, type 1, tag 8
        ("ClientKeyExchange, ChangeCipherSpec, Finished", (13 + 12 + 10) + 14 + (13 + 8 + 8 + 24 + 1 + 8)),
        ("ChangeCipherSpec, Finished", 14 + (13 + 8 + 24 + 8)),
    ];
    let mut total = 0;
    for ((name, expected), (_, datagram)) in parts.iter().zip(&world.trace) {
        println!("{:4} {name}", datagram.len());
        assert_eq!(datagram.len(), *expected, "{name}");
        total += datagram.len();
    }
    println!("{total:4} bytes of UDP payload");
    assert_eq!(world.trace.len(), parts.len());
    assert!(total <= 500, "{total}");
}

/// Record size limits cost six bytes in each of the three hellos.
#[test]
fn every_extension_at_once_takes_18_bytes_more() {
    let total = |transport| {
        let world = World::established(Setup { client: transport, server: transport, ..Setup::default() });
        world.trace.iter().map(|(_, datagram)| datagram.len()).sum::<usize>()
    };
    let limited = Transport { record_size_limit: Some(1024), ..Transport::default() };
    assert_eq!(total(limited), total(Transport::default()) + 18);
}

/// TinyDTLS takes no record with more than one handshake message in it.
#[test]
fn every_handshake_message_has_a_record_of_its_own() {
    for mtu in [Transport::MIN_MTU, 1152] {
        let path = Transport { mtu, ..Transport::default() };
        let setup =
            Setup { client: path, server: path, identity: LONG_IDENTITY.to_vec(), ..Setup::default() };
        for (_, mut datagram) in World::established(setup).trace {
            for record in Records::new(&mut datagram, Setup::default().server_cid.len()) {
                if record[0] == ContentType::HANDSHAKE.0 && record[4] == 0 {
                    let fragment_length = u32::from_be_bytes([0, record[22], record[23], record[24]]);
                    assert_eq!(record.len(), 13 + 12 + fragment_length as usize);
                }
            }
        }
    }
}

#[test]
fn a_record_costs_29_bytes_and_its_connection_id_and_type() {
    let mut world = World::established(Setup { server_cid: cid(b"1"), ..Setup::default() });
    assert_eq!(world.client.session().overhead(), 31);
    assert_eq!(world.server.session().overhead(), 29);
    assert_eq!(world.seal(Direction::ToServer, b"").len(), 31);
}

/// The path's limit holds for every datagram, and what is cut comes together again.
#[test]
fn no_datagram_is_longer_than_the_path_takes() {
    for mtu in [Transport::MIN_MTU, 140, 150, 180, 200, 576] {
        let narrow = Transport { mtu, ..Transport::default() };
        let setup =
            Setup { client: narrow, server: narrow, identity: LONG_IDENTITY.to_vec(), ..Setup::default() };
        let world = World::established(setup);
        let longest = world.trace.iter().map(|(_, datagram)| datagram.len()).max().unwrap();
        assert!(longest <= usize::from(mtu), "{longest} of {mtu}");
        assert_eq!(world.discards, []);
    }
}
