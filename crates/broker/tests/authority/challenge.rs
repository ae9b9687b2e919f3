//! A challenge for publishers with their token (RFC 9594 section 3.3): who got one joins without being asked first.

use sedge_cose::cbor::Label;
use sedge_crypto::{Crypto as _, Entropy, RustCrypto, Secret};
use sedge_group::keying::{ACE_GROUP, Challenge, Join, MemberCredential, Roles, possession};

use super::*;

fn centre(enabled: bool) -> Host {
    let key = tempfile::Builder::new().tempfile().unwrap();
    std::fs::write(key.path(), "00112233445566778899aabbccddeeff00112233").unwrap();
    Host::start(|config| {
        config.groups.enabled = enabled;
        config.groups.signed = true;
        config.groups.key_file = key.path().to_owned();
    })
}

/// Shows a token; gives what came with the answer.
fn show(by: &mut Device, held: &Held) -> Option<[u8; 8]> {
    let reply = by.request(Code::POST, "authz-info", |writer| {
        writer.option_uint(OptionNumber::CONTENT_FORMAT, ContentFormat::CWT.0.into()).payload(&held.token);
    });
    assert_eq!(reply.code, Code::CREATED);
    if reply.payload.is_empty() {
        assert_eq!(reply.content_format, None);
        return None;
    }
    assert_eq!(reply.content_format, Some(ContentFormat::ACE_CBOR));
    let (mut challenge, mut decoder) = (None, Decoder::new(&reply.payload));
    let read = decoder.map(|label, value| {
        assert_eq!(label, Label::Int(46));
        challenge = value.bytes()?.try_into().ok();
        Ok::<_, sedge_cose::cbor::Error>(())
    });
    read.and_then(|()| decoder.end()).unwrap();
    Some(challenge.expect("eight bytes"))
}

/// Joins as a publisher, with a signature over this challenge.
fn join(by: &mut Device, name: &str, challenge: [u8; 8]) -> Reply {
    let secret = Secret::new([5; 32]);
    let key = RustCrypto.signing_key(&secret).unwrap();
    let mut credential = [0; 160];
    let public = MemberCredential { name, key: Some(RustCrypto.public_key(&key)) };
    let credential = &*public.encode(&mut credential).unwrap();
    let credential = Some(credential);
    let roles = Roles::PUBLISHER;
    let bare = Join { group: "door", roles, members: false, credential, nonce: [9; 8], proof: None };
    let digest = possession(&RustCrypto, &bare, Challenge(challenge)).unwrap();
    let proof = RustCrypto.sign(&key, &digest, &mut Entropy::new()).unwrap();
    let body = Join { proof: Some(proof.as_bytes()), ..bare }.encode(&mut [0; 400]).unwrap().to_vec();
    by.request(Code::POST, &format!("{ACE_GROUP}/door"), |writer| {
        writer.option_uint(OptionNumber::CONTENT_FORMAT, 261).payload(&body);
    })
}

#[test]
fn a_publisher_joins_by_the_challenge_that_came_with_its_token() {
    let host = centre(true);
    let publisher = host.issue("publisher", &[("door", PUBLISH | READ)], 600);
    let other = host.issue("other", &[("#", PUBLISH)], 600);
    let mut session = host.connect(&publisher).expect("a session");
    let [own, theirs] = [&publisher, &other].map(|held| show(&mut session, held).expect("a challenge"));
    assert_ne!(own, theirs);
    // Another's is none, and the refusal brings the own one.
    let refused = join(&mut session, "publisher", theirs);
    assert_eq!((refused.code, refused.content_format), (Code::BAD_REQUEST, Some(ContentFormat(261))));
    assert!(Challenge::decode(&refused.payload).is_ok());
    assert_eq!(join(&mut session, "publisher", own).code, Code::CREATED);
}

#[test]
fn who_publishes_nothing_and_who_gives_out_no_keys_has_no_challenge() {
    let host = centre(true);
    let reader = host.issue("reader", &[("door", READ)], 600);
    let mut session = host.connect(&reader).expect("a session");
    assert_eq!(show(&mut session, &reader), None);
    let host = centre(false);
    let publisher = host.issue("publisher", &[("door", PUBLISH)], 600);
    let mut session = host.connect(&publisher).expect("a session");
    assert_eq!(show(&mut session, &publisher), None);
}
