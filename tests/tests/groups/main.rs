//! Protected topics from end to end: real clients, a real broker, a real key distribution centre.

mod attacks;
mod bearers;
mod formats;
mod members;
mod memory;
mod pushed;
mod values;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use sedge_broker::config::Config;
use sedge_client::protected::{Forgetful, Group, Received, Refusal};
use sedge_client::tokio::{Client, connect};
use sedge_client::{ContentFormat, Credential, SubscriptionId};
use sedge_tests::broker::TestBroker;

const TOPIC: &str = "site/7/temp";
const TEXT: ContentFormat = ContentFormat::TEXT;
const SOON: Duration = Duration::from_secs(20);

type HostGroup = Group<Forgetful, 16, 4, 255>;

/// A broker that gives out group keys, too.
fn broker_with(change: impl FnOnce(&mut Config)) -> TestBroker {
    let folder = tempfile::tempdir().expect("a folder");
    let key_file = folder.path().join("groups.key");
    std::fs::write(&key_file, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")
        .expect("written");
    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).expect("private");
    TestBroker::with(|config| {
        config.groups.enabled = true;
        config.groups.key_file = key_file;
        config.groups.check_interval = Duration::from_secs(1);
        change(config);
    })
}

fn broker() -> TestBroker {
    broker_with(|_| {})
}

const PUBLISHES: (&[&str], &[&str]) = (&["site/#"], &[]);
const READS: (&[&str], &[&str]) = (&[], &["site/#"]);
const BOTH: (&[&str], &[&str]) = (&["site/#"], &["site/#"]);

/// Enrols a device; its key is made of its name.
fn enrol(broker: &TestBroker, name: &str, (publish, subscribe): (&[&str], &[&str])) {
    let _identity = broker.enrol_with_key(name, &key_of(name), publish, subscribe);
}

fn key_of(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(16).collect()
}

/// A client with the memory for protected topics.
struct Member {
    client: Client,
    /// Of the key distribution centre, if that is elsewhere.
    centre: Option<Client>,
    groups: Vec<HostGroup>,
    scratch: Vec<u8>,
    subscription: Option<SubscriptionId>,
}

async fn dial(server: SocketAddr, name: &str) -> Client {
    let credential = Credential::psk(format!("coaps://{server}"), name, name, key_of(name));
    connect(&credential).await.unwrap_or_else(|error| panic!("{name}: {error}"))
}

impl Member {
    async fn connect(broker: &TestBroker, name: &str) -> Self {
        Self::over(dial(broker.secure(), name).await, name)
    }

    fn over(client: Client, name: &str) -> Self {
        let group = |topic| {
            HostGroup::new(topic, Forgetful).and_then(|group| group.named(name)).expect("short names")
        };
        let groups = [TOPIC, "site/7/valve"].map(group).into();
        Self { client, centre: None, groups, scratch: vec![0; 70_000], subscription: None }
    }

    /// The same memory after a sleep, with a new connection.
    async fn wake(self, broker: &TestBroker, name: &str) -> Self {
        Self { client: dial(broker.secure(), name).await, subscription: None, ..self }
    }

    async fn publish(&mut self, value: &[u8]) -> Result<(), String> {
        let mut protected = self.client.protected(&mut self.groups, &mut self.scratch);
        if let Some(centre) = &mut self.centre {
            protected = protected.with_centre(centre);
        }
        protected.publish(TOPIC, TEXT, value).await.map_err(|error| error.to_string())
    }

    async fn subscribe(&mut self) -> Result<(), String> {
        let mut protected = self.client.protected(&mut self.groups, &mut self.scratch);
        if let Some(centre) = &mut self.centre {
            protected = protected.with_centre(centre);
        }
        let subscribed = tokio::time::timeout(SOON, protected.subscribe(TOPIC)).await.expect("in time");
        self.subscription = Some(subscribed.map_err(|error| error.to_string())?);
        Ok(())
    }

    async fn leave(&mut self) {
        let mut protected = self.client.protected(&mut self.groups, &mut self.scratch);
        protected.leave(TOPIC).await.expect("it was a member");
    }

    /// What comes next.
    async fn next(&mut self) -> Result<Seen, Refusal> {
        let mut buffer = vec![0; 70_000];
        let mut protected = self.client.protected(&mut self.groups, &mut self.scratch);
        if let Some(centre) = &mut self.centre {
            protected = protected.with_centre(centre);
        }
        let next = tokio::time::timeout(SOON, protected.next(&mut buffer)).await.expect("in time");
        match next.unwrap_or_else(|error| panic!("{error}")) {
            Received::Value(value) => {
                let by = protected.groups().iter().find_map(|group| group.name_of(&value)).map(str::to_owned);
                Ok(Seen {
                    text: String::from_utf8_lossy(value.payload).into_owned(),
                    by,
                    generation: value.generation,
                    verified: value.verified,
                })
            }
            Received::Refused { reason, .. } => Err(reason),
            Received::Plain(value) => panic!("{value:?}"),
        }
    }

    /// The next value, which has to be this one.
    async fn expect(&mut self, text: &str) -> Seen {
        let seen = self.next().await.unwrap_or_else(|reason| panic!("{text}: {reason}"));
        assert_eq!(seen.text, text);
        seen
    }

    fn generation(&self) -> Option<u64> {
        self.groups[0].generation()
    }
}

/// A value that was opened.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    text: String,
    by: Option<String>,
    generation: u64,
    verified: bool,
}

/// Has the broker do something from within a test that waits.
fn aside<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(act).join()).expect("no panic")
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test)
}
