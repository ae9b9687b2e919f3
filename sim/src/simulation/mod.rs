//! A run: the network, the hosts on it, and what happens to them.

mod action;
mod builder;
mod node;

use std::io;
use std::rc::Rc;
use std::time;

use sedge_time::{Duration, Instant};

use crate::host::{Broker, Directory, SecurityMode, SimulatedRng};
use crate::kernel::{Purpose, Queue, Streams};
use crate::network::{Delivered, Event, Network, NodeId, Outcome, PacketId, Trace};
use crate::record::{MessageId, Record, SharedRecord};

pub use action::Action;
pub use builder::{Builder, Invalid, Protocol};
use node::Node;

/// Randomness of the clients.
const CLIENT: Purpose = Purpose(Purpose::HOST.0);
/// Randomness of the devices' programs.
const PROGRAM: Purpose = Purpose(Purpose::HOST.0 + 1);
/// Randomness of the broker.
const BROKER: Purpose = Purpose(Purpose::HOST.0 + 2);

/// After so many instants of the network alone, whoever drives a simulation may look at the clock.
const MOST_WITHOUT_HOSTS: usize = 64;

/// Something that watches the frames and packets of a run.
pub trait Observer {
    /// Sees one event.
    fn see(&mut self, event: &Trace);

    /// Sees a packet that a host gives to the network.
    fn packet(&mut self, now: Instant, node: NodeId, packet: &[u8]) {
        let _ = (now, node, packet);
    }

    /// The run is over.
    ///
    /// # Errors
    /// What was seen could not be written.
    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One run of a network with its hosts. The same [`Builder`] and seed make the same run, to the bit.
///
/// ```
/// use sedge_sim::{Device, Simulation};
/// use sedge_sim::record::Kind;
/// use sedge_time::Duration;
///
/// // Ten devices publish every minute over a network that loses a fifth of all packets.
/// let mut simulation = Simulation::builder(7)
///     .devices(10)
///     .loss(0.2)
///     .program(|mut device: Device| async move {
///         let topic = format!("node/{}/temperature", device.node().0);
///         loop {
///             device.publish(&topic, 16).await;
///             device.sleep(Duration::from_secs(60)).await;
///         }
///     })
///     .build()?;
/// simulation.run_for(Duration::from_secs(600));
/// let record = simulation.record();
/// let publications = record.messages().iter().filter(|message| message.kind == Kind::Publication);
/// let (sent, arrived) = publications.fold((0, 0), |(sent, arrived), message| {
///     (sent + 1, arrived + u32::from(message.arrived.is_some()))
/// });
/// // CoAP's retransmissions make up for the losses.
/// assert!(sent > 90 && arrived * 100 > sent * 90, "{arrived} of {sent}");
/// # Ok::<(), sedge_sim::Invalid>(())
/// ```
pub struct Simulation {
    now: Instant,
    network: Network,
    broker: Broker,
    nodes: Vec<Node>,
    /// When devices want to be woken. A device's newest wish counts, so entries may be out of date.
    wakes: Queue<NodeId>,
    actions: Queue<Action>,
    record: SharedRecord,
    directory: Rc<Directory>,
    streams: Streams,
    protocol: Protocol,
    packets: u64,
    seed: u64,
    broker_starts: u64,
    observers: Vec<Box<dyn Observer>>,
}

impl Simulation {
    /// A simulation to be described, whose chances are those of `seed`.
    pub fn builder(seed: u64) -> Builder {
        Builder::new(seed)
    }

    /// The time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// What has happened so far.
    pub fn record(&self) -> std::cell::Ref<'_, Record> {
        self.record.borrow()
    }

    /// The network below the hosts.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// The devices that, where they are now, have no way to the border router over links that carry a tenth of their
    /// frames or more; none if there is no radio.
    pub fn out_of_reach(&self) -> Vec<NodeId> {
        let links = self.network.links();
        let usable = links.iter().filter(|link| link.prr >= 0.1).map(|link| (link.to, link.from));
        let mut usable: Vec<(NodeId, NodeId)> = usable.collect();
        usable.sort_unstable();
        let mut reached = vec![false; self.network.len()];
        let mut next = vec![NodeId(0)];
        while let Some(node) = next.pop() {
            if !std::mem::replace(&mut reached[node.index()], true) {
                let first = usable.partition_point(|link| *link < (node, NodeId(0)));
                next.extend(usable[first..].iter().take_while(|link| link.0 == node).map(|link| link.1));
            }
        }
        // Whoever is bound to a parent needs the link to it.
        let bound = |node: NodeId| self.network.parent(node).map(|parent| (parent, node));
        let reaches = |node: &NodeId| {
            reached[node.index()] && bound(*node).is_none_or(|link| usable.binary_search(&link).is_ok())
        };
        (1..self.network.len() as u16).map(NodeId).filter(|node| !reaches(node)).collect()
    }

