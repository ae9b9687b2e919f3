//! Resumption with tickets.

use std::rc::Rc;

use sedge_dtls::*;
use sedge_time::Duration;

use crate::handshake::mutual;
use crate::party::*;
use crate::world::*;

const HOUR: Duration = Duration::from_secs(3600);

fn with_tickets(mut setup: Setup) -> Setup {
    let keys = TicketKeys::new(&mut TestRng(99));
    setup.server.tickets = Some((Rc::new(keys), HOUR));
    setup.client.wants_tickets = true;
    setup
}

fn ways() -> Vec<Setup> {
    let kind = CertificateType::RawPublicKey;
    vec![with_tickets(Setup::psk()), with_tickets(Setup::psk_dhe()), with_tickets(mutual(kind, kind))]
}

/// The second connection of a world whose first one brought a ticket.
fn again(world: &mut World) {
    world.server = Peer::Absent;
    world.resumed = (None, None);
    world.reconnect();
    world.run();
}

#[test]
fn a_session_is_resumed_by_whom_it_was_with() {
    for way in ways() {
        let mut world = World::established(way);
        assert!(world.setup.client.resumption.is_some(), "{:?}", world.discards);
        let (principals, authentications) = (world.principals, world.authentications);
        assert!(!world.client.session().is_outstanding());
        assert!(!world.server.session().is_outstanding(), "the ticket was acknowledged");
        world.exchange_data();
        for _ in 0..3 {
            again(&mut world);
            world.assert_established();
            assert_eq!(world.resumed, (Some(true), Some(true)));
            assert_eq!((world.principals, world.authentications), (principals, authentications));
            world.exchange_data();
        }
    }
}

/// Nobody has signed anything: neither side has the private keys any more.
#[test]
fn a_resumption_takes_no_certificates() {
    let kind = CertificateType::RawPublicKey;
    let mut world = World::established(with_tickets(mutual(kind, kind)));
    world.setup.client.key = None;
    world.setup.server.key = None;
    again(&mut world);
    world.assert_established();
}

#[test]
fn a_ticket_that_is_no_good_makes_a_full_handshake() {
    let spoil: [fn(&mut World); 3] = [
        |world| world.now += HOUR,
        |world| {
            world.setup.server.tickets = Some((Rc::new(TicketKeys::new(&mut TestRng(5))), HOUR));
        },
        |world| world.setup.server.tickets = None,
    ];
    for spoil in spoil {
        for way in ways() {
            let mut world = World::established(way);
            spoil(&mut world);
            again(&mut world);
            world.assert_established();
            assert_eq!(world.resumed, (Some(false), Some(false)));
            world.exchange_data();
        }
    }
}

#[test]
fn who_was_revoked_does_not_come_in_by_a_ticket() {
    let kind = CertificateType::RawPublicKey;
    let mut world = World::established(with_tickets(mutual(kind, kind)));
    world.setup.server.revoked = vec![KEY_PRINCIPAL];
    world.setup.server.peer.0 = 0x77;
    again(&mut world);
    assert_eq!(world.client.failure(), Some(Failure::Refused(AlertDescription::BAD_CERTIFICATE)));
}

/// Whoever steals a ticket without its key has a wrong binder.
#[test]
fn a_ticket_without_its_key_is_refused() {
    let kind = CertificateType::RawPublicKey;
    let setup = with_tickets(mutual(kind, kind));
    let mut victim = World::established(setup.clone());
    let mut thief = World::established(Setup { seed: 2, ..setup });
    let exported = |world: &World| world.setup.client.resumption.as_ref().unwrap().export(world.now);
    // Another session's key with the victim's ticket: the key stands in front of the ticket.
    let (mut mixed, own) = (exported(&victim), exported(&thief));
    mixed.expose_mut()[9..57].copy_from_slice(&own.expose()[9..57]);
    victim.setup.client.resumption = Some(Resumption::import(victim.now, mixed.expose()).unwrap());
    again(&mut victim);
    assert_eq!(victim.refusal, Some(AlertDescription::DECRYPT_ERROR));
    assert_eq!(victim.client.failure(), Some(Failure::Refused(AlertDescription::DECRYPT_ERROR)));
    again(&mut thief);
    thief.assert_established();
}

/// The ticket is sent once. Losing it costs the resumption, and nothing else: what is sent again in its place is void.
#[test]
fn a_lost_ticket_does_not_block_what_follows() {
    let mut world = World::new(with_tickets(Setup::psk()));
    world.fate = Box::new(|index, _, _| if index == 5 { vec![] } else { vec![LATENCY] });
    world.run();
    world.assert_established();
    assert!(world.setup.client.resumption.is_none());
    assert!(!world.server.session().is_outstanding());
    world.server.session().update_keys(true);
    world.run();
    assert!(!world.server.session().is_outstanding() && !world.client.session().is_outstanding());
    world.exchange_data();
}

#[test]
fn a_client_that_wants_none_gets_none() {
    let mut setup = with_tickets(mutual(CertificateType::RawPublicKey, CertificateType::RawPublicKey));
    setup.client.wants_tickets = false;
    let world = World::established(setup);
    assert!(world.setup.client.resumption.is_none());
}

/// RFC 8446 section 4.6.1: a device that comes back every hour is given a new ticket every time, but once a week it has to
/// prove anew who it is.
#[test]
fn tickets_are_renewed_for_a_week() {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
    let kind = CertificateType::RawPublicKey;
    let mut setup = with_tickets(mutual(kind, kind));
    setup.server.tickets = setup.server.tickets.map(|(keys, _)| (keys, Duration::from_secs(5 * 3600)));
    let mut world = World::established(setup);
    let known_since = world.now;
    let pause = Duration::from_secs(4 * 3600);
    let mut proved = Vec::new();
    while world.now.saturating_since(known_since) < WEEK + WEEK {
        world.now += pause;
        again(&mut world);
        world.assert_established();
        if world.resumed == (Some(false), Some(false)) {
            proved.push(world.now.saturating_since(known_since));
        }
    }
    assert!(matches!(proved[..], [first, ..] if first >= WEEK && first < WEEK + pause), "{proved:?}");
    assert!(proved.len() <= 2, "{proved:?}");
}
