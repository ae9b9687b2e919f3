//! The broker that devices talk to, and a client of the test's own.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice, Protection, TopicSettings};
use sedge_broker::config::Config;
use sedge_broker::store::DataDir;
use sedge_broker::{Broker, Key as StoredKey};
use sedge_client::tokio::{Client, connect};
use sedge_client::{ContentFormat, Credential, Request, Target};
use sedge_crypto::{Crypto as _, Hash as _, RustCrypto};
use sedge_tests::need;
use sedge_tests::process::Running;

use crate::SOON;
use crate::board::Board;
use crate::guest::{Guest, Orders};

/// A device's name and key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Key {
    pub(crate) fn hex(&self) -> String {
        self.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A board's image, a broker on a port of its own that can be stopped and started again, and an operator.
pub(crate) struct Site {
    pub(crate) device: Key,
    board: Board,
    image: PathBuf,
    broker: Option<Broker>,
    config: Config,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    operator: Option<Client>,
}

impl Site {
    /// `None`, with a word about it, where the emulator or an image is missing.
    pub(crate) fn new(test: &str, board: Board, change: impl FnOnce(&mut Config)) -> Option<Self> {
        let image = need::or_say_why(&format!("firmware::{test} on {board:?}"), board.trial())?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config { shards: 1, ..Config::default() };
        config.listen.coaps = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        change(&mut config);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let device = Key { name: "boiler".to_owned(), bytes: (1..=16).collect() };
        let mut site = Self { device, board, image, broker: None, config, folder, runtime, operator: None };
        site.start_broker();
        // From now on it comes back to where it was.
        site.config.listen.coaps = site.broker().addresses().to_vec();
        site.enrol(&site.device.clone());
        site.enrol(&operator());
        Some(site)
    }

    /// What a broker that gives out group keys needs.
    pub(crate) fn with_groups(config: &mut Config, folder: &std::path::Path) {
        let key_file = folder.join("groups.key");
        std::fs::write(&key_file, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")
            .expect("written");
        std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).expect("private");
        config.groups.enabled = true;
        config.groups.key_file = key_file;
    }

    /// The folder of the broker's data.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn start_broker(&mut self) {
        let broker = Broker::start(&DataDir::new(self.data()), self.config.clone());
        self.broker = Some(broker.unwrap_or_else(|error| panic!("{error}")));
    }

    /// Stops the broker, which says goodbye.
    pub(crate) fn stop_broker(&mut self) {
        self.operator = None;
        if let Some(broker) = self.broker.take() {
            broker.stop().expect("all is on the disk");
        }
    }

    /// Stops the broker, and has another process serve from its folder, which can be killed.
    pub(crate) fn hand_over(&mut self) -> Running {
        self.stop_broker();
        let mut process = Running::start(
            Command::new(env!("CARGO_BIN_EXE_sedge-mortal"))
                .arg(self.data())
                .arg(self.config.listen.coaps[0].to_string()),
        );
        process.expect("serving", SOON);
        process
    }

    fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("it runs")
    }

    /// Where the broker is, or was.
    pub(crate) fn address(&self) -> SocketAddr {
        self.config.listen.coaps[0]
    }

    fn enrol(&self, key: &Key) {
        let all = TopicPattern::new("t/#").expect("a pattern");
        let grants = Grants::none().with(all.clone(), Permissions::PUBLISH).with(all, Permissions::READ);
        let device = NewDevice {
            name: key.name.clone(),
            key: Some(StoredKey::from_bytes(&key.bytes).expect("a key")),
            grants,
            ..NewDevice::default()
        };
        let reply = self.runtime.block_on(self.broker().administer(AdminRequest::DeviceAdd(device)));
        assert!(matches!(reply, AdminReply::Enrolled(..)), "{reply:?}");
    }

    /// Creates a topic whose values only a group can read.
    pub(crate) fn protect(&self, topic: &str) {
        let settings = TopicSettings {
            name: topic.to_owned(),
            protection: Some(Protection::default()),
            ..TopicSettings::default()
        };
        let reply = self.runtime.block_on(self.broker().administer(AdminRequest::TopicCreate(settings)));
        assert!(matches!(reply, AdminReply::Topic(_)), "{reply:?}");
    }

    /// One of the broker's counters.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let AdminReply::Status(status) =
            self.runtime.block_on(self.broker().administer(AdminRequest::Status))
        else {
            panic!("it does not say how it is");
        };
        let mut counters = status.counters.into_iter();
        counters.find(|counter| counter.name == name).unwrap_or_else(|| panic!("no counter {name}")).value
    }

    /// Starts a device whose broker is at that port of this machine.
    pub(crate) fn guest_at(&self, port: u16, steps: &str) -> Guest {
        self.guest_with(&Orders { port, key: &self.device, steps, forwarded: &[] })
    }

    /// Starts a device.
    pub(crate) fn guest(&self, steps: &str) -> Guest {
        self.guest_at(self.address().port(), steps)
    }

    pub(crate) fn guest_with(&self, orders: &Orders<'_>) -> Guest {
        Guest::start(self.board, self.image.clone(), orders)
    }

    /// Runs what the operator does, over a connection that is kept.
    fn operate<T>(&mut self, work: impl AsyncFnOnce(&mut Client) -> T) -> T {
        let Key { name, bytes } = operator();
        let credential =
            Credential::psk(format!("coaps://{}", self.address()), name.as_str(), name.as_str(), bytes);
        let operator = &mut self.operator;
        let done = async {
            if operator.is_none() {
                *operator = Some(connect(&credential).await.unwrap_or_else(|error| panic!("{error}")));
            }
            work(operator.as_mut().expect("just connected")).await
        };
        self.runtime.block_on(async { tokio::time::timeout(SOON, done).await.expect("in time") })
    }

    /// Publishes something.
    pub(crate) fn publish(&mut self, topic: &str, value: &[u8]) {
        self.operate(async |client| {
            client.publish(topic, ContentFormat::TEXT, value).await.unwrap_or_else(|error| panic!("{error}"));
        });
    }

    /// What is published.
    pub(crate) fn read(&mut self, topic: &str) -> String {
        self.operate(async |client| {
            let mut buffer = vec![0; 70_000];
            let request = Request::new(sedge_client::Code::GET, Target::Topic(topic));
            let answer =
                client.request(&request, &mut buffer).await.unwrap_or_else(|error| panic!("{error}"));
            String::from_utf8_lossy(answer.payload).into_owned()
        })
    }

    /// A client of the operator's own connection, for the test to keep, and what runs it.
    pub(crate) fn watcher(&self) -> (Client, &tokio::runtime::Runtime) {
        let Key { name, bytes } = operator();
        let credential =
            Credential::psk(format!("coaps://{}", self.address()), name.as_str(), name.as_str(), bytes);
        let client = self.runtime.block_on(connect(&credential)).unwrap_or_else(|error| panic!("{error}"));
        (client, &self.runtime)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(broker) = self.broker.take() {
            // A test that has failed says so itself.
            let _stopped = broker.stop();
        }
    }
}

fn operator() -> Key {
    Key { name: "operator".to_owned(), bytes: (101..=116).collect() }
}

/// 64 KB, and what a device says when it has fetched them.
pub(crate) fn large_value() -> (Vec<u8>, String) {
    let large: Vec<u8> = (0..65_536_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut hash = RustCrypto.sha256();
    hash.update(&large);
    let digest: String = hash.finish().iter().map(|byte| format!("{byte:02x}")).collect();
    (large, format!("65536 bytes, SHA-256 {digest}"))
}

/// A little while.
pub(crate) fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}
