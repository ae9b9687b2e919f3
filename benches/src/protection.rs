//! What it costs to protect values from end to end: a publisher, a broker and a subscriber in this process, with and without.

use std::hint::black_box;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_bench_allocations::count;
use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice};
use sedge_broker::config::Config;
use sedge_broker::store::DataDir;
use sedge_broker::{Broker, Key};
use sedge_client::protected::{Forgetful, Group, Received};
use sedge_client::tokio::{Client, connect};
use sedge_client::{ContentFormat, Credential, Secret};
use sedge_crypto::HostCrypto;
use sedge_group::{Cipher, Gid, GroupKey, Publisher, SenderId, Subscriber, Value};

use crate::Settings;
use crate::cpu::{CpuClock, Samples, cpu_seconds};
use crate::report::{Better, Report, Row};

const PART: &str = "protection";
const OPEN: &str = "in the open";
/// SenML in CBOR: `[{-2: "urn:dev:mac:0024:", 0: "t", 2: 21.5}]`.
const VALUE: &[u8] = b"\x81\xa3\x21\x71urn:dev:mac:0024:\x00\x61t\x02\xf9\x4d\x60";
const TOPICS: [&str; 2] = ["site/7/open", "site/7/protected"];
const NAME: &str = "valve";
const KEY: &[u8] = b"0123456789abcdef";

pub(crate) fn run(settings: &Settings, report: &mut Report) -> Result<(), String> {
    for cipher in Cipher::ALL {
        report.rows.push(alone(settings, cipher)?);
    }
    for signed in [false, true] {
        report.rows.push(end_to_end(settings, signed)?);
    }
    Ok(())
}

/// Sealing and opening one value, without anything around.
fn alone(settings: &Settings, cipher: Cipher) -> Result<Row, String> {
    let crypto = HostCrypto;
    let (key, iv) = ([7; 32], [9; 13]);
    let lengths = (cipher.aead().key_len(), cipher.nonce_len());
    let key = GroupKey::new(cipher, &key[..lengths.0], &iv[..lengths.1], Gid::from_number(1), 0);
    let key = key.ok_or("no group key")?;
    let mut publisher = Publisher::new(Forgetful);
    let mut subscriber = Subscriber::<4, 2>::new();
    let _new = subscriber.install(key.clone());
    let value = Value { payload: VALUE, content_format: None };
    let (mut message, mut out) = ([0; 128], [0; 128]);
    let mut sender = 0;
    let mut once = || {
        let mut sealed = publisher.seal(&crypto, &value, &mut message).map(|message| message.len());
        if sealed.is_err() {
            // All sequence numbers are used up.
            sender += 1;
            let _begun = publisher.begin(&crypto, key.clone(), SenderId::from_number(sender % 4));
            subscriber.clear();
            let _new = subscriber.install(key.clone());
            sealed = publisher.seal(&crypto, &value, &mut message).map(|message| message.len());
        }
        let message = message.get(..sealed.unwrap_or(0)).unwrap_or_default();
        black_box(subscriber.open(&crypto, message, false, |_| None, &mut out)).is_ok()
    };
    if !once() || !once() {
        return Err(format!("{}: what was sealed does not open", cipher.as_str()));
    }
    let rounds = if settings.quick { 5_000 } else { 50_000 };
    let mut samples = Samples::default();
    for _ in 0..settings.repetitions(15) {
        let seconds = cpu_seconds(|| (0..rounds).for_each(|_| _ = black_box(once())));
        samples.push(seconds * 1e9 / f64::from(rounds));
    }
    let allocations = count(once).1.count;
    let what = format!("seal and open {} B, {}", VALUE.len(), cipher.as_str());
    let note = format!("{allocations} allocations");
    Ok(Row::figure(PART, what, "ns", Better::Lower, samples.median()).note(note))
}

