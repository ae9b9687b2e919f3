//! Claims of tokens.

use proptest::prelude::*;
use sedge_cose::{
    Audience, Claims, Confirmation, CoseKey, Error, Expected, Invalid, Material, NumericDate, OscoreInput,
    Scope, cbor,
};

use crate::support::{encoded, hex};

fn every_claim() -> Claims<'static> {
    Claims {
        issuer: Some("as"),
        subject: Some("pump-7"),
        audience: Some(Audience::one("broker")),
        expires: Some(NumericDate::new(2000)),
        not_before: Some(NumericDate::new(1000)),
        issued_at: Some(NumericDate::new(900)),
        id: Some(&[1, 2]),
        confirmation: Some(Confirmation::KeyId(b"k")),
        scope: Some(Scope::Bytes(&[0x80])),
        ace_profile: Some(1),
        client_nonce: Some(&[3]),
        expires_in: Some(60),
    }
}

#[test]
fn every_claim_comes_back() {
    let claims = every_claim();
    let mut buffer = [0; 200];
    let encoded = claims.encode(&mut buffer).unwrap();
    assert_eq!(Claims::parse(encoded), Ok(claims));
    let printed = cbor::Diagnostic::new(encoded).to_string();
    assert_eq!(
        printed,
        r#"{1: "as", 2: "pump-7", 3: "broker", 4: 2000, 5: 1000, 6: 900, 7: h'0102', 8: {3: h'6b'}, 9: h'80', "#
            .to_owned()
            + "38: 1, 39: h'03', 40: 60}"
    );
    let needed = encoded.len();
    assert_eq!(claims.encode(&mut [0; 20]), Err(cbor::NoRoom { needed }));
}

#[test]
fn a_token_is_for_us_and_now() {
    let claims = every_claim();
    let expected = Expected { audience: "broker", issuer: Some("as"), now: 1500, leeway: 0 };
    let check = |claims: Claims<'_>, expected: Expected<'_>| claims.check(&expected);
    assert_eq!(check(claims, expected), Ok(()));
    assert_eq!(check(claims, Expected { issuer: None, ..expected }), Ok(()));
    assert_eq!(check(claims, Expected { issuer: Some("other"), ..expected }), Err(Invalid::Issuer));
    assert_eq!(check(Claims { issuer: None, ..claims }, expected), Err(Invalid::Issuer));
    assert_eq!(check(claims, Expected { audience: "other", ..expected }), Err(Invalid::Audience));
    assert_eq!(check(Claims { audience: None, ..claims }, expected), Err(Invalid::Audience));
    for (now, leeway, outcome) in [
        (999, 0, Err(Invalid::NotYet)),
        (1000, 0, Ok(())),
        (1999, 0, Ok(())),
        (2000, 0, Err(Invalid::Expired)),
        (2009, 10, Ok(())),
        (2010, 10, Err(Invalid::Expired)),
        (990, 10, Ok(())),
        (989, 10, Err(Invalid::NotYet)),
        (i64::MAX, u32::MAX, Err(Invalid::Expired)),
        (i64::MIN, u32::MAX, Err(Invalid::NotYet)),
    ] {
        assert_eq!(check(claims, Expected { now, leeway, ..expected }), outcome, "{now} {leeway}");
    }
    let forever = Claims { expires: None, not_before: None, ..claims };
    assert_eq!(check(forever, Expected { now: i64::MAX, ..expected }), Ok(()));
}

