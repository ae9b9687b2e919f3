//! `/token`, `/introspect`, `/trl`.

use sedge_access::{Grants, Permissions};
use sedge_ace::{
    ErrorCode, ErrorResponse, IntrospectionRequest, IntrospectionResponse, Profile, TokenError, TokenRequest,
    TokenResponse, TrlResponse, derive_key,
};
use sedge_authority::{Answer, Format, Settings};
use sedge_coap::{Code, ContentFormat};
use sedge_cose::cbor::{Decoder, Encoder};
use sedge_cose::{Claims, Confirmation, CoseKey, Expected, Invalid, Material, Scope};
use sedge_crypto::{PublicKey, RustCrypto};

use crate::support::{NOW, World, post, public_key, scope};

fn encode(request: &TokenRequest<'_>) -> Vec<u8> {
    request.encode(&mut [0; 512]).unwrap().to_vec()
}

fn refused(answer: &Answer) -> (Code, ErrorCode) {
    assert_eq!(answer.content_format, Some(ContentFormat::ACE_CBOR));
    (answer.code, ErrorResponse::decode(&answer.payload).unwrap().error)
}

/// The symmetric key in a `cnf`, with its identifier.
fn symmetric(cnf: &[u8]) -> (Vec<u8>, Vec<u8>) {
    match Confirmation::read(&mut Decoder::new(cnf)).unwrap() {
        Confirmation::Key(CoseKey {
            kid: Some(kid), material: Material::Symmetric { k: Some(k) }, ..
        }) => (kid.to_vec(), k.to_vec()),
        other => panic!("{other:?}"),
    }
}

fn cnf_of(key: &PublicKey) -> Vec<u8> {
    let mut out = [0; 128];
    let mut encoder = Encoder::new(&mut out);
    Confirmation::Key(CoseKey::public(key)).encode(&mut encoder);
    encoder.finish().unwrap().to_vec()
}

fn cnf_of_kid(kid: &[u8]) -> Vec<u8> {
    let mut out = [0; 128];
    let mut encoder = Encoder::new(&mut out);
    Confirmation::KeyId(kid).encode(&mut encoder);
    encoder.finish().unwrap().to_vec()
}

/// In each format the client and the resource server come to have the same key, and the token says what was granted.
#[test]
fn a_token_with_a_symmetric_key() {
    for format in Format::ALL {
        let audiences = vec!["plant-a".into()];
        let mut world = World::with(Settings { audiences, format, ..Settings::default() });
        let wanted =
            scope(&[("site/7/t", Permissions::PUBLISH | Permissions::READ), ("home", Permissions::PUBLISH)]);
        let wanted = wanted.to_scope();
        let body = encode(&TokenRequest {
            scope: Some(Scope::Bytes(&wanted)),
            asks_for_profile: true,
            ..TokenRequest::default()
        });
        let answer = world.ask("thermometer", &body);
        assert_eq!((answer.code, answer.content_format), (Code::CREATED, Some(ContentFormat::ACE_CBOR)));
        assert_eq!(answer.max_age, Some(3600));
        let response = TokenResponse::decode(&answer.payload).unwrap();
        assert_eq!((response.expires_in, response.ace_profile), (Some(3600), Some(Profile::COAP_DTLS)));
        // It publishes in `site` and nowhere else, and reads nothing.
        let granted = scope(&[("site/7/t", Permissions::PUBLISH)]).to_scope();
        assert_eq!(response.scope, Some(Scope::Bytes(&granted)));
        let (kid, key) = symmetric(response.cnf.unwrap());
        let carried = world
            .open("plant-a", response.access_token, |claims| {
                assert_eq!(
                    (claims.subject, claims.scope),
                    (Some("thermometer"), Some(Scope::Bytes(&granted)))
                );
                let expected = Expected { audience: "plant-a", issuer: None, now: NOW as i64, leeway: 0 };
                assert_eq!(claims.check(&expected), Ok(()));
                let late = Expected { now: NOW as i64 + 3600, ..expected };
                assert_eq!(claims.check(&late), Err(Invalid::Expired));
                match claims.confirmation {
                    Some(Confirmation::Key(CoseKey {
                        kid: Some(found),
                        material: Material::Symmetric { k },
                        ..
                    })) if found == kid => k.map(<[u8]>::to_vec),
                    other => panic!("{other:?}"),
                }
            })
            .unwrap();
        let known = match (format, carried) {
            // RFC 9202 section 3.3.1: a token that carries the key must be encrypted.
            (Format::Encrypted, Some(key)) => key,
            (_, None) => {
                let [keys, _next] = &world.keys("plant-a")[..] else {
                    panic!("one generation, and the next")
                };
                derive_key(&RustCrypto, keys.derivation.expose(), response.access_token).expose().to_vec()
            }
            (_, Some(_)) => panic!("the key of a token that everybody can read is in it"),
        };
        assert_eq!(known, key, "{format}");
    }
}

