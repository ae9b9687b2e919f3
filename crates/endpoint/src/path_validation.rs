//! Whether a peer is where its records come from (RFC 9853), and how much is sent there before that is known.
//!
//! A record that is newer than all before it and comes from another path begins a [`Validation`]:
//!
//! ```text
//!                        path_drop, or T expires
//!   (moved) ---> Old path asked -------------> New path asked ---> moves    path_response over the new path
//!      |           |                             ^         |
//!      |           | path_response: stays        |         +-----> stays    T expires
//!      +-----------------------------------------+
//!        basic: the old path is not asked
//! ```
//! Until the end nothing changes where the session is. What is sent meanwhile goes to the path that is being asked,
//! to a new one at most three times the bytes that came from there.
//!
//! A peer that knows no return routability check moves at once (RFC 9146 section 6) and is asked by a CoAP ping; until
//! it acknowledges something that went to the new path, the same limit holds.

use rand_core::Rng as _;
use sedge_coap::{Message, Type, empty_message};
use sedge_dtls::{Content, ContentType, Of, PathMessage, PathMessageKind};
use sedge_time::{Duration, Instant};

use crate::config::Procedure;
use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::handshake::Handshake;
use crate::host::HostOf;
use crate::memory::{Memory, PathIndex, Pool, TimerKey, Timers};
use crate::session::{Channel, SessionId};

/// No validation of a session's path is under way.
pub(crate) const NO_VALIDATION: u32 = u32::MAX;

/// How often a path is asked within T: once per round-trip time (RFC 9853 section 5.3).
const CHALLENGES: usize = 3;

/// How many times the bytes that came from a path that is not proven are sent there (RFC 9853 section 2).
const AMPLIFICATION: u32 = 3;

/// T is at least this, lest a peer's processing time be taken for a dead path.
pub(crate) const SHORTEST: Duration = Duration::from_millis(200);

/// A session that seems to have moved, and whose new path is not proven yet.
pub struct Validation<P> {
    session: SessionId,
    /// Where its records come from now.
    candidate: P,
    step: Step,
    /// What was asked in this step: the cookies of challenges, or the Message IDs of pings.
    asked: [[u8; 8]; CHALLENGES],
    /// How many of them there are.
    count: u8,
    /// When the last one was sent.
    asked_at: Instant,
    /// When to ask again, or to give up.
    pub(crate) deadline: Instant,
    /// How many bytes may still be sent to the candidate.
    allowance: u32,
}

/// How far a validation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The old path is asked whether the peer is still there.
    Old,
    /// The new path is asked.
    New,
    /// The peer knows no challenges and has moved; it must acknowledge a message of at least this ID.
    Unchecked { first: u16 },
}

/// Where a record came from.
pub(crate) struct Arrival<P> {
    pub(crate) path: P,
    /// Its length in bytes.
    pub(crate) len: usize,
    /// Whether it is newer than all before it.
    pub(crate) newest: bool,
    /// In which second the peer was heard before.
    pub(crate) heard_before: u32,
}

impl<P: Copy + Eq> Validation<P> {
    /// Where to send at present, and how many bytes of a limited number.
    pub(crate) fn route(&mut self, bound: P) -> (P, Option<&mut u32>) {
        match self.step {
            Step::Old => (bound, None),
            Step::New | Step::Unchecked { .. } => (self.candidate, Some(&mut self.allowance)),
        }
    }

    fn remember(&mut self, now: Instant, asked: [u8; 8]) {
        if let Some(free) = self.asked.get_mut(usize::from(self.count)) {
            *free = asked;
            self.count += 1;
        }
        self.asked_at = now;
    }

    fn has_asked(&self, what: &[u8; 8]) -> bool {
        self.asked.iter().take(self.count.into()).any(|asked| asked == what)
    }
}

