use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use crate::*;

fn pattern(text: &str) -> TopicPattern {
    TopicPattern::new(text).unwrap()
}

#[test]
fn patterns_match_as_documented() {
    for (text, name, expected) in [
        ("site/7/temp", "site/7/temp", true),
        ("site/7/temp", "site/7", false),
        ("site/7", "site/7/temp", false),
        ("site/+/temp", "site/7/temp", true),
        ("site/+/temp", "site/7/8/temp", false),
        ("site/+", "site", false),
        ("+", "site", true),
        ("+", "site/7", false),
        ("site/#", "site", true),
        ("site/#", "site/7/temp", true),
        ("site/#", "sites/7", false),
        ("+/7/#", "site/7/temp/max", true),
        ("#", "anything/at/all", true),
        ("a+b", "a+b", true),
        ("a+b", "axb", false),
    ] {
        assert_eq!(pattern(text).matches(name), expected, "{text} on {name}");
    }
}

#[test]
fn the_prefix_is_what_stands_before_the_first_wildcard() {
    for (text, prefix) in [
        ("site/7/temp", "site/7/temp"),
        ("site/+/temp", "site/"),
        ("site/7/#", "site/7"),
        ("#", ""),
        ("+/a", ""),
        ("site/7/+/#", "site/7/"),
    ] {
        assert_eq!(pattern(text).prefix(), prefix, "{text}");
    }
}

#[test]
fn bad_patterns_and_names_say_what_is_wrong() {
    assert_eq!(TopicPattern::new("a/#/b"), Err(PatternError::RestNotLast));
    assert_eq!(TopicPattern::new("a//b"), Err(PatternError::Name(NameError::EmptyLevel)));
    assert_eq!(TopicPattern::new(""), Err(PatternError::Name(NameError::EmptyLevel)));
    assert_eq!(TopicPattern::new(&"a/".repeat(200)), Err(PatternError::Name(NameError::TooLong)));
    for (text, error) in [
        ("", NameError::EmptyLevel),
        ("/a", NameError::EmptyLevel),
        ("a/", NameError::EmptyLevel),
        ("a/../b", NameError::DotLevel),
        (".", NameError::DotLevel),
        ("a/+/b", NameError::Wildcard),
        ("a/#", NameError::Wildcard),
        ("a\nb", NameError::ControlCharacter),
        ("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q", NameError::TooDeep),
    ] {
        assert_eq!(name::check(text), Err(error), "{text:?}");
    }
    assert_eq!(name::check(&"a".repeat(256)), Err(NameError::TooLong));
    assert_eq!(name::check(&"a".repeat(255)), Ok(()));
    assert_eq!(name::check("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p"), Ok(()));
    assert_eq!(name::check("Küche/a+b/..."), Ok(()));
}

#[test]
fn the_decision_names_its_rule() {
    let grants = Grants::none()
        .with(pattern("site/7/#"), Permissions::READ)
        .with(pattern("site/7/temp"), Permissions::PUBLISH | Permissions::READ);
    assert_eq!(
        grants.decide(Verb::Publish, "site/7/temp").to_string(),
        "allowed by grant 1: publish+read on site/7/temp"
    );
    assert_eq!(grants.decide(Verb::Read, "site/7/temp").to_string(), "allowed by grant 0: read on site/7/#");
    assert_eq!(
        grants.decide(Verb::Delete, "site/7/temp").to_string(),
        "refused: grant 0 gives only read on site/7/#"
    );
    assert_eq!(grants.decide(Verb::Read, "site/8/temp").to_string(), "refused: no grant matches the topic");
    assert_eq!(Grants::administrator().decide(Verb::Configure, "x").to_string(), "allowed: administrator");
    assert!(!Grants::none().sees("x"));
}

/// A security group's permission says nothing about the topic of the same name.
#[test]
fn app_group_alone_permits_nothing() {
    let grants = Grants::none().with(TopicPattern::everything(), Permissions::APP_GROUP);
    assert!(!grants.sees("x"));
}

#[test]
fn bits_are_those_of_the_profile() {
    assert_eq!((Permissions::PUBLISH | Permissions::READ | Permissions::APP_GROUP).bits(), 14);
    assert_eq!(Permissions::from_bits(17), Some(Permissions::ADMIN | Permissions::DELETE));
    assert_eq!(Permissions::from_bits(32), None);
    assert_eq!(Permissions::from_bits(1 << 40), None);
}

#[test]
fn verbs_parse_by_their_names() {
    for verb in Verb::ALL {
        assert_eq!(verb.as_str().parse(), Ok(verb));
    }
    assert_eq!("fly".parse::<Verb>(), Err(UnknownVerb));
}

