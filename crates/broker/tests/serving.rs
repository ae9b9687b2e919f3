//! A broker in this process, and devices that reach it over loopback.

#[allow(dead_code, reason = "other tests use more of it")]
mod device;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use device::Device;
use sedge_access::{Grants, Permissions};
use sedge_broker::admin::{
    AdminReply, AdminRequest, After, NewDevice, SessionInfo, Status, TopicSettings, connect_local,
};
use sedge_broker::config::Config;
use sedge_broker::store::{
    Change, DataDir, Done, RedbOptions, RedbStore, Snapshot, Store, StoreError, Urgency,
};
use sedge_broker::{Broker, Key};
use sedge_client::{Credential, Login};
use sedge_coap::block::{Block, BlockSize};
use sedge_coap::{Code, ContentFormat, OptionNumber};

const SECOND: Duration = Duration::from_secs(1);

struct Setup {
    broker: Broker,
    dir: DataDir,
    _temporary: tempfile::TempDir,
}

impl Setup {
    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path().join("d"));
        let mut config = Config::default();
        config.listen.coaps = vec!["[::1]:0".parse().unwrap()];
        config.shards = 2;
        change(&mut config);
        let broker = Broker::start(&dir, config).unwrap();
        Self { broker, dir, _temporary: temporary }
    }

    fn new() -> Self {
        Self::with(|_| {})
    }

    /// Asks over the socket, as `sedge device` does.
    fn admin(&self, request: AdminRequest) -> AdminReply {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut admin = connect_local(&self.dir).await.unwrap();
            assert!(admin.is_running());
            admin.call(request).await.unwrap()
        })
    }

    fn enrol(&self, name: &str) -> Key {
        let both = Permissions::PUBLISH | Permissions::READ | Permissions::DELETE;
        let grants = Grants::none().with("site/#".parse().unwrap(), both);
        let new = NewDevice { name: name.into(), grants, ..NewDevice::default() };
        let AdminReply::Enrolled(_, Some(key)) = self.admin(AdminRequest::DeviceAdd(new)) else { panic!() };
        key
    }

    fn connect(&self, name: &str) -> Device {
        Device::connect(self.broker.addresses()[0], name, &self.enrol(name))
    }

    fn status(&self) -> Status {
        let AdminReply::Status(status) = self.admin(AdminRequest::Status) else { panic!() };
        *status
    }

    fn counter(&self, name: &str) -> u64 {
        let status = self.status();
        status
            .counters
            .iter()
            .find(|counter| counter.name == name)
            .unwrap_or_else(|| panic!("{status:?}"))
            .value
    }
}

#[test]
fn what_is_published_reaches_those_who_observe() {
    let setup = Setup::new();
    let mut publisher = setup.connect("publisher");
    // Devices on both shards, as far as chance has it.
    let mut readers: Vec<Device> = (0..6).map(|number| setup.connect(&format!("reader{number}"))).collect();

    assert_eq!(publisher.get("d/site/1").code, Code::NOT_FOUND);
    assert_eq!(publisher.put("d/site/1", b"0").code, Code::CREATED);
    let mut observations = Vec::new();
    for reader in &mut readers {
        let (exchange, first) = reader.observe("d/site/1");
        assert_eq!((first.code, first.payload.as_slice()), (Code::CONTENT, &b"0"[..]));
        assert!(first.observe.is_some());
        observations.push(exchange);
    }
    for number in 1..=5u8 {
        assert_eq!(publisher.put("d/site/1", &[b'0' + number]).code, Code::CHANGED);
    }
    for (reader, exchange) in readers.iter_mut().zip(&observations) {
        for number in 1..=5u8 {
            let reply = reader.reply(*exchange, 5 * SECOND).expect("every value in its turn");
            assert_eq!(reply.payload, [b'0' + number]);
        }
    }
    let status = setup.status();
    assert_eq!((status.devices, status.topics, status.sessions, status.observations), (8, 1, 7, 6));
    assert_eq!(setup.counter("endpoint.handshakes_completed"), 7);

    // The topic goes, and everyone hears of it.
    assert_eq!(setup.admin(AdminRequest::TopicDelete("site/1".into())), AdminReply::Done);
    for (reader, exchange) in readers.iter_mut().zip(&observations) {
        let last = reader.reply(*exchange, 5 * SECOND).unwrap();
        assert_eq!((last.code, last.observe), (Code::NOT_FOUND, None));
    }
    assert_eq!(setup.status().observations, 0);
}

