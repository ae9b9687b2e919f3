//! Every suite with every way to authenticate.

use sedge_crypto::NamedGroup;
use sedge_dtls::*;

use crate::party::{KEY_HOLDER, Party};
use crate::support::{Direction, PRINCIPAL};
use crate::world::{Setup, World};

pub const ECDHE_ECDSA: [CipherSuite; 3] = [
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
];
pub const WITH_PSK: [CipherSuite; 5] = [
    CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256,
    CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256,
    CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_PSK_WITH_AES_128_CCM_8,
    CipherSuite::TLS_PSK_WITH_AES_128_CCM,
];
pub const KINDS: [CertificateType; 2] = [CertificateType::RawPublicKey, CertificateType::X509];

/// How the two sides authenticate.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Psk,
    /// The server shows this, and the client that if anything.
    Certificates(CertificateType, Option<CertificateType>),
}

/// A suite, and how the two sides authenticate in it.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub suite: CipherSuite,
    pub way: Way,
}

impl Case {
    pub fn all() -> Vec<Self> {
        let psk = WITH_PSK.map(|suite| Self { suite, way: Way::Psk });
        let mut cases = psk.to_vec();
        for suite in ECDHE_ECDSA {
            for server in KINDS {
                for client in [None, Some(CertificateType::RawPublicKey), Some(CertificateType::X509)] {
                    cases.push(Self { suite, way: Way::Certificates(server, client) });
                }
            }
        }
        cases
    }

    /// One for each shape that a handshake can have.
    pub fn shapes() -> Vec<Self> {
        let mut cases =
            vec![Self { suite: WITH_PSK[0], way: Way::Psk }, Self { suite: WITH_PSK[3], way: Way::Psk }];
        let raw = CertificateType::RawPublicKey;
        for client in [None, Some(raw)] {
            cases.push(Self { suite: ECDHE_ECDSA[0], way: Way::Certificates(raw, client) });
        }
        let x509 = CertificateType::X509;
        cases.push(Self { suite: ECDHE_ECDSA[2], way: Way::Certificates(x509, Some(x509)) });
        cases
    }

    pub fn parties(self) -> (Party, Party) {
        let (client, server) = (Party::new(Role::Client), Party::new(Role::Server));
        match self.way {
            Way::Psk => (client.with_psk(), server.with_psk()),
            Way::Certificates(shown, None) => (client.believing(shown), server.showing(shown)),
            Way::Certificates(shown, Some(own)) => {
                (client.believing(shown).showing(own), server.showing(shown).believing(own))
            }
        }
    }

    pub fn setup(self) -> Setup {
        let client_certificate = match self.way {
            Way::Certificates(_, None) => ClientCertificate::NotAsked,
            _ => ClientCertificate::Required,
        };
        Setup { client_certificate, ..Setup::new(self.suite) }
    }

    pub fn world(self) -> World {
        let (client, server) = self.parties();
        World::new(self.setup(), client, server)
    }
}

fn authentication(kind: CertificateType) -> Authentication {
    match kind {
        CertificateType::X509 => Authentication::Certificate,
        CertificateType::RawPublicKey => Authentication::RawPublicKey,
    }
}

#[test]
fn every_suite_with_every_way_to_authenticate() {
    for case in Case::all() {
        let mut world = case.world();
        world.run();
        world.assert_established();
        assert_eq!(world.discards, [], "{case:?}");
        let (client, server) = (world.client.established(), world.server.established());
        assert_eq!(client.session.suite(), case.suite);
        assert!(!client.resumed && !server.resumed);
        let (of_server, of_client) = match case.way {
            Way::Psk => ((Authentication::PreSharedKey, 0), (Authentication::PreSharedKey, PRINCIPAL)),
            Way::Certificates(shown, own) => (
                (authentication(shown), KEY_HOLDER),
                own.map_or((Authentication::Anonymous, 0), |own| (authentication(own), KEY_HOLDER)),
            ),
        };
        assert_eq!((client.authentication, client.principal), of_server, "{case:?}");
        assert_eq!((server.authentication, server.principal), of_client, "{case:?}");
    }
}

