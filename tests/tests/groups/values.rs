//! Values from a publisher to subscribers.

use sedge_broker::Broker;
use sedge_broker::admin::{AdminReply, AdminRequest, Protection, TopicSettings};
use sedge_broker::config::Config;
use sedge_broker::store::DataDir;
use sedge_client::protected::ProtectError;
use sedge_client::{Error, Secret};

use crate::{BOTH, Member, PUBLISHES, READS, Seen, TEXT, TOPIC, broker, broker_with, enrol, run};

#[test]
fn a_value_arrives_with_who_and_which_key() {
    let broker = broker();
    enrol(&broker, "boiler", PUBLISHES);
    enrol(&broker, "display", READS);
    run(async {
        let mut boiler = Member::connect(&broker, "boiler").await;
        boiler.publish(b"21.5").await.unwrap();
        let mut display = Member::connect(&broker, "display").await;
        display.subscribe().await.unwrap();
        // What was published before it came is not for it.
        assert!(display.next().await.is_err());
        assert_eq!(display.groups[0].refused().unknown_key, 1);
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        boiler.publish(b"22.0").await.unwrap();
        let seen = Seen { text: "22.0".into(), by: Some("boiler".into()), generation: 1, verified: false };
        assert_eq!(display.next().await, Ok(seen));
    });
    // The broker has the ciphertext, in its own format.
    let AdminReply::Topic(topic) = broker.administer(AdminRequest::TopicShow(TOPIC.into())) else { panic!() };
    let value = topic.value.unwrap();
    assert_eq!((value.content_format, value.bytes), (Some(16), 4 + 22));
}

/// More than a datagram, each way, and with every cipher.
#[test]
fn long_values_travel_in_blocks() {
    for cipher in sedge_group::Cipher::ALL {
        let broker = broker_with(|config| config.groups.cipher = cipher);
        enrol(&broker, "valve", BOTH);
        run(async {
            let mut valve = Member::connect(&broker, "valve").await;
            let long: String = (0..20_000).map(|at| char::from(b'a' + (at % 26) as u8)).collect();
            valve.publish(long.as_bytes()).await.unwrap();
            valve.subscribe().await.unwrap();
            valve.expect(&long).await;
            for value in ["1", "2", "3"] {
                valve.publish(value.as_bytes()).await.unwrap();
                valve.expect(value).await;
            }
        });
    }
}

/// What the broker counts is what it keeps: the ciphertext.
#[test]
fn a_value_is_as_long_as_the_broker_takes_with_its_protection() {
    const LIMIT: usize = 65_536;
    let broker = broker_with(|config| config.limits.body_bytes = LIMIT);
    enrol(&broker, "valve", BOTH);
    run(async {
        let mut valve = Member::connect(&broker, "valve").await;
        let longest = "x".repeat(LIMIT - 25);
        valve.publish(longest.as_bytes()).await.unwrap();
        valve.subscribe().await.unwrap();
        valve.expect(&longest).await;
        let refused = valve.publish("x".repeat(LIMIT - 10).as_bytes()).await.unwrap_err();
        assert!(refused.contains("4.13"), "{refused}");
        valve.publish(b"short").await.unwrap();
        valve.expect("short").await;
    });
}

#[test]
fn countersigned_values_say_who_it_was() {
    let broker = broker_with(|config| config.groups.signed = true);
    enrol(&broker, "boiler", PUBLISHES);
    enrol(&broker, "valve", BOTH);
    run(async {
        let mut boiler = Member::connect(&broker, "boiler").await;
        assert!(boiler.publish(b"x").await.unwrap_err().contains("sign"), "without a key to sign with");
        boiler.groups = boiler.groups.into_iter().map(|group| group.signing(Secret::new([5; 32]))).collect();
        boiler.publish(b"21.5").await.unwrap();
        let mut valve = Member::connect(&broker, "valve").await;
        valve.groups = valve.groups.into_iter().map(|group| group.signing(Secret::new([6; 32]))).collect();
        valve.publish(b"open").await.unwrap();
        valve.subscribe().await.unwrap();
        let seen = valve.expect("open").await;
        assert_eq!((seen.by.as_deref(), seen.verified), (Some("valve"), true));
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        boiler.publish(b"22.0").await.unwrap();
        let seen = valve.expect("22.0").await;
        assert_eq!((seen.by.as_deref(), seen.verified), (Some("boiler"), true));
    });
}

#[test]
fn a_protected_topic_takes_nothing_in_the_open() {
    let broker = broker();
    enrol(&broker, "valve", BOTH);
    let protection = Some(Protection { content_format: Some(60), ..Protection::default() });
    broker.create_topic(TopicSettings { name: TOPIC.into(), protection, ..TopicSettings::default() });
    let AdminReply::Topic(shown) = broker.administer(AdminRequest::TopicShow(TOPIC.into())) else { panic!() };
    assert_eq!((shown.settings.content_format, shown.settings.protection.is_some()), (Some(16), true));
    run(async {
        let mut valve = Member::connect(&broker, "valve").await;
        let refused = valve.client.publish(TOPIC, TEXT, b"open").await;
        let code = sedge_client::Code::UNSUPPORTED_CONTENT_FORMAT;
        assert!(matches!(refused, Err(Error::Refused(refused)) if refused == code), "{refused:?}");
        let mut protected = valve.client.protected(&mut valve.groups, &mut valve.scratch);
        protected.publish(TOPIC, sedge_client::ContentFormat::CBOR, b"\x01").await.unwrap();
        let nowhere = protected.publish("site/9", TEXT, b"x").await;
        assert_eq!(nowhere.map_err(|error| matches!(error, ProtectError::NotAGroup)), Err(true));
    });
    // The group's own format is in no message.
    let AdminReply::Topic(topic) = broker.administer(AdminRequest::TopicShow(TOPIC.into())) else { panic!() };
    assert_eq!(topic.value.unwrap().bytes, 1 + 22);
}

#[test]
fn without_rights_there_is_no_key() {
    let broker = broker();
    enrol(&broker, "boiler", PUBLISHES);
    enrol(&broker, "stranger", (&["other"], &["other"]));
    run(async {
        let mut boiler = Member::connect(&broker, "boiler").await;
        boiler.publish(b"21.5").await.unwrap();
        assert!(boiler.subscribe().await.unwrap_err().contains("4.03"), "it may only publish");
        let mut stranger = Member::connect(&broker, "stranger").await;
        assert!(stranger.subscribe().await.unwrap_err().contains("4.03"));
        assert!(stranger.publish(b"1").await.unwrap_err().contains("4.03"));
    });
}

#[test]
fn without_a_key_to_seal_with_no_centre_starts() {
    let folder = tempfile::tempdir().unwrap();
    let start = |change: &dyn Fn(&mut Config)| {
        let mut config = Config::default();
        config.listen.coaps = vec![([127, 0, 0, 1], 0).into()];
        config.groups.enabled = true;
        change(&mut config);
        Broker::start(&DataDir::new(folder.path().join("data")), config).map(|_| ()).unwrap_err().to_string()
    };
    let said = start(&|_| {});
    assert!(said.contains("key_file") && said.contains("/dev/urandom"), "{said}");
    let path = folder.path().join("key");
    let said = start(&|config| config.groups.key_file = path.clone());
    assert!(said.contains("No such file"), "{said}");
    std::fs::write(&path, "secret").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert!(start(&|config| config.groups.key_file = path.clone()).contains("chmod 600"));
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(start(&|config| config.groups.key_file = path.clone()).contains("fewer than 32"));
}
