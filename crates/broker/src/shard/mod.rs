//! A shard: one thread, one socket per listen address, and the sessions that live there.
//!
//! A turn of its loop receives in batches, does what others asked for by mail, does what is due, hands out
//! notifications, and sends what has come of all that. There is no task per session.

mod administer;
mod answers;
mod authorize;
mod events;
mod groups;
mod kept;
mod link;
mod mail;
mod orders;
mod proof;
mod refused;
mod requests;
mod rights;
mod strangers;
mod subjects;
mod throttle;
mod watched;
mod wire;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sedge_access::{Definition, Policy as Rules, PolicyError, Subject};
use sedge_coap::block::BlockSize;
use sedge_crypto::Entropy;
use sedge_dtls::{Transport, peek_cid};
use sedge_endpoint::{CidLayout, Incoming, PathValidation, Procedure, SessionId};
use sedge_pubsub::{BodyLimits, Frontend, Policy, Reliability, TopicId};
use sedge_time::{Duration, Instant};

use crate::Principal;
use crate::admin::Service;
use crate::audit::Actor;
use crate::authority::News;
use crate::clock::Clock;
use crate::config::{Config, ReturnRoutability};
use crate::net::{Head, Inbox, Listener, Via};
use crate::security::{Provider, Security};
use crate::state::State;
use kept::Kept;
use link::{Link, Memory};
use proof::Proof;
use refused::Refused;
use strangers::Strangers;
use subjects::Subjects;
use throttle::Throttle;
use watched::Watchers;
use wire::Wire;

pub(crate) use mail::{Handover, Mailbox, Order};

/// What all shards and the administration have in common.
pub(crate) struct Shared {
    pub(crate) state: Arc<State>,
    pub(crate) security: Security,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    /// What peers without security may do.
    pub(crate) insecure: Arc<Subject>,
    /// One per shard.
    pub(crate) mailboxes: Vec<Mailbox>,
    /// How many observations each shard has, so that those without any need not hear of publications.
    pub(crate) observers: Vec<AtomicUsize>,
    /// Where what waits for something is done.
    pub(crate) control: tokio::runtime::Handle,
}

impl Shared {
    /// Tells every shard that a device was changed or removed.
    pub(crate) fn device_changed(&self, principal: Principal) {
        // The segment of a device counts for those, too, who go by a token that was issued to it.
        let device = self.state.directory.by_principal(principal);
        let bearers = device.map(|device| self.state.tokens.of_subject(&device.name)).unwrap_or_default();
        for mailbox in &self.mailboxes {
            mailbox.rights_changed(|rights| rights.devices.extend(bearers.iter().chain([&principal])));
        }
        self.state.review_groups.notify_one();
    }

    /// Passes on what has changed.
    pub(crate) fn tell(&self, news: News) {
        match news {
            News::Rights(principal) => self.device_changed(principal),
            News::Lists => self.mailboxes.iter().for_each(|mailbox| mailbox.order(Order::ListsChanged)),
            News::Keys(topics) => {
                self.mailboxes.iter().for_each(|mailbox| mailbox.order(Order::KeysChanged(topics.clone())));
            }
        }
    }

    /// Has the roles, segments and bridges of this configuration hold, for sessions under way, too.
    pub(crate) fn set_rules(&self, config: &Config) -> Result<(), PolicyError> {
        let policy = config.policy()?;
        let Definition { roles, segments, bridges } = policy.definition();
        tracing::info!(roles = roles.len(), segments = segments.len(), bridges = bridges.len(), "rules");
        self.state.set_policy(policy);
        for mailbox in &self.mailboxes {
            mailbox.rights_changed(|rights| rights.policy = true);
        }
        self.state.review_groups.notify_one();
        Ok(())
    }

    /// The same, read again from the configuration file.
    pub(crate) fn reload(&self, by: &Actor) -> Result<(), String> {
        let Some(path) = &self.config.source else {
            return Err(
                "the broker was started without a configuration file: there is nothing to read".into()
            );
        };
        let config = Config::read(path).map_err(|error| error.to_string())?;
        self.set_rules(&config).map_err(|error| error.to_string())?;
        self.state.audit.administered(by, "roles, segments and bridges were read again", "");
        Ok(())
    }

