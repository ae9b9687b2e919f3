//! Every way to authenticate, in both versions; resumption; a NAT that forgets in the middle of a transfer.

use sedge_client::{
    Agreed, Authentication, Client, ClientResources, Code, Config, Disconnect, Error, Full, Identity,
    NotBelieved, PublicKey, Request, Secret, Security, Target, Trust, Version, Versions,
};
use sedge_crypto::{Crypto as _, RustCrypto};
use sedge_dtls::{ClientCertificate, TicketKeys};
use sedge_time::Duration;
use sedge_x509::Validity;
use sedge_x509::authority::{AlternativeName, Issuer, PrivateKey, SerialNumber, Template};

use crate::TEXT;
use crate::world::{
    BY_CERTIFICATE, BY_KEY, BY_PSK, IDENTITY, KEY, Shared, Socket, TestRng, VirtualClock, World, run, socket,
};

/// A device that can do everything, and keeps its last session.
type Memory = ClientResources<Full<RustCrypto>, TestRng, 3, 5, 1024, 32, 512, 1>;
type Device = Client<Memory, Socket, VirtualClock>;

const NAME: &str = "broker.example";
const OWN_KEY: Secret<32> = Secret::new([0x21; 32]);
/// The time of all tests, in seconds since 1970.
const NOW: u64 = 1_795_330_800;
const YEAR: Validity = Validity { not_before: NOW - 1000, not_after: NOW + 31_536_000 };

fn public(key: &Secret<32>) -> PublicKey {
    RustCrypto.public_key(&RustCrypto.signing_key(key).unwrap())
}

/// A CA and what it has issued to the two.
struct Ca {
    key: PublicKey,
    device: Vec<u8>,
}

/// A broker that has everything, and a CA that both know.
fn world_with(names: Vec<AlternativeName>, validity: Validity) -> (Shared, Ca) {
    let world = World::new();
    let rng = &mut TestRng(99);
    let key = PrivateKey::generate(&RustCrypto, rng).unwrap();
    let (template, serial) = (Template::ca("CA", None, YEAR), SerialNumber::random(rng));
    let (issuer, _) = Issuer::self_signed(RustCrypto, &key, &template, &serial, rng).unwrap();
    let login = &mut world.borrow_mut().broker.server.login;
    let server = Template::server("broker", names, validity);
    let serial = SerialNumber::random(rng);
    login.certificate = Some(issuer.issue(&server, &serial, &public(&login.key), rng).unwrap());
    (login.device, login.issuer) = (Some(public(&OWN_KEY)), Some(issuer.public_key()));
    let serial = SerialNumber::random(rng);
    let device = issuer.issue(&Template::client("boiler-7", YEAR), &serial, &public(&OWN_KEY), rng).unwrap();
    assert!(device.len() < 400, "{}", device.len());
    let ca = Ca { key: issuer.public_key(), device };
    (world.clone(), ca)
}

fn world() -> (Shared, Ca) {
    world_with(vec![AlternativeName::Dns(NAME.into())], YEAR)
}

fn device(world: &Shared, security: Security<'_>, versions: Versions) -> Device {
    let mut config = Config::default();
    config.endpoint.versions = versions;
    let clock = VirtualClock { world: world.clone() };
    // Two devices never have the same random numbers.
    let rng = TestRng(world.borrow_mut().dice.below(u64::MAX));
    let mut client = Client::new(config, security, socket(world, 1), clock, RustCrypto, rng).unwrap();
    client.set_unix_time(NOW);
    client
}

fn broker_key(world: &Shared) -> PublicKey {
    public(&world.borrow().broker.server.login.key)
}

/// What a device may offer, and what a broker that speaks both makes of it.
const BOTH: [(Versions, Version); 3] = [
    (Versions::ONLY_1_2, Version::Dtls12),
    (Versions::ONLY_1_3, Version::Dtls13),
    (Versions::ALL, Version::Dtls13),
];