#[test]
fn a_token_with_a_public_key() {
    let mut world = World::new();
    let cnf = cnf_of(&public_key(7));
    let answer =
        world.ask("thermometer", &encode(&TokenRequest { req_cnf: Some(&cnf), ..TokenRequest::default() }));
    let response = TokenResponse::decode(&answer.payload).unwrap();
    assert_eq!(response.cnf, None, "the client has the key");
    assert_eq!(response.rs_cnf, Some(&cnf_of(&public_key(9))[..]));
    let bound = world.open("plant-a", response.access_token, |claims| match claims.confirmation {
        Some(Confirmation::Key(key)) => key.public_key().unwrap(),
        other => panic!("{other:?}"),
    });
    assert_eq!(bound, Ok(public_key(7)));
    // RFC 9202 section 3.2.1: not for a key that is somebody else's.
    for (who, key) in [("thermometer", 8), ("display", 7)] {
        let cnf = cnf_of(&public_key(key));
        let body = encode(&TokenRequest { req_cnf: Some(&cnf), ..TokenRequest::default() });
        assert_eq!(refused(&world.ask(who, &body)), (Code::BAD_REQUEST, ErrorCode::UNSUPPORTED_POP_KEY));
    }
}

/// RFC 9202 section 4: a new token for the key of a session that goes on.
#[test]
fn a_token_for_the_same_key() {
    let mut world = World::new();
    let first = world.ask("display", &encode(&TokenRequest::default()));
    let first = TokenResponse::decode(&first.payload).unwrap();
    let (kid, key) = symmetric(first.cnf.unwrap());
    let cnf = cnf_of_kid(&kid);
    let body = encode(&TokenRequest { req_cnf: Some(&cnf), ..TokenRequest::default() });
    world.now += 10;
    let second = world.ask("display", &body);
    let second = TokenResponse::decode(&second.payload).unwrap();
    assert_eq!(second.cnf, None);
    assert_ne!(second.access_token, first.access_token);
    let same = world.open("plant-a", second.access_token, |claims| match claims.confirmation {
        Some(Confirmation::Key(CoseKey {
            kid: Some(found),
            material: Material::Symmetric { k: Some(k) },
            ..
        })) => found == kid && k == key,
        _ => false,
    });
    assert_eq!(same, Ok(true));
    // Not for somebody else, and not once it is over.
    assert_eq!(refused(&world.ask("thermometer", &body)).1, ErrorCode::UNSUPPORTED_POP_KEY);
    world.now += 3600;
    world.run(|authority, cx| _ = authority.expire(cx));
    assert_eq!(refused(&world.ask("display", &body)).1, ErrorCode::UNSUPPORTED_POP_KEY);
}

