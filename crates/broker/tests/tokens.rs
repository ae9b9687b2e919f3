//! Access tokens on a real broker: got, shown, used, renewed, revoked, over, forged.

#[allow(dead_code, reason = "other tests use more of it")]
mod device;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use device::{Device, Reply};
use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_ace::{CreationHints, PskIdentity, TokenRequest, TokenResponse, TrlResponse};
use sedge_broker::admin::{
    AdminError, AdminReply, AdminRequest, After, NewDevice, NewToken, Refusal, TokenChoice, TokenIssued,
    connect_local,
};
use sedge_broker::config::Config;
use sedge_broker::store::DataDir;
use sedge_broker::{Broker, Key};
use sedge_client::tokio::{Socket, client, config};
use sedge_client::{Psk, Security, TokenError, Versions};
use sedge_coap::{Code, ContentFormat, OptionNumber};
use sedge_cose::cbor::{Decoder, Encoder};
use sedge_cose::{Claims, Confirmation, CoseKey, Material, Scope};
use sedge_crypto::{Crypto as _, RustCrypto, Secret};

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);
/// What is promised within a second is, on a machine that has nothing else to do.
const SOON: Duration = Duration::from_secs(8);
const SHORT: Duration = Duration::from_millis(1500);

struct Setup {
    broker: Option<Broker>,
    dir: DataDir,
    config: Config,
    _temporary: tempfile::TempDir,
}

/// What a client has of a token.
struct Held {
    token: Vec<u8>,
    kid: Vec<u8>,
    key: Vec<u8>,
    id: String,
}

fn scope(entries: &[(&str, Permissions)]) -> Grants {
    let pattern = |text: &str| TopicPattern::new(text).unwrap();
    entries
        .iter()
        .fold(Grants::none(), |grants, (topic, permissions)| grants.with(pattern(topic), *permissions))
}

impl Setup {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path().join("d"));
        let mut config = Config { shards: 2, ..Config::default() };
        config.listen.coaps = vec!["[::1]:0".parse().unwrap()];
        config.listen.insecure_coap = vec!["[::1]:0".parse().unwrap()];
        config.authority.audiences = vec!["elsewhere".into()];
        config.authority.uri = "coaps://as.example/token".into();
        change(&mut config);
        let mut setup = Self { broker: None, dir, config, _temporary: temporary };
        setup.start();
        setup
    }

    fn start(&mut self) {
        self.broker = Some(Broker::start(&self.dir, self.config.clone()).unwrap());
    }

    fn stop(&mut self) {
        self.broker.take().unwrap().stop().unwrap();
    }

    fn address(&self) -> SocketAddr {
        self.broker.as_ref().unwrap().addresses()[0]
    }

    fn plain(&self) -> Device {
        Device::plain(self.broker.as_ref().unwrap().insecure_addresses()[0])
    }

    fn ask(&self, request: AdminRequest) -> Result<AdminReply, Refusal> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            match connect_local(&self.dir).await.unwrap().call(request).await {
                Ok(reply) => Ok(reply),
                Err(AdminError::Refused(refusal)) => Err(refusal),
                Err(error) => panic!("{error}"),
            }
        })
    }

    fn enrol(&self, name: &str, grants: Grants) -> Key {
        let new = NewDevice { name: name.into(), grants, ..NewDevice::default() };
        let Ok(AdminReply::Enrolled(_, Some(key))) = self.ask(AdminRequest::DeviceAdd(new)) else { panic!() };
        key
    }

    fn device(&self, name: &str, grants: Grants) -> Device {
        let key = self.enrol(name, grants);
        Device::connect(self.address(), name, &key)
    }

    fn issue(&self, new: NewToken) -> Held {
        let Ok(AdminReply::TokenIssued(issued)) = self.ask(AdminRequest::TokenIssue(new)) else { panic!() };
        let TokenIssued { info, token, key } = *issued;
        let key = key.map_or(Vec::new(), |key| key.expose().to_vec());
        Held { token, kid: info.kid.unwrap_or_default(), key, id: info.id }
    }

    /// A token for somebody who is not enrolled.
    fn visitor(&self, entries: &[(&str, Permissions)], lifetime: u64) -> Held {
        self.issue(visitor(entries, lifetime))
    }

    fn connect(&self, held: &Held) -> Option<Device> {
        Device::try_connect_as(self.address(), &held.token, &held.key, PATIENCE)
    }

    fn counter(&self, name: &str) -> u64 {
        let Ok(AdminReply::Status(status)) = self.ask(AdminRequest::Status) else { panic!() };
        let found = status.counters.iter().find(|counter| counter.name == name);
        found.unwrap_or_else(|| panic!("no counter {name}")).value
    }
}

