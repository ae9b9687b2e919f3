//! A broker of two shards without sockets: requests go in as datagrams, answers and notifications come out
//! as datagrams.

use std::collections::BTreeSet;

use sedge_access::{Caller, Grants, Permissions, Subject, TopicPattern};
use sedge_coap::block::{Block, BlockSize};
use sedge_coap::{Code, ContentFormat, Message, OptionNumber, Token, Type, Writer};
use sedge_pubsub::*;
use sedge_time::{Duration, Instant};

pub(crate) const PUBSUB: ContentFormat = ContentFormat::CORE_PUBSUB;
/// 2026-11-22
pub(crate) const TODAY: UnixTime = UnixTime(1_795_305_600);

pub(crate) struct Broker {
    pub(crate) topics: Topics,
    pub(crate) shards: [Subscriptions; 2],
    pub(crate) now: Instant,
    pub(crate) unix: UnixTime,
    pub(crate) grants: Grants,
    /// The change that the last request made.
    pub(crate) change: Option<Change>,
    /// The notifications sent since somebody looked.
    sent: Vec<Sent>,
    /// Sessions that cannot take a notification.
    pub(crate) busy: BTreeSet<u64>,
    /// Whether a session takes one confirmable notification at a time (NSTART 1).
    pub(crate) one_at_a_time: bool,
    /// Whether shards hear of changes only by [`hear`](Self::hear).
    pub(crate) late: bool,
    unheard: [Vec<TopicId>; 2],
}

/// A notification on the wire.
pub(crate) struct Sent {
    pub(crate) session: u64,
    pub(crate) observation: ObservationId,
    pub(crate) datagram: Vec<u8>,
}

/// A request to be.
pub(crate) struct Req {
    code: Code,
    token: u64,
    path: String,
    /// Options other than Uri-Path.
    options: Vec<(OptionNumber, Vec<u8>)>,
    body: Vec<u8>,
}

/// An answer.
pub(crate) struct Reply(Vec<u8>);

impl Broker {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default(), Policy::default())
    }

    pub(crate) fn with(settings: Settings, policy: Policy) -> Self {
        Self {
            topics: Topics::new(settings),
            shards: [Subscriptions::new(policy), Subscriptions::new(policy)],
            now: Instant::EPOCH + Duration::from_secs(1000),
            unix: TODAY,
            grants: Grants::administrator(),
            change: None,
            sent: Vec::new(),
            busy: BTreeSet::new(),
            one_at_a_time: false,
            late: false,
            unheard: [Vec::new(), Vec::new()],
        }
    }

    /// The answer to the request, which comes over session 1 of the first shard.
    pub(crate) fn ask(&mut self, request: Req) -> Reply {
        self.ask_as(1, request)
    }

    /// The answer to the request over a session; odd ones are of the first shard, even ones of the second.
    pub(crate) fn ask_as(&mut self, session: u64, request: Req) -> Reply {
        let grants = self.grants.clone();
        self.ask_with(session, &grants, request).expect("an answer")
    }

    pub(crate) fn ask_with(&mut self, session: u64, grants: &Grants, request: Req) -> Option<Reply> {
        let datagram = request.datagram();
        let message = Message::parse(&datagram).unwrap();
        let (rules, subject) = (sedge_access::Policy::default(), Subject::device("device", grants));
        let request = Request {
            now: self.now,
            unix: self.unix,
            session,
            caller: Caller { policy: &rules, subject: &subject },
            message: &message,
            body: message.payload(),
        };
        let shard = &mut self.shards[session as usize % 2];
        let outcome = handle(&mut self.topics, shard, &request);
        let mut buffer = vec![0; 2048];
        let reply = outcome.response.map(|response| {
            let rendered = response.render(message.block2(), BlockSize::MAX);
            let id = message.message_id();
            let mut writer = Writer::new(&mut buffer, Type::Ack, rendered.code, id, message.token());
            rendered.write(&mut writer, None);
            let len = writer.finish().unwrap();
            Reply(buffer[..len].to_vec())
        });
        self.change = outcome.change;
        if let Some(change) = self.change.clone() {
            self.changed(&change);
        }
        if outcome.ready {
            self.on_shard(session, |shard, now, outlet| shard.ready(now, session, outlet));
        }
        reply
    }

    /// Tells the shards of a change and has them deliver.
    pub(crate) fn changed(&mut self, change: &Change) {
        for shard in [0, 1] {
            self.unheard[shard].push(change.topic);
            if !self.late {
                self.hear(shard);
                self.deliver(shard);
            }
        }
    }

    /// Has a shard hear of everything that has changed.
    pub(crate) fn hear(&mut self, shard: usize) {
        for topic in std::mem::take(&mut self.unheard[shard]) {
            self.shards[shard].sync(self.now, &self.topics, topic);
        }
    }

    pub(crate) fn deliver(&mut self, shard: usize) {
        self.on_shard(shard as u64, |shard, now, outlet| while shard.deliver(now, 3, outlet) {});
    }

    pub(crate) fn on_shard(
        &mut self,
        session: u64,
        act: impl FnOnce(&mut Subscriptions, Instant, &mut dyn FnMut(Notification<'_>) -> Handed),
    ) {
        let Self { sent, busy, one_at_a_time, unix, now, .. } = self;
        let mut outlet = |notification: Notification<'_>| {
            if busy.contains(&notification.session) {
                return Handed::Busy;
            }
            if *one_at_a_time && notification.confirmable {
                busy.insert(notification.session);
            }
            sent.push(Sent::of(&notification, *unix));
            Handed::Sent
        };
        act(&mut self.shards[session as usize % 2], *now, &mut outlet);
    }

    /// The notifications sent since the last call.
    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// Acknowledges everything that is sent until there is nothing more, and says what a session was sent.
    pub(crate) fn drain(&mut self, session: u64) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let sent = self.sent();
            if sent.is_empty() {
                return seen;
            }
            for sent in sent {
                if sent.session == session {
                    seen.push(sent.text());
                }
                self.acknowledge(&sent);
            }
        }
    }

    pub(crate) fn acknowledge(&mut self, sent: &Sent) {
        let Sent { session, observation, .. } = *sent;
        self.busy.remove(&session);
        self.on_shard(session, |shard, now, outlet| shard.acknowledged(now, session, observation, outlet));
    }

    /// The notification is rejected, or was never acknowledged.
    pub(crate) fn fail(&mut self, sent: &Sent) {
        let Sent { session, observation, .. } = *sent;
        self.busy.remove(&session);
        self.on_shard(session, |shard, now, outlet| shard.failed(now, session, observation, outlet));
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.unix.0 += seconds;
    }

    /// A topic of this name, created by request; returns its path.
    pub(crate) fn create(&mut self, name: &str, more: &[Entry<'_>]) -> String {
        let entries = [&[Entry::Text(0, name), Entry::Text(2, "core.ps.data")], more].concat();
        let reply = self.ask(Req::post("/ps").pubsub(&entries));
        assert_eq!(reply.code(), Code::CREATED, "{}", reply.problem());
        reply.location()
    }

    pub(crate) fn put(&mut self, path: &str, text: &str) -> Code {
        self.ask(Req::put(path).text(text)).code()
    }

    pub(crate) fn observe(&mut self, session: u64, path: &str) -> Reply {
        self.ask_as(session, Req::get(path).token(session).observe(0))
    }
}

