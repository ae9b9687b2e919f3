//! Who may do what: the table of cases, one row each, and the same decision made the plain way.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should stop there")]

use proptest::prelude::*;
use sedge_access::*;
use sedge_time::{Duration, Instant};

const NOW: Instant = Instant::from_micros(1_000_000_000);

fn pattern(text: &str) -> TopicPattern {
    TopicPattern::new(text).unwrap()
}

fn grants(list: &[(&str, Permissions)]) -> Grants {
    list.iter().fold(Grants::none(), |grants, (text, permissions)| grants.with(pattern(text), *permissions))
}

fn bridge(from: &str, to: &str, both: bool, topics: &[&str], permissions: Permissions) -> Bridge {
    let topics = topics.iter().map(|text| pattern(text)).collect();
    Bridge { from: from.into(), to: to.into(), both, topics, permissions }
}

fn segment(name: &str, topics: &[&str]) -> Segment {
    Segment { name: name.into(), topics: topics.iter().map(|text| (*text).into()).collect() }
}

/// Two plants, a control room and an office.
fn site() -> Definition {
    let both = Permissions::PUBLISH | Permissions::READ;
    let role = |name: &str, list: &[(&str, Permissions)]| Role { name: name.into(), grants: grants(list) };
    Definition {
        roles: vec![
            role("sensor", &[("a/+/temp", Permissions::PUBLISH), ("b/+/temp", Permissions::PUBLISH)]),
            role("reader", &[("#", Permissions::READ)]),
            role("operator", &[("a/#", both), ("b/#", both), ("room/#", Permissions::ALL)]),
            role("nothing", &[]),
        ],
        segments: vec![
            segment("plant-a", &["a", "shared/a"]),
            segment("plant-b", &["b"]),
            segment("room", &["room", "a/room"]),
            segment("office", &[]),
        ],
        bridges: vec![
            bridge("room", "plant-a", true, &["a/+/temp", "room/alarm"], both),
            bridge("office", "plant-b", false, &["#"], Permissions::READ),
        ],
    }
}

use Cause::*;
use Verb::*;

