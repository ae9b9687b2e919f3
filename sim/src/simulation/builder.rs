//! How a simulation is described.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddrV6;
use std::rc::Rc;

use sedge_client::{Client, Config};
use sedge_coap::block::BlockSize;
use sedge_dtls::{CipherSuite, Versions};
use sedge_endpoint::CidLayout;
use sedge_pubsub::{Policy, Reliability};
use sedge_time::{Duration, Instant};

use super::{Action, BROKER, CLIENT, Node, PROGRAM, Simulation};
use crate::energy::Processor;
use crate::host::{
    Broker, BrokerConfig, COAPS, DEVICE_PORT, Device, Directory, Metered, Port, Program, Protection,
    SecurityMode, SimulatedRng, Socket, Stack, VirtualClock, cid_layout,
};
use crate::kernel::{Queue, Streams};
use crate::link::Probability;
use crate::network::{self, Ideal, Medium, Network, NodeConfig, NodeId, Role};
use crate::record::{MessageId, Record};

/// What devices and broker speak.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// How they know each other.
    pub security: SecurityMode,
    /// The versions of DTLS.
    pub versions: Versions,
    /// The cipher suites, the preferred first.
    pub suites: &'static [CipherSuite],
    /// Whether sessions have a Connection ID.
    pub connection_id: bool,
    /// Whether devices ask for acknowledgements.
    pub confirmable: bool,
    /// Whether the broker does, for all its notifications.
    pub confirmable_notifications: bool,
    /// The largest block of a body that takes more than one message.
    pub block: BlockSize,
    /// The largest datagram of a handshake, in bytes.
    pub datagram: u16,
    /// CoAP's ACK_TIMEOUT.
    pub ack_timeout: Duration,
    /// CoAP's MAX_RETRANSMIT.
    pub max_retransmit: u8,
    /// DTLS's first timeout of a flight.
    pub handshake_timeout: Duration,
    /// Whether values are protected from the device that publishes to those that subscribe, as COSE_Encrypt0 under a key of
    /// the topic's group, which all have from the start.
    pub protected: bool,
    /// Whether a device's answers leave only when a Cortex-M4 would have computed their cryptography.
    pub computing: bool,
}

impl Default for Protocol {
    fn default() -> Self {
        let endpoint = sedge_endpoint::Config::default();
        Self {
            security: SecurityMode::Psk,
            versions: Versions::ALL,
            suites: CipherSuite::ALL,
            connection_id: true,
            confirmable: true,
            confirmable_notifications: true,
            block: BlockSize::at_most(512),
            datagram: 1152,
            ack_timeout: endpoint.transmission.ack_timeout,
            max_retransmit: endpoint.transmission.max_retransmit,
            handshake_timeout: endpoint.dtls.retransmission.initial,
            protected: false,
            computing: true,
        }
    }
}

/// Describes a [`Simulation`]. What is not said is: one device, an ideal network, DTLS with pre-shared keys.
pub struct Builder {
    seed: u64,
    network: network::Config,
    protocol: Protocol,
    program: Option<Rc<dyn Program>>,
    programs: Vec<(NodeId, Rc<dyn Program>)>,
    actions: Vec<(Instant, Action)>,
    boot_spread: Duration,
    watched: Option<MessageId>,
}

/// Why there can be no such simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

impl Builder {
    pub(super) fn new(seed: u64) -> Self {
        let nodes =
            vec![NodeConfig { role: Role::BorderRouter, ..NodeConfig::default() }, NodeConfig::default()];
        Self {
            seed,
            network: network::Config { nodes, ..network::Config::default() },
            protocol: Protocol::default(),
            program: None,
            programs: Vec::new(),
            actions: Vec::new(),
            boot_spread: Duration::from_micros(0),
            watched: None,
        }
    }

    /// So many devices like the first, besides the border router.
    #[must_use]
    pub fn devices(mut self, count: u16) -> Self {
        let device = self.network.nodes.get(1).cloned().unwrap_or_default();
        self.network.nodes.truncate(1);
        self.network.nodes.resize(usize::from(count) + 1, device);
        self
    }

    /// An ideal network that loses this share of all packets.
    ///
    /// # Panics
    /// If it is not from 0 to 1.
    #[must_use]
    pub fn loss(mut self, share: f64) -> Self {
        let loss = Probability::new(share).unwrap_or_else(|| panic!("a loss of {share} is not from 0 to 1"));
        let ideal = match self.network.medium {
            Medium::Ideal(ideal) => ideal,
            _ => Ideal::default(),
        };
        self.network.medium = Medium::Ideal(Ideal { loss, ..ideal });
        self
    }

    /// The network: node 0 is the border router with the broker, the others are devices.
    #[must_use]
    pub fn network(mut self, network: network::Config) -> Self {
        self.network = network;
        self
    }

    /// What devices and broker speak.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// What all devices do that have no program of their own.
    #[must_use]
    pub fn program(mut self, program: impl Program + 'static) -> Self {
        self.program = Some(Rc::new(program));
        self
    }

    /// What one device does.
    #[must_use]
    pub fn program_of(mut self, node: NodeId, program: impl Program + 'static) -> Self {
        self.programs.push((node, Rc::new(program)));
        self
    }

    /// Devices get their power at different times, up to this late.
    #[must_use]
    pub const fn boot_spread(mut self, spread: Duration) -> Self {
        self.boot_spread = spread;
        self
    }

