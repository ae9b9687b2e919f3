//! Requests: which resource one is for, and what comes of it.

mod collection;
mod data;
mod links;
mod topic;

use sedge_access::{Caller, Verb};
use sedge_coap::{ContentFormat, Message, OptionNumber, Reaction};
use sedge_time::Instant;

use crate::denied::Stop;
use crate::name::{COLLECTION, DATA};
use crate::value::ETag;
use crate::{Outcome, Refusal, Response, Subscriptions, Topics, UnixTime};

/// A request, as it came over some session.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// When it came.
    pub now: Instant,
    /// The same by the wall clock.
    pub unix: UnixTime,
    /// The session it came over, in the caller's numbering.
    pub session: u64,
    /// The session's owner, and the rules that hold.
    pub caller: Caller<'r>,
    /// The message. Of a body in blocks, the last one.
    pub message: &'r Message<'r>,
    /// The whole body.
    pub body: &'r [u8],
}

/// Whether the message's path belongs to this crate: the topic collection, or something below it or below the
/// topics' data.
pub fn serves(message: &Message<'_>) -> bool {
    let first = message.uri_path().next();
    first == Some(COLLECTION.as_bytes()) || first == Some(DATA.as_bytes())
}

/// Whether requests to this crate may carry the option. Blocks, Echo and Hop-Limit are for the layers below,
/// which have seen to them by now.
pub fn understands(option: OptionNumber) -> bool {
    matches!(
        option,
        OptionNumber::IF_MATCH
            | OptionNumber::URI_HOST
            | OptionNumber::IF_NONE_MATCH
            | OptionNumber::URI_PORT
            | OptionNumber::URI_PATH
            | OptionNumber::URI_QUERY
            | OptionNumber::ACCEPT
            | OptionNumber::BLOCK2
            | OptionNumber::BLOCK1
            | OptionNumber::PROXY_URI
            | OptionNumber::PROXY_SCHEME
    )
}

/// Answers a request, and does what it asks for.
pub fn handle(topics: &mut Topics, subscriptions: &mut Subscriptions, request: &Request<'_>) -> Outcome {
    if let Err(rejected) = request.message.check(understands) {
        return match rejected.reaction {
            Reaction::Respond(code) => refuse(topics, Refusal::Option(rejected.option, code)),
            Reaction::Reset | Reaction::Ignore => Outcome::default(),
        };
    }
    match route(topics, subscriptions, request) {
        Ok(outcome) => outcome,
        Err(Stop::Refused(refusal)) => refuse(topics, refusal),
        Err(Stop::Denied(refusal, denied)) => Outcome { denied: Some(denied), ..refuse(topics, refusal) },
    }
}

fn refuse(topics: &mut Topics, refusal: Refusal) -> Outcome {
    topics.counters.refuse(refusal);
    Response::from(refusal).into()
}

fn route(
    topics: &mut Topics,
    subscriptions: &mut Subscriptions,
    request: &Request<'_>,
) -> Result<Outcome, Stop> {
    if request.message.proxy_uri().is_some() || request.message.proxy_scheme().is_some() {
        return Err(Refusal::Proxy.into());
    }
    let mut path = request.message.uri_path();
    match path.next() {
        Some(segment) if segment == DATA.as_bytes() => data::handle(topics, subscriptions, request, path),
        Some(segment) if segment == COLLECTION.as_bytes() => match (path.next(), path.next()) {
            (None, _) => collection::handle(topics, subscriptions, request),
            (Some(number), None) => topic::handle(topics, request, number),
            _ => Err(Refusal::NotFound.into()),
        },
        _ => Err(Refusal::NotFound.into()),
    }
}

impl Request<'_> {
    /// Refuses a caller who may not do this.
    fn expect_permitted(&self, verb: Verb, topic: &str) -> Result<(), Stop> {
        Stop::unless_allowed(&self.caller.decide(self.now, verb, topic), Some(verb), topic)
    }

    /// Refuses a caller who may not do anything with the topic.
    fn expect_sees(&self, topic: &str) -> Result<(), Stop> {
        if self.caller.sees(self.now, topic) {
            return Ok(());
        }
        // Reading is what it takes least for; whoever may not, and may nothing else, hears why.
        Stop::unless_allowed(&self.caller.decide(self.now, Verb::Read, topic), None, topic)
    }

    /// Refuses a client that does not accept the one format there is.
    fn expect_accepts(&self, format: ContentFormat) -> Result<(), Refusal> {
        if self.message.accepts(format) { Ok(()) } else { Err(Refusal::NotAcceptable) }
    }

    /// Refuses a body of another format than the resource takes.
    fn expect_format(&self, format: ContentFormat) -> Result<(), Refusal> {
        if self.message.content_format() == Some(format) { Ok(()) } else { Err(Refusal::UnsupportedFormat) }
    }

    /// Refuses a request whose If-Match or If-None-Match does not hold. `current` is the resource's ETag, if it
    /// exists.
    fn expect_conditions(&self, current: Option<ETag>) -> Result<(), Refusal> {
        let current = current.as_ref().map(ETag::as_bytes);
        self.message.check_conditions(current).map_err(|_| Refusal::PreconditionFailed)
    }

    /// Refuses a query where the resource has no use for one.
    fn expect_no_query(&self) -> Result<(), Refusal> {
        if self.message.uri_query().next().is_some() { Err(Refusal::Query) } else { Ok(()) }
    }
}
