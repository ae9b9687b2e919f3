//! Who may do what, beside what devices are granted themselves: roles, segments and the bridges between them.

use std::collections::BTreeMap;
use std::fmt;

use sedge_access::{self as access, Definition, Grants, Permissions, PolicyError, TopicPattern, Verb};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What everyone may do who has the role.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Role {
    /// Topics that may be published to.
    #[serde(deserialize_with = "patterns")]
    pub publish: Vec<TopicPattern>,
    /// Topics that may be read and observed.
    #[serde(deserialize_with = "patterns")]
    pub subscribe: Vec<TopicPattern>,
    /// Topics whose value may be deleted.
    #[serde(deserialize_with = "patterns")]
    pub delete: Vec<TopicPattern>,
    /// Topics that may be created, configured and removed.
    #[serde(deserialize_with = "patterns")]
    pub configure: Vec<TopicPattern>,
}

/// Topics that belong together, apart from others.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Segment {
    /// How their names begin.
    pub topics: Vec<String>,
}

/// A way from one segment to another.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    /// Devices of this segment ...
    pub from: String,
    /// ... reach topics of this one.
    pub to: String,
    /// And the other way round.
    #[serde(default)]
    pub both: bool,
    /// Which topics; all if not given.
    #[serde(default = "everything", deserialize_with = "patterns")]
    pub topics: Vec<TopicPattern>,
    /// To do what there; anything if not given.
    #[serde(default = "anything", deserialize_with = "verbs")]
    pub verbs: Vec<Verb>,
}

/// The rules that a configuration holds.
pub(super) fn definition(
    roles: &BTreeMap<String, Role>,
    segments: &BTreeMap<String, Segment>,
    bridges: &[Bridge],
) -> Definition {
    let bridge = |bridge: &Bridge| access::Bridge {
        from: bridge.from.clone(),
        to: bridge.to.clone(),
        both: bridge.both,
        topics: bridge.topics.clone(),
        permissions: bridge.verbs.iter().fold(Permissions::NONE, |all, verb| all | verb.permission()),
    };
    Definition {
        roles: roles
            .iter()
            .map(|(name, role)| access::Role { name: name.clone(), grants: role.grants() })
            .collect(),
        segments: segments
            .iter()
            .map(|(name, segment)| access::Segment { name: name.clone(), topics: segment.topics.clone() })
            .collect(),
        bridges: bridges.iter().map(bridge).collect(),
    }
}

impl Role {
    fn grants(&self) -> Grants {
        granting(&self.publish, Permissions::PUBLISH)
            .chain(granting(&self.subscribe, Permissions::READ))
            .chain(granting(&self.delete, Permissions::DELETE))
            .chain(granting(&self.configure, Permissions::ADMIN))
            .collect()
    }
}

fn granting(patterns: &[TopicPattern], permissions: Permissions) -> impl Iterator<Item = access::Grant> {
    patterns.iter().cloned().map(move |pattern| access::Grant { pattern, permissions })
}

/// One line for `error`, with the line of `text` that it is about as far as that can be found.
pub(super) fn explain(text: &str, error: &PolicyError) -> String {
    let needles = match error {
        PolicyError::Name(name) | PolicyError::Twice(name) | PolicyError::Administrator(name) => {
            vec![format!(".{name}]"), format!("\"{name}\"]"), format!("{name} =")]
        }
        PolicyError::Prefix { prefix, .. } | PolicyError::Shared(prefix) => vec![format!("\"{prefix}\"")],
        PolicyError::NoSegment(name) => vec![format!("from = \"{name}\""), format!("to = \"{name}\"")],
        PolicyError::Loop(name) | PolicyError::Useless(name) => vec![format!("from = \"{name}\"")],
    };
    // The later of two that are the same is the one too many.
    let found = |needle: &String| text.lines().enumerate().filter(|(_, line)| line.contains(needle)).last();
    match needles.iter().find_map(found) {
        Some((number, _)) => format!("line {}: {error}", number + 1),
        None => error.to_string(),
    }
}

/// `[bridge]` for one, `[[bridge]]` for several.
pub(super) fn bridges<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bridge>, D::Error> {
    struct OneOrMany;
    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<Bridge>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a section [bridge], or several [[bridge]]")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Bridge>, A::Error> {
            Ok(vec![Bridge::deserialize(MapAccessDeserializer::new(map))?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut bridges: A) -> Result<Vec<Bridge>, A::Error> {
            std::iter::from_fn(|| bridges.next_element().transpose()).collect()
        }
    }
    deserializer.deserialize_any(OneOrMany)
}

