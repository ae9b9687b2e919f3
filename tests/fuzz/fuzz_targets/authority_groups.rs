//! Any requests to a key distribution centre: whoever is in no group is given no key, and what is kept reads back.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use rand_core::{TryCryptoRng, TryRng};
use sedge_access::Verb;
use sedge_authority::groups::{Groups, OperatorKey, Settings};
use sedge_authority::{Change, Changes, Client, Clients, Context, Request};
use sedge_coap::Code;
use sedge_crypto::RustCrypto;
use sedge_group::keying::Keys;

const TOPIC: &str = "t";
const OPERATOR_KEY: &[u8] = b"00112233445566778899aabbccddeeff";

/// Two members, and somebody who may do nothing.
const NAMES: [&str; 3] = ["a", "b", "stranger"];

struct Registered;

impl Clients for Registered {
    fn client(&self, name: &str) -> Option<Client> {
        NAMES.contains(&name).then(Client::default)
    }

    fn allows(&self, name: &str, verb: Verb, _: &str) -> bool {
        name == "a" || (name == "b" && verb == Verb::Read)
    }
}

struct Counting(u64);

impl TryRng for Counting {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.chunks_mut(8).for_each(|chunk| {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            chunk.copy_from_slice(&self.0.to_be_bytes()[..chunk.len()]);
        });
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

fuzz_target!(|requests: Vec<(u8, u8, u8, &[u8])>| {
    let centre = || {
        let key = OperatorKey::new(&RustCrypto, OPERATOR_KEY).expect("long enough");
        Groups::new(&RustCrypto, key, Settings::default())
    };
    let (mut groups, mut kept, mut rng) = (centre(), BTreeMap::new(), Counting(1));
    for (step, (who, place, method, body)) in (0u64..).zip(&requests) {
        let mut changes = Changes::default();
        let mut cx = Context {
            now: 1_000 + step * 60,
            crypto: &RustCrypto,
            rng: &mut rng,
            clients: &Registered,
            store: &mut changes,
        };
        let paths: [&[&[u8]]; 10] = [
            &[],
            &[b"t"],
            &[b"t", b"num"],
            &[b"t", b"creds"],
            &[b"t", b"kdc-cred"],
            &[b"t", b"policies"],
            &[b"t", b"nodes", b"a"],
            &[b"t", b"nodes", b"b"],
            &[b"t", b"nodes", b"a", b"cred"],
            &[body],
        ];
        let request = Request {
            requester: NAMES[usize::from(*who) % NAMES.len()],
            code: [Code::GET, Code::POST, Code::PUT, Code::DELETE, Code::FETCH][usize::from(*method) % 5],
            path: paths[usize::from(*place) % paths.len()],
            query: &[],
            content_format: None,
            payload: body,
        };
        let answer = groups.handle(&mut cx, &request);
        if request.requester == "stranger" {
            assert!(Keys::decode(&answer.payload).is_err(), "a key for a stranger");
        }
        for change in changes.into_vec() {
            match change {
                Change::Put(key, record) => drop(kept.insert(key, record)),
                Change::Remove(key) => drop(kept.remove(&key)),
            }
        }
    }
    let mut again = centre();
    for (record, sealed) in &kept {
        again.restore(&RustCrypto, record, sealed).expect("what was kept");
        // What anybody could have put there.
        let mut damaged = sealed.to_vec();
        if let Some(byte) = damaged.last_mut() {
            *byte ^= 1;
        }
        assert!(centre().restore(&RustCrypto, record, &damaged).is_err());
    }
    assert_eq!(again.settings_of(TOPIC).is_some(), groups.settings_of(TOPIC).is_some());
});