#[test]
fn an_observer_that_has_forgotten_is_forgotten() {
    // With notifications that ask for an acknowledgement, and with those that do not.
    for unconfirmed in [0, 200] {
        let setup = Setup::with(|config| config.topics.unconfirmed = unconfirmed);
        let mut device = setup.connect("t1");
        assert_eq!(device.put("d/site/1", b"0").code, Code::CREATED);
        let (observation, _) = device.observe("d/site/1");
        assert_eq!(device.put("d/site/1", b"1").code, Code::CHANGED);
        assert_eq!(device.reply(observation, 5 * SECOND).unwrap().payload, b"1");
        assert_eq!(setup.counter("observe.delivered_confirmable"), u64::from(unconfirmed == 0));
        device.forget(observation);
        assert_eq!(device.put("d/site/1", b"2").code, Code::CHANGED);
        let is_heard = device.until(10 * SECOND, |_| setup.status().observations == 0);
        assert!(is_heard, "its reset was heard");
        assert_eq!(device.get("d/site/1").payload, b"2");
    }
}

#[test]
fn a_topic_goes_when_its_time_has_come() {
    let setup = Setup::new();
    let mut device = setup.connect("t1");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let settings = TopicSettings {
        name: "site/short".into(),
        expiration: Some(now + 2),
        content_format: Some(0),
        initialize: Some(b"0".to_vec()),
        ..TopicSettings::default()
    };
    assert!(matches!(setup.admin(AdminRequest::TopicCreate(settings)), AdminReply::Topic(_)));
    let (observation, first) = device.observe("d/site/short");
    assert_eq!(first.payload, b"0");
    let last = device.reply(observation, 6 * SECOND).expect("the end");
    assert_eq!((last.code, last.observe), (Code::NOT_FOUND, None));
    assert_eq!(setup.status().topics, 0);
}

#[test]
fn values_and_devices_outlive_the_broker() {
    let setup = Setup::with(|config| config.topics.durable = true);
    let key = setup.enrol("t1");
    let mut device = Device::connect(setup.broker.addresses()[0], "t1", &key);
    assert_eq!(device.put("d/site/a", b"kept").code, Code::CREATED);
    setup.broker.stop().unwrap();
    assert!(device.closes(10 * SECOND), "the broker says goodbye");

    let mut config = Config::default();
    config.listen.coaps = vec!["127.0.0.1:0".parse().unwrap()];
    let broker = Broker::start(&setup.dir, config).unwrap();
    assert!(broker.first_start().is_none());
    let mut device = Device::connect(broker.addresses()[0], "t1", &key);
    assert_eq!(device.get("d/site/a").payload, b"kept");
    assert_eq!(device.put("d/site/a", b"again").code, Code::CHANGED);
}

#[test]
fn a_wrong_key_and_an_unknown_identity_come_to_nothing_alike() {
    let setup = Setup::new();
    let (address, wrong) = (setup.broker.addresses()[0], Key::random().unwrap());
    let _right = setup.enrol("t1");
    for identity in ["t1", "nobody"] {
        assert!(Device::try_connect(address, identity, &wrong, 3 * SECOND).is_none(), "{identity}");
    }
    // What does not open is counted and dropped: it may be forged, and must not end somebody else's handshake.
    let status = setup.status();
    let discarded = status.counters.iter().filter(|counter| counter.name.starts_with("dtls.discarded."));
    assert!(discarded.map(|counter| counter.value).sum::<u64>() >= 2, "{status:?}");
    assert_eq!(status.sessions, 0);
}

#[test]
fn a_removed_device_is_out_at_once() {
    let setup = Setup::new();
    let key = setup.enrol("t1");
    let address = setup.broker.addresses()[0];
    let mut device = Device::connect(address, "t1", &key);
    assert_eq!(device.put("d/site/1", b"1").code, Code::CREATED);
    let _observation = device.observe("d/site/1");
    assert_eq!(setup.status().observations, 1);

    assert_eq!(setup.admin(AdminRequest::DeviceRemove("t1".into())), AdminReply::Done);
    assert!(device.closes(10 * SECOND));
    let status = setup.status();
    assert_eq!((status.sessions, status.observations), (0, 0));
    assert!(Device::try_connect(address, "t1", &key, 3 * SECOND).is_none());
}

