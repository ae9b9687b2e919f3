//! Speaking with the key distribution centre.

use rand_core::Rng as _;
use sedge_coap::{Code, ContentFormat, OptionNumber};
use sedge_crypto::Crypto as _;
use sedge_endpoint::memory::{Buffer as _, FixedBuffer};
use sedge_group::keying::{
    ACE_GROUP, ACE_GROUPCOMM, Challenge, Join, Keys, MemberCredential, Members, NONCE_LEN, Roles, ask_for,
    possession, read_number,
};
use sedge_group::{Gid, Installed, SenderId, SequenceError, Storage};
use zeroize::Zeroizing;

use super::{ProtectError, Protected};
use crate::error::Error;
use crate::io::{Clock, Datagram};
use crate::memory::Memory;
use crate::request::{Request, Response, Target};

/// Room for any answer of the centre that a member asks for: a key and what belongs to it, or one credential.
pub(super) const ANSWER: usize = 512;
/// Room for a request to join: the names of a topic and of the client, a public key, a signature.
const REQUEST: usize = 768;

pub(super) type Outcome<T, D> = Result<T, ProtectError<<D as Datagram>::Error>>;

/// Answers hold keys, so they are erased.
type AnswerBuffer = Zeroizing<[u8; ANSWER]>;

fn buffer() -> AnswerBuffer {
    Zeroizing::new([0; ANSWER])
}

impl<M, D, C, S, const PUBLISHERS: usize, const GENERATIONS: usize, const NAME: usize>
    Protected<'_, M, D, C, S, PUBLISHERS, GENERATIONS, NAME>
