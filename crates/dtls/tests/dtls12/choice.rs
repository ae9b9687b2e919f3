//! What is chosen from what both sides offer, and what is refused.

use sedge_crypto::NamedGroup;
use sedge_dtls::*;

use crate::handshake::{Case, ECDHE_ECDSA, KINDS, WITH_PSK, Way};
use crate::party::{KEY_HOLDER, Party};
use crate::support::{Direction, PRINCIPAL};
use crate::world::{Setup, World};

const RAW: CertificateType = CertificateType::RawPublicKey;
const X509: CertificateType = CertificateType::X509;

/// A server that has everything.
fn server() -> Party {
    let party = Party::new(Role::Server).with_psk();
    KINDS.into_iter().fold(party, |party, kind| party.showing(kind).believing(kind))
}

fn all() -> Setup {
    let mut setup = Setup::new(CipherSuite::TLS_PSK_WITH_AES_128_CCM_8);
    setup.client_suites = CipherSuite::ALL.to_vec();
    setup
}

#[test]
fn clients_of_every_kind_find_the_same_server() {
    let client = || Party::new(Role::Client);
    let clients: [(Party, CipherSuite, u32); 6] = [
        (client().with_psk(), WITH_PSK[0], PRINCIPAL),
        (client().believing(RAW).showing(RAW), ECDHE_ECDSA[0], KEY_HOLDER),
        (client().believing(X509).showing(X509), ECDHE_ECDSA[0], KEY_HOLDER),
        (client().believing(RAW).showing(X509), ECDHE_ECDSA[0], KEY_HOLDER),
        (client().believing(X509).believing(RAW).showing(RAW).showing(X509), ECDHE_ECDSA[0], KEY_HOLDER),
        (client().believing(X509), ECDHE_ECDSA[0], 0),
    ];
    for (client, suite, principal) in clients {
        let mut world = World::new(all(), client, server());
        world.run();
        world.assert_established();
        let server = world.server.established();
        assert_eq!((server.session.suite(), server.principal), (suite, principal));
    }
}

/// The server takes the first suite of its own list for which there is everything on both sides.
#[test]
fn a_suite_that_lacks_something_is_passed_over() {
    let psk_suite = |world: &mut World| {
        world.run();
        world.assert_established();
        assert!(WITH_PSK.contains(&world.client.established().session.suite()));
    };
    let client = || Party::new(Role::Client).with_psk().believing(X509);
    // The server has no certificate of a kind that the client believes.
    psk_suite(&mut World::new(all(), client(), Party::new(Role::Server).with_psk()));
    psk_suite(&mut World::new(all(), client(), Party::new(Role::Server).with_psk().showing(RAW)));
    // The server has to see a certificate, and of no kind that the client has.
    let required = Setup { client_certificate: ClientCertificate::Required, ..all() };
    let server = Party::new(Role::Server).with_psk().showing(X509).believing(RAW);
    psk_suite(&mut World::new(required, client().showing(X509), server));
    // No common group.
    let apart = Setup {
        client_groups: vec![NamedGroup::X25519],
        server_groups: vec![NamedGroup::Secp256r1],
        ..all()
    };
    psk_suite(&mut World::new(apart, client(), server_with_psk_and_certificate()));
}

fn server_with_psk_and_certificate() -> Party {
    Party::new(Role::Server).with_psk().showing(X509)
}

#[test]
fn without_anything_in_common_the_server_says_so() {
    let client = Party::new(Role::Client).believing(X509);
    let mut world = World::new(all(), client, Party::new(Role::Server).with_psk().showing(RAW));
    world.run();
    assert_eq!(world.refusal, Some(AlertDescription::HANDSHAKE_FAILURE));
    assert_eq!(world.client.failure(), Some(Failure::Refused(AlertDescription::HANDSHAKE_FAILURE)));
}

#[test]
fn an_unknown_identity_looks_exactly_like_a_wrong_key() {
    let failed = |known: bool, key: &[u8]| {
        let case = Case { suite: WITH_PSK[0], way: Way::Psk };
        let (mut client, mut server) = case.parties();
        client.psk = Psk::new(key);
        server.psk = server.psk.filter(|_| known);
        let mut world = World::new(case.setup(), client, server);
        world.run();
        assert_eq!(world.client.failure(), Some(Failure::TimedOut));
        assert_eq!(world.server.failure(), Some(Failure::TimedOut));
        let shape: Vec<_> =
            world.trace.iter().map(|(direction, datagram)| (*direction, datagram.len())).collect();
        (shape, world.discards, world.now)
    };
    assert_eq!(failed(true, b"fedcba9876543210"), failed(false, &crate::support::KEY));
}

/// A chain that has to be put together and does not fit is dropped, whatever it would say.
#[test]
fn a_chain_longer_than_the_memory_for_it_is_dropped() {
    let case = Case { suite: ECDHE_ECDSA[0], way: Way::Certificates(X509, Some(X509)) };
    let (mut client, server) = case.parties();
    // The flight of a client has the same size as what it receives: so many that they just fit in there.
    let issuer = client.chain[1].clone();
    while client.chain.iter().map(|entry| entry.len() + 3).sum::<usize>() + issuer.len() < 3_500 {
        client.chain.push(issuer.clone());
    }
    let mut world = World::new(case.setup(), client, server);
    world.run();
    world.assert_established();

    let length = 4_097u32.to_be_bytes();
    let fragment =
        [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 50, 0, 22, 11][..], &length[1..], &[0, 2, 0, 0, 0, 0, 0, 10]];
    let fragment = [&fragment.concat()[..], &[0; 10]].concat();
    let (client, server) = case.parties();
    let mut world = World::new(case.setup(), client, server);
    while !matches!(world.server, crate::world::Side::Handshaking(_)) {
        world.transmit();
        world.step();
    }
    world.deliver(Direction::ToServer, &fragment);
    assert!(
        world.discards.contains(&(Direction::ToServer, Discard::HandshakeTooLong)),
        "{:?}",
        world.discards
    );
    world.run();
    world.assert_established();
}