#[test]
fn a_session_goes_on_from_another_port() {
    let setup = Setup::new();
    let mut device = setup.connect("t1");
    assert_eq!(device.put("d/site/1", b"0").code, Code::CREATED);
    let (observation, _) = device.observe("d/site/1");
    // Often enough that the kernel picks the other shard at least once.
    for number in 1..=12u8 {
        device.rebind();
        assert_eq!(device.put("d/site/1", &[number]).code, Code::CHANGED);
        assert_eq!(device.reply(observation, 5 * SECOND).unwrap().payload, [number]);
    }
    assert_eq!(setup.counter("endpoint.handshakes_completed"), 1);
    assert_eq!(setup.counter("endpoint.sessions_moved"), 12);
    assert!(setup.counter("shard.handed_over") > 0);
}

#[test]
fn only_what_was_granted_is_done() {
    let setup = Setup::new();
    let mut device = setup.connect("t1");
    assert_eq!(device.put("d/elsewhere", b"1").code, Code::FORBIDDEN);
    let refused = device.get("d/elsewhere");
    assert_eq!(
        (refused.code, refused.content_format),
        (Code::FORBIDDEN, Some(ContentFormat::PROBLEM_DETAILS))
    );
    assert_eq!(device.request(Code::POST, "sedge/admin", |_| {}).code, Code::FORBIDDEN);
    assert_eq!(device.get("nothing/here").code, Code::NOT_FOUND);
    let links = device.get(".well-known/core");
    assert_eq!(links.content_format, Some(ContentFormat::LINK_FORMAT));
    assert!(String::from_utf8(links.payload).unwrap().contains("</ps>"));
    let unknown = device.request(Code::GET, "d/site/1", |writer| {
        writer.option(OptionNumber(2049), b"x");
    });
    assert_eq!(unknown.code, Code::BAD_OPTION);
    let proxied = device.request(Code::GET, "d/site/1", |w| {
        w.option(OptionNumber::PROXY_URI, b"coap://x");
    });
    assert_eq!(proxied.code, Code::PROXYING_NOT_SUPPORTED);
    assert_eq!(setup.counter("topics.forbidden"), 2);
}

/// Sends `body` in blocks of `size` and returns the last answer.
fn put_in_blocks(device: &mut Device, path: &str, body: &[u8], size: BlockSize) -> device::Reply {
    let count = body.len().div_ceil(size.bytes());
    for (number, part) in body.chunks(size.bytes()).enumerate() {
        let block = Block::new(number as u32, number + 1 < count, size).unwrap();
        let reply = device.request(Code::PUT, path, |writer| {
            writer.block(OptionNumber::BLOCK1, block).payload(part);
        });
        if number + 1 == count || reply.code != Code::CONTINUE {
            return reply;
        }
        assert_eq!(reply.block1, Some(block));
    }
    unreachable!()
}

#[test]
fn large_values_travel_in_blocks_both_ways() {
    let setup = Setup::new();
    let mut device = setup.connect("t1");
    let mut reader = setup.connect("t2");
    let size = BlockSize::at_most(512);
    let body: Vec<u8> = (0..20_000u32).map(|number| number as u8).collect();
    let done = put_in_blocks(&mut device, "d/site/big", &body, size);
    assert_eq!(done.code, Code::CREATED);
    assert!(done.block1.is_some_and(|block| !block.more()));

    let mut fetched = Vec::new();
    loop {
        let block = Block::at(fetched.len(), false, size).unwrap();
        let reply = reader.request(Code::GET, "d/site/big", |writer| {
            writer.block(OptionNumber::BLOCK2, block);
        });
        assert_eq!(reply.code, Code::CONTENT);
        fetched.extend_from_slice(&reply.payload);
        if !reply.block2.unwrap().more() {
            break;
        }
    }
    assert_eq!(fetched, body);

    // A notification carries the first block.
    let (observation, first) = reader.observe("d/site/big");
    assert!(first.block2.unwrap().more() && first.payload.len() == 1024);
    let last = reader.request(Code::GET, "d/site/big", |writer| {
        writer.block(OptionNumber::BLOCK2, Block::new(19, false, BlockSize::MAX).unwrap());
    });
    assert_eq!(last.payload.len(), 20_000 - 19 * 1024);
    assert_eq!(put_in_blocks(&mut device, "d/site/big", &body[1..], size).code, Code::CHANGED);
    let news = reader.reply(observation, 5 * SECOND).unwrap();
    assert_eq!(news.payload, body[1..1025]);
}

