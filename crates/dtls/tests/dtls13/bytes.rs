//! How many bytes a handshake takes, field by field, against the flights that
//! draft-ietf-iotops-security-protocol-comparison publishes: CCM_8, P-256, Connection IDs of one byte, a PSK identity
//! of one byte, and no cookie exchange. Run with `--nocapture` to see the table.

use sedge_crypto::NamedGroup;
use sedge_dtls::*;

use crate::handshake::mutual;
use crate::world::*;

fn small(way: Setup) -> Setup {
    let cid = ConnectionId::new(b"\x42").unwrap();
    let group = |groups: &[NamedGroup]| if groups.is_empty() { vec![] } else { vec![NamedGroup::Secp256r1] };
    Setup {
        client_suites: vec![CipherSuite::TLS_AES_128_CCM_8_SHA256],
        client_groups: group(&way.client_groups),
        client_cid: Some(cid),
        server_cid: ConnectionId::new(b"\x43").unwrap(),
        cookie: false,
        ..way
    }
}

fn psk(mut way: Setup) -> Setup {
    way.client.identity = b"i".to_vec();
    way.server.known[0].0 = b"i".to_vec();
    small(way)
}

/// The three flights that the draft counts: the ACK that follows is not among them.
fn flights(setup: &Setup) -> Vec<usize> {
    let world = World::established(setup.clone());
    assert_eq!(world.trace.len(), 4, "one datagram a flight, and the ACK");
    world.trace[..3].iter().map(|(_, datagram)| datagram.len()).collect()
}

/// Prints a plaintext hello field by field.
fn explain_hello(datagram: &[u8], client: bool) -> usize {
    println!("  {:4}  record header, DTLSPlaintext", 13);
    println!("  {:4}  handshake header", 12);
    println!("  {:4}  legacy_version and random", 34);
    let mut at = 13 + 12 + 34;
    let record_end = 13 + usize::from(u16::from_be_bytes([datagram[11], datagram[12]]));
    if client {
        println!("  {:4}  legacy_session_id, legacy_cookie", 2);
        let suites = usize::from(u16::from_be_bytes([datagram[at + 2], datagram[at + 3]]));
        println!("  {:4}  cipher_suites", 2 + suites);
        println!("  {:4}  legacy_compression_methods", 2);
        at += 2 + 2 + suites + 2;
    } else {
        println!("  {:4}  legacy_session_id, cipher_suite, legacy_compression_method", 4);
        at += 4;
    }
    println!("  {:4}  length of extensions", 2);
    at += 2;
    while at < record_end {
        let kind = u16::from_be_bytes([datagram[at], datagram[at + 1]]);
        let len = 4 + usize::from(u16::from_be_bytes([datagram[at + 2], datagram[at + 3]]));
        let name = match kind {
            10 => "supported_groups",
            13 => "signature_algorithms",
            19 => "client_certificate_type",
            20 => "server_certificate_type",
            41 => "pre_shared_key",
            43 => "supported_versions",
            45 => "psk_key_exchange_modes",
            51 => "key_share",
            54 => "connection_id",
            _ => "another extension",
        };
        println!("  {len:4}  {name}");
        at += len;
    }
    assert_eq!(at, record_end, "every byte is explained");
    record_end
}

/// Prints a record of epoch 2, whose messages have these lengths.
fn explain_protected(datagram: &[u8], messages: &[(&str, usize)]) {
    println!("  {:4}  unified header: first byte, Connection ID, sequence number", 3);
    for (name, len) in messages {
        println!("  {:4}  {name}", 12 + len);
    }
    println!("  {:4}  content type and tag", 1 + 8);
    let sum: usize = messages.iter().map(|(_, len)| 12 + len).sum();
    assert_eq!(datagram.len(), 3 + sum + 9, "every byte is explained");
}

/// A signature of the average length: its numbers may take a byte less or one more each.
fn with_average_signatures(setup: Setup, published: [usize; 3]) -> Setup {
    (1..40)
        .map(|seed| Setup { seed, ..setup.clone() })
        .find(|setup| flights(setup).iter().zip(published).all(|(len, limit)| *len <= limit))
        .expect("no seed gives signatures of 71 bytes")
}