    /// Ends every session of a device, wherever it is.
    pub(crate) fn end_sessions(&self, principal: Principal) {
        for mailbox in &self.mailboxes {
            mailbox.order(Order::EndSessions(principal));
        }
    }

    /// Tells every shard but `except` that has observers that a topic has changed.
    pub(crate) fn topic_changed(&self, topic: TopicId, except: Option<usize>) {
        for (number, (mailbox, observers)) in self.mailboxes.iter().zip(&self.observers).enumerate() {
            if Some(number) != except && observers.load(Ordering::Relaxed) > 0 {
                mailbox.topic_changed(topic);
            }
        }
    }
}

/// One shard, while it runs.
pub(crate) struct Shard {
    number: usize,
    shared: Arc<Shared>,
    service: Arc<Service>,
    cid: CidLayout,
    link: Link,
    frontend: Frontend,
    /// Who observes what the authorisation server says.
    watchers: Watchers,
    /// The rules that hold, as far as this shard has heard.
    policy: Arc<Rules>,
    subjects: Subjects,
    /// Sessions whose token is over, each until when it may stay.
    dismissed: Vec<(Instant, SessionId)>,
    /// How long they may stay at most, for their peers to hear of that.
    farewell: Duration,
    refused: Refused,
    kept: Kept,
    proof: Proof,
    strangers: Strangers,
    /// The largest block that fits a datagram.
    block: BlockSize,
    counters: Counters,
    failed_handshakes: Throttle,
    next_chores: Instant,
    stopping: bool,
}

/// What a shard counts besides what its parts count.
#[derive(Debug, Default)]
struct Counters {
    datagrams_received: u64,
    bytes_received: u64,
    datagrams_truncated: u64,
    datagrams_handed_over: u64,
    handovers_lost: u64,
    receive_errors: u64,
    bodies_refused: u64,
    store_refused: u64,
    responses_failed: u64,
    handshakes_of_removed: u64,
    proofs_asked: u64,
    strangers_ignored: u64,
    strangers_ended: u64,
}

/// Batches taken from one socket before something else has its turn.
const BATCHES: usize = 8;
/// Notifications handed out before something else has its turn.
const NOTIFICATIONS: usize = 512;
/// How often things are looked at that need no exact time.
const CHORES: Duration = Duration::from_secs(1);

impl Shard {
    /// Makes a shard; to be called on its thread, within its runtime.
    pub(crate) fn new(
        number: usize,
        listeners: Vec<Listener>,
        shared: Arc<Shared>,
        service: Arc<Service>,
    ) -> io::Result<Self> {
        let Config { limits, timing, topics, log, dtls, .. } = &shared.config;
        let now = shared.clock.now();
        let shards = shared.mailboxes.len();
        let sessions = limits.sessions.div_ceil(shards);
        let cid = cid_layout(shards, number, sessions).ok_or(io::ErrorKind::InvalidInput)?;
        let mut settings = sedge_endpoint::Config { cid, accept: true, ..sedge_endpoint::Config::default() };
        settings.transmission.ack_timeout = timing.ack_timeout.into();
        settings.transmission.max_retransmit = timing.max_retransmit;
        settings.idle_timeout = timing.session_idle.into();
        settings.dtls =
            Transport { mtu: limits.datagram_bytes.min(u16::MAX.into()) as u16, ..Transport::default() };
        settings.dtls.retransmission.initial = timing.handshake_retransmit.into();
        settings.versions = shared.config.listen.dtls_versions();
        // A few bytes for each start of a broker, which lives about as long as its process.
        settings.suites = shared.security.suites().to_vec().leak();
        settings.groups = dtls.groups.clone().leak();
        settings.client_certificate = shared.security.client_certificate();
        settings.path_validation = path_validation(dtls.return_routability);
        let farewell = settings.transmission.max_transmit_wait();
        let parts = Memory::parts(sessions, limits.handshakes, limits.remembered);
        let endpoint =
            sedge_endpoint::Endpoint::new(now, settings, Provider::default(), Entropy::new(), parts);
        // Room for the header, the token, the options and DTLS beside a block.
        let block = BlockSize::at_most(limits.datagram_bytes.saturating_sub(160));
        let policy = Policy {
            reliability: match topics.unconfirmed {
                0 => Reliability::Confirmable,
                others => Reliability::EveryNth(others),
            },
            block,
            max_per_session: limits.observations_per_session,
            ..Policy::default()
        };
        let body_limits = BodyLimits {
            bytes: limits.body_bytes,
            bodies: limits.bodies,
            per_session: limits.bodies_per_session,
            timeout: timing.body_timeout.into(),
        };
        let wire = Wire::new(listeners, limits.datagram_bytes, shared.clone())?;
        Ok(Self {
            number,
            cid,
            link: Link { endpoint, wire, oversized: 0 },
            frontend: Frontend::new(policy, body_limits),
            watchers: Watchers::default(),
            policy: shared.state.policy(),
            subjects: Subjects::default(),
            dismissed: Vec::new(),
            farewell,
            refused: Refused::default(),
            kept: Kept::default(),
            proof: Proof::new(),
            strangers: Strangers::default(),
            block,
            counters: Counters::default(),
            failed_handshakes: Throttle::new(log.repeat.into()),
            next_chores: now + CHORES,
            stopping: false,
            shared,
            service,
        })
    }

