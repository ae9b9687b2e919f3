//! Tokens that are authentic and say what does not hold, or what cannot be read in one way.

use sedge_coap::Code;
use sedge_crypto::{Crypto as _, RustCrypto, Secret};
use sedge_tests::issuer::{ClaimSet, Form, encoded, symmetric_cnf};

use super::{ELSEWHERE, Hall, ISSUER, KID, SCOPE, another};
use crate::site::unix_now;

const UNAUTHORIZED: Code = Code::UNAUTHORIZED;
const FORBIDDEN: Code = Code::FORBIDDEN;
const BAD: Code = Code::BAD_REQUEST;

fn text(text: &str) -> Vec<u8> {
    encoded(|encoder| encoder.text(text))
}

fn number(number: u64) -> Vec<u8> {
    encoded(|encoder| encoder.unsigned(number))
}

fn scope(bytes: &[u8]) -> Vec<u8> {
    encoded(|encoder| encoder.bytes(bytes))
}

/// `cnf` with a public key, which may be none.
fn public_cnf(x: &[u8], y: &[u8]) -> Vec<u8> {
    encoded(|encoder| {
        encoder.map(1).int(1).map(4).int(1).int(2).int(-1).int(1).int(-2).bytes(x).int(-3).bytes(y)
    })
}

#[test]
fn that_are_not_for_us_or_not_for_now() {
    let mut hall = Hall::new();
    let (now, base) = (unix_now(), another());
    let elsewhere = hall.issuer.keys(ELSEWHERE);
    let for_another = base.clone().with(3, text(ELSEWHERE));
    for form in Form::ALL {
        let theirs = hall.issuer.token(form, &elsewhere, &for_another.encode());
        hall.refused("for another, under its key", &theirs, FORBIDDEN, "audience");
        let ours = hall.issuer.token(form, &hall.keys(), &for_another.encode());
        hall.refused("for another, under our key", &ours, FORBIDDEN, "audience");
        let over = base.clone().with(4, number(now - 1));
        let over = hall.issuer.token(form, &hall.keys(), &over.encode());
        hall.refused("over", &over, UNAUTHORIZED, "expired");
    }
    for (what, claims, code, reason) in [
        ("over for long", base.clone().with(4, number(0)), UNAUTHORIZED, "expired"),
        ("not yet", base.clone().with(5, number(now + 100)), UNAUTHORIZED, "not_yet"),
        ("never", base.clone().with(5, number(1 << 62)), UNAUTHORIZED, "not_yet"),
        ("by somebody else", base.clone().with(1, text("coaps://other")), UNAUTHORIZED, "issuer"),
        ("by nobody", base.clone().with(1, text("")), UNAUTHORIZED, "issuer"),
        ("for nobody", base.clone().without(3), FORBIDDEN, "audience"),
        ("for a beginning of us", base.clone().with(3, text("sedg")), FORBIDDEN, "audience"),
    ] {
        let token = hall.token(&claims);
        hall.refused(what, &token, code, reason);
    }
    hall.nothing_happened();
    let named = hall.token(&base.with(1, text(ISSUER)));
    assert_eq!(hall.show(&named).code(), Code::CREATED, "by ours");
}

#[test]
fn that_cannot_be_governed_or_understood() {
    let mut hall = Hall::new();
    let base = another();
    let raw = |label: i64, bytes: &[u8]| base.clone().with(label, bytes.to_vec());
    let deep = [&[0x81; 9][..], &[0]].concat();
    for (what, claims) in [
        ("without an end", base.clone().without(4)),
        ("of nobody", base.clone().without(2)),
        ("without a name", base.clone().without(7)),
        ("an end that is text", raw(4, b"\x61x")),
        ("an end before 1970", raw(4, b"\x20")),
        ("an end that is no number", raw(4, b"\xf9\x7e\x00")),
        ("a subject that is bytes", raw(2, b"\x41x")),
        ("a subject that is not UTF-8", raw(2, b"\x61\xff")),
        ("a number in a longer form", raw(4, &[&[0x1b][..], &(unix_now() + 60).to_be_bytes()].concat())),
        ("a text in a longer form", raw(2, b"\x78\x01x")),
        ("a text without a length", raw(2, b"\x7f\x61x\xff")),
        ("a claim nested too deep", raw(99, &deep)),
        ("a claim that has the same key twice in it", raw(99, b"\xa2\x01\x01\x01\x02")),
        ("a claim that stops short", raw(99, b"\x42x")),
        ("a reserved value", raw(99, b"\x1c")),
    ] {
        let (code, reason) = match what {
            "an end before 1970" => (UNAUTHORIZED, "expired"),
            _ => (BAD, "claims"),
        };
        let token = hall.token(&claims);
        hall.refused(what, &token, code, reason);
    }
    let mut twice = base.clone();
    twice.0.push(base.0[0].clone());
    let token = hall.token(&twice);
    hall.refused("a claim twice", &token, BAD, "claims");
    let mut twice = base.clone();
    twice.0.insert(2, (4, number(1 << 40)));
    let token = hall.token(&twice);
    hall.refused("two ends", &token, BAD, "claims");
    let keys = hall.keys();
    for (what, claims) in [
        ("trailing bytes", [&base.encode()[..], &[0]].concat()),
        ("an array", b"\x80".to_vec()),
        ("nothing", Vec::new()),
        ("a map without a length", [&[0xbf][..], &base.encode()[1..], &[0xff]].concat()),
    ] {
        for form in Form::ALL {
            let token = hall.issuer.token(form, &keys, &claims);
            hall.refused(what, &token, BAD, "claims");
        }
    }
    hall.nothing_happened();
}

