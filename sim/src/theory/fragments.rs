//! Packets in fragments over links that lose frames.

use sedge_crypto::Secret;
use sedge_time::{Duration, Instant};

use super::Point;
use super::access::clear_phy;
use crate::adaptation::{Adaptation, Forwarding};
use crate::link::Probability;
use crate::mac::{LinkSecurity, Mac, SecurityLevel};
use crate::network::{Config, Event, Ieee802154, Medium, Network, NodeConfig, NodeId, PacketId, udp_packet};
use crate::phy::{FrameLoss, Phy};
use crate::routing::Routing;

/// A chain of nodes, and a packet over all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    /// Chance that a frame is lost; acknowledgements are not.
    pub loss: f64,
    /// Fragments that the packet makes.
    pub fragments: u16,
    /// Links on its way.
    pub hops: u16,
    /// Whether frames are acknowledged and sent up to four times.
    pub repeat: bool,
    /// What the nodes between do.
    pub forwarding: Forwarding,
}

impl Chain {
    /// The chance that all fragments arrive: `(1 - p^4)^(n * h)` with repetition, `(1 - p)^(n * h)` without.
    pub fn analytic(&self) -> f64 {
        let tries = if self.repeat { 4 } else { 1 };
        (1.0 - self.loss.powi(tries)).powi(i32::from(self.fragments) * i32::from(self.hops))
    }

    /// A payload that makes this many fragments: with link-layer security, the first holds 128 bytes of the packet,
    /// 48 of them headers, and the others 96 each.
    fn payload(&self) -> usize {
        80 + 96 * (usize::from(self.fragments) - 1) - 40
    }

    /// Sends this many packets, one after the other.
    ///
    /// # Panics
    /// If the packets make another number of fragments.
    pub fn run(&self, packets: u64, seed: u64) -> Point {
        let parents = (0..=self.hops).map(|node| node.checked_sub(1).map(NodeId)).collect();
        let key = Secret::new(*b"a network's key.");
        let security = LinkSecurity { key, index: 1, level: SecurityLevel::EncMic32 };
        let data = Probability::new(self.loss).expect("a chance");
        let medium = Ieee802154 {
            phy: Phy { loss: FrameLoss { data, ..FrameLoss::default() }, ..clear_phy() },
            mac: Mac { acknowledge: self.repeat, security: Some(security), ..Mac::default() },
            adaptation: Adaptation { forwarding: self.forwarding, ..Adaptation::default() },
            routing: Routing::Static(parents),
            ..Ieee802154::default()
        };
        let config = Config {
            nodes: vec![NodeConfig::default(); usize::from(self.hops) + 1],
            medium: Medium::Ieee802154(Box::new(medium)),
            ..Config::default()
        };
        let mut network = Network::new(config, seed).expect("a chain");
        let from = NodeId(self.hops);
        let ends = [from, NodeId(0)].map(|node| (network.address(node), 5683));
        let mut arrived = 0;
        for number in 0..packets {
            let now = Instant::EPOCH + Duration::from_secs(20 * number);
            let packet = udp_packet(ends[0], ends[1], &vec![number as u8; self.payload()]);
            network.send(now, from, PacketId(number), packet);
            while let Some(now) = network.deadline() {
                network.advance(now, &mut |trace| {
                    if let Event::Fragmented { count, .. } = trace.event {
                        assert_eq!(count, self.fragments);
                    }
                });
                arrived += std::iter::from_fn(|| network.poll()).count() as u64;
            }
        }
        Point::share(self.loss, arrived, packets, self.analytic())
    }
}
