//! The key distribution centre, asked as members ask it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails should stop there"
)]

mod joining;
mod members;
mod rekeying;
mod sealed;

use std::collections::BTreeMap;

use sedge_access::Verb;
use sedge_authority::groups::{GroupSettings, Groups, OperatorKey, Settings};
use sedge_authority::{Answer, Change, Changes, Client, Clients, Context, Request};
use sedge_coap::Code;
use sedge_crypto::RustCrypto;
use sedge_group::keying::{Join, Keys, Roles};

const CRYPTO: RustCrypto = RustCrypto;
const PUBLISHER: Roles = Roles::PUBLISHER;
const SUBSCRIBER: Roles = Roles::SUBSCRIBER;

struct Counter(u64);

impl sedge_crypto::TryRng for Counter {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> {
        for byte in to {
            *byte = (self.try_next_u64()? >> 32) as u8;
        }
        Ok(())
    }
}

impl sedge_crypto::TryCryptoRng for Counter {}

/// Who may publish and read everything, by name.
#[derive(Default)]
struct Directory(BTreeMap<&'static str, Roles>);

impl Clients for Directory {
    fn client(&self, name: &str) -> Option<Client> {
        self.0.get(name).map(|_| Client::default())
    }

    fn allows(&self, name: &str, verb: Verb, _: &str) -> bool {
        let needed = match verb {
            Verb::Publish => PUBLISHER,
            Verb::Read => SUBSCRIBER,
            _ => return false,
        };
        self.0.get(name).is_some_and(|roles| roles.contains(needed))
    }
}

/// A centre with its directory and its store.
struct Centre {
    groups: Groups,
    directory: Directory,
    records: BTreeMap<String, Vec<u8>>,
    rng: Counter,
    now: u64,
}

const OPERATOR_KEY: &[u8] = b"3f1c0c9e0d2b4b4f8a3f6f0d1e2c3b4a3f1c0c9e0d2b4b4f8a3f6f0d1e2c3b4a\n";

impl Centre {
    fn new(settings: GroupSettings) -> Self {
        let key = OperatorKey::new(&CRYPTO, OPERATOR_KEY).unwrap();
        let settings = Settings { group: settings, ..Settings::default() };
        let all = PUBLISHER | SUBSCRIBER;
        let directory =
            [("boiler", PUBLISHER), ("valve", all), ("display", SUBSCRIBER), ("phone", SUBSCRIBER)];
        Self {
            groups: Groups::new(&CRYPTO, key, settings),
            directory: Directory(directory.into()),
            records: BTreeMap::new(),
            rng: Counter(7),
            now: 1_800_000_000,
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Groups, &mut Context<'_, RustCrypto, Counter>) -> T) -> T {
        let mut changes = Changes::default();
        let Self { groups, directory, rng, now, .. } = self;
        let mut cx = Context { now: *now, crypto: &CRYPTO, rng, clients: directory, store: &mut changes };
        let out = act(groups, &mut cx);
        for change in changes.into_vec() {
            match change {
                Change::Put(key, record) => drop(self.records.insert(key, record.to_vec())),
                Change::Remove(key) => drop(self.records.remove(&key)),
            }
        }
        out
    }

    fn ask(&mut self, requester: &str, code: Code, path: &[&str], payload: &[u8]) -> Answer {
        let (path, query) = match path {
            [path @ .., query] if query.starts_with('?') => (path, vec![&query.as_bytes()[1..]]),
            path => (path, Vec::new()),
        };
        let path: Vec<&[u8]> = path.iter().map(|segment| segment.as_bytes()).collect();
        let request = Request { requester, code, path: &path, query: &query, content_format: None, payload };
        self.with(|groups, cx| groups.handle(cx, &request))
    }

    fn join(&mut self, name: &str, roles: Roles) -> Answer {
        let join = Join { group: TOPIC, roles, members: true, credential: None, nonce: [1; 8], proof: None };
        let mut buffer = [0; 200];
        let payload = join.encode(&mut buffer).unwrap();
        self.ask(name, Code::POST, &[TOPIC], payload)
    }

    /// A join that succeeds: the number of the generation, its Gid, and the Sender ID.
    fn joined(&mut self, name: &str, roles: Roles) -> (u64, Vec<u8>, Option<Vec<u8>>) {
        let answer = self.join(name, roles);
        assert_eq!(answer.code, Code::CREATED);
        told(&answer)
    }

    fn number(&mut self, name: &str) -> Result<u64, Code> {
        let answer = self.ask(name, Code::GET, &[TOPIC, "num"], b"");
        if answer.code == Code::CONTENT {
            Ok(sedge_cose::cbor::Decoder::new(&answer.payload).unsigned().unwrap())
        } else {
            Err(answer.code)
        }
    }
}

const TOPIC: &str = "site/7/temp";

fn told(answer: &Answer) -> (u64, Vec<u8>, Option<Vec<u8>>) {
    let keys = Keys::decode(&answer.payload).unwrap();
    let sender = keys.sender.map(|sender| sender.as_bytes().to_vec());
    (keys.key.number(), keys.key.gid().as_bytes().to_vec(), sender)
}
