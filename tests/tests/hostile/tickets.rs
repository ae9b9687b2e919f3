//! Tickets that nobody has given, that somebody else was given, and that were given to who is not welcome any more.

use std::time::Duration;

use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice};
use sedge_dtls::{AlertDescription, Failure, Resumption, Versions};
use sedge_tests::dtls::{SOON, receive, socket_towards};

use crate::party::{Party, now};
use crate::scene::QUIET;
use crate::site::{By, CERTIFIED, Site, WAYS, device};

/// Where things stand in an exported session: its secret, how long it is good, and how the server knows it.
const SECRET: std::ops::Range<usize> = 9..57;
const LEFT: std::ops::Range<usize> = 57..65;
const KIND: usize = Resumption::EXPORTED_LEN - Resumption::MAX_TICKET - 3;
const TICKET: usize = KIND + 3;

/// The same session with something else in it.
fn changed(resumption: &Resumption, change: impl FnOnce(&mut [u8])) -> Resumption {
    let mut bytes = resumption.export(now());
    change(bytes.expose_mut());
    Resumption::import(now(), bytes.expose()).expect("well-formed")
}

fn ticket_len(resumption: &Resumption) -> usize {
    let bytes = resumption.export(now());
    usize::from(u16::from_be_bytes([bytes.expose()[KIND + 1], bytes.expose()[KIND + 2]]))
}

fn with_ticket(resumption: &Resumption, ticket: &[u8]) -> Resumption {
    changed(resumption, |bytes| {
        bytes[KIND + 1..TICKET].copy_from_slice(&u16::try_from(ticket.len()).expect("short").to_be_bytes());
        bytes[TICKET..].fill(0);
        bytes[TICKET..TICKET + ticket.len()].copy_from_slice(ticket);
    })
}

fn ticket(resumption: &Resumption) -> Vec<u8> {
    resumption.export(now()).expose()[TICKET..][..ticket_len(resumption)].to_vec()
}

/// Connects with this; whether a session was resumed.
fn resumes(site: &Site, party: &Party, resumption: Resumption) -> Result<bool, Failure> {
    let mut party = party.clone();
    party.resumption = Some(resumption);
    party.wants_tickets = true;
    let connected = party.connect(site.scene.broker.secure())?;
    let resumed = connected.resumed;
    connected.connection.close();
    Ok(resumed)
}

#[test]
fn a_forged_ticket_resumes_nothing() {
    let mut site = Site::new();
    let other = Site::new();
    let server = site.scene.broker.secure();
    for (number, way) in WAYS.into_iter().enumerate() {
        let mut party = site.party(way);
        let genuine = party.with_ticket(server);
        assert_eq!(resumes(&site, &party, genuine.clone()), Ok(true), "{way:?}: undisturbed it does");
        site.scene.broker.expect_counter("endpoint.handshakes_resumed", number as u64 + 1);

        let own = ticket(&genuine);
        let mut forgeries: Vec<Vec<u8>> = Vec::new();
        for at in (0..own.len()).step_by(7).chain([own.len() - 1]) {
            let mut forged = own.clone();
            forged[at] ^= 1 << (at % 8);
            forgeries.push(forged);
        }
        forgeries.extend([1, 4, 16, 31, own.len() / 2, own.len() - 1].map(|length| own[..length].to_vec()));
        forgeries.push([&own[..], &[0]].concat());
        forgeries.push(vec![0; own.len()]);
        // Another broker's, of the very device.
        forgeries.push(ticket(&other.party(way).with_ticket(other.scene.broker.secure())));
        // The other version's.
        let mut older_or_newer = site.party(way);
        let is_1_2 = way.versions == Versions::ONLY_1_2;
        older_or_newer.versions = if is_1_2 { Versions::ONLY_1_3 } else { Versions::ONLY_1_2 };
        older_or_newer.suites = sedge_dtls::CipherSuite::ALL.to_vec();
        forgeries.push(ticket(&older_or_newer.with_ticket(server)));

        for (at, forged) in forgeries.iter().enumerate() {
            let outcome = resumes(&site, &party, with_ticket(&genuine, forged));
            assert_eq!(outcome, Ok(false), "{way:?}: forgery {at} is no reason not to begin anew");
        }
        // A session identifier that the broker never gave.
        let guessed = changed(&with_ticket(&genuine, &[0x11; 32]), |bytes| bytes[KIND] = 0);
        assert_eq!(resumes(&site, &party, guessed), Ok(false), "{way:?}: a guessed session identifier");
        assert_eq!(site.scene.broker.counter("endpoint.handshakes_resumed"), number as u64 + 1, "{way:?}");
    }
    site.scene.bystander_works();
}

