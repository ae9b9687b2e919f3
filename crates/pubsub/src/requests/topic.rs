//! A topic's configuration resource, `/ps/<number>`
//! ([draft-ietf-core-coap-pubsub-21 §2.5](https://datatracker.ietf.org/doc/html/draft-ietf-core-coap-pubsub-21#section-2.5)).

use sedge_access::Verb;
use sedge_coap::{Code, ContentFormat};

use super::{Request, links};
use crate::denied::Stop;
use crate::value::ETag;
use crate::{
    Configuration, Outcome, Parameters, Payload, Property, Refusal, Response, Topic, TopicId, Topics, cbor,
};

pub(super) fn handle(topics: &mut Topics, request: &Request<'_>, number: &[u8]) -> Result<Outcome, Stop> {
    request.expect_no_query()?;
    let number = links::parse_number(number).ok_or(Refusal::NotFound)?;
    let (id, topic) = topics.find_number(number).ok_or(Refusal::NotFound)?;
    request.expect_sees(topic.identity().name.as_str())?;
    match request.message.code() {
        Code::GET => Ok(read(topic, request)?),
        Code::FETCH => Ok(read_part(topic, request)?),
        // POST replaces everything that can change: what the body leaves out is set back to its default.
        Code::POST => update(topics, id, request, |_| Configuration::default()),
        Code::IPATCH => update(topics, id, request, Topic::configuration_cloned),
        Code::DELETE => delete(topics, id, request),
        _ => Err(Refusal::MethodNotAllowed.into()),
    }
}

fn read(topic: &Topic, request: &Request<'_>) -> Result<Outcome, Refusal> {
    request.expect_accepts(ContentFormat::CORE_PUBSUB)?;
    let response = Response::content(ContentFormat::CORE_PUBSUB, Payload::Bytes(topic.representation()));
    Ok(response.validated(request.message).into())
}

/// The properties whose keys are in the body, as far as the topic has them.
fn read_part(topic: &Topic, request: &Request<'_>) -> Result<Outcome, Refusal> {
    request.expect_format(ContentFormat::CBOR)?;
    request.expect_accepts(ContentFormat::CORE_PUBSUB)?;
    let mut wanted = 0_u16;
    cbor::read_keys(request.body, |property| wanted |= 1 << property.key()).map_err(Refusal::Cbor)?;
    let part = topic.partial_representation(|property: Property| wanted & 1 << property.key() != 0);
    Ok(Response::content(ContentFormat::CORE_PUBSUB, Payload::Bytes(part)).into())
}

/// Puts what the body gives into the configuration that `base` starts from.
fn update(
    topics: &mut Topics,
    id: TopicId,
    request: &Request<'_>,
    base: impl FnOnce(&Topic) -> Configuration,
) -> Result<Outcome, Stop> {
    let topic = permitted(topics, id, request)?;
    request.expect_format(ContentFormat::CORE_PUBSUB)?;
    request.expect_accepts(ContentFormat::CORE_PUBSUB)?;
    let parameters = Parameters::decode(request.body).map_err(Refusal::Cbor)?;
    topic.identity().check_unchanged(&parameters)?;
    let configuration = base(topic).updated(&parameters, request.unix)?;
    let change = topics.configure(id, configuration).ok_or(Refusal::NotFound)?;
    let topic = topics.get(id).ok_or(Refusal::NotFound)?;
    let response = Response {
        code: Code::CHANGED,
        ..Response::content(ContentFormat::CORE_PUBSUB, Payload::Bytes(topic.representation()))
    };
    Ok(Outcome::with_change(response, change))
}

fn delete(topics: &mut Topics, id: TopicId, request: &Request<'_>) -> Result<Outcome, Stop> {
    let _ = permitted(topics, id, request)?;
    let change = topics.remove(id).ok_or(Refusal::NotFound)?;
    Ok(Outcome::with_change(Response::new(Code::DELETED), change))
}

/// The topic, if the caller may change it and the request's conditions hold.
fn permitted<'t>(topics: &'t Topics, id: TopicId, request: &Request<'_>) -> Result<&'t Topic, Stop> {
    let topic = topics.get(id).ok_or(Refusal::NotFound)?;
    request.expect_permitted(Verb::Configure, topic.identity().name.as_str())?;
    let etag = ETag::of(&topic.representation(), Some(ContentFormat::CORE_PUBSUB));
    request.expect_conditions(Some(etag))?;
    Ok(topic)
}