/// One row for each case: the device's roles, own grants and segment, what it wants, and why not.
#[test]
fn who_may_do_what() {
    let policy = Policy::new(site()).unwrap();
    let read = Permissions::READ;
    let none: &[(&str, Permissions)] = &[];
    type Row<'r> =
        (&'r [&'r str], &'r [(&'r str, Permissions)], Option<&'r str>, Verb, &'r str, Option<Cause>);
    let rows: &[Row<'_>] = &[
        // Own grants: exact names, `+`, `#`; and what they lack.
        (&[], &[("x/y", read)], None, Read, "x/y", None),
        (&[], &[("x/y", read)], None, Read, "x/y/z", Some(NoGrant)),
        (&[], &[("x/y", read)], None, Publish, "x/y", Some(LacksVerb)),
        (&[], &[("x/+", read)], None, Read, "x/y", None),
        (&[], &[("x/+", read)], None, Read, "x", Some(NoGrant)),
        (&[], &[("x/+", read)], None, Read, "x/y/z", Some(NoGrant)),
        (&[], &[("+/y/+", read)], None, Read, "x/y/z", None),
        (&[], &[("x/#", read)], None, Read, "x", None),
        (&[], &[("x/#", read)], None, Read, "x/y/z", None),
        (&[], &[("x/#", read)], None, Read, "xx", Some(NoGrant)),
        (&[], &[("x/#", read), ("x/y", Permissions::DELETE)], None, Delete, "x/y", None),
        (&[], &[("x", Permissions::APP_GROUP)], None, Read, "x", Some(LacksVerb)),
        (&[], &[("x", Permissions::ADMIN)], None, Configure, "x", None),
        (&[], none, None, Read, "x", Some(NoGrant)),
        // Roles: one, several, none that helps, none that exists.
        (&["reader"], none, None, Read, "x/y", None),
        (&["reader"], none, None, Publish, "x/y", Some(LacksVerb)),
        (&["nothing"], none, None, Read, "x/y", Some(NoGrant)),
        (&["gone"], none, None, Read, "x/y", Some(NoGrant)),
        (&["nothing", "gone", "reader"], none, None, Read, "x/y", None),
        (&["reader"], &[("x/y", Permissions::PUBLISH)], None, Publish, "x/y", None),
        // Segments: inside, outside, in none, in one that does not exist; a longer prefix decides.
        (&["sensor"], none, Some("plant-a"), Publish, "a/1/temp", None),
        (&["sensor"], none, Some("plant-a"), Publish, "b/1/temp", Some(OtherSegment)),
        (&["sensor"], none, None, Publish, "a/1/temp", Some(OtherSegment)),
        (&["sensor"], none, Some("gone"), Publish, "a/1/temp", Some(OtherSegment)),
        (&["reader"], none, Some("plant-a"), Read, "shared/b", None),
        (&["reader"], none, Some("plant-a"), Read, "shared/a/1", None),
        (&["reader"], none, Some("plant-b"), Read, "shared/a/1", Some(OtherSegment)),
        (&["reader"], none, Some("plant-b"), Read, "ab/1", None),
        (&["operator"], none, Some("room"), Publish, "a/room/1", None),
        (&["operator"], none, Some("plant-a"), Publish, "a/room/1", Some(OtherSegment)),
        // Bridges: both ways, one way, only some topics, only some verbs; they grant nothing.
        (&["operator"], none, Some("room"), Read, "a/1/temp", None),
        (&["operator"], none, Some("room"), Publish, "a/1/temp", None),
        (&["operator"], none, Some("room"), Read, "a/1/valve", Some(OtherSegment)),
        (&["operator"], none, Some("plant-a"), Publish, "room/alarm", None),
        (&["operator"], none, Some("plant-a"), Delete, "room/alarm", Some(OtherSegment)),
        (&["operator"], none, Some("plant-a"), Publish, "room/door", Some(OtherSegment)),
        (&["operator"], none, Some("room"), Read, "b/1", Some(OtherSegment)),
        (&["operator"], none, Some("office"), Read, "b/1", None),
        (&["operator"], none, Some("office"), Publish, "b/1", Some(OtherSegment)),
        (&["nothing"], none, Some("office"), Read, "b/1", Some(NoGrant)),
        (&["reader"], &[("x", read)], Some("plant-b"), Read, "a/1", Some(OtherSegment)),
        // What cannot be a topic.
        (&["reader"], none, None, Read, "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", Some(NotATopic)),
    ];
    for (number, (roles, own, segment, verb, topic, cause)) in rows.iter().enumerate() {
        let device = Subject::device("d", &grants(own)).in_roles(roles.iter().copied()).in_segment(*segment);
        let decision = policy.decide(NOW, &device, *verb, topic);
        assert_eq!(decision.cause(), *cause, "row {number}: {:#?}", decision.rules());
        // A token with the same rights is decided in the same way, until it ends or is taken back.
        let token = Subject::token("d", &grants(own)).in_roles(roles.iter().copied()).in_segment(*segment);
        let second = Duration::from_secs(1);
        assert_eq!(policy.decide(NOW, &token.clone().until(NOW + second), *verb, topic).cause(), *cause);
        let expired = token.clone().until(NOW);
        assert_eq!(policy.decide(NOW, &expired, *verb, topic).cause(), Some(Expired), "row {number}");
        assert!(!policy.sees(NOW, &expired, topic));
        let revoked = token.until(NOW).revoked();
        assert_eq!(policy.decide(NOW, &revoked, *verb, topic).cause(), Some(Revoked), "row {number}");
        assert!(!policy.sees(NOW, &revoked, topic));
    }
}

#[test]
fn an_administrator_may_everything_and_only_a_device_is_one() {
    let policy = Policy::new(site()).unwrap();
    let device = Subject::device("admin", &Grants::administrator());
    assert!(policy.decide(NOW, &device, Configure, "a/1").is_allowed() && policy.sees(NOW, &device, "a/1"));
    assert_eq!(policy.prefixes(&device).collect::<Vec<_>>(), [""]);
    for subject in
        [Subject::token("admin", &Grants::administrator()), Subject::anyone(&Grants::administrator())]
    {
        assert_eq!(policy.decide(NOW, &subject, Read, "x").cause(), Some(NoGrant));
        assert!(!subject.is_administrator());
    }
}

