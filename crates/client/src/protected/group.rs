//! What a client keeps of one protected topic.

use sedge_crypto::{Crypto, PublicKey, Secret};
use sedge_endpoint::memory::{Buffer as _, FixedBuffer};
use sedge_group::keying::{GroupPolicy, MemberCredential, Roles};
use sedge_group::{Forgetful, OpenError, Opened, Publisher, SenderId, Storage, Subscriber};
use sedge_time::{Duration, Instant};

use super::ProtectedValue;
use crate::core::SubscriptionId;

/// A protected topic: the keys of its group, who is in it, what has come.
///
/// It remembers up to `PUBLISHERS` publishers and holds `GENERATIONS` keys at a time; names of topics and members have up
/// to `NAME` bytes.
///
/// `S` keeps the sequence numbers through a loss of power. Without a memory for them ([`Forgetful`]) the client joins anew
/// after each start, which the key distribution centre has to be reached for.
pub struct Group<
    S = Forgetful,
    const PUBLISHERS: usize = 4,
    const GENERATIONS: usize = 2,
    const NAME: usize = 48,
> {
    topic: FixedBuffer<NAME>,
    /// What the operator calls the client; empty if it has not been told.
    name: FixedBuffer<NAME>,
    pub(super) signing_key: Option<Secret<32>>,
    /// What the client is in the group, as far as the centre has said.
    pub(super) roles: Option<Roles>,
    pub(super) policy: GroupPolicy,
    pub(super) publisher: Publisher<S>,
    pub(super) subscriber: Subscriber<PUBLISHERS, GENERATIONS>,
    members: [Option<Member<NAME>>; PUBLISHERS],
    /// The observation through which the centre tells of new keys.
    pub(super) watch: Option<SubscriptionId>,
    /// Whether that was tried: a centre need not allow it.
    pub(super) tried_to_watch: bool,
    /// When the centre was last asked whether there is a new key.
    pub(super) checked: Option<Instant>,
    /// The newest generation of which a value has come, and since when.
    reached: Option<(u64, Instant)>,
    pub(super) refused: Refused,
}

/// A publisher of whom the centre has told.
struct Member<const NAME: usize> {
    sender: SenderId,
    name: FixedBuffer<NAME>,
    key: Option<PublicKey>,
}

/// Values that were refused, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Not protected at all.
    pub plain: u64,
    /// No COSE_Encrypt0 as it should be.
    pub malformed: u64,
    /// Made with a key that this member does not get.
    pub unknown_key: u64,
    /// Signed by somebody whom the centre does not know, or not signed where that is wanted.
    pub unsigned: u64,
    /// Not authentic: changed, or of another topic.
    pub forged: u64,
    /// Came before.
    pub replayed: u64,
    /// No memory for another publisher.
    pub no_room: u64,
}

impl Refused {
    /// All of them.
    pub const fn total(&self) -> u64 {
        let Self { plain, malformed, unknown_key, unsigned, forged, replayed, no_room } = *self;
        plain + malformed + unknown_key + unsigned + forged + replayed + no_room
    }

    pub(super) const fn count(&mut self, error: OpenError) {
        let counter = match error {
            OpenError::Malformed => &mut self.malformed,
            OpenError::UnknownKey(_) => &mut self.unknown_key,
            OpenError::UnknownSender(_) | OpenError::Unsigned => &mut self.unsigned,
            OpenError::Forged => &mut self.forged,
            OpenError::Replayed => &mut self.replayed,
            OpenError::TooManyPublishers | OpenError::NoRoom { .. } => &mut self.no_room,
        };
        *counter += 1;
    }
}

