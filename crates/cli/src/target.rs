//! What a user means by `coaps://host/d/site/7/temp`, or by `site/7/temp`.

use sedge_client::TOPIC_DATA;
use sedge_client::tokio::Address;

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
        let Some((scheme, _)) = text.split_once("://") else {
            let topic = text.strip_prefix('/').unwrap_or(text);
            if topic.is_empty() {
                return Err(Failure::usage("the topic is missing: write for example site/7/temp"));
            }
            return Ok(Self { broker: None, topic: topic.into() });
        };
        let broker = Address::parse(text).map_err(Failure::usage)?;
        let path = text.get(scheme.len() + 3..).and_then(|rest| rest.split_once('/')).map(|(_, path)| path);
        let topic =
            path.and_then(|path| path.strip_prefix(TOPIC_DATA)).and_then(|path| path.strip_prefix('/'));
        match topic {
            Some(topic) if !topic.is_empty() => Ok(Self { broker: Some(broker), topic: topic.into() }),
            _ => Err(Failure::usage(format!(
                "`{text}` is no topic: write {broker}/{TOPIC_DATA}/TOPIC, or only TOPIC for the broker of the credential"
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
        ] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }
}