#[test]
fn every_way_to_authenticate_works_in_both_versions() {
    for (versions, version) in BOTH {
        let (world, ca) = world();
        let raw = Identity::RawPublicKey { key: OWN_KEY };
        let certificate = Identity::Certificate { chain: &ca.device, key: OWN_KEY };
        let pinned = Trust::Key(broker_key(&world));
        let issued = Trust::Issuer { key: ca.key, server_name: NAME };
        let psk = Security::Psk { identity: IDENTITY, key: sedge_client::Psk::new(&KEY).unwrap() };
        let combinations = [
            (psk, Authentication::PreSharedKey, BY_PSK),
            (Security::PublicKey { own: raw.clone(), server: pinned }, Authentication::RawPublicKey, BY_KEY),
            (Security::PublicKey { own: raw, server: issued }, Authentication::Certificate, BY_KEY),
            (
                Security::PublicKey { own: certificate.clone(), server: pinned },
                Authentication::RawPublicKey,
                BY_CERTIFICATE,
            ),
            (
                Security::PublicKey { own: certificate, server: issued },
                Authentication::Certificate,
                BY_CERTIFICATE,
            ),
        ];
        for (security, authentication, principal) in combinations {
            let mut client = device(&world, security.clone(), versions);
            assert_eq!(run(client.connect()), Ok(()), "{security:?} {versions:?}");
            let agreed = client.agreed().unwrap();
            assert_eq!((agreed.version, agreed.authentication), (version, authentication), "{security:?}");
            assert!(!agreed.resumed);
            run(client.publish("a", TEXT, b"1")).unwrap();
            assert_eq!(world.borrow().broker.principal, principal);
            run(client.close());
        }
    }
}

#[test]
fn the_version_is_one_that_both_speak() {
    for (versions, version) in BOTH {
        let (world, ca) = world();
        world.borrow_mut().broker.reconfigure(|config| config.versions = versions);
        let security = Security::certificate(&ca.device, OWN_KEY, ca.key, NAME);
        let mut client = device(&world, security.clone(), Versions::ALL);
        assert_eq!(run(client.connect()), Ok(()), "{versions:?}");
        assert_eq!(client.agreed().unwrap().version, version);
        let other = match versions {
            Versions::ONLY_1_2 => Versions::ONLY_1_3,
            Versions::ONLY_1_3 => Versions::ONLY_1_2,
            _ => continue,
        };
        let mut client = device(&world, security, other);
        assert!(matches!(run(client.connect()), Err(Error::Disconnected(_))), "{versions:?}");
    }
}

/// Memory for one datagram at a time, and flights that take two of them.
#[test]
fn a_flight_goes_out_piece_by_piece() {
    type Small = ClientResources<Full<RustCrypto>, TestRng, 3, 5, 450, 32, 512, 1>;
    for (versions, _) in BOTH {
        let (world, ca) = world();
        world.borrow_mut().broker.reconfigure(|config| config.dtls.mtu = 448);
        let mut config = Config::default();
        config.endpoint.versions = versions;
        let clock = VirtualClock { world: world.clone() };
        let security = Security::certificate(&ca.device, OWN_KEY, ca.key, NAME);
        let mut client =
            Client::<Small, _, _>::new(config, security, socket(&world, 1), clock, RustCrypto, TestRng(7))
                .unwrap();
        assert_eq!(run(client.connect()), Ok(()), "{versions:?} {:?}", world.borrow().sent);
        assert!(world.borrow().sent.iter().all(|len| *len <= 448), "{:?}", world.borrow().sent);
        let took = world.borrow().now.saturating_since(sedge_time::Instant::EPOCH);
        assert!(took < Duration::from_millis(900), "no time-out was needed: {took:?}");
        run(client.publish("a", TEXT, b"1")).unwrap();
    }
}