fn everything() -> Vec<TopicPattern> {
    vec![TopicPattern::everything()]
}

fn anything() -> Vec<Verb> {
    Verb::ALL.to_vec()
}

fn patterns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TopicPattern>, D::Error> {
    let pattern = |text: String| {
        TopicPattern::new(&text).map_err(|error| D::Error::custom(format!("`{text}` is no pattern: {error}")))
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(pattern).collect()
}

fn verbs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Verb>, D::Error> {
    let verb = |text: String| {
        text.parse().map_err(|_| {
            D::Error::custom(format!("`{text}` is none of the verbs publish, subscribe, delete, configure"))
        })
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(verb).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const SITE: &str = "\
[role.reader]
subscribe = [\"+/temp\", \"x/#\"]
[role.\"keeper.2\"]
publish = [\"x/1\"]
delete = [\"x/1\"]
configure = [\"x/#\"]
[segment.north]
topics = [\"n\", \"shared/n\"]
[segment.south]
topics = [\"s\"]
";

    #[test]
    fn roles_segments_and_bridges_are_read() {
        let one = format!("{SITE}[bridge]\nfrom = \"north\"\nto = \"south\"\n");
        let definition = Config::parse(&one).unwrap().access();
        assert_eq!(definition.roles.len(), 2);
        assert_eq!(definition.roles[1].name, "reader");
        let pattern = TopicPattern::new("+/temp").unwrap();
        assert_eq!(
            definition.roles[1].grants.list()[0],
            access::Grant { pattern, permissions: Permissions::READ }
        );
        assert_eq!(definition.segments[0].topics, ["n", "shared/n"]);
        let bridge = &definition.bridges[0];
        assert_eq!((bridge.from.as_str(), bridge.to.as_str(), bridge.both), ("north", "south", false));
        assert_eq!(
            (bridge.topics.as_slice(), bridge.permissions),
            (&everything()[..], Permissions::ON_TOPICS)
        );

        let several = format!(
            "{SITE}[[bridge]]\nfrom = \"north\"\nto = \"south\"\nboth = true\n\
             [[bridge]]\nfrom = \"south\"\nto = \"north\"\ntopics = [\"n/a\"]\nverbs = [\"subscribe\"]\n"
        );
        let definition = Config::parse(&several).unwrap().access();
        assert!(definition.bridges[0].both);
        assert_eq!(definition.bridges[1].permissions, Permissions::READ);
        assert_eq!(Config::default().access(), Definition::default());
    }

    #[test]
    fn mistakes_are_shown_with_their_line_and_what_would_be_right() {
        for (added, line, hint) in [
            ("[role.x]\npublish = [\"a/#/b\"]\n", 12, "`a/#/b` is no pattern: # is only allowed"),
            ("[role.x]\npublsh = [\"a\"]\n", 12, "the nearest is `publish`"),
            ("[role.\"a b\"]\n", 11, "use 1 to 64 letters"),
            ("[rol.x]\n", 11, "the nearest is `role`"),
            ("[segment.x]\ntopics = [\"x/#\"]\n", 12, "write `x`"),
            ("[segment.x]\ntopics = [\"s\"]\n", 12, "belongs to one segment"),
            ("[bridge]\nfrom = \"north\"\nto = \"west\"\n", 13, "`west`, which does not exist"),
            ("[bridge]\nfrom = \"north\"\nto = \"north\"\n", 12, "to itself"),
            ("[[bridge]]\nfrom = \"north\"\n", 11, "missing field `to`"),
            ("[bridge]\nfrom = \"north\"\nto = \"south\"\nverbs = [\"fly\"]\n", 14, "publish, subscribe"),
            ("[bridge]\nfrom = \"north\"\nto = \"south\"\nverbs = []\n", 12, "lets nothing through"),
            ("[bridge]\nform = \"north\"\nto = \"south\"\n", 12, "the nearest is `from`"),
        ] {
            let message = Config::parse(&format!("{SITE}{added}")).unwrap_err().to_string();
            let right = message.starts_with(&format!("line {line}: ")) && message.contains(hint);
            assert!(right && !message.contains('\n'), "{added}: {message}");
        }
    }
}