#[test]
fn what_is_refused_is_refused_with_its_reason() {
    let mut world = World::new();
    let elsewhere = scope(&[("elsewhere", Permissions::PUBLISH)]).to_scope();
    let default = TokenRequest::default();
    for (who, request, code, error) in [
        ("nobody", default, Code::UNAUTHORIZED, ErrorCode::INVALID_CLIENT),
        (
            "display",
            TokenRequest { client_id: Some("thermometer"), ..default },
            Code::UNAUTHORIZED,
            ErrorCode::INVALID_CLIENT,
        ),
        (
            "display",
            TokenRequest { audience: Some("plant-c"), ..default },
            Code::BAD_REQUEST,
            ErrorCode::INVALID_REQUEST,
        ),
        (
            "display",
            TokenRequest { scope: Some(Scope::Bytes(&elsewhere)), ..default },
            Code::BAD_REQUEST,
            ErrorCode::INVALID_SCOPE,
        ),
        (
            "display",
            TokenRequest { scope: Some(Scope::Text("everything")), ..default },
            Code::BAD_REQUEST,
            ErrorCode::INVALID_SCOPE,
        ),
        (
            "display",
            TokenRequest { scope: Some(Scope::Bytes(&[0x81])), ..default },
            Code::BAD_REQUEST,
            ErrorCode::INVALID_SCOPE,
        ),
        ("plant-a", default, Code::BAD_REQUEST, ErrorCode::INVALID_SCOPE),
        (
            "display",
            TokenRequest { req_cnf: Some(&[0xa1, 3, 0x41, 0]), ..default },
            Code::BAD_REQUEST,
            ErrorCode::UNSUPPORTED_POP_KEY,
        ),
    ] {
        assert_eq!(refused(&world.ask(who, &encode(&request))), (code, error), "{who}: {request:?}");
    }
    for (body, error) in [
        (&[0xa2, 5, 0x61, b'a', 5, 0x61, b'b'][..], ErrorCode::INVALID_REQUEST),
        (&[0xa1, 0x18, 33, 0], ErrorCode::UNSUPPORTED_GRANT_TYPE),
        (&[], ErrorCode::INVALID_REQUEST),
    ] {
        assert_eq!(refused(&world.ask("display", body)), (Code::BAD_REQUEST, error));
    }
    assert_eq!(world.authority.tokens().count(), 0, "nothing was issued");
    let mut request = post("display", &[0xa0]);
    request.code = Code::GET;
    let answer = world.run(|authority, cx| authority.token(&request, None, cx));
    assert_eq!(answer.code, Code::METHOD_NOT_ALLOWED);
    request.code = Code::POST;
    request.content_format = Some(ContentFormat::JSON);
    let answer = world.run(|authority, cx| authority.token(&request, None, cx));
    assert_eq!(answer.code, Code::UNSUPPORTED_CONTENT_FORMAT);
}

#[test]
fn introspection_is_for_the_resource_server_and_administrators() {
    let mut world = World::new();
    let answer = world.ask("display", &encode(&TokenRequest::default()));
    let token = TokenResponse::decode(&answer.payload).unwrap().access_token.to_vec();
    let body = IntrospectionRequest { token: &token }.encode(&mut [0; 512]).unwrap().to_vec();
    for (who, active) in [("plant-a", true), ("admin", true), ("display", false), ("thermometer", false)] {
        let answer = world.introspect(who, &body);
        assert_eq!(answer.code, Code::CREATED);
        assert_eq!(IntrospectionResponse::decode_active(&answer.payload), Ok(active), "{who}");
        assert_eq!(answer.payload.len() > 10, active, "nothing is said of what is not active");
        if active {
            let claims = Claims::parse(&answer.payload).unwrap();
            assert_eq!(claims.subject, Some("display"));
            assert_eq!(
                claims.scope,
                Some(Scope::Bytes(&scope(&[("site/+/t", Permissions::READ)]).to_scope()))
            );
        }
    }
    // What was never issued, what was revoked, and what is over.
    let other = IntrospectionRequest { token: b"other" }.encode(&mut [0; 64]).unwrap().to_vec();
    assert_eq!(world.introspect("admin", &other).payload, [0xa1, 10, 0xf4]);
    world.now += 3600;
    assert_eq!(world.introspect("admin", &body).payload, [0xa1, 10, 0xf4]);
    world.now -= 3600;
    let _hashes = world.run(|authority, cx| authority.revoke_subject("display", cx));
    assert_eq!(world.introspect("admin", &body).payload, [0xa1, 10, 0xf4]);
    assert_eq!(refused(&world.introspect("nobody", &body)).1, ErrorCode::INVALID_CLIENT);
    assert_eq!(refused(&world.introspect("admin", &[0xa0])).1, ErrorCode::INVALID_REQUEST);
}