#[test]
fn that_are_bound_to_no_key_or_to_another() {
    let mut hall = Hall::new();
    let base = another();
    let key = RustCrypto.signing_key(&Secret::new([5; 32])).expect("in range");
    let point = RustCrypto.public_key(&key);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    let short_kid = encoded(|encoder| encoder.map(1).int(3).bytes(KID));
    let nameless = encoded(|encoder| encoder.map(1).int(1).map(1).int(1).int(4));
    for (what, cnf) in [
        ("a name alone", short_kid),
        ("a symmetric key without a name", nameless),
        ("a point that is not on the curve", public_cnf(x, x)),
        ("a point that is too short", public_cnf(x, &y[1..])),
        ("nothing", b"\xa0".to_vec()),
    ] {
        let token = hall.token(&base.clone().with(8, cnf));
        let before = hall.counted();
        let code = hall.show(&token).code();
        assert_eq!(code, BAD, "{what}");
        let grown = |reason: &str| hall.counted()[reason] - before[reason];
        assert_eq!(grown("refused.confirmation") + grown("refused.claims"), 1, "{what}");
    }
    let token = hall.token(&base.clone().without(8));
    hall.refused("no key", &token, BAD, "confirmation");
    // Whoever has seen such a token has its key.
    let shown = base.clone().with(8, symmetric_cnf(b"k", Some(&[7; 16])));
    for form in [Form::Authenticated, Form::Signed] {
        let token = hall.issuer.token(form, &hall.keys(), &shown.encode());
        hall.refused("a key in the clear", &token, BAD, "claims");
    }
    // The guest's key, in a token of somebody else's.
    for (form, key) in [(Form::Authenticated, None), (Form::Encrypted, Some(&[7; 16][..]))] {
        let theirs = base.clone().with(8, symmetric_cnf(KID, key)).encode();
        let token = hall.issuer.token(form, &hall.keys(), &theirs);
        hall.refused("the key of somebody else", &token, BAD, "conflict");
    }
    hall.nothing_happened();
    // The same of a public key.
    let with_key = |subject: &str| {
        let claims = ClaimSet::new(subject, super::AUDIENCE, unix_now() + 600, SCOPE, public_cnf(x, y));
        claims.encode()
    };
    let first = hall.issuer.token(Form::Signed, &hall.keys(), &with_key("first"));
    assert_eq!(hall.show(&first).code(), Code::CREATED);
    let second = hall.issuer.token(Form::Signed, &hall.keys(), &with_key("second"));
    hall.refused("the public key of somebody else", &second, BAD, "conflict");
}

#[test]
fn that_permit_what_nobody_understands() {
    let mut hall = Hall::new();
    let base = another();
    for (what, claims) in [
        ("nothing at all", base.clone().without(9)),
        ("a text", base.clone().with(9, text("read"))),
        ("a bit without a meaning", base.clone().with(9, scope(b"\x81\x82\x61a\x18\x20"))),
        ("a negative number", base.clone().with(9, scope(b"\x81\x82\x61a\x20"))),
        ("no pattern", base.clone().with(9, scope(b"\x81\x82\x63#/a\x08"))),
        ("an empty name", base.clone().with(9, scope(b"\x81\x82\x60\x08"))),
        ("a longer form", base.clone().with(9, scope(b"\x81\x82\x61a\x18\x08"))),
        ("something behind it", base.clone().with(9, scope(b"\x81\x82\x61a\x08\x00"))),
        ("a promise of 2^64 entries", base.clone().with(9, scope(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"))),
    ] {
        let token = hall.token(&claims);
        hall.refused(what, &token, BAD, "scope");
    }
    hall.nothing_happened();
}