impl Sent {
    pub(crate) fn of(notification: &Notification<'_>, unix: UnixTime) -> Self {
        let Notification { session, observation, token, confirmable, .. } = *notification;
        let mut buffer = vec![0; 2048];
        let rendered = notification.render(unix);
        let kind = if confirmable { Type::Con } else { Type::Non };
        let mut writer = Writer::new(&mut buffer, kind, rendered.code, 7, token);
        rendered.write(&mut writer, None);
        let len = writer.finish().unwrap();
        Self { session, observation, datagram: buffer[..len].to_vec() }
    }

    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.datagram).unwrap()
    }

    /// The payload of a value; the code of an end.
    pub(crate) fn text(&self) -> String {
        let message = self.message();
        if message.code() == Code::CONTENT {
            assert!(message.observe().is_some(), "a notification has an Observe option");
            String::from_utf8(message.payload().to_vec()).unwrap()
        } else {
            assert_eq!(message.observe(), None, "the end of an observation has no Observe option");
            message.code().to_string()
        }
    }
}

impl Req {
    fn new(code: Code, uri: &str) -> Self {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let mut request = Self { code, token: 0, path: path.into(), options: Vec::new(), body: Vec::new() };
        for argument in query.split('&').filter(|argument| !argument.is_empty()) {
            request = request.option(OptionNumber::URI_QUERY, argument.as_bytes());
        }
        request
    }

    pub(crate) fn get(uri: &str) -> Self {
        Self::new(Code::GET, uri)
    }

    pub(crate) fn put(uri: &str) -> Self {
        Self::new(Code::PUT, uri)
    }

    pub(crate) fn post(uri: &str) -> Self {
        Self::new(Code::POST, uri)
    }

    pub(crate) fn fetch(uri: &str) -> Self {
        Self::new(Code::FETCH, uri)
    }

    pub(crate) fn ipatch(uri: &str) -> Self {
        Self::new(Code::IPATCH, uri)
    }

    pub(crate) fn patch(uri: &str) -> Self {
        Self::new(Code::PATCH, uri)
    }

    pub(crate) fn delete(uri: &str) -> Self {
        Self::new(Code::DELETE, uri)
    }

    pub(crate) fn token(mut self, token: u64) -> Self {
        self.token = token;
        self
    }