impl<M: Memory> Endpoint<M> {
    /// Takes note of where an authentic record came from, before its content is looked at. `true` if the content
    /// was the answer to a ping of ours that nobody else waits for.
    pub(crate) fn arrived<H: HostOf<M>>(
        &mut self,
        now: Instant,
        id: SessionId,
        arrival: &Arrival<M::Path>,
        content: &Content<'_>,
        host: &mut H,
    ) -> Option<Proven> {
        let peer = self.peer(id)?;
        let Channel::Dtls(session) = &peer.channel else { return None };
        let (bound, slot) = (peer.path, peer.validation);
        let can_move = arrival.newest && bound != arrival.path && !session.own_cid().is_empty();
        let Some(validation) = self.validations.get_mut(slot) else {
            if can_move {
                self.begin_validation(now, id, arrival, host);
            }
            return None;
        };
        if validation.candidate == arrival.path {
            let more = u32::try_from(arrival.len).unwrap_or(u32::MAX).saturating_mul(AMPLIFICATION);
            validation.allowance = validation.allowance.saturating_add(more);
        }
        match validation.step {
            Step::Unchecked { first } if validation.candidate == arrival.path => {
                let message_id = acknowledged(content, first)?;
                let ping = validation.has_asked(&ping_mark(message_id));
                self.counters.path_validations_succeeded += 1;
                self.end_validation(id);
                Some(if ping { Proven::ByPing } else { Proven::Otherwise })
            }
            // It has moved once more.
            Step::Unchecked { .. } if can_move => {
                self.end_validation(id);
                self.begin_validation(now, id, arrival, host);
                None
            }
            // The peer is where it was; the record from elsewhere took another way. What it says about paths counts
            // as what it says.
            Step::Old | Step::New
                if arrival.newest
                    && bound == arrival.path
                    && !matches!(content, Content::ReturnRoutability(_)) =>
            {
                self.counters.paths_kept += 1;
                self.end_validation(id);
                None
            }
            // RFC 9853 section 5: a third path has to wait for the end.
            Step::Old | Step::New | Step::Unchecked { .. } => None,
        }
    }

    fn begin_validation<H: HostOf<M>>(
        &mut self,
        now: Instant,
        id: SessionId,
        arrival: &Arrival<M::Path>,
        host: &mut H,
    ) {
        let Some(peer) = self.sessions.get_mut(id.slot) else { return };
        let Channel::Dtls(session) = &peer.channel else { return };
        let silent = crate::receive::seconds(now).saturating_sub(arrival.heard_before);
        let works = u64::from(silent) < Procedure::RECENT.as_secs();
        let step = match self.config.path_validation.procedure {
            _ if !session.return_routability() => {
                // A lifetime of zero is always kept, so there is a next one.
                let first = peer.message_ids.next(now, Duration::ZERO).unwrap_or_default();
                Step::Unchecked { first: first.wrapping_add(1) }
            }
            Procedure::Enhanced => Step::Old,
            Procedure::Automatic if works => Step::Old,
            Procedure::Automatic | Procedure::Basic => Step::New,
        };
        let validation = Validation {
            session: id,
            candidate: arrival.path,
            step,
            asked: [[0; 8]; CHALLENGES],
            count: 0,
            asked_at: now,
            deadline: now,
            allowance: u32::try_from(arrival.len).unwrap_or(u32::MAX).saturating_mul(AMPLIFICATION),
        };
        let Some(slot) = self.validations.insert(validation) else {
            self.counters.path_validations_refused += 1;
            return;
        };
        peer.validation = slot;
        self.counters.path_validations_started += 1;
        if matches!(step, Step::Unchecked { .. }) {
            self.move_to(id, arrival.path);
        }
        self.ask(now, id, host);
    }

    /// Asks the path whose turn it is, once more.
    fn ask<H: HostOf<M>>(&mut self, now: Instant, id: SessionId, host: &mut H) {
        let Some(peer) = self.peer(id) else { return };
        let (bound, slot) = (peer.path, peer.validation);
        let wait = peer.answer_timeout(&self.config.path_validation).fraction(1, CHALLENGES as u32);
        let Some(validation) = self.validations.get_mut(slot) else { return };
        validation.deadline = now + wait;
        let path = match validation.step {
            Step::Old => bound,
            Step::New => validation.candidate,
            Step::Unchecked { .. } => {
                self.ping_path(now, id, host);
                return self.arm_session(id);
            }
        };
        let mut cookie = [0; 8];
        self.rng.fill_bytes(&mut cookie);
        validation.remember(now, cookie);
        self.counters.path_challenges_sent += 1;
        self.send_path_message(id, path, PathMessage { kind: PathMessageKind::Challenge, cookie }, host);
        self.arm_session(id);
    }