#[test]
fn the_rules_that_spoke_are_named() {
    let policy = Policy::new(site()).unwrap();
    let own = grants(&[("a/#", Permissions::READ)]);
    let device = Subject::device("d", &own).in_roles(["operator", "gone"]).in_segment(Some("room"));
    let told = |verb, topic| {
        let decision = policy.decide(NOW, &device, verb, topic);
        let rules = decision.rules();
        let lines = rules.iter().map(|rule| format!("{} {rule}", if rule.is_for() { '+' } else { '-' }));
        std::iter::once(decision.to_string()).chain(lines).collect::<Vec<_>>()
    };
    assert_eq!(
        told(Publish, "a/1/temp"),
        [
            "allowed",
            "- its own grant 0 gives only read on a/#",
            "+ role `operator`, grant 0 gives publish+read on a/#",
            "- it has the role `gone`, which does not exist",
            "+ bridge 0, room <-> plant-a, lets publish+read through on a/+/temp room/alarm",
        ]
    );
    assert_eq!(
        told(Read, "b/1"),
        [
            "refused: the topic is in another segment, and no bridge lets this through",
            "+ role `operator`, grant 1 gives publish+read on b/#",
            "- it has the role `gone`, which does not exist",
            "- no bridge leads from its segment, `room`, to the topic's, `plant-b`",
        ]
    );
    assert_eq!(
        told(Read, "x"),
        [
            "refused: no grant matches the topic",
            "- no grant matches the topic",
            "- it has the role `gone`, which does not exist",
            "+ the topic is in no segment",
        ]
    );
}

#[test]
fn what_makes_no_sense_is_refused_and_says_so() {
    let changed = |change: &dyn Fn(&mut Definition)| {
        let mut definition = site();
        change(&mut definition);
        Policy::new(definition).unwrap_err().to_string()
    };
    let twice = |definition: &mut Definition| {
        let role = definition.roles[0].clone();
        definition.roles.push(role);
    };
    assert!(changed(&twice).contains("`sensor` is there twice"));
    assert!(changed(&|it| it.roles[0].name = "a b".into()).contains("use 1 to 64 letters"));
    assert!(changed(&|it| it.roles[0].grants = Grants::administrator()).contains("enrol them with --admin"));
    assert!(changed(&|it| it.segments[0].topics.push("b".into())).contains("belongs to one segment"));
    assert!(changed(&|it| it.segments[0].topics.push("c/#".into())).contains("write `c`"));
    assert!(changed(&|it| it.segments[0].topics.push("c//d".into())).contains("empty level"));
    assert!(changed(&|it| it.bridges[0].to = "gone".into()).contains("`gone`, which does not exist"));
    assert!(changed(&|it| it.bridges[0].to = "room".into()).contains("to itself"));
    assert!(changed(&|it| it.bridges[0].topics.clear()).contains("lets nothing through"));
    assert!(
        changed(&|it| it.bridges[0].permissions = Permissions::APP_GROUP).contains("lets nothing through")
    );
}

#[test]
fn definitions_read_back() {
    let bytes = minicbor::to_vec(site()).unwrap();
    assert_eq!(minicbor::decode::<Definition>(&bytes).unwrap(), site());
}

/// The plain reading of the rules, over owned texts and without any table.
mod reference {
    use super::*;

    fn matches(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((&"#", _)), _) => true,
            (Some((wanted, pattern)), Some((level, name))) => {
                (*wanted == "+" || wanted == level) && matches(pattern, name)
            }
            _ => false,
        }
    }

    fn carries(pattern: &TopicPattern, permissions: Permissions, verb: Verb, topic: &str) -> bool {
        let (pattern, topic): (Vec<_>, Vec<_>) =
            (pattern.as_str().split('/').collect(), topic.split('/').collect());
        permissions.contains(verb.permission()) && matches(&pattern, &topic)
    }

    fn segment<'d>(definition: &'d Definition, topic: &str) -> Option<&'d str> {
        let under = |prefix: &str| topic == prefix || topic.starts_with(&format!("{prefix}/"));
        let all = definition.segments.iter().flat_map(|it| it.topics.iter().map(move |prefix| (prefix, it)));
        let of_topic = all.filter(|(prefix, _)| under(prefix));
        of_topic.max_by_key(|(prefix, _)| prefix.len()).map(|(_, segment)| segment.name.as_str())
    }

    pub(super) fn allows(
        definition: &Definition,
        (own, roles, from): (&Grants, &[String], Option<&str>),
        verb: Verb,
        topic: &str,
    ) -> bool {
        let of_roles = definition.roles.iter().filter(|role| roles.contains(&role.name));
        let mut grants = own.list().iter().chain(of_roles.flat_map(|role| role.grants.list()));
        let granted = grants.any(|grant| carries(&grant.pattern, grant.permissions, verb, topic));
        let to = segment(definition, topic);
        let bridged = definition.bridges.iter().any(|it| {
            let ends = (Some(it.from.as_str()), Some(it.to.as_str()));
            (ends == (from, to) || it.both && ends == (to, from))
                && it.topics.iter().any(|pattern| carries(pattern, it.permissions, verb, topic))
        });
        granted && (to.is_none() || to == from || bridged)
    }
}

