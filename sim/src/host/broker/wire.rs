//! What the broker's endpoint sends, and to whom.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::rc::Rc;

use sedge_coap::Code;
use sedge_crypto::RustCrypto;
use sedge_dtls::Credentials;
use sedge_endpoint::memory::{PagedMemory, Path};
use sedge_endpoint::{Endpoint, ExchangeId, Host, SessionId};
use sedge_pubsub::{Content, Handed, Notification, Resend, Resets};
use sedge_time::Instant;

use super::{BrokerConfig, HANDSHAKES, Memory, unix};
use crate::host::credentials::Directory;
use crate::host::random::SimulatedRng;
use crate::host::stack::MAX_DATAGRAM;
use crate::record::{MessageId, SharedRecord};

/// Where a device is, as the broker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Peer(pub(crate) SocketAddrV6);

impl Path for Peer {
    fn cookie_bytes(&self, out: &mut [u8; 32]) -> usize {
        out[..16].copy_from_slice(&self.0.ip().octets());
        out[16..18].copy_from_slice(&self.0.port().to_be_bytes());
        18
    }
}

/// The endpoint's surroundings.
pub(super) struct Wire {
    pub(super) outgoing: VecDeque<(SocketAddrV6, Vec<u8>, Option<MessageId>)>,
    /// What the datagrams that are made at present belong to.
    pub(super) cause: Option<MessageId>,
    /// Whether what is sent at present is sent because it was time for it.
    pub(super) repeating: bool,
    /// What the packets that come out of the stack at present belong to.
    pub(super) sending: Option<MessageId>,
    /// What each peer was last concerned with: what is repeated later belongs to that.
    last: BTreeMap<Peer, MessageId>,
    pub(super) nat: Nat,
    directory: Rc<Directory>,
    record: SharedRecord,
}

impl Wire {
    pub(super) fn new(directory: Rc<Directory>, record: SharedRecord) -> Self {
        Self {
            outgoing: VecDeque::new(),
            cause: None,
            repeating: false,
            sending: None,
            last: BTreeMap::new(),
            nat: Nat::default(),
            directory,
            record,
        }
    }
}

impl Host<RustCrypto> for Wire {
    type Path = Peer;

    fn transmit(&mut self, path: &Peer, fill: impl FnOnce(&mut [u8]) -> usize) -> bool {
        let mut datagram = vec![0; MAX_DATAGRAM];
        let len = fill(&mut datagram).min(MAX_DATAGRAM);
        datagram.truncate(len);
        if len == 0 {
            return true;
        }
        let message = match self.cause {
            Some(cause) => {
                let _before = self.last.insert(*path, cause);
                Some(cause)
            }
            None if self.repeating => self.last.get(path).copied(),
            None => None,
        };
        self.outgoing.push_back((path.0, datagram, message));
        true
    }

    fn credentials(&mut self, _: SessionId) -> impl Credentials<RustCrypto> {
        &*self.directory
    }

    const DANGEROUS_KEY_LOG: bool = true;

    fn dangerous_log_keys(&mut self, label: &'static str, client_random: &[u8; 32], secret: &[u8]) {
        let log = &mut self.record.borrow_mut().key_log;
        log_line(log, label, client_random, secret);
    }
}

/// One line of the NSS key log format ([RFC 9850](https://www.rfc-editor.org/rfc/rfc9850)).
fn log_line(log: &mut String, label: &str, client_random: &[u8; 32], secret: &[u8]) {
    log.push_str(label);
    for field in [&client_random[..], secret] {
        log.push(' ');
        for byte in field {
            // A string takes everything.
            let _written = write!(log, "{byte:02x}");
        }
    }
    log.push('\n');
}

/// The sessions of the broker.
pub(super) struct Link {
    pub(super) endpoint: Endpoint<Memory>,
    pub(super) wire: Wire,
}

impl Link {
    pub(super) fn new(now: Instant, config: &BrokerConfig, wire: Wire, rng: SimulatedRng) -> Self {
        let parts = PagedMemory::parts(config.sessions, HANDSHAKES.min(config.sessions), 4096);
        let endpoint = Endpoint::new(now, config.endpoint.clone(), RustCrypto, rng, parts);
        Self { endpoint, wire }
    }

    /// What is sent next belongs to the message that the value names. Returns what it belonged to before.
    fn begin(&mut self, notification: &Notification<'_>) -> Option<MessageId> {
        let before = self.wire.cause;
        if let Content::Value(value) = &notification.content {
            self.wire.cause = self.wire.record.borrow().named(&value.payload).or(before);
        }
        before
    }
}

/// The way of notifications out.
pub(super) struct Outlet<'b> {
    pub(super) link: &'b mut Link,
    pub(super) now: Instant,
}

impl sedge_pubsub::Outlet for Outlet<'_> {
    /// Nobody's rights change during a run.
    fn judge(&mut self, _: u64, _: &str) -> Option<Code> {
        None
    }

    fn send(&mut self, resets: &mut Resets, notification: &Notification<'_>) -> Handed {
        let before = self.link.begin(notification);
        let Link { endpoint, wire } = &mut *self.link;
        let times = (self.now, unix(self.now));
        let handed = sedge_pubsub::notify(endpoint, wire, resets, times, notification);
        self.link.wire.cause = before;
        handed.unwrap_or(Handed::Gone)
    }

    fn send_again(&mut self, exchange: ExchangeId, resend: &Resend<'_>) {
        let before = self.link.begin(&resend.notification);
        let Link { endpoint, wire } = &mut *self.link;
        sedge_pubsub::renotify(endpoint, wire, (self.now, unix(self.now)), exchange, resend);
        self.link.wire.cause = before;
    }
}

/// The translation of addresses between the devices and the broker: a device keeps its port until it is bound anew.
#[derive(Debug, Default)]
pub(super) struct Nat {
    ports: BTreeMap<Ipv6Addr, u16>,
    bindings: u16,
}

impl Nat {
    /// Where the broker sees a device.
    pub(super) fn outside(&self, inside: SocketAddrV6) -> SocketAddrV6 {
        let port = self.ports.get(inside.ip()).copied().unwrap_or(inside.port());
        SocketAddrV6::new(*inside.ip(), port, 0, 0)
    }

    /// The device that the broker sees there; `None` if it is there no more.
    pub(super) fn inside(&self, outside: SocketAddrV6) -> Option<SocketAddrV6> {
        match self.ports.get(outside.ip()) {
            Some(port) if *port != outside.port() => None,
            _ => Some(SocketAddrV6::new(*outside.ip(), crate::host::DEVICE_PORT, 0, 0)),
        }
    }

    pub(super) fn rebind(&mut self, device: Ipv6Addr) {
        self.bindings = self.bindings.wrapping_add(1);
        let _before = self.ports.insert(device, 20_000 + self.bindings % 40_000);
    }
}
