//! Just enough of a broker: topics with a value each, observed by whoever asks.

use std::collections::{BTreeMap, VecDeque};

use sedge_coap::block::{Assembler, Block, BlockSize, Progress, slice};
use sedge_coap::{Code, ContentFormat, Message, OptionNumber, Token, Writer};
use sedge_crypto::RustCrypto;
use sedge_dtls::Full;
use sedge_endpoint::memory::{PagedMemory, Path};
use sedge_endpoint::{
    CidLayout, Config, Counters, Endpoint, Event, Incoming, Notification, SessionId, Ticket,
};
use sedge_time::Instant;

use super::server::Server;
use super::{Flying, LATENCY, TestRng};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddress(pub(crate) u8);

impl Path for ClientAddress {
    fn cookie_bytes(&self, out: &mut [u8; 32]) -> usize {
        out[0] = self.0;
        1
    }
}

type BrokerMemory = PagedMemory<ClientAddress, Full<RustCrypto>, TestRng>;

/// A value, its format, and how often the topic has changed.
#[derive(Clone, Default)]
struct Topic {
    value: Vec<u8>,
    format: u16,
    version: u64,
}

struct Observer {
    session: SessionId,
    token: Token,
    topic: String,
    sequence: u32,
    /// As long as the blocks it asked for (RFC 7959 section 2.6).
    block: BlockSize,
}

pub(crate) struct Broker {
    endpoint: Endpoint<BrokerMemory>,
    pub(crate) server: Server,
    /// Who asked last.
    pub(crate) principal: u32,
    topics: BTreeMap<String, Topic>,
    observers: Vec<Observer>,
    body: Vec<u8>,
    assembler: Assembler,
    echoed: Option<(u64, Vec<u8>)>,
    /// Blocks that it sends, and the largest it takes.
    pub(crate) block: BlockSize,
    /// Every value that was published, whole.
    pub(crate) published: Vec<(String, Vec<u8>)>,
    /// What to answer to registrations instead of agreeing.
    pub(crate) refuse: Option<Code>,
    /// Publish a new value whenever this many blocks were fetched.
    pub(crate) change_every: Option<u32>,
    fetched: u32,
    /// Notifications are confirmable.
    pub(crate) confirmable: bool,
}

impl Broker {
    pub(crate) fn new(now: Instant, seed: u64) -> Self {
        Self {
            endpoint: Self::endpoint(now, seed, |_| {}),
            server: Server::default(),
            principal: 0,
            topics: BTreeMap::new(),
            observers: Vec::new(),
            body: vec![0; 70_000],
            assembler: Assembler::new(),
            echoed: None,
            block: BlockSize::at_most(256),
            published: Vec::new(),
            refuse: None,
            change_every: None,
            fetched: 0,
            confirmable: false,
        }
    }

    fn endpoint(now: Instant, seed: u64, change: impl FnOnce(&mut Config)) -> Endpoint<BrokerMemory> {
        let cid = CidLayout::new(4, 0, 0, 16).unwrap();
        let mut config = Config { accept: true, cid, ..Config::default() };
        change(&mut config);
        Endpoint::new(now, config, RustCrypto, TestRng(seed), BrokerMemory::parts(16, 4, 64))
    }

    /// Loses all sessions, and has other settings.
    pub(crate) fn reconfigure(&mut self, change: impl FnOnce(&mut Config)) {
        self.endpoint = Self::endpoint(Instant::EPOCH, 77, change);
    }

    pub(crate) fn counters(&self) -> &Counters {
        self.endpoint.counters()
    }

    /// Loses all sessions, and keeps the topics.
    pub(crate) fn restart(&mut self, now: Instant) {
        let fresh = Self::new(now, now.as_micros() + 5);
        self.endpoint = fresh.endpoint;
        self.observers.clear();
        self.server.sent.clear();
    }

    pub(crate) fn sessions(&self) -> usize {
        self.endpoint.sessions().count()
    }

    pub(crate) fn handshakes(&self) -> u64 {
        self.endpoint.counters().handshakes_completed
    }

    pub(crate) fn observers(&self) -> usize {
        self.observers.len()
    }

    pub(crate) fn publish(&mut self, now: Instant, name: &str, value: &[u8]) {
        let topic = self.topics.entry(name.into()).or_default();
        topic.value = value.into();
        topic.version += 1;
        self.notify(now, name, Code::CONTENT);
    }

