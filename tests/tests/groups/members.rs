//! Members that come, go and sleep.

use std::time::Duration;

use sedge_broker::admin::{AdminReply, AdminRequest};
use sedge_client::protected::Refusal;
use sedge_group::OpenError;

use crate::{BOTH, Member, PUBLISHES, READS, TOPIC, broker, enrol, run};

/// As long as members take to ask for a new key, and a little more.
const CHECKED: Duration = Duration::from_millis(1100);

#[test]
fn who_leaves_reads_nothing_that_follows() {
    let broker = broker();
    for name in ["phone", "display"] {
        enrol(&broker, name, READS);
    }
    enrol(&broker, "boiler", PUBLISHES);
    run(async {
        let mut boiler = Member::connect(&broker, "boiler").await;
        boiler.publish(b"0").await.unwrap();
        let mut display = Member::connect(&broker, "display").await;
        let mut phone = Member::connect(&broker, "phone").await;
        display.subscribe().await.unwrap();
        phone.subscribe().await.unwrap();
        let _before = (display.next().await, phone.next().await);
        tokio::time::sleep(CHECKED).await;
        boiler.publish(b"1").await.unwrap();
        assert_eq!((display.expect("1").await.generation, phone.expect("1").await.generation), (2, 2));

        // Its keys are still in its memory, as somebody's who saves them would be.
        let kept = phone.groups.iter().map(|group| group.generation()).collect::<Vec<_>>();
        let mut spare = Member::connect(&broker, "phone").await;
        spare.leave().await;
        assert_eq!(kept[0], Some(2));
        tokio::time::sleep(CHECKED).await;
        boiler.publish(b"2").await.unwrap();
        assert_eq!(display.expect("2").await.generation, 3);
        // It may ask to join again, as it has the right to; but this value went before.
        let refused = phone.next().await;
        assert!(matches!(refused, Err(Refusal::Open(OpenError::UnknownKey(_)))), "{refused:?}");
    });
}

#[test]
fn a_removed_device_is_out_at_once() {
    let broker = broker();
    enrol(&broker, "valve", BOTH);
    enrol(&broker, "display", READS);
    run(async {
        let mut valve = Member::connect(&broker, "valve").await;
        valve.publish(b"0").await.unwrap();
        let mut display = Member::connect(&broker, "display").await;
        display.subscribe().await.unwrap();
        assert_eq!(display.generation(), Some(1));
    });
    let removed = broker.administer(AdminRequest::DeviceRemove("display".into()));
    assert_eq!(removed, AdminReply::Done);
    run(async {
        let mut valve = Member::connect(&broker, "valve").await;
        valve.publish(b"1").await.unwrap();
        assert_eq!(valve.generation(), Some(2), "the removal has made a new key");
    });
}

/// It had joined; while it slept others came and went, and values were published under keys that it has not got. It still
/// gets what is retained: with the newest key, or with an earlier one.
#[test]
fn who_slept_loses_nothing_that_is_retained() {
    let broker = broker();
    enrol(&broker, "boiler", PUBLISHES);
    for name in ["display", "one", "two", "three"] {
        enrol(&broker, name, READS);
    }
    run(async {
        let mut boiler = Member::connect(&broker, "boiler").await;
        boiler.publish(b"0").await.unwrap();
        let mut display = Member::connect(&broker, "display").await;
        display.subscribe().await.unwrap();
        let _old = display.next().await;
        display.client.close().await;

        let mut one = Member::connect(&broker, "one").await;
        one.subscribe().await.unwrap();
        tokio::time::sleep(CHECKED).await;
        boiler.publish(b"slept through").await.unwrap();
        let mut display = display.wake(&broker, "display").await;
        display.subscribe().await.unwrap();
        assert_eq!(display.expect("slept through").await.generation, 2);
        display.client.close().await;

        // Now the value is older than the newest key, and the sleeper has lost even its memory.
        boiler.publish(b"older than the key").await.unwrap();
        for name in ["two", "three"] {
            Member::connect(&broker, name).await.subscribe().await.unwrap();
        }
        let mut display = Member::connect(&broker, "display").await;
        display.subscribe().await.unwrap();
        assert_eq!(display.expect("older than the key").await.generation, 2);
        assert_eq!(display.generation(), Some(4));
        // Who has come later does not get that.
        let mut three = Member::connect(&broker, "three").await;
        three.subscribe().await.unwrap();
        assert!(three.next().await.is_err());
    });
}

