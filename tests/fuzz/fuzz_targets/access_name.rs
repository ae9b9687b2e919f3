//! Any text as a topic's name and as a pattern: a name that is accepted matches itself and everything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_access::{Grants, Permissions, Policy, Subject, TopicPattern, Verb};
use sedge_time::Instant;

fuzz_target!(|input: (&str, &str)| {
    let (name, pattern) = input;
    let valid = sedge_access::name::check(name).is_ok();
    if valid {
        assert!(TopicPattern::everything().matches(name));
        assert!(TopicPattern::new(name).expect("a name is a pattern").matches(name));
    }
    let Ok(pattern) = TopicPattern::new(pattern) else { return };
    let again = TopicPattern::new(pattern.as_str()).expect("it was one");
    assert_eq!(again, pattern);
    let grants = Grants::none().with(pattern.clone(), Permissions::PUBLISH);
    if valid {
        let (policy, device) = (Policy::default(), Subject::device("device", &grants));
        let allows = |verb| policy.decide(Instant::EPOCH, &device, verb, name).is_allowed();
        assert_eq!(allows(Verb::Publish), pattern.matches(name));
        assert!(!allows(Verb::Delete));
    }
});
