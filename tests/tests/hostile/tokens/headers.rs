//! Tokens whose headers or keys are not what they should be: nobody learns more than that they are no good.

use sedge_ace::TokenKeys;
use sedge_coap::Code;
use sedge_cose::cbor::Label;
use sedge_cose::{Algorithm, Envelope, Header, Mac0, SymmetricKey};
use sedge_crypto::{RustCrypto, Secret};
use sedge_tests::issuer::{Form, Issuer, encoded, symmetric_cnf};

use super::{ELSEWHERE, Hall, another};

const UNAUTHORIZED: Code = Code::UNAUTHORIZED;

/// The protected header of a good token, with more in it.
fn header(keys: &TokenKeys, count: usize, more: &[u8]) -> Vec<u8> {
    encoded(|encoder| encoder.map(2 + count).int(1).int(5).int(4).bytes(&keys.id).raw(more))
}

#[test]
fn under_a_key_that_is_none() {
    let mut hall = Hall::new();
    let (keys, elsewhere, claims) = (hall.keys(), hall.issuer.keys(ELSEWHERE), another().encode());
    for form in Form::ALL {
        let unknown = TokenKeys { id: [9; 8], ..keys.clone() };
        let token = hall.issuer.token(form, &unknown, &claims);
        hall.refused("under a name that nobody knows", &token, UNAUTHORIZED, "unknown_key");
        if form != Form::Signed {
            let renamed = TokenKeys { id: keys.id, ..elsewhere.clone() };
            let token = hall.issuer.token(form, &renamed, &claims);
            hall.refused("under another's key by our name", &token, UNAUTHORIZED, "forged");
        }
        let token = Issuer::new(&[super::AUDIENCE]);
        let stolen = TokenKeys { id: keys.id, ..token.keys(super::AUDIENCE) };
        let token = token.token(form, &stolen, &claims);
        hall.refused("by another authorisation server", &token, UNAUTHORIZED, "forged");
    }
    // A public key is known to everybody, so it must not do as a secret.
    let public = SymmetricKey::new(Algorithm::HMAC_256, &keys.verification.as_bytes()[1..33]);
    let protected = Header { kid: Some(&keys.id), ..Header::default() };
    let envelope = Envelope { tagged: true, protected, ..Envelope::default() };
    let mut out = [0; 512];
    let made =
        Mac0::create(&RustCrypto, &public.expect("a key"), &envelope, &claims, &mut out).expect("made");
    let token = [&[0xd8, 61], &*made].concat();
    hall.refused("under the public key", &token, UNAUTHORIZED, "forged");
    // Each key for what it is for.
    let mac = Secret::new(*keys.mac.expose().first_chunk::<16>().expect("32 bytes"));
    let crossed = TokenKeys { encryption: mac, ..keys };
    let token = hall.issuer.token(Form::Encrypted, &crossed, &claims);
    hall.refused("encrypted under the key of codes", &token, UNAUTHORIZED, "forged");
    hall.nothing_happened();
}

#[test]
fn with_headers_that_can_be_read_in_two_ways_or_not_at_all() {
    let mut hall = Hall::new();
    let (keys, claims) = (hall.keys(), another().encode());
    let good = Issuer::by_hand(&keys, &header(&keys, 0, b""), b"\xa0", &claims);
    assert_eq!(good, hall.token(&another()), "by hand as by the library");
    let plain = header(&keys, 0, b"");
    let kid = encoded(|encoder| encoder.int(4).bytes(&keys.id));
    let twice = [&kid[..], &kid].concat();
    let text_kid = encoded(|encoder| encoder.map(2).int(1).int(5).int(4).text("12345678"));
    let long_label = [b"\xa2\x18\x01\x05", &kid[..]].concat();
    let many = encoded(|encoder| {
        (10..200).for_each(|label| {
            encoder.int(label).int(0);
        });
        encoder
    });
    let cases: &[(&str, Vec<u8>, Vec<u8>)] = &[
        ("a key twice", header(&keys, 1, &kid), b"\xa0".to_vec()),
        ("a key in both buckets", plain.clone(), [b"\xa1", &kid[..]].concat()),
        ("a key twice in the other bucket", b"\xa1\x01\x05".to_vec(), [b"\xa2", &twice[..]].concat()),
        ("a label in a longer form", long_label, b"\xa0".to_vec()),
        ("a name that is text", text_kid, b"\xa0".to_vec()),
        ("no name", b"\xa1\x01\x05".to_vec(), b"\xa0".to_vec()),
        ("something that anybody can add", plain.clone(), b"\xa1\x18\x63\x00".to_vec()),
        ("a map in a longer form", plain.clone(), b"\xb8\x00".to_vec()),
        ("a map without a length", plain.clone(), b"\xbf\xff".to_vec()),
        ("no map", plain.clone(), b"\x80".to_vec()),
        ("bytes behind the header", [&plain[..], &[0]].concat(), b"\xa0".to_vec()),
        (
            "something critical that nobody knows",
            header(&keys, 2, b"\x02\x81\x18\x63\x18\x63\x00"),
            b"\xa0".to_vec(),
        ),
        ("something critical that is not there", header(&keys, 1, b"\x02\x81\x03"), b"\xa0".to_vec()),
        ("nothing critical", header(&keys, 1, b"\x02\x80"), b"\xa0".to_vec()),
        ("something critical that is no list", header(&keys, 1, b"\x02\x04"), b"\xa0".to_vec()),
        ("something critical that anybody can add", plain.clone(), b"\xa1\x02\x81\x04".to_vec()),
        ("both nonces", header(&keys, 2, b"\x05\x41\x01\x06\x41\x01"), b"\xa0".to_vec()),
        (
            "a parameter nested too deep",
            header(&keys, 1, &[&[0x18, 0x63][..], &[0x81; 9], &[0]].concat()),
            b"\xa0".to_vec(),
        ),
        ("many parameters, and one cut off", header(&keys, 191, &many), b"\xa0".to_vec()),
    ];
    for (what, protected, unprotected) in cases {
        let token = Issuer::by_hand(&keys, protected, unprotected, &claims);
        hall.refused(what, &token, UNAUTHORIZED, "malformed");
    }
    for (what, protected) in [
        ("no algorithm", [b"\xa1", &kid[..]].concat()),
        ("the algorithm of signatures", [b"\xa2\x01\x26", &kid[..]].concat()),
        ("the algorithm with a short code", [b"\xa2\x01\x04", &kid[..]].concat()),
        ("an algorithm of somebody's own", [b"\xa2\x01\x39\xff\xff", &kid[..]].concat()),
    ] {
        let token = Issuer::by_hand(&keys, &protected, b"\xa0", &claims);
        hall.refused(what, &token, UNAUTHORIZED, "forged");
    }
    hall.nothing_happened();
    // What is understood may be critical.
    let critical = Issuer::by_hand(&keys, &header(&keys, 1, b"\x02\x82\x01\x04"), b"\xa0", &claims);
    assert_eq!(hall.show(&critical).code(), Code::CREATED);
}