    /// How many sessions the broker has.
    pub fn sessions(&self) -> usize {
        self.broker.sessions()
    }

    /// What the broker's endpoint has counted since it was last started.
    pub fn broker_counters(&self) -> &sedge_endpoint::Counters {
        self.broker.counters()
    }

    /// How devices and broker know each other.
    pub const fn security(&self) -> SecurityMode {
        self.protocol.security
    }

    /// The fingerprint of everything that has happened so far.
    pub fn hash(&self) -> [u8; 32] {
        self.network.hash()
    }

    /// Lets somebody see the events from now on.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observers.push(observer);
    }

    /// Tells the observers that the run is over, and lets them go.
    ///
    /// # Errors
    /// What one of them saw could not be written.
    pub fn end(&mut self) -> io::Result<()> {
        self.observers.drain(..).try_for_each(|mut observer| observer.end())
    }

    pub(crate) fn shared_record(&self) -> SharedRecord {
        self.record.clone()
    }

    /// Has something happen at a time.
    pub fn schedule(&mut self, at: Instant, action: Action) {
        self.actions.push(at, action);
    }

    /// Runs for so long.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    /// Runs up to a time.
    pub fn run_until(&mut self, end: Instant) {
        while self.step(end) {}
    }

    /// Runs up to a time, but not much longer than `budget` of real time. Says whether it got there.
    pub(crate) fn run_some(&mut self, end: Instant, budget: time::Duration) -> bool {
        let began = time::Instant::now();
        loop {
            for _ in 0..256 {
                if !self.step(end) {
                    return true;
                }
            }
            if began.elapsed() > budget {
                return false;
            }
        }
    }

    /// Does what happens next, if that is before `end`; otherwise moves on to `end` and says `false`.
    fn step(&mut self, end: Instant) -> bool {
        let hosts = [self.wakes.deadline(), self.actions.deadline(), self.broker.deadline()];
        let hosts = hosts.into_iter().flatten().min();
        // Most of what happens concerns the network alone, and leaves the hosts' deadlines as they are.
        for _ in 0..MOST_WITHOUT_HOSTS {
            let next =
                [self.network.deadline(), hosts].into_iter().flatten().min().unwrap_or(end).max(self.now);
            self.now = next.min(end);
            if next >= end {
                return false;
            }
            self.advance_network();
            if self.network.has_arrived() || hosts.is_some_and(|hosts| hosts <= next) {
                self.run_hosts();
                break;
            }
        }
        true
    }

    /// Does everything that is due now above the network.
    fn run_hosts(&mut self) {
        let now = self.now;
        while let Some(arrived) = self.network.poll() {
            self.packet_arrived(arrived);
        }
        while let Some((_, node)) = self.wakes.pop(now) {
            if self.nodes[node.index()].is_due(now) {
                self.run_node(node);
            }
        }
        while let Some((_, action)) = self.actions.pop(now) {
            self.act(action);
        }
        if self.broker.deadline().is_some_and(|deadline| deadline <= now) {
            self.broker.expire(now);
        }
        self.send_from_broker();
        let (record, network) = (&self.record, &mut self.network);
        record.borrow_mut().drain_news(|news| network.absorb(news));
    }

    fn advance_network(&mut self) {
        let Self { network, record, observers, now, .. } = self;
        network.advance(*now, &mut |trace| {
            note(&mut record.borrow_mut(), trace);
            observers.iter_mut().for_each(|observer| observer.see(trace));
        });
    }

    fn packet_arrived(&mut self, arrived: Delivered) {
        let Delivered { node, id, packet } = arrived;
        let message = self.record.borrow().message_of(id);
        if node == NodeId(0) {
            self.broker.packet_in(self.now, packet, message);
            self.send_from_broker();
        } else if self.nodes[node.index()].packet_in(self.now, packet, message) {
            self.run_node(node);
        }
    }

    /// Lets a device do what it can do now.
    fn run_node(&mut self, node: NodeId) {
        if self.nodes[node.index()].is_computing(self.now) {
            return;
        }
        // What it has computed since the last time.
        self.send_from_node(node);
        let slot = &mut self.nodes[node.index()];
        let worked = slot.run(self.now);
        if let Some(wake) = slot.wake() {
            self.wakes.push(wake, node);
        }
        if worked.as_micros() > 0 {
            self.network.charge_cpu(self.now, node, worked);
            if self.protocol.computing {
                slot.compute(self.now + worked);
                self.wakes.push(self.now + worked, node);
                return;
            }
        }
        self.send_from_node(node);
    }

    fn send_from_node(&mut self, node: NodeId) {
        while let Some(outgoing) = self.nodes[node.index()].packet_out() {
            self.send(node, outgoing.message, outgoing.bytes);
        }
    }

    fn send_from_broker(&mut self) {
        while let Some(outgoing) = self.broker.packet_out(self.now) {
            self.send(NodeId(0), outgoing.message, outgoing.bytes);
        }
    }

    fn send(&mut self, node: NodeId, message: Option<MessageId>, packet: Vec<u8>) {
        self.packets += 1;
        let id = PacketId(self.packets);
        self.record.borrow_mut().packet(self.now, node, id, message);
        let now = self.now;
        self.observers.iter_mut().for_each(|observer| observer.packet(now, node, &packet));
        self.network.send(self.now, node, id, packet);
    }

    fn rng(&self, purpose: Purpose, index: u64) -> SimulatedRng {
        SimulatedRng(self.streams.stream(purpose, index))
    }
}