#[test]
fn the_list_of_revoked_tokens() {
    let mut world = World::new();
    let body = encode(&TokenRequest::default());
    for _ in 0..2 {
        assert_eq!(world.ask("display", &body).code, Code::CREATED);
    }
    assert_eq!(world.ask("thermometer", &body).code, Code::CREATED);
    let hashes = world.run(|authority, cx| authority.revoke_subject("display", cx));
    assert_eq!(hashes.len(), 2);
    for (who, count) in [("admin", 2), ("plant-a", 2), ("display", 2), ("thermometer", 0)] {
        let answer = world.revocations(who, &[]);
        assert_eq!((answer.code, answer.content_format), (Code::CONTENT, Some(ContentFormat(262))));
        let mut seen = 0;
        assert!(TrlResponse::decode(&answer.payload).unwrap().each_revoked(|hash| {
            seen += 1;
            assert!(hashes.contains(&hash));
        }));
        assert_eq!(seen, count, "{who}");
    }
    let answer = world.revocations("plant-a", &[b"diff=0"]);
    let response = TrlResponse::decode(&answer.payload).unwrap();
    assert!(response.each_change(|_, added| assert!(added)));
    assert_eq!((response.cursor, response.more), (Some(0), false));
    for (query, error) in [
        (&[&b"diff=x"[..]][..], &[1, 0xa1, 0, 0][..]),
        (&[b"cursor=0"], &[1, 0xa1, 0, 1]),
        (&[b"diff=1", b"cursor=1"], &[1, 0xa1, 0, 2]),
        (&[b"diff=1", b"cursor=-1"], &[1, 0xa2, 0, 0, 1, 0]),
    ] {
        let answer = world.revocations("plant-a", query);
        assert_eq!(
            (answer.code, answer.content_format),
            (Code::BAD_REQUEST, Some(ContentFormat::PROBLEM_DETAILS))
        );
        assert!(answer.payload.ends_with(error), "{:02x?}", answer.payload);
    }
    assert_eq!(world.revocations("nobody", &[]).code, Code::FORBIDDEN);
}

/// Only the two that share its keys can open it.
#[test]
fn a_token_is_for_one_resource_server() {
    for format in Format::ALL {
        let audiences = vec!["plant-a".into(), "plant-b".into()];
        let mut world = World::with(Settings { audiences, format, ..Settings::default() });
        let request = TokenRequest { audience: Some("plant-b"), ..TokenRequest::default() };
        let answer = world.ask("display", &encode(&request));
        let token = TokenResponse::decode(&answer.payload).unwrap().access_token.to_vec();
        assert_eq!(world.open("plant-a", &token, |_| ()), Err(TokenError::UnknownKey));
        assert_eq!(world.open("plant-b", &token, |_| ()), Ok(()));
        // Every byte of it counts, but those that name the key or the nonce, which then fit nothing.
        for at in 0..token.len() {
            let mut forged = token.clone();
            forged[at] ^= 1;
            assert!(world.open("plant-b", &forged, |_| ()).is_err(), "byte {at} of a token in {format}");
        }
        for cut in 0..token.len() {
            assert!(world.open("plant-b", &token[..cut], |_| ()).is_err());
        }
    }
}

#[test]
fn an_administrator_may_ask_for_anything() {
    let mut world = World::new();
    let wanted = scope(&[("any/thing", Permissions::DELETE)]);
    let bytes = wanted.to_scope();
    let answer = world.ask(
        "admin",
        &encode(&TokenRequest { scope: Some(Scope::Bytes(&bytes)), ..TokenRequest::default() }),
    );
    let response = TokenResponse::decode(&answer.payload).unwrap();
    let found = world.open("plant-a", response.access_token, |claims| match claims.scope {
        Some(Scope::Bytes(bytes)) => Grants::from_scope(bytes).unwrap(),
        other => panic!("{other:?}"),
    });
    assert_eq!(found, Ok(wanted));
}