#[test]
fn a_stolen_ticket_is_worth_nothing_without_its_secret() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    for way in WAYS {
        let mut party = site.party(way);
        let stolen = party.with_ticket(server);
        let completed = site.scene.broker.counter("endpoint.handshakes_completed");
        let mut thief = party.clone().patient(2);
        thief.lose_key();
        let outcome = resumes(&site, &thief, changed(&stolen, |bytes| bytes[SECRET].fill(0x33)));
        match way.versions.dtls_1_3 {
            // The binder is wrong.
            true => assert_eq!(outcome, Err(Failure::Refused(AlertDescription::DECRYPT_ERROR)), "{way:?}"),
            false => assert!(outcome.is_err(), "{way:?}"),
        }
        assert_eq!(site.scene.broker.counter("endpoint.handshakes_completed"), completed);
        // Whose it is can still use it.
        assert_eq!(resumes(&site, &party, stolen), Ok(true), "{way:?}");
    }
    site.scene.bystander_works();
}

/// Everything that a client sent to resume its session, sent again by somebody who has seen it.
#[test]
fn a_resumption_sent_again_opens_nothing() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    for way in WAYS {
        let mut party = site.party(way);
        party.resumption = Some(party.clone().with_ticket(server));
        party.wants_tickets = true;
        let socket = socket_towards(server);
        let home = socket.try_clone().expect("the same port");
        let mut sent = Vec::new();
        let connected = party.connect_from(socket, server, |_, datagram| {
            sent.push(datagram.clone());
            vec![datagram]
        });
        let connected = connected.unwrap_or_else(|failure| panic!("{way:?}: {failure}"));
        assert!(connected.resumed, "{way:?}");
        let mut victim = connected.device();
        site.scene.still_works(&mut victim);
        let completed = site.scene.broker.counter("endpoint.handshakes_completed");
        // From its own port, with a cookie that is still good, and from another.
        for replayer in [home, socket_towards(server)] {
            for datagram in &sent {
                replayer.send_to(datagram, server).expect("sent");
                while receive(&replayer, Duration::from_millis(30)).is_some() {}
            }
        }
        assert_eq!(site.scene.broker.counter("endpoint.handshakes_completed"), completed, "{way:?}");
        site.scene.still_works(&mut victim);
    }
}

#[test]
fn a_removed_device_resumes_nothing_and_its_successor_neither() {
    let mut site = Site::new();
    let server = site.scene.broker.secure();
    let remove = |site: &Site, name: &str| {
        let reply = site.scene.broker.administer(AdminRequest::DeviceRemove(name.to_owned()));
        assert_eq!(reply, AdminReply::Done);
    };
    for way in WAYS.into_iter().filter(|way| way.by == By::Certificate) {
        let mut party = site.party(way).patient(2);
        let resumption = party.with_ticket(server);
        let resumed = site.scene.broker.counter("endpoint.handshakes_resumed");
        remove(&site, CERTIFIED);
        let refused = Failure::Refused(AlertDescription::CERTIFICATE_UNKNOWN);
        assert_eq!(resumes(&site, &party, resumption.clone()), Err(refused), "{way:?}");
        // Somebody else of the same name: a full handshake, for it is not the same device.
        site.enrol(NewDevice { certificate_name: Some(CERTIFIED.to_owned()), ..device(CERTIFIED) });
        assert_eq!(resumes(&site, &party, resumption), Ok(false), "{way:?}");
        assert_eq!(site.scene.broker.counter("endpoint.handshakes_resumed"), resumed);
    }
    for way in WAYS.into_iter().filter(|way| way.by == By::RawPublicKey) {
        let mut party = site.party(way).patient(2);
        let resumption = party.with_ticket(server);
        if way.versions == Versions::ONLY_1_3 {
            remove(&site, "raw");
            assert!(resumes(&site, &party, resumption).is_err(), "{way:?}");
        }
    }
    site.scene.bystander_works();
}

#[test]
fn an_expired_ticket_resumes_nothing() {
    let mut site = Site::with(|config, _, _| config.dtls.tickets = Duration::from_secs(1));
    let server = site.scene.broker.secure();
    let kept: Vec<_> = WAYS.into_iter().map(|way| (way, site.party(way).with_ticket(server))).collect();
    std::thread::sleep(Duration::from_millis(2_100));
    for (way, resumption) in kept {
        // The client takes it for good for another hour.
        let hour = Duration::from_secs(3_600).as_micros() as u64;
        let resumption = changed(&resumption, |bytes| bytes[LEFT].copy_from_slice(&hour.to_be_bytes()));
        assert_eq!(resumes(&site, &site.party(way), resumption), Ok(false), "{way:?}");
    }
    assert_eq!(site.scene.broker.counter("endpoint.handshakes_resumed"), 0);
    let mut victim = site.scene.victim();
    site.scene.still_works(&mut victim);
    assert_eq!(victim.connection().receive(QUIET.min(SOON)), None);
}
