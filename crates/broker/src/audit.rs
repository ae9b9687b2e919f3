//! The book of who was granted, refused and changed what; see [`sedge_audit`] for how it is kept.
//!
//! What strangers and devices can cause is recorded seldom enough that they cannot fill a disk, with how often it
//! happened; the counters miss nothing.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sedge_access::{Cause, Grants, Kind as SubjectKind, Permissions, Subject};
use sedge_audit::{Event, Kind, Log, Recorder, Settings};
use sedge_authority::{Happened, Issued};
use sedge_pubsub::Denied;

use crate::admin::unix_seconds;
use crate::config;
use crate::store::{DataDir, Device};
use crate::tokens::Refused;

/// The broker's audit log; or none, if the configuration says so.
pub(crate) struct Audit {
    recorder: Option<Recorder>,
    folder: Option<PathBuf>,
    repeat: Duration,
    repeated: Mutex<HashMap<Key, Repeated>>,
}

/// Who does something, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Actor(String);

/// Something that may come again and again: who, and what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    who: Box<str>,
    what: &'static str,
}

/// What came again since it was recorded last.
#[derive(Clone, Debug)]
struct Repeated {
    /// When it may be recorded again.
    due: Instant,
    times: u64,
    last: Event,
}

/// So many who came again and again are told apart; all others together.
const MANY: usize = 4096;

impl Actor {
    /// A user of this machine, through the socket or on the store.
    pub(crate) fn user(uid: u32) -> Self {
        Self(format!("user {uid}"))
    }

    /// An administrator over coaps.
    pub(crate) fn device(name: &str) -> Self {
        Self(format!("device {name}"))
    }

