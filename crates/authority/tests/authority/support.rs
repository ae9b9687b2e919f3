//! An authorisation server with three clients.

use std::collections::BTreeMap;

use rand_core::{TryCryptoRng, TryRng};
use sedge_access::{Grants, Permissions, Policy, Subject, TopicPattern, Verb};
use sedge_ace::{TokenError, TokenKeys, open_token};
use sedge_authority::{Answer, Authority, Change, Changes, Client, Clients, Context, Request, Settings};
use sedge_coap::{Code, ContentFormat};
use sedge_cose::Claims;
use sedge_crypto::{Crypto as _, PublicKey, RustCrypto, Secret};
use sedge_time::Instant;

pub(crate) const NOW: u64 = 1_800_000_000;

/// Numbers that only have to differ.
pub(crate) struct Counting(pub(crate) u64);

impl TryRng for Counting {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Ok(mixed ^ mixed >> 27)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(8) {
            let number = self.try_next_u64()?.to_be_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

#[derive(Default)]
pub(crate) struct Registered(pub(crate) BTreeMap<String, Client>);

impl Clients for Registered {
    fn client(&self, name: &str) -> Option<Client> {
        self.0.get(name).cloned()
    }

    fn resource_servers(&self) -> Vec<String> {
        let servers = self.0.iter().filter(|(_, client)| client.is_resource_server);
        servers.map(|(name, _)| name.clone()).collect()
    }

    fn allows(&self, name: &str, verb: Verb, topic: &str) -> bool {
        self.client(name).is_some_and(|client| {
            let rights = Subject::device(name, &client.grants);
            Policy::default().decide(Instant::EPOCH, &rights, verb, topic).is_allowed()
        })
    }
}

pub(crate) fn pattern(text: &str) -> TopicPattern {
    TopicPattern::new(text).unwrap()
}

pub(crate) fn scope(entries: &[(&str, Permissions)]) -> Grants {
    entries
        .iter()
        .fold(Grants::none(), |grants, (topic, permissions)| grants.with(pattern(topic), *permissions))
}

pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) clients: Registered,
    pub(crate) rng: Counting,
    pub(crate) kept: BTreeMap<String, Vec<u8>>,
    pub(crate) now: u64,
    pub(crate) server_key: PublicKey,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Settings { audiences: vec!["plant-a".into(), "plant-b".into()], ..Settings::default() })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let mut clients = Registered::default();
        let key = public_key(7);
        for (name, client) in [
            ("admin", Client { grants: Grants::administrator(), ..Client::default() }),
            (
                "thermometer",
                Client {
                    grants: scope(&[("site/#", Permissions::PUBLISH)]),
                    public_key: Some(key),
                    ..Client::default()
                },
            ),
            ("display", Client { grants: scope(&[("site/+/t", Permissions::READ)]), ..Client::default() }),
            ("plant-a", Client::default()),
        ] {
            let _none = clients.0.insert(name.into(), client);
        }
        let mut world = Self {
            authority: Authority::new(settings),
            clients,
            rng: Counting(1),
            kept: BTreeMap::new(),
            now: NOW,
            server_key: public_key(9),
        };
        world.run(|authority, cx| authority.begin(cx));
        world
    }

    /// Lends the authority what it needs, and keeps what it wants kept.
    pub(crate) fn run<T>(
        &mut self,
        run: impl FnOnce(&mut Authority, &mut Context<'_, RustCrypto, Counting>) -> T,
    ) -> T {
        let mut changes = Changes::default();
        let mut cx = Context {
            now: self.now,
            crypto: &RustCrypto,
            rng: &mut self.rng,
            clients: &self.clients,
            store: &mut changes,
        };
        let outcome = run(&mut self.authority, &mut cx);
        for change in changes.into_vec() {
            match change {
                Change::Put(key, record) => drop(self.kept.insert(key, record.to_vec())),
                Change::Remove(key) => drop(self.kept.remove(&key)),
            }
        }
        outcome
    }

    /// What a new process makes of what was kept.
    pub(crate) fn restart(&mut self) {
        let mut authority = Authority::new(self.authority.settings().clone());
        for (key, record) in &self.kept {
            assert!(authority.restore(key, record), "{key}");
        }
        self.authority = authority;
        self.run(|authority, cx| authority.begin(cx));
    }

    pub(crate) fn ask(&mut self, requester: &str, body: &[u8]) -> Answer {
        let server_key = self.server_key;
        self.run(|authority, cx| authority.token(&post(requester, body), Some(&server_key), cx))
    }

    pub(crate) fn introspect(&mut self, requester: &str, body: &[u8]) -> Answer {
        self.run(|authority, cx| authority.introspect(&post(requester, body), cx))
    }

    pub(crate) fn revocations(&mut self, requester: &str, query: &[&[u8]]) -> Answer {
        let request =
            Request { code: Code::GET, query, content_format: None, payload: &[], ..post(requester, &[]) };
        self.run(|authority, cx| authority.revocations(&request, cx))
    }

    /// The keys of a resource server.
    pub(crate) fn keys(&self, audience: &str) -> Vec<TokenKeys> {
        self.authority.audience_keys(&RustCrypto, audience).collect()
    }

    /// Opens a token as that resource server does, and looks at its claims.
    pub(crate) fn open<T>(
        &self,
        audience: &str,
        token: &[u8],
        look: impl FnOnce(&Claims<'_>) -> T,
    ) -> Result<T, TokenError> {
        let mut token = token.to_vec();
        open_token(&RustCrypto, &self.keys(audience), &mut token).map(|(claims, _)| look(&claims))
    }
}

pub(crate) fn post<'a>(requester: &'a str, payload: &'a [u8]) -> Request<'a> {
    Request {
        requester,
        code: Code::POST,
        path: &[],
        query: &[],
        content_format: Some(ContentFormat::ACE_CBOR),
        payload,
    }
}

pub(crate) fn public_key(number: u8) -> PublicKey {
    RustCrypto.public_key(&RustCrypto.signing_key(&Secret::new([number; 32])).unwrap())
}
