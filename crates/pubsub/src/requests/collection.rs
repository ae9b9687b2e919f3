//! The topic collection, `/ps`
//! ([draft-ietf-core-coap-pubsub-21 §2.4](https://datatracker.ietf.org/doc/html/draft-ietf-core-coap-pubsub-21#section-2.4)).

use alloc::string::ToString;
use alloc::vec;

use sedge_access::Verb;
use sedge_coap::{Code, ContentFormat};

use super::Request;
use super::links::{self, Link};
use crate::denied::Stop;
use crate::name::COLLECTION;
use crate::value::fingerprint;
use crate::{
    Configuration, Identity, Outcome, Parameters, Payload, Refusal, Response, Subscriptions, TopicOptions,
    Topics, configuration,
};

pub(super) fn handle(
    topics: &mut Topics,
    subscriptions: &mut Subscriptions,
    request: &Request<'_>,
) -> Result<Outcome, Stop> {
    match request.message.code() {
        Code::GET => Ok(list(topics, subscriptions, request)?),
        Code::FETCH => Ok(select(topics, subscriptions, request)?),
        Code::POST => create(topics, request),
        _ => Err(Refusal::MethodNotAllowed.into()),
    }
}

/// Links to the topics that the caller may know of; with a query, those among them and among the links to
/// their data that it picks.
fn list(
    topics: &Topics,
    subscriptions: &mut Subscriptions,
    request: &Request<'_>,
) -> Result<Outcome, Refusal> {
    request.expect_accepts(ContentFormat::LINK_FORMAT)?;
    let query = links::Query(request.message);
    let picks = |link: &Link<'_>| query.picks(link);
    let response = links(topics, subscriptions, request, picks, query.leaves_types_open());
    Ok(response.validated(request.message).into())
}

/// Links to those topics that have every property that the body gives, with that value.
fn select(
    topics: &Topics,
    subscriptions: &mut Subscriptions,
    request: &Request<'_>,
) -> Result<Outcome, Refusal> {
    request.expect_no_query()?;
    request.expect_format(ContentFormat::CORE_PUBSUB)?;
    request.expect_accepts(ContentFormat::LINK_FORMAT)?;
    let wanted = Parameters::decode(request.body).map_err(Refusal::Cbor)?;
    let picks = |link: &Link<'_>| {
        link.is_configuration()
            && configuration::matches(&wanted, link.topic.identity(), link.topic.configuration())
    };
    Ok(links(topics, subscriptions, request, picks, false).into())
}

/// The links that `picks` picks.
fn links(
    topics: &Topics,
    subscriptions: &mut Subscriptions,
    request: &Request<'_>,
    picks: impl Fn(&Link<'_>) -> bool,
    with_types: bool,
) -> Response {
    let key = fingerprint(request.message.request_key(), request.body);
    let asked = request.message.block2();
    subscriptions.fetch_list(request.now, (request.session, key), asked, || {
        let body = links::write(topics, request.now, request.caller, picks, with_types);
        Response::content(ContentFormat::LINK_FORMAT, Payload::Shared(body.into()))
    })
}

/// Creates a topic.
fn create(topics: &mut Topics, request: &Request<'_>) -> Result<Outcome, Stop> {
    request.expect_no_query()?;
    request.expect_format(ContentFormat::CORE_PUBSUB)?;
    request.expect_accepts(ContentFormat::CORE_PUBSUB)?;
    let parameters = Parameters::decode(request.body).map_err(Refusal::Cbor)?;
    let identity = Identity::from_parameters(&parameters)?;
    request.expect_permitted(Verb::Configure, identity.name.as_str())?;
    let configuration = Configuration::default().updated(&parameters, request.unix)?;
    let change = topics.create(identity, configuration, TopicOptions::default(), request.unix)?;
    let topic = topics.get(change.topic).ok_or(Refusal::NotFound)?;
    let response = Response {
        code: Code::CREATED,
        location: vec![COLLECTION.to_string(), links::number_segment(topic.number())],
        ..Response::content(ContentFormat::CORE_PUBSUB, Payload::Bytes(topic.representation()))
    };
    Ok(Outcome::with_change(response, change))
}