/// From the publisher through the broker to the subscriber: CPU time of all three together.
fn end_to_end(settings: &Settings, signed: bool) -> Result<Row, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let broker = start(&folder, signed)?;
    let address = *broker.addresses().first().ok_or("no address")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(enrol(&broker))?;
    let (mut protected, mut open) = (Samples::default(), Samples::default());
    let messages = if settings.quick { 200 } else { 2_000 };
    runtime.block_on(async {
        let mut member = Member::new(address).await?;
        for repetition in 0..=settings.repetitions(9) {
            let plain = member.measure(messages, false).await?;
            let sealed = member.measure(messages, true).await?;
            if repetition > 0 {
                open.push(plain);
                protected.push(sealed);
            }
        }
        Ok::<_, String>(())
    })?;
    let how = if signed { ", countersigned" } else { "" };
    let what = format!("CPU time per message, publisher to subscriber{how}");
    let note = "publisher, broker and subscriber together; DTLS on both hops in both cases";
    Ok(Row::compare(PART, what, "us", Better::Lower, &protected, (OPEN, &open)).note(note))
}

fn start(folder: &tempfile::TempDir, signed: bool) -> Result<Broker, String> {
    let key_file = folder.path().join("groups.key");
    let written = std::fs::write(&key_file, "0123456789abcdef0123456789abcdef")
        .and_then(|()| std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)));
    written.map_err(|error| error.to_string())?;
    let mut config = Config { shards: 1, ..Config::default() };
    config.listen.coaps = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    config.groups.enabled = true;
    config.groups.key_file = key_file;
    config.groups.signed = signed;
    Broker::start(&DataDir::new(folder.path().join("data")), config).map_err(|error| error.to_string())
}

async fn enrol(broker: &Broker) -> Result<(), String> {
    let pattern = TopicPattern::new("site/#").map_err(|error| error.to_string())?;
    let device = NewDevice {
        name: NAME.into(),
        key: Some(Key::from_bytes(KEY).map_err(|error| error.to_string())?),
        grants: Grants::none().with(pattern, Permissions::PUBLISH | Permissions::READ),
        ..NewDevice::default()
    };
    match broker.administer(AdminRequest::DeviceAdd(device)).await {
        AdminReply::Enrolled(..) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// A client that publishes to two topics and subscribes to both.
struct Member {
    client: Client,
    groups: [Group; 1],
    scratch: Vec<u8>,
    buffer: Vec<u8>,
}

impl Member {
    async fn new(address: SocketAddr) -> Result<Self, String> {
        let credential = Credential::psk(format!("coaps://{address}"), NAME, NAME, KEY.to_vec());
        let client = connect(&credential).await.map_err(|error| error.to_string())?;
        let group =
            Group::new(TOPICS[1], Forgetful).and_then(|group| group.named(NAME)).ok_or("a long name")?;
        let groups = [group.signing(Secret::new([5; 32]))];
        let mut member = Self { client, groups, scratch: vec![0; 1024], buffer: vec![0; 1024] };
        for protect in [false, true] {
            member.publish(protect).await?;
        }
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let mut protected = member.client.protected(&mut member.groups, &mut member.scratch);
        let _subscription = protected.subscribe(TOPICS[1]).await.map_err(|error| text(&error))?;
        let _subscription = member.client.subscribe(TOPICS[0]).await.map_err(|error| text(&error))?;
        for _ in TOPICS {
            member.next().await?;
        }
        Ok(member)
    }

    async fn publish(&mut self, protect: bool) -> Result<(), String> {
        let format = ContentFormat::SENML_CBOR;
        if protect {
            let mut protected = self.client.protected(&mut self.groups, &mut self.scratch);
            protected.publish(TOPICS[1], format, VALUE).await.map_err(|error| error.to_string())
        } else {
            self.client.publish(TOPICS[0], format, VALUE).await.map_err(|error| error.to_string())
        }
    }

    async fn next(&mut self) -> Result<(), String> {
        let mut protected = self.client.protected(&mut self.groups, &mut self.scratch);
        let next = protected.next(&mut self.buffer).await.map_err(|error| error.to_string())?;
        match next {
            Received::Value(value) if value.payload == VALUE => Ok(()),
            Received::Plain(value) if value.payload == VALUE => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    /// Microseconds of CPU time of the process for each message.
    async fn measure(&mut self, messages: u32, protect: bool) -> Result<f64, String> {
        let clock = CpuClock::of_process(std::process::id()).map_err(|error| error.to_string())?;
        let start = clock.read().map_err(|error| error.to_string())?;
        for _ in 0..messages {
            self.publish(protect).await?;
            self.next().await?;
        }
        let used = clock.read().map_err(|error| error.to_string())? - start;
        Ok(used.as_secs_f64() * 1e6 / f64::from(messages))
    }
}