#[cfg(feature = "std")]
#[test]
fn who_asks_for_it_learns_the_keys() {
    use std::sync::{Arc, Mutex};

    for (versions, version) in BOTH {
        let (world, _) = world();
        let psk = Security::Psk { identity: IDENTITY, key: sedge_client::Psk::new(&KEY).unwrap() };
        let mut client = device(&world, psk, versions);
        let labels = Arc::new(Mutex::new(Vec::new()));
        let log = labels.clone();
        client.dangerous_log_keys(move |label, _, secret| {
            assert!(secret.iter().any(|byte| *byte != 0));
            log.lock().unwrap().push(label.to_owned());
        });
        run(client.connect()).unwrap();
        let labels = labels.lock().unwrap();
        match version {
            Version::Dtls12 => assert_eq!(labels[..], ["CLIENT_RANDOM"]),
            Version::Dtls13 => assert_eq!(labels.len(), 4, "{labels:?}"),
        }
    }
}

#[test]
fn only_the_server_may_show_who_it_is() {
    for (versions, _) in BOTH {
        let (world, ca) = world();
        let server = Trust::Issuer { key: ca.key, server_name: NAME };
        let security = Security::PublicKey { own: Identity::Anonymous, server };
        let mut client = device(&world, security.clone(), versions);
        assert!(run(client.connect()).is_err(), "it has to show something: {versions:?}");
        world.borrow_mut().broker.reconfigure(|config| {
            config.client_certificate = ClientCertificate::Optional;
        });
        let mut client = device(&world, security, versions);
        assert_eq!(run(client.connect()), Ok(()), "{versions:?}");
        run(client.publish("a", TEXT, b"1")).unwrap();
        assert_eq!(world.borrow().broker.principal, 0, "nobody");
    }
}

#[test]
fn a_server_that_is_not_believed_is_told_apart() {
    let not_believed = |why| Err(Error::Disconnected(Disconnect::NotBelieved(why)));
    for (versions, _) in BOTH {
        let (world, ca) = world();
        let wrong = public(&Secret::new([0x66; 32]));
        let mut client = device(&world, Security::raw_public_key(OWN_KEY, wrong), versions);
        assert_eq!(run(client.connect()), not_believed(NotBelieved::WrongKey), "{versions:?}");

        for (issuer, name, why) in [
            (ca.key, "other.example", sedge_x509::Error::WrongName),
            (wrong, NAME, sedge_x509::Error::UnknownIssuer),
        ] {
            let security = Security::certificate(&ca.device, OWN_KEY, issuer, name);
            let mut client = device(&world, security, versions);
            assert_eq!(run(client.connect()), not_believed(NotBelieved::Certificate(why)));
        }

        let names = vec![AlternativeName::Dns(NAME.into())];
        let (world, ca) = world_with(names, Validity { not_after: NOW - 1, ..YEAR });
        let security = Security::certificate(&ca.device, OWN_KEY, ca.key, NAME);
        let mut client = device(&world, security, versions);
        let expired = NotBelieved::Certificate(sedge_x509::Error::Expired);
        assert_eq!(run(client.connect()), not_believed(expired));
    }
}

#[test]
fn a_client_that_is_not_known_is_refused() {
    for (versions, _) in BOTH {
        let (world, ca) = world();
        let stranger = Secret::new([0x66; 32]);
        let security = Security::raw_public_key(stranger.clone(), broker_key(&world));
        assert!(run(device(&world, security, versions).connect()).is_err());
        // Somebody else's certificate without its key.
        let security = Security::certificate(&ca.device, stranger, ca.key, NAME);
        assert!(run(device(&world, security, versions).connect()).is_err());
        assert_eq!(world.borrow().broker.sessions(), 0, "{versions:?}");
    }
}

