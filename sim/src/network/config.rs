//! What a network is made of, as values.

use std::fmt;
use std::rc::Rc;

use sedge_time::Duration;

use super::ideal::IdealMedium;
use super::ieee802154::Stack;
use super::{Core, Ieee802154, Lower};
use crate::access::{Ble, Cell, Cellular, Connections};
use crate::energy::Profile;
use crate::link::Probability;

/// A network: its nodes, and the medium between them.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The nodes; the first is the border router.
    pub nodes: Vec<NodeConfig>,
    /// What is between them.
    pub medium: Medium,
    /// The first half of every address.
    pub prefix: Prefix,
    /// Which events [`Network::advance`](super::Network::advance) shows.
    pub trace: TraceOptions,
}

/// The first 64 bits of the addresses of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix(pub [u8; 8]);

impl Default for Prefix {
    /// A unique local prefix ([RFC 4193](https://www.rfc-editor.org/rfc/rfc4193)).
    fn default() -> Self {
        Self([0xfd, 0x5e, 0xd6, 0xe0, 0, 0, 0, 1])
    }
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Where it is, in metres.
    pub position: [f64; 3],
    /// What it does for others.
    pub role: Role,
    /// What it is made of: currents and sensitivity.
    pub profile: Rc<Profile>,
    /// With how much power it sends; 0 dBm if not set.
    pub power_dbm: f64,
    /// By how many millionths its clock is fast: it polls earlier.
    pub clock_ppm: f64,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            position: [0.0; 3],
            role: Role::default(),
            profile: Rc::new(Profile::nrf52840()),
            power_dbm: 0.0,
            clock_ppm: 0.0,
        }
    }
}

/// What a node does for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It connects the network to others, and is the root of its routing.
    BorderRouter,
    /// It listens always, and forwards.
    #[default]
    Router,
    /// It listens always, and forwards nothing.
    Leaf,
    /// It sleeps, and asks its parent for what has come at this interval.
    Sleepy {
        /// Time between two polls.
        poll: Duration,
    },
}

impl Role {
    /// The same, with times as a clock makes them that is fast by so many millionths.
    pub(crate) fn by_clock(self, ppm: f64) -> Self {
        match self {
            Self::Sleepy { poll } if ppm != 0.0 => {
                let true_us = poll.as_micros() as f64 / (1.0 + ppm / 1e6);
                Self::Sleepy { poll: Duration::from_micros(true_us.round() as u64) }
            }
            role => role,
        }
    }

    /// Whether it forwards for others.
    pub const fn forwards(self) -> bool {
        matches!(self, Self::BorderRouter | Self::Router)
    }
}

/// What is between the nodes.
#[derive(Clone, Debug)]
pub enum Medium {
    /// Packets arrive whole after a fixed time, or are lost by chance.
    Ideal(Ideal),
    /// Radios of IEEE 802.15.4, with 6LoWPAN.
    Ieee802154(Box<Ieee802154>),
    /// Bluetooth Low Energy: node 0 is the central.
    Ble(Ble),
    /// A cellular network: node 0 is its far end.
    Cellular(Cellular),
}

impl Default for Medium {
    fn default() -> Self {
        Self::Ideal(Ideal::default())
    }
}

/// A medium without radio: what the layers above do by themselves shows best on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ideal {
    /// Time from one node to any other.
    pub delay: Duration,
    /// Chance that a packet is lost.
    pub loss: Probability,
}

impl Default for Ideal {
    fn default() -> Self {
        Self { delay: Duration::from_millis(1), loss: Probability::NEVER }
    }
}

/// Which events are shown. The fingerprint covers all of them whatever is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceOptions {
    /// Packets: accepted, forwarded, delivered, dropped.
    pub packets: bool,
    /// Frames: sent, received, back-offs, acknowledgements.
    pub frames: bool,
    /// Each change of a radio's state.
    pub radio: bool,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self { packets: true, frames: false, radio: false }
    }
}

/// Something that drowns the channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jammer {
    /// Where it is, in metres.
    pub position: [f64; 3],
    /// Its power in the channel.
    pub power_dbm: f64,
    /// Share of the time during which it sends.
    pub duty: Probability,
    /// Mean length of one burst.
    pub burst: Duration,
}

/// Why there can be no such network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.nodes.len() > 0xff00 {
            return Err(ConfigError(format!("{} nodes: 65,280 are the most", self.nodes.len())));
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if node.position.iter().any(|coordinate| !coordinate.is_finite()) {
                return Err(ConfigError(format!("node {index}: its position is not a place")));
            }
            if index > 0 && node.role == Role::BorderRouter {
                return Err(ConfigError(format!("node {index}: only node 0 can be the border router")));
            }
        }
        Ok(())
    }
}

impl Medium {
    pub(super) fn build(self, core: &mut Core, nodes: &[NodeConfig]) -> Result<Box<dyn Lower>, ConfigError> {
        Ok(match self {
            Self::Ideal(ideal) => Box::new(IdealMedium::new(ideal, core)),
            Self::Ble(config) => Box::new(Connections::new(config, core, nodes)),
            Self::Cellular(config) => Box::new(Cell::new(config, core, nodes)),
            Self::Ieee802154(config) => Box::new(Stack::new(*config, core, nodes)?),
        })
    }
}
