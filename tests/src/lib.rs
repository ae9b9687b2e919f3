//! What the conformance, hostile, interop and end-to-end tests share.
//!
//! The tests themselves are in `tests/tests`. They talk to real sockets on the loopback interface or in network
//! namespaces that they made themselves, and to peers that `tests/interop/setup` installs.

pub mod broker;
pub mod device;
pub mod dtls;
pub mod gate;
pub mod issuer;
pub mod need;
pub mod netns;
pub mod pcap;
pub mod peer;
pub mod peers;
pub mod process;