fn visitor(entries: &[(&str, Permissions)], lifetime: u64) -> NewToken {
    let scope = Some(scope(entries));
    NewToken { subject: "visitor".into(), scope, lifetime: Some(lifetime), ..NewToken::default() }
}

fn by_kid(held: &Held) -> Vec<u8> {
    PskIdentity::Kid(&held.kid).encode(&mut [0; 64]).unwrap().to_vec()
}

fn show(device: &mut Device, token: &[u8]) -> Reply {
    device.request(Code::POST, "authz-info", |writer| {
        writer.option_uint(OptionNumber::CONTENT_FORMAT, ContentFormat::CWT.0.into()).payload(token);
    })
}

/// Asks for a token as a client does.
fn fetch(device: &mut Device, wanted: Option<&Grants>, req_cnf: Option<&[u8]>) -> Reply {
    let wanted = wanted.map(Grants::to_scope);
    let request =
        TokenRequest { scope: wanted.as_deref().map(Scope::Bytes), req_cnf, ..TokenRequest::default() };
    let body = request.encode(&mut [0; 512]).unwrap().to_vec();
    device.request(Code::POST, "token", |writer| {
        writer.option_uint(OptionNumber::CONTENT_FORMAT, ContentFormat::ACE_CBOR.0.into()).payload(&body);
    })
}

fn held(reply: &Reply) -> Held {
    assert_eq!(reply.code, Code::CREATED);
    let response = TokenResponse::decode(&reply.payload).unwrap();
    let (kid, key) = match response.cnf.map(|cnf| Confirmation::read(&mut Decoder::new(cnf)).unwrap()) {
        Some(Confirmation::Key(CoseKey {
            kid: Some(kid),
            material: Material::Symmetric { k: Some(k) },
            ..
        })) => (kid.to_vec(), k.to_vec()),
        None => (Vec::new(), Vec::new()),
        other => panic!("{other:?}"),
    };
    Held { token: response.access_token.to_vec(), kid, key, id: String::new() }
}

fn assert_hints(reply: &Reply) {
    assert_eq!((reply.code, reply.content_format), (Code::UNAUTHORIZED, Some(ContentFormat::ACE_CBOR)));
    let hints = CreationHints::decode(&reply.payload).unwrap();
    assert_eq!(hints.authorization_server, Some("coaps://as.example/token"));
    assert_eq!(hints.audience, Some("sedge"));
}

const PUBLISH: Permissions = Permissions::PUBLISH;
const READ: Permissions = Permissions::READ;