#[test]
fn with_tags_that_are_not_theirs() {
    let mut hall = Hall::new();
    let (keys, claims) = (hall.keys(), another().encode());
    let token = hall.token(&another());
    let message = &token[2..];
    let tagged = |tag: &[u8], message: &[u8]| [tag, message].concat();
    for (what, token) in [
        ("the tag of a token twice", tagged(&[0xd8, 61], &token)),
        ("a tag in a longer form", tagged(&[0xd9, 0, 61], message)),
        ("another tag before it", tagged(&[0xc1], message)),
        ("no tag of a message", tagged(&[0xd8, 61], &message[1..])),
        ("no tag at all", message[1..].to_vec()),
        ("the tag of what is encrypted", tagged(&[0xd8, 61, 0xd0], &message[1..])),
        ("the tag of many recipients", tagged(&[0xd8, 61, 0xd8, 97], &message[1..])),
        ("an array in a longer form", tagged(&[0xd8, 61, 0xd1, 0x98, 4], &message[2..])),
        ("an array without a length", [&[0xd8, 61, 0xd1, 0x9f][..], &message[2..], &[0xff]].concat()),
    ] {
        hall.refused(what, &token, UNAUTHORIZED, "malformed");
    }
    hall.refused(
        "the tag of what is signed",
        &tagged(&[0xd8, 61, 0xd2], &message[1..]),
        UNAUTHORIZED,
        "forged",
    );
    // A message whose claims are elsewhere.
    let detached = Envelope {
        tagged: true,
        detached: true,
        protected: Header { kid: Some(&keys.id), others: &[(Label::Int(99), &[0])], ..Header::default() },
        ..Envelope::default()
    };
    let mut out = [0; 512];
    let key = keys.mac_key().expect("a key");
    let made = Mac0::create(&RustCrypto, &key, &detached, &claims, &mut out).expect("made").to_vec();
    hall.refused("without its claims", &tagged(&[0xd8, 61], &made), UNAUTHORIZED, "forged");
    hall.nothing_happened();
}

/// What some authorisation servers leave unprotected, and what a token cannot be opened without.
#[test]
fn with_parameters_that_anybody_can_change() {
    let mut hall = Hall::new();
    let keys = hall.keys();
    let claims = |number: u8| another().with(8, symmetric_cnf(&[number], None)).encode();
    let (kid, iv) = (Some(&keys.id[..]), Some(&[3; 13][..]));
    let named = Header { kid, ..Header::default() };
    let whole = Header { kid, iv, ..Header::default() };
    let (nothing, nonce) = (Header::default(), Header { iv, ..Header::default() });
    let ordered = [(Label::Int(4), &[&[0x48], &keys.id[..]].concat()[..])];
    let turned = Header { others: &ordered, ..nonce };
    for (what, form, protected, unprotected, reason) in [
        ("all open", Form::Encrypted, nothing, whole, None),
        ("the nonce open", Form::Encrypted, named, nonce, None),
        ("in another order", Form::Encrypted, nothing, turned, Some("malformed")),
        ("the name open", Form::Authenticated, nothing, named, None),
        ("a nonce that is none", Form::Authenticated, nothing, whole, Some("malformed")),
        ("the name open", Form::Signed, nothing, named, Some("malformed")),
    ] {
        let number = 1 + hall.counted()["held"] as u8;
        let token = hall.issuer.with_header(form, &keys, protected, unprotected, &claims(number));
        match reason {
            Some(reason) => hall.refused(what, &token, UNAUTHORIZED, reason),
            None => assert_eq!(hall.show(&token).code(), Code::CREATED, "{what}"),
        }
    }
    // Under the name of the key for another, which is the same key to verify by.
    let elsewhere = hall.issuer.keys(ELSEWHERE).id;
    let renamed = Header { kid: Some(&elsewhere), ..Header::default() };
    let token = hall.issuer.with_header(Form::Signed, &keys, nothing, renamed, &claims(99));
    hall.refused("under another name", &token, UNAUTHORIZED, "malformed");
}
