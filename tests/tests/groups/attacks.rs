//! What somebody who may publish, or the broker itself, can try without the group's key.

use sedge_client::ContentFormat;
use sedge_client::protected::Refusal;
use sedge_coap::Code;
use sedge_group::OpenError;
use sedge_tests::broker::TestBroker;

use crate::{BOTH, Member, TEXT, TOPIC, broker, dial, enrol, run};

const COSE: ContentFormat = ContentFormat(16);

async fn retained(broker: &TestBroker, topic: &str) -> Vec<u8> {
    let mut root = dial(broker.secure(), "root").await;
    let request = sedge_client::Request::new(Code::GET, sedge_client::Target::Topic(topic));
    let mut buffer = vec![0; 4096];
    root.request(&request, &mut buffer).await.unwrap().payload.to_vec()
}

#[test]
fn forged_replayed_and_swapped_values_are_refused_and_counted() {
    let broker = broker();
    enrol(&broker, "valve", BOTH);
    enrol(&broker, "root", BOTH);
    run(async {
        let mut valve = Member::connect(&broker, "valve").await;
        valve.publish(b"shut").await.unwrap();
        let shut = retained(&broker, TOPIC).await;
        valve.subscribe().await.unwrap();
        valve.expect("shut").await;
        valve.publish(b"open").await.unwrap();
        valve.expect("open").await;
        // Another protected topic of the same member.
        let mut protected = valve.client.protected(&mut valve.groups, &mut valve.scratch);
        protected.publish("site/7/valve", TEXT, b"other").await.unwrap();
        let other = retained(&broker, "site/7/valve").await;

        // Root may publish, but is in no group.
        let mut root = dial(broker.secure(), "root").await;
        let mut forged = retained(&broker, TOPIC).await;
        *forged.last_mut().unwrap() ^= 1;
        type Expected = fn(&Refusal) -> bool;
        let attempts: [(&str, ContentFormat, &[u8], Expected); 6] = [
            ("an old value", COSE, &shut, |reason| *reason == Refusal::Open(OpenError::Replayed)),
            ("a changed one", COSE, &forged, |reason| *reason == Refusal::Open(OpenError::Forged)),
            ("another topic's", COSE, &other, |reason| {
                matches!(reason, Refusal::Open(OpenError::Forged | OpenError::UnknownKey(_)))
            }),
            ("in the open", TEXT, b"open", |reason| *reason == Refusal::Plain),
            ("no COSE", COSE, b"open", |reason| *reason == Refusal::Open(OpenError::Malformed)),
            ("cut off", COSE, &shut[..shut.len() - 1], |reason| {
                *reason == Refusal::Open(OpenError::Malformed)
            }),
        ];
        for (what, format, payload, expected) in attempts {
            root.publish(TOPIC, format, payload).await.unwrap();
            let reason = valve.next().await.expect_err(what);
            assert!(expected(&reason), "{what}: {reason}");
        }
        let counted = valve.groups[0].refused();
        assert_eq!(counted.total(), 6, "{counted:?}");
        assert_eq!((counted.replayed, counted.plain, counted.malformed), (1, 1, 2));
        // Nothing else is affected.
        valve.publish(b"shut again").await.unwrap();
        valve.expect("shut again").await;
    });
}

/// A protected value where nobody has a key for it.
#[test]
fn a_protected_value_on_a_plain_topic_is_refused() {
    let broker = broker();
    enrol(&broker, "valve", BOTH);
    run(async {
        let mut valve = Member::connect(&broker, "valve").await;
        valve.publish(b"open").await.unwrap();
        let stolen = retained_by(&mut valve, TOPIC).await;
        valve.client.publish("site/plain", COSE, &stolen).await.unwrap();
        let _subscribed = valve.client.subscribe("site/plain").await.unwrap();
        assert_eq!(valve.next().await, Err(Refusal::Protected));
    });
}

async fn retained_by(member: &mut Member, topic: &str) -> Vec<u8> {
    let request = sedge_client::Request::new(Code::GET, sedge_client::Target::Topic(topic));
    let mut buffer = vec![0; 4096];
    member.client.request(&request, &mut buffer).await.unwrap().payload.to_vec()
}