#[test]
fn a_body_that_is_too_large_or_has_holes_is_refused_with_its_code() {
    let setup = Setup::with(|config| config.limits.body_bytes = 2048);
    let mut device = setup.connect("t1");
    let size = BlockSize::at_most(256);
    let refused = put_in_blocks(&mut device, "d/site/big", &[7; 3000], size);
    assert_eq!((refused.code, refused.size1), (Code::REQUEST_ENTITY_TOO_LARGE, Some(2048)));
    let hole = device.request(Code::PUT, "d/site/big", |writer| {
        writer.block(OptionNumber::BLOCK1, Block::new(3, true, size).unwrap()).payload(&[7; 256]);
    });
    assert_eq!(hole.code, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!(setup.counter("coap.bodies_refused"), 2);
    assert_eq!(put_in_blocks(&mut device, "d/site/big", &[7; 2048], size).code, Code::CREATED);
}

#[test]
fn an_administrator_is_served_over_coaps() {
    let setup = Setup::new();
    let first = setup.broker.first_start().unwrap();
    let credential = Credential::read(first.credential()).unwrap();
    let Login::Psk { identity, key } = &credential.login else { panic!("{credential:?}") };
    let key = Key::from_bytes(key).unwrap();
    let identity = std::str::from_utf8(identity).unwrap();
    let mut admin = Device::connect(setup.broker.addresses()[0], identity, &key);
    let mut call = |request: AdminRequest, from: u32| {
        let body = request.to_cbor();
        let reply = admin.request(Code::POST, "sedge/admin", |writer| {
            if from > 0 {
                writer.block(OptionNumber::BLOCK2, Block::new(from, false, BlockSize::MAX).unwrap());
            }
            writer.payload(&body);
        });
        assert_eq!((reply.code, reply.content_format), (Code::CHANGED, Some(ContentFormat::CBOR)));
        reply
    };
    for number in 0..30 {
        let settings =
            TopicSettings { name: format!("{}/{number:02}", "x".repeat(60)), ..TopicSettings::default() };
        let reply = call(AdminRequest::TopicCreate(settings), 0);
        assert!(matches!(AdminReply::from_cbor(&reply.payload), Ok(AdminReply::Topic(_))));
    }
    // A list that takes several blocks, the later ones from the first answer.
    let mut list = Vec::new();
    loop {
        let reply = call(AdminRequest::TopicList(After::default()), list.len() as u32 / 1024);
        list.extend_from_slice(&reply.payload);
        if !reply.block2.unwrap().more() {
            break;
        }
    }
    let Ok(AdminReply::Topics(page)) = AdminReply::from_cbor(&list) else { panic!() };
    assert_eq!(page.entries.len(), 30);

    let reply = call(AdminRequest::SessionList(After::default()), 0);
    let Ok(AdminReply::Sessions(page)) = AdminReply::from_cbor(&reply.payload) else { panic!() };
    let [SessionInfo { device, peer, .. }] = &page.entries[..] else { panic!("{page:?}") };
    assert_eq!(device.as_deref(), Some("admin"));
    assert!(peer.starts_with("[::1]:"), "{peer}");
}

#[test]
fn without_security_only_what_the_operator_named() {
    let setup = Setup::with(|config| {
        config.listen.insecure_coap = vec!["127.0.0.1:0".parse().unwrap()];
        config.insecure.subscribe = vec!["site/public".into()];
        config.insecure.publish = vec!["site/public".into()];
    });
    let mut anyone = Device::plain(setup.broker.insecure_addresses()[0]);
    assert_eq!(anyone.put("d/site/public", b"1").code, Code::CREATED);
    assert_eq!(anyone.get("d/site/public").payload, b"1");
    // RFC 9200 section 5.10.2: it has no token for that.
    assert_eq!(anyone.get("d/site/private").code, Code::UNAUTHORIZED);
    // Whoever is to get much more than it sent, or again and again, proves first that it is where it says.
    assert_eq!(anyone.put("d/site/public", &[7; 500]).code, Code::CHANGED);
    for observe in [false, true] {
        let ask = |device: &mut Device, echo: Option<&[u8]>| {
            device.request(Code::GET, "d/site/public", |writer| {
                if observe {
                    writer.insert_option(OptionNumber::OBSERVE, &[]);
                }
                if let Some(echo) = echo {
                    writer.option(OptionNumber::ECHO, echo);
                }
            })
        };
        let challenge = ask(&mut anyone, None);
        assert_eq!((challenge.code, challenge.payload.len()), (Code::UNAUTHORIZED, 0));
        let answer = ask(&mut anyone, challenge.echo.as_deref());
        assert_eq!((answer.code, answer.payload.len()), (Code::CONTENT, 500));
    }
    let mut stranger = Device::plain(setup.broker.insecure_addresses()[0]);
    let challenge = anyone.get("d/site/public").echo;
    let stolen = stranger.request(Code::GET, "d/site/public", |writer| {
        writer.option(OptionNumber::ECHO, challenge.as_deref().unwrap());
    });
    assert_eq!(stolen.code, Code::UNAUTHORIZED);

    // Anyone can pretend to be many: those who prove nothing make room for each other, and only for each other.
    let (observation, _) = anyone.observe_with_proof("d/site/public");
    let flood = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let _junk = flood.send_to(b"neither CoAP nor anything", setup.broker.insecure_addresses()[0]).unwrap();
    for number in 0..1500u16 {
        let one = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let [high, low] = number.to_be_bytes();
        let _get = one.send_to(&[0x50, 1, high, low], setup.broker.insecure_addresses()[0]).unwrap();
    }
    assert_eq!(anyone.put("d/site/public", b"after").code, Code::CHANGED);
    assert_eq!(anyone.reply(observation, 5 * SECOND).unwrap().payload, b"after");
    let sessions = setup.status().sessions;
    assert!(sessions <= 2 * 1025 + 2, "{sessions}");
    assert_eq!(setup.counter("coap.strangers_ignored"), 1);
    assert_eq!(anyone.request(Code::POST, "sedge/admin", |_| {}).code, Code::FORBIDDEN);
}

#[test]
fn a_second_broker_is_told_what_is_in_its_way() {
    let setup = Setup::new();
    let error = Broker::start(&setup.dir, Config::default()).unwrap_err().to_string();
    assert!(error.contains("another broker runs"), "{error}");
    let other = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.listen.coaps = vec![setup.broker.addresses()[0]];
    let error = Broker::start(&DataDir::new(other.path().join("d")), config).unwrap_err().to_string();
    assert!(error.contains("--listen"), "{error}");
}

#[test]
fn junk_is_counted_and_harms_nobody() {
    let setup = Setup::new();
    let mut device = setup.connect("t1");
    let junk = std::net::UdpSocket::bind("[::1]:0").unwrap();
    let address = setup.broker.addresses()[0];
    for len in [0, 1, 12, 13, 50, 1500, 3000] {
        for first in [0, 22, 23, 25, 255u8] {
            let _sent = junk.send_to(&vec![first; len], address).unwrap();
        }
    }
    assert_eq!(device.put("d/site/1", b"1").code, Code::CREATED);
    assert_eq!(setup.counter("net.datagrams_truncated"), 5);
    assert_eq!(setup.status().sessions, 1);
}

/// A store whose disk can be switched to full.
struct FullStore {
    inner: RedbStore,
    full: AtomicBool,
}

#[async_trait]
impl Store for FullStore {
    async fn load(&self) -> Result<Snapshot, StoreError> {
        self.inner.load().await
    }

    fn submit(&self, change: Change, urgency: Urgency, done: Option<Done>) {
        match (self.health(), done) {
            (Ok(()), done) => self.inner.submit(change, urgency, done),
            (Err(error), Some(done)) => done(Err(error)),
            (Err(_), None) => {}
        }
    }

    fn health(&self) -> Result<(), StoreError> {
        if self.full.load(Ordering::SeqCst) { Err(StoreError::Full) } else { Ok(()) }
    }
}

#[test]
fn a_full_disk_is_told_to_publishers_and_passes() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = DataDir::new(temporary.path().join("d"));
    dir.create().unwrap();
    let inner = RedbStore::open(&dir.store(), RedbOptions::default()).unwrap();
    let store = Arc::new(FullStore { inner, full: AtomicBool::new(false) });
    let mut config = Config::default();
    config.listen.coaps = vec!["[::1]:0".parse().unwrap()];
    config.topics.durable = true;
    let setup = Setup {
        broker: Broker::start_with_store(&dir, config, store.clone()).unwrap(),
        dir,
        _temporary: temporary,
    };
    let mut device = setup.connect("t1");
    assert_eq!(device.put("d/site/1", b"1").code, Code::CREATED);
    store.full.store(true, Ordering::SeqCst);
    let refused = device.put("d/site/1", b"2");
    assert_eq!((refused.code, refused.max_age), (Code::SERVICE_UNAVAILABLE, Some(5)));
    assert!(String::from_utf8_lossy(&refused.payload).contains("disk is full"));
    assert_eq!(device.get("d/site/1").payload, b"1", "reading goes on");
    assert_eq!(setup.status().store_failure, Some(StoreError::Full.to_string()));
    store.full.store(false, Ordering::SeqCst);
    assert_eq!(device.put("d/site/1", b"3").code, Code::CHANGED);
}
