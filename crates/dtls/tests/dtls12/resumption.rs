//! Sessions that are taken up again, by ticket and by identifier.

use sedge_dtls::*;
use sedge_time::Duration;

use crate::handshake::{Case, ECDHE_ECDSA, Way};
use crate::party::{KEY_HOLDER, Party};
use crate::support::{Direction, LATENCY, PRINCIPAL, TestRng, cid, losing};
use crate::world::{Setup, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Ticket,
    SessionId,
}

const BOTH: [By; 2] = [By::Ticket, By::SessionId];

/// A client and a server that know each other from before.
fn acquainted(case: Case, by: By) -> World {
    let (client, server) = case.parties();
    let (client, server) = match by {
        By::Ticket => (client.with_tickets(), server.with_tickets()),
        By::SessionId => (client, server.with_cache()),
    };
    let mut world = World::new(case.setup(), client, server);
    world.run();
    world.assert_established();
    assert_eq!(world.client_party.sessions.len(), 1);
    assert_eq!(world.server_party.sessions.len(), usize::from(by == By::SessionId));
    world
}

fn resumed(world: &mut World) -> bool {
    let (client, server) = (world.client.established().resumed, world.server.established().resumed);
    assert_eq!(client, server);
    client
}

fn mutual() -> Case {
    let raw = CertificateType::RawPublicKey;
    Case { suite: ECDHE_ECDSA[0], way: Way::Certificates(raw, Some(raw)) }
}

#[test]
fn a_session_is_resumed_with_less_and_keeps_its_principal() {
    for case in Case::shapes() {
        for by in BOTH {
            let mut world = acquainted(case, by);
            let full: usize = world.trace.iter().map(|(_, datagram)| datagram.len()).sum();
            let before = (world.client.established().authentication, world.server.established().principal);
            let verified = (world.client_party.verified, world.server_party.verified);
            for round in 0..3 {
                world.setup.server_cid = cid(&[b'a' + round; 3]);
                world.connect();
                world.run();
                world.assert_established();
                assert!(resumed(&mut world), "{case:?} by {by:?}");
                let client = world.client.established();
                assert_eq!(*client.session.peer_cid().as_bytes(), [b'a' + round; 3], "agreed on anew");
                let after = (world.client.established().authentication, world.server.established().principal);
                assert_eq!(after, before);
                assert_eq!((world.client_party.verified, world.server_party.verified), verified);
                // RFC 6347 section 4.2.4: ClientHello twice, HelloVerifyRequest, one flight each.
                assert_eq!(world.trace.len(), 5);
                let short: usize = world.trace.iter().map(|(_, datagram)| datagram.len()).sum();
                if matches!(case.way, Way::Certificates(..)) {
                    assert!(short * 4 < full * 3, "{short} of {full} bytes");
                }
            }
            assert_eq!(world.discards, []);
        }
    }
}

#[test]
fn the_keys_of_a_resumed_session_are_new() {
    for by in BOTH {
        let mut world = acquainted(mutual(), by);
        let mut old = world.client.established().session.export().expose().to_vec();
        world.connect();
        world.run();
        world.assert_established();
        let new = world.client.established().session.export().expose().to_vec();
        // Both directions' keys and salts.
        old.truncate(4 + 40);
        assert!(old[4..].chunks(4).zip(new[4..44].chunks(4)).all(|(old, new)| old != new));
    }
}

/// The last flight is the client's: whoever loses it must get it again from the session alone.
#[test]
fn any_datagram_of_a_resumption_may_be_lost_or_come_twice() {
    for case in [mutual(), Case::shapes()[1]] {
        for by in BOTH {
            for index in 0..5 {
                let mut world = acquainted(case, by);
                world.fate = losing(move |at| at == index);
                world.connect();
                world.run();
                world.assert_established();
                assert!(resumed(&mut world));

                let mut world = acquainted(case, by);
                world.fate = Box::new(move |at, _, _| match at == index {
                    true => vec![LATENCY, LATENCY + Duration::from_millis(700)],
                    false => vec![LATENCY],
                });
                world.connect();
                world.run();
                world.assert_established();
                assert!(resumed(&mut world));
            }
        }
    }
}

#[test]
fn the_last_flight_of_a_resumption_is_sent_again_by_the_clients_session() {
    let mut world = acquainted(mutual(), By::Ticket);
    let mut lost = 0;
    world.fate = Box::new(move |_, direction, datagram| {
        let last = direction == Direction::ToServer && datagram[0] == ContentType::CHANGE_CIPHER_SPEC.0;
        lost += usize::from(last);
        if last && lost <= 3 { vec![] } else { vec![LATENCY] }
    });
    world.connect();
    world.run();
    world.assert_established();
    let flights: Vec<_> = world
        .trace
        .iter()
        .filter(|(direction, datagram)| *direction == Direction::ToServer && datagram[0] == 20)
        .map(|(_, datagram)| datagram[3..11].to_vec())
        .collect();
    assert_eq!(flights.len(), 4);
    assert!(flights.windows(2).all(|pair| pair[0] != pair[1]), "every copy has its own record number");
}

