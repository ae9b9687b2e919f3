//! The side that opens values.

use core::fmt;

use sedge_cose::{Encrypt0, countersign};
use sedge_crypto::{Crypto, PublicKey};

use crate::id::{Gid, SenderId};
use crate::key::GroupKey;
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
        // All others are in order, so it moves to its place among them.
        for at in (1..GENERATIONS).rev() {
            if let Some([before, place]) = self.keys.get_mut(at - 1..=at)
                && before.as_ref().map(GroupKey::number) < place.as_ref().map(GroupKey::number)
            {
                core::mem::swap(before, place);
            }
        }
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
        self.open_by(crypto, message, |message| signer(crypto, message, signed, public_key), out)
    }

    /// Opens a message as [`open`](Self::open) does, whether it is countersigned or not, and by whom: that is not looked at.
    /// A device that opens messages in no other way links nothing of countersignatures.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_unsigned<'o, C: Crypto>(
        &mut self,
        crypto: &C,
        message: &[u8],
        out: &'o mut [u8],
    ) -> Result<Opened<'o>, OpenError> {
        self.open_by(crypto, message, |_| Ok(None), out)
    }

    fn open_by<'o, C: Crypto>(
        &mut self,
        crypto: &C,
        message: &[u8],
        signer: impl FnOnce(&Encrypt0<'_>) -> Result<Option<Signer>, OpenError>,
        out: &'o mut [u8],
    ) -> Result<Opened<'o>, OpenError> {
        let out = out.get_mut(..message.len()).ok_or(OpenError::NoRoom { needed: message.len() })?;
        out.copy_from_slice(message);
        // Left in its place: a copy would be another 100 bytes of stack.
        let mut parsed = Encrypt0::parse(out);
        let parsed = parsed.as_mut().map_err(|_| OpenError::Malformed)?;
        let mut found = self.examine(parsed)?;
        if let Some(signer) = signer(parsed)? {
            (found.sender, found.verified) = (Some(signer.sender), signer.verified);
        }
        let ciphertext = parsed.ciphertext().map_or(0, <[u8]>::len);
        let start = message.len().saturating_sub(ciphertext);
        let ciphertext = message.get(start..).unwrap_or_default();
        let key = self.key(&found.gid).ok_or(OpenError::UnknownKey(found.gid))?;
        let mut len = 0;
        let mut opens = |sender| match try_sender(crypto, key, found.number, sender, parsed, ciphertext) {
            Some(opened) => {
                len = opened;
                true
            }
            None => false,
        };
        let sender = match found.sender {
            Some(sender) if !self.admits(&found, sender) => Err(OpenError::Replayed),
            Some(sender) => opens(sender).then_some(sender).ok_or(OpenError::Forged),
            None => self.find_sender(&found, opens),
        };
        let noted = sender.and_then(|sender| Ok((sender, self.note(&found, sender)?)));
        let (sender, repeated) = noted.inspect_err(|_| out.fill(0))?;
        // Byte by byte: in firmware this would be the only reason to link `memmove`.
        for to in 0..len {
            if let (Some(byte), Some(place)) = (out.get(start + to).copied(), out.get_mut(to)) {
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

    /// Reads what a message says of itself.
    fn examine(&self, message: &Encrypt0<'_>) -> Result<Found, OpenError> {
        let headers = message.headers();
        let gid = headers.kid().and_then(Gid::new).ok_or(OpenError::Malformed)?;
        let number = headers.partial_iv().and_then(read_number).ok_or(OpenError::Malformed)?;
        // Only what is authenticated counts.
        let content_format = headers.protected_content_format().map(u16::try_from);
        let content_format = content_format.transpose().map_err(|_| OpenError::Malformed)?;
        message.ciphertext().ok_or(OpenError::Malformed)?;
        let generation = self.key(&gid).ok_or(OpenError::UnknownKey(gid))?.number();
        let sender = headers.kid_context().map(named).transpose()?;
        Ok(Found { gid, generation, number, content_format, sender, verified: false })
    }

    /// The Sender ID with which a message opens.
    #[cfg_attr(target_os = "none", inline(always))]
    fn find_sender(
        &self,
        found: &Found,
        mut opens: impl FnMut(SenderId) -> bool,
    ) -> Result<SenderId, OpenError> {
        if let Some(sender) = self.find_heard(found, true, &mut opens) {
            return Ok(sender);
        }
        for sender in (0..TRIES).map(SenderId::from_number) {
            if self.place(found, sender).is_none() && opens(sender) {
                return Ok(sender);
            }
        }
        // Only to say rightly what is wrong with it.
        let replayed = self.find_heard(found, false, &mut opens).is_some();
        Err(if replayed { OpenError::Replayed } else { OpenError::Forged })
    }

    /// Of those that have been heard with this key, and from whom such a number is admitted or is not, the one with whose
    /// Sender ID a message opens.
    fn find_heard(
        &self,
        found: &Found,
        admitted: bool,
        opens: &mut impl FnMut(SenderId) -> bool,
    ) -> Option<SenderId> {
        let heard = self.seen.iter().flatten().filter(|seen| seen.generation == found.generation);
        let mut senders = heard.map(|seen| seen.sender);
        senders.find(|sender| self.admits(found, *sender) == admitted && opens(*sender))
    }

    /// Whether a message of this sender can be new, or is the last one once more.
    fn admits(&self, found: &Found, sender: SenderId) -> bool {
        self.window(found, sender).is_none_or(|window| window.admits(found.number))
            || self.repeats(found, sender)
    }

    /// Whether it is the last message once more.
    #[cfg_attr(target_os = "none", inline(never))]
    fn repeats(&self, found: &Found, sender: SenderId) -> bool {
        self.last == Some((found.generation, sender, found.number))
    }

    /// Notes an authentic message; says whether it is the last one once more.
    fn note(&mut self, found: &Found, sender: SenderId) -> Result<bool, OpenError> {
        let Found { generation, number, .. } = *found;
        if self.repeats(found, sender) {
            return Ok(true);
        }
        // What can come no more need not be remembered: neither its key is held, nor will it be again.
        let over = |seen: &Seen| {
            seen.generation < self.reached
                && self.keys.iter().flatten().all(|key| key.number() != seen.generation)
        };
        let free = || self.seen.iter().position(|seen| seen.as_ref().is_none_or(over));
        let known = self.place(found, sender);
        let place = known.or_else(free).and_then(|place| self.seen.get_mut(place));
        let place = place.ok_or(OpenError::TooManyPublishers)?;
        let window = place.filter(|_| known.is_some()).map(|seen| seen.window);
        let mut window = window.unwrap_or_default();
        window.accept(number);
        *place = Some(Seen { generation, sender, window });
        self.reached = self.reached.max(generation);
        self.last = Some((generation, sender, number));
        Ok(false)
    }

    fn window(&self, found: &Found, sender: SenderId) -> Option<&Window> {
        let place = self.seen.get(self.place(found, sender)?)?;
        place.as_ref().map(|seen| &seen.window)
    }

    /// Where it stands what has come from this sender under the message's key.
    #[cfg_attr(target_os = "none", inline(never))]
    fn place(&self, found: &Found, sender: SenderId) -> Option<usize> {
        let is_it = |seen: &Seen| seen.generation == found.generation && seen.sender == sender;
        self.seen.iter().position(|seen| seen.as_ref().is_some_and(is_it))
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
}

/// Who countersigned a message, and whether that was checked.
struct Signer {
    sender: SenderId,
    verified: bool,
}

/// Checks the countersignature of a message.
fn signer<C: Crypto>(
    crypto: &C,
    message: &Encrypt0<'_>,
    signed: bool,
    public_key: impl Fn(SenderId) -> Option<PublicKey>,
) -> Result<Option<Signer>, OpenError> {
    let target = message.target().ok_or(OpenError::Malformed)?;
    let Some(signature) = countersign::single(message.headers()).map_err(|_| OpenError::Malformed)? else {
        return if signed { Err(OpenError::Unsigned) } else { Ok(None) };
    };
    let sender = signature.headers().kid().ok_or(OpenError::Malformed).and_then(named)?;
    let verified = match public_key(sender) {
        Some(key) => {
            signature.verify(crypto, &key, &target, b"").map_err(|_| OpenError::Forged)?;
            true
        }
        None if signed => return Err(OpenError::UnknownSender(sender)),
        None => false,
    };
    Ok(Some(Signer { sender, verified }))
}

fn named(id: &[u8]) -> Result<SenderId, OpenError> {
    SenderId::new(id).ok_or(OpenError::Malformed)
}

/// Opens a message, whose ciphertext is lent, as if it were of this sender; returns how long the value is if it was.
#[cfg_attr(target_os = "none", inline(never))]
fn try_sender<C: Crypto>(
    crypto: &C,
    key: &GroupKey,
    number: u64,
    sender: SenderId,
    message: &mut Encrypt0<'_>,
    ciphertext: &[u8],
) -> Option<usize> {
    if sender.as_bytes().len() > key.cipher().sender_id_len() {
        return None;
    }
    let nonce = key.nonce(sender, number);
    message.try_open(crypto, &key.symmetric().ok()?, nonce.as_bytes(), b"", ciphertext).ok()
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