#[test]
fn both_groups_serve_and_the_server_prefers() {
    let (p256, x25519) = (NamedGroup::Secp256r1, NamedGroup::X25519);
    for case in [Case::shapes()[0], Case::shapes()[3]] {
        for server_groups in [vec![p256], vec![x25519], vec![p256, x25519], vec![x25519, p256]] {
            let (client, server) = case.parties();
            let first = server_groups[0];
            let mut world = World::new(Setup { server_groups, ..case.setup() }, client, server);
            world.run();
            world.assert_established();
            // ServerECDHParams: named_curve, the group, the length of the point.
            let params = [3, 0, first.to_u16() as u8, first.share_len() as u8];
            let flight: Vec<u8> = world.trace.iter().flat_map(|(_, datagram)| datagram.clone()).collect();
            assert!(flight.windows(4).any(|window| window == params), "{first:?}");
        }
    }
}

/// The path's limit holds for every datagram of every flight, certificates in fragments included.
#[test]
fn no_datagram_is_longer_than_the_path_takes() {
    for case in Case::shapes() {
        // A ClientHello has to fit into one datagram: nothing is kept before the cookie to put it together with.
        for mtu in [200, 256, 512] {
            let (client, server) = case.parties();
            let transport = Transport { mtu, ..Transport::default() };
            let mut world = World::new(Setup { transport, ..case.setup() }, client, server);
            world.run();
            world.assert_established();
            let longest = world.trace.iter().map(|(_, datagram)| datagram.len()).max().unwrap();
            assert!(longest <= usize::from(mtu), "{case:?}: {longest} of {mtu}");
            assert_eq!(world.discards, [], "{case:?}");
        }
    }
}

/// What a handshake with raw public keys on both sides takes: every byte of it.
#[test]
fn the_bytes_of_a_mutual_handshake_with_raw_public_keys() {
    let raw = CertificateType::RawPublicKey;
    let case = Case { suite: ECDHE_ECDSA[0], way: Way::Certificates(raw, Some(raw)) };
    let (mut client, server) = case.parties();
    client.server_name = None;
    let mut world = World::new(Setup { server_cid: ConnectionId::EMPTY, ..case.setup() }, client, server);
    world.run();
    world.assert_established();
    const RECORD: usize = 13 + 12;
    // ECDSA signatures have up to 72 bytes: that is the one part that varies.
    let varies = |len: usize, (low, high): (usize, usize)| assert!((low..=high).contains(&len), "{len}");
    let sizes: Vec<usize> = world.trace.iter().map(|(_, datagram)| datagram.len()).collect();
    // version 2, random 32, session_id 1, cookie 1, suites 2+4, compression 2, extensions 2: supported_groups 4+6,
    // ec_point_formats 4+2, signature_algorithms 4+4, client_certificate_type 4+2, server_certificate_type 4+2,
    // extended_master_secret 4, connection_id 5
    let hello = RECORD + 2 + 32 + 1 + 1 + 6 + 2 + 2 + 10 + 6 + 8 + 6 + 6 + 4 + 5;
    assert_eq!(sizes[0], hello);
    assert_eq!(sizes[1], RECORD + 3 + 8);
    assert_eq!(sizes[2], hello + 8);
    // version 2, random 32, session_id 1, suite 2, compression 1, extensions 2: ec_point_formats 6, the two types 5
    // each, extended_master_secret 4, renegotiation_info 5, connection_id 5
    let server_hello = RECORD + 2 + 32 + 1 + 2 + 1 + 2 + 6 + 5 + 5 + 4 + 5 + 5;
    let certificate = RECORD + 3 + 91;
    let share = RECORD + 4 + 65 + 4;
    let request = RECORD + 2 + 4 + 2;
    let flight_4 = server_hello + certificate + share + request + RECORD;
    varies(sizes[3], (flight_4 + 68, flight_4 + 72));
    let flight_5 = certificate + (RECORD + 1 + 65) + (RECORD + 4) + 14 + (13 + 8 + 24 + 8);
    varies(sizes[4], (flight_5 + 68, flight_5 + 72));
    assert_eq!(sizes[5], 14 + (13 + 8 + 24 + 8));
    assert_eq!(sizes.len(), 6);
    println!("{sizes:?}, together {}", sizes.iter().sum::<usize>());
}

/// TinyDTLS takes no record with more than one handshake message in it.
#[test]
fn every_handshake_message_has_a_record_of_its_own() {
    for case in Case::shapes() {
        let mut world = case.world();
        world.run();
        for (direction, datagram) in &mut world.trace {
            let cid_len = if *direction == Direction::ToServer { 8 } else { 0 };
            for record in Records::new(datagram, cid_len) {
                if record[0] == ContentType::HANDSHAKE.0 && record[4] == 0 {
                    let length = u32::from_be_bytes([0, record[22], record[23], record[24]]);
                    assert_eq!(record.len(), 13 + 12 + length as usize, "{case:?}");
                }
            }
        }
    }
}
