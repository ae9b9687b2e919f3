//! One module per command.

pub(crate) mod broker;
pub(crate) mod ca;
pub(crate) mod coap;
pub(crate) mod device;
pub(crate) mod probe;
pub(crate) mod publish;
pub(crate) mod sim;
pub(crate) mod status;
pub(crate) mod subscribe;
pub(crate) mod topic;
