//! The parameters of a request about a topic: a CBOR map of topic properties, as received.

use minicbor::Decoder;
use sedge_coap::ContentFormat;

use crate::cbor::{self, CborError};
use crate::{Property, UnixTime};

/// The properties that a request gives, whether or not they make sense. Absent ones are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters<'b> {
    /// `topic-name`
    pub name: Option<&'b str>,
    /// `topic-data`
    pub data: Option<&'b str>,
    /// `resource-type`
    pub resource_type: Option<&'b str>,
    /// `topic-content-format`
    pub content_format: Option<ContentFormat>,
    /// `topic-type`
    pub topic_type: Option<&'b str>,
    /// `expiration-date`
    pub expiration: Option<UnixTime>,
    /// `max-subscribers`
    pub max_subscribers: Option<u32>,
    /// `observer-check`, in seconds
    pub observer_check: Option<u32>,
    /// `initialize`
    pub initialize: Option<&'b [u8]>,
}

impl<'b> Parameters<'b> {
    /// Reads the CBOR map in `body`.
    ///
    /// Numbers of subscribers and of seconds that 32 bits cannot hold become the largest that they can.
    ///
    /// # Errors
    /// It is not exactly one map of definite length, whose keys are those of topic properties, each at most
    /// once, and whose values have the properties' types.
    pub fn decode(body: &'b [u8]) -> Result<Self, CborError> {
        let mut read = Self::default();
        cbor::read_map(body, |property, d| {
            match property {
                Property::TopicName => read.name = Some(d.str()?),
                Property::TopicData => read.data = Some(d.str()?),
                Property::ResourceType => read.resource_type = Some(d.str()?),
                Property::TopicContentFormat => read.content_format = Some(ContentFormat(d.u16()?)),
                Property::TopicType => read.topic_type = Some(d.str()?),
                Property::ExpirationDate => read.expiration = Some(UnixTime(cbor::read_epoch_time(d)?)),
                Property::MaxSubscribers => read.max_subscribers = Some(saturating_u32(d)?),
                Property::ObserverCheck => read.observer_check = Some(saturating_u32(d)?),
                Property::Initialize => read.initialize = Some(d.bytes()?),
            }
            Ok(())
        })?;
        Ok(read)
    }
}

fn saturating_u32(d: &mut Decoder<'_>) -> Result<u32, minicbor::decode::Error> {
    Ok(u32::try_from(d.u64()?).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_property() {
        let body = b"\xa9\x00\x61n\x01\x62/u\x02\x61r\x03\x18\x70\x04\x61t\x05\xc1\x0a\x06\x00\x07\x1b\x00\x00\x00\x01\x00\x00\x00\x00\x08\x41\x80";
        assert_eq!(
            Parameters::decode(body),
            Ok(Parameters {
                name: Some("n"),
                data: Some("/u"),
                resource_type: Some("r"),
                content_format: Some(ContentFormat(112)),
                topic_type: Some("t"),
                expiration: Some(UnixTime(10)),
                max_subscribers: Some(0),
                observer_check: Some(u32::MAX),
                initialize: Some(b"\x80"),
            })
        );
        assert_eq!(Parameters::decode(b"\xa0"), Ok(Parameters::default()));
    }

    #[test]
    fn refuses_everything_else() {
        use CborError::*;
        use Property::*;
        for (body, error) in [
            (&b""[..], Malformed),
            (b"\x80", NotAMap),
            (b"\xbf\xff", IndefiniteLength),
            (b"\xa1", Malformed),
            (b"\xa1\x00", Malformed),
            (b"\xa1\x00\x63ab", Malformed),
            (b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", Malformed),
            (b"\xa1\x61a\x00", KeyType),
            (b"\xa1\x09\x00", UnknownKey),
            (b"\xa1\x20\x00", UnknownKey),
            (b"\xa1\x3b\xff\xff\xff\xff\xff\xff\xff\xff\x00", UnknownKey),
            (b"\xa2\x00\x61a\x00\x61b", DuplicateKey(TopicName)),
            // The same key in another width is the same key.
            (b"\xa2\x00\x61a\x18\x00\x61b", DuplicateKey(TopicName)),
            (b"\xa0\x00", TrailingBytes),
            (b"\xa1\x00\x01", WrongType(TopicName)),
            (b"\xa1\x00\x41a", WrongType(TopicName)),
            (b"\xa1\x00\x61\xff", WrongType(TopicName)),
            (b"\xa1\x00\x7f\x61a\xff", WrongType(TopicName)),
            (b"\xa1\x03\x20", WrongType(TopicContentFormat)),
            (b"\xa1\x03\x1a\x00\x01\x00\x00", WrongType(TopicContentFormat)),
            (b"\xa1\x05\x0a", WrongType(ExpirationDate)),
            (b"\xa1\x05\xc0\x0a", WrongType(ExpirationDate)),
            (b"\xa1\x05\xc1\x61a", WrongType(ExpirationDate)),
            (b"\xa1\x05\xc1\xfa\x7f\xc0\x00\x00", WrongType(ExpirationDate)),
            (b"\xa1\x05\xc1\xf9\x3e\x00", WrongType(ExpirationDate)),
            (b"\xa1\x06\x20", WrongType(MaxSubscribers)),
            (b"\xa1\x07\xf6", WrongType(ObserverCheck)),
            (b"\xa1\x08\x61a", WrongType(Initialize)),
            (b"\xa1\x08\x5f\x41a\xff", WrongType(Initialize)),
        ] {
            assert_eq!(Parameters::decode(body), Err(error), "{body:02x?}");
        }
    }

    #[test]
    fn reads_expiration_dates_of_every_number_type() {
        for (date, seconds) in [
            (&b"\xc1\x1a\x65\x00\x00\x00"[..], 0x6500_0000),
            (b"\xc1\x20", 0),
            (b"\xc1\xfb\x41\xd9\x40\x00\x00\x00\x00\x00", 0x6500_0000),
            (b"\xc1\xfa\x4e\xca\x00\x00", 0x6500_0000),
            (b"\xc1\xfa\x3f\xc0\x00\x00", 1),
        ] {
            let body = [b"\xa1\x05", date].concat();
            assert_eq!(Parameters::decode(&body).unwrap().expiration, Some(UnixTime(seconds)));
        }
    }
}