/// From the client's own credential to a token, to a session by the token, to values.
#[test]
fn a_token_opens_what_it_names_and_nothing_else() {
    let setup = Setup::new();
    let mut display = setup.device("display", scope(&[("site/#", READ)]));
    let wanted = scope(&[("site/+/t", READ | PUBLISH)]);
    let held = held(&fetch(&mut display, Some(&wanted), None));
    let mut writer = setup.device("writer", scope(&[("site/#", PUBLISH)]));
    assert_eq!(writer.put("d/site/7/t", b"20").code, Code::CREATED);
    assert_eq!(writer.put("d/site/7/secret", b"20").code, Code::CREATED);

    let mut session = setup.connect(&held).expect("the token is its identity");
    assert_eq!(session.get("d/site/7/t").payload, b"20");
    // RFC 9202 section 3.4: the resource is not covered; the method is not.
    assert_eq!(session.get("d/site/7/secret").code, Code::FORBIDDEN);
    assert_eq!(session.put("d/site/7/t", b"21").code, Code::METHOD_NOT_ALLOWED);
    let (observation, first) = session.observe("d/site/7/t");
    assert_eq!(first.payload, b"20");
    assert_eq!(writer.put("d/site/7/t", b"22").code, Code::CHANGED);
    assert_eq!(session.reply(observation, PATIENCE).unwrap().payload, b"22");
    // What the session may do, it can ask; and nobody gets a token by a token.
    let described = session.get("authz-info");
    assert_eq!((described.code, described.content_format), (Code::CONTENT, Some(ContentFormat::ACE_CBOR)));
    let claims = Claims::parse(&described.payload).unwrap();
    let granted = scope(&[("site/+/t", READ)]).to_scope();
    assert_eq!((claims.subject, claims.scope), (Some("display"), Some(Scope::Bytes(&granted))));
    assert_eq!(fetch(&mut session, None, None).code, Code::UNAUTHORIZED);
    // A wrong key for a good token comes to nothing.
    let wrong = Device::try_connect_as(setup.address(), &held.token, &[7; 16], SHORT);
    assert!(wrong.is_none());
}

/// RFC 9202 section 3.3.2: the token is uploaded first, without security, and the handshake names its key.
#[test]
fn a_token_shown_before_and_its_key_named_in_the_handshake() {
    for protection in ["encrypt0", "mac0", "sign1"] {
        let setup = Setup::new();
        let new = NewToken { format: Some(protection.into()), ..visitor(&[("a", PUBLISH)], 60) };
        let held = setup.issue(new);
        let unknown = Device::try_connect_as(setup.address(), &by_kid(&held), &held.key, SHORT);
        assert!(unknown.is_none(), "nobody has shown its token");
        let mut plain = setup.plain();
        assert_eq!(show(&mut plain, &held.token).code, Code::CREATED);
        assert_eq!(show(&mut plain, &held.token).code, Code::CREATED, "twice is as good as once");
        let mut session =
            Device::try_connect_as(setup.address(), &by_kid(&held), &held.key, PATIENCE).expect(protection);
        assert_eq!(session.put("d/a", b"1").code, Code::CREATED);
        assert_eq!(setup.counter("tokens.held"), 1);
        // Showing it has given nothing to the one who showed it.
        let challenge = plain.get("d/a");
        assert_eq!(
            challenge.code,
            Code::UNAUTHORIZED,
            "to be answered with more than it brought, it proves its address"
        );
        assert_hints(&plain.request(Code::GET, "d/a", |writer| {
            writer.option(OptionNumber::ECHO, challenge.echo.as_deref().unwrap());
        }));
    }
}

#[test]
fn an_expired_token_ends_everything_within_a_second() {
    let setup = Setup::new();
    let mut writer = setup.device("writer", scope(&[("#", PUBLISH)]));
    assert_eq!(writer.put("d/a", b"1").code, Code::CREATED);
    let issued = Instant::now();
    let held = setup.visitor(&[("a", READ)], 6);
    let mut session = setup.connect(&held).unwrap();
    let (observation, first) = session.observe("d/a");
    assert_eq!(first.code, Code::CONTENT);
    let last = session.reply(observation, PATIENCE).expect("a last notification");
    let after = issued.elapsed();
    assert_eq!((last.code, last.observe), (Code::UNAUTHORIZED, None));
    assert!(after > 4 * SECOND && after < 6 * SECOND + SOON, "{after:?}");
    // No value goes out any more, no request is served, and the session ends by itself.
    assert_eq!(writer.put("d/a", b"2").code, Code::CHANGED);
    assert_eq!(session.reply(observation, SECOND / 2), None);
    assert!(session.closes(PATIENCE));
    assert!(Device::try_connect_as(setup.address(), &held.token, &held.key, SHORT).is_none());
    assert_eq!(show(&mut setup.plain(), &held.token).code, Code::UNAUTHORIZED);
}

