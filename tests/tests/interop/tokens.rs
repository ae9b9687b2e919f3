//! Tokens and messages of ACE-OAuth with pycose, cwt and dcaf: they read what our authorisation server writes, and a real
//! broker takes, or refuses, what they write.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_ace::{
    CreationHints, ErrorCode, ErrorResponse, Profile, TokenKeys, TokenRequest, TokenResponse, derive_key,
};
use sedge_broker::admin::{AdminReply, AdminRequest, NewToken, TokenIssued};
use sedge_coap::{Code, OptionNumber};
use sedge_cose::cbor::{Decoder, Encoder, Label};
use sedge_cose::{Algorithm, Claims, Confirmation, CoseKey, Material, Scope};
use sedge_crypto::{Crypto as _, PublicKey, RustCrypto, Secret};
use sedge_dtls::Retransmission;
use sedge_tests::broker::TestBroker;
use sedge_tests::device::{Device, path};
use sedge_tests::dtls::{Connection, Identity};
use sedge_tests::issuer::{ClaimSet, Issuer, encoded, symmetric_cnf};
use sedge_tests::{need, peers};
use sedge_time::Duration;

use crate::cose::Peer;

const AUDIENCE: &str = "sedge";
const NONCE: [u8; 13] = *b"thirteen byte";
const KEY: [u8; 16] = *b"sixteen bytes !!";
/// Reading and publishing below `site`: what dcaf's messages carry, too.
const SCOPE: &[u8] = b"\x81\x82\x66site/#\x0c";
/// For handshakes that are to fail.
const SHORT: Retransmission =
    Retransmission { initial: Duration::from_millis(150), maximum: Duration::from_millis(300), attempts: 2 };
const KINDS: [(&str, Algorithm); 3] =
    [("encrypt0", Algorithm::AES_CCM_16_128_128), ("mac0", Algorithm::HMAC_256), ("sign1", Algorithm::ES256)];