    pub(crate) fn option(mut self, number: OptionNumber, value: &[u8]) -> Self {
        self.options.push((number, value.to_vec()));
        self
    }

    fn uint(self, number: OptionNumber, value: u32) -> Self {
        let bytes = value.to_be_bytes();
        self.option(number, &bytes[value.leading_zeros() as usize / 8..])
    }

    pub(crate) fn observe(self, value: u32) -> Self {
        self.uint(OptionNumber::OBSERVE, value)
    }

    pub(crate) fn accept(self, format: ContentFormat) -> Self {
        self.uint(OptionNumber::ACCEPT, format.0.into())
    }

    pub(crate) fn max_age(self, seconds: u32) -> Self {
        self.uint(OptionNumber::MAX_AGE, seconds)
    }

    pub(crate) fn block2(self, num: u32, size: usize) -> Self {
        let block = Block::new(num, false, BlockSize::at_most(size)).unwrap();
        self.uint(OptionNumber::BLOCK2, block.value())
    }

    pub(crate) fn body(mut self, format: ContentFormat, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self.uint(OptionNumber::CONTENT_FORMAT, format.0.into())
    }

    /// A body without a Content-Format.
    pub(crate) fn bare(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.body(ContentFormat::TEXT, text.as_bytes())
    }

    /// A map of topic properties.
    pub(crate) fn pubsub(self, entries: &[Entry<'_>]) -> Self {
        let map = map(entries);
        self.body(PUBSUB, &map)
    }

    fn datagram(mut self) -> Vec<u8> {
        for segment in self.path.split('/').skip(1) {
            let segment = segment.replace("%20", " ");
            self.options.push((OptionNumber::URI_PATH, segment.into_bytes()));
        }
        self.options.sort_by_key(|(number, _)| *number);
        let mut buffer = vec![0; self.body.len() + 1024];
        let token = Token::from_u64(self.token, 2);
        let mut writer = Writer::new(&mut buffer, Type::Con, self.code, 1, token);
        for (number, value) in &self.options {
            writer.option(*number, value);
        }
        writer.payload(&self.body);
        let len = writer.finish().unwrap();
        buffer[..len].to_vec()
    }
}

impl Reply {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.0).unwrap()
    }

    pub(crate) fn code(&self) -> Code {
        self.message().code()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.message().payload().to_vec()).unwrap()
    }

    pub(crate) fn etag(&self) -> Vec<u8> {
        self.message().etags().next().expect("an ETag").to_vec()
    }

    pub(crate) fn location(&self) -> String {
        let segment = |bytes| std::str::from_utf8(bytes).unwrap();
        self.message().location_path().map(|bytes| format!("/{}", segment(bytes))).collect()
    }

    /// The topic that the answer represents.
    pub(crate) fn properties(&self) -> Parameters<'_> {
        assert_eq!(self.message().content_format(), Some(PUBSUB), "{}", self.problem());
        Parameters::decode(self.message().payload()).unwrap()
    }

    /// The links of the answer, sorted.
    pub(crate) fn links(&self) -> Vec<String> {
        assert_eq!(self.code(), Code::CONTENT);
        assert_eq!(self.message().content_format(), Some(ContentFormat::LINK_FORMAT));
        let mut links: Vec<_> =
            self.text().split(',').filter(|link| !link.is_empty()).map(String::from).collect();
        links.sort();
        links
    }

    /// The title of the problem details in an error.
    pub(crate) fn problem(&self) -> String {
        let payload = self.message().payload();
        let mut d = minicbor::Decoder::new(payload);
        if d.map().is_ok() && d.i8().ok() == Some(-1) {
            return d.str().unwrap_or_default().into();
        }
        format!("{payload:02x?}")
    }
}

/// An entry of a map of topic properties.
#[derive(Clone, Copy)]
pub(crate) enum Entry<'e> {
    Text(u8, &'e str),
    Uint(u8, u64),
    Bytes(u8, &'e [u8]),
    Date(u8, u64),
}

pub(crate) fn map(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut e = minicbor::Encoder::new(Vec::new());
    e.map(entries.len() as u64).unwrap();
    for entry in entries {
        match *entry {
            Entry::Text(key, text) => e.u8(key).unwrap().str(text).unwrap(),
            Entry::Uint(key, number) => e.u8(key).unwrap().u64(number).unwrap(),
            Entry::Bytes(key, bytes) => e.u8(key).unwrap().bytes(bytes).unwrap(),
            Entry::Date(key, seconds) => {
                e.u8(key).unwrap().tag(minicbor::data::Tag::new(1)).unwrap().u64(seconds).unwrap()
            }
        };
    }
    e.into_writer()
}

pub(crate) fn granted(rights: &[(&str, Permissions)]) -> Grants {
    rights.iter().fold(Grants::none(), |grants, (pattern, permissions)| {
        grants.with(TopicPattern::new(pattern).unwrap(), *permissions)
    })
}
