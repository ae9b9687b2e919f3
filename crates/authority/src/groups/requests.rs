//! Which request is for what, and what members are answered.

use alloc::vec::Vec;

use sedge_coap::Code;
use sedge_cose::cbor::{Decoder, Error, Label};
use sedge_crypto::{Crypto, CryptoRng};
use sedge_group::keying::{Keys, Members, Roles, encode_names, read_gids};
use sedge_group::{Gid, SenderId};

use super::answers::{GroupError, Refusal, content};
use super::group::{Generation, Group, Member};
use super::state::written;
use super::{Evicted, Groups, rights};
use crate::{Answer, Context, Request, hex};

/// Parameter `group_SenderId` of a renewal
/// ([draft-ietf-ace-key-groupcomm-oscore, section 17.3](https://datatracker.ietf.org/doc/html/draft-ietf-ace-key-groupcomm-oscore#section-17.3)).
const GROUP_SENDER_ID: i64 = 21;
const GET_CREDS: i64 = 4;
const NUM: i64 = 9;
const CREDS: i64 = 13;
const PEER_IDENTIFIERS: i64 = 15;
const GROUP_POLICIES: i64 = 16;

impl Groups {
    pub(super) fn dispatch<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        request: &Request<'_>,
    ) -> Result<Answer, Refusal> {
        let (topic, rest) = match request.path {
            [] if request.code == Code::FETCH => return self.names(request),
            [] => return Err(Refusal::METHOD),
            [topic, rest @ ..] => (core::str::from_utf8(topic).map_err(|_| Refusal::NOT_FOUND)?, rest),
        };
        if rest.is_empty() && request.code == Code::POST {
            return self.join(cx, request, topic);
        }
        self.refresh(cx, topic);
        let may = rights(cx.clients, request.requester, topic);
        let group = self.groups.get_mut(topic).ok_or(Refusal::NOT_FOUND)?;
        let Some(member) = group.members.get(request.requester) else { return Err(Refusal::MEMBERS_ONLY) };
        if !may.is_some_and(|may| may.contains(member.roles)) {
            // Its rights were taken back: whatever is published from now on is not for it.
            let _was = group.remove(request.requester, cx.now, cx.rng);
            self.evicted.push(Evicted { member: request.requester.into(), topic: topic.into() });
            self.keep(cx, topic);
            return Err(Refusal::Error(Code::FORBIDDEN, GroupError::MembershipTerminated));
        }
        match (rest, request.code) {
            ([], Code::GET) => group.key(member, request, cx.now),
            ([b"num"], Code::GET) => group.number(),
            ([b"creds"], Code::GET) => Ok(group.credentials(&group.publishers())),
            ([b"creds"], Code::FETCH) => group.some_credentials(request.payload),
            ([b"policies"], Code::GET) => Ok(group.policies()),
            ([b"nodes", node, ..], _) if *node != request.requester.as_bytes() => Err(Refusal::FORBIDDEN),
            ([b"nodes", _], Code::GET) => {
                let newest = group.newest().ok_or(Refusal::NOT_FOUND)?;
                Ok(group.keys(newest, member.sender.map(SenderId::from_number), None, cx.now))
            }
            ([b"nodes", _], Code::POST | Code::PUT) => self.renew(cx, request, topic),
            ([b"nodes", _], Code::DELETE) => {
                let _was = group.remove(request.requester, cx.now, cx.rng);
                self.keep(cx, topic);
                Ok(Answer::new(Code::DELETED))
            }
            ([b"nodes", _, b"cred"], Code::POST) => self.replace_credential(cx, request, topic),
            ([] | [b"num" | b"creds" | b"policies"] | [b"nodes", _] | [b"nodes", _, b"cred"], _) => {
                Err(Refusal::METHOD)
            }
            _ => Err(Refusal::NOT_FOUND),
        }
    }

    /// As a GET of what can be observed, but that nothing is changed by it.
    pub(super) fn observe<C, R: ?Sized>(
        &self,
        cx: &Context<'_, C, R>,
        request: &Request<'_>,
    ) -> Result<Answer, Refusal> {
        let (topic, node) = match request.path {
            [topic] => (topic, None),
            [topic, b"nodes", node] => (topic, Some(*node)),
            _ => return Err(Refusal::NOT_FOUND),
        };
        let topic = core::str::from_utf8(topic).map_err(|_| Refusal::NOT_FOUND)?;
        let group = self.groups.get(topic).ok_or(Refusal::DELETED)?;
        if node.is_some_and(|node| node != request.requester.as_bytes()) {
            return Err(Refusal::FORBIDDEN);
        }
        let gone = if node.is_some() { Refusal::EVICTED } else { Refusal::MEMBERS_ONLY };
        let member = group.members.get(request.requester).ok_or(gone)?;
        if !rights(cx.clients, request.requester, topic).is_some_and(|may| may.contains(member.roles)) {
            return Err(gone);
        }
        let newest = group.newest().ok_or(Refusal::NOT_FOUND)?;
        let sender = member.sender.filter(|_| node.is_some()).map(SenderId::from_number);
        Ok(group.keys(newest, sender, None, cx.now))
    }

    /// Replaces a key that is too old.
    pub(super) fn refresh<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        topic: &str,
    ) {
        if let Some(group) = self.groups.get_mut(topic)
            && group.is_old(cx.now)
        {
            group.rekey(cx.now, cx.rng);
            self.keep(cx, topic);
        }
    }

    /// `FETCH /ace-group`: which groups have these Gids, of those that the requester is in.
    fn names(&self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let mut found = Vec::new();
        let read = read_gids(request.payload, |gid| {
            let mine = self.groups.iter().filter(|(_, group)| group.members.contains_key(request.requester));
            let named =
                mine.filter(|(_, group)| group.newest().is_some_and(|newest| newest.key.gid() == gid));
            found.extend(named.map(|(name, _)| (gid, name)));
        });
        read.map_err(|_| Refusal::MALFORMED)?;
        let len =
            encode_names(found.iter().copied(), &mut []).map_or_else(|room| room.needed, |done| done.len());
        let mut payload = alloc::vec![0; len];
        let fits = encode_names(found.iter().copied(), &mut payload).is_ok();
        if fits { Ok(content(Code::CONTENT, payload)) } else { Err(Refusal::NOT_FOUND) }
    }

    /// Gives a publisher a new Sender ID, because its sequence numbers are used up or forgotten.
    fn renew<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        request: &Request<'_>,
        topic: &str,
    ) -> Result<Answer, Refusal> {
        let group = self.groups.get_mut(topic).ok_or(Refusal::NOT_FOUND)?;
        let member = group.members.get(request.requester).ok_or(Refusal::MEMBERS_ONLY)?;
        if !member.roles.publishes() {
            return Err(Refusal::Error(Code::BAD_REQUEST, GroupError::Roles));
        }
        let credential = member.credential.clone();
        let number = group
            .next_sender(&credential)
            .ok_or(Refusal::Error(Code::SERVICE_UNAVAILABLE, GroupError::NoSenderIds))?;
        if let Some(member) = group.members.get_mut(request.requester) {
            member.sender = Some(number);
        }
        self.keep(cx, topic);
        let id = SenderId::from_number(number);
        let payload = written(|encoder| {
            encoder.map(1).int(GROUP_SENDER_ID).bytes(id.as_bytes());
        });
        Ok(content(Code::CONTENT, payload.to_vec()))
    }
}