    /// Serves until it is told to stop.
    pub(crate) async fn run(mut self) {
        let mut inbox = Inbox::new();
        loop {
            let now = self.shared.clock.now();
            self.receive(now, &mut inbox);
            self.read_mail(now);
            self.expire(now);
            let more = self.deliver(now);
            self.link.wire.flush();
            if self.stopping {
                break;
            }
            if more && !self.link.wire.is_blocked() {
                // Lets the sockets' news in.
                tokio::task::yield_now().await;
            } else {
                self.wait().await;
            }
        }
    }

    /// Waits for a datagram, mail, room to send, or the next thing to be due.
    async fn wait(&mut self) {
        let deadline = self.deadline();
        let Self { link, shared, number, .. } = self;
        let mut mail = pin!(shared.mailboxes[*number].wait());
        let mut sleep = pin!(tokio::time::sleep_until(shared.clock.to_tokio(deadline)));
        poll_fn(|cx| {
            let news = link.wire.poll_ready(cx).is_ready();
            let mail = mail.as_mut().poll(cx).is_ready();
            if news || mail { std::task::Poll::Ready(()) } else { sleep.as_mut().poll(cx) }
        })
        .await;
    }

    fn deadline(&self) -> Instant {
        let parts = [self.link.endpoint.deadline(), self.frontend.deadline(), self.subjects.deadline()];
        parts.into_iter().flatten().fold(self.next_chores, Instant::min)
    }

    fn receive(&mut self, now: Instant, inbox: &mut Inbox) {
        for listener in 0..self.link.wire.listeners() {
            for _ in 0..BATCHES {
                if self.link.wire.is_blocked() {
                    return;
                }
                match self.link.wire.receive(listener, inbox) {
                    Ok(0) => break,
                    Ok(_) => self.take_batch(now, listener, inbox),
                    Err(_) => {
                        // An ICMP message about an earlier datagram, most often; the next call goes on.
                        self.counters.receive_errors += 1;
                        continue;
                    }
                }
                if !inbox.is_full() {
                    break;
                }
            }
        }
    }

    fn take_batch(&mut self, now: Instant, listener: usize, inbox: &mut Inbox) {
        for (head, datagram) in inbox.datagrams() {
            self.counters.datagrams_received += 1;
            self.counters.bytes_received += datagram.len() as u64;
            if head.truncated {
                self.counters.datagrams_truncated += 1;
                continue;
            }
            self.route(now, listener, head, datagram);
        }
    }

