//! The examples of the RFCs, and what is refused.

extern crate std;
use std::vec::Vec;

use proptest::prelude::*;
use sedge_cose::cbor::{Decoder, Error};
use sedge_cose::{Confirmation, CoseKey, Material};
use sedge_crypto::{Crypto as _, Mac as _, RustCrypto};

use crate::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// RFC 9202 section 3.3.2.
#[test]
fn the_identity_of_the_rfc() {
    let identity = hex("a1 08 a1 01 a2 01 04 02 48 3d027833fc6267ce");
    let kid = hex("3d027833fc6267ce");
    assert_eq!(PskIdentity::parse(&identity), Some(PskIdentity::Kid(&kid)));
    let mut out = [0; 32];
    assert_eq!(PskIdentity::Kid(&kid).encode(&mut out).unwrap(), identity);
    for other in [
        "a1 08 a1 01 a2 01 02 02 48 3d027833fc6267ce",
        "a1 08 a1 01 a3 01 04 02 41 3d 20 01",
        "a1 08 a1 01 a1 02 41 3d",
        "a1 08 a1 01 a1 01 04",
        "a1 08 a2 01 a2 01 04 02 41 3d 02 00",
        "a1 09 a1 01 a2 01 04 02 41 3d",
        "a1 08 a1 01 a2 01 04 02 41 3d 00",
        "a1 18 08 a1 01 a2 01 04 02 41 3d",
        "68 7465726d6f6d74",
        "",
    ] {
        assert_eq!(PskIdentity::parse(&hex(other)), None, "{other}");
    }
    let token = hex("d0 83 43 a1010a");
    assert_eq!(PskIdentity::parse(&token), Some(PskIdentity::Token(&token)));
}

/// RFC 9202 section 3.3.1: an array of a text, the key's length and the token; HKDF of RFC 5869 done by hand.
#[test]
fn the_key_of_a_token() {
    let (secret, token) = ([7; 32], [0xd0, 0x83, 0x01]);
    let info = [&hex("83 78 1c")[..], b"ACE-CoAP-DTLS-key-derivation", &hex("10 43"), &token, &[1]].concat();
    let mut extract = RustCrypto.hmac_sha256(&[]);
    extract.update(&secret);
    let mut expand = RustCrypto.hmac_sha256(&extract.finish());
    expand.update(&info);
    let expected = expand.finish();
    assert_eq!(derive_key(&RustCrypto, &secret, &token).expose(), &expected[..16]);
    assert_ne!(derive_key(&RustCrypto, &secret, &[0xd0, 0x83, 0x02]).expose(), &expected[..16]);
}

/// RFC 9202, figures 4 and 5: {5: "smokeSensor1807"}, and the answer with a symmetric key.
#[test]
fn a_request_and_an_answer_of_the_rfc() {
    let body = [&hex("a1 05 6f")[..], b"smokeSensor1807"].concat();
    let request = TokenRequest { audience: Some("smokeSensor1807"), ..TokenRequest::default() };
    assert_eq!(TokenRequest::decode(&body), Ok(request));

    let cnf = hex("a1 01 a3 01 04 02 48 3d027833fc6267ce 20 4a 73657373696f6e6b6579");
    let body = [&hex("a5 01 44 d08343a1 18 22 02 02 1a 00015180 18 26 01 08")[..], &cnf].concat();
    let response = TokenResponse {
        expires_in: Some(86_400),
        ace_profile: Some(Profile::COAP_DTLS),
        cnf: Some(&cnf),
        ..TokenResponse::new(&[0xd0, 0x83, 0x43, 0xa1])
    };
    assert_eq!(TokenResponse::decode(&body), Ok(response));
    assert!(std::format!("{response:?}").contains("[secret]"));
    // Figure 7: {30: 1}
    let refused = hex("a1 18 1e 01");
    assert_eq!(ErrorResponse::decode(&refused).unwrap().error, ErrorCode::INVALID_REQUEST);
}

