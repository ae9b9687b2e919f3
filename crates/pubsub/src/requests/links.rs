//! The links of the topic collection, in CoRE Link Format
//! ([RFC 6690](https://www.rfc-editor.org/rfc/rfc6690)).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sedge_access::Grants;
use sedge_coap::{ContentFormat, Message};

use crate::name::COLLECTION;
use crate::{Topic, Topics};

/// The resource type of topics.
const CORE_PS_CONF: &str = "core.ps.conf";

/// A link to a topic, or to its data.
#[derive(Clone, Debug)]
pub(super) struct Link<'t> {
    pub(super) topic: &'t Topic,
    target: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Configuration,
    Data,
}

impl<'t> Link<'t> {
    fn to_configuration(topic: &'t Topic) -> Self {
        let target = format!("/{COLLECTION}/{}", number_segment(topic.number()));
        Self { topic, target, kind: Kind::Configuration }
    }

    fn to_data(topic: &'t Topic) -> Self {
        Self { topic, target: topic.identity().data_uri(), kind: Kind::Data }
    }

    pub(super) fn is_configuration(&self) -> bool {
        self.kind == Kind::Configuration
    }

    fn resource_type(&self) -> &str {
        match self.kind {
            Kind::Configuration => CORE_PS_CONF,
            Kind::Data => self.topic.identity().resource_type(),
        }
    }

    fn content_format(&self) -> Option<ContentFormat> {
        match self.kind {
            Kind::Configuration => Some(ContentFormat::CORE_PUBSUB),
            Kind::Data => self.topic.configuration().content_format,
        }
    }
}

/// The query of a GET on the collection ([RFC 6690 §4.1](https://www.rfc-editor.org/rfc/rfc6690#section-4.1)):
/// `attribute=value`, where the value may end in `*`. Without one, all topics are meant, and not their data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter<'m> {
    message: &'m Message<'m>,
}

impl<'m> Filter<'m> {
    pub(super) const fn new(message: &'m Message<'m>) -> Self {
        Self { message }
    }

    fn conditions(&self) -> impl Iterator<Item = (&'m str, &'m str)> {
        let text = |argument| core::str::from_utf8(argument).unwrap_or_default();
        self.message.uri_query().map(move |argument| text(argument).split_once('=').unwrap_or(("", "")))
    }

    pub(super) fn picks(&self, link: &Link<'_>) -> bool {
        let mut conditions = self.conditions().peekable();
        if conditions.peek().is_none() {
            return link.is_configuration();
        }
        conditions.all(|(attribute, wanted)| match attribute {
            "rt" => agrees(link.resource_type(), wanted),
            "href" => agrees(&link.target, wanted),
            "ct" => link.content_format().is_some_and(|format| agrees(&format!("{}", format.0), wanted)),
            _ => false,
        })
    }

    /// Whether each link has to say of what type it is, since the query leaves that open.
    pub(super) fn names_types(&self) -> bool {
        let exact = |(attribute, wanted): (&str, &str)| attribute == "rt" && !wanted.ends_with('*');
        let mut conditions = self.conditions().peekable();
        conditions.peek().is_some() && !conditions.any(exact)
    }
}

fn agrees(value: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => value.starts_with(start),
        None => value == wanted,
    }
}

/// Writes those links that `picks` picks among the topics that the caller may know of, and their data.
pub(super) fn write(
    topics: &Topics,
    grants: &Grants,
    picks: impl Fn(&Link<'_>) -> bool,
    with_types: bool,
) -> Vec<u8> {
    let mut document = String::new();
    for topic in visible(topics, grants) {
        for link in [Link::to_configuration(topic), Link::to_data(topic)] {
            if !picks(&link) {
                continue;
            }
            if !document.is_empty() {
                document.push(',');
            }
            document.push('<');
            document.push_str(&link.target);
            document.push('>');
            if with_types {
                document.push_str(";rt=\"");
                document.push_str(link.resource_type());
                document.push('"');
            }
        }
    }
    document.into_bytes()
}

/// The topics that the caller may know of. Only the stretches of names are walked that its patterns begin
/// with, so that a device with a few topics is no burden on a broker with a hundred thousand.
fn visible<'t>(topics: &'t Topics, grants: &'t Grants) -> impl Iterator<Item = &'t Topic> {
    let mut prefixes: Vec<&str> = match grants.is_administrator() {
        true => alloc::vec![""],
        false => grants.list().iter().map(|grant| grant.pattern.prefix()).collect(),
    };
    prefixes.sort_unstable();
    prefixes.dedup_by(|later, earlier| later.starts_with(*earlier));
    prefixes.into_iter().flat_map(move |prefix| {
        let stretch = topics.iter_from(prefix).map(|(_, topic)| topic);
        stretch
            .take_while(move |topic| topic.identity().name.as_str().starts_with(prefix))
            .filter(|topic| grants.sees(topic.identity().name.as_str()))
    })
}

/// The path segment of a topic's configuration resource.
pub(super) fn number_segment(number: u32) -> String {
    format!("{number:08x}")
}

/// The number in a path segment that [`number_segment`] made.
pub(super) fn parse_number(segment: &[u8]) -> Option<u32> {
    let digits = core::str::from_utf8(segment).ok().filter(|digits| digits.len() == 8)?;
    let lower_case = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if lower_case { u32::from_str_radix(digits, 16).ok() } else { None }
}
