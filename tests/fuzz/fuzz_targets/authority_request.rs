//! Any requests to an authorisation server: whatever is given is no more than the client holds, and it is kept.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use rand_core::{TryCryptoRng, TryRng};
use sedge_access::{Grants, Permissions, TopicPattern, Verb};
use sedge_authority::{Authority, Change, Changes, Client, Clients, Context, Request, Settings};
use sedge_coap::{Code, ContentFormat};
use sedge_crypto::RustCrypto;

struct Registered;

impl Clients for Registered {
    fn client(&self, name: &str) -> Option<Client> {
        let pattern = TopicPattern::new("site/+").expect("a pattern");
        let grants = Grants::none().with(pattern, Permissions::READ);
        (name == "a").then_some(Client { grants, ..Client::default() })
    }

    fn allows(&self, _: &str, _: Verb, _: &str) -> bool {
        false
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

fuzz_target!(|requests: Vec<(u8, bool, &[u8])>| {
    let settings = Settings { audiences: vec!["s".into()], max_tokens: 16, ..Settings::default() };
    let mut authority = Authority::new(settings.clone());
    let mut kept = BTreeMap::new();
    let mut rng = Counting(1);
    for (step, (kind, known, body)) in (0u64..).zip(&requests) {
        let mut changes = Changes::default();
        let mut cx = Context {
            now: 1_000 + step * 600,
            crypto: &RustCrypto,
            rng: &mut rng,
            clients: &Registered,
            store: &mut changes,
        };
        authority.begin(&mut cx);
        let query = [*body];
        let request = Request {
            requester: if *known { "a" } else { "b" },
            code: if kind % 4 == 2 { Code::GET } else { Code::POST },
            path: &[],
            query: &query,
            content_format: Some(ContentFormat::ACE_CBOR),
            payload: body,
        };
        let _answer = match kind % 4 {
            0 => Some(authority.token(&request, None, &mut cx)),
            1 => Some(authority.introspect(&request, &cx)),
            2 => Some(authority.revocations(&request, &cx)),
            _ => {
                let _changed = authority.expire(&mut cx);
                let _hashes = authority.revoke_subject("a", &mut cx);
                None
            }
        };
        for change in changes.into_vec() {
            match change {
                Change::Put(key, record) => drop(kept.insert(key, record)),
                Change::Remove(key) => drop(kept.remove(&key)),
            }
        }
    }
    for token in authority.tokens() {
        let scope = Grants::from_scope(&token.scope).expect("a scope");
        for grant in scope.list() {
            assert_eq!(grant.permissions, Permissions::READ);
            assert!(grant.pattern.as_str().starts_with("site/"));
        }
    }
    let mut again = Authority::new(settings);
    for (key, record) in &kept {
        assert!(again.restore(key, record), "{key}");
    }
    assert!(again.tokens().eq(authority.tokens()));
});
