//! What a topic is and how it is set up: its properties, valid by construction.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::data::Tag;
use minicbor::{Encoder, encode};
use sedge_coap::ContentFormat;

use crate::{Parameters, Property, Refusal, TopicName, UnixTime};

/// The resource type of topic data, if nothing else is agreed on.
pub const CORE_PS_DATA: &str = "core.ps.data";

/// The longest `topic-data`, `resource-type` and `topic-type`, in bytes.
pub const MAX_TEXT_LEN: usize = 255;

/// The properties that a topic keeps for life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `topic-name`
    pub name: TopicName,
    /// `topic-data`, if another server holds the data; else it is this broker's
    /// [`TopicName::data_uri`].
    pub elsewhere: Option<Box<str>>,
    /// `resource-type`; [`CORE_PS_DATA`] if `None`.
    pub resource_type: Option<Box<str>>,
}

/// The properties that can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// `topic-content-format`: the one format that values may have.
    pub content_format: Option<ContentFormat>,
    /// `topic-type`: what the values are about.
    pub topic_type: Option<Box<str>>,
    /// `expiration-date`: when the topic goes.
    pub expiration: Option<UnixTime>,
    /// `max-subscribers`: how many may subscribe at once.
    pub max_subscribers: Option<u32>,
    /// `observer-check`: the longest time between two confirmable notifications, in seconds, above 0.
    pub observer_check: u32,
    /// `initialize`: the value that the topic was created with.
    pub initialize: Option<Box<[u8]>>,
}

impl Identity {
    /// A topic of this name, whose data this broker holds.
    pub const fn named(name: TopicName) -> Self {
        Self { name, elsewhere: None, resource_type: None }
    }

    /// The identity that the parameters of a request to create a topic give it.
    ///
    /// # Errors
    /// `topic-name` or `resource-type` is missing, or one of them or `topic-data` is not valid.
    pub fn from_parameters(parameters: &Parameters<'_>) -> Result<Self, Refusal> {
        let name = parameters.name.ok_or(Refusal::Missing(Property::TopicName))?;
        let name = TopicName::new(name).map_err(Refusal::Name)?;
        let resource_type = parameters.resource_type.ok_or(Refusal::Missing(Property::ResourceType))?;
        if !is_relation_type(resource_type) {
            return Err(Refusal::Invalid(Property::ResourceType));
        }
        let elsewhere = match parameters.data {
            None => None,
            Some(uri) if uri == name.data_uri() => None,
            Some(uri) if is_elsewhere(uri) => Some(uri.into()),
            Some(_) => return Err(Refusal::Invalid(Property::TopicData)),
        };
        let resource_type = (resource_type != CORE_PS_DATA).then(|| resource_type.into());
        Ok(Self { name, elsewhere, resource_type })
    }

    /// `topic-data`
    pub fn data_uri(&self) -> String {
        self.elsewhere.as_deref().map_or_else(|| self.name.data_uri(), String::from)
    }

    /// `resource-type`
    pub fn resource_type(&self) -> &str {
        self.resource_type.as_deref().unwrap_or(CORE_PS_DATA)
    }

    /// Refuses parameters that would change what cannot change; the values it has may be repeated.
    pub(crate) fn check_unchanged(&self, parameters: &Parameters<'_>) -> Result<(), Refusal> {
        let Parameters { name, data, resource_type, .. } = *parameters;
        if name.is_some_and(|name| name != self.name.as_str()) {
            return Err(Refusal::Immutable(Property::TopicName));
        }
        if data.is_some_and(|data| data != self.data_uri()) {
            return Err(Refusal::Immutable(Property::TopicData));
        }
        if resource_type.is_some_and(|resource_type| resource_type != self.resource_type()) {
            return Err(Refusal::Immutable(Property::ResourceType));
        }
        Ok(())
    }
}

/// Nothing optional set, and the day between confirmable notifications that RFC 7641 has.
impl Default for Configuration {
    fn default() -> Self {
        Self {
            content_format: None,
            topic_type: None,
            expiration: None,
            max_subscribers: None,
            observer_check: 86_400,
            initialize: None,
        }
    }
}

impl Configuration {
    /// This configuration with what the parameters give put in place of what it had.
    ///
    /// # Errors
    /// A property is not valid, by itself or beside the others.
    pub fn updated(mut self, parameters: &Parameters<'_>, now: UnixTime) -> Result<Self, Refusal> {
        if let Some(format) = parameters.content_format {
            self.content_format = Some(format);
        }
        if let Some(topic_type) = parameters.topic_type {
            if topic_type.len() > MAX_TEXT_LEN {
                return Err(Refusal::Invalid(Property::TopicType));
            }
            self.topic_type = Some(topic_type.into());
        }
        if let Some(expiration) = parameters.expiration {
            if expiration <= now {
                return Err(Refusal::Invalid(Property::ExpirationDate));
            }
            self.expiration = Some(expiration);
        }
        if let Some(limit) = parameters.max_subscribers {
            self.max_subscribers = Some(limit);
        }
        if let Some(seconds) = parameters.observer_check {
            if seconds == 0 {
                return Err(Refusal::Invalid(Property::ObserverCheck));
            }
            self.observer_check = seconds;
        }
        if let Some(value) = parameters.initialize {
            self.initialize = Some(value.into());
        }
        self.check_initialize()?;
        Ok(self)
    }

