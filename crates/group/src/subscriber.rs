//! The side that opens values.

use core::fmt;

use sedge_cose::cbor::Label;
use sedge_cose::{Encrypt0, Headers, countersign};
use sedge_crypto::{Crypto, PublicKey};

use crate::id::{Gid, SenderId};
use crate::key::GroupKey;
use crate::publisher::KID_CONTEXT;
use crate::window::Window;

/// What a subscriber has of a group: up to `GENERATIONS` keys, and which sequence numbers of up to `PUBLISHERS` have come.
///
/// # Who it was
/// A message names the key that it was made with, and the sequence number. A countersignature names the publisher, too. A
/// message without one does not: its Sender ID is part of the nonce, so it is the one with which the message opens. Those
/// that were heard before are tried first, then the Sender IDs of one byte, so one try is the rule and 256 the limit;
/// longer Sender IDs are named in the message. Whoever has the group's key could have made such a message, under any
/// Sender ID.
///
/// # What came before
/// - A message that is the newest one once more is [`repeated`](Opened::repeated): that is what a broker answers to whoever
///   asks for the value again. Any other repetition is refused.
/// - A key that was replaced still opens what was retained, as long as it is held: until there are too many, or
///   [`retire`](Self::retire) is called. One that is not held is taken in only if nothing newer has been opened: otherwise
///   whoever keeps the values could bring back old ones.
/// - With no room for another publisher its messages are refused, rather than forgetting what came from others.
pub struct Subscriber<const PUBLISHERS: usize, const GENERATIONS: usize> {
    /// The newest first.
    keys: [Option<GroupKey>; GENERATIONS],
    seen: [Option<Seen>; PUBLISHERS],
    /// What was opened last.
    last: Option<(u64, SenderId, u64)>,
    /// The newest generation of which anything was opened.
    reached: u64,
}

/// What has come from one publisher under one key.
#[derive(Clone, Copy, Debug)]
struct Seen {
    generation: u64,
    sender: SenderId,
    window: Window,
}

/// A message that was opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened<'o> {
    /// The value.
    pub payload: &'o mut [u8],
    /// Its Content-Format, if the message says so; otherwise it is the group's.
    pub content_format: Option<u16>,
    /// The publisher's Sender ID.
    pub sender: SenderId,
    /// Whether a countersignature shows that it was this publisher. Without it, it was some member.
    pub verified: bool,
    /// The number of the key's generation.
    pub generation: u64,
    /// The publisher's sequence number.
    pub number: u64,
    /// Whether it is the last message once more.
    pub repeated: bool,
}

/// Why a message is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// It is no COSE_Encrypt0 as the profile has it.
    Malformed,
    /// It was made with a key that is not held: ask for it.
    UnknownKey(Gid),
    /// It is countersigned by somebody whose public key is not known: ask for it.
    UnknownSender(SenderId),
    /// It has no countersignature, but in this group it must.
    Unsigned,
    /// Somebody changed it, or it was never made with this key, or not for this topic, or by somebody else.
    Forged,
    /// It has come before.
    Replayed,
    /// There is no room for another publisher.
    TooManyPublishers,
    /// The buffer is too short.
    NoRoom {
        /// How many bytes it takes.
        needed: usize,
    },
}

/// What became of a key that was to be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installed {
    /// It is held from now on.
    New,
    /// It was held already.
    Known,
    /// It is older than one that has been used, and is not taken.
    Superseded,
}

/// How many Sender IDs are tried with which nothing has come yet.
const TRIES: u32 = 256;

impl<const PUBLISHERS: usize, const GENERATIONS: usize> Default for Subscriber<PUBLISHERS, GENERATIONS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const PUBLISHERS: usize, const GENERATIONS: usize> Subscriber<PUBLISHERS, GENERATIONS> {
    /// A subscriber that has no key yet.
    pub const fn new() -> Self {
        const { assert!(GENERATIONS > 0 && PUBLISHERS > 0, "a key and a publisher at least") }
        Self { keys: [const { None }; GENERATIONS], seen: [None; PUBLISHERS], last: None, reached: 0 }
    }

    /// The number of the newest key.
    pub fn generation(&self) -> Option<u64> {
        self.keys.iter().flatten().map(GroupKey::number).next()
    }

    /// Whether the key with this Gid is held.
    pub fn holds(&self, gid: &Gid) -> bool {
        self.key(gid).is_some()
    }

    /// Takes a key in; the oldest one makes room.
    pub fn install(&mut self, key: GroupKey) -> Installed {
        if self.keys.iter().flatten().any(|held| held.number() == key.number()) {
            return Installed::Known;
        }
        if key.number() < self.reached {
            return Installed::Superseded;
        }
        if let Some(oldest) = self.keys.last_mut() {
            *oldest = Some(key);
        }
        self.keys.sort_unstable_by_key(|key| core::cmp::Reverse(key.as_ref().map(GroupKey::number)));
        Installed::New
    }