where
    M: Memory,
    D: Datagram,
    C: Clock,
    S: Storage,
{
    /// Sees to it that the client is in the group, in these roles.
    pub(super) async fn join_as(&mut self, at: usize, roles: Roles) -> Outcome<(), D> {
        let known = self.group(at)?.roles;
        match known {
            Some(known) if known.contains(roles) => Ok(()),
            Some(known) => self.join(at, known | roles).await,
            None if self.resume(at, roles).await? => Ok(()),
            None => self.join(at, roles).await,
        }
    }

    /// Takes up what the client was in the group before it lost its memory. Says whether it could: a publisher has to
    /// know which sequence numbers it has used.
    async fn resume(&mut self, at: usize, roles: Roles) -> Outcome<bool, D> {
        let group = self.group(at)?;
        let mut name = FixedBuffer::<NAME>::default();
        let named = group.name().is_some_and(|group| name.store(group.as_bytes()));
        if !named || !group.publisher.is_durable() {
            return Ok(false);
        }
        let node = [(OptionNumber::URI_PATH, &b"nodes"[..]), (OptionNumber::URI_PATH, name.bytes())];
        let mut answer = buffer();
        let response = self.ask(at, Code::GET, &node, &[], &mut answer).await?;
        if response.code != Code::CONTENT {
            return Ok(false);
        }
        let keys = Keys::decode(response.payload).map_err(|_| ProtectError::Answer)?;
        let now = self.client.now();
        let (crypto, _) = self.client.providers();
        let group = self.groups.get_mut(at).ok_or(ProtectError::NotAGroup)?;
        if roles.publishes() {
            let Some(sender) = keys.sender else { return Ok(false) };
            match group.publisher.resume(crypto, keys.key.clone(), sender) {
                Ok(()) => {}
                Err(SequenceError::Storage(_)) => return Err(ProtectError::Storage),
                Err(_) => return Ok(false),
            }
        }
        let _held = group.subscriber.install(keys.key);
        (group.roles, group.policy, group.checked) = (Some(roles), keys.policy, Some(now));
        Ok(true)
    }

    /// Leaves the group.
    pub(super) async fn leave_group(&mut self, at: usize) -> Outcome<(), D> {
        let mut name = FixedBuffer::<NAME>::default();
        let named = self.group(at)?.name().is_some_and(|group| name.store(group.as_bytes()));
        if !named {
            return Err(ProtectError::NoName);
        }
        let node = [(OptionNumber::URI_PATH, &b"nodes"[..]), (OptionNumber::URI_PATH, name.bytes())];
        let mut answer = buffer();
        let code = self.ask(at, Code::DELETE, &node, &[], &mut answer).await?.code;
        if code != Code::DELETED {
            return Err(ProtectError::Centre(code));
        }
        if let Some(watch) = self.group_mut(at)?.leave() {
            let _known = self.keeper().unsubscribe(watch).await;
        }
        Ok(())
    }

    /// Joins, or joins anew: a publisher gets a Sender ID that was never used.
    pub(super) async fn join(&mut self, at: usize, roles: Roles) -> Outcome<(), D> {
        let mut answer = buffer();
        let mut challenge = None;
        loop {
            let mut request = [0; REQUEST];
            let payload = self.write_join(at, roles, challenge, &mut request)?;
            let response = self.ask(at, Code::POST, &[], payload, &mut answer).await?;
            match response.code {
                Code::CREATED => {
                    let keys = Keys::decode(response.payload).map_err(|_| ProtectError::Answer)?;
                    return self.joined(at, roles, &keys);
                }
                Code::BAD_REQUEST if challenge.is_none() => {
                    let asked = Challenge::decode(response.payload);
                    challenge = Some(asked.map_err(|_| ProtectError::Centre(Code::BAD_REQUEST))?);
                    if self.group(at)?.signing_key.is_none() || self.group(at)?.name().is_none() {
                        return Err(ProtectError::NoSigningKey);
                    }
                }
                code => return Err(ProtectError::Centre(code)),
            }
        }
    }

    /// Writes the request to join; with a challenge it shows that the credential is the client's own.
    fn write_join<'b>(
        &mut self,
        at: usize,
        roles: Roles,
        challenge: Option<Challenge>,
        buffer: &'b mut [u8; REQUEST],
    ) -> Outcome<&'b [u8], D> {
        let too_long = ProtectError::TooLong;
        let mut nonce = [0; NONCE_LEN];
        let (crypto, rng) = self.client.providers();
        rng.fill_bytes(&mut nonce);
        let group = self.groups.get(at).ok_or(ProtectError::NotAGroup)?;
        let topic = group.topic();
        // A centre that has the credential of a member needs no other.
        let credential = (group.roles.is_some() && group.signing_key.is_some()).then_some(&[][..]);
        let bare = Join { group: topic, roles, members: false, credential, nonce, proof: None };
        let (Some(challenge), Some(key), Some(name)) = (challenge, &group.signing_key, group.name()) else {
            return bare.encode(buffer).map(|bytes| &*bytes).map_err(|_| too_long);
        };
        let key = crypto.signing_key(key).map_err(|_| ProtectError::NoSigningKey)?;
        let credential = MemberCredential { name, key: Some(crypto.public_key(&key)) };
        let mut encoded = [0; 400];
        let encoded = credential.encode(&mut encoded).map_err(|_| ProtectError::TooLong)?;
        let join = Join { credential: Some(encoded), ..bare };
        let digest = possession(crypto, &join, challenge).ok_or(ProtectError::TooLong)?;
        let proof = crypto.sign(&key, &digest, rng).map_err(|_| ProtectError::NoSigningKey)?;
        let join = Join { proof: Some(proof.as_bytes()), ..join };
        join.encode(buffer).map(|bytes| &*bytes).map_err(|_| too_long)
    }

    fn joined(&mut self, at: usize, roles: Roles, keys: &Keys<'_>) -> Outcome<(), D> {
        let now = self.client.now();
        let (crypto, _) = self.client.providers();
        let group = self.groups.get_mut(at).ok_or(ProtectError::NotAGroup)?;
        if let Some(sender) = keys.sender {
            group.publisher.begin(crypto, keys.key.clone(), sender).map_err(|_| ProtectError::Storage)?;
        } else if roles.publishes() {
            return Err(ProtectError::Answer);
        }
        let _held = group.subscriber.install(keys.key.clone());
        if group.subscriber.generation() != Some(keys.key.number())
            || !group.subscriber.holds(&keys.key.gid())
        {
            // The keys that are held are newer than the newest: they were another group's, which is no more.
            group.subscriber.clear();
            let _held = group.subscriber.install(keys.key.clone());
        }
        (group.roles, group.policy, group.checked) = (Some(roles), keys.policy, Some(now));
        group.forget_members();
        Ok(())
    }

    /// Asks for the newest key, or for that of an earlier generation. Says whether the client got one.
    pub(super) async fn fetch(&mut self, at: usize, gid: Option<Gid>) -> Outcome<bool, D> {
        let mut answer = buffer();
        let mut query = [0; 4 + 16];
        let query = gid.map(|gid| write_query(gid, &mut query));
        let option = query.map(|query| (OptionNumber::URI_QUERY, query));
        let response = self.ask(at, Code::GET, option.as_slice(), &[], &mut answer).await?;
        match response.code {
            Code::CONTENT => {}
            Code::NOT_FOUND if gid.is_some() => return Ok(false),
            code => return Err(self.refused(at, code)),
        }
        let keys = Keys::decode(response.payload).map_err(|_| ProtectError::Answer)?;
        if gid.is_none() {
            self.renew(at, keys)?;
        } else {
            let _held = self.group_mut(at)?.subscriber.install(keys.key);
        }
        Ok(true)
    }

    /// Takes the newest key over.
    pub(super) fn renew(&mut self, at: usize, keys: Keys<'_>) -> Outcome<(), D> {
        let now = self.client.now();
        let group = self.groups.get_mut(at).ok_or(ProtectError::NotAGroup)?;
        (group.policy, group.checked) = (keys.policy, Some(now));
        // Who publishes joins anew before it uses the key: its Sender ID may be somebody else's by now.
        if group.subscriber.install(keys.key) == Installed::New {
            // Sender IDs of those who left are free for others.
            group.forget_members();
        }
        Ok(())
    }

    /// Asks whether there is a new key, if that is due, and takes it.
    pub(super) async fn check(&mut self, at: usize) -> Outcome<(), D> {
        let now = self.client.now();
        self.hear_of_keys(true).await?;
        let group = self.group(at)?;
        if group.checked.is_some_and(|checked| now.saturating_since(checked) < group.check_interval()) {
            return Ok(());
        }
        if !self.watches(at) && self.watch(at).await {
            return self.hear_of_keys(false).await;
        }
        let mut answer = buffer();
        let response = self.ask(at, Code::GET, &[(OptionNumber::URI_PATH, b"num")], &[], &mut answer).await?;
        if response.code != Code::CONTENT {
            return Err(self.refused(at, response.code));
        }
        let number = read_number(response.payload).map_err(|_| ProtectError::Answer)?;
        let group = self.groups.get_mut(at).ok_or(ProtectError::NotAGroup)?;
        group.checked = Some(now);
        if group.generation() == Some(number) {
            return Ok(());
        }
        self.fetch(at, None).await.map(|_| ())
    }

    /// Asks who a publisher is.
    pub(super) async fn identify(&mut self, at: usize, sender: SenderId) -> Outcome<(), D> {
        let mut answer = buffer();
        let mut request = [0; 24];
        let payload = ask_for(sender, &mut request).map_err(|_| ProtectError::Answer)?;
        let response =
            self.ask(at, Code::FETCH, &[(OptionNumber::URI_PATH, b"creds")], payload, &mut answer).await?;
        let group = self.groups.get_mut(at).ok_or(ProtectError::NotAGroup)?;
        let members = match response.code {
            Code::CONTENT => Members::decode(response.payload).map_err(|_| ProtectError::Answer)?.1,
            _ => Members::default(),
        };
        let found = members.iter().find(|(id, _)| *id == sender);
        group.note(sender, found.as_ref().map(|(_, credential)| credential));
        Ok(())
    }

    /// Sends a request to `/ace-group/GROUPNAME`, with what `further` adds to path or query.
    async fn ask<'b>(
        &mut self,
        at: usize,
        method: Code,
        further: &[(OptionNumber, &[u8])],
        payload: &[u8],
        answer: &'b mut AnswerBuffer,
    ) -> Outcome<Reply<'b>, D> {
        let group = self.groups.get(at).ok_or(ProtectError::NotAGroup)?;
        let none = (OptionNumber::URI_QUERY, &[][..]);
        let mut path = [none; 4];
        let head =
            [ACE_GROUP.as_bytes(), group.topic().as_bytes()].map(|segment| (OptionNumber::URI_PATH, segment));
        for (to, from) in path.iter_mut().zip(head.iter().chain(further)) {
            *to = *from;
        }
        let options = path.get(..2 + further.len()).unwrap_or_default();
        let format = ContentFormat(ACE_GROUPCOMM);
        let content_format = (!payload.is_empty()).then_some(format);
        let request = Request { content_format, payload, options, ..Request::new(method, Target::Path("")) };
        // Not by `keeper`, which would borrow the groups, too.
        let client = match &mut self.centre {
            Some(centre) => &mut **centre,
            None => &mut *self.client,
        };
        // Joining twice does no harm, so a lost connection is none either.
        let lost = |outcome: &Result<_, Error<_>>| matches!(outcome, Err(Error::Disconnected(_)));
        let mut outcome = client.request(&request, &mut **answer).await.map(told);
        if lost(&outcome) {
            outcome = client.request(&request, &mut **answer).await.map(told);
        }
        let (code, len) = outcome?;
        Ok(Reply { code, payload: answer.get(..len).unwrap_or_default() })
    }

    /// The centre does not take the client for a member any more, or the group is gone: next time it joins anew, if it may.
    fn refused(&mut self, at: usize, code: Code) -> ProtectError<D::Error> {
        if matches!(code, Code::FORBIDDEN | Code::NOT_FOUND)
            && let Some(group) = self.groups.get_mut(at)
        {
            group.roles = None;
        }
        ProtectError::Centre(code)
    }
}

/// What the centre answered.
struct Reply<'b> {
    code: Code,
    payload: &'b [u8],
}

/// The code, and the length of the body.
fn told(response: Response<'_>) -> (Code, usize) {
    (response.code, response.payload.len())
}

/// `gid=` and hexadecimal digits.
fn write_query(gid: Gid, buffer: &mut [u8; 20]) -> &[u8] {
    let digit = |nibble: u8| b"0123456789abcdef".get(usize::from(nibble)).copied().unwrap_or(b'0');
    let digits = gid.as_bytes().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    let len = 4 + 2 * gid.as_bytes().len();
    for (to, from) in buffer.iter_mut().zip(b"gid=".iter().copied().chain(digits)) {
        *to = from;
    }
    buffer.get(..len).unwrap_or_default()
}
