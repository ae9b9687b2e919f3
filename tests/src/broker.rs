//! A broker of the test's own, in the test's process, on loopback ports of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice, Status, TopicSettings};
use sedge_broker::config::Config;
use sedge_broker::store::{Change, DataDir, RedbOptions, RedbStore, Store as _};
use sedge_broker::{Broker, Key};
use tempfile::TempDir;

use crate::dtls::Identity;

/// A running broker; its folder goes when it is dropped.
#[derive(Debug)]
pub struct TestBroker {
    broker: Option<Broker>,
    dir: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl TestBroker {
    /// A broker with one shard and defaults otherwise.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    /// A broker whose configuration the test has changed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_records(Vec::new(), change)
    }

    /// A broker that finds these records of an authorisation server in its store.
    ///
    /// # Panics
    /// If it does not start.
    pub fn with_records(records: Vec<sedge_authority::Change>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { shards: 1, ..Config::default() };
        config.listen.coaps = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        change(&mut config);
        let dir = tempfile::tempdir().expect("a temporary folder");
        let data = DataDir::new(dir.path().join("data"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        if !records.is_empty() {
            data.create().expect("its folder");
            let store = RedbStore::open(&data.store(), RedbOptions::default()).expect("a store");
            runtime.block_on(store.commit(Change::Records(records))).expect("kept");
        }
        let broker = Broker::start(&data, config).unwrap_or_else(|error| panic!("{error}"));
        Self { broker: Some(broker), dir, runtime }
    }

    /// The broker itself.
    ///
    /// # Panics
    /// Never: it is there until this is dropped.
    pub fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("running")
    }

    /// Where CoAP over DTLS is served.
    ///
    /// # Panics
    /// If it is not.
    pub fn secure(&self) -> SocketAddr {
        *self.broker().addresses().first().expect("a listener for coaps")
    }

    /// Where plain CoAP is served.
    ///
    /// # Panics
    /// If it is not.
    pub fn insecure(&self) -> SocketAddr {
        *self.broker().insecure_addresses().first().expect("a listener for coap")
    }

    /// A folder that goes with it.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Executes an administrator's request.
    pub fn administer(&self, request: AdminRequest) -> AdminReply {
        self.runtime.block_on(self.broker().administer(request))
    }

    /// Enrols a device with these rights.
    ///
    /// # Panics
    /// If it is refused.
    pub fn enrol(&self, name: &str, publish: &[&str], subscribe: &[&str]) -> Identity {
        let key = Key::random().expect("randomness");
        self.enrol_with_key(name, key.expose(), publish, subscribe)
    }

    /// Enrols a device that has a key already.
    ///
    /// # Panics
    /// If it is refused.
    pub fn enrol_with_key(&self, name: &str, key: &[u8], publish: &[&str], subscribe: &[&str]) -> Identity {
        let pattern = |text: &&str| TopicPattern::new(text).expect("a pattern");
        let mut grants = Grants::none();
        for topics in publish.iter().map(pattern) {
            grants = grants.with(topics, Permissions::PUBLISH);
        }
        for topics in subscribe.iter().map(pattern) {
            grants = grants.with(topics, Permissions::READ);
        }
        self.enrol_with_grants(name, key, grants)
    }

    /// Enrols an administrator.
    ///
    /// # Panics
    /// If it is refused.
    pub fn enrol_administrator(&self, name: &str) -> Identity {
        let key = Key::random().expect("randomness");
        self.enrol_with_grants(name, key.expose(), Grants::administrator())
    }

    fn enrol_with_grants(&self, name: &str, key: &[u8], grants: Grants) -> Identity {
        let device = NewDevice {
            name: name.to_owned(),
            identity: None,
            key: Some(Key::from_bytes(key).expect("a key")),
            grants,
            ..NewDevice::default()
        };
        match self.administer(AdminRequest::DeviceAdd(device)) {
            AdminReply::Enrolled(..) => Identity::new(name, key),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Creates a topic.
    ///
    /// # Panics
    /// If it is refused.
    pub fn create_topic(&self, settings: TopicSettings) {
        match self.administer(AdminRequest::TopicCreate(settings)) {
            AdminReply::Topic(_) => {}
            other => panic!("{other:?}"),
        }
    }

    /// How it is.
    ///
    /// # Panics
    /// If it does not say.
    pub fn status(&self) -> Status {
        match self.administer(AdminRequest::Status) {
            AdminReply::Status(status) => *status,
            other => panic!("{other:?}"),
        }
    }

    /// Everything it has counted.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        self.status().counters.into_iter().map(|counter| (counter.name, counter.value)).collect()
    }

    /// One of its counters.
    ///
    /// # Panics
    /// If it has no such counter.
    pub fn counter(&self, name: &str) -> u64 {
        let counters = self.counters();
        *counters.get(name).unwrap_or_else(|| panic!("no counter {name} among {:#?}", counters.keys()))
    }

    /// Waits until a counter has reached a value.
    ///
    /// # Panics
    /// If it does not in time.
    pub fn expect_counter(&self, name: &str, at_least: u64) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.counter(name) < at_least {
            let counters = || self.counters().into_iter().filter(|(_, value)| *value > 0);
            assert!(
                Instant::now() < deadline,
                "{name} stays below {at_least}: {:#?}",
                counters().collect::<Vec<_>>()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take()
            && let Err(error) = broker.stop()
            && !std::thread::panicking()
        {
            panic!("the last commit failed: {error}");
        }
    }
}
