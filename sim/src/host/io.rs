//! The socket and the clock of a simulated device.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddrV6;
use std::rc::Rc;
use std::task::Poll;

use sedge_client::{Clock, Datagram};
use sedge_time::Instant;

use super::clock::Drift;
use super::datagram::Flight;
use super::metered::Metered;
use super::stack::Stack;
use crate::network::NodeId;
use crate::record::{Kind, MessageId, Outcome, SharedRecord};

/// What a device's socket, clock and program share with the simulation around them.
pub(crate) struct Port {
    pub(crate) now: Instant,
    /// When the device wants to be woken, of all that wait in it the earliest.
    pub(crate) wake: Option<Instant>,
    pub(crate) stack: Stack,
    pub(crate) outgoing: VecDeque<Outgoing>,
    /// The message on whose behalf datagrams are sent at present.
    pub(crate) cause: Option<MessageId>,
    /// The message that the packet just received belongs to: what is sent at once acknowledges it.
    pub(crate) heard_of: Option<MessageId>,
    /// The handshake under way.
    pub(crate) handshake: Option<MessageId>,
    pub(crate) record: SharedRecord,
    pub(crate) node: NodeId,
    pub(crate) drift: Drift,
    /// Whether something has arrived since the last turn.
    pub(crate) heard: bool,
    /// What the device's cryptography has cost.
    pub(crate) crypto: Metered,
    broker: SocketAddrV6,
}

pub(crate) type SharedPort = Rc<RefCell<Port>>;

/// A packet for the network.
pub(crate) struct Outgoing {
    pub(crate) message: Option<MessageId>,
    pub(crate) bytes: Vec<u8>,
}

impl Port {
    pub(crate) fn new(
        node: NodeId,
        now: Instant,
        stack: Stack,
        broker: SocketAddrV6,
        record: SharedRecord,
        crypto: Metered,
    ) -> Self {
        Self {
            now,
            wake: None,
            stack,
            outgoing: VecDeque::new(),
            cause: None,
            heard_of: None,
            handshake: None,
            record,
            node,
            drift: Drift::NONE,
            heard: false,
            crypto,
            broker,
        }
    }

    fn send(&mut self, datagram: &[u8]) {
        let flight = Flight::of(datagram);
        if flight == Flight::ClientHello && self.handshake.is_none() {
            let begun = self.record.borrow_mut().begin(self.now, Kind::Handshake, self.node, 0);
            self.handshake = Some(begun);
        }
        // What DTLS 1.3 sends under its application keys is no part of a handshake, even before that is acknowledged.
        let message = match flight {
            Flight::Record13 => self.cause.or(self.handshake),
            _ => self.handshake.or(self.cause),
        };
        let message = message.or(self.heard_of);
        if let Some(message) = message {
            self.record.borrow_mut().tell(self.now, self.node, message, || {
                format!("device sends {flight}, {} bytes", datagram.len())
            });
        }
        // What finds no room is lost, as it would be on the way.
        let _sent = self.stack.send(self.now, self.broker, datagram);
        while let Some(bytes) = self.stack.packet_out() {
            self.outgoing.push_back(Outgoing { message, bytes });
        }
    }

    /// Ends the handshake under way once the broker has a session and the device has heard from it.
    pub(crate) fn settle(&mut self) {
        let heard = std::mem::take(&mut self.heard);
        let Some(handshake) = self.handshake.filter(|_| heard) else { return };
        let arrived =
            self.record.borrow().message(handshake).is_some_and(|message| message.arrived.is_some());
        if arrived {
            self.end_handshake(Outcome::Done);
        }
    }

    /// The handshake under way is over.
    pub(crate) fn end_handshake(&mut self, outcome: Outcome) {
        if let Some(handshake) = self.handshake.take() {
            self.record.borrow_mut().concluded(self.now, handshake, outcome);
        }
    }

    /// What the device's clock shows.
    pub(crate) fn shown(&self) -> Instant {
        self.drift.shows(self.now)
    }

    fn wake_at(&mut self, at: Instant) {
        let at = self.drift.when(at);
        self.wake = Some(self.wake.map_or(at, |earlier| earlier.min(at)));
    }
}

/// The socket of a simulated device, connected to the broker.
pub struct Socket(pub(crate) SharedPort);

/// The clock of a simulated device: the simulation's, unless it drifts.
#[derive(Clone)]
pub struct VirtualClock(pub(crate) SharedPort);

/// Why a simulated socket refuses: it never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {}

impl fmt::Display for NoRoute {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Datagram for Socket {
    type Error = NoRoute;

    async fn send(&mut self, datagram: &[u8]) -> Result<(), NoRoute> {
        self.0.borrow_mut().send(datagram);
        Ok(())
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, NoRoute> {
        poll_fn(|_| {
            let received = self.0.borrow_mut().stack.receive(buffer);
            received.map_or(Poll::Pending, |(len, _)| Poll::Ready(Ok(len)))
        })
        .await
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.0.borrow().shown()
    }

    async fn sleep_until(&mut self, deadline: Instant) {
        poll_fn(|_| {
            let mut port = self.0.borrow_mut();
            if port.shown() >= deadline {
                return Poll::Ready(());
            }
            port.wake_at(deadline);
            Poll::Pending
        })
        .await;
    }
}
