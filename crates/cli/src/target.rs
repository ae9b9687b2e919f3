//! What a user means by `coaps://host/d/site/7/temp`, or by `site/7/temp`.

use sedge_client::TOPIC_DATA;
use sedge_client::tokio::Address;
use sedge_coap::uri::Uri;

use crate::failure::Failure;

/// A topic, and the broker if the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) broker: Option<Address>,
    pub(crate) topic: String,
}

impl Target {
    /// Reads a topic's URI or its bare name.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let target = if text.contains("://") { Self::from_uri(text)? } else { Self::from_name(text)? };
        if target.topic.split('/').any(|level| matches!(level, "+" | "#")) {
            return Err(Failure::usage(format!(
                "`{}` is a pattern: name the topics one by one (`sedge topic list` shows them)",
                target.topic
            )));
        }
        Ok(target)
    }

    fn from_name(text: &str) -> Result<Self, Failure> {
        match text.strip_prefix('/').unwrap_or(text) {
            "" => Err(Failure::usage("the topic is missing: write for example site/7/temp")),
            topic => Ok(Self { broker: None, topic: topic.into() }),
        }
    }

    fn from_uri(text: &str) -> Result<Self, Failure> {
        let broker = Address::parse(text).map_err(Failure::usage)?;
        let uri = Uri::parse(text).map_err(|error| Failure::usage(format!("`{text}`: {error}")))?;
        let segments: Option<Vec<String>> =
            uri.path().map(|segment| String::from_utf8(segment.bytes().collect()).ok()).collect();
        match segments.unwrap_or_default().split_first() {
            Some((first, topic)) if first == TOPIC_DATA && topic.iter().any(|level| !level.is_empty()) => {
                Ok(Self { broker: Some(broker), topic: topic.join("/") })
            }
            _ => Err(Failure::usage(format!(
                "`{text}` is no topic: write {broker}/{TOPIC_DATA}/TOPIC, or only TOPIC for the broker of \
                 the credential"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_and_names_are_topics() {
        let full = Target::parse("coaps://h:1/d/site/7/temp").unwrap();
        assert_eq!((full.topic.as_str(), full.broker.unwrap().port), ("site/7/temp", 1));
        assert_eq!(Target::parse("coaps://h/d/caf%C3%A9").unwrap().topic, "café");
        assert_eq!(Target::parse("site/7").unwrap(), Target { broker: None, topic: "site/7".into() });
        assert_eq!(Target::parse("/site/7").unwrap().topic, "site/7");
        for wrong in [
            "",
            "/",
            "coaps://h",
            "coaps://h/",
            "coaps://h/d",
            "coaps://h/d/",
            "coaps://h/x/y",
            "http://h/d/x",
            "a/+/b",
            "#",
        ] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }
}
