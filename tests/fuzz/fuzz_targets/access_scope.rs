//! Any bytes as the scope of a token: what is read is written the same, and decides nothing that it does not say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_access::{Grants, Policy, Subject, Verb};
use sedge_time::Instant;

fuzz_target!(|input: &[u8]| {
    let Ok(scope) = Grants::from_scope(input) else { return };
    assert_eq!(scope.to_scope(), input);
    let (policy, bearer) = (Policy::default(), Subject::token("bearer", &scope));
    for topic in ["a", "a/b", "site/7/temp"] {
        for verb in Verb::ALL {
            let says = |grant: &sedge_access::Grant| {
                grant.pattern.matches(topic) && grant.permissions.contains(verb.permission())
            };
            let allowed = policy.decide(Instant::EPOCH, &bearer, verb, topic).is_allowed();
            assert_eq!(allowed, scope.list().iter().any(says));
        }
    }
});