    pub(crate) fn delete(&mut self, now: Instant, name: &str) {
        self.topics.remove(name);
        self.notify(now, name, Code::NOT_FOUND);
        self.observers.retain(|observer| observer.topic != name);
    }

    /// Closes all sessions with a goodbye.
    pub(crate) fn close_all(&mut self) {
        let all: Vec<SessionId> = self.endpoint.sessions().map(|(session, _)| session).collect();
        for session in all {
            self.endpoint.close(session, &mut self.server);
        }
        self.observers.clear();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.endpoint.deadline()
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(event) = self.endpoint.expire(now, &mut self.server) {
            if let Event::Render { notification, key, .. } = event {
                let observer = &mut self.observers[key as usize];
                observer.sequence += 1;
                let (topic, block, sequence) =
                    (&self.topics[&observer.topic], observer.block, observer.sequence);
                let _ = self.endpoint.renotify(
                    now,
                    notification,
                    true,
                    &mut self.server,
                    Code::CONTENT,
                    |writer| {
                        represent(writer, topic, Some(sequence), None, None, block);
                    },
                );
            }
        }
    }

    pub(super) fn receive(&mut self, now: Instant, from: u8, mut datagram: Vec<u8>) {
        let mut incoming = Incoming::new(ClientAddress(from), &mut datagram);
        while let Some(event) = self.endpoint.receive(now, &mut incoming, &mut self.server) {
            if let Event::Request { ticket, message } = event {
                self.answer(now, ticket, &message);
            }
        }
    }

    pub(super) fn flush(
        &mut self,
        now: Instant,
        dice: &mut TestRng,
        loss: u64,
        to_client: &mut VecDeque<Flying>,
    ) {
        for (client, bytes) in self.server.sent.drain(..) {
            if dice.below(100) >= loss {
                to_client.push_back(Flying { arrives: now + LATENCY, client, bytes });
            }
        }
    }

    fn answer(&mut self, now: Instant, ticket: Ticket, message: &Message<'_>) {
        self.principal = ticket.principal();
        let path: Vec<&str> = message.uri_path().map(|part| str::from_utf8(part).unwrap()).collect();
        let ["d", rest @ ..] = &path[..] else {
            let text = b"only topics live here";
            return self.simple(now, ticket, Code::FORBIDDEN, text);
        };
        let name = rest.join("/");
        match message.code() {
            Code::PUT => self.put(now, ticket, message, &name),
            Code::GET => self.get(now, ticket, message, &name),
            Code::POST => self.echo(now, ticket, message),
            _ => self.simple(now, ticket, Code::METHOD_NOT_ALLOWED, b""),
        }
    }

    fn put(&mut self, now: Instant, ticket: Ticket, message: &Message<'_>, name: &str) {
        let len = match message.block1() {
            None => {
                self.body[..message.payload().len()].copy_from_slice(message.payload());
                message.payload().len()
            }
            Some(block) if block.size() > self.block && block.num() == 0 => {
                let smaller = Block::new(0, block.more(), self.block).unwrap();
                let code = Code::REQUEST_ENTITY_TOO_LARGE;
                let sent = self.endpoint.respond(now, ticket, &mut self.server, code, |writer| {
                    writer.block(OptionNumber::BLOCK1, smaller);
                });
                return sent.unwrap();
            }
            Some(block) => {
                let (key, size) = (message.request_key(), message.size1());
                match self.assembler.receive(&mut self.body, key, block, size, message.payload()) {
                    Ok(Progress::Complete(len)) => len,
                    Ok(Progress::Continue(_)) => {
                        let code = Code::CONTINUE;
                        let sent = self.endpoint.respond(now, ticket, &mut self.server, code, |writer| {
                            writer.block(OptionNumber::BLOCK1, block);
                        });
                        return sent.unwrap();
                    }
                    Err(error) => return self.simple(now, ticket, error.code(), b""),
                }
            }
        };
        let value = self.body[..len].to_vec();
        self.published.push((name.into(), value.clone()));
        self.publish(now, name, &value);
        self.topics.get_mut(name).unwrap().format = message.content_format().unwrap_or(ContentFormat::TEXT).0;
        self.simple(now, ticket, Code::CHANGED, b"");
    }