    /// Takes a datagram in, or hands it to the shard that its Connection ID names.
    fn route(&mut self, now: Instant, listener: usize, head: Head, datagram: &mut [u8]) {
        let via = Via { listener: listener as u16, local: head.local };
        let plain = self.link.wire.is_plain(listener);
        if !plain
            && let Some(other) = self.owner(datagram).filter(|owner| *owner != self.number)
            && let Some(mailbox) = self.shared.mailboxes.get(other)
        {
            let handed_over =
                mailbox.hand_over(Handover { from: head.from, via, bytes: (&*datagram).into() });
            self.counters.datagrams_handed_over += u64::from(handed_over);
            self.counters.handovers_lost += u64::from(!handed_over);
            return;
        }
        self.take_in(now, head.from, via, plain, datagram);
    }

    /// The shard that the datagram's Connection ID names.
    fn owner(&self, datagram: &[u8]) -> Option<usize> {
        if self.shared.mailboxes.len() == 1 {
            return None;
        }
        self.cid.shard(peek_cid(datagram, self.cid.length())?).map(usize::from)
    }

    fn take_in(
        &mut self,
        now: Instant,
        from: std::net::SocketAddrV6,
        via: Via,
        plain: bool,
        datagram: &mut [u8],
    ) {
        let path = self.link.wire.vias.path(from, via);
        if plain && !self.strangers.admits(&path, datagram) {
            self.counters.strangers_ignored += 1;
            return;
        }
        let mut incoming =
            if plain { Incoming::plain(path, datagram) } else { Incoming::new(path, datagram) };
        while let Some(event) = self.link.endpoint.receive(now, &mut incoming, &mut self.link.wire) {
            self.event(now, event);
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some(event) = self.link.endpoint.expire(now, &mut self.link.wire) {
            self.event(now, event);
        }
        self.expire_rights(now);
        let (frontend, mut outlet) = self.outlet(now);
        frontend.expire(now, &mut outlet);
        if now >= self.next_chores {
            self.next_chores = now + CHORES;
            self.link.wire.try_again();
            self.frontend.expire_bodies(now);
            self.see_off(now);
            self.tell_watchers(now, None);
            self.kept.expire(now);
            self.count_observers();
        }
    }

    /// Hands out notifications; says whether there are more.
    fn deliver(&mut self, now: Instant) -> bool {
        self.hear_of_rights(now);
        let (frontend, mut outlet) = self.outlet(now);
        frontend.deliver(now, NOTIFICATIONS, &mut outlet)
    }

    /// Lets the others know whether there is anyone here who wants to hear of publications.
    fn count_observers(&self) {
        if let Some(observers) = self.shared.observers.get(self.number) {
            observers.store(self.frontend.subscriptions().len(), Ordering::Relaxed);
        }
    }
}

fn path_validation(wanted: ReturnRoutability) -> PathValidation {
    let procedure = match wanted {
        ReturnRoutability::Basic => Procedure::Basic,
        ReturnRoutability::Enhanced => Procedure::Enhanced,
        ReturnRoutability::Automatic | ReturnRoutability::Off => Procedure::Automatic,
    };
    let offer = wanted != ReturnRoutability::Off;
    PathValidation { offer, procedure, ..PathValidation::default() }
}

/// Connection IDs as short as the numbers of shards and sessions allow.
fn cid_layout(shards: usize, number: usize, sessions: usize) -> Option<CidLayout> {
    let bits = |count: usize| usize::BITS - count.saturating_sub(1).leading_zeros();
    let (shard_bits, slot_bits) = (bits(shards), bits(sessions).max(1));
    let length = (shard_bits + slot_bits + 4).div_ceil(8);
    CidLayout::new(length as u8, shard_bits as u8, number as u8, slot_bits as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_ids_are_short_and_always_possible() {
        for (shards, sessions, length) in
            [(1, 1, 1), (1, 10_000, 3), (2, 10_000, 3), (2, 500_000, 3), (8, 1 << 17, 3), (64, 1 << 24, 5)]
        {
            for number in [0, shards - 1] {
                let layout = cid_layout(shards, number, sessions).unwrap();
                assert_eq!(layout.length(), length, "{shards} shards, {sessions} sessions");
                assert!(layout.sessions() >= sessions as u64);
            }
        }
    }
}
