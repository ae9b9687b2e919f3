//! Who comes and goes, and what keys that makes.

use sedge_authority::groups::GroupSettings;
use sedge_coap::Code;
use sedge_cose::cbor::{Decoder, Diagnostic, Encoder};
use sedge_group::keying::{Keys, Members};

use crate::{Centre, PUBLISHER, SUBSCRIBER, TOPIC, told};

fn centre() -> Centre {
    Centre::new(GroupSettings::default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn who_comes_and_who_goes_makes_a_new_key() {
    let mut centre = centre();
    let (zero, first_gid, _) = centre.joined("boiler", PUBLISHER);
    let (one, second_gid, _) = centre.joined("display", SUBSCRIBER);
    assert_eq!((zero, one), (0, 1));
    assert_ne!(first_gid, second_gid);
    assert_eq!(centre.joined("display", SUBSCRIBER).0, 1, "it is a member already");
    assert_eq!(centre.ask("display", Code::DELETE, &[TOPIC, "nodes", "display"], b"").code, Code::DELETED);
    assert_eq!(centre.number("boiler"), Ok(2));
    assert_eq!(centre.number("display"), Err(Code::FORBIDDEN));
    // Rights that were taken back do the same, at the next request or when the operator has it looked at.
    centre.joined("phone", SUBSCRIBER);
    centre.joined("display", SUBSCRIBER);
    assert_eq!(centre.number("boiler"), Ok(4));
    let _right = centre.directory.0.remove("phone");
    assert_eq!(centre.number("phone"), Err(Code::FORBIDDEN));
    assert_eq!(centre.number("boiler"), Ok(5));
    let _right = centre.directory.0.remove("display");
    centre.with(|groups, cx| groups.review(cx));
    assert_eq!(centre.number("boiler"), Ok(6));
    centre.with(|groups, cx| groups.review(cx));
    assert_eq!(centre.number("boiler"), Ok(6));
}

#[test]
fn earlier_keys_are_for_those_who_were_members() {
    let mut centre = centre();
    let (_, first, _) = centre.joined("boiler", PUBLISHER);
    let (_, second, _) = centre.joined("display", SUBSCRIBER);
    let (_, third, _) = centre.joined("phone", SUBSCRIBER);
    let query = |gid: &[u8]| format!("?gid={}", hex(gid));
    for (name, gid, code) in [
        ("boiler", &first, Code::CONTENT),
        ("display", &first, Code::NOT_FOUND),
        ("display", &second, Code::CONTENT),
        ("phone", &second, Code::NOT_FOUND),
        ("phone", &third, Code::CONTENT),
        ("stranger", &third, Code::FORBIDDEN),
    ] {
        let answer = centre.ask(name, Code::GET, &[TOPIC, &query(gid)], b"");
        assert_eq!(answer.code, code, "{name}");
        if code == Code::CONTENT {
            assert_eq!(told(&answer).1, *gid);
        }
    }
    for query in ["?gid=", "?gid=1", "?gid=zz", "?other=1", "?gid=112233445566778899"] {
        let code = centre.ask("boiler", Code::GET, &[TOPIC, query], b"").code;
        assert!(matches!(code, Code::BAD_REQUEST | Code::NOT_FOUND), "{query}");
    }
    // Who leaves and comes back has missed what was in between.
    let _left = centre.ask("phone", Code::DELETE, &[TOPIC, "nodes", "phone"], b"");
    let (_, last, _) = centre.joined("phone", SUBSCRIBER);
    assert_eq!(centre.ask("phone", Code::GET, &[TOPIC, &query(&third)], b"").code, Code::NOT_FOUND);
    assert_eq!(centre.ask("phone", Code::GET, &[TOPIC, &query(&last)], b"").code, Code::CONTENT);
}

/// No Sender ID is given out twice under one key, however often somebody joins or renews; a new key frees them.
#[test]
fn sender_ids_are_fresh_under_each_key() {
    let mut centre = centre();
    let mut seen = std::collections::BTreeSet::new();
    assert!(seen.insert({
        let (_, gid, sender) = centre.joined("valve", PUBLISHER);
        (gid, sender.unwrap())
    }));
    centre.joined("display", SUBSCRIBER);
    for round in 0..600 {
        let name = ["boiler", "valve"][round % 2];
        let (number, gid, sender) = if round % 3 == 2 {
            let renewed = centre.ask(name, Code::POST, &[TOPIC, "nodes", name], b"");
            assert_eq!(renewed.code, Code::CONTENT);
            let shown = Diagnostic::new(&renewed.payload).to_string();
            assert!(shown.starts_with("{21: h'"), "{shown}");
            told(&centre.ask(name, Code::GET, &[TOPIC, "nodes", name], b""))
        } else {
            centre.joined(name, PUBLISHER)
        };
        let sender = sender.unwrap();
        assert!(seen.insert((gid, sender.clone())), "round {round}: {sender:?} under key {number}");
        assert!(
            sender.len() == 1 || round % 3 == 2,
            "joining makes a new key when those of one byte are used up"
        );
    }
    assert!(centre.number("display").unwrap() >= 3);
}

#[test]
fn members_are_told_and_others_are_not() {
    let mut centre = centre();
    centre.joined("boiler", PUBLISHER);
    centre.joined("valve", PUBLISHER);
    centre.joined("display", SUBSCRIBER);
    let creds = centre.ask("display", Code::GET, &[TOPIC, "creds"], b"");
    let (number, members) = Members::decode(&creds.payload).unwrap();
    assert_eq!((number, members.len()), (2, 2));
    let fetch = |inclusive: bool, roles: &[u64], ids: &[u8]| {
        let mut buffer = [0; 64];
        let mut encoder = Encoder::new(&mut buffer);
        encoder.map(1).int(4).array(3).bool(inclusive).array(roles.len());
        for role in roles {
            encoder.unsigned(*role);
        }
        encoder.array(ids.len());
        for id in ids {
            encoder.bytes(&[*id]);
        }
        encoder.finish().unwrap().to_vec()
    };
    for (inclusive, roles, ids, count) in [
        (true, &[][..], &[1][..], 1),
        (false, &[], &[1], 1),
        (true, &[4], &[], 2),
        (true, &[8], &[], 0),
        (false, &[4], &[0, 1], 0),
        (true, &[], &[77], 0),
    ] {
        let answer = centre.ask("display", Code::FETCH, &[TOPIC, "creds"], &fetch(inclusive, roles, ids));
        assert_eq!(Members::decode(&answer.payload).unwrap().1.len(), count);
    }
    let nothing = fetch(true, &[], &[]);
    assert_eq!(centre.ask("display", Code::FETCH, &[TOPIC, "creds"], &nothing).code, Code::BAD_REQUEST);
    let policies = centre.ask("display", Code::GET, &[TOPIC, "policies"], b"").payload;
    assert_eq!(Diagnostic::new(&policies).to_string(), "{16: {1: 60}}");
    for path in [&["num"][..], &["creds"], &["policies"], &["nodes", "phone"], &[]] {
        let path = [&[TOPIC], path].concat();
        let refused = centre.ask("phone", Code::GET, &path, b"");
        assert_eq!(
            (refused.code, refused.content_format.map(|format| format.0)),
            (Code::FORBIDDEN, Some(257))
        );
        let mut error = None;
        let mut decoder = Decoder::new(&refused.payload);
        decoder
            .map(|label, value| {
                if label == sedge_cose::cbor::Label::Int(0) {
                    error = Some(value.item()?);
                }
                Ok::<_, sedge_cose::cbor::Error>(())
            })
            .unwrap();
        assert_eq!(error, Some(&[0xa1, 0, 0][..]), "error 0: members only");
    }
    assert_eq!(centre.ask("display", Code::GET, &[TOPIC, "nodes", "boiler"], b"").code, Code::FORBIDDEN);
    assert_eq!(centre.ask("display", Code::DELETE, &[TOPIC, "nodes", "boiler"], b"").code, Code::FORBIDDEN);
    assert_eq!(centre.ask("display", Code::POST, &[TOPIC, "nodes", "display"], b"").code, Code::BAD_REQUEST);
    assert_eq!(centre.ask("display", Code::PUT, &[TOPIC], b"").code, Code::METHOD_NOT_ALLOWED);
    assert_eq!(centre.ask("display", Code::GET, &[TOPIC, "kdc-cred"], b"").code, Code::NOT_FOUND);
    assert_eq!(centre.ask("display", Code::GET, &["other"], b"").code, Code::NOT_FOUND);
}

#[test]
fn groups_are_found_by_their_gids() {
    let mut centre = centre();
    let (_, gid, _) = centre.joined("boiler", PUBLISHER);
    let mut buffer = [0; 32];
    let mut encoder = Encoder::new(&mut buffer);
    encoder.map(1).int(0).array(2).bytes(&gid).bytes(b"??");
    let question = encoder.finish().unwrap();
    let answer = centre.ask("boiler", Code::FETCH, &[], question);
    let expected =
        format!(r#"{{0: [h'{}'], 1: ["site/7/temp"], 2: ["/ace-group/site%2F7%2Ftemp"]}}"#, hex(&gid));
    assert_eq!(Diagnostic::new(&answer.payload).to_string(), expected);
    let answer = centre.ask("display", Code::FETCH, &[], question);
    assert_eq!(Diagnostic::new(&answer.payload).to_string(), "{0: [], 1: [], 2: []}");
}

#[test]
fn an_old_key_is_replaced() {
    let mut centre = centre();
    let (_, first, _) = centre.joined("boiler", PUBLISHER);
    centre.now += 7 * 24 * 3600 - 1;
    let last = centre.ask("boiler", Code::GET, &[TOPIC], b"");
    assert_eq!((told(&last).0, Keys::decode(&last.payload).unwrap().expires_in), (0, 1));
    centre.now += 1;
    let next = told(&centre.ask("boiler", Code::GET, &[TOPIC, "nodes", "boiler"], b""));
    assert_eq!((next.0, next.2), (1, Some(vec![0])), "Sender IDs stay");
    assert_ne!(next.1, first);
}