/// A NewSessionTicket travels with the server's last flight, and comes again with it.
#[test]
fn a_ticket_survives_the_loss_of_any_datagram() {
    for lost in 0..6 {
        let (client, server) = mutual().parties();
        let mut world = World::new(mutual().setup(), client.with_tickets(), server.with_tickets());
        world.fate = losing(move |index| index == lost);
        world.run();
        world.assert_established();
        world.fate = Box::new(crate::support::undisturbed);
        world.connect();
        world.run();
        world.assert_established();
        assert!(resumed(&mut world));
    }
}

/// What the server cannot take up is begun anew, without a word.
fn assert_begun_anew(mut world: World) {
    let verified = world.server_party.verified;
    world.connect();
    world.run();
    world.assert_established();
    assert!(!resumed(&mut world));
    assert_eq!(world.server_party.verified, verified + 1);
}

#[test]
fn what_is_expired_withdrawn_foreign_or_unknown_is_begun_anew() {
    for by in BOTH {
        let mut world = acquainted(mutual(), by);
        world.now += Duration::from_secs(3_601);
        assert_begun_anew(world);

        let mut world = acquainted(mutual(), by);
        world.server_party.withdrawn.push(KEY_HOLDER);
        assert_begun_anew(world);

        // A server that was told to leave the suite alone.
        let mut world = acquainted(mutual(), by);
        let others = CipherSuite::ALL.iter().copied().filter(|suite| *suite != ECDHE_ECDSA[0]);
        world.setup.server_suites = others.collect();
        world.setup.client_suites.push(ECDHE_ECDSA[1]);
        assert_begun_anew(world);

        // Another server, or the same with new keys.
        let mut world = acquainted(mutual(), by);
        world.server_party.sessions.clear();
        if let Some((keys, _)) = &mut world.server_party.tickets {
            keys.rotate(&mut TestRng(8));
            keys.rotate(&mut TestRng(9));
        }
        assert_begun_anew(world);
    }
}

/// Every bit of a ticket, of its length, and of the identifier that comes with it.
#[test]
fn a_forged_ticket_resumes_nothing() {
    let ticket = {
        let mut world = acquainted(mutual(), By::Ticket);
        world.connect();
        world.run();
        let hello = world.trace[2].1.clone();
        hello.windows(4).position(|window| window == [0, 35, 0, 96]).unwrap()
    };
    for at in ticket + 4..ticket + 4 + 96 {
        let mut world = acquainted(mutual(), By::Ticket);
        world.tamper = Box::new(move |_, direction, datagram| {
            if direction == Direction::ToServer && is_client_hello(datagram) {
                // Longer by the cookie, the second time.
                let cookie = usize::from(datagram[13 + 12 + 2 + 32 + 1 + 8]);
                datagram[at + cookie - 8] ^= 0x10;
            }
        });
        world.connect();
        world.run_for(Duration::from_millis(500));
        assert!(!world.server.is_established(), "Finished covers the hello");
        world.tamper = Box::new(|_, _, _| {});
        let begun = world.trace.iter().any(|(direction, datagram)| {
            *direction == Direction::ToClient && datagram.windows(2).any(|window| window == [11, 0])
        });
        assert!(begun, "the server shows its certificate");
    }
}

/// RFC 7627 section 5.3: what had the extended master secret is resumed with it or not at all.
#[test]
fn a_resumption_without_the_extended_master_secret_is_refused() {
    for by in BOTH {
        let mut world = acquainted(mutual(), by);
        world.setup.transport.dangerous_allow_plain_master_secret = true;
        world.tamper = Box::new(|_, direction, datagram| {
            if direction == Direction::ToServer
                && is_client_hello(datagram)
                && let Some(at) = datagram.windows(4).position(|bytes| bytes == [0, 23, 0, 0])
            {
                datagram[at] = 0x7a;
            }
        });
        world.connect();
        world.run();
        assert_eq!(world.refusal, Some(AlertDescription::HANDSHAKE_FAILURE));
        assert!(!world.client.is_established());
    }
}

/// A replayed hello gets an answer under a new random, and whoever replays it lacks the secret to go on.
#[test]
fn a_replayed_ticket_opens_nothing() {
    let mut world = acquainted(mutual(), By::Ticket);
    world.connect();
    world.run();
    let replay = world.trace[2].1.clone();
    let finished = world.trace[4].1.clone();
    world.server = crate::world::Side::Absent;
    world.deliver(Direction::ToServer, &replay);
    world.transmit();
    world.deliver(Direction::ToServer, &finished);
    assert!(!world.server.is_established());
}