impl<S: Storage, const PUBLISHERS: usize, const GENERATIONS: usize, const NAME: usize>
    Group<S, PUBLISHERS, GENERATIONS, NAME>
{
    /// The group of a topic, not joined yet; `None` if its name is too long.
    pub fn new(topic: &str, storage: S) -> Option<Self> {
        let mut name = FixedBuffer::default();
        name.store(topic.as_bytes()).then(|| Self {
            topic: name,
            name: FixedBuffer::default(),
            signing_key: None,
            roles: None,
            policy: GroupPolicy::default(),
            publisher: Publisher::new(storage),
            subscriber: Subscriber::new(),
            members: [const { None }; PUBLISHERS],
            watch: None,
            tried_to_watch: false,
            checked: None,
            reached: None,
            refused: Refused::default(),
        })
    }

    /// Tells what the operator calls the client, which is its name in the group, too: with it the client can take up its
    /// sequence numbers where it has left off, and leave. `None` if the name is too long.
    #[must_use]
    pub fn named(mut self, name: &str) -> Option<Self> {
        self.name.store(name.as_bytes()).then_some(self)
    }

    /// Has the client countersign where the group wants it, with a private key in P-256. It has to be
    /// [named](Self::named), too.
    #[must_use]
    pub fn signing(self, key: Secret<32>) -> Self {
        Self { signing_key: Some(key), ..self }
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        core::str::from_utf8(self.topic.bytes()).unwrap_or_default()
    }

    /// The number of the newest key; `None` before the client has joined.
    pub fn generation(&self) -> Option<u64> {
        self.subscriber.generation()
    }

    /// What was refused.
    pub const fn refused(&self) -> &Refused {
        &self.refused
    }

    /// The side that publishes: its Sender ID and sequence numbers.
    pub const fn publisher(&self) -> &Publisher<S> {
        &self.publisher
    }

    /// What the operator calls the client, if it has been told.
    pub fn name(&self) -> Option<&str> {
        core::str::from_utf8(self.name.bytes()).ok().filter(|name| !name.is_empty())
    }

    /// What the operator calls the publisher of a value, if the centre has told. It tells of the newest generation only.
    pub fn name_of(&self, value: &ProtectedValue<'_>) -> Option<&str> {
        let member = self.member(value.sender).filter(|_| self.generation() == Some(value.generation))?;
        core::str::from_utf8(member.name.bytes()).ok().filter(|name| !name.is_empty())
    }

    pub(super) fn knows(&self, sender: SenderId) -> bool {
        self.member(sender).is_some()
    }

    /// Opens a message into the beginning of `out`.
    pub(super) fn open<'o, C: Crypto>(
        &mut self,
        crypto: &C,
        now: Instant,
        message: &[u8],
        out: &'o mut [u8],
    ) -> Result<Opened<'o>, OpenError> {
        // By then every member has asked for the new key, and what was under way has come.
        let grace = self.check_interval() + self.check_interval();
        if self.reached.is_some_and(|(_, since)| now.saturating_since(since) >= grace) {
            self.subscriber.retire();
        }
        let Self { subscriber, members, policy, reached, .. } = self;
        let key = |sender| members.iter().flatten().find(|member| member.sender == sender)?.key;
        let opened = subscriber.open(crypto, message, policy.signed, key, out)?;
        if reached.is_none_or(|(generation, _)| generation < opened.generation) {
            *reached = Some((opened.generation, now));
        }
        Ok(opened)
    }

    /// Whether there is a newer key than the one that values are protected with. That takes another Sender ID: if somebody else
    /// goes by the client's name, too, the centre knows of the one Sender ID only that it has given out last. All others are
    /// free under the next key, and two who use one make the same nonces.
    pub(super) fn is_behind(&self) -> bool {
        self.publisher.generation() < self.subscriber.generation()
    }

    /// How often a member asks whether there is a new key.
    pub(super) fn check_interval(&self) -> Duration {
        Duration::from_secs(self.policy.check_interval.unwrap_or(60).into())
    }

    /// Notes who a publisher is. Without a credential it is only noted that the centre was asked.
    pub(super) fn note(&mut self, sender: SenderId, credential: Option<&MemberCredential<'_>>) {
        let mut name = FixedBuffer::default();
        // A name that is too long is not shown.
        let _fits = credential.is_some_and(|credential| name.store(credential.name.as_bytes()));
        let known =
            self.members.iter().position(|place| place.as_ref().is_some_and(|one| one.sender == sender));
        let at = known.or_else(|| self.members.iter().position(Option::is_none));
        // When all places are taken the first makes room: it can be asked for again.
        if let Some(place) = self.members.get_mut(at.unwrap_or(0)) {
            *place = Some(Member { sender, name, key: credential.and_then(|credential| credential.key) });
        }
    }

    /// Forgets who is who: Sender IDs are given out anew after some time.
    pub(super) fn forget_members(&mut self) {
        self.members = [const { None }; PUBLISHERS];
    }

    /// Forgets everything but the topic. Gives the observation that is to end.
    pub(super) fn leave(&mut self) -> Option<SubscriptionId> {
        (self.roles, self.tried_to_watch, self.reached) = (None, false, None);
        self.subscriber.clear();
        self.forget_members();
        self.watch.take()
    }

    fn member(&self, sender: SenderId) -> Option<&Member<NAME>> {
        self.members.iter().flatten().find(|member| member.sender == sender)
    }
}
