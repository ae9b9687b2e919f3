//! How many bytes a handshake takes, field by field, against the flights that
//! draft-ietf-iotops-security-protocol-comparison publishes: CCM_8, P-256, Connection IDs of one byte, a PSK identity
//! of one byte, and no cookie exchange.
//!
//! The table is docs/HANDSHAKES.md; `SEDGE_WRITE_HANDSHAKES=1` writes it anew.

use std::fmt::Write as _;

use sedge_crypto::NamedGroup;
use sedge_dtls::*;

use crate::handshake::mutual;
use crate::world::*;

const HEAD: &str = "\
# What a handshake of DTLS 1.3 takes, byte by byte

UDP payload with TLS_AES_128_CCM_8_SHA256, P-256, Connection IDs of one byte, a PSK identity of one byte and no cookie
exchange, beside the flights that draft-ietf-iotops-security-protocol-comparison publishes for the same. Written by
`crates/dtls/tests/dtls13/bytes.rs`, which fails if a flight grows beyond them or if a byte is not explained. Signatures vary
by a byte or two; these are of average length.
";

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

/// A line of the table: so many bytes for this.
fn line(table: &mut String, len: usize, what: &str) {
    writeln!(table, "| {len} | {what} |").unwrap();
}

/// Explains a plaintext hello field by field; returns where its record ends.
fn explain_hello(table: &mut String, datagram: &[u8], client: bool) -> usize {
    line(table, 13, "record header, DTLSPlaintext");
    line(table, 12, "handshake header");
    line(table, 34, "legacy_version and random");
    let mut at = 13 + 12 + 34;
    let record_end = 13 + usize::from(u16::from_be_bytes([datagram[11], datagram[12]]));
    if client {
        line(table, 2, "legacy_session_id, legacy_cookie");
        let suites = usize::from(u16::from_be_bytes([datagram[at + 2], datagram[at + 3]]));
        line(table, 2 + suites, "cipher_suites");
        line(table, 2, "legacy_compression_methods");
        at += 2 + 2 + suites + 2;
    } else {
        line(table, 4, "legacy_session_id, cipher_suite, legacy_compression_method");
        at += 4;
    }
    line(table, 2, "length of extensions");
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
        line(table, len, name);
        at += len;
    }
    assert_eq!(at, record_end, "every byte is explained");
    record_end
}

/// Explains a record of epoch 2, whose messages have these lengths.
fn explain_protected(table: &mut String, datagram: &[u8], messages: &[(&str, usize)]) {
    line(table, 3, "unified header: first byte, Connection ID, sequence number");
    for (name, len) in messages {
        line(table, 12 + len, name);
    }
    line(table, 1 + 8, "content type and tag");
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
    let mut table = String::from(HEAD);
    for (name, setup, published, server_messages, client_messages) in cases {
        let world = World::established(setup.clone());
        let lengths = flights(&setup);
        let total: usize = lengths.iter().sum();
        let flights =
            |lengths: &[usize]| lengths.iter().map(usize::to_string).collect::<Vec<_>>().join(" + ");
        let sum = published.iter().sum::<usize>();
        let (ours, theirs) = (flights(&lengths), flights(&published));
        writeln!(table, "\n## {name}\n\n{ours} = **{total}**; published: {theirs} = {sum}.\n").unwrap();
        table.push_str("| bytes | what |\n|--:|---|\n| | **ClientHello** |\n");
        let end = explain_hello(&mut table, &world.trace[0].1, true);
        assert_eq!(end, world.trace[0].1.len());
        table.push_str("| | **ServerHello** |\n");
        let end = explain_hello(&mut table, &world.trace[1].1, false);
        table.push_str("| | **the rest of the server's flight, in epoch 2** |\n");
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
        explain_protected(&mut table, protected, &exact(&server_messages, protected.len()));
        table.push_str("| | **the client's flight, in epoch 2** |\n");
        explain_protected(&mut table, &world.trace[2].1, &exact(&client_messages, world.trace[2].1.len()));
        writeln!(table, "| {} | *ACK, which the draft does not count* |", world.trace[3].1.len()).unwrap();
        for (len, limit) in lengths.iter().zip(published) {
            assert!(*len <= limit, "{name}: {lengths:?}");
        }
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/HANDSHAKES.md");
    if std::env::var_os("SEDGE_WRITE_HANDSHAKES").is_some() {
        std::fs::write(file, &table).unwrap();
    }
    let published = std::fs::read_to_string(file).unwrap();
    assert!(table == published, "docs/HANDSHAKES.md differs: write it with SEDGE_WRITE_HANDSHAKES=1");
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
