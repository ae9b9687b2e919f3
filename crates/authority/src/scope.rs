//! How much of what a client asks for it is given.

use sedge_access::{Grant, Grants, Permissions, TopicPattern};

/// The part of `wanted` that `held` covers: for each pattern the permissions that grants on patterns at least as wide
/// give. Nobody is given more than they hold, and nothing that they did not ask for.
pub(crate) fn granted(held: &Grants, wanted: &Grants) -> Grants {
    let part = |grant: &Grant| {
        let permissions = match held.is_administrator() {
            true => grant.permissions,
            false => intersection(grant.permissions, on(held, &grant.pattern)),
        };
        Some(Grant { permissions, ..grant.clone() }).filter(|grant| grant.permissions != Permissions::NONE)
    };
    wanted.list().iter().filter_map(part).collect()
}

/// Everything that the holder may do.
pub(crate) fn everything(held: &Grants) -> Grants {
    if !held.is_administrator() {
        return held.clone();
    }
    let all = Permissions::ADMIN | Permissions::PUBLISH | Permissions::READ | Permissions::DELETE;
    Grants::none().with(TopicPattern::everything(), all)
}

/// The permissions that the grants give on every topic that `pattern` stands for.
fn on(grants: &Grants, pattern: &TopicPattern) -> Permissions {
    let covering = grants.list().iter().filter(|grant| covers(grant.pattern.as_str(), pattern.as_str()));
    covering.fold(Permissions::NONE, |all, grant| all | grant.permissions)
}

fn intersection(a: Permissions, b: Permissions) -> Permissions {
    Permissions::from_bits(u64::from(a.bits() & b.bits())).unwrap_or(Permissions::NONE)
}

/// Whether every topic that `narrow` stands for is one that `wide` stands for.
fn covers(wide: &str, narrow: &str) -> bool {
    let mut levels = narrow.split('/');
    for wanted in wide.split('/') {
        let covered = match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(level)) => level != "#",
            (exact, Some(level)) => level == exact,
            (_, None) => false,
        };
        if !covered {
            return false;
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> TopicPattern {
        TopicPattern::new(text).unwrap()
    }

    #[test]
    fn nobody_gets_more_than_they_hold_or_asked_for() {
        let (read, publish) = (Permissions::READ, Permissions::PUBLISH);
        let held = Grants::none().with(pattern("a/#"), read).with(pattern("a/+/x"), publish);
        for (wanted, permissions, expected) in [
            ("a/b/x", read | publish, read | publish),
            ("a/b/y", read | publish, read),
            ("a/+/x", publish, publish),
            ("a/+/+", read | publish, read),
            ("a/#", read, read),
            ("#", read, Permissions::NONE),
            ("+", read, Permissions::NONE),
            ("b", read | publish, Permissions::NONE),
        ] {
            let given = granted(&held, &Grants::none().with(pattern(wanted), permissions));
            let given = given.list().first().map_or(Permissions::NONE, |grant| grant.permissions);
            assert_eq!(given, expected, "{wanted}");
        }
        let all = Grants::none().with(pattern("#"), read | publish);
        assert_eq!(granted(&Grants::administrator(), &all), all);
    }

    fn names(wildcards: bool) -> impl Strategy<Value = alloc::string::String> {
        let text = if wildcards { "[ab+](/[ab+]){0,3}(/#)?" } else { "[ab](/[ab]){0,3}" };
        proptest::string::string_regex(text).unwrap()
    }

    proptest! {
        #[test]
        fn what_covers_matches_all_that_is_covered(wide in names(true), narrow in names(true), topic in names(false)) {
            if covers(&wide, &narrow) && pattern(&narrow).matches(&topic) {
                prop_assert!(pattern(&wide).matches(&topic));
            }
        }
    }
}