#[test]
fn a_revoked_token_ends_everything_within_a_second() {
    let mut setup = Setup::new();
    let mut writer = setup.device("writer", scope(&[("#", PUBLISH)]));
    assert_eq!(writer.put("d/a", b"1").code, Code::CREATED);
    let (one, other) = (setup.visitor(&[("a", READ)], 600), setup.visitor(&[("a", READ)], 600));
    let mut sessions = [&one, &other].map(|held| setup.connect(held).unwrap());
    let [(first, _), (second, _)] = sessions.each_mut().map(|session| session.observe("d/a"));
    let revoked = Instant::now();
    let reply = setup.ask(AdminRequest::TokenRevoke(TokenChoice::Id(one.id.clone())));
    assert_eq!(reply, Ok(AdminReply::TokensRevoked(1)));
    let last = sessions[0].reply(first, PATIENCE).expect("a last notification");
    assert_eq!((last.code, last.observe), (Code::UNAUTHORIZED, None));
    assert!(revoked.elapsed() < SOON);
    // Unless it has ended by itself, now that it has heard why.
    sessions[0].get_or_end("d/a").iter().for_each(assert_hints);
    // The other one goes on.
    assert_eq!(writer.put("d/a", b"2").code, Code::CHANGED);
    assert_eq!(sessions[1].reply(second, PATIENCE).unwrap().payload, b"2");
    // Neither uploading it again nor a restart brings it back.
    for _ in 0..2 {
        assert_eq!(show(&mut setup.plain(), &one.token).code, Code::UNAUTHORIZED);
        assert!(Device::try_connect_as(setup.address(), &one.token, &one.key, SHORT).is_none());
        setup.stop();
        setup.start();
    }
    assert!(setup.connect(&other).is_some());
    // A device that is removed takes its tokens with it.
    let mut display = setup.device("display", scope(&[("a", READ)]));
    let theirs = held(&fetch(&mut display, None, None));
    assert!(setup.connect(&theirs).is_some());
    assert_eq!(setup.ask(AdminRequest::DeviceRemove("display".into())), Ok(AdminReply::Done));
    assert!(Device::try_connect_as(setup.address(), &theirs.token, &theirs.key, SHORT).is_none());
}

/// RFC 9202 section 4: a new token for the same key changes what a session may do that goes on.
#[test]
fn rights_change_while_a_session_lasts() {
    let setup = Setup::new();
    let mut writer = setup.device("writer", scope(&[("#", PUBLISH)]));
    for topic in ["d/a", "d/b"] {
        assert_eq!(writer.put(topic, b"1").code, Code::CREATED);
    }
    let mut client = setup.device("client", scope(&[("a", READ), ("b", READ)]));
    let first = held(&fetch(&mut client, Some(&scope(&[("a", READ)])), None));
    let mut session = setup.connect(&first).unwrap();
    let (a, _) = session.observe("d/a");
    assert_eq!(session.get("d/b").code, Code::FORBIDDEN);

    let mut cnf = [0; 64];
    let mut encoder = Encoder::new(&mut cnf);
    Confirmation::KeyId(&first.kid).encode(&mut encoder);
    let cnf = encoder.finish().unwrap();
    std::thread::sleep(SECOND);
    let second = held(&fetch(&mut client, Some(&scope(&[("b", READ)])), Some(cnf)));
    assert!(second.key.is_empty(), "the client has the key");
    assert_eq!(show(&mut session, &second.token).code, Code::CREATED);
    // What it had is over, what it has is there, and the session is the same.
    let last = session.reply(a, PATIENCE).expect("a last notification");
    assert_eq!((last.code, last.observe), (Code::FORBIDDEN, None));
    assert_eq!(session.get("d/b").payload, b"1");
    assert_eq!(session.get("d/a").code, Code::FORBIDDEN);
    assert!(!session.closed);
    // Who shows the older one again gets nothing back.
    assert_eq!(show(&mut session, &first.token).code, Code::UNAUTHORIZED);
    assert_eq!(session.get("d/a").code, Code::FORBIDDEN);
    assert_eq!(setup.counter("tokens.refused.stale"), 1);
}