    /// Something happens at a time.
    #[must_use]
    pub fn action(mut self, at: Instant, action: Action) -> Self {
        self.actions.push((at, action));
        self
    }

    /// The life of this message is to be told ([`Record::story`]).
    #[must_use]
    pub const fn watch(mut self, message: MessageId) -> Self {
        self.watched = Some(message);
        self
    }

    /// The simulation, at its beginning.
    ///
    /// # Errors
    /// If the description contradicts itself.
    pub fn build(self) -> Result<Simulation, Invalid> {
        let devices = self.network.nodes.len().saturating_sub(1);
        if devices == 0 {
            return Err(Invalid("a network needs the border router and at least one device".into()));
        }
        let streams = Streams::new(self.seed);
        let clocks: Vec<f64> = self.network.nodes.iter().map(|node| node.profile.cpu_mhz.value).collect();
        let record = Record::new(self.watched);
        let mut network =
            Network::new(self.network, self.seed).map_err(|error| Invalid(error.to_string()))?;
        network.absorb(&self.seed.to_be_bytes());
        let directory = Rc::new(Directory::new(self.protocol.security, self.seed, devices as u16));
        let mut broker = Broker::new(
            Instant::EPOCH,
            network.address(NodeId(0)),
            broker_config(&self.protocol, devices),
            directory.clone(),
            record.clone(),
            SimulatedRng(streams.stream(BROKER, 0)),
        );
        if self.protocol.protected {
            broker.protect(Protection::new(self.seed, 0));
        }
        let broker_at = SocketAddrV6::new(network.address(NodeId(0)), COAPS, 0, 0);
        let processor = Rc::new(Processor::cortex_m4());
        let nodes = (0..=devices as u16).map(NodeId).map(|node| {
            let stack = Stack::new(network.address(node), DEVICE_PORT, 4, u64::from(node.0));
            let crypto = Metered::new(processor.clone(), clocks[node.index()]);
            let port = Port::new(node, Instant::EPOCH, stack, broker_at, record.clone(), crypto);
            let own = self.programs.iter().rfind(|(owner, _)| *owner == node);
            let program = own.map(|(_, program)| program.clone()).or_else(|| self.program.clone());
            Node::new(Rc::new(RefCell::new(port)), program.filter(|_| node.0 > 0))
        });
        let nodes = nodes.collect();
        let mut simulation = Simulation {
            now: Instant::EPOCH,
            network,
            broker,
            nodes,
            wakes: Queue::default(),
            actions: Queue::default(),
            record,
            directory,
            streams,
            protocol: self.protocol,
            seed: self.seed,
            packets: 0,
            broker_starts: 0,
            observers: Vec::new(),
        };
        let mut chance = streams.stream(PROGRAM, 0);
        for node in (1..=devices as u16).map(NodeId) {
            let late = (self.boot_spread.as_micros() as f64 * chance.unit()) as u64;
            simulation.actions.push(Instant::from_micros(late), Action::Revive(vec![node]));
        }
        for (at, action) in self.actions {
            simulation.schedule(at, action);
        }
        Ok(simulation)
    }
}

fn broker_config(protocol: &Protocol, devices: usize) -> BrokerConfig {
    let sessions = devices * 2 + 16;
    let cid = if protocol.connection_id { cid_layout(sessions) } else { CidLayout::NONE };
    let endpoint = endpoint_config(protocol);
    let reliability = match protocol.confirmable_notifications {
        true => Reliability::Confirmable,
        false => Reliability::EveryNth(20),
    };
    let policy = Policy { reliability, block: protocol.block, ..Policy::default() };
    let plain_peers = sessions as u32;
    BrokerConfig {
        endpoint: sedge_endpoint::Config { cid, accept: true, plain_peers, ..endpoint },
        policy,
        sessions,
    }
}

fn endpoint_config(protocol: &Protocol) -> sedge_endpoint::Config {
    let mut config = sedge_endpoint::Config {
        versions: protocol.versions,
        suites: protocol.suites,
        ..sedge_endpoint::Config::default()
    };
    config.transmission.ack_timeout = protocol.ack_timeout;
    config.transmission.max_retransmit = protocol.max_retransmit;
    config.dtls.mtu = protocol.datagram;
    config.dtls.retransmission.initial = protocol.handshake_timeout;
    config
}

impl Simulation {
    /// Starts a device's program with a new client.
    pub(super) fn boot(&mut self, node: NodeId) {
        let index = u64::from(node.0) | self.nodes[node.index()].boots << 16;
        let slot = &self.nodes[node.index()];
        let port = slot.port().clone();
        port.borrow_mut().now = self.now;
        let endpoint = (&endpoint_config(&self.protocol)).into();
        let config = Config { block_size: self.protocol.block, endpoint, ..Config::default() };
        let (socket, clock) = (Socket(port.clone()), VirtualClock(port.clone()));
        let rng = self.rng(CLIENT, index);
        let crypto = port.borrow().crypto.clone();
        let client = self
            .directory
            .with_security(node, |security| Client::new(config, security, socket, clock, crypto, rng));
        let random = self.streams.stream(PROGRAM, index);
        match client {
            Ok(client) => {
                let starts = index >> 16;
                let protection = self.protocol.protected.then(|| Protection::new(self.seed, starts));
                let device = Device::new(client, port, random, self.protocol.confirmable, protection);
                self.nodes[node.index()].start(device);
                self.run_node(node);
            }
            // The keys are made here, and short enough.
            Err(error) => unreachable!("a device's own keys: {error}"),
        }
    }
}
