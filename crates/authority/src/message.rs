//! Requests and answers, as the host passes them on.

use alloc::string::String;
use alloc::vec::Vec;

use sedge_access::{Grants, Verb};
use sedge_coap::{Code, ContentFormat};
use sedge_crypto::PublicKey;

use crate::Store;

/// A request to the authorisation server, over a session whose peer is known.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The name of the client, as its session has shown it.
    pub requester: &'a str,
    /// The method.
    pub code: Code,
    /// The path after the endpoint's own segments.
    pub path: &'a [&'a [u8]],
    /// The arguments of the query.
    pub query: &'a [&'a [u8]],
    /// The format of the body.
    pub content_format: Option<ContentFormat>,
    /// The body.
    pub payload: &'a [u8],
}

/// What a request is answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The code.
    pub code: Code,
    /// The format of the body, if there is one.
    pub content_format: Option<ContentFormat>,
    /// For how many seconds it is good, if that is not the default.
    pub max_age: Option<u32>,
    /// The segments of Location-Path.
    pub location: Vec<String>,
    /// The body. It may hold keys.
    pub payload: Vec<u8>,
}

impl Answer {
    /// An answer without a body.
    pub const fn new(code: Code) -> Self {
        Self { code, content_format: None, max_age: None, location: Vec::new(), payload: Vec::new() }
    }

    /// An answer with a body.
    pub const fn with(code: Code, format: ContentFormat, payload: Vec<u8>) -> Self {
        Self { code, content_format: Some(format), max_age: None, location: Vec::new(), payload }
    }
}

impl core::fmt::Debug for Answer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Answer")
            .field("code", &self.code)
            .field("content_format", &self.content_format)
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .finish()
    }
}

/// What an authorisation server knows of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// What it may do, its roles included: nothing else is ever put into a token of its.
    pub grants: Grants,
    /// Its public key, if it authenticates by one.
    pub public_key: Option<PublicKey>,
    /// Whether it is a resource server: there are tokens for it, and it is given the keys by which it knows them.
    pub is_resource_server: bool,
}

/// The clients that are registered.
pub trait Clients {
    /// The client of this name.
    fn client(&self, name: &str) -> Option<Client>;

    /// The names of those that are resource servers, in order.
    fn resource_servers(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether the client of this name may do this with this topic, by everything that counts: its own grants, its roles
    /// and its segment.
    fn allows(&self, name: &str, verb: Verb, topic: &str) -> bool;
}

/// What is lent to every call.
pub struct Context<'a, C, R: ?Sized> {
    /// The time, in seconds since 1970.
    pub now: u64,
    /// The provider of cryptography.
    pub crypto: &'a C,
    /// A source of randomness.
    pub rng: &'a mut R,
    /// Who is registered.
    pub clients: &'a dyn Clients,
    /// Where changes go.
    pub store: &'a mut dyn Store,
}
