//! Who may do what by a token, one row for each case, all of them observing at once: by segment and pattern, until the
//! token expires, is revoked, or its subject goes.

use std::time::{Duration, Instant};

use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_broker::admin::{AdminReply, AdminRequest, NewToken, TokenChoice};
use sedge_coap::Code;

use crate::device::Device;
use crate::{SECOND, Setup, ends, goes_on};

/// How long the tokens are good that expire: long enough to connect all who have one.
const LIFETIME: Duration = Duration::from_secs(30);

/// What becomes of those who may observe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// Their token expires.
    Expires,
    /// It is revoked.
    Revoked,
    /// The device that it was issued to is removed.
    Removed,
    /// Nothing: they may not observe in the first place.
    Refused,
}

use End::*;

#[test]
fn who_may_observe_what_by_a_token_and_until_when() {
    let setup = Setup::new();
    let address = setup.broker.as_ref().unwrap().addresses()[0];
    let mut publisher = setup.publisher();
    let topics = ["a/1/temp", "b/1/temp", "b/1/door", "room/alarm", "shared/1"];
    for topic in topics {
        assert_eq!(publisher.put(&format!("d/{topic}"), b"0").code, Code::CREATED, "{topic}");
    }
    let started = Instant::now();
    let mut live = Vec::new();
    for (number, (segment, pattern, topic, end)) in [
        // Exact names, `+`, `#`; and what they do not reach.
        (Some("plant-a"), "a/1/temp", "a/1/temp", Expires),
        (Some("plant-a"), "a/+/temp", "a/1/temp", Revoked),
        (Some("plant-a"), "a/#", "a/1/temp", Removed),
        (Some("plant-a"), "a/+", "a/1/temp", Refused),
        (Some("plant-a"), "a/2/temp", "a/1/temp", Refused),
        // The segment is that of the device that the token was issued to; no token gets over it.
        (Some("plant-a"), "#", "b/1/temp", Refused),
        (Some("plant-a"), "#", "shared/1", Revoked),
        (None, "#", "a/1/temp", Refused),
        (None, "shared/+", "shared/1", Expires),
        // Bridges let through what the token permits, and no more.
        (Some("room"), "#", "a/1/temp", Removed),
        (Some("room"), "#", "b/1/temp", Revoked),
        (Some("room"), "#", "b/1/door", Refused),
        (Some("room"), "a/#", "b/1/temp", Refused),
        (Some("plant-b"), "#", "room/alarm", Expires),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("d{number}");
        let _own = setup.enrol(&name, Grants::none(), &[], segment);
        let scope = Grants::none().with(TopicPattern::new(pattern).unwrap(), Permissions::READ);
        let new = NewToken {
            subject: name.clone(),
            scope: Some(scope),
            lifetime: Some(if end == Expires { LIFETIME.as_secs() } else { 600 }),
            ..NewToken::default()
        };
        let Ok(AdminReply::TokenIssued(issued)) = setup.ask(AdminRequest::TokenIssue(new)) else { panic!() };
        let key = issued.key.as_ref().unwrap().expose();
        let mut device = Device::try_connect_as(address, &issued.token, key, 10 * SECOND).expect(&name);
        let (observation, first) = device.observe(&format!("d/{topic}"));
        let expected = if end == Refused { Code::FORBIDDEN } else { Code::CONTENT };
        assert_eq!(first.code, expected, "row {number}");
        if end != Refused {
            live.push((device, observation, topic, end, name, issued.info.id));
        }
    }
    assert!(started.elapsed() < LIFETIME, "too slow for what follows");
    let mut published = 0;
    let mut publish = |publisher: &mut Device| {
        published += 1;
        let value = published.to_string().into_bytes();
        topics.iter().for_each(|topic| {
            assert_eq!(publisher.put(&format!("d/{topic}"), &value).code, Code::CHANGED);
        });
        value
    };
    // Each end comes within a second, to those whom it concerns, and the others go on.
    for which in [Revoked, Removed] {
        let value = publish(&mut publisher);
        for (device, observation, ..) in &mut live {
            goes_on(device, *observation, &value);
        }
        live.retain_mut(|(device, observation, _, end, name, id)| {
            if *end != which {
                return true;
            }
            let reply = match which {
                Revoked => setup.ask(AdminRequest::TokenRevoke(TokenChoice::Id(id.clone()))),
                _ => setup.ask(AdminRequest::DeviceRemove(name.clone())),
            };
            assert!(matches!(reply, Ok(AdminReply::TokensRevoked(1) | AdminReply::Done)), "{reply:?}");
            ends(device, *observation, Code::UNAUTHORIZED);
            false
        });
    }
    let value = publish(&mut publisher);
    for (device, observation, ..) in &mut live {
        goes_on(device, *observation, &value);
    }
    assert_eq!(live.len(), 3);
    for (mut device, observation, topic, ..) in live {
        let last = device.reply(observation, LIFETIME + 8 * SECOND).expect("an end");
        assert_eq!((last.code, last.observe), (Code::UNAUTHORIZED, None), "{topic}");
    }
    assert!(started.elapsed() >= LIFETIME - SECOND, "they were good as long as they were to be");
    assert_eq!(setup.observations(), 0);
}
