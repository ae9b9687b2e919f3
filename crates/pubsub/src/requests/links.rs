//! The links of the topic collection, in CoRE Link Format
//! ([RFC 6690](https://www.rfc-editor.org/rfc/rfc6690)).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sedge_access::Caller;
use sedge_coap::link_format::{self, LinkWriter};
use sedge_coap::{ContentFormat, Message};
use sedge_time::Instant;

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

    fn passes(&self, filter: &link_format::Filter<'_>) -> bool {
        let format = match self.kind {
            Kind::Configuration => Some(ContentFormat::CORE_PUBSUB),
            Kind::Data => self.topic.configuration().content_format,
        };
        let format = format.map(|format| format.0.to_string());
        let ct = format.as_deref().map(|format| ("ct", format));
        filter.matches(&self.target, ct.into_iter().chain([("rt", self.resource_type())]))
    }
}

/// The query of a GET on the collection. Without one, all topics are meant, and not their data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'m>(pub(super) &'m Message<'m>);

impl Query<'_> {
    pub(super) fn picks(&self, link: &Link<'_>) -> bool {
        let mut arguments = self.0.uri_query().map(link_format::Filter::new).peekable();
        if arguments.peek().is_none() {
            return link.is_configuration();
        }
        arguments.all(|filter| filter.is_some_and(|filter| link.passes(&filter)))
    }

    /// Whether it leaves open of what type a link is, so that each has to say.
    pub(super) fn leaves_types_open(&self) -> bool {
        let exact = |argument: &[u8]| argument.starts_with(b"rt=") && !argument.ends_with(b"*");
        let mut arguments = self.0.uri_query().peekable();
        arguments.peek().is_some() && !arguments.any(exact)
    }
}

/// Writes those links that `picks` picks among the topics that the caller may know of, and their data.
pub(super) fn write(
    topics: &Topics,
    now: Instant,
    caller: Caller<'_>,
    picks: impl Fn(&Link<'_>) -> bool,
    with_types: bool,
) -> Vec<u8> {
    let mut document = String::new();
    let mut writer = LinkWriter::new(&mut document);
    for topic in visible(topics, now, caller) {
        for link in [Link::to_configuration(topic), Link::to_data(topic)] {
            if picks(&link) {
                // Writing to memory does not fail.
                let _ = writer.link(&link.target);
                if with_types {
                    let _ = writer.attribute("rt", link.resource_type());
                }
            }
        }
    }
    document.into_bytes()
}

/// The topics that the caller may know of. Only the stretches of names are walked that its patterns begin
/// with, so that a device with a few topics is no burden on a broker with a hundred thousand.
fn visible<'t>(topics: &'t Topics, now: Instant, caller: Caller<'t>) -> impl Iterator<Item = &'t Topic> {
    let mut prefixes: Vec<&str> = caller.prefixes().collect();
    prefixes.sort_unstable();
    prefixes.dedup_by(|later, earlier| later.starts_with(*earlier));
    prefixes.into_iter().flat_map(move |prefix| {
        let stretch = topics.iter_from(prefix).map(|(_, topic)| topic);
        stretch
            .take_while(move |topic| topic.identity().name.as_str().starts_with(prefix))
            .filter(move |topic| caller.sees(now, topic.identity().name.as_str()))
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
