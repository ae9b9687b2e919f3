use alloc::string::String;
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
    assert_eq!("subscribe".parse(), Ok(Verb::Read));
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

/// Few letters and few levels, so that patterns and names meet often.
fn pattern_levels() -> impl Strategy<Value = Vec<String>> {
    (proptest::collection::vec("[ab+]", 0..4), "[ab+#]").prop_map(|(mut levels, last)| {
        levels.push(last);
        levels
    })
}

proptest! {
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

#[test]
fn a_scope_says_what_it_says_in_one_way() {
    let scope = Grants::none()
        .with(pattern("site/+/temp"), Permissions::PUBLISH | Permissions::READ | Permissions::APP_GROUP)
        .with(pattern("#"), Permissions::DELETE);
    let bytes = scope.to_scope();
    assert_eq!(bytes, b"\x82\x82\x6bsite/+/temp\x0e\x82\x61#\x10");
    assert_eq!(Grants::from_scope(&bytes), Ok(scope));
    assert_eq!(Grants::from_scope(&[0x80]), Ok(Grants::none()));
    for (bad, error) in [
        (&b""[..], ScopeError::Malformed),
        (b"\x81\x82\x61a\x08\x00", ScopeError::Malformed), // something follows
        (b"\x81\x82\x61a", ScopeError::Malformed),         // something is missing
        (b"\x81\x82\x61a\x18\x08", ScopeError::Malformed), // not the shortest form
        (b"\x98\x01\x82\x61a\x08", ScopeError::Malformed),
        (b"\x81\x82\x78\x01a\x08", ScopeError::Malformed),
        (b"\x9f\x82\x61a\x08\xff", ScopeError::Malformed), // of indefinite length
        (b"\x81\x9f\x61a\x08\xff", ScopeError::Malformed),
        (b"\x81\x82\x7f\x61a\xff\x08", ScopeError::Malformed),
        (b"\x81\x83\x61a\x08\x08", ScopeError::Malformed), // three things
        (b"\x81\x82\x41a\x08", ScopeError::Malformed),     // bytes, not text
        (b"\x81\x82\x61\xff\x08", ScopeError::Malformed),  // not UTF-8
        (b"\x81\x82\x61a\x27", ScopeError::Malformed),     // a negative number
        (b"\xa1\x61a\x08", ScopeError::Malformed),         // a map
        (b"\x61a", ScopeError::Malformed),                 // a plain text
        (b"\x81\x82\x61a\x18\x20", ScopeError::UnknownPermission),
        (b"\x81\x82\x61a\x1b\x00\x00\x01\x00\x00\x00\x00\x08", ScopeError::UnknownPermission),
        (b"\x81\x82\x63#/a\x08", ScopeError::Pattern(PatternError::RestNotLast)),
        (b"\x81\x82\x60\x08", ScopeError::Pattern(PatternError::Name(NameError::EmptyLevel))),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", ScopeError::TooMany),
        (b"\x99\x01\x01", ScopeError::TooMany),
    ] {
        assert_eq!(Grants::from_scope(bad), Err(error), "{bad:02x?}");
    }
    let many: Grants = (0..scope::MAX_ENTRIES)
        .map(|_| Grant { pattern: pattern("a"), permissions: Permissions::READ })
        .collect();
    assert_eq!(Grants::from_scope(&many.to_scope()).unwrap().list().len(), scope::MAX_ENTRIES);
}

/// RFC 9237 section 3, figure 5: paths and methods of REST, which are no topics; without their first slash they could be.
#[test]
fn the_example_of_rfc_9237() {
    let example = b"\x83\x82\x67/s/temp\x01\x82\x66/a/led\x05\x82\x65/dtls\x02";
    assert_eq!(example.len(), 28, "as the RFC says");
    let no_topic = ScopeError::Pattern(PatternError::Name(NameError::EmptyLevel));
    assert_eq!(Grants::from_scope(example), Err(no_topic));
    let topics = b"\x83\x82\x66s/temp\x01\x82\x65a/led\x05\x82\x64dtls\x02";
    let bits = |bits| Permissions::from_bits(bits).unwrap();
    let expected = Grants::none()
        .with(pattern("s/temp"), bits(1))
        .with(pattern("a/led"), bits(5))
        .with(pattern("dtls"), bits(2));
    assert_eq!(Grants::from_scope(topics), Ok(expected));
}

proptest! {
    /// Whatever is read is written the same.
    #[test]
    fn a_scope_has_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(scope) = Grants::from_scope(&bytes) {
            prop_assert_eq!(scope.to_scope(), bytes);
        }
    }

    #[test]
    fn scopes_read_back(grants in proptest::collection::vec((pattern_levels(), 0u8..32), 0..6)) {
        let scope = grants.iter().fold(Grants::none(), |held, (levels, bits)| {
            held.with(pattern(&levels.join("/")), Permissions::from_bits(u64::from(*bits)).unwrap())
        });
        prop_assert_eq!(Grants::from_scope(&scope.to_scope()), Ok(scope));
    }
}
