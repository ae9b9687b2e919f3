//! What outlives a process, and keys that change.

use sedge_access::Permissions;
use sedge_ace::{TokenError, TokenHash};
use sedge_authority::{Format, Issue, IssueError, Settings};
use sedge_crypto::RustCrypto;

use crate::support::{NOW, World, public_key, scope};

const ISSUE: Issue<'_> = Issue {
    subject: "display",
    audience: None,
    scope: None,
    lifetime: None,
    not_before: None,
    format: None,
    public_key: None,
};

#[test]
fn a_restart_forgets_nothing() {
    let mut world = World::new();
    let tokens: Vec<_> =
        (0..3).map(|_| world.run(|authority, cx| authority.issue(&ISSUE, cx)).unwrap()).collect();
    let revoked = tokens[1].issued.id;
    let hash = world.run(|authority, cx| authority.revoke(&revoked, cx)).unwrap();
    assert_eq!(hash, TokenHash::of(&RustCrypto, &tokens[1].token));
    assert_eq!(world.run(|authority, cx| authority.revoke(&revoked, cx)), None, "once is enough");
    let before = world.keys("plant-a");
    world.restart();
    assert_eq!(world.keys("plant-a"), before);
    let settings = Settings { audiences: vec!["plant-a".into()], lifetime: 5, ..Settings::default() };
    world.run(|authority, cx| authority.configure(settings.clone(), cx));
    world.restart();
    assert_eq!(*world.authority.settings(), settings);
    assert_eq!(world.authority.tokens().count(), 3);
    assert!(world.authority.revoked().contains(&hash));
    assert_eq!(world.open("plant-a", &tokens[0].token, |_| ()), Ok(()));
    // What is over is gone from the store too.
    assert_eq!(world.authority.deadline(), Some(NOW + 3600));
    world.now = NOW + 3600;
    assert!(world.run(|authority, cx| authority.expire(cx)), "the list has changed");
    assert!(!world.kept.keys().any(|key| key.starts_with("token/")));
    assert!(!world.authority.revoked().contains(&hash));
}

/// Old keys stay as long as a token under them is good, and not longer.
#[test]
fn keys_rotate_without_an_outage() {
    let mut world = World::new();
    let old = world.run(|authority, cx| authority.issue(&ISSUE, cx)).unwrap().token;
    world.now += 100;
    world.run(|authority, cx| authority.rotate(cx));
    let new = world.run(|authority, cx| authority.issue(&ISSUE, cx)).unwrap().token;
    let count = world.keys("plant-a").len();
    assert_eq!(count, 3, "those of the old tokens, of the new ones, and the next");
    world.restart();
    for token in [&old, &new] {
        assert_eq!(world.open("plant-a", token, |_| ()), Ok(()));
    }
    world.now = NOW + 3600;
    let _changed = world.run(|authority, cx| authority.expire(cx));
    assert_eq!(world.open("plant-a", &old, |_| ()), Err(TokenError::UnknownKey));
    assert_eq!(world.open("plant-a", &new, |_| ()), Ok(()));
    assert_eq!(world.kept.keys().filter(|key| key.starts_with("key/")).count(), 2);
    // Nothing is known of one resource server's keys from another's.
    let (a, b) = (world.keys("plant-a"), world.keys("plant-b"));
    assert!(a[0].id != b[0].id && a[0].encryption != b[0].encryption && a[0].derivation != b[0].derivation);
}

/// A resource server that was told its keys before a rotation and not since knows the tokens of after it.
#[test]
fn the_next_keys_are_handed_out_before_they_are_used() {
    let mut world = World::new();
    let known = world.keys("plant-a");
    for (rotations, outcome) in [(0, Ok(())), (1, Ok(())), (2, Err(TokenError::UnknownKey))] {
        let token = world.run(|authority, cx| authority.issue(&ISSUE, cx)).unwrap().token;
        let opened = sedge_ace::open_token(&RustCrypto, &known, &mut token.clone()).map(|_| ());
        assert_eq!(opened, outcome, "after {rotations} rotations");
        world.now += 10;
        world.run(|authority, cx| authority.rotate(cx));
        world.restart();
    }
}

/// New keys are the present ones whatever the clock says, and what is revoked stays so until it would have ended.
#[test]
fn a_clock_that_was_set_back_brings_nothing_back() {
    let mut world = World::new();
    let revoked = world.run(|authority, cx| authority.issue(&ISSUE, cx)).unwrap();
    world.run(|authority, cx| authority.revoke(&revoked.issued.id, cx)).unwrap();
    world.now -= 86_400;
    for _ in 0..2 {
        let before = world.run(|authority, cx| authority.issue(&ISSUE, cx)).unwrap().issued.key_id;
        world.run(|authority, cx| authority.rotate(cx));
        world.restart();
        let _changed = world.run(|authority, cx| authority.expire(cx));
        let after = world.run(|authority, cx| authority.issue(&ISSUE, cx)).unwrap().issued.key_id;
        assert_ne!(before, after, "the keys were replaced");
    }
    assert!(world.authority.revoked().contains(&revoked.issued.hash));
}

#[test]
fn what_an_administrator_can_ask_for() {
    let mut world = World::new();
    let wanted = scope(&[("site/7/t", Permissions::READ | Permissions::PUBLISH)]);
    let issue = Issue {
        scope: Some(&wanted),
        lifetime: Some(60),
        not_before: Some(NOW + 30),
        format: Some(Format::Signed),
        audience: Some("plant-b"),
        public_key: Some(public_key(3)),
        ..ISSUE
    };
    let new = world.run(|authority, cx| authority.issue(&issue, cx)).unwrap();
    assert_eq!((new.key.is_none(), new.issued.expires), (true, NOW + 90));
    assert_eq!(new.issued.scope, wanted.to_scope(), "an administrator's word stands");
    let visitor = Issue { subject: "visitor", scope: Some(&wanted), ..ISSUE };
    assert!(world.run(|authority, cx| authority.issue(&visitor, cx)).is_ok());
    let not_before = world.open("plant-b", &new.token, |claims| claims.not_before.unwrap().seconds());
    assert_eq!(not_before, Ok(NOW as i64 + 30));
    for (issue, error) in [
        (Issue { subject: "nobody", ..ISSUE }, IssueError::UnknownSubject),
        (Issue { audience: Some("plant-c"), ..ISSUE }, IssueError::UnknownAudience),
        (Issue { subject: "plant-a", ..ISSUE }, IssueError::Scope),
    ] {
        assert_eq!(world.run(|authority, cx| authority.issue(&issue, cx)).unwrap_err(), error);
    }
}
