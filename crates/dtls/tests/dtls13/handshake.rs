//! Handshakes over a link without faults.
#![allow(unreachable_pub, reason = "one name for a helper, wherever it is used")]

use sedge_crypto::NamedGroup;
use sedge_dtls::*;
use sedge_time::Duration;

use crate::party::*;
use crate::world::*;

const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS_AES_128_CCM_8_SHA256,
    CipherSuite::TLS_AES_128_CCM_SHA256,
    CipherSuite::TLS_AES_128_GCM_SHA256,
];

/// Certificates or raw public keys on both sides, as each pair of kinds.
pub fn mutual(server: CertificateType, client: CertificateType) -> Setup {
    Setup::new(
        Party::new().shows(client, CLIENT_KEY).believes(server, SERVER_KEY, SERVER_PRINCIPAL),
        Party::new().shows(server, SERVER_KEY).believes(client, CLIENT_KEY, KEY_PRINCIPAL),
    )
}

/// A server with a key, and a client without.
pub fn anonymous(server: CertificateType) -> Setup {
    Setup {
        client_certificate: ClientCertificate::NotAsked,
        ..Setup::new(
            Party::new().believes(server, SERVER_KEY, SERVER_PRINCIPAL),
            Party::new().shows(server, SERVER_KEY),
        )
    }
}

const KINDS: [CertificateType; 2] = [CertificateType::RawPublicKey, CertificateType::X509];