#[test]
fn a_resumption_is_exported_and_imported() {
    let mut world = acquainted(mutual(), By::Ticket);
    let kept = world.client_party.sessions.remove(&Vec::new()).unwrap();
    let bytes = kept.export(world.now);
    let kept = Resumption::import(world.now, bytes.expose()).unwrap();
    let _ = world.client_party.sessions.insert(Vec::new(), kept);
    world.connect();
    world.run();
    world.assert_established();
    assert!(resumed(&mut world));
}

#[test]
fn a_client_with_a_pre_shared_key_resumes_too() {
    let case = Case { suite: CipherSuite::TLS_PSK_WITH_AES_128_CCM_8, way: Way::Psk };
    let mut world = acquainted(case, By::Ticket);
    world.connect();
    world.run();
    assert!(resumed(&mut world));
    let server = world.server.established();
    assert_eq!((server.principal, server.authentication), (PRINCIPAL, Authentication::PreSharedKey));
}

/// Nobody asked: neither ticket nor identifier goes over the wire.
#[test]
fn without_a_wish_nothing_is_remembered() {
    let (client, server) = mutual().parties();
    let mut world = World::new(Setup { ..mutual().setup() }, client, server.with_tickets());
    world.run();
    world.assert_established();
    assert!(world.client_party.sessions.is_empty() && world.server_party.sessions.is_empty());
    let (client, server) = (Party::new(Role::Client), Party::new(Role::Server));
    assert!(!client.wants_tickets && server.tickets.is_none());
}

#[test]
fn a_ticket_outlives_one_rotation_of_the_keys() {
    let mut world = acquainted(mutual(), By::Ticket);
    if let Some((keys, _)) = &mut world.server_party.tickets {
        keys.rotate(&mut TestRng(8));
    }
    world.connect();
    world.run();
    world.assert_established();
    assert!(resumed(&mut world));
}

/// Nothing vouches for a NewSessionTicket but the Finished after it: one that is forged costs a new start and is never
/// remembered.
#[test]
fn a_forged_new_session_ticket_delays_and_is_not_remembered() {
    for case in [mutual(), Case::shapes()[1]] {
        for at in 0..7 {
            for seq in 1..=7 {
                let (client, server) = case.parties();
                let mut world = World::new(case.setup(), client.with_tickets(), server.with_tickets());
                for _ in 0..at {
                    world.transmit();
                    world.step();
                }
                world.transmit();
                let header =
                    [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 21, 4, 0, 0, 9, 0, seq, 0, 0, 0, 0, 0, 9];
                let forged = [&header[..], &[0, 0, 0, 9, 0, 3, 1, 2, 3]].concat();
                world.deliver(Direction::ToClient, &forged);
                world.run();
                world.assert_established();
                world.connect();
                world.run();
                world.assert_established();
                assert!(resumed(&mut world), "{case:?}: {seq} before {at}");
            }
        }
    }
}

/// RFC 5077 section 3.3: a device that comes back now and then is given a new ticket before the old one ends, and only
/// then; but once a week it has to prove anew who it is (RFC 8446 section 4.6.1).
#[test]
fn a_ticket_is_renewed_for_whoever_comes_back_in_time_and_for_a_week() {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
    let mut world = acquainted(mutual(), By::Ticket);
    let known_since = world.now;
    let pause = Duration::from_secs(1_500);
    let (mut with_ticket, mut without, mut proved) = (0, 0, Vec::new());
    while world.now.saturating_since(known_since) < WEEK + WEEK {
        let ticket = world.client_party.recall(&[]).unwrap().expires();
        world.now += pause;
        world.connect();
        world.run();
        world.assert_established();
        assert_eq!(world.discards, []);
        if !resumed(&mut world) {
            proved.push(world.now.saturating_since(known_since));
        }
        match world.client_party.recall(&[]).unwrap().expires() == ticket {
            true => without += 1,
            false => with_ticket += 1,
        }
    }
    // Tickets of an hour: 25 minutes before it ends there is no need for a new one yet.
    assert!(without > 350 && with_ticket > 350, "{with_ticket} {without}");
    assert!(matches!(proved[..], [first, ..] if first > WEEK && first < WEEK + pause + pause), "{proved:?}");
    assert!(proved.len() <= 2, "{proved:?}");
}

/// The new ticket stands before the server's Finished, and comes again with it.
#[test]
fn a_renewed_ticket_may_be_lost_with_its_flight_or_come_in_fragments() {
    for mtu in [1152, 300] {
        for index in 0..7 {
            let mut world = acquainted(mutual(), By::Ticket);
            world.setup.transport = Transport { mtu, ..Transport::default() };
            let old = world.client_party.recall(&[]).unwrap().expires();
            world.now += Duration::from_secs(2_000);
            world.fate = losing(move |at| at == index);
            world.connect();
            world.run();
            world.assert_established();
            assert!(resumed(&mut world));
            assert!(world.client_party.recall(&[]).unwrap().expires() > old, "{mtu} {index}");
        }
    }
}