    /// Forgets the keys before the newest one of which anything was opened.
    ///
    /// Somebody who is no member any more has them still, and could go on writing with the help of whoever carries the
    /// values. When to do so is the caller's: members hear of a new key at different times.
    pub fn retire(&mut self) {
        for place in &mut self.keys {
            if place.as_ref().is_some_and(|key| key.number() < self.reached) {
                *place = None;
            }
        }
    }

    /// Forgets all keys, as somebody who leaves does.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Opens a message; the value is put to the beginning of `out`, which has to be as long as the message.
    ///
    /// `signed` says whether messages of this group must be countersigned, `public_key` which key a publisher signs with.
    ///
    /// # Errors
    /// [`OpenError`]. Nothing was changed then, and it may be tried again when what is missing is there.
    pub fn open<'o, C: Crypto>(
        &mut self,
        crypto: &C,
        message: &[u8],
        signed: bool,
        public_key: impl Fn(SenderId) -> Option<PublicKey>,
        out: &'o mut [u8],
    ) -> Result<Opened<'o>, OpenError> {
        let out = out.get_mut(..message.len()).ok_or(OpenError::NoRoom { needed: message.len() })?;
        out.copy_from_slice(message);
        let found = self.examine(crypto, out, signed, public_key)?;
        let sender = match found.sender {
            Some(sender) => {
                self.check(found.generation, sender, found.number)?;
                self.try_sender(crypto, &found, sender, message, out).then_some(sender)
            }
            None => self.find_sender(crypto, &found, message, out)?,
        };
        let sender = sender.ok_or(OpenError::Forged)?;
        let repeated = self.note(found.generation, sender, found.number)?;
        let range = found.start..message.len().saturating_sub(found.tag_len).max(found.start);
        let len = range.len();
        // Byte by byte: in firmware this would be the only reason to link `memmove`.
        for (to, from) in range.enumerate() {
            if let (Some(byte), Some(place)) = (out.get(from).copied(), out.get_mut(to)) {
                *place = byte;
            }
        }
        Ok(Opened {
            payload: out.get_mut(..len).unwrap_or_default(),
            content_format: found.content_format,
            sender,
            verified: found.verified,
            generation: found.generation,
            number: found.number,
            repeated,
        })
    }

    /// Reads what a message says of itself, and checks its countersignature.
    fn examine<C: Crypto>(
        &self,
        crypto: &C,
        message: &mut [u8],
        signed: bool,
        public_key: impl Fn(SenderId) -> Option<PublicKey>,
    ) -> Result<Found, OpenError> {
        let whole = message.len();
        let parsed = Encrypt0::parse(message).map_err(|_| OpenError::Malformed)?;
        let headers = parsed.headers();
        let gid = headers.kid().and_then(Gid::new).ok_or(OpenError::Malformed)?;
        let number = headers.partial_iv().and_then(read_number).ok_or(OpenError::Malformed)?;
        let content_format = read_format(headers)?;
        let ciphertext = parsed.ciphertext().ok_or(OpenError::Malformed)?.len();
        let key = self.key(&gid).ok_or(OpenError::UnknownKey(gid))?;
        let mut found = Found {
            gid,
            generation: key.number(),
            number,
            content_format,
            sender: hint(headers)?,
            verified: false,
            start: whole.saturating_sub(ciphertext),
            tag_len: key.cipher().aead().tag_len(),
        };
        let mut signatures = countersign::of(headers);
        match (signatures.next(), signatures.next()) {
            (None, _) if signed => Err(OpenError::Unsigned),
            (None, _) => Ok(found),
            (Some(Ok(signature)), None) => {
                let sender = signature.headers().kid().and_then(SenderId::new).ok_or(OpenError::Malformed)?;
                match (public_key(sender), parsed.target()) {
                    (Some(key), Some(target)) => {
                        let verified = signature.verify(crypto, &key, &target, b"");
                        verified.map_err(|_| OpenError::Forged)?;
                        found.verified = true;
                    }
                    _ if signed => return Err(OpenError::UnknownSender(sender)),
                    _ => {}
                }
                found.sender = Some(sender);
                Ok(found)
            }
            _ => Err(OpenError::Malformed),
        }
    }

    /// The Sender ID with which a message opens, into `out`; `None` if there is none.
    fn find_sender<C: Crypto>(
        &self,
        crypto: &C,
        found: &Found,
        message: &[u8],
        out: &mut [u8],
    ) -> Result<Option<SenderId>, OpenError> {
        let heard = |sender: SenderId| self.window(found.generation, sender).is_some();
        let fresh = |sender: SenderId| self.check(found.generation, sender, found.number).is_ok();
        let known = || self.seen.iter().flatten().filter(|seen| seen.generation == found.generation);
        let new = (0..TRIES).map(SenderId::from_number).filter(|sender| !heard(*sender));
        let candidates = known().map(|seen| seen.sender).filter(|sender| fresh(*sender)).chain(new);
        for sender in candidates {
            if self.try_sender(crypto, found, sender, message, out) {
                return Ok(Some(sender));
            }
        }
        // Only to say rightly what is wrong with it.
        for sender in known().map(|seen| seen.sender).filter(|sender| !fresh(*sender)) {
            if self.try_sender(crypto, found, sender, message, out) {
                out.fill(0);
                return Err(OpenError::Replayed);
            }
        }
        Ok(None)
    }

    /// Opens a message into `out` as if it were of this sender; says whether it was.
    fn try_sender<C: Crypto>(
        &self,
        crypto: &C,
        found: &Found,
        sender: SenderId,
        message: &[u8],
        out: &mut [u8],
    ) -> bool {
        let Some(key) = self.key(&found.gid) else { return false };
        let Ok(symmetric) = key.symmetric() else { return false };
        if sender.as_bytes().len() > key.cipher().sender_id_len() {
            return false;
        }
        // What did not open left nothing behind.
        out.copy_from_slice(message);
        let nonce = key.nonce(sender, found.number);
        Encrypt0::parse(out)
            .is_ok_and(|parsed| parsed.open(crypto, &symmetric, nonce.as_bytes(), b"").is_ok())
    }

    /// Whether a message with this number can be new, or is the last one once more.
    fn check(&self, generation: u64, sender: SenderId, number: u64) -> Result<(), OpenError> {
        let admitted = self.window(generation, sender).is_none_or(|window| window.admits(number));
        let repeated = self.last == Some((generation, sender, number));
        if admitted || repeated { Ok(()) } else { Err(OpenError::Replayed) }
    }

    /// Notes an authentic message; says whether it is the last one once more.
    fn note(&mut self, generation: u64, sender: SenderId, number: u64) -> Result<bool, OpenError> {
        if self.last == Some((generation, sender, number)) {
            return Ok(true);
        }
        let reached = self.reached;
        let known = self
            .seen
            .iter_mut()
            .find(|seen| seen.is_some_and(|seen| seen.generation == generation && seen.sender == sender));
        let place = match known {
            Some(place) => place,
            None => {
                // What can come no more need not be remembered: neither its key is held, nor will it be again.
                let keys = &self.keys;
                let over = |seen: &Seen| {
                    seen.generation < reached
                        && keys.iter().flatten().all(|key| key.number() != seen.generation)
                };
                let mut places = self.seen.iter_mut();
                places.find(|seen| seen.as_ref().is_none_or(over)).ok_or(OpenError::TooManyPublishers)?
            }
        };
        let seen = place.get_or_insert(Seen { generation, sender, window: Window::default() });
        if seen.generation != generation || seen.sender != sender {
            *seen = Seen { generation, sender, window: Window::default() };
        }
        seen.window.accept(number);
        self.reached = reached.max(generation);
        self.last = Some((generation, sender, number));
        Ok(false)
    }

    fn window(&self, generation: u64, sender: SenderId) -> Option<&Window> {
        let mut all = self.seen.iter().flatten();
        all.find(|seen| seen.generation == generation && seen.sender == sender).map(|seen| &seen.window)
    }

    fn key(&self, gid: &Gid) -> Option<&GroupKey> {
        self.keys.iter().flatten().find(|key| key.gid() == *gid)
    }
}