/// A way to authenticate: its name, whom each side knows then, and how.
type Way = (&'static str, Setup, (u32, u32), (Authentication, Authentication));

/// Every way to authenticate.
fn every_way() -> Vec<Way> {
    use Authentication::*;
    let by = |kind| if kind == CertificateType::X509 { Certificate } else { RawPublicKey };
    let mut ways = vec![
        ("psk_ke", Setup::psk(), (0, PSK_PRINCIPAL), (PreSharedKey, PreSharedKey)),
        ("psk_dhe_ke", Setup::psk_dhe(), (0, PSK_PRINCIPAL), (PreSharedKey, PreSharedKey)),
    ];
    for server in KINDS {
        ways.push(("server only", anonymous(server), (SERVER_PRINCIPAL, 0), (by(server), Anonymous)));
        for client in KINDS {
            let principals = (SERVER_PRINCIPAL, KEY_PRINCIPAL);
            ways.push(("mutual", mutual(server, client), principals, (by(server), by(client))));
        }
    }
    ways
}

#[test]
fn every_way_to_authenticate_works_with_every_suite_and_group() {
    for suite in SUITES {
        for group in GROUPS {
            for (name, way, (server, client), authentications) in every_way() {
                for server_groups in [GROUPS.to_vec(), vec![*group]] {
                    let client_groups = match way.client_groups.is_empty() {
                        true => vec![],
                        false => vec![*group, GROUPS[0], GROUPS[1]][..2].to_vec(),
                    };
                    let setup =
                        Setup { client_suites: vec![suite], client_groups, server_groups, ..way.clone() };
                    let mut world = World::established(setup);
                    assert_eq!(world.principals, (Some(server), Some(client)), "{name}");
                    assert_eq!(world.authentications, (Some(authentications.0), Some(authentications.1)));
                    assert_eq!(world.client.session().suite(), suite);
                    assert_eq!(world.server.session().suite(), suite);
                    assert!(world.client.session().is_dtls_1_3() && world.server.session().is_dtls_1_3());
                    assert_eq!(world.discards, []);
                    world.exchange_data();
                }
            }
        }
    }
}

#[test]
fn a_handshake_takes_three_datagrams_each_way_with_the_cookie() {
    for (name, way, ..) in every_way() {
        let world = World::established(way);
        let directions: Vec<_> = world.trace.iter().map(|(direction, _)| *direction).collect();
        use Direction::*;
        assert!(directions.starts_with(&[ToServer, ToClient, ToServer, ToClient]), "{name}");
        assert_eq!(directions.len(), 6, "{name}: {directions:?}");
    }
}

/// The client starts with a share that the server has no use for.
#[test]
fn a_missing_share_is_asked_for_together_with_the_cookie() {
    for cookie in [true, false] {
        for (asked, others) in [(0, 1), (1, 0)] {
            let setup = Setup {
                client_groups: vec![GROUPS[others], GROUPS[asked]],
                server_groups: vec![GROUPS[asked]],
                cookie,
                ..mutual(CertificateType::RawPublicKey, CertificateType::RawPublicKey)
            };
            if !cookie {
                // Without a cookie there is no HelloRetryRequest either.
                continue;
            }
            let mut world = World::established(setup);
            assert_eq!(world.trace.len(), 6);
            world.exchange_data();
        }
    }
}

#[test]
fn connection_ids_of_every_length_are_used_from_epoch_2_on() {
    for client_len in [None, Some(0), Some(1), Some(8)] {
        for server_len in [0, 1, 8, ConnectionId::MAX_LEN - 8] {
            let client_cid = client_len.map(|len| ConnectionId::new(&vec![0xcc; len]).unwrap());
            let server_cid = ConnectionId::new(&vec![0x55; server_len]).unwrap();
            let mut world = World::established(Setup { client_cid, server_cid, ..Setup::psk() });
            let agreed = client_cid.map_or(ConnectionId::EMPTY, |_| server_cid);
            assert_eq!(world.client.session().peer_cid(), agreed);
            assert_eq!(world.server.session().own_cid(), agreed);
            assert_eq!(world.server.session().peer_cid(), client_cid.unwrap_or_default());
            for (direction, datagram) in &world.trace[4..] {
                let cid =
                    if *direction == Direction::ToServer { agreed } else { client_cid.unwrap_or_default() };
                let named = peek_cid(datagram, cid.len());
                assert_eq!(named.unwrap_or_default(), cid.as_bytes());
            }
            world.exchange_data();
        }
    }
}

#[test]
fn a_narrow_path_gets_fragments() {
    for (name, way, ..) in every_way() {
        let narrow = Transport { mtu: 300, ..Transport::default() };
        let mut world =
            World::established(Setup { client_transport: narrow, server_transport: narrow, ..way });
        for (_, datagram) in &world.trace {
            assert!(datagram.len() <= 300, "{name}");
        }
        world.exchange_data();
    }
}

/// RFC 8449: also the records of the handshake are no longer than announced.
#[test]
fn record_size_limits_hold_in_both_directions() {
    let limit = |limit| Transport { record_size_limit: Some(limit), ..Transport::default() };
    let way = mutual(CertificateType::X509, CertificateType::RawPublicKey);
    let mut world =
        World::established(Setup { client_transport: limit(64), server_transport: limit(100), ..way });
    assert_eq!(world.server.session().max_plaintext(), 63);
    assert_eq!(world.client.session().max_plaintext(), 99);
    assert_eq!(world.discards, []);
    world.exchange_data();
    let mut record = vec![0; 200];
    let server = world.server.session();
    let result = server.seal(&Watched, ContentType::APPLICATION_DATA, &mut record, 64);
    assert_eq!(result, Err(SealError::TooLong));
}

/// RFC 8449 section 4: a server without a limit of its own keeps to the client's, and says that it knows the extension;
/// so do its ACK, which names many records, and its ticket's stand-in.
#[test]
fn a_server_without_a_limit_answers_the_clients() {
    let limit = |limit| Transport { record_size_limit: limit, ..Transport::default() };
    let flight = |way: &Setup, limited: Option<u16>| {
        let mut setup = Setup { client_transport: limit(limited), ..way.clone() };
        setup.server.tickets = Some((TicketKeys::new(&mut TestRng(5)).into(), Duration::from_secs(100)));
        setup.client.wants_tickets = true;
        let mut world = World::established(setup);
        world.exchange_data();
        assert_eq!(world.discards, []);
        let sent = world.trace.iter().filter(|(direction, _)| *direction == Direction::ToClient);
        (sent.map(|(_, datagram)| datagram.len()).sum::<usize>(), world.server.session().max_plaintext())
    };
    let (unlimited, _) = flight(&Setup::psk_dhe(), None);
    let (answered, longest) = flight(&Setup::psk_dhe(), Some(16_384));
    assert_eq!((answered - unlimited, longest), (6, 16_383), "an extension of two bytes");
    let certificates = mutual(CertificateType::X509, CertificateType::X509);
    assert_eq!(flight(&certificates, Some(64)).1, 63);
}

/// A client that has both is known by its pre-shared key; one whose key is unknown shows its certificate.
#[test]
fn a_server_with_both_takes_what_it_knows() {
    let kind = CertificateType::RawPublicKey;
    let mut setup = mutual(kind, kind);
    setup.server.known = Party::psk_server().known;
    setup.client.psk = Party::psk_client().psk;
    let world = World::established(setup.clone());
    assert_eq!(world.principals, (Some(0), Some(PSK_PRINCIPAL)));
    setup.client.identity = b"sensor-8".to_vec();
    let world = World::established(setup);
    assert_eq!(world.principals, (Some(SERVER_PRINCIPAL), Some(KEY_PRINCIPAL)));
}

#[test]
fn both_sides_log_the_same_secrets() {
    let world = World::established(Setup::psk_dhe());
    let labels = [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
    ];
    for label in labels {
        let lines: Vec<_> = world.keys.iter().filter(|(line, ..)| *line == label).collect();
        assert_eq!(lines.len(), 2, "{label}");
        assert_eq!(lines[0], lines[1]);
    }
    assert_eq!(world.keys.len(), 8);
}

#[test]
fn nothing_in_common_is_refused_with_the_right_alert() {
    let kind = CertificateType::RawPublicKey;
    let cases = [
        (
            Setup { server_suites: vec![SUITES[1]], client_suites: vec![SUITES[0]], ..Setup::psk() },
            AlertDescription::HANDSHAKE_FAILURE,
        ),
        (
            // The client's only group is not the server's.
            Setup {
                client_groups: vec![NamedGroup::X25519],
                server_groups: vec![NamedGroup::Secp256r1],
                ..mutual(kind, kind)
            },
            AlertDescription::HANDSHAKE_FAILURE,
        ),
        (
            // The client believes certificates only.
            Setup {
                client: Party::new().shows(kind, CLIENT_KEY).believes(CertificateType::X509, SERVER_KEY, 1),
                ..mutual(kind, kind)
            },
            AlertDescription::UNSUPPORTED_CERTIFICATE,
        ),
    ];
    for (setup, alert) in cases {
        let mut world = World::new(setup);
        world.run();
        assert_eq!(world.client.failure(), Some(Failure::Refused(alert)));
    }
}

#[test]
fn a_client_without_a_certificate_is_refused_where_one_is_required() {
    let kind = CertificateType::X509;
    let client = Party::new().believes(kind, SERVER_KEY, SERVER_PRINCIPAL);
    let setup = Setup { client, ..mutual(kind, kind) };
    let mut world = World::new(setup.clone());
    world.run();
    let alert = AlertDescription::CERTIFICATE_REQUIRED;
    assert_eq!(world.server.failure(), Some(Failure::Aborted(alert)));
    assert_eq!(world.client.failure(), Some(Failure::Refused(alert)));

    let world = World::established(Setup { client_certificate: ClientCertificate::Optional, ..setup });
    assert_eq!(world.principals, (Some(SERVER_PRINCIPAL), Some(0)));
    assert_eq!(world.authentications.1, Some(Authentication::Anonymous));
}

#[test]
fn certificates_that_are_not_believed_end_the_handshake() {
    for kind in KINDS {
        let alert = AlertDescription::BAD_CERTIFICATE;
        let mut setup = mutual(kind, kind);
        setup.client.peer.0 = 0x77;
        let mut world = World::new(setup);
        world.run();
        assert_eq!(world.client.failure(), Some(Failure::Aborted(alert)));
        assert_eq!(world.server.failure(), Some(Failure::Refused(alert)));

        let mut setup = mutual(kind, kind);
        setup.server.peer.0 = 0x77;
        let mut world = World::new(setup);
        world.run();
        assert_eq!(world.server.failure(), Some(Failure::Aborted(alert)));
        assert_eq!(world.client.failure(), Some(Failure::Refused(alert)));
    }
}

/// The certificate is right, but its key is not there.
#[test]
fn a_signature_by_another_key_ends_the_handshake() {
    let kind = CertificateType::RawPublicKey;
    let alert = AlertDescription::DECRYPT_ERROR;
    let mut setup = mutual(kind, kind);
    setup.server.key = Some(0x77);
    let mut world = World::new(setup);
    world.run();
    assert_eq!(world.client.failure(), Some(Failure::Aborted(alert)));

    let mut setup = mutual(kind, kind);
    setup.client.key = Some(0x77);
    let mut world = World::new(setup);
    world.run();
    assert_eq!(world.server.failure(), Some(Failure::Aborted(alert)));
    assert_eq!(world.client.failure(), Some(Failure::Refused(alert)));
}