/// A subscriber waits until its topic becomes a protected one.
#[test]
fn who_comes_first_waits() {
    let broker = broker();
    enrol(&broker, "valve", BOTH);
    enrol(&broker, "display", READS);
    run(async {
        let mut display = Member::connect(&broker, "display").await;
        let mut valve = Member::connect(&broker, "valve").await;
        let later = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            valve.publish(b"first").await.unwrap();
        };
        let (subscribed, ()) = tokio::join!(display.subscribe(), later);
        subscribed.unwrap();
        let _first = display.next().await;
        tokio::time::sleep(CHECKED).await;
        valve.publish(b"second").await.unwrap();
        display.expect("second").await;
        // Whoever restarts joins anew, under a Sender ID that was never used.
        let mut again = Member::connect(&broker, "valve").await;
        again.publish(b"third").await.unwrap();
        assert_eq!(display.expect("third").await.by.as_deref(), Some("valve"));
        assert_ne!(again.groups[0].publisher().sender(), valve.groups[0].publisher().sender());
        assert_eq!(display.client.topic(display.subscription.unwrap()), Some(TOPIC));
    });
}

/// Two commands of one credential publish, and the centre knows of the second one's Sender ID alone: with a new key the
/// first one's is somebody else's. None of them uses another's under one key.
#[test]
fn two_of_one_name_and_a_third_share_no_sender_id() {
    let broker = broker();
    enrol(&broker, "boiler", PUBLISHES);
    enrol(&broker, "valve", PUBLISHES);
    run(async {
        let mut first = Member::connect(&broker, "boiler").await;
        first.publish(b"1").await.unwrap();
        let mut second = Member::connect(&broker, "boiler").await;
        second.publish(b"2").await.unwrap();
        let mut valve = Member::connect(&broker, "valve").await;
        valve.publish(b"3").await.unwrap();
        for round in 0..3 {
            tokio::time::sleep(CHECKED).await;
            let mut used = Vec::new();
            for member in [&mut first, &mut second, &mut valve] {
                member.publish(b"4").await.unwrap();
                let publisher = member.groups[0].publisher();
                let sender = (publisher.generation().unwrap(), publisher.sender().unwrap());
                assert!(!used.contains(&sender), "round {round}: {sender:?} after {used:?}");
                used.push(sender);
            }
            // A new key.
            let name = format!("display-{round}");
            crate::aside(|| enrol(&broker, &name, BOTH));
            let mut display = Member::connect(&broker, &name).await;
            display.subscribe().await.unwrap();
        }
    });
}

/// A topic that was deleted and made anew has a group that begins anew, too; its members have the keys of the old one.
#[test]
fn members_of_a_group_that_was_are_members_of_the_next() {
    let broker = broker();
    enrol(&broker, "boiler", PUBLISHES);
    enrol(&broker, "display", READS);
    enrol(&broker, "phone", READS);
    run(async {
        let mut boiler = Member::connect(&broker, "boiler").await;
        boiler.publish(b"0").await.unwrap();
        let mut display = Member::connect(&broker, "display").await;
        display.subscribe().await.unwrap();
        let _before = display.next().await;
        Member::connect(&broker, "phone").await.subscribe().await.unwrap();
        tokio::time::sleep(CHECKED).await;
        boiler.publish(b"1").await.unwrap();
        assert_eq!(display.expect("1").await.generation, 2);
        let deleted = crate::aside(|| broker.administer(AdminRequest::TopicDelete(TOPIC.into())));
        assert_eq!(deleted, AdminReply::Done);
        tokio::time::sleep(CHECKED).await;
        boiler.publish(b"2").await.unwrap();
        let sender = boiler.groups[0].publisher().sender();
        boiler.publish(b"3").await.unwrap();
        assert_eq!(boiler.groups[0].publisher().sender(), sender, "it is a member now");
        let mut display = display.wake(&broker, "display").await;
        display.subscribe().await.unwrap();
        // It went before.
        assert!(display.next().await.is_err());
        tokio::time::sleep(CHECKED).await;
        boiler.publish(b"4").await.unwrap();
        display.expect("4").await;
    });
}