/// Each is refused with the code that the RFC names, counted by its reason, and affects nothing else.
#[test]
fn bad_tokens_are_refused_and_counted() {
    let setup = Setup::new();
    let good = setup.visitor(&[("a", PUBLISH)], 60);
    let mut session = setup.connect(&good).unwrap();
    let mut plain = setup.plain();
    let forged = |at: usize| {
        let mut token = good.token.clone();
        token[at] ^= 1;
        token
    };
    let elsewhere =
        setup.issue(NewToken { audience: Some("elsewhere".into()), ..visitor(&[("a", READ)], 60) });
    let signed =
        NewToken { audience: Some("elsewhere".into()), format: Some("sign1".into()), ..visitor(&[], 60) };
    let signed = setup.issue(NewToken { scope: Some(scope(&[("a", READ)])), ..signed });
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let later = setup.issue(NewToken { not_before: Some(now + 100), ..visitor(&[("a", READ)], 60) });
    let last = good.token.len() - 1;
    let body = |reply: &Reply| (reply.code, reply.payload.clone(), reply.content_format);
    let mut unauthorized = Vec::new();
    for (token, code, reason) in [
        (b"no token".to_vec(), Code::UNAUTHORIZED, "malformed"),
        (Vec::new(), Code::UNAUTHORIZED, "malformed"),
        (good.token[..last].to_vec(), Code::UNAUTHORIZED, "malformed"),
        ([&good.token[..], &[0]].concat(), Code::UNAUTHORIZED, "malformed"),
        (forged(last), Code::UNAUTHORIZED, "forged"),
        (forged(last - 20), Code::UNAUTHORIZED, "forged"),
        (elsewhere.token, Code::FORBIDDEN, "audience"),
        (signed.token, Code::FORBIDDEN, "audience"),
        (later.token, Code::UNAUTHORIZED, "not_yet"),
    ] {
        let counter = format!("tokens.refused.{reason}");
        let before = setup.counter(&counter);
        let reply = show(&mut plain, &token);
        assert_eq!(reply.code, code, "{reason}");
        assert_eq!(setup.counter(&counter), before + 1, "{reason}");
        if code == Code::UNAUTHORIZED {
            unauthorized.push(body(&reply));
        }
        // In a handshake all of them are like an identity that nobody has.
        if !token.is_empty() {
            assert!(Device::try_connect_as(setup.address(), &token, &good.key, SHORT / 3).is_none());
        }
    }
    // Nobody learns which part of it was wrong.
    assert!(unauthorized.windows(2).all(|two| two[0] == two[1]));
    let reply = plain.request(Code::POST, "authz-info", |writer| {
        writer.option_uint(OptionNumber::CONTENT_FORMAT, 50).payload(&good.token);
    });
    assert_eq!(reply.code, Code::UNSUPPORTED_CONTENT_FORMAT);
    assert_eq!(plain.put("authz-info", &good.token).code, Code::METHOD_NOT_ALLOWED);
    assert_eq!(session.put("d/a", b"1").code, Code::CREATED);
    assert_eq!(setup.counter("tokens.held"), 1);
}

#[test]
fn keys_are_replaced_without_an_outage() {
    let mut setup = Setup::new();
    let old = setup.visitor(&[("a", PUBLISH)], 600);
    assert_eq!(setup.ask(AdminRequest::KeysRotate), Ok(AdminReply::Done));
    let new = setup.visitor(&[("a", PUBLISH)], 600);
    for _ in 0..2 {
        for held in [&old, &new] {
            let mut session = setup.connect(held).expect("tokens under both keys");
            assert!(session.put("d/a", b"1").code.is_success());
        }
        setup.stop();
        setup.start();
    }
}

#[test]
fn what_is_revoked_is_listed_for_whom_it_concerns() {
    let setup = Setup::new();
    let mut client = setup.device("client", scope(&[("a", READ)]));
    let mut other = setup.device("other", scope(&[("a", READ)]));
    let _token = held(&fetch(&mut client, None, None));
    let choice = TokenChoice::Subject("client".into());
    assert_eq!(setup.ask(AdminRequest::TokenRevoke(choice)), Ok(AdminReply::TokensRevoked(1)));
    for (device, expected) in [(&mut client, 1), (&mut other, 0)] {
        let reply = device.get("trl");
        assert_eq!((reply.code, reply.content_format), (Code::CONTENT, Some(ContentFormat(262))));
        let mut count = 0;
        assert!(TrlResponse::decode(&reply.payload).unwrap().each_revoked(|_| count += 1));
        assert_eq!(count, expected);
    }
    assert_eq!(setup.plain().get("trl").code, Code::UNAUTHORIZED);
    let Ok(AdminReply::Tokens(page)) = setup.ask(AdminRequest::TokenList(After::default())) else { panic!() };
    assert!(page.entries.len() == 1 && page.entries[0].revoked && page.entries[0].subject == "client");
}

