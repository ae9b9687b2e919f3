//! A simulator of networks of constrained devices, which run the real client against the real broker's parts.
//!
//! - A [`Simulation`] is a run: hosts with their programs on a [`network`], on a virtual clock. The same seed makes the
//!   same run, to the bit. What a device does is a [`Program`], most often a function from a [`Device`] to a future.
//! - A [`scenario`] is a run as a file; [`report`] has what is left of it, and [`command`] the commands of `sedge sim`.
//! - Below IPv6 there is the [`network`]: radios ([`phy`]), access to the channel ([`mac`]), 6LoWPAN ([`adaptation`]),
//!   [`routing`], BLE and cellular [`access`], and [`energy`].
//! - Beside all that stand impairments without a network: [`link`] decides what happens to datagrams that cross a bad
//!   link, without sockets and without a clock, and [`relay`] puts such links between real UDP sockets, so that any
//!   client and any server can be tried over them.
//!
//! ```
//! use sedge_sim::link::{Impairments, Link};
//! use sedge_time::{Duration, Instant};
//!
//! let impairments: Impairments = "loss=20%, delay=50ms..150ms, duplicate=5%".parse()?;
//! let mut link = Link::new(impairments, 7);
//! let sent = Instant::from_micros(0);
//! for number in 0_u8..100 {
//!     link.offer(sent, vec![number]);
//! }
//! let mut arrived = 0;
//! while let Some(at) = link.deadline() {
//!     assert!(at <= sent + Duration::from_millis(150));
//!     while link.poll(at).is_some() {
//!         arrived += 1;
//!     }
//! }
//! assert!((60..110).contains(&arrived));
//! # Ok::<(), sedge_sim::link::InvalidImpairments>(())
//! ```

pub mod access;
pub mod adaptation;
pub mod command;
pub mod energy;
mod host;
pub mod kernel;
pub mod link;
pub mod mac;
pub mod network;
pub mod phy;
mod random;
pub mod record;
#[cfg(unix)]
pub mod relay;
pub mod report;
pub mod routing;
pub mod scenario;
mod simulation;
mod sweep;
pub mod theory;

pub use host::{
    Device, DeviceMemory, Metered, NoRoute, Program, SecurityMode, Sent, SimulatedRng, Socket, VirtualClock,
};
pub use random::Random;
pub use simulation::{Action, Builder, Invalid, Observer, Protocol, Simulation};
