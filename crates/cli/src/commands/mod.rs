//! One module per command.

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod authority;
pub(crate) mod broker;
pub(crate) mod ca;
pub(crate) mod coap;
pub(crate) mod device;
pub(crate) mod probe;
pub(crate) mod publish;
pub(crate) mod role;
pub(crate) mod sim;
pub(crate) mod status;
pub(crate) mod subscribe;
pub(crate) mod token;
pub(crate) mod topic;
