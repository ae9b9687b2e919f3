//! A topic's data, `/d/<topic name>`
//! ([draft-ietf-core-coap-pubsub-21 §3.2](https://datatracker.ietf.org/doc/html/draft-ietf-core-coap-pubsub-21#section-3.2)).
//!
//! A topic need not have been created to be published to, if [`Settings::auto_create`](crate::Settings) is on:
//! whoever may publish to the name creates it by the first PUT. Reading or observing creates nothing: as the
//! draft has it, there is nothing to read before the first publication, and the answer is 4.04.

use alloc::sync::Arc;

use sedge_access::{Verb, name};
use sedge_coap::{Code, OptionNumber, Values};

use super::Request;
use crate::denied::Stop;
use crate::name::join_segments;
use crate::response::Payload;
use crate::subscriptions::Registered;
use crate::{
    Change, Configuration, Identity, Outcome, Persist, Publication, Published, Refusal, Response,
    Subscriptions, TopicId, TopicName, TopicOptions, Topics, Value,
};

pub(super) fn handle(
    topics: &mut Topics,
    subscriptions: &mut Subscriptions,
    request: &Request<'_>,
    path: Values<'_>,
) -> Result<Outcome, Stop> {
    let name = join_segments(path).map_err(Refusal::Name)?;
    name::check(&name).map_err(Refusal::Name)?;
    request.expect_no_query()?;
    let verb = match request.message.code() {
        Code::GET => Verb::Read,
        Code::PUT => Verb::Publish,
        Code::DELETE => Verb::Delete,
        _ => return Err(Refusal::MethodNotAllowed.into()),
    };
    request.expect_permitted(verb, &name)?;
    let outcome = match verb {
        Verb::Publish => publish(topics, request, &name),
        Verb::Delete => delete(topics, request, &name),
        _ => read(topics, subscriptions, request, &name),
    };
    Ok(outcome?)
}

/// Publishes; the first publication makes the topic fully created, and perhaps the topic.
fn publish(topics: &mut Topics, request: &Request<'_>, name: &str) -> Result<Outcome, Refusal> {
    let publication = Publication {
        payload: request.body,
        content_format: request.message.content_format(),
        max_age: request.message.uint(OptionNumber::MAX_AGE),
    };
    let known = topics.find(name);
    request.expect_conditions(known.and_then(|(_, topic)| topic.etag()))?;
    let Published { first, change } = match known {
        Some((id, _)) => topics.publish(id, publication, request.now, request.unix)?,
        None if topics.settings().auto_create => create_by_publishing(topics, request, name, publication)?,
        None => return Err(Refusal::NotFound),
    };
    let code = if first { Code::CREATED } else { Code::CHANGED };
    Ok(Outcome::with_change(Response::new(code), change))
}

fn create_by_publishing(
    topics: &mut Topics,
    request: &Request<'_>,
    name: &str,
    publication: Publication<'_>,
) -> Result<Published, Refusal> {
    let limit = topics.settings().max_value;
    if publication.payload.len() > limit as usize {
        return Err(Refusal::TooLarge(limit));
    }
    let identity = Identity::named(TopicName::new(name).map_err(Refusal::Name)?);
    let created = topics.create(identity, Configuration::default(), TopicOptions::default(), request.unix)?;
    let Published { first, change } =
        topics.publish(created.topic, publication, request.now, request.unix)?;
    // One transaction stores both.
    let persist = Persist { topic: created.persist.topic, ..change.persist };
    Ok(Published { first, change: Change { persist, ..change } })
}

/// Deletes the value, which makes the topic half created.
fn delete(topics: &mut Topics, request: &Request<'_>, name: &str) -> Result<Outcome, Refusal> {
    let (id, topic) = topics.find(name).ok_or(Refusal::NotFound)?;
    let etag = topic.etag().ok_or(Refusal::NotFound)?;
    request.expect_conditions(Some(etag))?;
    let change = topics.clear(id).ok_or(Refusal::NotFound)?;
    Ok(Outcome::with_change(Response::new(Code::DELETED), change))
}

/// Reads the value, and subscribes to the topic or unsubscribes from it.
fn read(
    topics: &Topics,
    subscriptions: &mut Subscriptions,
    request: &Request<'_>,
    name: &str,
) -> Result<Outcome, Refusal> {
    let message = request.message;
    if message.observe() == Some(1) {
        subscriptions.deregister(request.session, message.token());
    }
    let (id, topic) = topics.find(name).ok_or(Refusal::NotFound)?;
    let newest = topic.value().ok_or(Refusal::NotFound)?;
    if let Some((value, ready)) = fetched(subscriptions, request, id) {
        let response = representation(request, &value)?.validated(message);
        return Ok(Outcome { ready, ..response.into() });
    }
    let mut response = representation(request, newest)?;
    if message.observe() == Some(0) && subscribe(topics, subscriptions, request, id) {
        response.observe = Some(newest.observe());
    }
    Ok(response.validated(message).into())
}

/// The value that a follow-up block is asked of: the one that the session was notified of, so that it can put
/// the blocks together even if the topic has moved on.
fn fetched(
    subscriptions: &mut Subscriptions,
    request: &Request<'_>,
    id: TopicId,
) -> Option<(Arc<Value>, bool)> {
    let block = request.message.block2().filter(|block| block.num() > 0)?;
    subscriptions.fetch(request.now, request.session, id, block)
}

fn representation(request: &Request<'_>, value: &Arc<Value>) -> Result<Response, Refusal> {
    match value.content_format {
        Some(format) => request.expect_accepts(format)?,
        // Who wants a certain format does not want an unknown one.
        None if request.message.accept().is_some() => return Err(Refusal::NotAcceptable),
        None => {}
    }
    Ok(Response {
        etag: Some(value.etag),
        content_format: value.content_format,
        max_age: value.max_age_at(request.unix),
        payload: Payload::Value(value.clone()),
        ..Response::new(Code::CONTENT)
    })
}

/// Subscribes, unless there are too many subscribers: then the answer is the value without Observe
/// ([RFC 7641 §4.1](https://www.rfc-editor.org/rfc/rfc7641#section-4.1)).
fn subscribe(topics: &Topics, subscriptions: &mut Subscriptions, request: &Request<'_>, id: TopicId) -> bool {
    let block = subscriptions.block(request.message.block2());
    let subscriber = (request.session, request.message.token());
    subscriptions.register(request.now, topics, id, subscriber, block) == Registered::Yes
}