impl Group {
    /// The key, or that of an earlier generation which the query names.
    fn key(&self, member: &Member, request: &Request<'_>, now: u64) -> Result<Answer, Refusal> {
        let generation = match request.query {
            [] => self.newest(),
            [query] => {
                let gid = core::str::from_utf8(query).ok().and_then(|query| query.strip_prefix("gid="));
                let gid = gid.and_then(read_gid).ok_or(Refusal::MALFORMED)?;
                self.generation_for(member, &gid)
            }
            _ => return Err(Refusal::MALFORMED),
        };
        Ok(self.keys(generation.ok_or(Refusal::NOT_FOUND)?, None, None, now))
    }

    /// A key as members get it.
    pub(super) fn keys(
        &self,
        generation: &Generation,
        sender: Option<SenderId>,
        members: Option<Vec<(SenderId, &[u8])>>,
        now: u64,
    ) -> Answer {
        let end = generation.made.saturating_add(self.settings.key_lifetime);
        let keys = Keys {
            key: generation.key.clone(),
            sender,
            policy: self.settings.policy,
            expires_in: end.saturating_sub(now),
            members: Members::default(),
        };
        let members = members.as_ref().map(|members| members.iter().copied());
        let len = keys.encode(members.clone(), &mut []).map_or_else(|room| room.needed, |done| done.len());
        let mut payload = alloc::vec![0; len];
        // It has exactly this length.
        let _fits = keys.encode(members, &mut payload);
        content(Code::CONTENT, payload)
    }

