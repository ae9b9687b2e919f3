//! Members that go by a token: who it was issued to is who they are, and what it permits is what they may be.

use std::time::Duration;

use sedge_access::{Grants, Permissions, TopicPattern};
use sedge_broker::admin::{AdminReply, AdminRequest, NewToken, TokenChoice, TokenIssued};
use sedge_client::Credential;
use sedge_client::tokio::connect;
use sedge_tests::broker::TestBroker;

use crate::{BOTH, Member, aside, broker, enrol, run};

/// A token for somebody who is not enrolled, or for a device.
fn token(broker: &TestBroker, subject: &str, permissions: Permissions, seconds: u64) -> TokenIssued {
    let pattern = TopicPattern::new("site/#").expect("a pattern");
    let scope = Some(Grants::none().with(pattern, permissions));
    let new = NewToken { subject: subject.into(), scope, lifetime: Some(seconds), ..NewToken::default() };
    match broker.administer(AdminRequest::TokenIssue(new)) {
        AdminReply::TokenIssued(issued) => *issued,
        other => panic!("{other:?}"),
    }
}

async fn bearer(broker: &TestBroker, name: &str, token: &TokenIssued) -> Member {
    let key = token.key.as_ref().expect("a symmetric key").expose().to_vec();
    let credential = Credential::psk(format!("coaps://{}", broker.secure()), name, token.token.clone(), key);
    Member::over(connect(&credential).await.expect("the token is good"), name)
}

#[test]
fn a_token_lets_its_bearer_join_for_what_it_permits_and_as_long_as_it_is_good() {
    let broker = broker();
    enrol(&broker, "valve", BOTH);
    let reads = token(&broker, "visitor", Permissions::READ, 3600);
    let writes = token(&broker, "fitter", Permissions::PUBLISH, 3600);
    run(async {
        let mut valve = Member::connect(&broker, "valve").await;
        valve.publish(b"0").await.unwrap();
        let mut visitor = bearer(&broker, "visitor", &reads).await;
        let refused = visitor.publish(b"x").await.unwrap_err();
        assert!(refused.contains("4.03"), "{refused}");
        visitor.subscribe().await.unwrap();
        let _before = visitor.next().await;
        let mut fitter = bearer(&broker, "fitter", &writes).await;
        let refused = fitter.subscribe().await.unwrap_err();
        assert!(refused.contains("4.03"), "{refused}");
        fitter.publish(b"1").await.unwrap();
        let seen = visitor.expect("1").await;
        assert_eq!((seen.by.as_deref(), seen.generation), (Some("fitter"), 2));
        valve.subscribe().await.unwrap();

        let choice = TokenChoice::Subject("visitor".into());
        let revoked = aside(|| broker.administer(AdminRequest::TokenRevoke(choice)));
        assert_eq!(revoked, AdminReply::TokensRevoked(1));
        // It is out within a moment: those who stay are told of another key.
        tokio::time::sleep(Duration::from_millis(700)).await;
        valve.publish(b"2").await.unwrap();
        assert_eq!(valve.generation(), Some(3));
    });
}

/// A device that has a token, too, is one member; over the session of its token it joins only as what that permits.
#[test]
fn a_token_gives_no_more_than_it_says_even_to_a_device_that_may_more() {
    let broker = broker();
    enrol(&broker, "valve", BOTH);
    let reads = token(&broker, "valve", Permissions::READ, 3600);
    run(async {
        let mut valve = Member::connect(&broker, "valve").await;
        valve.publish(b"0").await.unwrap();
        let mut by_token = bearer(&broker, "valve", &reads).await;
        let refused = by_token.publish(b"x").await.unwrap_err();
        assert!(refused.contains("4.03"), "{refused}");
        by_token.subscribe().await.unwrap();
        assert_eq!(by_token.expect("0").await.generation, 0, "it is a member already");
        // And the other session goes on being a publisher.
        valve.publish(b"1").await.unwrap();
        by_token.expect("1").await;
    });
}