/// RFC 9202, figures 2 and 3: a raw public key, and the resource server's; the RFC gives the first ten bytes of the numbers.
#[test]
fn a_public_key_in_a_request_and_an_answer_of_the_rfc() {
    let key = |x: &str, y: &str| {
        let [x, y] = [x, y].map(|start| [hex(start), std::vec![0; 22]].concat());
        [&hex("a1 01 a4 01 02 20 01 21 58 20")[..], &x, &hex("22 58 20"), &y].concat()
    };
    let ours = key("e866c35f4c3c81bb96a1", "2e25556be097c8778a20");
    let body = [&hex("a3 18 21 02 05 6e")[..], b"tempSensor4711", &[4], &ours].concat();
    let request =
        TokenRequest { audience: Some("tempSensor4711"), req_cnf: Some(&ours), ..TokenRequest::default() };
    assert_eq!(TokenRequest::decode(&body), Ok(request));
    let theirs = key("d7cc072de2205bdc1537", "f95e1d4b851a2cc80fff");
    let body = [&hex("a3 01 46 4a5015df6864 02 19 0e10 18 29")[..], &theirs].concat();
    let response = TokenResponse {
        expires_in: Some(3600),
        rs_cnf: Some(&theirs),
        ..TokenResponse::new(&[0x4a, 0x50, 0x15, 0xdf, 0x68, 0x64])
    };
    assert_eq!(TokenResponse::decode(&body), Ok(response));
    for cnf in [ours, theirs] {
        let Ok(Confirmation::Key(key)) = Confirmation::read(&mut Decoder::new(&cnf)) else { panic!() };
        assert!(key.public_key().is_ok());
    }
    // Figure 6: the key is named, and not carried.
    let named = hex("a1 01 a2 01 04 02 48 3d027833fc6267ce");
    let kid = hex("3d027833fc6267ce");
    let expected = CoseKey { kid: Some(&kid), ..CoseKey::new(Material::Symmetric { k: None }) };
    assert_eq!(Confirmation::read(&mut Decoder::new(&named)), Ok(Confirmation::Key(expected)));
}

/// RFC 9770, figures 5 and 8; of the hashes the RFC gives both ends.
#[test]
fn the_revocation_lists_of_the_rfc() {
    let hash = |ends: &str| {
        let ends = hex(ends);
        let (start, end) = ends.split_at(4);
        TokenHash::from_bytes(&[start, &[0; 27], end].concat()).unwrap()
    };
    let list = |hashes: &[TokenHash]| {
        let items = hashes.iter().flat_map(|hash| [&[0x58, 33][..], hash.as_bytes()].concat());
        [0x80 + hashes.len() as u8].into_iter().chain(items).collect::<Vec<u8>>()
    };
    let full = ["01fa51cc 4819", "01748190 223d"].map(hash);
    let body = [&[0xa1, 0x00][..], &list(&full)].concat();
    let response = TrlResponse::decode(&body).unwrap();
    let mut seen = Vec::new();
    assert!(response.each_revoked(|hash| seen.push(hash)));
    assert_eq!((&seen[..], response.cursor, response.more), (&full[..], None, false));

    let [a, b, c, d, e, f, g, h] = [
        "01fa51cc 0f6a",
        "01748190 8bce",
        "01cdf1ca 563d",
        "01be41a6 a057",
        "0144dd12 77bc",
        "01231fff a2ce",
        "01ca986f ffc1",
        "01fe1a2b def0",
    ]
    .map(hash);
    let entry =
        |removed: &[TokenHash], added: &[TokenHash]| [&[0x82][..], &list(removed), &list(added)].concat();
    let body =
        [&hex("a1 01 83")[..], &entry(&[a, b], &[c, d]), &entry(&[e, f], &[]), &entry(&[], &[g, h])].concat();
    let response = TrlResponse::decode(&body).unwrap();
    let mut seen = Vec::new();
    assert!(response.each_change(|hash, added| seen.push((hash, added))));
    let expected =
        [(a, false), (b, false), (c, true), (d, true), (e, false), (f, false), (g, true), (h, true)];
    assert_eq!(seen, expected);
    // Ours has in addition where the next query goes on.
    let mut out = [0; 512];
    let patches = [(&[a, b][..], &[c, d][..]), (&[e, f], &[]), (&[], &[g, h])];
    let ours = encode_diff(patches.into_iter(), None, false, &mut out).unwrap();
    assert_eq!(ours[1..body.len()], body[1..]);
}

/// RFC 9200 section 5.3, figure 3.
#[test]
fn the_hints_of_the_rfc() {
    let body = [
        &hex("a4 01 78 1c")[..],
        b"coaps://as.example.com/token",
        &hex("05 76"),
        b"coaps://rs.example.com",
        &hex("09 66"),
        b"rTempC",
        &hex("18 27 45 e0a156bb3f"),
    ]
    .concat();
    let hints = CreationHints {
        authorization_server: Some("coaps://as.example.com/token"),
        kid: None,
        audience: Some("coaps://rs.example.com"),
        scope: Some(Scope::Text("rTempC")),
        cnonce: Some(&[0xe0, 0xa1, 0x56, 0xbb, 0x3f]),
    };
    assert_eq!(CreationHints::decode(&body), Ok(hints));
    assert_eq!(hints.encode(&mut [0; 128]).unwrap(), body);
}

