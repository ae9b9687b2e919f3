//! Topics whose values only the members of a group can read.
//!
//! The client joins the group at its broker's key distribution centre, or at another one, keeps the keys, and encrypts and
//! opens values; the broker carries what it cannot read. A [`Group`] is the memory for one topic:
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sedge_client::protected::{Forgetful, Group, Received};
//! use sedge_client::{ContentFormat, Credential, tokio::connect};
//!
//! let mut client = connect(&Credential::read("boiler.toml")?).await?;
//! let mut groups: [Group; 1] = [Group::new("site/7/temp", Forgetful).unwrap()];
//! let mut scratch = [0; 256];
//!
//! client.protected(&mut groups, &mut scratch).publish("site/7/temp", ContentFormat::TEXT, b"21.5").await?;
//!
//! client.protected(&mut groups, &mut scratch).subscribe("site/7/temp").await?;
//! let mut buffer = [0; 256];
//! match client.protected(&mut groups, &mut scratch).next(&mut buffer).await? {
//!     Received::Value(value) => println!("{:?} from {} with key {}", value.payload, value.sender, value.generation),
//!     Received::Plain(value) => println!("{:?}, which anybody on the way could read", value.payload),
//!     Received::Refused { reason, .. } => println!("refused: {reason}"),
//! }
//! # Ok(())
//! # }
//! ```

mod centre;
mod error;
mod group;
mod watch;

use sedge_coap::{Code, ContentFormat};
use sedge_crypto::Crypto as _;
use sedge_group::keying::{COSE_ENCRYPT0, Roles};
use sedge_group::{OpenError, Opened, SealError, SenderId, SequenceError, Storage, Value};

use crate::client::Client;
use crate::core::{Notification, SubscriptionId};
use crate::error::Error;
use crate::io::{Clock, Datagram};
use crate::memory::Memory;

pub use error::{ProtectError, Refusal};
pub use group::{Group, Refused};
pub use sedge_group::{Forgetful, Record, SenderId as Sender, Storage as SequenceStorage};

/// A client together with its groups. It borrows all of them; make it anew for each call, or keep it.
pub struct Protected<
    'p,
    M: Memory,
    D,
    C,
    S,
    const PUBLISHERS: usize,
    const GENERATIONS: usize,
    const NAME: usize,
> {
    client: &'p mut Client<M, D, C>,
    /// The client of the key distribution centre, if that is not the broker.
    centre: Option<&'p mut Client<M, D, C>>,
    groups: &'p mut [Group<S, PUBLISHERS, GENERATIONS, NAME>],
    /// Where values are while they are protected.
    scratch: &'p mut [u8],
}

/// What came for a subscription.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'b> {
    /// A value that was protected, and is authentic.
    Value(ProtectedValue<'b>),
    /// A value of a topic that is none of the groups.
    Plain(Notification<'b>),
    /// A value that was refused, and counted in its group.
    Refused {
        /// Which subscription.
        subscription: SubscriptionId,
        /// Why.
        reason: Refusal,
    },
}

/// A value that a member of the group has published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectedValue<'b> {
    /// Which subscription.
    pub subscription: SubscriptionId,
    /// The format of the value.
    pub content_format: Option<ContentFormat>,
    /// The value.
    pub payload: &'b [u8],
    /// Who: the Sender ID; [`Group::name_of`] may know the name.
    pub sender: SenderId,
    /// Whether that is shown by a signature. Otherwise any member may have said so.
    pub verified: bool,
    /// The number of the key's generation.
    pub generation: u64,
    /// Whether it is the last value once more.
    pub repeated: bool,
}

impl<M: Memory, D: Datagram, C: Clock> Client<M, D, C> {
    /// Publishes to and subscribes to protected topics: those of `groups`.
    ///
    /// `scratch` has to hold the longest value with 25 bytes around it, 101 if it is countersigned.
    pub const fn protected<'p, S, const PUBLISHERS: usize, const GENERATIONS: usize, const NAME: usize>(
        &'p mut self,
        groups: &'p mut [Group<S, PUBLISHERS, GENERATIONS, NAME>],
        scratch: &'p mut [u8],
    ) -> Protected<'p, M, D, C, S, PUBLISHERS, GENERATIONS, NAME> {
        Protected { client: self, centre: None, groups, scratch }
    }
}

impl<'p, M, D, C, S, const PUBLISHERS: usize, const GENERATIONS: usize, const NAME: usize>
    Protected<'p, M, D, C, S, PUBLISHERS, GENERATIONS, NAME>
