//! New keys reach members before anything is published with them. In all of these members would ask by themselves only
//! after an hour.

use std::time::{Duration, Instant};

use sedge_broker::admin::{AdminReply, AdminRequest, DeviceRights};
use sedge_client::{Code, Error, Target};
use sedge_group::keying::Keys;
use sedge_tests::broker::TestBroker;

use crate::{BOTH, Member, PUBLISHES, READS, TOPIC, aside, broker_with, dial, enrol, run};

/// One that says that members need not ask.
fn broker() -> TestBroker {
    broker_with(|config| config.groups.check_interval = Duration::from_secs(3600))
}

/// Waits in the member's stead, with nothing to come but keys, until it has this generation.
async fn until(member: &mut Member, generation: u64) -> Duration {
    let start = Instant::now();
    while member.generation() != Some(generation) {
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", member.generation());
        let mut buffer = [0; 64];
        let mut protected = member.client.protected(&mut member.groups, &mut member.scratch);
        if let Some(centre) = &mut member.centre {
            protected = protected.with_centre(centre);
        }
        let nothing = tokio::time::timeout(Duration::from_millis(50), protected.next(&mut buffer)).await;
        assert!(nothing.is_err(), "{nothing:?}");
    }
    start.elapsed()
}

#[test]
fn a_subscriber_has_the_new_key_before_the_first_value() {
    let broker = broker();
    for name in ["display", "phone"] {
        enrol(&broker, name, READS);
    }
    enrol(&broker, "valve", BOTH);
    run(async {
        let mut valve = Member::connect(&broker, "valve").await;
        valve.publish(b"0").await.unwrap();
        let mut display = Member::connect(&broker, "display").await;
        display.subscribe().await.unwrap();
        let _before = display.next().await;
        assert_eq!(display.generation(), Some(1));
        let mut phone = Member::connect(&broker, "phone").await;
        phone.subscribe().await.unwrap();
        let _before = phone.next().await;
        let _soon = until(&mut display, 2).await;
        phone.leave().await;
        let _soon = until(&mut display, 3).await;
        // The one who left observes the value, which it may, but no keys.
        assert_eq!(aside(|| broker.status().observations), 3, "two values, one key");
    });
}

/// Who publishes goes on with the new key, though it only looks at what has come when it has something to say: what the
/// removed device may still get hold of is of no use to it.
#[test]
fn a_publisher_uses_the_new_key_at_once_when_a_device_is_removed() {
    let broker = broker();
    enrol(&broker, "boiler", PUBLISHES);
    enrol(&broker, "display", READS);
    run(async {
        let mut boiler = Member::connect(&broker, "boiler").await;
        for value in [b"0", b"1"] {
            boiler.publish(value).await.unwrap();
        }
        let mut display = Member::connect(&broker, "display").await;
        display.subscribe().await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        boiler.publish(b"2").await.unwrap();
        assert_eq!(boiler.generation(), Some(1));
        let removed = aside(|| broker.administer(AdminRequest::DeviceRemove("display".into())));
        assert_eq!(removed, AdminReply::Done);
        tokio::time::sleep(Duration::from_millis(500)).await;
        boiler.publish(b"3").await.unwrap();
        assert_eq!(boiler.generation(), Some(2));
    });
}

#[test]
fn keys_from_elsewhere_are_pushed_from_there() {
    let (carrier, centre) = (TestBroker::start(), broker());
    for broker in [&carrier, &centre] {
        enrol(broker, "valve", BOTH);
        enrol(broker, "display", BOTH);
        enrol(broker, "phone", BOTH);
    }
    run(async {
        let member = async |name| {
            let mut member = Member::connect(&carrier, name).await;
            member.centre = Some(dial(centre.secure(), name).await);
            member
        };
        let (mut valve, mut display) = (member("valve").await, member("display").await);
        valve.publish(b"0").await.unwrap();
        display.subscribe().await.unwrap();
        let _before = display.next().await;
        let mut phone = member("phone").await;
        phone.subscribe().await.unwrap();
        let _soon = until(&mut display, 2).await;
        valve.subscribe().await.unwrap();
        phone.publish(b"1").await.unwrap();
        assert_eq!(display.expect("1").await.generation, 2);
        assert_eq!(aside(|| (carrier.status().observations, centre.status().observations)), (3, 3));
    });
}

/// As any client sees it that observes both resources.
#[test]
fn an_observer_is_told_why_there_are_no_more_keys() {
    let broker = broker();
    enrol(&broker, "valve", BOTH);
    enrol(&broker, "display", READS);
    run(async {
        let mut valve = Member::connect(&broker, "valve").await;
        valve.publish(b"0").await.unwrap();
        let mut display = Member::connect(&broker, "display").await;
        display.subscribe().await.unwrap();
        let mut observer = dial(broker.secure(), "display").await;
        let keys = observer.observe(Target::Keys(TOPIC)).await.unwrap();
        let mut buffer = [0; 512];
        let first = observer.next(&mut buffer).await.unwrap();
        assert_eq!((first.subscription, first.content_format.map(|format| format.0)), (keys, Some(261)));
        assert_eq!(Keys::decode(first.payload).unwrap().key.number(), 1);
        // Somebody else's node is not for it.
        let refused = observer.observe(Target::Path("ace-group/x/nodes/valve")).await;
        assert!(matches!(refused, Err(Error::Refused(Code::NOT_FOUND))), "{refused:?}");

        let rights = DeviceRights {
            name: "display".into(),
            grants: Some(sedge_access::Grants::none()),
            ..DeviceRights::default()
        };
        let changed = aside(|| broker.administer(AdminRequest::DeviceSet(rights)));
        assert!(matches!(changed, AdminReply::Device(_)), "{changed:?}");
        let ended = tokio::time::timeout(Duration::from_secs(5), observer.next(&mut buffer)).await.unwrap();
        let Err(Error::Ended { subscription, code }) = ended else { panic!("{ended:?}") };
        assert_eq!((subscription, code), (keys, Code::FORBIDDEN));
    });
}
