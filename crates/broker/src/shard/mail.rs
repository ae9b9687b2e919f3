//! What threads tell a shard. Nothing here grows with what strangers send: topics coalesce, datagrams are
//! bounded, and orders come from administrators and from requests that the shard itself has deferred.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddrV6;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sedge_coap::block::Block;
use sedge_endpoint::ExchangeId;
use sedge_pubsub::{Response, TopicId};
use tokio::sync::{Notify, oneshot};

use crate::Principal;
use crate::admin::{After, Page, SessionInfo};
use crate::net::Via;

/// A shard's mailbox.
#[derive(Debug)]
pub(crate) struct Mailbox {
    mail: Mutex<Mail>,
    rights: Mutex<Rights>,
    /// Whether there is something in `rights`: looked at on every request.
    rights_changed: AtomicBool,
    bell: Notify,
    /// How many datagrams may wait.
    limit: usize,
}

/// What has arrived since the shard looked last.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// Topics that have changed.
    pub(crate) topics: HashSet<TopicId>,
    /// Datagrams that another shard received for a session of this one.
    pub(crate) datagrams: Vec<Handover>,
    /// Anything else, in order.
    pub(crate) orders: Vec<Order>,
}

/// Whose rights have changed since the shard looked last.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    /// Devices that were changed or removed.
    pub(crate) devices: HashSet<Principal>,
    /// The rules have changed for everyone.
    pub(crate) policy: bool,
}

/// A datagram that came to the wrong shard.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(crate) from: SocketAddrV6,
    pub(crate) via: Via,
    pub(crate) bytes: Box<[u8]>,
}

/// Something for the shard to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Answer a request that was deferred.
    Answer(Answer),
    /// End every session of a device whose credential is good no more.
    EndSessions(Principal),
    /// Tell those who observe what the authorisation server says that it may be something else now.
    ListsChanged,
    /// Tell those who observe the keys of these topics' groups that there are others now.
    KeysChanged(Arc<BTreeSet<String>>),
    /// Say how you are.
    Describe(oneshot::Sender<Description>),
    /// List sessions.
    Sessions(After, oneshot::Sender<Page<SessionInfo>>),
    /// Say goodbye to everyone, and end.
    Stop,
}

/// The answer to a request that was deferred.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) deferred: ExchangeId,
    /// The session it goes to, as a number.
    pub(crate) session: u64,
    /// The request's Block2 option.
    pub(crate) asked: Option<Block>,
    /// What confirms the last block of the request's body.
    pub(crate) block1: Option<Block>,
    pub(crate) response: Response,
    /// Whether the response cannot be made again, so that its later blocks must be kept.
    pub(crate) keep: bool,
}

/// How a shard is.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) sessions: u64,
    pub(crate) observations: u64,
    pub(crate) counters: Vec<(String, u64)>,
}

impl Mailbox {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            mail: Mutex::default(),
            rights: Mutex::default(),
            rights_changed: AtomicBool::new(false),
            bell: Notify::new(),
            limit,
        }
    }

    /// Tells of a topic that has changed.
    pub(crate) fn topic_changed(&self, topic: TopicId) {
        if self.lock().topics.insert(topic) {
            self.bell.notify_one();
        }
    }

    /// Hands a datagram over; `false` if too many wait already, so that it is lost.
    pub(crate) fn hand_over(&self, datagram: Handover) -> bool {
        let mut mail = self.lock();
        if mail.datagrams.len() >= self.limit {
            return false;
        }
        mail.datagrams.push(datagram);
        drop(mail);
        self.bell.notify_one();
        true
    }

    /// Tells of changed rights.
    pub(crate) fn rights_changed(&self, change: impl FnOnce(&mut Rights)) {
        let mut rights = self.rights.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut rights);
        self.rights_changed.store(true, Ordering::Release);
        drop(rights);
        self.bell.notify_one();
    }

    /// What has changed in anyone's rights.
    pub(crate) fn rights(&self) -> Option<Rights> {
        if !self.rights_changed.load(Ordering::Acquire) {
            return None;
        }
        let mut rights = self.rights.lock().unwrap_or_else(PoisonError::into_inner);
        self.rights_changed.store(false, Ordering::Relaxed);
        Some(std::mem::take(&mut *rights))
    }

    /// Gives an order.
    pub(crate) fn order(&self, order: Order) {
        self.lock().orders.push(order);
        self.bell.notify_one();
    }

    /// Everything that has arrived.
    pub(crate) fn empty(&self) -> Mail {
        std::mem::take(&mut *self.lock())
    }

    /// Waits until something has arrived since the last time.
    pub(crate) async fn wait(&self) {
        self.bell.notified().await;
    }

    // Mail is pushed in one step, so a panic elsewhere leaves it whole.
    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
