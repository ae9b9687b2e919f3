//! Tokens that are no good, at a real broker: each is refused with the code that RFC 9200 section 5.10.1.1 names and
//! counted by its reason, and neither a device nor a guest with a good token notices.

mod claims;
mod damage;
mod doors;
mod forms;
mod headers;

use std::collections::BTreeMap;

use sedge_ace::TokenKeys;
use sedge_broker::admin::{AdminReply, AdminRequest, NewToken, TokenIssued};
use sedge_coap::{Code, OptionNumber};
use sedge_tests::broker::TestBroker;
use sedge_tests::device::{Device, Received, path};
use sedge_tests::dtls::Identity;
use sedge_tests::issuer::{ClaimSet, Form, Issuer, symmetric_cnf};

use crate::scene::Scene;
use crate::site::unix_now;

/// As what the broker is known to its authorisation server, and another that is none of it.
const AUDIENCE: &str = "sedge";
const ELSEWHERE: &str = "elsewhere";
const ISSUER: &str = "coaps://as.example/token";
/// Reading `t/own`.
const SCOPE: &[u8] = b"\x81\x82\x65t/own\x08";
const KEY: [u8; 16] = *b"the guest's key.";
const KID: &[u8] = b"guest-1";
const WATCH: &[u8] = b"guest";
/// The Content-Format of a CBOR Web Token.
const CWT: &[u8] = &[61];

/// A broker whose keys the test has too, and a guest who observes by a good token.
struct Hall {
    scene: Scene,
    issuer: Issuer,
    victim: Device,
    guest: Device,
    stranger: Device,
    /// What is answered to everybody whose token is not authentic, after the header.
    plain_refusal: Option<Vec<u8>>,
}

impl Hall {
    fn new() -> Self {
        let issuer = Issuer::new(&[AUDIENCE, ELSEWHERE]);
        let mut scene = Scene::with(TestBroker::with_records(issuer.records(), |config| {
            config.listen.insecure_coap = vec![([127, 0, 0, 1], 0).into()];
            config.authority.audiences = vec![ELSEWHERE.to_owned()];
            config.authority.uri = ISSUER.to_owned();
        }));
        let keys = issuer.keys(AUDIENCE);
        let token = issuer.token(Form::Encrypted, &keys, &guest().encode());
        let mut identity = Identity::new("", &KEY);
        identity.name = token;
        let mut guest = Device::connect(scene.broker.secure(), &identity);
        assert_eq!(guest.observe("t/own", WATCH).code(), Code::CONTENT);
        let (mut victim, stranger) = (scene.victim(), Device::plain(scene.broker.insecure()));
        scene.still_works(&mut victim);
        let mut hall = Self { scene, issuer, victim, guest, stranger, plain_refusal: None };
        assert_eq!(hall.guest.notification(WATCH).text(), hall.scene.published.to_string());
        hall
    }

    fn keys(&self) -> TokenKeys {
        self.issuer.keys(AUDIENCE)
    }

    /// An authentic token for the broker, with these claims.
    fn token(&self, claims: &ClaimSet) -> Vec<u8> {
        self.issuer.token(Form::Authenticated, &self.keys(), &claims.encode())
    }

    /// Shows a token, as somebody without any security.
    fn show(&mut self, token: &[u8]) -> Received {
        let mut options = path("authz-info");
        options.push((OptionNumber::CONTENT_FORMAT, CWT));
        self.stranger.request(Code::POST, &options, token)
    }

    /// Tokens that were refused, by the reason, and those that were taken.
    fn counted(&self) -> BTreeMap<String, u64> {
        let all = self.scene.broker.counters().into_iter();
        all.filter_map(|(name, value)| Some((name.strip_prefix("tokens.")?.to_owned(), value))).collect()
    }

    /// Shows a token that has to be refused for this reason.
    fn refused(&mut self, what: &str, token: &[u8], code: Code, reason: &str) {
        let mut expected = self.counted();
        let answer = self.show(token);
        assert_eq!(answer.code(), code, "{what}");
        if code == Code::UNAUTHORIZED {
            // The same to the last byte, whatever was wrong.
            let header = 4 + answer.message().token().as_bytes().len();
            let rest = answer.0[header..].to_vec();
            assert_eq!(&rest, self.plain_refusal.get_or_insert_with(|| rest.clone()), "{what}");
        }
        *expected.get_mut(&format!("refused.{reason}")).unwrap_or_else(|| panic!("{reason}")) += 1;
        assert_eq!(self.counted(), expected, "{what}");
    }

    /// Whether everything that was there still is: sessions, observations, and who holds which token.
    fn nothing_happened(&mut self) {
        self.scene.still_works(&mut self.victim);
        let seen = self.guest.notification(WATCH);
        assert_eq!((seen.code(), seen.text()), (Code::CONTENT, self.scene.published.to_string()));
        assert_eq!(self.guest.publish("t/own", "no"), Code::METHOD_NOT_ALLOWED);
        assert_eq!(self.guest.read("t/other").code(), Code::FORBIDDEN, "the token is for another topic");
        assert_eq!(self.counted()["held"], 1);
    }

    /// A token that the broker's own authorisation server issues.
    fn issue(&self, new: NewToken) -> TokenIssued {
        match self.scene.broker.administer(AdminRequest::TokenIssue(new)) {
            AdminReply::TokenIssued(issued) => *issued,
            other => panic!("{other:?}"),
        }
    }
}

/// The claims of the guest's token, which carries its key.
fn guest() -> ClaimSet {
    ClaimSet::new("guest", AUDIENCE, unix_now() + 600, SCOPE, symmetric_cnf(KID, Some(&KEY)))
}

/// Those of a token for somebody else, whose key is derived.
fn another() -> ClaimSet {
    ClaimSet::new("another", AUDIENCE, unix_now() + 600, SCOPE, symmetric_cnf(b"another-1", None))
}

/// Nothing here is refused for anything but what is wrong with it: the same without that is taken.
#[test]
fn what_these_tests_make_is_good_but_for_one_thing() {
    let mut hall = Hall::new();
    for (number, form) in Form::ALL.into_iter().enumerate() {
        let claims = another().with(8, symmetric_cnf(&[number as u8], None));
        let token = hall.issuer.token(form, &hall.keys(), &claims.encode());
        assert_eq!(hall.show(&token).code(), Code::CREATED, "{form:?}");
        // Showing it again is nothing new.
        assert_eq!(hall.show(&token).code(), Code::CREATED, "{form:?}");
        assert_eq!(hall.counted()["held"], 2 + number as u64);
    }
}