    fn number(&self) -> Result<Answer, Refusal> {
        let number = self.newest().ok_or(Refusal::NOT_FOUND)?.key.number();
        let payload = written(|encoder| {
            encoder.unsigned(number);
        });
        Ok(content(Code::CONTENT, payload.to_vec()))
    }

    fn policies(&self) -> Answer {
        let policy = self.settings.policy;
        content(
            Code::CONTENT,
            written(|encoder| {
                encoder.map(1).int(GROUP_POLICIES);
                policy.encode(encoder);
            })
            .to_vec(),
        )
    }

    /// These publishers.
    fn credentials(&self, members: &[(SenderId, &[u8])]) -> Answer {
        let number = self.newest().map_or(0, |newest| newest.key.number());
        let write = |encoder: &mut sedge_cose::cbor::Encoder<'_>| {
            encoder.map(3).int(NUM).unsigned(number).int(CREDS).array(members.len());
            for (_, credential) in members {
                encoder.bytes(credential);
            }
            encoder.int(PEER_IDENTIFIERS).array(members.len());
            for (id, _) in members {
                encoder.bytes(id.as_bytes());
            }
        };
        content(Code::CONTENT, written(write).to_vec())
    }

    /// Those that a filter of RFC 9594 section 4.4.1 names: `{4: [inclusion flag, [* role], [* Sender ID]]}`. All who
    /// have credentials are publishers, so roles select all or nobody. A Sender ID that its publisher has exchanged for
    /// another is known as long as the key.
    fn some_credentials(&self, payload: &[u8]) -> Result<Answer, Refusal> {
        let filter = read_filter(payload).map_err(|_| Refusal::MALFORMED)?;
        if filter.roles.is_empty() && filter.ids.is_empty() {
            return Err(Refusal::MALFORMED);
        }
        let role = filter.roles.iter().any(|bits| *bits == u64::from(Roles::PUBLISHER.bits()));
        let mut members = if filter.inclusive && !role { self.all_senders() } else { self.publishers() };
        members.retain(|(id, _)| match filter.inclusive {
            true => role || filter.ids.contains(id),
            false => (role || filter.roles.is_empty()) && !filter.ids.contains(id),
        });
        Ok(self.credentials(&members))
    }
}

struct Filter {
    inclusive: bool,
    roles: Vec<u64>,
    ids: Vec<SenderId>,
}

fn read_filter(payload: &[u8]) -> Result<Filter, Error> {
    let mut filter = None;
    let mut decoder = Decoder::new(payload);
    decoder.map(|label, value| {
        if label == Label::Int(GET_CREDS) {
            if value.array()? != 3 {
                return Err(Error::Range);
            }
            let inclusive = value.bool()?;
            let (mut roles, mut ids) = (Vec::new(), Vec::new());
            for _ in 0..value.array()? {
                roles.push(value.unsigned()?);
            }
            for _ in 0..value.array()? {
                // One that cannot be is nobody's, and is passed over.
                ids.extend(SenderId::new(value.bytes()?));
            }
            filter = Some(Filter { inclusive, roles, ids });
        }
        Ok(())
    })?;
    decoder.end()?;
    filter.ok_or(Error::Range)
}

fn read_gid(digits: &str) -> Option<Gid> {
    let mut bytes = [0; 8];
    let bytes = bytes.get_mut(..digits.len() / 2)?;
    hex::decode(digits, bytes)?;
    Gid::new(bytes)
}