where
    M: Memory,
    D: Datagram,
    C: Clock,
    S: Storage,
{
    /// With keys from another server than the one that carries the values.
    #[must_use]
    pub const fn with_centre(mut self, centre: &'p mut Client<M, D, C>) -> Self {
        self.centre = Some(centre);
        self
    }

    /// Publishes a value that only members of the topic's group can read, and waits until the broker has it.
    ///
    /// # Errors
    /// [`ProtectError`]. [`Error::Refused`] with 4.15 if the topic takes only values of another format.
    pub async fn publish(
        &mut self,
        topic: &str,
        format: ContentFormat,
        payload: &[u8],
    ) -> Result<(), ProtectError<D::Error>> {
        let at = self.place(topic)?;
        // Who publishes once has just got the newest key. Who goes on wants to know when another one takes its place.
        if self.group(at)?.roles.is_some() && !self.group(at)?.tried_to_watch {
            let _observed = self.watch(at).await;
        }
        self.join_as(at, Roles::PUBLISHER).await?;
        match self.check(at).await {
            // Somebody took the client out, or ended the group; it may be allowed in again.
            Err(ProtectError::Centre(Code::FORBIDDEN | Code::NOT_FOUND)) => {
                self.join_as(at, Roles::PUBLISHER).await?;
            }
            other => other?,
        }
        if self.group(at)?.is_behind() {
            let roles = self.group(at)?.roles.unwrap_or(Roles::PUBLISHER);
            self.join(at, roles | Roles::PUBLISHER).await?;
        }
        let sealed = match self.seal(at, format, payload) {
            Err(
                SealError::Sequence(SequenceError::Exhausted | SequenceError::Unknown) | SealError::NoKey,
            ) => {
                let roles = self.group(at)?.roles.unwrap_or(Roles::PUBLISHER);
                self.join(at, roles | Roles::PUBLISHER).await?;
                self.seal(at, format, payload)
            }
            other => other,
        };
        let len = sealed.map_err(|error| match error {
            SealError::NoRoom { needed } => ProtectError::ScratchTooSmall { needed },
            SealError::Cipher => ProtectError::TooLong,
            SealError::Sequence(_) => ProtectError::Storage,
            SealError::NoKey => ProtectError::Answer,
        })?;
        let message = self.scratch.get(..len).unwrap_or_default();
        Ok(self.client.publish(topic, ContentFormat(COSE_ENCRYPT0), message).await?)
    }

    /// Joins the group of a topic and subscribes to it.
    ///
    /// Waits until somebody who may publish to the topic has made it a protected one.
    ///
    /// # Errors
    /// [`ProtectError`].
    pub async fn subscribe(&mut self, topic: &str) -> Result<SubscriptionId, ProtectError<D::Error>> {
        let at = self.place(topic)?;
        while let Err(error) = self.join_as(at, Roles::SUBSCRIBER).await {
            if error.is_final() {
                return Err(error);
            }
            let next = self.client.now() + self.client.topic_poll();
            self.client.idle_until(next).await;
        }
        // Without it a new key is asked for when it is missed.
        let _observed = self.watch(at).await;
        Ok(self.client.subscribe(topic).await?)
    }

    /// Waits for the next value of any subscription and opens it into `buffer`.
    ///
    /// New keys are taken in as the key distribution centre tells of them. If a value was made with a key that the client
    /// has not got, it asks for that key.
    ///
    /// # Errors
    /// [`ProtectError`]. In all cases the next call goes on.
    pub async fn next<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Received<'b>, ProtectError<D::Error>> {
        let (subscription, content_format, len) = self.arrival().await?;
        let protected = content_format == Some(ContentFormat(COSE_ENCRYPT0));
        let topic = self.client.topic(subscription).unwrap_or_default();
        let refused = |reason| Ok(Received::Refused { subscription, reason });
        let Some(at) = self.groups.iter().position(|group| group.topic() == topic) else {
            if protected {
                return refused(Refusal::Protected);
            }
            let place = buffer.get_mut(..len).ok_or(too_small(len))?;
            place.copy_from_slice(self.scratch.get(..len).unwrap_or_default());
            return Ok(Received::Plain(Notification { subscription, content_format, payload: place }));
        };
        if !protected {
            self.group_mut(at)?.refused.plain += 1;
            return refused(Refusal::Plain);
        }
        match self.open(at, len, buffer).await? {
            Ok(found) => Ok(Received::Value(ProtectedValue {
                subscription,
                content_format: Some(found.content_format),
                payload: buffer.get(..found.len).unwrap_or_default(),
                sender: found.sender,
                verified: found.verified,
                generation: found.generation,
                repeated: found.repeated,
            })),
            Err(error) => {
                self.group_mut(at)?.refused.count(error);
                refused(Refusal::Open(error))
            }
        }
    }

    /// Leaves the group of a topic, which makes a new key for those who stay. Values that come are refused from then on.
    ///
    /// # Errors
    /// [`ProtectError`].
    pub async fn leave(&mut self, topic: &str) -> Result<(), ProtectError<D::Error>> {
        let at = self.place(topic)?;
        self.leave_group(at).await
    }

    /// The groups.
    pub const fn groups(&self) -> &[Group<S, PUBLISHERS, GENERATIONS, NAME>] {
        self.groups
    }

    /// Opens the message in the scratch, with keys and credentials that are asked for as they are missed.
    async fn open(
        &mut self,
        at: usize,
        len: usize,
        buffer: &mut [u8],
    ) -> Result<Result<Found, OpenError>, ProtectError<D::Error>> {
        let (mut newest, mut earlier, mut who) = (false, false, false);
        loop {
            match self.try_open(at, len, buffer) {
                Ok(found) => {
                    let group = self.group(at)?;
                    if group.generation() == Some(found.generation) && !group.knows(found.sender) {
                        // Only for its name: whether it can be had changes nothing.
                        let _told = self.identify(at, found.sender).await;
                    }
                    return Ok(Ok(found));
                }
                Err(OpenError::UnknownKey(_)) if !newest => {
                    newest = true;
                    match self.fetch(at, None).await {
                        // Somebody took the client out; it may be allowed in again.
                        Err(ProtectError::Centre(Code::FORBIDDEN)) => {
                            self.join_as(at, Roles::SUBSCRIBER).await?
                        }
                        other => {
                            let _new = other?;
                        }
                    }
                }
                Err(OpenError::UnknownKey(gid)) if !earlier => {
                    earlier = true;
                    let _got = self.fetch(at, Some(gid)).await?;
                }
                Err(OpenError::UnknownSender(sender)) if !who => {
                    who = true;
                    self.identify(at, sender).await?;
                }
                Err(OpenError::NoRoom { needed }) => return Err(too_small(needed)),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    fn try_open(&mut self, at: usize, len: usize, buffer: &mut [u8]) -> Result<Found, OpenError> {
        let now = self.client.now();
        let (crypto, _) = self.client.providers();
        let group = self.groups.get_mut(at).ok_or(OpenError::Malformed)?;
        let message = self.scratch.get(..len).unwrap_or_default();
        let Opened { payload, content_format, sender, verified, generation, repeated, .. } =
            group.open(crypto, now, message, buffer)?;
        let content_format =
            ContentFormat(content_format.unwrap_or(group.policy.content_format.unwrap_or(TEXT)));
        Ok(Found { len: payload.len(), content_format, sender, verified, generation, repeated })
    }

    /// Protects a value in the scratch; says how long the message is.
    fn seal(
        &mut self,
        at: usize,
        format: ContentFormat,
        payload: &[u8],
    ) -> Result<usize, SealError<S::Error>> {
        let (crypto, rng) = self.client.providers();
        let group = self.groups.get_mut(at).ok_or(SealError::NoKey)?;
        let known = group.policy.content_format.unwrap_or(TEXT) == format.0;
        let value = Value { payload, content_format: (!known).then_some(format.0) };
        let len = group.publisher.seal(crypto, &value, self.scratch)?.len();
        let Some(key) = group.signing_key.as_ref().filter(|_| group.policy.signed) else { return Ok(len) };
        let key = crypto.signing_key(key).map_err(|_| SealError::Cipher)?;
        group.publisher.countersign(crypto, &key, rng, self.scratch, len).map(|message| message.len())
    }

    fn place(&self, topic: &str) -> Result<usize, ProtectError<D::Error>> {
        self.groups.iter().position(|group| group.topic() == topic).ok_or(ProtectError::NotAGroup)
    }

    fn group(&self, at: usize) -> Result<&Group<S, PUBLISHERS, GENERATIONS, NAME>, ProtectError<D::Error>> {
        self.groups.get(at).ok_or(ProtectError::NotAGroup)
    }

    fn group_mut(
        &mut self,
        at: usize,
    ) -> Result<&mut Group<S, PUBLISHERS, GENERATIONS, NAME>, ProtectError<D::Error>> {
        self.groups.get_mut(at).ok_or(ProtectError::NotAGroup)
    }
}

/// The format of values in a group that says nothing of it: text/plain.
const TEXT: u16 = ContentFormat::TEXT.0;

/// A message that was opened into the beginning of a buffer.
struct Found {
    len: usize,
    content_format: ContentFormat,
    sender: SenderId,
    verified: bool,
    generation: u64,
    repeated: bool,
}

fn too_small<E>(needed: usize) -> ProtectError<E> {
    ProtectError::Client(Error::BufferTooSmall { needed: u32::try_from(needed).ok() })
}
