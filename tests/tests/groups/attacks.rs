//! What somebody who may publish, or the broker itself, can try without the group's key.

use std::time::Duration;

use sedge_broker::admin::{AdminReply, AdminRequest};
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

/// What was made with an old key and kept back: by the broker, for instance, together with somebody who was a member.
#[test]
fn a_value_of_an_old_generation_that_comes_late_is_refused() {
    let broker = broker();
    for name in ["valve", "boiler", "root", "phone"] {
        enrol(&broker, name, BOTH);
    }
    run(async {
        let mut phone = Member::connect(&broker, "phone").await;
        phone.subscribe().await.unwrap();
        let mut boiler = Member::connect(&broker, "boiler").await;
        boiler.publish(b"21.5").await.unwrap();
        let mut valve = Member::connect(&broker, "valve").await;
        valve.subscribe().await.unwrap();
        boiler.publish(b"21.6").await.unwrap();
        while valve.next().await.map(|seen| seen.text) != Ok("21.6".into()) {}
        // Nobody has seen it when the group's key changes.
        drop(valve.client);
        boiler.publish(b"kept back").await.unwrap();
        let kept = retained(&broker, TOPIC).await;
        let remove = || broker.administer(AdminRequest::DeviceRemove("phone".into()));
        let removed = std::thread::scope(|scope| scope.spawn(remove).join().unwrap());
        assert_eq!(removed, AdminReply::Done);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        boiler.publish(b"22.0").await.unwrap();
        let mut valve = Member { client: dial(broker.secure(), "valve").await, subscription: None, ..valve };
        valve.subscribe().await.unwrap();
        valve.expect("22.0").await;
        // Twice the interval after which members ask for a new key.
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let mut root = dial(broker.secure(), "root").await;
        root.publish(TOPIC, COSE, &kept).await.unwrap();
        let reason = valve.next().await.expect_err("kept back");
        assert!(matches!(reason, Refusal::Open(OpenError::UnknownKey(_))), "{reason}");
        boiler.publish(b"22.1").await.unwrap();
        valve.expect("22.1").await;
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
