//! Hosts: IPv6 and UDP by smoltcp, and on it the client of a device or the broker, both as they are elsewhere.

mod broker;
mod certificates;
mod clock;
mod credentials;
mod datagram;
mod device;
mod io;
mod metered;
mod protection;
mod random;
mod stack;

pub(crate) use broker::{Broker, BrokerConfig, cid_layout};
pub(crate) use credentials::Directory;
pub use credentials::SecurityMode;
pub(crate) use device::name_of;
pub use device::{Device, DeviceMemory, Program, Sent};
pub use io::{NoRoute, Socket, VirtualClock};
pub(crate) use io::{Outgoing, Port, SharedPort};
pub use metered::Metered;
pub(crate) use protection::{Protection, tag};
pub use random::SimulatedRng;
pub(crate) use stack::Stack;

/// The port of CoAP over DTLS; the broker listens on it.
pub(crate) const COAPS: u16 = 5684;
/// The port of every device.
pub(crate) const DEVICE_PORT: u16 = 61_616;
