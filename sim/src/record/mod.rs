//! What a run is remembered by: every message with its life, and who took part.

mod message;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sedge_time::Instant;

pub use message::{Kind, Message, MessageId, Outcome};

use crate::host::{name_of, tag};
use crate::network::{NodeId, PacketId};

/// Where everything that happens above the network is written down.
#[derive(Debug, Default)]
pub struct Record {
    messages: Vec<Message>,
    /// The message that each packet belongs to, by the packet's number; zero for none.
    packets: Vec<u32>,
    /// Messages whose bodies nobody on the way can read, by the tags of these.
    protected: BTreeMap<[u8; 8], MessageId>,
    /// Who wants to hear of which topics.
    subscribers: BTreeMap<String, BTreeSet<NodeId>>,
    /// What has happened since the fingerprint was last taken further.
    news: Vec<u8>,
    /// Events of hosts in words, of the messages that are watched.
    story: Option<Story>,
    /// How many sessions began, by the broker's word.
    pub sessions: u64,
    /// Lines of the key log, with which captures can be decrypted.
    pub key_log: String,
}

/// The life of one message in words.
#[derive(Debug)]
struct Story {
    about: MessageId,
    /// Its frames.
    frames: BTreeSet<u64>,
    lines: Vec<(Instant, NodeId, String)>,
}

pub(crate) type SharedRecord = Rc<RefCell<Record>>;

impl Record {
    /// A record that also tells the life of one message, if it is to.
    pub(crate) fn new(about: Option<MessageId>) -> SharedRecord {
        let story = about.map(|about| Story { about, frames: BTreeSet::new(), lines: Vec::new() });
        Rc::new(RefCell::new(Self { story, ..Self::default() }))
    }

    /// From now on a body with this tag is known as that of a message.
    pub(crate) fn protect(&mut self, tag: Option<[u8; 8]>, id: MessageId) {
        self.protected.extend(tag.map(|tag| (tag, id)));
    }

    /// The message that a body names, or whose body it is.
    pub(crate) fn named(&self, body: &[u8]) -> Option<MessageId> {
        let protected = tag(body).and_then(|tag| self.protected.get(&tag).copied());
        protected.or_else(|| name_of(body))
    }

    /// All messages, in the order in which they were made.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// One message.
    pub fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(id.index())
    }

    /// The message that a packet belongs to.
    pub fn message_of(&self, packet: PacketId) -> Option<MessageId> {
        let number = self.packets.get(usize::try_from(packet.0).ok()?).copied()?;
        MessageId::from_number(number)
    }

    pub(crate) fn begin(&mut self, now: Instant, kind: Kind, node: NodeId, bytes: usize) -> MessageId {
        let number = u32::try_from(self.messages.len() + 1).unwrap_or(u32::MAX);
        let id = MessageId::from_number(number).unwrap_or(MessageId::FIRST);
        self.messages.push(Message::new(id, kind, node, now, bytes));
        self.note(now, node, b'b', number);
        self.tell(now, node, id, || format!("{kind} of {bytes} bytes begins"));
        id
    }

    /// The message reached whom it was for, once or once more.
    pub(crate) fn arrived(&mut self, now: Instant, at: NodeId, id: MessageId) {
        self.note(now, at, b'a', id.number());
        let Some(message) = self.messages.get_mut(id.index()) else { return };
        message.arrived(now);
        let after = message.latency().map_or(0, |latency| latency.as_micros());
        self.tell(now, at, id, || format!("arrived, {} ms after it was sent", after as f64 / 1000.0));
    }

    /// A device wants to hear of what is published to a topic.
    pub(crate) fn subscribed(&mut self, node: NodeId, topic: &str) {
        let _new = self.subscribers.entry(topic.into()).or_default().insert(node);
    }

    /// The message is for all who want to hear of this topic.
    pub(crate) fn expect(&mut self, id: MessageId, topic: &str) {
        let receivers = self.subscribers.get(topic).map_or(0, BTreeSet::len);
        if let Some(message) = self.messages.get_mut(id.index()) {
            message.expected = receivers as u32;
        }
    }

    /// Its sender knows how it went.
    pub(crate) fn concluded(&mut self, now: Instant, id: MessageId, outcome: Outcome) {
        let Some(message) = self.messages.get_mut(id.index()) else { return };
        message.conclude(now, outcome);
        let node = message.node;
        self.note(now, node, b'c', id.number());
        self.tell(now, node, id, || format!("its sender knows: {outcome}"));
    }

    /// A packet of some message goes to the network.
    pub(crate) fn packet(&mut self, now: Instant, node: NodeId, packet: PacketId, of: Option<MessageId>) {
        let index = usize::try_from(packet.0).unwrap_or(usize::MAX);
        if self.packets.len() <= index {
            self.packets.resize(index + 1, 0);
        }
        self.packets[index] = of.map_or(0, MessageId::number);
        self.note(now, node, b'p', packet.0 as u32);
        if let Some(message) = of.and_then(|id| self.messages.get_mut(id.index())) {
            message.packets = message.packets.saturating_add(1);
        }
    }

    /// What the radios did for a message.
    pub(crate) fn count(&mut self, id: MessageId, count: impl FnOnce(&mut Message)) {
        if let Some(message) = self.messages.get_mut(id.index()) {
            count(message);
        }
    }

    /// Says what happened to a message, if it is watched.
    pub(crate) fn tell(&mut self, at: Instant, node: NodeId, id: MessageId, words: impl FnOnce() -> String) {
        if let Some(story) = self.story.as_mut().filter(|story| story.about == id) {
            story.lines.push((at, node, words()));
        }
    }

    /// Whether somebody wants to hear of this message.
    pub(crate) fn watches(&self, id: MessageId) -> bool {
        self.story.as_ref().is_some_and(|story| story.about == id)
    }

    /// A frame of the message that is watched.
    pub(crate) fn watch_frame(&mut self, frame: u64) {
        if let Some(story) = &mut self.story {
            let _new = story.frames.insert(frame);
        }
    }

    /// The message that is watched, if this is a frame of it.
    pub(crate) fn watched_by_frame(&self, frame: u64) -> Option<MessageId> {
        self.story.as_ref().filter(|story| story.frames.contains(&frame)).map(|story| story.about)
    }

    /// The life of the message that was watched.
    pub fn story(&self) -> &[(Instant, NodeId, String)] {
        self.story.as_ref().map_or(&[], |story| &story.lines)
    }

    /// Something that belongs into the fingerprint of the run.
    fn note(&mut self, now: Instant, node: NodeId, what: u8, number: u32) {
        self.news.extend_from_slice(&now.as_micros().to_be_bytes());
        self.news.extend_from_slice(&node.0.to_be_bytes());
        self.news.push(what);
        self.news.extend_from_slice(&number.to_be_bytes());
    }

    /// Hands over what is to go into the fingerprint.
    pub(crate) fn drain_news(&mut self, mut take: impl FnMut(&[u8])) {
        if !self.news.is_empty() {
            take(&self.news);
            self.news.clear();
        }
    }
}