#[test]
fn a_handshake_takes_no_more_than_published() {
    const SIGNATURE: usize = 4 + 71;
    const CERTIFICATE: usize = 1 + 3 + 3 + 91 + 2;
    const FINISHED: (&str, usize) = ("Finished", 32);
    let kind = CertificateType::RawPublicKey;
    let certificates = [("Certificate", CERTIFICATE), ("CertificateVerify, on average", SIGNATURE), FINISHED];
    let with_types = [("EncryptedExtensions", 2 + 5 + 5), ("CertificateRequest", 1 + 2 + 8)];
    let published = [185, 454, 255];
    let cases = [
        (
            "PSK",
            psk(Setup::psk()),
            [136, 153, 56],
            vec![("EncryptedExtensions", 2), FINISHED],
            vec![FINISHED],
        ),
        (
            "PSK + ECDHE",
            psk(Setup::psk_dhe()),
            [219, 226, 56],
            vec![("EncryptedExtensions", 2), FINISHED],
            vec![FINISHED],
        ),
        (
            "RPK + ECDHE, mutual",
            with_average_signatures(small(mutual(kind, kind)), published),
            published,
            [&with_types[..], &certificates].concat(),
            certificates.to_vec(),
        ),
    ];
    for (name, setup, published, server_messages, client_messages) in cases {
        let world = World::established(setup.clone());
        let lengths = flights(&setup);
        let total: usize = lengths.iter().sum();
        println!(
            "{name}: {lengths:?} = {total}, published {published:?} = {}",
            published.iter().sum::<usize>()
        );
        println!(" ClientHello");
        let end = explain_hello(&world.trace[0].1, true);
        assert_eq!(end, world.trace[0].1.len());
        println!(" ServerHello");
        let end = explain_hello(&world.trace[1].1, false);
        println!(" server's flight in epoch 2");
        let exact = |messages: &[(&'static str, usize)], len: usize| {
            // The signature's own length is what is left.
            let others: usize =
                messages.iter().filter(|(name, _)| !name.contains("Verify")).map(|(_, l)| 12 + l).sum();
            let left = len.saturating_sub(3 + others + 9 + 12);
            messages
                .iter()
                .map(|&(name, l)| (name, if name.contains("Verify") { left } else { l }))
                .collect::<Vec<_>>()
        };
        let protected = &world.trace[1].1[end..];
        explain_protected(protected, &exact(&server_messages, protected.len()));
        println!(" client's flight in epoch 2");
        explain_protected(&world.trace[2].1, &exact(&client_messages, world.trace[2].1.len()));
        println!(" ACK, which the draft does not count: {}", world.trace[3].1.len());
        for (len, limit) in lengths.iter().zip(published) {
            assert!(*len <= limit, "{name}: {lengths:?}");
        }
    }
}

/// RFC 9147 section 5.1: what asking for a cookie costs.
#[test]
fn the_cookie_exchange_costs_a_round_trip() {
    let setup = Setup { cookie: true, ..psk(Setup::psk()) };
    let world = World::established(setup);
    let lengths: Vec<_> = world.trace.iter().map(|(_, datagram)| datagram.len()).collect();
    println!("PSK with cookie: {lengths:?} = {}", lengths.iter().sum::<usize>());
    assert_eq!(lengths.len(), 6);
    assert!(lengths[1] <= lengths[0]);
    assert!(lengths.iter().sum::<usize>() <= 700);
}

#[test]
fn a_record_costs_twelve_bytes_with_a_connection_id_of_one() {
    let mut world = World::established(psk(Setup::psk()));
    for direction in [Direction::ToServer, Direction::ToClient] {
        assert_eq!(world.seal(direction, b"21.5 degrees").len(), 12 + 12);
    }
    assert_eq!(world.client.session().overhead(), 12);
    for _ in 0..200 {
        let _ = world.seal(Direction::ToServer, b"21.5 degrees");
    }
    assert_eq!(world.client.session().overhead(), 13, "the number has two bytes now");
}
