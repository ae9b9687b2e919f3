//! Any requests, from an administrator and from a device, to a broker's brain that has a few topics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_access::{Caller, Grants, Permissions, Policy, Subject, TopicPattern};
use sedge_coap::Message;
use sedge_fuzz::Steps;
use sedge_pubsub::{Handed, Request, Settings, Subscriptions, Topics, UnixTime, handle};
use sedge_time::{Duration, Instant};

fuzz_target!(|input: &[u8]| {
    let mut steps = Steps(input);
    let mut topics = Topics::new(Settings { max_topics: 4, history: 2, ..Settings::default() });
    let mut subscriptions = Subscriptions::new(Default::default());
    let device = Grants::none()
        .with(TopicPattern::new("a/#").expect("a pattern"), Permissions::PUBLISH)
        .with(TopicPattern::new("+/b").expect("a pattern"), Permissions::READ);
    let (policy, device) = (Policy::default(), Subject::device("device", &device));
    let administrator = Subject::device("administrator", &Grants::administrator());
    let mut now = Instant::from_micros(1);
    let mut unix = UnixTime(1_000);
    while steps.more() {
        let action = steps.byte();
        let datagram = steps.bytes();
        let Ok(message) = Message::parse(datagram) else { continue };
        let subject = if action & 1 == 1 { &administrator } else { &device };
        let caller = Caller { policy: &policy, subject };
        let session = u64::from(action >> 1 & 3);
        let request = Request { now, unix, session, caller, message: &message, body: message.payload() };
        let outcome = handle(&mut topics, &mut subscriptions, &request);
        if let Some(response) = &outcome.response {
            assert!(response.code.is_response());
        }
        if let Some(change) = outcome.change {
            subscriptions.sync(now, &topics, change.topic);
        }
        let _ = subscriptions.deliver(now, 16, &mut |_| {
            if action & 8 != 0 { Handed::Sent } else { Handed::Busy }
        });
        if action & 16 != 0 {
            now += Duration::from_secs(u64::from(action) * 100);
            unix = UnixTime(unix.0 + u64::from(action) * 100);
            while let Some(change) = topics.expire(unix) {
                subscriptions.sync(now, &topics, change.topic);
            }
            subscriptions.expire(now, &mut |_| Handed::Busy);
        }
        if action & 32 != 0 {
            subscriptions.close(session);
        }
        assert!(topics.len() <= 4);
    }
});