fn broker(issuer: &Issuer) -> TestBroker {
    TestBroker::with_records(issuer.records(), |config| {
        config.listen.insecure_coap = vec![([127, 0, 0, 1], 0).into()];
        config.authority.audiences = vec!["elsewhere".to_owned()];
    })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn grants() -> Grants {
    Grants::from_scope(SCOPE).expect("a scope")
}

/// The key as peers take it, to make tokens and to read them.
fn peer_keys(issuer: &Issuer, keys: &TokenKeys, kind: &str) -> [Vec<u8>; 2] {
    let secret = match kind {
        "encrypt0" => keys.encryption.expose().to_vec(),
        "mac0" => keys.mac.expose().to_vec(),
        _ => {
            let point = keys.verification.as_bytes()[1..].to_vec();
            return [[&point[..], issuer.signing_key().expose()].concat(), point];
        }
    };
    [secret.clone(), secret]
}

/// What two encodings of claims say: cwt may write them in another order.
fn same_claims(ours: &[u8], theirs: &[u8]) -> bool {
    let entries = |bytes: &[u8]| {
        let mut all = Vec::new();
        let read = Decoder::new(bytes).map(|label, value| {
            let Label::Int(number) = label else { return Err(sedge_cose::cbor::Error::Type) };
            all.push((number, value.item()?.to_vec()));
            Ok(())
        });
        all.sort();
        read.map(|()| all)
    };
    Claims::parse(theirs).is_ok() && entries(ours).is_ok_and(|ours| entries(theirs) == Ok(ours))
}

/// The broker's own authorisation server issues them, the peers read them under its keys.
#[test]
fn tokens_of_ours() {
    let Some(mut peer) = Peer::python("interop::tokens ours") else { return };
    let issuer = Issuer::new(&[AUDIENCE]);
    let (broker, keys) = (broker(&issuer), issuer.keys(AUDIENCE));
    let public = RustCrypto.public_key(&RustCrypto.signing_key(&Secret::new([9; 32])).expect("in range"));
    for (kind, algorithm) in KINDS {
        for public_key in [None, Some(public)] {
            let token = issue(&broker, kind, public_key);
            let [_, reads] = peer_keys(&issuer, &keys, kind);
            let what = Some((kind, algorithm));
            let mut ask = |library: &str, token: &[u8]| {
                peer.ask(&format!("{library}_claims"), what, &[&reads, &keys.id, token])
            };
            let claims = ask("pycose", &token.token).unwrap_or_else(|why| panic!("pycose {kind}: {why}"));
            let read = Claims::parse(&claims).expect("strict, too");
            assert_eq!((read.subject, read.scope), (Some("visitor"), Some(Scope::Bytes(SCOPE))), "{kind}");
            assert!(read.audience.is_some_and(|audience| audience.contains(AUDIENCE)));
            assert!(read.expires.is_some_and(|end| end.seconds() > now() as i64));
            check_confirmation(read.confirmation, kind, &token, public_key);
            match kind {
                // cwt 3.3 looks for nonces in the unprotected header only; RFC 9770 section 3 has none there.
                "encrypt0" => assert!(ask("cwt", &token.token).is_err_and(|why| why.contains("NoneType"))),
                _ => assert!(same_claims(&claims, &ask("cwt", &token.token).expect(kind)), "{kind}"),
            }
            let mut forged = token.token.clone();
            *forged.last_mut().expect("it is there") ^= 1;
            for library in ["pycose", "cwt"] {
                assert!(ask(library, &forged).is_err(), "{library} {kind}");
            }
        }
    }
}

fn issue(broker: &TestBroker, kind: &str, public_key: Option<PublicKey>) -> TokenIssued {
    let new = NewToken {
        subject: "visitor".to_owned(),
        scope: Some(grants()),
        lifetime: Some(60),
        format: Some(kind.to_owned()),
        public_key,
        ..NewToken::default()
    };
    match broker.administer(AdminRequest::TokenIssue(new)) {
        AdminReply::TokenIssued(issued) => *issued,
        other => panic!("{other:?}"),
    }
}

fn check_confirmation(
    found: Option<Confirmation<'_>>,
    kind: &str,
    token: &TokenIssued,
    public_key: Option<PublicKey>,
) {
    let Some(Confirmation::Key(key)) = found else { panic!("{found:?}") };
    match (key, public_key) {
        (key, Some(public_key)) => assert_eq!(key.public_key(), Ok(public_key)),
        (CoseKey { material: Material::Symmetric { k }, kid, .. }, None) => {
            assert_eq!(kid, token.info.kid.as_deref());
            // A key is in a token that is encrypted, and else derived from it.
            let key = token.key.as_ref().expect("a new key").expose();
            assert_eq!(k, (kind == "encrypt0").then_some(key));
        }
        other => panic!("{other:?}"),
    }
}

fn show(device: &mut Device, token: &[u8]) -> Code {
    let mut options = path("authz-info");
    options.push((OptionNumber::CONTENT_FORMAT, &[61]));
    device.request(Code::POST, &options, token).code()
}

/// A peer issues them; the broker takes those that are good, and lets their bearers do what they say.
#[test]
fn tokens_of_theirs() {
    let Some(mut peer) = Peer::python("interop::tokens theirs") else { return };
    let issuer = Issuer::new(&[AUDIENCE, "elsewhere"]);
    let (broker, keys) = (broker(&issuer), issuer.keys(AUDIENCE));
    let mut stranger = Device::plain(broker.insecure());
    let mut held = 0;
    for (library, (kind, algorithm)) in
        ["pycose", "cwt"].into_iter().flat_map(|library| KINDS.map(|kind| (library, kind)))
    {
        let what = format!("{library} {kind}");
        let [makes, _] = peer_keys(&issuer, &keys, kind);
        let mut make = |id: &[u8], key: &[u8], claims: &ClaimSet| {
            let parts: [&[u8]; 4] = [key, id, &NONCE, &claims.encode()];
            let made = peer.ask(&format!("{library}_issue"), Some((kind, algorithm)), &parts);
            made.unwrap_or_else(|why| panic!("{what}: {why}"))
        };
        let carried = (kind == "encrypt0").then_some(&KEY[..]);
        let cnf = symmetric_cnf(what.as_bytes(), carried);
        let good = ClaimSet::new(&what, AUDIENCE, now() + 60, SCOPE, cnf);
        let later = encoded(|encoder| encoder.unsigned(now() + 60));
        let other = encoded(|encoder| encoder.text("elsewhere"));
        let wrong: Vec<u8> = makes.iter().rev().copied().collect();
        let mut refused = vec![
            ("expired", make(&keys.id, &makes, &good.clone().with(4, vec![1])), Code::UNAUTHORIZED),
            ("not_yet", make(&keys.id, &makes, &good.clone().with(5, later)), Code::UNAUTHORIZED),
            ("audience", make(&keys.id, &makes, &good.clone().with(3, other)), Code::FORBIDDEN),
            ("claims", make(&keys.id, &makes, &good.clone().without(4)), Code::BAD_REQUEST),
            ("unknown_key", make(b"nobody's", &makes, &good), Code::UNAUTHORIZED),
        ];
        if kind != "sign1" {
            refused.push(("forged", make(&keys.id, &wrong, &good), Code::UNAUTHORIZED));
        }
        for (reason, token, code) in refused {
            let counter = format!("tokens.refused.{reason}");
            let before = broker.counter(&counter);
            assert_eq!(show(&mut stranger, &token), code, "{what}: {reason}");
            assert_eq!(broker.counter(&counter), before + 1, "{what}: {reason}");
        }

        let token = make(&keys.id, &makes, &good);
        assert_eq!(show(&mut stranger, &token), Code::CREATED, "{what}");
        held += 1;
        assert_eq!(broker.counter("tokens.held"), held);
        let mut bearer = Identity::new("", &KEY);
        if carried.is_none() {
            bearer.key = derive_key(&RustCrypto, keys.derivation.expose(), &token).expose().to_vec();
        }
        bearer.name = token;
        let mut session = Device::connect(broker.secure(), &bearer);
        assert!(session.publish("site/7", &what).is_success(), "{what}");
        assert_eq!(session.read("site/7").text(), what);
        assert_eq!(session.publish("other", "1"), Code::FORBIDDEN);
        bearer.key[0] ^= 1;
        bearer.transport.retransmission = SHORT;
        assert!(Connection::connect(broker.secure(), &bearer).is_err(), "{what}: without the key");
    }
}

fn dcaf(test: &str) -> Option<Peer> {
    let peers = need::or_say_why(test, peers::find())?;
    Some(Peer::start(Command::new(&peers.rust_ace)))
}

/// What the library has understood of a message.
fn again(peer: &mut Peer, kind: &str, message: &[u8]) -> Vec<u8> {
    let answer = peer.ask(&format!("dcaf_again {kind}"), None, &[message]);
    answer.unwrap_or_else(|why| panic!("dcaf reads our {kind}: {why}"))
}

#[test]
fn dcaf_reads_ours() {
    let Some(mut peer) = dcaf("interop::tokens dcaf") else { return };
    let public = RustCrypto.public_key(&RustCrypto.signing_key(&Secret::new([9; 32])).expect("in range"));
    let cnf = cnf(&Confirmation::Key(CoseKey::public(&public)));
    let request = TokenRequest {
        audience: Some(AUDIENCE),
        scope: Some(Scope::Bytes(SCOPE)),
        req_cnf: Some(&cnf),
        asks_for_profile: true,
        cnonce: Some(&[1, 2]),
        client_id: Some("pump-7"),
    };
    let mut out = [0; 512];
    for request in [request, TokenRequest { req_cnf: None, ..request }, TokenRequest::default()] {
        let theirs = again(&mut peer, "request", request.encode(&mut out).expect("room"));
        assert_eq!(TokenRequest::decode(&theirs), Ok(request));
    }
    let symmetric = symmetric_cnf(b"kid", Some(&KEY));
    let response = TokenResponse {
        expires_in: Some(3600),
        scope: Some(Scope::Text("read")),
        cnf: Some(&symmetric),
        rs_cnf: Some(&cnf),
        ace_profile: Some(Profile::COAP_DTLS),
        ..TokenResponse::new(b"a token")
    };
    let theirs = again(&mut peer, "response", response.encode(&mut out).expect("room"));
    assert_eq!(TokenResponse::decode(&theirs), Ok(response));
    // dcaf 0.4 writes `kid` as an array of numbers, so that nobody reads it again.
    let hints = CreationHints {
        authorization_server: Some("coaps://as.example/token"),
        kid: None,
        audience: Some(AUDIENCE),
        scope: Some(Scope::Bytes(SCOPE)),
        cnonce: Some(&[7; 8]),
    };
    let theirs = again(&mut peer, "hints", hints.encode(&mut out).expect("room"));
    assert_eq!(CreationHints::decode(&theirs), Ok(hints));
    for code in 1..=8 {
        let error = ErrorResponse { error: ErrorCode(code), description: Some("why") };
        let theirs = again(&mut peer, "error", error.encode(&mut out).expect("room"));
        assert_eq!(ErrorResponse::decode(&theirs), Ok(error));
    }
}

/// AIF by itself: dcaf takes it for methods of REST, whose bits are numbers all the same.
#[test]
fn dcaf_reads_and_writes_our_scopes() {
    let Some(mut peer) = dcaf("interop::tokens dcaf's AIF") else { return };
    let pattern = |text: &str| TopicPattern::new(text).expect("a pattern");
    let grants = Grants::none()
        .with(pattern("site/+/t"), Permissions::READ | Permissions::PUBLISH)
        .with(pattern("site/7"), Permissions::ADMIN | Permissions::DELETE)
        .with(pattern("#"), Permissions::READ);
    let message = encoded(|encoder| encoder.map(1).int(9).raw(&grants.to_scope()));
    let theirs = again(&mut peer, "hints", &message);
    assert_eq!(theirs, message);
    assert_eq!(Grants::from_scope(&theirs[2..]), Ok(grants));
}

#[test]
fn we_read_dcafs() {
    let Some(mut peer) = dcaf("interop::tokens of dcaf") else { return };
    let mut make = |kind: &str| peer.ask(&format!("dcaf_make {kind}"), None, &[]).expect("dcaf can");
    let request = make("request");
    let request = TokenRequest::decode(&request).expect("a request");
    assert_eq!((request.audience, request.client_id), (Some("plant-a"), Some("pump-7")));
    assert_eq!((request.scope, request.cnonce), (Some(Scope::Bytes(SCOPE)), Some(&[1, 2, 3][..])));
    assert!(request.asks_for_profile);
    let cnf = Confirmation::read(&mut Decoder::new(request.req_cnf.expect("a key")));
    let Ok(Confirmation::Key(key)) = cnf else { panic!("{cnf:?}") };
    let point = key.public_key().expect("a public key");
    assert_eq!((point.as_bytes()[1], point.as_bytes()[64]), (1, 2));

    let response = make("response");
    let response = TokenResponse::decode(&response).expect("a response");
    assert_eq!(response.access_token, [0xd8, 61, 0xd0, 0x83]);
    assert_eq!((response.expires_in, response.ace_profile), (Some(3600), Some(Profile::COAP_DTLS)));
    let cnf = Confirmation::read(&mut Decoder::new(response.cnf.expect("a key")));
    let key = CoseKey { kid: Some(&[9; 8]), ..CoseKey::new(Material::Symmetric { k: Some(&[7; 16]) }) };
    assert_eq!(cnf, Ok(Confirmation::Key(key)));
    let server = Confirmation::read(&mut Decoder::new(response.rs_cnf.expect("a name")));
    assert_eq!(server, Ok(Confirmation::KeyId(&[5])));

    let hints = make("hints");
    let hints = CreationHints::decode(&hints).expect("hints");
    assert_eq!(hints.authorization_server, Some("coaps://as.example/token"));
    assert_eq!((hints.audience, hints.scope), (Some("plant-a"), Some(Scope::Text("read"))));
    assert_eq!(hints.cnonce, Some(&[1, 2, 3][..]));
    let error = make("error");
    let expected = ErrorResponse { error: ErrorCode::UNSUPPORTED_POP_KEY, description: Some("not this one") };
    assert_eq!(ErrorResponse::decode(&error), Ok(expected));
}

fn cnf(confirmation: &Confirmation<'_>) -> Vec<u8> {
    let mut buffer = [0; 128];
    let mut encoder = Encoder::new(&mut buffer);
    confirmation.encode(&mut encoder);
    encoder.finish().expect("room").to_vec()
}