#[test]
fn a_lost_session_is_resumed() {
    for (versions, version) in BOTH {
        let (world, ca) = world();
        let psk = Security::Psk { identity: IDENTITY, key: sedge_client::Psk::new(&KEY).unwrap() };
        for (security, principal) in [
            (psk, BY_PSK),
            (Security::raw_public_key(OWN_KEY, broker_key(&world)), BY_KEY),
            (Security::certificate(&ca.device, OWN_KEY, ca.key, NAME), BY_CERTIFICATE),
        ] {
            let mut client = device(&world, security.clone(), versions);
            run(client.connect()).unwrap();
            // A ticket of DTLS 1.3 comes after the handshake.
            run(client.publish("a", TEXT, b"1")).unwrap();
            let before = client.agreed().unwrap();
            let saved = client.export_resumption().expect("a session to resume");
            let now = world.borrow().now;
            world.borrow_mut().broker.restart(now);
            run(client.publish("a", TEXT, b"2")).unwrap();
            assert_eq!(client.agreed(), Some(Agreed { resumed: true, ..before }), "{security:?} {version}");
            assert_eq!(world.borrow().broker.principal, principal);

            // After a sleep that the memory did not outlive.
            let mut client = device(&world, security.clone(), versions);
            assert!(!client.import_resumption(b"nonsense"));
            assert!(client.import_resumption(saved.expose()));
            run(client.publish("a", TEXT, b"3")).unwrap();
            assert!(client.agreed().unwrap().resumed, "{security:?} {version}");

            // A server that knows it no more makes the handshake a full one.
            let fresh = TicketKeys::new(&mut world.borrow_mut().dice);
            world.borrow_mut().broker.server.login.tickets = Some(fresh);
            let mut client = device(&world, security.clone(), versions);
            assert!(client.import_resumption(saved.expose()));
            run(client.publish("a", TEXT, b"4")).unwrap();
            assert!(!client.agreed().unwrap().resumed, "{security:?} {version}");
        }
    }
}

#[test]
fn a_device_that_was_withdrawn_resumes_nothing() {
    for (versions, version) in BOTH {
        let (world, _) = world();
        let security = Security::raw_public_key(OWN_KEY, broker_key(&world));
        let mut client = device(&world, security, versions);
        run(client.publish("a", TEXT, b"1")).unwrap();
        let now = world.borrow().now;
        world.borrow_mut().broker.server.login.revoked = true;
        world.borrow_mut().broker.server.login.device = None;
        world.borrow_mut().broker.restart(now);
        assert!(run(client.publish("a", TEXT, b"2")).is_err(), "{version}");
        assert_eq!(world.borrow().broker.sessions(), 0);
    }
}

#[test]
fn resumption_survives_a_lossy_wire() {
    for (versions, version) in BOTH {
        let (world, ca) = world();
        world.borrow_mut().loss = 15;
        let security = Security::certificate(&ca.device, OWN_KEY, ca.key, NAME);
        let mut client = device(&world, security, versions);
        let mut resumed = 0;
        for number in 0..12_u8 {
            while run(client.publish("a", TEXT, &[number])).is_err() {}
            resumed += u32::from(client.agreed().unwrap().resumed);
            let now = world.borrow().now;
            world.borrow_mut().broker.restart(now);
        }
        assert!(resumed >= 8, "{resumed} of 12 in {version}");
    }
}

/// A NAT that forgets its binding while the blocks of a long value travel, in either direction.
#[test]
fn a_new_binding_in_the_middle_of_a_transfer_goes_unnoticed() {
    for (versions, version) in BOTH {
        let (world, _) = world();
        let mut client = device(&world, Security::raw_public_key(OWN_KEY, broker_key(&world)), versions);
        let value: Vec<u8> = (0..6000_u32).map(|i| (i % 251) as u8).collect();
        run(client.publish("long", TEXT, b"first")).unwrap();
        for address in 2..6 {
            world.borrow_mut().move_after = Some((8, address));
            run(client.publish("long", TEXT, &value)).unwrap();
            assert_eq!(world.borrow().broker.published.last().unwrap().1, value, "{version}");
            world.borrow_mut().move_after = Some((8, address + 100));
            let mut buffer = [0; 6100];
            let request = Request::new(Code::GET, Target::Topic("long"));
            let response = run(client.request(&request, &mut buffer)).unwrap();
            assert_eq!(response.payload, value, "{version}");
            // Long enough for a NAT, and for the next move not to look like a copy of a record.
            let rest = world.borrow().now + Duration::from_secs(1);
            world.borrow_mut().now = rest;
        }
        let world = world.borrow();
        assert_eq!(world.broker.handshakes(), 1, "{version}");
        assert_eq!(world.broker.counters().sessions_moved, 8, "{version}");
        assert_eq!(world.broker.counters().path_validations_succeeded, 8, "{version}");
    }
}