#[test]
fn decoding_refuses_what_encoding_never_writes() {
    let encoded = minicbor::to_vec(Grants::none().with(pattern("a/#"), Permissions::READ)).unwrap();
    assert_eq!(encoded, [0x82, 0xf4, 0x81, 0x82, 0x63, b'a', b'/', b'#', 0x08]);
    for bad in [
        &[0x82, 0xf4, 0x81, 0x82, 0x63, b'#', b'/', b'a', 0x08][..],
        &[0x82, 0xf4, 0x81, 0x82, 0x63, b'a', b'/', b'#', 0x18, 0x20],
        &[0x83, 0xf4, 0x80, 0x00],
        &[0x82, 0xf4, 0x9f, 0xff],
        &[0x82, 0xf4, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert!(minicbor::decode::<Grants>(bad).is_err(), "{bad:02x?}");
    }
}

/// The plain reading of the rules, by recursion over owned levels.
fn reference_matches(pattern: &[String], name: &[String]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((rest, _)), _) if rest == "#" => true,
        (Some((wanted, pattern)), Some((level, name))) => {
            (wanted == "+" || wanted == level) && reference_matches(pattern, name)
        }
        _ => false,
    }
}

fn reference_allows(grants: &[(Vec<String>, u8)], verb: Verb, name: &[String]) -> bool {
    let bit = match verb {
        Verb::Configure => 1,
        Verb::Publish => 4,
        Verb::Read => 8,
        Verb::Delete => 16,
    };
    grants.iter().any(|(pattern, bits)| bits & bit != 0 && reference_matches(pattern, name))
}

/// Few letters and few levels, so that patterns and names meet often.
fn levels() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[ab]", 1..5)
}

fn pattern_levels() -> impl Strategy<Value = Vec<String>> {
    (proptest::collection::vec("[ab+]", 0..4), "[ab+#]").prop_map(|(mut levels, last)| {
        levels.push(last);
        levels
    })
}

proptest! {
    #[test]
    fn decisions_equal_the_reference(
        grants in proptest::collection::vec((pattern_levels(), 0u8..32), 0..6),
        name in levels(),
    ) {
        let held: Grants = grants
            .iter()
            .map(|(levels, bits)| Grant {
                pattern: pattern(&levels.join("/")),
                permissions: Permissions::from_bits(u64::from(*bits)).unwrap(),
            })
            .collect();
        let topic = name.join("/");
        for verb in Verb::ALL {
            let decision = held.decide(verb, &topic);
            prop_assert_eq!(decision.is_allowed(), reference_allows(&grants, verb, &name));
            match decision {
                Decision::Allowed(Rule::Grant { index, grant }) => {
                    prop_assert_eq!(held.list().get(index), Some(grant));
                    prop_assert!(grant.permissions.contains(verb.permission()));
                    prop_assert!(grant.pattern.matches(&topic));
                    prop_assert!(topic.starts_with(grant.pattern.prefix()));
                }
                Decision::Refused(Refusal::NotPermitted { grant, .. }) => {
                    prop_assert!(grant.pattern.matches(&topic));
                }
                Decision::Refused(Refusal::NoMatch) => {
                    prop_assert!(held.list().iter().all(|grant| !grant.pattern.matches(&topic)));
                }
                Decision::Allowed(Rule::Administrator) => prop_assert!(false),
            }
        }
    }

    #[test]
    fn grants_survive_encoding(
        grants in proptest::collection::vec((pattern_levels(), 0u8..32), 0..6),
        administrator: bool,
    ) {
        let start = if administrator { Grants::administrator() } else { Grants::none() };
        let held = grants.iter().fold(start, |held, (levels, bits)| {
            held.with(pattern(&levels.join("/")), Permissions::from_bits(u64::from(*bits)).unwrap())
        });
        let bytes = minicbor::to_vec(&held).unwrap();
        prop_assert_eq!(minicbor::decode::<Grants>(&bytes).unwrap(), held);
    }

    #[test]
    fn decoding_anything_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(grants) = minicbor::decode::<Grants>(&bytes) {
            prop_assert!(grants.list().len() <= bytes.len());
        }
    }

    #[test]
    fn every_name_is_a_pattern_that_matches_itself(text in "[a-z./+#\u{0}-\u{20}ü]{0,12}") {
        if name::check(&text).is_ok() {
            prop_assert!(pattern(&text).matches(&text));
        }
    }
}

#[test]
fn an_attacker_cannot_make_a_decoder_reserve_memory() {
    // A length of 2^32 grants with nothing behind it fails at the first one that is missing.
    let bytes = [0x82, 0xf4, 0x9a, 0xff, 0xff, 0xff, 0xff];
    assert!(minicbor::decode::<Grants>(&bytes).is_err());
}
