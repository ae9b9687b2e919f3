//! One device: its stack, its task, and its power.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use sedge_time::{Duration, Instant};

use crate::host::{Device, Outgoing, Program, SharedPort};
use crate::record::{MessageId, Outcome};

/// One device.
pub(super) struct Node {
    port: SharedPort,
    program: Option<Rc<dyn Program>>,
    /// The program while it runs.
    task: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// When it wants to run again.
    wake: Option<Instant>,
    /// Until when its processor computes: what it has to send leaves then, and what arrives meanwhile waits.
    computing: Option<Instant>,
    pub(super) boots: u64,
}

impl Node {
    pub(super) fn new(port: SharedPort, program: Option<Rc<dyn Program>>) -> Self {
        Self { port, program, task: None, wake: None, computing: None, boots: 0 }
    }

    pub(super) fn port(&self) -> &SharedPort {
        &self.port
    }

    /// Begins its program.
    pub(super) fn start(&mut self, device: Device) {
        self.boots += 1;
        self.task = self.program.as_ref().map(|program| program.start(device));
    }

    /// Ends its program where it is.
    pub(super) fn stop(&mut self, outcome: Outcome) {
        self.task = None;
        self.wake = None;
        self.computing = None;
        let mut port = self.port.borrow_mut();
        port.end_handshake(outcome);
        port.cause = None;
        port.outgoing.clear();
    }

    /// Takes in a packet; says whether there is anyone who wants to see it.
    pub(super) fn packet_in(&mut self, now: Instant, packet: Vec<u8>, of: Option<MessageId>) -> bool {
        let mut port = self.port.borrow_mut();
        port.heard_of = of;
        port.stack.packet_in(now, packet);
        port.heard = true;
        self.task.is_some() && !self.is_computing(now)
    }

    pub(super) fn packet_out(&mut self) -> Option<Outgoing> {
        self.port.borrow_mut().outgoing.pop_front()
    }

    /// Does what can be done now; says how long its processor would have computed for it.
    pub(super) fn run(&mut self, now: Instant) -> Duration {
        self.computing = None;
        let Some(task) = &mut self.task else { return Duration::from_micros(0) };
        {
            let mut port = self.port.borrow_mut();
            port.now = now;
            port.wake = None;
        }
        if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            self.task = None;
        }
        let mut port = self.port.borrow_mut();
        self.wake = port.wake;
        port.heard_of = None;
        port.settle();
        port.crypto.take()
    }

    /// When it wants to run again.
    pub(super) const fn wake(&self) -> Option<Instant> {
        self.wake
    }

    /// Whether that is now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let next = self.computing.or(self.wake);
        next.is_some_and(|next| next <= now)
    }

    /// Its processor computes until then.
    pub(super) const fn compute(&mut self, until: Instant) {
        self.computing = Some(until);
    }

    /// Whether its processor computes.
    pub(super) fn is_computing(&self, now: Instant) -> bool {
        self.computing.is_some_and(|until| until > now)
    }

    /// From now on its clock runs fast by so many millionths.
    pub(super) fn drift(&mut self, now: Instant, ppm: f64) {
        let mut port = self.port.borrow_mut();
        port.now = now;
        port.drift = port.drift.change(now, ppm);
    }
}
