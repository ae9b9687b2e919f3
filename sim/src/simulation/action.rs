//! What can happen to a network from outside.

use sedge_time::{Duration, Instant};

use super::{BROKER, Simulation};
use crate::Random;
use crate::network::{Jammer, NodeId};
use crate::record::Outcome;

/// Something that happens at a time that was set before.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Devices lose their power, and everything in their memory.
    Die(Vec<NodeId>),
    /// Devices get their power back, and begin anew.
    Revive(Vec<NodeId>),
    /// Devices' radios stay on.
    Wake(Vec<NodeId>),
    /// Devices' radios sleep between polls again.
    Sleep(Vec<NodeId>),
    /// A device is somewhere else.
    Move(NodeId, [f64; 3]),
    /// These nodes and all others hear each other no more.
    Partition(Vec<NodeId>),
    /// They do again.
    Heal,
    /// A NAT between these devices and the broker gives them another binding.
    Rebind(Vec<NodeId>),
    /// The broker starts anew: topics are kept, sessions are not.
    RestartBroker,
    /// From now on the clocks of devices run fast by so many millionths; slow if negative.
    Drift(Vec<NodeId>, f64),
    /// Something drowns the channel, or does no more.
    Jam(Option<Jammer>),
    /// The operator publishes so many bytes to a topic, and again at this interval, spread by the jitter.
    Command {
        /// To which topic.
        topic: String,
        /// How many bytes.
        bytes: usize,
        /// Again after this time.
        every: Option<Duration>,
        /// Earlier or later by up to this much.
        jitter: Duration,
        /// Not at or after this time.
        until: Instant,
        /// Chance, for the jitter.
        random: Option<u64>,
    },
    /// The operator publishes a firmware image to a topic, for devices to fetch; no device is told.
    Offer {
        /// To which topic.
        topic: String,
        /// How many bytes.
        bytes: usize,
    },
}

impl Simulation {
    pub(super) fn act(&mut self, action: Action) {
        let now = self.now;
        self.network.absorb(format!("{} {action:?}", now.as_micros()).as_bytes());
        match action {
            Action::Die(nodes) => {
                for node in nodes {
                    self.network.set_alive(now, node, false);
                    self.nodes[node.index()].stop(Outcome::Failed);
                }
            }
            Action::Revive(nodes) => {
                for node in nodes {
                    self.network.set_alive(now, node, true);
                    self.boot(node);
                }
            }
            Action::Wake(nodes) => {
                nodes.iter().for_each(|node| self.network.set_awake(now, *node, true));
            }
            Action::Sleep(nodes) => {
                nodes.iter().for_each(|node| self.network.set_awake(now, *node, false));
            }
            Action::Move(node, position) => self.network.move_to(now, node, position),
            Action::Partition(nodes) => self.network.partition(now, Some(&nodes)),
            Action::Heal => self.network.partition(now, None),
            Action::Rebind(nodes) => {
                nodes.iter().for_each(|node| self.broker.rebind(self.network.address(*node)));
            }
            Action::RestartBroker => {
                self.broker_starts += 1;
                let rng = self.rng(BROKER, self.broker_starts);
                self.broker.restart(now, rng);
            }
            Action::Drift(nodes, ppm) => {
                for node in &nodes {
                    self.nodes[node.index()].drift(now, ppm);
                    self.network.set_clock(*node, ppm);
                }
                nodes.into_iter().for_each(|node| self.run_node(node));
            }
            Action::Jam(jammer) => self.network.jam(now, jammer),
            Action::Command { topic, bytes, every, jitter, until, random } => {
                let _message = self.broker.publish(now, &topic, bytes);
                let Some(every) = every else { return };
                let seed = random.unwrap_or(1);
                let mut chance = Random::new(seed);
                let spread = Duration::from_micros((jitter.as_micros() as f64 * 2.0 * chance.unit()) as u64);
                let next = now + every + spread;
                let next = Instant::from_micros(next.as_micros().saturating_sub(jitter.as_micros()));
                if next < until {
                    let random = Some(chance.bits());
                    self.schedule(
                        next,
                        Action::Command { topic, bytes, every: Some(every), jitter, until, random },
                    );
                }
            }
            Action::Offer { topic, bytes } => self.broker.offer(now, &topic, bytes),
        }
    }
}