/// RFC 6066 section 3: a name goes to the server, an address does not.
#[test]
fn only_a_name_is_sent_as_one() {
    for (name, sent) in [("broker.example", true), ("192.0.2.7", false), ("2001:db8::7", false)] {
        let case = Case { suite: ECDHE_ECDSA[0], way: Way::Certificates(RAW, None) };
        let (mut client, server) = case.parties();
        client.server_name = Some(name);
        let mut world = World::new(case.setup(), client, server);
        world.run();
        world.assert_established();
        let hello = &world.trace[0].1;
        assert_eq!(hello.windows(name.len()).any(|window| window == name.as_bytes()), sent, "{name}");
    }
}

/// RFC 8446 section 4.1.3: only a server that could have spoken 1.3 leaves its mark.
#[test]
fn a_server_that_could_do_better_says_so_in_its_random() {
    for versions in [Versions::ONLY_1_2, Versions::ALL] {
        let (client, server) = Case::shapes()[1].parties();
        let setup = Setup { server_versions: versions, ..Case::shapes()[1].setup() };
        let mut world = World::new(setup, client, server);
        world.run();
        world.assert_established();
        let marked = world.trace.iter().any(|(direction, datagram)| {
            *direction == Direction::ToClient && datagram.windows(8).any(|bytes| bytes == b"DOWNGRD\x01")
        });
        assert_eq!(marked, versions.dtls_1_3);
    }
}

/// Who fails to prove what it says, or says nothing where it has to.
#[test]
fn an_unbelieved_client_is_told_once_it_has_proved_that_it_is_there() {
    let case = |kind| Case { suite: ECDHE_ECDSA[0], way: Way::Certificates(kind, Some(kind)) };
    let refused = |mut world: World, alert| {
        world.run();
        assert_eq!(world.server.failure(), Some(Failure::Aborted(alert)));
        assert_eq!(world.client.failure(), Some(Failure::Refused(alert)), "sealed, so believed at once");
    };
    for kind in KINDS {
        // Somebody else's certificate: the signature is by the wrong key.
        let (mut client, server) = case(kind).parties();
        let own = Party::new(Role::Server).signing_key;
        client.signing_key = own;
        refused(World::new(case(kind).setup(), client, server), AlertDescription::DECRYPT_ERROR);
        // Nothing to show.
        let (mut client, server) = case(kind).parties();
        (client.chain, client.raw_public_key) = (Vec::new(), None);
        if kind == X509 {
            refused(World::new(case(kind).setup(), client, server), AlertDescription::HANDSHAKE_FAILURE);
        }
    }
    // A certificate for a server, shown by a client.
    let (mut client, server) = case(X509).parties();
    client.chain = Party::new(Role::Server).showing(X509).chain;
    refused(World::new(case(X509).setup(), client, server), AlertDescription::UNSUPPORTED_CERTIFICATE);
    // A key that nobody knows.
    let (mut client, server) = case(RAW).parties();
    client.signing_key = Party::new(Role::Server).signing_key;
    let client = client.showing(RAW);
    refused(World::new(case(RAW).setup(), client, server), AlertDescription::CERTIFICATE_UNKNOWN);
}

#[test]
fn an_optional_certificate_may_be_missing() {
    let setup = Setup { client_certificate: ClientCertificate::Optional, ..Setup::new(ECDHE_ECDSA[0]) };
    let client = Party::new(Role::Client).believing(X509);
    let mut world = World::new(setup, client, Party::new(Role::Server).showing(X509).believing(X509));
    world.run();
    world.assert_established();
    let server = world.server.established();
    assert_eq!((server.principal, server.authentication), (0, Authentication::Anonymous));
}

/// The client gives up on a server it does not believe, but only after waiting for a better one; and says why.
#[test]
fn an_unbelieved_server_is_told_why() {
    let refused = |mut world: World, alert: AlertDescription| {
        let start = world.now;
        world.run();
        assert_eq!(world.client.failure(), Some(Failure::Aborted(alert)));
        assert!(world.now.saturating_since(start).as_secs() >= 3);
        assert!(world.trace.iter().any(|(direction, datagram)| {
            *direction == Direction::ToServer && datagram[0] == 21 && datagram[13..] == [2, alert.0]
        }));
        assert!(!world.server.is_established());
    };
    let case = Case { suite: ECDHE_ECDSA[0], way: Way::Certificates(RAW, None) };
    // Another key than the pinned one.
    let (mut client, server) = case.parties();
    client.pinned = Party::new(Role::Client).showing(RAW).pinned;
    let stranger = sedge_crypto::Secret::new([0x53; 32]);
    let stranger = sedge_crypto::Crypto::signing_key(&crate::support::Watched, &stranger).unwrap();
    client.pinned = sedge_crypto::Crypto::public_key(&crate::support::Watched, &stranger);
    refused(World::new(case.setup(), client, server), AlertDescription::CERTIFICATE_UNKNOWN);
    // The right key's certificate, and a signature by another.
    let (client, mut server) = case.parties();
    server.signing_key = stranger;
    refused(World::new(case.setup(), client, server), AlertDescription::DECRYPT_ERROR);
}