    /// The process that the broker runs in.
    pub(crate) fn process() -> Self {
        Self("this process".into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Audit {
    /// Opens the log in the broker's folder, or begins it.
    pub(crate) fn open(dir: &DataDir, config: &config::Audit) -> io::Result<Self> {
        let recorder = match config.enabled {
            false => None,
            true => {
                let settings = Settings {
                    file_bytes: config.file_bytes,
                    file_age: config.file_age,
                    files: config.files,
                };
                let log = Log::open(&dir.audit(), settings, unix_seconds().saturating_mul(1000))?;
                Some(Recorder::start(log, config.queue, |error| {
                    tracing::error!(%error, "the audit log cannot be written");
                })?)
            }
        };
        let folder = config.enabled.then(|| dir.audit());
        Ok(Self { recorder, folder, repeat: config.repeat, repeated: Mutex::default() })
    }

    /// The same for who works on the store while no broker runs: as the broker had it, if one was ever started.
    pub(crate) fn open_existing(dir: &DataDir) -> io::Result<Self> {
        let enabled = dir.audit().exists();
        Self::open(dir, &config::Audit { enabled, ..config::Audit::default() })
    }

    /// Where the log is, if there is one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Hands an event over; never waits.
    pub(crate) fn record(&self, event: Event) {
        if let Some(recorder) = &self.recorder {
            recorder.record(event);
        }
    }

    /// Waits until everything recorded is on the disk.
    pub(crate) fn flush(&self) {
        self.tell_repeated(|_| true);
        self.recorder.iter().for_each(Recorder::flush);
    }

    /// Somebody could not prove who they are; `who` is what they said.
    pub(crate) fn sign_in_failed(&self, reason: &'static str, who: impl fmt::Display) {
        // What strangers call themselves is for them to choose: they are not told apart.
        self.repeat("", reason, || {
            Event::new(Kind::SignInFailure).about(&who.to_string()).with("reason", reason)
        });
    }

    /// Somebody showed a token that is not good; whose it is, is not known then.
    pub(crate) fn token_not_good(&self, refused: Refused) {
        self.sign_in_failed(refused.as_str(), "a token");
    }

    /// Somebody wanted what they may not.
    pub(crate) fn refused(&self, subject: &Subject, denied: &Denied) {
        self.repeat(subject.name(), denied.cause.as_str(), || {
            let verb = denied.verb.map_or("anything", |verb| verb.as_str());
            refusal(subject, denied.cause).with("verb", verb).with("topic", &denied.topic)
        });
    }

    /// Somebody wanted to administer who is no administrator.
    pub(crate) fn administration_refused(&self, subject: &Subject) {
        self.repeat(subject.name(), "no-administrator", || {
            let who = if subject.kind() == SubjectKind::Anyone { "anyone" } else { subject.name() };
            Event::new(Kind::Refusal).about(who).with("reason", "no-administrator").with("verb", "administer")
        });
    }

    /// Somebody was observing what they may not read any more.
    pub(crate) fn observation_ended(&self, subject: &Subject, topic: &str, cause: Cause) {
        self.repeat(subject.name(), "observation-ended", || {
            refusal(subject, cause).with("verb", "observe").with("topic", topic)
        });
    }

    /// Somebody may connect now.
    pub(crate) fn enrolled(&self, by: &Actor, device: &Device) {
        let login = device.credential.login();
        self.record(
            Event::new(Kind::Enrolment)
                .by(by.as_str())
                .about(&device.name)
                .with("auth", login.auth().as_str())
                .with("login", login),
        );
        self.granted(by, device);
    }

    /// These are a device's rights now.
    pub(crate) fn granted(&self, by: &Actor, device: &Device) {
        let event = Event::new(Kind::Grant).by(by.as_str()).about(&device.name);
        let event = match device.grants.is_administrator() {
            true => event.with("administrator", "yes"),
            false => event
                .with("publish", patterns(&device.grants, Permissions::PUBLISH))
                .with("subscribe", patterns(&device.grants, Permissions::READ))
                .with("roles", device.roles.join(" ")),
        };
        let event = event.with("segment", device.segment.as_deref().unwrap_or(""));
        self.record(if device.resource_server { event.with("takes-tokens", "yes") } else { event });
    }

    /// Somebody has lost all rights, or the way to use them.
    pub(crate) fn revoked(&self, by: &Actor, device: &str, how: &'static str) {
        self.record(Event::new(Kind::Revocation).by(by.as_str()).about(device).with("what", how));
    }

    /// Something has happened to tokens. A device that gets one again and again is recorded once in a while.
    pub(crate) fn tokens(&self, by: &Actor, happened: &Happened) {
        let event = |kind, token: &Issued| {
            let event = Event::new(kind).by(by.as_str()).about(&token.subject);
            event.with("token", crate::key::hex_encode(&token.id)).with("audience", &token.audience)
        };
        match happened {
            Happened::Issued(token) => {
                let grant = || {
                    let scope = Grants::from_scope(&token.scope).unwrap_or_default();
                    let event = event(Kind::Grant, token).with("until", token.expires);
                    event
                        .with("publish", patterns(&scope, Permissions::PUBLISH))
                        .with("subscribe", patterns(&scope, Permissions::READ))
                };
                if *by == Actor::device(&token.subject) {
                    self.repeat(&token.subject, "token", grant);
                } else {
                    self.record(grant());
                }
            }
            Happened::Revoked(token) => {
                self.record(event(Kind::Revocation, token).with("what", "the token was revoked"));
            }
            Happened::KeysReplaced => self.administered(by, "the keys of tokens were replaced", ""),
        }
    }

    /// A token is good no more, as the authorisation server says that issued it.
    pub(crate) fn revoked_elsewhere(&self, authority: &str, subject: &str, token: &[u8]) {
        let event = Event::new(Kind::Revocation).by(authority).about(subject);
        self.record(event.with("token", crate::key::hex_encode(token)).with("what", "the token was revoked"));
    }

    /// Somebody asked for a token, and got none.
    pub(crate) fn token_refused(&self, who: &str, reason: &str) {
        self.repeat(who, "no-token", || {
            Event::new(Kind::Refusal).about(who).with("reason", reason).with("verb", "get a token")
        });
    }

    /// Somebody was given the key of a protected topic.
    pub(crate) fn joined(&self, who: &str, topic: &str) {
        self.repeat(who, "joined", || {
            Event::new(Kind::Grant).about(who).with("what", "the group's key").with("topic", topic)
        });
    }

    /// Somebody wanted the key of a protected topic, and may not have it.
    pub(crate) fn not_joined(&self, who: &str, topic: &str) {
        self.repeat(who, "no-member", || {
            Event::new(Kind::Refusal)
                .about(who)
                .with("reason", "no-member")
                .with("verb", "join")
                .with("topic", topic)
        });
    }

    /// Somebody has left the group of a protected topic, which has a new key.
    pub(crate) fn left(&self, who: &str, topic: &str) {
        self.repeat(who, "left", || {
            Event::new(Kind::Revocation).about(who).with("what", "left the group").with("topic", topic)
        });
    }

    /// Somebody was taken out of the group of a protected topic, because it may no longer be in it.
    pub(crate) fn evicted(&self, who: &str, topic: &str) {
        self.record(
            Event::new(Kind::Revocation)
                .about(who)
                .with("what", "taken out of the group")
                .with("topic", topic),
        );
    }

    /// An administrator has done something else.
    pub(crate) fn administered(&self, by: &Actor, what: &'static str, about: &str) {
        self.record(Event::new(Kind::Administration).by(by.as_str()).about(about).with("what", what));
    }

    /// Records what came again while it was not recorded; to be called now and then.
    pub(crate) fn tell_due(&self) {
        let now = Instant::now();
        self.tell_repeated(|repeated| repeated.due <= now);
    }

    /// Records the first of its kind in a while, and counts those that follow.
    fn repeat(&self, who: &str, what: &'static str, event: impl FnOnce() -> Event) {
        if self.recorder.is_none() {
            return;
        }
        let now = Instant::now();
        let mut repeated = self.repeated.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = Key { who: who.into(), what };
        if repeated.len() >= MANY && !repeated.contains_key(&key) {
            key.who = "others".into();
        }
        if let Some(known) = repeated.get_mut(&key).filter(|known| now < known.due) {
            known.times += 1;
            return;
        }
        let event = event();
        let fresh = Repeated { due: now + self.repeat, times: 0, last: event.clone() };
        if let Some(old) = repeated.insert(key, fresh) {
            self.tell(&old);
        }
        self.record(event);
    }

    fn tell_repeated(&self, is_told: impl Fn(&Repeated) -> bool) {
        let mut repeated = self.repeated.lock().unwrap_or_else(PoisonError::into_inner);
        repeated.retain(|_, known| {
            let told = is_told(known);
            if told {
                self.tell(known);
            }
            !told
        });
    }

    fn tell(&self, repeated: &Repeated) {
        if repeated.times > 0 {
            self.record(repeated.last.clone().with("again", format_args!("{} times", repeated.times)));
        }
    }

    /// What was recorded, and what was not, by name.
    pub(crate) fn counters(&self) -> [(&'static str, u64); 3] {
        let [recorded, lost, failed] = self.recorder.as_ref().map_or([0; 3], Recorder::counters);
        [("audit.recorded", recorded), ("audit.lost", lost), ("audit.failed", failed)]
    }
}

fn refusal(subject: &Subject, cause: Cause) -> Event {
    let who = match subject.kind() {
        SubjectKind::Anyone => "anyone",
        _ => subject.name(),
    };
    let event = Event::new(Kind::Refusal).about(who).with("reason", cause.as_str());
    if subject.kind() == SubjectKind::Token { event.with("by", "token") } else { event }
}

fn patterns(grants: &Grants, permission: Permissions) -> String {
    let held = grants.list().iter().filter(|grant| grant.permissions.contains(permission));
    held.map(|grant| grant.pattern.as_str()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use sedge_access::Verb;

    use super::*;

    #[test]
    fn what_comes_again_is_told_once_with_how_often() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path());
        let config = config::Audit { repeat: Duration::from_millis(50), ..config::Audit::default() };
        let audit = Audit::open(&dir, &config).unwrap();
        let subject = Subject::device("t1", &Grants::none());
        let denied = Denied { verb: Some(Verb::Publish), topic: "a".into(), cause: Cause::NoGrant };
        (0..10).for_each(|_| audit.refused(&subject, &denied));
        audit.refused(&subject, &Denied { cause: Cause::LacksVerb, ..denied.clone() });
        (0..5).for_each(|number| audit.sign_in_failed("unknown-identity", number));
        audit.tell_due();
        std::thread::sleep(Duration::from_millis(60));
        audit.tell_due();
        audit.tell_due();
        audit.flush();
        let records = sedge_audit::Reader::new(&dir.audit()).next_batch().unwrap();
        let mut told: Vec<_> = records
            .iter()
            .map(|record| format!("{} {:?}", record.details["reason"], record.details.get("again")))
            .collect();
        told.sort();
        assert_eq!(
            told,
            [
                "lacks-verb None",
                "no-grant None",
                "no-grant Some(\"9 times\")",
                "unknown-identity None",
                "unknown-identity Some(\"4 times\")",
            ]
        );
    }

    #[test]
    fn those_who_come_again_take_little_room() {
        let temporary = tempfile::tempdir().unwrap();
        let audit = Audit::open(&DataDir::new(temporary.path()), &config::Audit::default()).unwrap();
        let denied = Denied { verb: None, topic: "a".into(), cause: Cause::NoGrant };
        for number in 0..2 * MANY {
            audit.refused(&Subject::device(&format!("t{number}"), &Grants::none()), &denied);
        }
        assert!(audit.repeated.lock().unwrap().len() <= MANY + Cause::ALL.len());
    }
}
