//! Observations that end because a right ends: their last notification arrives, whatever is lost on the way.

use sedge_broker::admin::DeviceRights;
use sedge_endpoint::ExchangeId;
use sedge_group::keying::{ACE_GROUP, Join, Roles};

use super::*;

fn both() -> Permissions {
    PUBLISH | READ
}

/// A broker that gives out keys of groups, and that does not wait long for acknowledgements.
fn centre() -> Host {
    let key = tempfile::Builder::new().tempfile().unwrap();
    std::fs::write(key.path(), "00112233445566778899aabbccddeeff00112233").unwrap();
    Host::start(|config| {
        config.groups.enabled = true;
        config.groups.key_file = key.path().to_owned();
        config.timing.ack_timeout = SECOND / 4;
    })
}

/// Joins the group of a topic, and observes its key as a member.
fn member(device: &mut Device, name: &str, topic: &str, roles: Roles) -> ExchangeId {
    let join = Join { group: topic, roles, members: false, credential: None, nonce: [7; 8], proof: None };
    let body = join.encode(&mut [0; 128]).unwrap().to_vec();
    let joined = device.request(Code::POST, &format!("{ACE_GROUP}/{topic}"), |writer| {
        writer.option_uint(OptionNumber::CONTENT_FORMAT, 261).payload(&body);
    });
    assert_eq!(joined.code, Code::CREATED, "{:?}", joined.payload);
    let (key, first) = device.observe(&format!("{ACE_GROUP}/{topic}/nodes/{name}"));
    assert_eq!((first.code, first.observe.is_some()), (Code::CONTENT, true));
    key
}

fn set(host: &Host, name: &str, grants: Grants) {
    let rights = DeviceRights { name: name.into(), grants: Some(grants), roles: None, segment: None };
    assert!(matches!(host.ask(AdminRequest::DeviceSet(rights)), AdminReply::Device(_)));
}

/// What is told though its first two datagrams are lost, and then the first acknowledgement; and that it is told once.
fn told_in_spite_of_losses(host: &Host, device: &mut Device, observed: ExchangeId) -> Reply {
    let told = device.reply(observed, 3 * PATIENCE).expect("it is told again");
    assert_eq!((device.still_to_lose(), told.observe), ((0, 0), None));
    let start = std::time::Instant::now();
    while host.status().observations > 0 {
        assert!(start.elapsed() < 3 * PATIENCE, "the broker does not hear that it was told");
        assert_eq!(device.reply(observed, SECOND / 20), None, "once is enough");
    }
    told
}

#[test]
fn an_evicted_member_hears_of_it_in_spite_of_losses() {
    let host = centre();
    let mut door = host.device("door", scope(&[("door", both())]));
    let key = member(&mut door, "door", "door", Roles::PUBLISHER | Roles::SUBSCRIBER);
    // It may still publish, but is no subscriber any more.
    door.lose(2, 1);
    set(&host, "door", scope(&[("door", PUBLISH)]));
    let told = told_in_spite_of_losses(&host, &mut door, key);
    assert_eq!(
        (told.code, told.content_format),
        (Code::NOT_FOUND, Some(ContentFormat::PROBLEM_DETAILS)),
        "membership terminated"
    );
    assert!(String::from_utf8_lossy(&told.payload).contains("no member any more"), "{told:?}");
    // Its session goes on.
    assert_eq!(door.put("d/door", b"1").code, Code::CREATED);
}

#[test]
fn an_observer_hears_that_its_right_has_ended_in_spite_of_losses() {
    let host = centre();
    let mut door = host.device("door", scope(&[("door", both())]));
    assert_eq!(door.put("d/door", b"1").code, Code::CREATED);
    let (values, _) = door.observe("d/door");
    door.lose(2, 1);
    set(&host, "door", scope(&[("door", PUBLISH)]));
    assert_eq!(told_in_spite_of_losses(&host, &mut door, values).code, Code::FORBIDDEN);
}

/// The session of a revoked token ends when its peer has heard why.
#[test]
fn a_session_that_ends_says_so_first() {
    let host = centre();
    for revoke in [true, false] {
        let held = host.issue("visitor", &[("door", both())], if revoke { 600 } else { 4 });
        let mut visitor = host.connect(&held).expect("a session");
        let key = member(&mut visitor, "visitor", "door", Roles::PUBLISHER | Roles::SUBSCRIBER);
        visitor.lose(2, 1);
        if revoke {
            host.revoke(&held.id);
        }
        let told = told_in_spite_of_losses(&host, &mut visitor, key);
        assert_eq!(told.code, Code::UNAUTHORIZED, "revoked: {revoke}");
        host.until("its session ends", |host| host.status().sessions == 0);
    }
}

/// Nobody acknowledges: it is over when it was told as often as CoAP does.
#[test]
fn who_does_not_answer_is_not_waited_for_for_ever() {
    let host = centre();
    let held = host.issue("visitor", &[("door", both())], 600);
    let mut visitor = host.connect(&held).expect("a session");
    let _key = member(&mut visitor, "visitor", "door", Roles::PUBLISHER | Roles::SUBSCRIBER);
    host.revoke(&held.id);
    host.until("its session ends", |host| host.status().sessions == 0);
    let retransmitted = host.counter("endpoint.retransmissions");
    assert_eq!(retransmitted, 4, "RFC 7252 section 4.8: MAX_RETRANSMIT");
}
