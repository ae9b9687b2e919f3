//! Joining: who may, as what, and whose credential is whose.

use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;

use sedge_coap::Code;
use sedge_crypto::{Crypto, CryptoRng, Mac as _, Signature};
use sedge_group::SenderId;
use sedge_group::keying::{ACE_GROUP, Challenge, Join, MemberCredential, NONCE_LEN, possession};

use super::answers::{GroupError, Refusal};
use super::{Groups, rights};
use crate::{Answer, Context, Request};

/// For how many seconds a challenge is good, at least; at most twice as long.
const CHALLENGE_SECONDS: u64 = 120;

impl Groups {
    /// `POST /ace-group/GROUPNAME`.
    pub(super) fn join<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        request: &Request<'_>,
        topic: &str,
    ) -> Result<Answer, Refusal> {
        let join = Join::decode(request.payload).map_err(|_| Refusal::MALFORMED)?;
        if join.group != topic {
            return Err(Refusal::MALFORMED);
        }
        let may = rights(cx.clients, request.requester, topic).ok_or(Refusal::FORBIDDEN)?;
        if !may.contains(join.roles) {
            return Err(Refusal::FORBIDDEN);
        }
        if !self.groups.contains_key(topic) {
            // Only who may publish decides that a topic is protected; the others ask again.
            if !self.settings.auto_create || !may.publishes() {
                return Err(Refusal::NOT_FOUND);
            }
            let created = self.create(cx, topic, self.settings.group);
            created.map_err(|_| Refusal::Plain(Code::SERVICE_UNAVAILABLE))?;
        }
        self.refresh(cx, topic);
        let credential = self.credential_of(cx, request, &join)?;
        let group = self.groups.get_mut(topic).ok_or(Refusal::NOT_FOUND)?;
        let joined = group.join(request.requester, join.roles, credential, cx.now, cx.rng);
        joined.ok_or(Refusal::Error(Code::SERVICE_UNAVAILABLE, GroupError::NoSenderIds))?;
        self.keep(cx, topic);
        let group = self.groups.get(topic).ok_or(Refusal::NOT_FOUND)?;
        let (newest, member) = (group.newest(), group.members.get(request.requester));
        let (Some(newest), Some(member)) = (newest, member) else { return Err(Refusal::NOT_FOUND) };
        let sender = member.sender.filter(|_| join.roles.publishes()).map(SenderId::from_number);
        let members = join.members.then(|| group.publishers());
        let mut answer = group.keys(newest, sender, members, cx.now);
        answer.code = Code::CREATED;
        let node = [ACE_GROUP, topic, "nodes", request.requester];
        answer.location = node.map(|segment| segment.to_string()).to_vec();
        Ok(answer)
    }

    /// `POST /ace-group/GROUPNAME/nodes/NODENAME/cred`. The body is that of a request to join.
    pub(super) fn replace_credential<C: Crypto, R: CryptoRng + ?Sized>(
        &mut self,
        cx: &mut Context<'_, C, R>,
        request: &Request<'_>,
        topic: &str,
    ) -> Result<Answer, Refusal> {
        let join = Join::decode(request.payload).map_err(|_| Refusal::MALFORMED)?;
        if join.group != topic || !join.roles.publishes() || join.credential.is_none_or(<[u8]>::is_empty) {
            return Err(Refusal::MALFORMED);
        }
        let credential = self.credential_of(cx, request, &join)?;
        let group = self.groups.get_mut(topic).ok_or(Refusal::NOT_FOUND)?;
        let member = group.members.get_mut(request.requester).ok_or(Refusal::MEMBERS_ONLY)?;
        if !member.roles.publishes() {
            return Err(Refusal::Error(Code::BAD_REQUEST, GroupError::Roles));
        }
        if let Some(sender) = member.sender {
            let _old = group.senders.insert(sender, credential.clone());
        }
        member.credential = credential;
        self.keep(cx, topic);
        Ok(Answer::new(Code::CHANGED))
    }

    /// The credential with which somebody joins: its own with a key that it has shown to have, if it is to countersign;
    /// and otherwise only its name.
    fn credential_of<C: Crypto, R: CryptoRng + ?Sized>(
        &self,
        cx: &Context<'_, C, R>,
        request: &Request<'_>,
        join: &Join<'_>,
    ) -> Result<Vec<u8>, Refusal> {
        let group = self.groups.get(join.group).ok_or(Refusal::NOT_FOUND)?;
        let known = group.members.get(request.requester).map(|member| &member.credential);
        if !group.settings.policy.signed || !join.roles.publishes() {
            return Ok(known.cloned().unwrap_or_else(|| name_only(request.requester)));
        }
        let signs =
            |credential: &Vec<u8>| MemberCredential::decode(credential).is_ok_and(|it| it.key.is_some());
        let credential = match join.credential {
            None => return Err(self.ask_for_proof(cx, request)),
            Some([]) => {
                return known.filter(|known| signs(known)).cloned().ok_or(self.ask_for_proof(cx, request));
            }
            Some(credential) => credential,
        };
        let unfit = Refusal::Error(Code::BAD_REQUEST, GroupError::Credential);
        let read = MemberCredential::decode(credential).map_err(|_| unfit)?;
        let key = read.key.filter(|_| read.name == request.requester).ok_or(unfit)?;
        let proof = join.proof.ok_or_else(|| self.ask_for_proof(cx, request))?;
        let signature = Signature::new(*proof);
        let windows = [cx.now / CHALLENGE_SECONDS, (cx.now / CHALLENGE_SECONDS).saturating_sub(1)];
        let shown = windows.into_iter().any(|window| {
            let challenge = self.challenge(cx.crypto, request.requester, window);
            let digest = possession(cx.crypto, join, challenge);
            digest.is_some_and(|digest| cx.crypto.verify(&key, &digest, &signature).is_ok())
        });
        if shown { Ok(credential.to_vec()) } else { Err(self.ask_for_proof(cx, request)) }
    }

    fn ask_for_proof<C: Crypto, R: ?Sized>(&self, cx: &Context<'_, C, R>, request: &Request<'_>) -> Refusal {
        Refusal::Challenge(self.challenge_of(cx, request.requester))
    }

    /// The challenge that somebody is given who shows a token that may publish, so that it can join a group in which
    /// publishers sign without being asked first
    /// ([RFC 9594 section 3.3.2](https://www.rfc-editor.org/rfc/rfc9594#section-3.3.2)).
    pub fn challenge_of<C: Crypto, R: ?Sized>(&self, cx: &Context<'_, C, R>, name: &str) -> Challenge {
        self.challenge(cx.crypto, name, cx.now / CHALLENGE_SECONDS)
    }

    /// The challenge for somebody in a window of time. Nothing is kept of it.
    fn challenge<C: Crypto>(&self, crypto: &C, requester: &str, window: u64) -> Challenge {
        let mut mac = crypto.hmac_sha256(self.challenges.expose());
        mac.update(&window.to_be_bytes());
        mac.update(requester.as_bytes());
        let mut nonce = [0; NONCE_LEN];
        for (to, from) in nonce.iter_mut().zip(mac.finish()) {
            *to = from;
        }
        Challenge(nonce)
    }
}

/// The credential of a member that does not sign.
fn name_only(name: &str) -> Vec<u8> {
    let credential = MemberCredential { name, key: None };
    let len = credential.encode(&mut []).map_or_else(|room| room.needed, |done| done.len());
    let mut bytes = vec![0; len];
    // It has exactly this length.
    let _fits = credential.encode(&mut bytes);
    bytes
}
