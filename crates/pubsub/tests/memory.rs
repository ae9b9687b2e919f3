//! What a hundred thousand subscriptions take, resident.
#![allow(missing_docs, reason = "a test binary has no public items")]

use sedge_access::{Caller, Grants, Subject};
use sedge_coap::{Code, Message, OptionNumber, Token, Type, Writer};
use sedge_pubsub::*;
use sedge_time::Instant;

/// The resident memory of this process, in bytes, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

struct Shard {
    topics: Topics,
    subscriptions: Subscriptions,
}

impl Shard {
    fn new() -> Self {
        let settings = Settings { max_topics: usize::MAX, ..Settings::default() };
        Self { topics: Topics::new(settings), subscriptions: Subscriptions::new(Policy::default()) }
    }

    fn ask(&mut self, session: u64, code: Code, topic: u64) -> Response {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer, Type::Con, code, 1, Token::from_u64(session, 4));
        if code == Code::GET {
            writer.option_uint(OptionNumber::OBSERVE, 0);
        }
        writer.path(["d", "site", &topic.to_string()]);
        writer.payload(if code == Code::PUT { b"21.5" } else { b"" });
        let len = writer.finish().unwrap();
        let message = Message::parse(&buffer[..len]).unwrap();
        let administrator = Subject::device("admin", &Grants::administrator());
        let request = Request {
            now: Instant::EPOCH,
            unix: UnixTime(0),
            session,
            caller: Caller { policy: &sedge_access::Policy::default(), subject: &administrator },
            message: &message,
            body: message.payload(),
        };
        handle(&mut self.topics, &mut self.subscriptions, &request).response.unwrap()
    }

    /// Has so many sessions observe, each the topic that `topic` says, and says how many bytes each took.
    fn observe(&mut self, sessions: u64, topic: impl Fn(u64) -> u64) -> Option<u64> {
        let before = resident();
        for session in 0..sessions {
            assert!(self.ask(session << 32, Code::GET, topic(session)).observe.is_some());
        }
        assert_eq!(self.subscriptions.len(), sessions as usize);
        Some(resident()?.saturating_sub(before?) / sessions)
    }
}

/// An observation takes its record, its place among the topic's observers and its session's entry, and if no
/// other observes the same topic on its shard, what the shard keeps of that topic. One test, so that nothing
/// else allocates meanwhile.
#[test]
fn observations_are_small() {
    let mut one = Shard::new();
    assert_eq!(one.ask(0, Code::PUT, 0).code, Code::CREATED);
    let shared = one.observe(100_000, |_| 0);

    // The first one stays, so that none of its memory is used again.
    let mut other = Shard::new();
    for topic in 0..20_000 {
        assert_eq!(other.ask(0, Code::PUT, topic).code, Code::CREATED);
    }
    let own = other.observe(20_000, |session| session);

    println!("bytes per observation: {shared:?} of one topic, {own:?} of a topic each");
    assert!(shared.is_none_or(|bytes| bytes <= 72), "{shared:?}");
    assert!(own.is_none_or(|bytes| bytes <= 300), "{own:?}");
    assert_eq!(one.subscriptions.len(), 100_000);
}