/// Without an authorisation server there is no such resource; tokens of another one would still be taken.
#[test]
fn an_operator_can_turn_the_authority_off() {
    let setup = Setup::with(|config| config.authority.enabled = false);
    let mut client = setup.device("client", scope(&[("a", READ)]));
    assert_eq!(fetch(&mut client, None, None).code, Code::NOT_FOUND);
    assert_eq!(client.get("trl").code, Code::NOT_FOUND);
}

/// The client crate does it all: gets a token with its own credential, in both versions of DTLS goes by it, and by a raw
/// public key that a token is bound to (RFC 9202 section 3.2).
#[test]
fn the_client_gets_shows_and_uses_tokens() {
    let setup = Setup::new();
    let address = setup.address();
    let own = setup.enrol("client", scope(&[("a", PUBLISH)]));
    let broker_key = *setup.broker.as_ref().unwrap().public_key();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dial = async |security: Security<'_>, versions: Versions| {
        let mut settings = config();
        settings.endpoint.versions = versions;
        let mut client = client(Socket::connect(address).await.unwrap(), security, settings).unwrap();
        let connected = tokio::time::timeout(PATIENCE, client.connect()).await;
        connected.is_ok_and(|outcome| outcome.is_ok()).then_some(client)
    };
    fn psk<'a>(identity: &'a [u8], key: &[u8]) -> Security<'a> {
        Security::Psk { identity, key: Psk::new(key).unwrap() }
    }
    runtime.block_on(async {
        for versions in [Versions::ONLY_1_2, Versions::ONLY_1_3] {
            let mut at_authority = dial(psk(b"client", own.expose()), versions).await.expect("its own key");
            let mut buffer = [0; 1024];
            let got = at_authority.fetch_token(&TokenRequest::default(), &mut buffer).await.unwrap();
            assert_eq!(got.expires_in, Some(3600));
            let Some(Ok(Confirmation::Key(CoseKey {
                material: Material::Symmetric { k: Some(key) }, ..
            }))) = got.cnf.map(|cnf| Confirmation::read(&mut Decoder::new(cnf)))
            else {
                panic!("a key")
            };
            let mut session = dial(psk(got.access_token, key), versions).await.expect("the token");
            session.publish("a", sedge_client::ContentFormat::TEXT, b"1").await.unwrap();
            assert!(session.publish("b", sedge_client::ContentFormat::TEXT, b"1").await.is_err());
        }
    });
    // A key that is enrolled nowhere, until a token says whose it is.
    let secret = Secret::new([0x42; 32]);
    let public_key = RustCrypto.public_key(&RustCrypto.signing_key(&secret).unwrap());
    let bound = setup.issue(NewToken { public_key: Some(public_key), ..visitor(&[("a", PUBLISH)], 60) });
    runtime.block_on(async {
        let with_key = || Security::raw_public_key(secret.clone(), broker_key);
        assert!(dial(with_key(), Versions::ONLY_1_2).await.is_none(), "nobody has shown its token");
        let mut at_broker = dial(psk(b"client", own.expose()), Versions::ONLY_1_2).await.unwrap();
        at_broker.show_token(&bound.token).await.unwrap();
        assert!(matches!(at_broker.show_token(b"none").await, Err(TokenError::Code(Code::UNAUTHORIZED))));
        for versions in [Versions::ONLY_1_2, Versions::ONLY_1_3] {
            let mut session = dial(with_key(), versions).await.expect("the key of a token");
            session.publish("a", sedge_client::ContentFormat::TEXT, b"2").await.unwrap();
            assert!(session.publish("b", sedge_client::ContentFormat::TEXT, b"2").await.is_err());
        }
    });
}
