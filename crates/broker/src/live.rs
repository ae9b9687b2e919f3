//! What administrators can ask of a broker only while it runs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sedge_pubsub::TopicId;
use tokio::sync::oneshot;

use crate::Principal;
use crate::admin::{After, Counter, Live, Page, SessionInfo, Status};
use crate::audit::Actor;
use crate::authority::News;
use crate::shard::{Mailbox, Order, Shared};

/// A running broker.
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    /// Where it listens, as URIs.
    pub(crate) listening: Vec<String>,
}

#[async_trait]
impl Live for Running {
    fn device_removed(&self, principal: Principal) {
        self.shared.security.trust.forget(principal);
        self.shared.device_changed(principal);
    }

    fn tell(&self, news: News) {
        self.shared.tell(news);
    }

    fn reload(&self, by: &Actor) -> Result<(), String> {
        self.shared.reload(by)
    }

    fn topic_changed(&self, topic: TopicId) {
        self.shared.topic_changed(topic, None);
    }

    async fn describe(&self, status: &mut Status) {
        status.uptime = self.shared.clock.uptime();
        status.listening.clone_from(&self.listening);
        status.warnings = self.shared.security.trust.warnings(crate::admin::unix_seconds());
        status.warnings.extend(self.shared.state.clock_warning());
        status.auth = self.shared.security.auth().map(|auth| auth.as_str().to_owned()).collect();
        let mut counters: Vec<Counter> = Vec::new();
        for mailbox in &self.shared.mailboxes {
            let Some(description) = ask(mailbox, Order::Describe).await else { continue };
            status.sessions += description.sessions;
            status.observations += description.observations;
            if counters.is_empty() {
                counters
                    .extend(description.counters.into_iter().map(|(name, value)| Counter { name, value }));
            } else {
                // Every shard counts the same things in the same order.
                for (sum, (_, value)) in counters.iter_mut().zip(description.counters) {
                    sum.value += value;
                }
            }
        }
        let own = self.shared.security.counters.entries();
        counters.extend(own.map(|(name, value)| Counter { name: name.to_owned(), value }));
        counters.extend(self.shared.state.tokens.counters().map(|(name, value)| Counter { name, value }));
        if let Some(remote) = &self.shared.state.remote {
            status.warnings.extend(remote.warning());
            counters.extend(remote.counters().map(|(name, value)| Counter { name, value }));
        }
        let audit = self.shared.state.audit.counters();
        counters.extend(audit.map(|(name, value)| Counter { name: name.to_owned(), value }));
        let topics = self.shared.state.topics();
        counters.extend(
            topics
                .counters()
                .entries()
                .map(|(name, value)| Counter { name: format!("topics.{}", name.replace('-', "_")), value }),
        );
        status.counters = counters;
    }

    async fn sessions(&self, after: &After) -> Page<SessionInfo> {
        let first = after.0.get(..2).and_then(|shard| shard.parse().ok()).unwrap_or(0);
        let mut page = Page { entries: Vec::new(), next: None };
        for (number, mailbox) in self.shared.mailboxes.iter().enumerate().skip(first) {
            let Some(found) = ask(mailbox, |reply| Order::Sessions(after.clone(), reply)).await else {
                continue;
            };
            page.entries.extend(found.entries);
            page.next = found.next;
            if page.next.is_some() || !page.entries.is_empty() {
                let others = number + 1 < self.shared.mailboxes.len();
                let last = page.entries.last().map(|entry| After(entry.id.clone()));
                page.next = page.next.or(last.filter(|_| others));
                break;
            }
        }
        page
    }
}

/// What the shard behind a mailbox answers; a shard that is ending does not.
async fn ask<T>(mailbox: &Mailbox, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    mailbox.order(order(reply));
    tokio::time::timeout(Duration::from_secs(5), answer).await.ok()?.ok()
}
