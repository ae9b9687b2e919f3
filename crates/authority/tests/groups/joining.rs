//! Who may join as what.

use sedge_authority::groups::GroupSettings;
use sedge_coap::{Code, ContentFormat};
use sedge_crypto::{Crypto as _, Secret};
use sedge_group::keying::{Challenge, GroupPolicy, Join, Keys, MemberCredential, Roles, possession};

use crate::{CRYPTO, Centre, Counter, PUBLISHER, SUBSCRIBER, TOPIC, told};

#[test]
fn rights_decide_who_joins_as_what() {
    let all = PUBLISHER | SUBSCRIBER;
    let table = [
        ("boiler", PUBLISHER, Code::CREATED),
        ("boiler", SUBSCRIBER, Code::FORBIDDEN),
        ("boiler", all, Code::FORBIDDEN),
        ("valve", all, Code::CREATED),
        ("display", SUBSCRIBER, Code::CREATED),
        ("display", PUBLISHER, Code::FORBIDDEN),
        ("stranger", SUBSCRIBER, Code::FORBIDDEN),
    ];
    let mut centre = Centre::new(GroupSettings::default());
    for (name, roles, code) in table {
        assert_eq!(centre.join(name, roles).code, code, "{name} as {roles:?}");
    }
    // Who only reads makes no group.
    assert_eq!(Centre::new(GroupSettings::default()).join("display", SUBSCRIBER).code, Code::NOT_FOUND);
}

#[test]
fn a_join_answers_with_key_sender_id_publishers_and_a_place() {
    let mut centre = Centre::new(GroupSettings::default());
    let first = centre.join("boiler", PUBLISHER);
    assert_eq!(first.content_format, Some(ContentFormat(261)));
    assert_eq!(first.location, ["ace-group", TOPIC, "nodes", "boiler"]);
    assert_eq!((told(&first).0, told(&first).2), (0, Some(vec![0])));
    let second = centre.join("valve", Roles::PUBLISHER | Roles::SUBSCRIBER);
    let keys = Keys::decode(&second.payload).unwrap();
    let names: Vec<_> =
        keys.members.iter().map(|(id, member)| (id.as_bytes().to_vec(), member.name)).collect();
    assert_eq!(names, [(vec![0], "boiler"), (vec![1], "valve")]);
    assert_eq!(keys.expires_in, 7 * 24 * 3600);
    assert_eq!(keys.policy.check_interval, Some(60));
    let reader = Keys::decode(&centre.join("display", SUBSCRIBER).payload).map(|keys| keys.sender).unwrap();
    assert_eq!(reader, None);
}

#[test]
fn what_is_malformed_is_refused() {
    let mut centre = Centre::new(GroupSettings::default());
    let join = Join {
        group: "other",
        roles: PUBLISHER,
        members: false,
        credential: None,
        nonce: [1; 8],
        proof: None,
    };
    let mut buffer = [0; 64];
    let other = join.encode(&mut buffer).unwrap().to_vec();
    for payload in [&b""[..], b"\xa0", b"\xa1\x03\x40", &other, b"plain"] {
        assert_eq!(centre.ask("boiler", Code::POST, &[TOPIC], payload).code, Code::BAD_REQUEST);
    }
}

fn signed() -> GroupSettings {
    let policy = GroupPolicy { signed: true, ..GroupPolicy::default() };
    GroupSettings { policy, ..GroupSettings::default() }
}

/// Joins with a credential under `name`, signing as `secret` what `challenge` asks.
fn join_signed(
    centre: &mut Centre,
    who: &str,
    name: &str,
    keys: (u8, u8),
    challenge: impl FnOnce(Challenge) -> Challenge,
) -> sedge_authority::Answer {
    let first = centre.join(who, PUBLISHER);
    assert_eq!(first.code, Code::BAD_REQUEST);
    let asked = challenge(Challenge::decode(&first.payload).unwrap());
    let [shown, signing] =
        [keys.0, keys.1].map(|secret| CRYPTO.signing_key(&Secret::new([secret; 32])).unwrap());
    let mut credential = [0; 160];
    let credential =
        &*MemberCredential { name, key: Some(CRYPTO.public_key(&shown)) }.encode(&mut credential).unwrap();
    let bare = Join {
        group: TOPIC,
        roles: PUBLISHER,
        members: false,
        credential: Some(credential),
        nonce: [9; 8],
        proof: None,
    };
    let digest = possession(&CRYPTO, &bare, asked).unwrap();
    let proof = CRYPTO.sign(&signing, &digest, &mut Counter(3)).unwrap();
    let join = Join { proof: Some(proof.as_bytes()), ..bare };
    let mut buffer = [0; 400];
    let payload = join.encode(&mut buffer).unwrap();
    centre.ask(who, Code::POST, &[TOPIC], payload)
}

#[test]
fn a_publisher_shows_that_its_key_is_its_own() {
    let mut centre = Centre::new(signed());
    let joined = join_signed(&mut centre, "boiler", "boiler", (5, 5), |asked| asked);
    assert_eq!(joined.code, Code::CREATED);
    assert!(Keys::decode(&joined.payload).unwrap().policy.signed);
    // Another key than the one that it shows; another name than its own; another challenge.
    let refused = [
        join_signed(&mut centre, "valve", "valve", (6, 7), |asked| asked),
        join_signed(&mut centre, "valve", "boiler", (6, 6), |asked| asked),
        join_signed(&mut centre, "valve", "valve", (6, 6), |_| Challenge([0; 8])),
    ];
    for answer in refused {
        assert_eq!(answer.code, Code::BAD_REQUEST);
    }
    // With a credential that is known already an empty one will do.
    let again = Join {
        group: TOPIC,
        roles: PUBLISHER,
        members: false,
        credential: Some(&[]),
        nonce: [2; 8],
        proof: None,
    };
    let mut buffer = [0; 100];
    let payload = again.encode(&mut buffer).unwrap();
    assert_eq!(centre.ask("boiler", Code::POST, &[TOPIC], payload).code, Code::CREATED);
    assert_eq!(centre.ask("valve", Code::POST, &[TOPIC], payload).code, Code::BAD_REQUEST);
    // A challenge is for one member, and for a few minutes.
    let old = join_signed(&mut centre, "valve", "valve", (6, 6), |asked| asked);
    assert_eq!(old.code, Code::CREATED);
}

#[test]
fn a_challenge_expires() {
    let mut centre = Centre::new(signed());
    let first = centre.join("boiler", PUBLISHER);
    let asked = Challenge::decode(&first.payload).unwrap();
    centre.now += 600;
    assert_eq!(join_signed(&mut centre, "boiler", "boiler", (5, 5), |_| asked).code, Code::BAD_REQUEST);
    assert_eq!(join_signed(&mut centre, "boiler", "boiler", (5, 5), |new| new).code, Code::CREATED);
}
