//! CoAP publish/subscribe: topics, retained values and subscriptions, sans-I/O.
//!
//! This is the resource model of
//! [draft-ietf-core-coap-pubsub-21](https://datatracker.ietf.org/doc/html/draft-ietf-core-coap-pubsub-21): the
//! topic collection `/ps`, a configuration resource `/ps/<number>` per topic, and the topic's data at
//! `/d/<topic name>`. It comes in two halves, so that a broker can be sharded:
//!
//! - [`Topics`], one for all shards, behind a lock: what topics there are, and their recent values;
//! - [`Subscriptions`], one per shard: who observes what, and how far each has come.
//!
//! [`handle`] answers a request. What it changes, it says in a [`Change`]: every shard is to hear of it
//! ([`Subscriptions::sync`]) and then has something to send ([`Subscriptions::deliver`]), and the store is to
//! keep it ([`Persist`]). Time is passed in; nothing here waits, sends or stores. [`notify`] takes what is to be sent
//! to an endpoint, and [`Frontend`] stands between that and everything else: it is all of a broker that needs no socket.
//!
//! ```
//! # use sedge_access::{Caller, Grants, Policy as Rules, Subject};
//! # use sedge_coap::{Code, ContentFormat, Message, OptionNumber, Token, Type, Writer};
//! # use sedge_pubsub::*;
//! # use sedge_time::Instant;
//! # fn request(code: Code, observe: bool, payload: &[u8], buffer: &mut [u8]) -> usize {
//! #     let mut writer = Writer::new(buffer, Type::Con, code, 1, Token::EMPTY);
//! #     if observe { writer.option_uint(OptionNumber::OBSERVE, 0); }
//! #     writer.path(["d", "site", "temp"]).payload(payload);
//! #     writer.finish().unwrap()
//! # }
//! let (now, unix) = (Instant::EPOCH, UnixTime(1_795_305_600));
//! let (policy, subject) = (Rules::default(), Subject::device("admin", &Grants::administrator()));
//! let mut topics = Topics::new(Settings::default());
//! let mut shard = Subscriptions::new(Policy::default());
//! let mut ask = |session, code, observe, payload: &[u8]| {
//!     let mut buffer = [0; 128];
//!     let len = request(code, observe, payload, &mut buffer);
//!     let message = Message::parse(&buffer[..len]).unwrap();
//!     let (caller, body) = (Caller { policy: &policy, subject: &subject }, message.payload());
//!     let request = Request { now, unix, session, caller, message: &message, body };
//!     let outcome = handle(&mut topics, &mut shard, &request);
//!     if let Some(change) = &outcome.change {
//!         shard.sync(now, &topics, change.topic);
//!     }
//!     outcome.response.unwrap()
//! };
//! assert_eq!(ask(1, Code::PUT, false, b"21.5").code, Code::CREATED);
//! assert_eq!(ask(2, Code::GET, true, b"").payload(), b"21.5");
//! assert_eq!(ask(1, Code::PUT, false, b"21.6").code, Code::CHANGED);
//!
//! let mut sent = Vec::new();
//! let more = shard.deliver(now, 100, &mut |notification| {
//!     let Content::Value(value) = notification.content else { return Handed::Gone };
//!     sent.push((notification.session, value.payload.to_vec()));
//!     Handed::Sent
//! });
//! assert_eq!((sent, more), (vec![(2, b"21.6".to_vec())], false));
//! ```
#![no_std]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test that meets what it does not expect is to stop there"
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod audience;
mod bodies;
mod cbor;
mod change;
mod configuration;
mod counters;
mod denied;
mod frontend;
mod name;
mod outlet;
mod parameters;
mod property;
mod rate;
mod refusal;
mod render;
mod requests;
mod resets;
mod response;
mod ring;
mod settings;
mod subscriptions;
mod topic;
mod topics;
mod unix_time;
mod value;

pub use bodies::{Bodies, BodyError, BodyLimits, Received};
pub use cbor::CborError;
pub use change::{Change, Persist, Stored, TopicId, TopicOptions, TopicRecord};
pub use configuration::{CORE_PS_DATA, Configuration, Identity, MAX_TEXT_LEN};
pub use counters::{SubscriptionCounters, TopicCounters};
pub use denied::Denied;
pub use frontend::{Frontend, Intake, Outlet};
pub use name::{COLLECTION, DATA, TopicName};
pub use outlet::{TooLong, notify, renotify};
pub use parameters::Parameters;
pub use property::Property;
pub use rate::Rate;
pub use refusal::Refusal;
pub use render::Rendered;
pub use requests::{Request, handle, serves, understands};
pub use resets::Resets;
pub use response::{Outcome, Payload, Response};
pub use settings::Settings;
pub use subscriptions::{
    Content, Handed, Notification, ObservationId, Policy, Reliability, Resend, Subscriptions,
};
pub use topic::Topic;
pub use topics::{Published, Topics};
pub use unix_time::UnixTime;
pub use value::{ETag, Publication, Value};