    /// An empty confirmable message, which every CoAP peer must reject (RFC 7252 section 4.3).
    fn ping_path<H: HostOf<M>>(&mut self, now: Instant, id: SessionId, host: &mut H) {
        let Some(peer) = self.sessions.get_mut(id.slot) else { return };
        let Some(message_id) = peer.message_ids.next(now, Duration::ZERO) else { return };
        if let Some(validation) = self.validations.get_mut(peer.validation) {
            validation.remember(now, ping_mark(message_id));
        }
        self.counters.path_challenges_sent += 1;
        // The limit applies here too; what does not go out is made up for by what comes in.
        let _lost =
            self.send_to(id, host, |buf| crate::transmit::copy(&empty_message(Type::Con, message_id), buf));
    }

    /// A message about paths.
    pub(crate) fn receive_path_message<'d, H: HostOf<M>>(
        &mut self,
        now: Instant,
        id: SessionId,
        path: M::Path,
        message: PathMessage,
        host: &mut H,
    ) -> Option<Event<'d>> {
        let peer = self.peer(id)?;
        let (bound, slot, migrated) = (peer.path, peer.validation, peer.migrated);
        if message.kind == PathMessageKind::Challenge {
            // RFC 9853 section 5.4: one answer at once, to where the challenge came from.
            let kind =
                if migrated && path != bound { PathMessageKind::Drop } else { PathMessageKind::Response };
            self.counters.path_challenges_answered += 1;
            self.send_path_message(id, path, PathMessage { kind, ..message }, host);
            return None;
        }
        let answered = self.validations.get(slot).filter(|validation| {
            let asked = match validation.step {
                Step::Old => bound,
                Step::New => validation.candidate,
                Step::Unchecked { .. } => return false,
            };
            asked == path && validation.has_asked(&message.cookie)
        });
        let Some(Validation { step, asked_at, .. }) = answered else {
            self.counters.path_answers_invalid += 1;
            return None;
        };
        let (step, asked_at) = (*step, *asked_at);
        match (step, message.kind) {
            (Step::New, PathMessageKind::Response) => {
                self.counters.path_validations_succeeded += 1;
                self.end_validation(id);
                self.move_to(id, path);
                self.peer_mut(id)?.note_rtt(now.saturating_since(asked_at));
                Some(Event::Moved { session: id })
            }
            // The peer has left the new path again before it was proven.
            (Step::New, _) => {
                self.counters.path_validations_failed += 1;
                self.end_validation(id);
                None
            }
            (_, PathMessageKind::Response) => {
                self.counters.paths_kept += 1;
                self.end_validation(id);
                None
            }
            (_, _) => {
                self.ask_new_path(now, id, host);
                None
            }
        }
    }

    fn ask_new_path<H: HostOf<M>>(&mut self, now: Instant, id: SessionId, host: &mut H) {
        let Some(slot) = self.peer(id).map(|peer| peer.validation) else { return };
        if let Some(validation) = self.validations.get_mut(slot) {
            validation.step = Step::New;
            validation.count = 0;
        }
        self.ask(now, id, host);
    }

    /// The time for an answer is over.
    pub(crate) fn expire_validation<H: HostOf<M>>(&mut self, now: Instant, id: SessionId, host: &mut H) {
        let Some(slot) = self.peer(id).map(|peer| peer.validation) else { return };
        let Some(validation) = self.validations.get_mut(slot) else { return };
        if validation.deadline > now {
            return;
        }
        if usize::from(validation.count) < CHALLENGES {
            return self.ask(now, id, host);
        }
        match validation.step {
            Step::Old => self.ask_new_path(now, id, host),
            Step::New => {
                self.counters.path_validations_failed += 1;
                self.end_validation(id);
            }
            // The limit stays until something is acknowledged.
            Step::Unchecked { .. } => validation.deadline = Instant::DISTANT_FUTURE,
        }
    }

    /// Forgets that a path is not proven.
    pub(crate) fn end_validation(&mut self, id: SessionId) {
        let Some(peer) = self.peer_mut(id) else { return };
        let slot = core::mem::replace(&mut peer.validation, NO_VALIDATION);
        if self.validations.get(slot).is_some_and(|validation| validation.session == id) {
            let _ended = self.validations.remove(slot);
        }
    }

    /// The session is at `path` from now on.
    pub(crate) fn move_to(&mut self, id: SessionId, path: M::Path) {
        let Some(peer) = self.peer_mut(id) else { return };
        let old = core::mem::replace(&mut peer.path, path);
        if self.paths.get(&old) == Some(id.slot) {
            self.paths.remove(&old);
        }
        // Somebody else may have been here before; then that session is found by its Connection ID only.
        let _indexed = self.paths.insert(path, id.slot);
        self.counters.sessions_moved += 1;
    }

    /// Sends over another path from now on, as a host does that has left a network for another. The peer learns it by
    /// the next record, and if it asks on the old path, it is told so (RFC 9853 section 5.2).
    ///
    /// Says whether there is such a session. Without a Connection ID of its own, records to the old path are lost.
    pub fn migrate(&mut self, session: SessionId, path: M::Path) -> bool {
        self.end_validation(session);
        let Some(peer) = self.peer_mut(session) else { return false };
        peer.migrated = true;
        self.move_to(session, path);
        true
    }

    pub(crate) fn send_path_message<H: HostOf<M>>(
        &mut self,
        id: SessionId,
        path: M::Path,
        message: PathMessage,
        host: &mut H,
    ) {
        let Some(peer) = self.sessions.get_mut(id.slot).filter(|peer| peer.generation == id.generation)
        else {
            return;
        };
        let Channel::Dtls(session) = &mut peer.channel else { return };
        let layer = Of::<M::Dtls>::new(&self.crypto);
        let mut sent_len = 0;
        let sent = host.transmit(&path, |buf| {
            let bytes = message.to_bytes();
            let headroom = session.headroom();
            let Some(place) = buf.get_mut(headroom..headroom + bytes.len()) else { return 0 };
            place.copy_from_slice(&bytes);
            let kind = ContentType::RETURN_ROUTABILITY_CHECK;
            sent_len = session.seal(&layer, kind, buf, bytes.len()).unwrap_or(0);
            sent_len
        });
        self.counters.transmit_refused += u64::from(!sent);
        self.counters.records_sent += u64::from(sent && sent_len > 0);
        let spent = u32::try_from(sent_len).unwrap_or(u32::MAX);
        if let Some(validation) = self.validations.get_mut(peer.validation)
            && validation.candidate == path
        {
            validation.allowance = validation.allowance.saturating_sub(spent);
        }
    }

    /// Arms the timer of a session: for its handshake, its validation or what it has to send again, whichever is first.
    pub(crate) fn arm_session(&mut self, id: SessionId) {
        let Some(peer) = self.peer(id) else { return };
        let validation = self.validations.get(peer.validation).map(|validation| validation.deadline);
        let handshake = self.handshake_slot(id).and_then(|slot| self.handshakes.get(slot));
        let handshake = handshake.and_then(Handshake::deadline);
        let next = validation.into_iter().chain(handshake).chain([peer.resend_at]).min();
        if let Some(next) = next.filter(|next| *next != Instant::DISTANT_FUTURE) {
            let _armed = self.timers.arm(next, TimerKey::Session(id.slot));
        }
    }
}

/// How a path was proven that could not be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proven {
    /// By the answer to a ping, which nobody else waits for.
    ByPing,
    /// By the acknowledgement of something else.
    Otherwise,
}

/// The Message ID of ours that a record acknowledges, if it is not older than `first`.
fn acknowledged(content: &Content<'_>, first: u16) -> Option<u16> {
    let Content::ApplicationData(bytes) = content else { return None };
    let message = Message::parse(bytes).ok()?;
    let ours = matches!(message.kind(), Type::Ack | Type::Rst);
    let age = message.message_id().wrapping_sub(first);
    (ours && age < 1 << 15).then(|| message.message_id())
}

/// A ping among cookies.
fn ping_mark(message_id: u16) -> [u8; 8] {
    let [high, low] = message_id.to_be_bytes();
    [high, low, 0, 0, 0, 0, 0, 0]
}