/// Adds what happened in the network to the messages that it happened for.
fn note(record: &mut Record, trace: &Trace) {
    let packet = match &trace.event {
        Event::Sent { id, .. } | Event::NoAck { id, .. } | Event::CcaBusy { id } => *id,
        Event::Backoff { id, .. } | Event::Dropped { id, .. } => *id,
        Event::Delivered { id, .. } | Event::Fragmented { id, .. } | Event::Forwarded { id, .. } => Some(*id),
        Event::Reassembled { id } | Event::Accepted { id, .. } => Some(*id),
        // What concerns no packet.
        _ => None,
    };
    let heard = match &trace.event {
        Event::Received { frame, .. } => record.watched_by_frame(*frame),
        _ => None,
    };
    let Some(message) = heard.or_else(|| record.message_of(packet?)) else { return };
    match &trace.event {
        Event::Sent { attempt, until, acknowledgement, .. } => record.count(message, |counts| {
            counts.frames += u32::from(!acknowledgement);
            counts.retries += u32::from(*attempt > 0);
            counts.airtime_us += until.saturating_since(trace.at).as_micros();
        }),
        Event::NoAck { .. } => record.count(message, |counts| counts.unacknowledged += 1),
        _ => {}
    }
    if record.watches(message) {
        if let Event::Sent { frame, .. } = &trace.event {
            record.watch_frame(*frame);
        }
        record.tell(trace.at, trace.node, message, || words(&trace.event));
    }
}

/// An event of the network in words.
fn words(event: &Event) -> String {
    match event {
        Event::Accepted { bytes, .. } => format!("a packet of {bytes} bytes is given to the network"),
        Event::Delivered { bytes, .. } => format!("a packet of {bytes} bytes is given to the host"),
        Event::Dropped { reason, .. } => format!("dropped: {reason:?}"),
        Event::Fragmented { count, .. } => format!("cut into {count} fragments"),
        Event::Reassembled { .. } => "put together from its fragments".into(),
        Event::Forwarded { next, .. } => format!("forwarded to node {}", next.0),
        Event::Backoff { periods, .. } => format!("waits {periods} back-off periods"),
        Event::CcaBusy { .. } => "finds the channel busy".into(),
        Event::Sent { frame, until: _, channel, power_dbm, attempt, acknowledgement, bytes, .. } => {
            let what = if *acknowledgement { "acknowledgement" } else { "frame" };
            let again = if *attempt > 0 { format!(", retry {attempt}") } else { String::new() };
            format!(
                "{what} {frame} on the air: {} bytes, channel {channel}, {power_dbm} dBm{again}",
                bytes.len()
            )
        }
        Event::NoAck { frame, again, .. } => {
            format!("frame {frame}: no acknowledgement, {}", if *again { "again" } else { "given up" })
        }
        Event::Received { frame, rssi_dbm, lqi, outcome } => {
            let outcome = match outcome {
                Outcome::Ok => "received",
                Outcome::NotForMe => "overheard",
                Outcome::Duplicate => "received once more",
                Outcome::Noise => "lost to noise",
                Outcome::Collision => "lost to a collision",
                Outcome::Aborted => "not listened to to its end",
                Outcome::Security => "refused by link-layer security",
            };
            format!("frame {frame} {outcome}, {rssi_dbm:.1} dBm, LQI {lqi}")
        }
        other => format!("{other:?}"),
    }
}
