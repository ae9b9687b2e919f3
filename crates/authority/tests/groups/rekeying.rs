//! New keys: when there are any, who hears of them, and what becomes of those who may not.

use sedge_authority::groups::GroupSettings;
use sedge_authority::{Answer, Request};
use sedge_coap::{Code, ContentFormat};
use sedge_cose::cbor::Diagnostic;
use sedge_group::Cipher;
use sedge_group::keying::{GroupPolicy, Keys};

use crate::{Centre, PUBLISHER, SUBSCRIBER, TOPIC, told};

impl Centre {
    fn observed(&mut self, requester: &str, path: &[&str]) -> Answer {
        let path: Vec<&[u8]> = path.iter().map(|segment| segment.as_bytes()).collect();
        let request = Request {
            requester,
            code: Code::GET,
            path: &path,
            query: &[],
            content_format: None,
            payload: b"",
        };
        self.with(|groups, cx| groups.observed(cx, &request))
    }

    fn rekeyed(&mut self) -> Vec<String> {
        self.groups.take_rekeyed().into_iter().collect()
    }
}

/// The `error-id` of problem details.
fn error_id(answer: &Answer) -> String {
    assert_eq!(answer.content_format, Some(ContentFormat::PROBLEM_DETAILS));
    let shown = Diagnostic::new(&answer.payload).to_string();
    let (_, id) = shown.split_once("0: {0: ").unwrap();
    id.trim_end_matches('}').to_owned()
}

#[test]
fn each_new_key_is_announced_once_and_nothing_else_is() {
    let mut centre = Centre::new(GroupSettings::default());
    let _made = centre.joined("valve", PUBLISHER);
    assert_eq!(centre.rekeyed(), [TOPIC]);
    let _new = centre.joined("display", SUBSCRIBER);
    assert_eq!((centre.rekeyed(), centre.rekeyed()), (vec![TOPIC.to_owned()], vec![]));
    // A further role, a new Sender ID: the key stays.
    let _again = centre.joined("valve", SUBSCRIBER);
    let _renewed = centre.ask("valve", Code::POST, &[TOPIC, "nodes", "valve"], b"");
    assert_eq!(centre.rekeyed(), Vec::<String>::new());
    assert_eq!(centre.ask("display", Code::DELETE, &[TOPIC, "nodes", "display"], b"").code, Code::DELETED);
    assert_eq!(centre.rekeyed(), [TOPIC]);
    centre.now += 8 * 24 * 3600;
    centre.with(|groups, cx| groups.review(cx));
    assert_eq!(centre.rekeyed(), [TOPIC]);
    assert!(centre.with(|groups, cx| groups.delete(cx, TOPIC)));
    assert_eq!(centre.rekeyed(), [TOPIC]);
}

#[test]
fn an_observer_is_told_the_newest_key_as_long_as_it_is_a_member() {
    let mut centre = Centre::new(GroupSettings::default());
    let (_, _, sender) = centre.joined("valve", PUBLISHER | SUBSCRIBER);
    let _new = centre.joined("display", SUBSCRIBER);
    let group = centre.observed("valve", &[TOPIC]);
    let node = centre.observed("valve", &[TOPIC, "nodes", "valve"]);
    assert_eq!((told(&group).0, told(&group).2), (1, None), "the rekeying message has no Sender ID");
    assert_eq!((told(&node).0, told(&node).2), (1, sender));
    assert_eq!(centre.observed("display", &[TOPIC, "nodes", "valve"]).code, Code::FORBIDDEN);
    assert_eq!(centre.observed("boiler", &[TOPIC]).code, Code::FORBIDDEN);
    assert_eq!(centre.observed("valve", &[TOPIC, "num"]).code, Code::NOT_FOUND);

    // From the moment that its rights are gone nothing is told, even before it is taken out.
    let _rights = centre.directory.0.remove("display");
    for after_review in [false, true] {
        if after_review {
            centre.with(|groups, cx| groups.review(cx));
        }
        let group = centre.observed("display", &[TOPIC]);
        assert_eq!((group.code, error_id(&group)), (Code::FORBIDDEN, "0".into()));
        let node = centre.observed("display", &[TOPIC, "nodes", "display"]);
        assert_eq!((node.code, error_id(&node)), (Code::NOT_FOUND, "5".into()));
    }
    assert_eq!(told(&centre.observed("valve", &[TOPIC])).0, 2);

    assert!(centre.with(|groups, cx| groups.delete(cx, TOPIC)));
    let ended = centre.observed("valve", &[TOPIC]);
    assert_eq!((ended.code, error_id(&ended)), (Code::NOT_FOUND, "6".into()));
}

#[test]
fn other_settings_reach_a_group_that_is_there_with_a_new_key() {
    let mut centre = Centre::new(GroupSettings::default());
    let (_, _, sender) = centre.joined("valve", PUBLISHER);
    let _told = centre.rekeyed();
    let mut settings = centre.groups.settings_of(TOPIC).unwrap();
    assert!(centre.with(|groups, cx| groups.configure(cx, TOPIC, settings)));
    assert_eq!(centre.rekeyed(), Vec::<String>::new(), "nothing was changed");
    for (number, cipher) in (1..).zip(Cipher::ALL.into_iter().rev()) {
        settings = GroupSettings {
            cipher,
            policy: GroupPolicy { signed: number == 3, ..settings.policy },
            ..settings
        };
        assert!(centre.with(|groups, cx| groups.configure(cx, TOPIC, settings)));
        assert_eq!(centre.rekeyed(), [TOPIC]);
        let answer = centre.ask("valve", Code::GET, &[TOPIC, "nodes", "valve"], b"");
        let keys = Keys::decode(&answer.payload).unwrap();
        assert_eq!((keys.key.cipher(), keys.key.number(), keys.policy.signed), (cipher, number, number == 3));
        assert_eq!(keys.sender.map(|sender| sender.as_bytes().to_vec()), sender, "as rekeying leaves it");
    }
    assert!(!centre.with(|groups, cx| groups.configure(cx, "nothing", settings)));
}

#[test]
fn what_a_centre_without_credential_may_leave_out_is_not_there() {
    let mut centre = Centre::new(GroupSettings::default());
    let _made = centre.joined("valve", PUBLISHER);
    assert_eq!(centre.ask("valve", Code::GET, &[TOPIC, "kdc-cred"], b"").code, Code::NOT_FOUND);
    assert_eq!(centre.ask("valve", Code::GET, &[TOPIC, "pub-key"], b"").code, Code::NOT_FOUND);
    // And what is there has the methods of the draft only.
    for (path, methods) in [
        (&[TOPIC, "num"][..], &[Code::GET][..]),
        (&[TOPIC, "creds"], &[Code::GET, Code::FETCH]),
        (&[TOPIC, "policies"], &[Code::GET]),
        (&[TOPIC, "nodes", "valve"], &[Code::GET, Code::PUT, Code::POST, Code::DELETE]),
        (&[TOPIC, "nodes", "valve", "cred"], &[Code::POST]),
    ] {
        for method in [Code::GET, Code::POST, Code::PUT, Code::FETCH, Code::PATCH, Code::IPATCH] {
            let refused = centre.ask("valve", method, path, b"").code == Code::METHOD_NOT_ALLOWED;
            assert_eq!(refused, !methods.contains(&method), "{method:?} {path:?}");
        }
    }
}