#[test]
fn an_audience_may_be_several() {
    let bytes = hex("a1 03 82 61 61 61 62");
    let claims = Claims::parse(&bytes).unwrap();
    let audience = claims.audience.unwrap();
    assert!(
        audience.contains("a")
            && audience.contains("b")
            && !audience.contains("ab")
            && !audience.contains("")
    );
    assert_eq!(format!("{audience:?}"), r#"["a", "b"]"#);
    assert_eq!(claims.encode(&mut [0; 20]).unwrap(), bytes);
    for text in ["a1 03 81 01", "a1 03 82 61 61 41 61", "a1 03 01", "a1 03 41 61"] {
        assert_eq!(Claims::parse(&hex(text)).err(), Some(Error::Claim), "{text}");
    }
}

#[test]
fn a_date_may_have_a_fraction() {
    let read = |text: &str| Claims::parse(&hex(text)).map(|claims| claims.expires.unwrap().seconds());
    assert_eq!(read("a1 04 fb 41d584367c200000"), Ok(1_443_944_944));
    assert_eq!(read("a1 04 f9 c100"), Ok(-3), "-2.5 rounds down");
    assert_eq!(read("a1 04 39 03e7"), Ok(-1000));
    for text in
        ["f97e00", "f97c00", "fb 7fefffffffffffff", "1b ffffffffffffffff", "61 31", "c1 1a 514b67b0", "f6"]
    {
        let text = format!("a1 04 {text}");
        assert_eq!(read(&text), Err(Error::Claim), "{text}");
    }
    // Until then it is not valid: half a second past 1443944944.
    let half = hex("a2 03 61 61 05 fb 41d584367c200000");
    let claims = Claims::parse(&half).unwrap();
    let expected = Expected { audience: "a", issuer: None, now: 1_443_944_944, leeway: 0 };
    assert_eq!(claims.check(&expected), Err(Invalid::NotYet));
    assert_eq!(claims.check(&Expected { now: 1_443_944_945, ..expected }), Ok(()));
}

#[test]
fn a_claim_has_its_type_and_comes_once() {
    for text in [
        "a1 01 00",
        "a1 02 41 61",
        "a1 04 41 01",
        "a1 07 61 61",
        "a1 08 41 61",
        "a1 08 a0",
        "a1 09 00",
        "a1 18 26 40",
        "a1 18 27 00",
        "a1 18 28 20",
        "a1 18 28 f5",
    ] {
        assert_eq!(Claims::parse(&hex(text)).err(), Some(Error::Claim), "{text}");
    }
    for (text, error) in [
        ("a2 04 00 04 01", cbor::Error::DuplicateKey),
        ("a1 04 18 05", cbor::Error::NotShortest),
        ("bf 04 00 ff", cbor::Error::Indefinite),
        ("a1 04 00 00", cbor::Error::Trailing),
        ("a1 41 04 00", cbor::Error::Type),
        ("80", cbor::Error::Type),
        ("a1 04", cbor::Error::Truncated),
        ("", cbor::Error::Truncated),
    ] {
        assert_eq!(Claims::parse(&hex(text)).err(), Some(Error::Cbor(error)), "{text}");
    }
    // What is not known is ignored, but has to be well formed.
    assert_eq!(Claims::parse(&hex("a2 19 ffff 01 61 61 81 00")), Ok(Claims::default()));
    assert_eq!(
        Claims::parse(&hex("a1 19 ffff a2 00 00 00 00")).err(),
        Some(Error::Cbor(cbor::Error::DuplicateKey))
    );
}

#[test]
fn possession_is_of_one_key() {
    let read = |text: &str| {
        let bytes = hex(&format!("a1 08 {text}"));
        Claims::parse(&bytes).map(|claims| {
            assert_eq!(claims.encode(&mut [0; 200]).unwrap(), bytes, "{text}");
            format!("{:?}", claims.confirmation.unwrap())
        })
    };
    // RFC 8747 section 3.2 to 3.4.
    let key = "a1 01 a4 01 02 20 01
        21 58 20 d7cc072de2205bdc1537a543d53c60a6acb62eccd890c7fa27c9e354089bbe13
        22 58 20 f95e1d4b851a2cc80fff87d8e23f22afb725d535e515d020731e79a3b4e47120";
    assert!(read(key).unwrap().starts_with("Key("));
    assert!(
        read("a1 02 d0 83 43 a1010a a1 05 4d 636898994ff0ec7bfcf6d3f95b 44 0573318a")
            .unwrap()
            .starts_with("EncryptedKey(")
    );
    assert_eq!(read("a1 03 42 6b31").unwrap(), "KeyId([107, 49])");
    // RFC 9203 section 3.2.1.
    assert!(
        read("a1 04 a7 00 41 01 01 01 02 50 f9af838368e353e78888e1426bd94e6f 03 29 04 0a 05 41 09 06 41 37")
            .unwrap()
            .starts_with("Oscore(")
    );
    for text in
        ["a2 01 a1 01 04 03 41 01", "a2 03 41 01 04 a0", "a1 18 63 00", "a1 03 01", "a1 01 a0", "a1 04 00"]
    {
        let outcome = read(text);
        assert!(matches!(outcome, Err(Error::Claim | Error::Key)), "{text}: {outcome:?}");
    }
    // A member that is not known is ignored.
    let bytes = hex("a1 08 a2 03 41 01 18 63 00");
    assert_eq!(Claims::parse(&bytes).unwrap().confirmation, Some(Confirmation::KeyId(&[1])));
    let input = OscoreInput { master_secret: Some(&[0xab; 16]), ..OscoreInput::default() };
    assert!(!format!("{input:?}").contains("171"));
}

#[test]
fn any_version_of_oscore_comes_back() {
    for version in [0, 1, i64::MAX as u64 + 1, u64::MAX] {
        let input = OscoreInput { version: Some(version), ..OscoreInput::default() };
        let bytes = encoded(|encoder| Confirmation::Oscore(input).encode(encoder));
        let read = Confirmation::read(&mut cbor::Decoder::new(&bytes));
        assert_eq!(read, Ok(Confirmation::Oscore(input)), "{version}");
    }
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[a-z]{0,30}")
}

proptest! {
    #[test]
    fn any_claims_come_back(
        names in (text(), text(), text()),
        dates in (any::<Option<i64>>(), any::<Option<i64>>(), any::<Option<i64>>()),
        strings in (any::<Option<Vec<u8>>>(), any::<Option<Vec<u8>>>(), any::<Option<Vec<u8>>>()),
        ace_profile: Option<i64>,
        expires_in: Option<u64>,
        key: Option<[u8; 16]>,
    ) {
        let material = Material::Symmetric { k: key.as_ref().map(|key| &key[..]) };
        let claims = Claims {
            issuer: names.0.as_deref(),
            subject: names.1.as_deref(),
            audience: names.2.as_deref().map(Audience::one),
            expires: dates.0.map(NumericDate::new),
            not_before: dates.1.map(NumericDate::new),
            issued_at: dates.2.map(NumericDate::new),
            id: strings.0.as_deref(),
            confirmation: key.map(|_| Confirmation::Key(CoseKey { kid: strings.1.as_deref(), ..CoseKey::new(material) })),
            scope: strings.2.as_deref().map(Scope::Bytes),
            ace_profile,
            client_nonce: strings.1.as_deref(),
            expires_in,
        };
        let mut buffer = [0; 2000];
        let encoded = claims.encode(&mut buffer).unwrap();
        prop_assert_eq!(Claims::parse(encoded), Ok(claims));
        for len in 0..encoded.len() {
            prop_assert!(Claims::parse(&encoded[..len]).is_err());
        }
    }

    #[test]
    fn whatever_is_read_is_written_the_same(bytes in prop::collection::vec(any::<u8>(), 0..60), start: bool) {
        let bytes = if start { [&hex("a3 01 61 61 04")[..], &bytes].concat() } else { bytes };
        if let Ok(claims) = Claims::parse(&bytes) {
            let mut buffer = [0; 200];
            let encoded = claims.encode(&mut buffer).unwrap();
            let again = Claims::parse(encoded).unwrap();
            prop_assert_eq!(again.issuer, claims.issuer);
            prop_assert_eq!(again.confirmation, claims.confirmation);
        }
    }
}