#[test]
fn introspection_says_the_claims_only_of_good_tokens() {
    let request = IntrospectionRequest { token: &[1, 2, 3] };
    assert_eq!(IntrospectionRequest::decode(request.encode(&mut [0; 16]).unwrap()), Ok(request));
    assert_eq!(IntrospectionRequest::decode(&hex("a1 18 21 02")), Err(Error::Type));
    let mut out = [0; 64];
    assert_eq!(IntrospectionResponse::INACTIVE.encode(&mut out).unwrap(), hex("a1 0a f4"));
    let claims = hex("a2 02 63 616263 04 1a 6553f100");
    let answer = IntrospectionResponse::active(&claims).unwrap();
    let body = answer.encode(&mut out).unwrap();
    assert_eq!(body, hex("a3 02 63 616263 04 1a 6553f100 0a f5"));
    assert_eq!(IntrospectionResponse::decode_active(body), Ok(true));
    assert!(IntrospectionResponse::active(&hex("a1 02")).is_err());
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for (body, error) in [
        ("a2 05 61 61 05 61 62", Error::DuplicateKey),
        ("a1 18 05 61 61", Error::NotShortest),
        ("bf 05 61 61 ff", Error::Indefinite),
        ("a1 05 61 61 00", Error::Trailing),
        ("a1 05 62 61", Error::Truncated),
        ("a1 05 18 18", Error::Type),
        ("a1 04 41 00", Error::Type),
        ("80", Error::Type),
    ] {
        assert_eq!(TokenRequest::decode(&hex(body)), Err(TokenRequestError::Cbor(error)), "{body}");
    }
    assert_eq!(TokenRequest::decode(&hex("a1 18 21 00")), Err(TokenRequestError::GrantType));
    assert!(TokenResponse::decode(&hex("a1 02 01")).is_err(), "no token");
    assert!(TokenResponse::decode(&hex("a2 01 41 00 18 22 01")).is_err(), "a token that is bound to nothing");
}

fn scope() -> impl Strategy<Value = Option<(bool, Vec<u8>)>> {
    proptest::option::of((any::<bool>(), proptest::collection::vec(b'a'..=b'z', 0..40)))
}

fn as_scope(scope: &Option<(bool, Vec<u8>)>) -> Option<Scope<'_>> {
    scope.as_ref().map(|(binary, bytes)| match binary {
        true => Scope::Bytes(bytes),
        false => Scope::Text(std::str::from_utf8(bytes).unwrap()),
    })
}

proptest! {
    #[test]
    fn messages_read_back(
        audience in proptest::option::of("[a-z]{0,30}"),
        scope in scope(),
        nonce in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..16)),
        asks_for_profile: bool,
        seconds in proptest::option::of(any::<u64>()),
        token in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut out = [0; 512];
        let cnf = hex("a1 03 42 0102");
        let cnf = nonce.as_ref().map(|_| &cnf[..]);
        let request = TokenRequest {
            audience: audience.as_deref(),
            scope: as_scope(&scope),
            req_cnf: cnf,
            asks_for_profile,
            cnonce: nonce.as_deref(),
            client_id: audience.as_deref(),
        };
        prop_assert_eq!(TokenRequest::decode(request.encode(&mut out).unwrap()), Ok(request));
        let response = TokenResponse {
            expires_in: seconds,
            scope: as_scope(&scope),
            cnf,
            rs_cnf: cnf,
            ..TokenResponse::new(&token)
        };
        prop_assert_eq!(TokenResponse::decode(response.encode(&mut out).unwrap()), Ok(response));
        let hints = CreationHints { audience: audience.as_deref(), cnonce: nonce.as_deref(), ..CreationHints::default() };
        prop_assert_eq!(CreationHints::decode(hints.encode(&mut out).unwrap()), Ok(hints));
    }

    /// Whatever is read is written back byte for byte once its parts are in order: nothing is read in two ways.
    #[test]
    fn outside_input_does_no_harm(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = TokenRequest::decode(&body);
        let _ = TokenResponse::decode(&body);
        let _ = CreationHints::decode(&body);
        let _ = IntrospectionRequest::decode(&body);
        let _ = IntrospectionResponse::active(&body);
        let _ = ErrorResponse::decode(&body);
        let _ = PskIdentity::parse(&body);
    }

    /// The same of bodies that are nearly right.
    #[test]
    fn damaged_messages_do_no_harm(at in 0usize..40, value: u8) {
        let scope = [0x81, 0x82, 0x61, b't', 0x04];
        let request = TokenRequest {
            audience: Some("plant-a"), scope: Some(Scope::Bytes(&scope)), ..TokenRequest::default()
        };
        let mut out = [0; 64];
        let body = request.encode(&mut out).unwrap();
        if let Some(byte) = body.get_mut(at) {
            *byte = value;
        }
        if let Ok(read) = TokenRequest::decode(body) {
            let mut again = [0; 64];
            let written = read.encode(&mut again).unwrap();
            prop_assert_eq!(TokenRequest::decode(written), Ok(read));
        }
    }
}