/// Few letters and few levels, so that everything meets often.
fn topic() -> impl Strategy<Value = String> {
    proptest::collection::vec("[ab]", 1..5).prop_map(|levels| levels.join("/"))
}

fn any_grants(most: usize) -> impl Strategy<Value = Grants> {
    let pattern = (proptest::collection::vec("[ab+]", 0..4), "[ab+#]").prop_map(|(mut levels, last)| {
        levels.push(last);
        pattern(&levels.join("/"))
    });
    let grant = (pattern, 0u64..32)
        .prop_map(|(pattern, bits)| Grant { pattern, permissions: Permissions::from_bits(bits).unwrap() });
    proptest::collection::vec(grant, 0..most).prop_map(Grants::from_iter)
}

fn any_definition() -> impl Strategy<Value = Definition> {
    let roles = proptest::collection::vec(any_grants(20), 0..4);
    let prefixes = proptest::collection::btree_map(topic(), 0usize..3, 0..4);
    let bridges = proptest::collection::vec((0usize..3, 1usize..3, any::<bool>(), any_grants(10)), 0..3);
    (roles, prefixes, bridges).prop_map(|(roles, prefixes, bridges)| {
        let role = |(number, grants)| Role { name: format!("r{number}"), grants };
        let in_segment = |number| {
            let own = prefixes.iter().filter(move |(_, segment)| **segment == number);
            own.map(|(prefix, _)| prefix.as_str()).collect::<Vec<_>>()
        };
        let bridge = |(from, step, both, grants): (usize, usize, bool, Grants)| Bridge {
            from: format!("s{from}"),
            to: format!("s{}", (from + step) % 3),
            both,
            topics: grants.list().iter().map(|grant| grant.pattern.clone()).collect(),
            permissions: grants.list().first().map_or(Permissions::NONE, |grant| grant.permissions),
        };
        let useful = |bridge: &Bridge| bridge.permissions.intersects(Permissions::ON_TOPICS);
        Definition {
            roles: roles.into_iter().enumerate().map(role).collect(),
            segments: (0..3).map(|number| segment(&format!("s{number}"), &in_segment(number))).collect(),
            bridges: bridges.into_iter().map(bridge).filter(useful).collect(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// The decision equals the reference; and it is what the rules it names add up to.
    #[test]
    fn decisions_equal_the_reference(
        definition in any_definition(),
        own in any_grants(12),
        roles in proptest::collection::vec("r[0-4]", 0..3),
        segment in proptest::option::of("s[0-3]"),
        topics in proptest::collection::vec(topic(), 8),
        lifetime in 0u64..3,
        age in 0u64..4,
    ) {
        let policy = Policy::new(definition.clone()).unwrap();
        let subject = Subject::device("d", &own)
            .in_roles(roles.iter().map(String::as_str))
            .in_segment(segment.as_deref());
        let holder = (&own, roles.as_slice(), segment.as_deref());
        for topic in &topics {
            let mut sees = false;
            for verb in Verb::ALL {
                let decision = policy.decide(NOW, &subject, verb, topic);
                let expected = reference::allows(&definition, holder, verb, topic);
                prop_assert_eq!(decision.is_allowed(), expected, "{} {} {:#?}", verb, topic, decision.rules());
                sees |= expected;
                let rules = decision.rules();
                let spoke = |granting: bool| rules.iter().any(|rule| {
                    rule.is_for() && granting == matches!(rule, Rule::Grant { .. })
                });
                prop_assert_eq!(expected, spoke(true) && spoke(false), "{:#?}", rules);
                let silent = !rules.iter().any(|rule| matches!(rule, Rule::Grant { grant, .. }
                    if grant.permissions != Permissions::NONE));
                prop_assert_eq!(silent, decision.cause() == Some(NoGrant));
            }
            prop_assert_eq!(policy.sees(NOW, &subject, topic), sees);
            // The bearer of a token with these rights may the same, until it ends or is taken back.
            let token = Subject::token("d", &own)
                .in_roles(roles.iter().map(String::as_str))
                .in_segment(segment.as_deref())
                .until(NOW + Duration::from_micros(1 + lifetime));
            for (at, token) in [(age, &token), (age, &token.clone().revoked())] {
                let at = NOW + Duration::from_micros(at);
                for verb in Verb::ALL {
                    let expected = !token.is_revoked()
                        && age <= lifetime
                        && reference::allows(&definition, holder, verb, topic);
                    prop_assert_eq!(policy.decide(at, token, verb, topic).is_allowed(), expected);
                }
            }
            if sees {
                prop_assert!(policy.prefixes(&subject).any(|prefix| topic.starts_with(prefix)));
            }
        }
    }
}
