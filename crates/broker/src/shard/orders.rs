//! What other threads ask of a shard.

use sedge_endpoint::SessionId;
use sedge_time::Instant;

use super::mail::{Description, Handover, Order};
use super::{Counters, Shard};
use crate::Principal;
use crate::admin::{After, Page, PageBuilder, SessionInfo};

impl Shard {
    pub(super) fn read_mail(&mut self, now: Instant) {
        self.hear_of_rights(now);
        let mail = self.shared.mailboxes[self.number].empty();
        if !mail.topics.is_empty() {
            let shared = self.shared.clone();
            let topics = shared.state.topics();
            for topic in mail.topics {
                self.frontend.subscriptions_mut().sync(now, &topics, topic);
            }
        }
        for Handover { from, via, mut bytes } in mail.datagrams {
            self.take_in(now, from, via, false, &mut bytes);
        }
        for order in mail.orders {
            match order {
                Order::Answer(answer) => self.answer(now, answer),
                Order::EndSessions(principal) => self.end_sessions(principal),
                Order::ListsChanged => self.lists_changed(now),
                Order::KeysChanged(topics) => self.keys_changed(now, &topics),
                // Whoever asked may have gone.
                Order::Describe(reply) => drop(reply.send(self.describe())),
                Order::Sessions(after, reply) => drop(reply.send(self.sessions(now, &after))),
                Order::Stop => {
                    self.say_goodbye();
                    self.stopping = true;
                }
            }
        }
    }

    fn end_sessions(&mut self, principal: Principal) {
        let sessions = self.link.endpoint.sessions();
        let ended: Vec<SessionId> =
            sessions.filter(|(_, owner)| *owner == principal).map(|(session, _)| session).collect();
        for session in ended {
            self.end(session);
        }
    }

    /// Lets peers know that their sessions are over, so that they do not wait for an answer to the next thing they
    /// send. What finds no room is lost, as it would be on the way.
    fn say_goodbye(&mut self) {
        let sessions: Vec<SessionId> = self.link.endpoint.sessions().map(|(session, _)| session).collect();
        for session in sessions {
            let _known = self.link.endpoint.close(session, &mut self.link.wire);
        }
    }

    fn sessions(&self, now: Instant, after: &After) -> Page<SessionInfo> {
        let mut page = PageBuilder::new();
        for (session, principal) in self.link.endpoint.sessions() {
            let (slot, generation) = (session.to_u64() as u32, session.to_u64() >> 32);
            let id = format!("{:02}-{slot:08x}-{generation:08x}", self.number);
            if id <= after.0 {
                continue;
            }
            let state = &self.shared.state;
            let device = state.directory.by_principal(principal).map(|device| device.name.clone());
            let device = device.or_else(|| Some(state.tokens.get(principal)?.subject.clone()));
            let peer = self.link.endpoint.path(session).map(|path| path.peer().to_string());
            let heard = self.link.endpoint.last_heard(session).unwrap_or(now);
            let info = SessionInfo {
                id: id.clone(),
                device,
                peer: peer.unwrap_or_default(),
                idle: now.saturating_since(heard).as_secs(),
            };
            if !page.push(&id, info) {
                break;
            }
        }
        page.finish()
    }

    fn describe(&self) -> Description {
        let Counters {
            datagrams_received,
            bytes_received,
            datagrams_truncated,
            datagrams_handed_over,
            handovers_lost,
            receive_errors,
            bodies_refused,
            store_refused,
            responses_failed,
            handshakes_of_removed,
            proofs_asked,
            strangers_ignored,
            strangers_ended,
        } = self.counters;
        let sent = *self.link.wire.counters();
        let own = [
            ("net.datagrams_received", datagrams_received),
            ("net.bytes_received", bytes_received),
            ("net.datagrams_sent", sent.datagrams),
            ("net.bytes_sent", sent.bytes),
            ("net.datagrams_truncated", datagrams_truncated),
            ("net.datagrams_refused", sent.refused),
            ("net.receive_errors", receive_errors),
            ("shard.handed_over", datagrams_handed_over),
            ("shard.handovers_lost", handovers_lost),
            ("coap.bodies_refused", bodies_refused),
            ("coap.bodies_open", self.frontend.open_bodies() as u64),
            ("coap.responses_failed", responses_failed),
            ("coap.proofs_asked", proofs_asked),
            ("coap.strangers_ignored", strangers_ignored),
            ("coap.strangers_ended", strangers_ended),
            ("coap.notifications_too_long", self.link.oversized),
            ("store.refused", store_refused),
            ("dtls.handshakes_of_removed", handshakes_of_removed),
        ];
        let endpoint = self.link.endpoint.counters();
        let named = |prefix: &str, (name, value): (&str, u64)| {
            (format!("{prefix}.{}", name.replace('-', "_")), value)
        };
        let counters = own
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(endpoint.totals().map(|entry| named("endpoint", entry)))
            .chain(endpoint.discards().map(|entry| named("dtls.discarded", entry)))
            .chain(self.refused.entries())
            .chain(self.frontend.subscriptions().counters().entries().map(|entry| named("observe", entry)))
            .collect();
        Description {
            sessions: self.link.endpoint.sessions().count() as u64,
            observations: (self.frontend.subscriptions().len() + self.watchers.len()) as u64,
            counters,
        }
    }
}
