//! The formats of values that the broker cannot read.

use sedge_broker::admin::{AdminReply, AdminRequest, Protection, TopicSettings};
use sedge_client::{Code, ContentFormat, Request, Target};

use crate::{BOTH, Member, TEXT, TOPIC, broker, enrol, run};

/// A client that says which formats it takes, and a topic that says which it has.
#[test]
fn formats_count_for_what_is_encrypted_as_for_anything_else() {
    let broker = broker();
    enrol(&broker, "valve", BOTH);
    for (name, content_format, protection) in
        [(TOPIC, Some(0), None), ("site/7/valve", None, Some(Protection::default()))]
    {
        let settings =
            TopicSettings { name: name.into(), content_format, protection, ..TopicSettings::default() };
        let AdminReply::Topic(_) = broker.administer(AdminRequest::TopicCreate(settings)) else { panic!() };
    }
    run(async {
        // It takes text only: nobody publishes anything protected there by mistake.
        let mut valve = Member::connect(&broker, "valve").await;
        let refused = valve.publish(b"open").await.unwrap_err();
        assert!(refused.contains("4.15"), "{refused}");
        let mut protected = valve.client.protected(&mut valve.groups, &mut valve.scratch);
        protected.publish("site/7/valve", TEXT, b"open").await.unwrap();
        let mut buffer = [0; 2048];
        let ask = Request::new(Code::GET, Target::Topic("site/7/valve"));
        let cose = Request { accept: Some(ContentFormat(16)), ..ask };
        let answer = valve.client.request(&cose, &mut buffer).await.unwrap();
        assert_eq!((answer.code, answer.content_format), (Code::CONTENT, Some(ContentFormat(16))));
        let text = Request { accept: Some(TEXT), ..ask };
        assert_eq!(valve.client.request(&text, &mut buffer).await.unwrap().code, Code::NOT_ACCEPTABLE);
    });
}