    /// `initialize` needs `topic-content-format`, and must be valid for it.
    fn check_initialize(&self) -> Result<(), Refusal> {
        match (&self.initialize, self.content_format) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Refusal::Missing(Property::TopicContentFormat)),
            (Some(value), Some(format)) if is_plausible(value, format) => Ok(()),
            (Some(_), Some(_)) => Err(Refusal::Invalid(Property::Initialize)),
        }
    }
}

/// The representation of a topic: the CBOR map of those of its properties that `wanted` names and it has.
pub(crate) fn representation(
    identity: &Identity,
    configuration: &Configuration,
    wanted: impl Fn(Property) -> bool,
) -> Vec<u8> {
    let held = |property: &Property| match property {
        Property::TopicContentFormat => configuration.content_format.is_some(),
        Property::TopicType => configuration.topic_type.is_some(),
        Property::ExpirationDate => configuration.expiration.is_some(),
        Property::MaxSubscribers => configuration.max_subscribers.is_some(),
        Property::Initialize => configuration.initialize.is_some(),
        _ => true,
    };
    let entries: Vec<Property> = Property::ALL.into_iter().filter(held).filter(|p| wanted(*p)).collect();
    let mut e = Encoder::new(Vec::new());
    // Writing to memory does not fail.
    let _ = write_map(&mut e, &entries, identity, configuration);
    e.into_writer()
}

fn write_map(
    e: &mut Encoder<Vec<u8>>,
    entries: &[Property],
    identity: &Identity,
    configuration: &Configuration,
) -> Result<(), encode::Error<core::convert::Infallible>> {
    e.map(entries.len() as u64)?;
    for property in entries {
        e.u8(property.key())?;
        match property {
            Property::TopicName => e.str(identity.name.as_str())?,
            Property::TopicData => e.str(&identity.data_uri())?,
            Property::ResourceType => e.str(identity.resource_type())?,
            Property::TopicContentFormat => e.encode(configuration.content_format.map(|f| f.0))?,
            Property::TopicType => e.encode(&configuration.topic_type)?,
            Property::ExpirationDate => e.tag(Tag::new(1))?.encode(configuration.expiration.map(|t| t.0))?,
            Property::MaxSubscribers => e.encode(configuration.max_subscribers)?,
            Property::ObserverCheck => e.u32(configuration.observer_check)?,
            Property::Initialize => e.bytes(configuration.initialize.as_deref().unwrap_or_default())?,
        };
    }
    Ok(())
}

/// Whether the properties that the filter gives are all there, with those values.
pub(crate) fn matches(filter: &Parameters<'_>, identity: &Identity, configuration: &Configuration) -> bool {
    fn agree<T: PartialEq>(wanted: Option<T>, has: Option<T>) -> bool {
        wanted.is_none() || wanted == has
    }
    agree(filter.name, Some(identity.name.as_str()))
        && filter.data.is_none_or(|data| data == identity.data_uri())
        && agree(filter.resource_type, Some(identity.resource_type()))
        && agree(filter.content_format, configuration.content_format)
        && agree(filter.topic_type, configuration.topic_type.as_deref())
        && agree(filter.expiration, configuration.expiration)
        && agree(filter.max_subscribers, configuration.max_subscribers)
        && agree(filter.observer_check, Some(configuration.observer_check))
        && agree(filter.initialize, configuration.initialize.as_deref())
}

/// A `relation-type` of RFC 6690 §2: what link-format can carry unquoted, and a `rt=` query can name.
fn is_relation_type(text: &str) -> bool {
    (1..=MAX_TEXT_LEN).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\,;<>*".contains(&byte))
}

/// An absolute URI, as it names a resource of another server.
fn is_elsewhere(uri: &str) -> bool {
    let scheme_is_valid = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    uri.len() <= MAX_TEXT_LEN
        && uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\".contains(&byte))
        && uri.split_once("://").is_some_and(|(scheme, rest)| scheme_is_valid(scheme) && !rest.is_empty())
}

/// Whether the bytes can be a representation of this format: CBOR must be well-formed, text must be UTF-8.
fn is_plausible(value: &[u8], format: ContentFormat) -> bool {
    match format {
        ContentFormat::CBOR | ContentFormat::SENML_CBOR => {
            let mut d = minicbor::Decoder::new(value);
            d.skip().is_ok() && d.position() == value.len()
        }
        ContentFormat::TEXT
        | ContentFormat::JSON
        | ContentFormat::SENML_JSON
        | ContentFormat::LINK_FORMAT => core::str::from_utf8(value).is_ok(),
        _ => true,
    }
}
