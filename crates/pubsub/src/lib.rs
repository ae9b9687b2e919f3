//! CoAP publish/subscribe: topics, retained values and subscriptions, sans-I/O.
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
mod cbor;
mod change;
mod configuration;
mod counters;
mod name;
mod parameters;
mod property;
mod rate;
mod refusal;
mod render;
mod requests;
mod response;
mod ring;
mod settings;
mod subscriptions;
mod topic;
mod topics;
mod unix_time;
mod value;

pub use cbor::CborError;
pub use change::{Change, Persist, Stored, TopicId, TopicOptions, TopicRecord};
pub use configuration::{CORE_PS_DATA, Configuration, Identity, MAX_TEXT_LEN};
pub use counters::{SubscriptionCounters, TopicCounters};
pub use name::{COLLECTION, DATA, TopicName};
pub use parameters::Parameters;
pub use property::Property;
pub use rate::Rate;
pub use refusal::Refusal;
pub use render::Rendered;
pub use requests::{Request, handle, serves, understands};
pub use response::{Outcome, Payload, Response};
pub use settings::Settings;
pub use subscriptions::{
    Content, Handed, Notification, ObservationId, Policy, Reliability, Resend, Subscriptions,
};
pub use topic::Topic;
pub use topics::{Published, Topics};
pub use unix_time::UnixTime;
pub use value::{ETag, Publication, Value};