    fn get(&mut self, now: Instant, ticket: Ticket, message: &Message<'_>, name: &str) {
        if let Some(code) = self.refuse.filter(|_| message.observe() == Some(0)) {
            return self.simple(now, ticket, code, b"");
        }
        if message.block2().is_some_and(|block| block.num() > 0) {
            self.fetched += 1;
            if self.change_every.is_some_and(|every| self.fetched.is_multiple_of(every)) {
                let mut value = self.topics[name].value.clone();
                value[0] = value[0].wrapping_add(1);
                self.topics.get_mut(name).unwrap().value = value;
                self.topics.get_mut(name).unwrap().version += 1;
            }
        }
        let Some(topic) = self.topics.get(name) else {
            return self.simple(now, ticket, Code::NOT_FOUND, b"");
        };
        let (session, token) = (ticket.session(), ticket.token());
        let same = |observer: &Observer| observer.session == session && observer.token == token;
        let mut sequence = None;
        match message.observe() {
            Some(0) => {
                if !self.observers.iter().any(same) {
                    let block = message.block2().map_or(self.block, |asked| asked.size().min(self.block));
                    self.observers.push(Observer { session, token, topic: name.into(), sequence: 2, block });
                }
                let observer = self.observers.iter_mut().find(|observer| same(observer)).unwrap();
                observer.sequence += 1;
                sequence = Some(observer.sequence);
            }
            Some(_) => self.observers.retain(|observer| !same(observer)),
            None => {}
        }
        let (asked, block) = (message.block2(), self.block);
        self.endpoint
            .respond(now, ticket, &mut self.server, Code::CONTENT, |writer| {
                represent(writer, topic, sequence, asked, None, block);
            })
            .unwrap();
    }

    /// Answers with the request's body; blocks of either belong together by the other options.
    fn echo(&mut self, now: Instant, ticket: Ticket, message: &Message<'_>) {
        let key = message.request_key();
        if let Some(block) = message.block1() {
            let size = message.size1();
            match self.assembler.receive(&mut self.body, key, block, size, message.payload()) {
                Ok(Progress::Complete(len)) => self.echoed = Some((key, self.body[..len].to_vec())),
                Ok(Progress::Continue(_)) => {
                    let sent =
                        self.endpoint.respond(now, ticket, &mut self.server, Code::CONTINUE, |writer| {
                            writer.block(OptionNumber::BLOCK1, block);
                        });
                    return sent.unwrap();
                }
                Err(error) => return self.simple(now, ticket, error.code(), b""),
            }
        }
        let Some((_, value)) = self.echoed.clone().filter(|(known, _)| *known == key) else {
            return self.simple(now, ticket, Code::REQUEST_ENTITY_INCOMPLETE, b"");
        };
        let topic = Topic { value, format: 0, version: 1 };
        let (asked, block, block1) = (message.block2(), self.block, message.block1());
        self.endpoint
            .respond(now, ticket, &mut self.server, Code::CHANGED, |writer| {
                represent(writer, &topic, None, asked, block1, block);
            })
            .unwrap();
    }

    fn simple(&mut self, now: Instant, ticket: Ticket, code: Code, text: &[u8]) {
        let respond = |writer: &mut Writer<'_>| {
            writer.payload(text);
        };
        self.endpoint.respond(now, ticket, &mut self.server, code, respond).unwrap();
    }

    fn notify(&mut self, now: Instant, name: &str, code: Code) {
        for (key, observer) in (0..).zip(&mut self.observers) {
            if observer.topic != name {
                continue;
            }
            observer.sequence += 1;
            let (topic, block, sequence) = (self.topics.get(name), observer.block, observer.sequence);
            let notification =
                Notification { key, token: observer.token, code, confirmable: self.confirmable };
            let _ = self.endpoint.notify(now, observer.session, notification, &mut self.server, |writer| {
                if let Some(topic) = topic {
                    represent(writer, topic, Some(sequence), None, None, block);
                }
            });
        }
    }
}

fn represent(
    writer: &mut Writer<'_>,
    topic: &Topic,
    sequence: Option<u32>,
    asked: Option<Block>,
    block1: Option<Block>,
    size: BlockSize,
) {
    let part = slice(topic.value.len(), asked, size).unwrap();
    writer.option(OptionNumber::ETAG, &topic.version.to_be_bytes());
    if let Some(sequence) = sequence {
        writer.option_uint(OptionNumber::OBSERVE, sequence);
    }
    writer.content_format(ContentFormat(topic.format));
    if let Some(block) = part.block {
        writer.block(OptionNumber::BLOCK2, block);
    }
    if let Some(block1) = block1 {
        writer.block(OptionNumber::BLOCK1, block1);
    }
    if part.block.is_some() {
        writer.option_uint(OptionNumber::SIZE2, topic.value.len() as u32);
    }
    writer.payload(&topic.value[part.range]);
}