/// What a message says of itself.
struct Found {
    gid: Gid,
    generation: u64,
    number: u64,
    content_format: Option<u16>,
    /// Who it says has made it.
    sender: Option<SenderId>,
    verified: bool,
    /// Where the ciphertext begins, up to the end.
    start: usize,
    tag_len: usize,
}

/// A Partial IV of up to five bytes, without zeros in front.
fn read_number(bytes: &[u8]) -> Option<u64> {
    match bytes {
        [0] => Some(0),
        [1..=255, rest @ ..] if rest.len() < 5 => {
            Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        }
        _ => None,
    }
}

fn read_format(headers: &Headers<'_>) -> Result<Option<u16>, OpenError> {
    // Only what is authenticated counts.
    match headers.content_type() {
        Some(Label::Int(format)) if headers.protected(Label::Int(3)).is_some() => {
            u16::try_from(format).map(Some).map_err(|_| OpenError::Malformed)
        }
        _ => Ok(None),
    }
}

fn hint(headers: &Headers<'_>) -> Result<Option<SenderId>, OpenError> {
    let Some(mut value) = headers.unprotected(Label::Int(KID_CONTEXT)) else { return Ok(None) };
    let sender = value.bytes().ok().and_then(SenderId::new);
    sender.map(Some).ok_or(OpenError::Malformed)
}

impl<const PUBLISHERS: usize, const GENERATIONS: usize> fmt::Debug for Subscriber<PUBLISHERS, GENERATIONS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("generation", &self.generation()).finish_non_exhaustive()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a protected value"),
            Self::UnknownKey(gid) => write!(f, "made with the key {gid}, which is not known"),
            Self::UnknownSender(sender) => write!(f, "signed by {sender}, who is not known"),
            Self::Unsigned => f.write_str("not signed, as values of this topic must be"),
            Self::Forged => f.write_str("not authentic"),
            Self::Replayed => f.write_str("has come before"),
            Self::TooManyPublishers => f.write_str("no room for another publisher"),
            Self::NoRoom { needed } => write!(f, "the buffer has to have {needed} bytes"),
        }
    }
}

impl core::error::Error for OpenError {}
