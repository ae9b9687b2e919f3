//! What a broker that only carries values has of them: neither the value nor the key, in memory or in its store.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sedge_broker::Broker;
use sedge_broker::admin::{AdminReply, AdminRequest, NewDevice};
use sedge_broker::config::Config;
use sedge_broker::store::DataDir;
use sedge_client::tokio::Client;
use sedge_client::{ContentFormat, OptionNumber, Request, Target};
use sedge_coap::Code;
use sedge_cose::cbor::{Decoder, Error, Label};
use sedge_tests::process::Running;

use crate::{BOTH, Member, SOON, TEXT, TOPIC, broker, dial, enrol, key_of, run};

/// Unlike anything else that is in memory.
const SECRET: &[u8] = b"The valve of boiler seven is at 21.5 degrees.";
const PLAIN: &[u8] = b"Anybody may know that it is raining outside.";

#[test]
fn a_broker_that_only_carries_values_has_neither_value_nor_key() {
    let centre = broker();
    enrol(&centre, "valve", BOTH);
    enrol(&centre, "display", BOTH);
    let folder = tempfile::tempdir().expect("a folder");
    enrol_offline(folder.path(), &["valve", "display"]);
    let mut carrier = Running::start(Command::new(env!("CARGO_BIN_EXE_sedge-carrier")).arg(folder.path()));
    let line = carrier.expect("serving ", SOON);
    let address = line.trim().parse().unwrap_or_else(|_| panic!("{line}"));

    let (key, ciphertext) = run(async {
        let mut members = Vec::new();
        for name in ["valve", "display"] {
            let mut member = Member::over(dial(address, name).await, name);
            member.centre = Some(dial(centre.secure(), name).await);
            members.push(member);
        }
        let [valve, display] = &mut members[..] else { panic!() };
        valve.publish(SECRET).await.unwrap();
        display.subscribe().await.unwrap();
        let _before = display.next().await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        for _ in 0..20 {
            valve.publish(SECRET).await.unwrap();
            display.expect(std::str::from_utf8(SECRET).unwrap()).await;
        }
        valve.client.publish("site/plain", TEXT, PLAIN).await.unwrap();
        let key = group_key(valve.centre.as_mut().unwrap()).await;
        let mut buffer = vec![0; 4096];
        let request = Request::new(Code::GET, Target::Topic(TOPIC));
        let ciphertext = valve.client.request(&request, &mut buffer).await.unwrap().payload.to_vec();
        (key, ciphertext)
    });
    assert_eq!(key.len(), 16);

    let memory = memory_of(carrier.id());
    assert!(memory.len() > 1_000_000, "{} bytes", memory.len());
    let holds = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|part| part == what);
    // Values are on disk a little after they were taken.
    let started = Instant::now();
    let store = loop {
        let store = files_in(folder.path());
        if holds(&store, PLAIN) && holds(&store, &ciphertext) || started.elapsed() > SOON {
            break store;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    for (place, bytes) in [("memory", &memory), ("store", &store)] {
        // What it does have is found, so what is not found is not there.
        assert!(holds(bytes, PLAIN), "the open value is in the {place}");
        assert!(holds(bytes, &ciphertext), "the ciphertext is in the {place}");
        assert!(!holds(bytes, SECRET), "the value is in the {place}");
        assert!(!holds(bytes, &SECRET[..16]), "the beginning of the value is in the {place}");
        assert!(!holds(bytes, &key), "the key is in the {place}");
    }
}

/// The key of the topic's group, as the centre gives it to a member.
async fn group_key(centre: &mut Client) -> Vec<u8> {
    let path = [(OptionNumber::URI_PATH, &b"ace-group"[..]), (OptionNumber::URI_PATH, TOPIC.as_bytes())];
    let request = Request { options: &path, ..Request::new(Code::GET, Target::Path("")) };
    let mut buffer = [0; 512];
    let response = centre.request(&request, &mut buffer).await.unwrap();
    assert_eq!((response.code, response.content_format), (Code::CONTENT, Some(ContentFormat(261))));
    let material = entry(response.payload, 8);
    entry_bytes(entry(material, 0), -1)
}

fn entry(map: &[u8], key: i64) -> &[u8] {
    let mut found = None;
    let read = Decoder::new(map).map(|label, value| {
        if label == Label::Int(key) {
            found = Some(value.item()?);
        }
        Ok::<_, Error>(())
    });
    read.unwrap();
    found.unwrap()
}

fn entry_bytes(map: &[u8], key: i64) -> Vec<u8> {
    Decoder::new(entry(map, key)).bytes().unwrap().to_vec()
}

/// Enrols devices in a broker's folder before the broker is started.
fn enrol_offline(folder: &Path, names: &[&str]) {
    let mut config = Config { shards: 1, ..Config::default() };
    config.listen.coaps = vec![([127, 0, 0, 1], 0).into()];
    let broker = Broker::start(&DataDir::new(folder), config).expect("a broker");
    for name in names {
        let pattern = || sedge_access::TopicPattern::new("site/#").expect("a pattern");
        let permissions = sedge_access::Permissions::PUBLISH | sedge_access::Permissions::READ;
        let device = NewDevice {
            name: (*name).to_owned(),
            key: Some(sedge_broker::Key::from_bytes(&key_of(name)).expect("a key")),
            grants: sedge_access::Grants::none().with(pattern(), permissions),
            ..NewDevice::default()
        };
        let reply = run(broker.administer(AdminRequest::DeviceAdd(device)));
        assert!(matches!(reply, AdminReply::Enrolled(..)), "{reply:?}");
    }
    broker.stop().expect("kept");
}

/// Everything that a process can write to, one mapping after the other.
fn memory_of(process: u32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("its maps");
    let mut memory = File::open(format!("/proc/{process}/mem")).expect("its memory");
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let Some((start, end)) = range else { continue };
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).expect("an address"));
        let mut part = vec![0; usize::try_from(end - start).expect("a size")];
        let read = memory.seek(SeekFrom::Start(start)).and_then(|_| memory.read_exact(&mut part));
        if read.is_ok() {
            all.extend(part);
        }
    }
    all
}

fn files_in(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files_in(&path));
        } else if path.is_file() {
            all.extend(fs::read(&path).expect("a file"));
        }
    }
    all
}
