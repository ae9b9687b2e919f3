//! What the key distribution centre hands out: keys, and how they are to be used.

use sedge_cose::cbor::{Decoder, Encoder, Error, Label, NoRoom};

use super::members::{Members, Reader};
use super::{COAP_GROUP_PUBSUB_APP, ES256, GROUP_PUBSUB_KEYING_MATERIAL, KCCS, key};
use crate::id::SenderId;
use crate::key::GroupKey;

/// How a group is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupPolicy {
    /// Whether publishers have to countersign, so that subscribers know which of them it was.
    pub signed: bool,
    /// In how many seconds members ask again whether there is a new key.
    pub check_interval: Option<u32>,
    /// The Content-Format of the values themselves, which messages need not carry then. A policy in private use.
    pub content_format: Option<u16>,
}

/// The answer to a request to join, or for the newest key
/// ([RFC 9594 sections 4.3.1 and 4.3.2](https://www.rfc-editor.org/rfc/rfc9594#section-4.3.1)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys<'b> {
    /// The key.
    pub key: GroupKey,
    /// The receiver's Sender ID, if it publishes and asked for it.
    pub sender: Option<SenderId>,
    /// How the group is used.
    pub policy: GroupPolicy,
    /// For how many seconds the key is good.
    pub expires_in: u64,
    /// Who publishes, if that was asked for.
    pub members: Members<'b>,
}

/// Keys within `key`.
const GROUP_KEY: i64 = 0;
const GROUP_SENDER_ID: i64 = 1;
const CRED_FMT: i64 = 2;
const SIGN_ALG: i64 = 3;
const SIGN_PARAMS: i64 = 4;
/// Policies.
const KEY_UPDATE_CHECK_INTERVAL: i64 = 1;
const CONTENT_FORMAT: i64 = -65_537;

impl<'b> Keys<'b> {
    /// Writes the answer, with `members` as far as they are given.
    ///
    /// # Errors
    /// The buffer is too short.
    pub fn encode<'o, 'm>(
        &self,
        members: Option<impl ExactSizeIterator<Item = (SenderId, &'m [u8])> + Clone>,
        buffer: &'o mut [u8],
    ) -> Result<&'o mut [u8], NoRoom> {
        let Self { key: group_key, sender, policy, expires_in, .. } = self;
        let policies =
            usize::from(policy.check_interval.is_some()) + usize::from(policy.content_format.is_some());
        let mut encoder = Encoder::new(buffer);
        encoder.map(5 + usize::from(policies > 0) + 2 * usize::from(members.is_some()));
        encoder.int(key::GKTY).int(GROUP_PUBSUB_KEYING_MATERIAL);
        encoder.int(key::KEY).map(1 + usize::from(sender.is_some()) + 3 * usize::from(policy.signed));
        group_key.encode(encoder.int(GROUP_KEY));
        if let Some(sender) = sender {
            encoder.int(GROUP_SENDER_ID).bytes(sender.as_bytes());
        }
        if policy.signed {
            encoder.int(CRED_FMT).int(KCCS).int(SIGN_ALG).int(ES256);
            // Both want keys of type EC2, the signatures in the curve P-256.
            encoder.int(SIGN_PARAMS).array(2).array(1).int(2).array(2).int(2).int(1);
        }
        encoder.int(key::NUM).unsigned(group_key.number());
        encoder.int(key::PROFILE).int(COAP_GROUP_PUBSUB_APP);
        encoder.int(key::EXI).unsigned(*expires_in);
        if let Some(members) = &members {
            encoder.int(key::CREDS).array(members.len());
            for (_, credential) in members.clone() {
                encoder.bytes(credential);
            }
            encoder.int(key::PEER_IDENTIFIERS).array(members.len());
            for (id, _) in members.clone() {
                encoder.bytes(id.as_bytes());
            }
        }
        if policies > 0 {
            encoder.int(key::GROUP_POLICIES);
            policy.encode(&mut encoder);
        }
        encoder.finish()
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// It is none, or for another kind of group.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        let (mut kind, mut material, mut number, mut expires_in) = (None, None, None, None);
        let (mut policy, mut members) = (GroupPolicy::default(), Reader::default());
        let mut decoder = Decoder::new(bytes);
        decoder.map(|label, value| {
            match label {
                Label::Int(key::GKTY) => kind = Some(value.int()?),
                Label::Int(key::KEY) => material = Some(value.item()?),
                Label::Int(key::NUM) => number = Some(value.unsigned()?),
                Label::Int(key::EXI) => expires_in = Some(value.unsigned()?),
                Label::Int(key::GROUP_POLICIES) => policy.decode(value)?,
                other => members.entry(other, value)?,
            }
            Ok::<_, Error>(())
        })?;
        decoder.end()?;
        if kind != Some(GROUP_PUBSUB_KEYING_MATERIAL) {
            return Err(Error::Range);
        }
        let (number, members) = (number.ok_or(Error::Range)?, members.finish()?);
        let (key, sender, sign_alg) = read_material(material.ok_or(Error::Range)?, number)?;
        policy.signed = match sign_alg {
            None => false,
            Some(ES256) => true,
            Some(_) => return Err(Error::Range),
        };
        Ok(Self { key, sender, policy, expires_in: expires_in.ok_or(Error::Range)?, members })
    }
}

fn read_material(bytes: &[u8], number: u64) -> Result<(GroupKey, Option<SenderId>, Option<i64>), Error> {
    let (mut key, mut sender, mut sign_alg) = (None, None, None);
    Decoder::new(bytes).map(|label, value| {
        match label {
            Label::Int(GROUP_KEY) => key = Some(GroupKey::decode(value, number)?),
            Label::Int(GROUP_SENDER_ID) => {
                sender = Some(SenderId::new(value.bytes()?).ok_or(Error::Range)?);
            }
            Label::Int(SIGN_ALG) => sign_alg = Some(value.int()?),
            _ => {}
        }
        Ok::<_, Error>(())
    })?;
    let key = key.ok_or(Error::Range)?;
    if sender.is_some_and(|sender| sender.as_bytes().len() > key.cipher().sender_id_len()) {
        return Err(Error::Range);
    }
    Ok((key, sender, sign_alg))
}

impl GroupPolicy {
    /// Writes the map of policies, which says nothing of signatures.
    pub fn encode(&self, encoder: &mut Encoder<'_>) {
        let count = usize::from(self.check_interval.is_some()) + usize::from(self.content_format.is_some());
        encoder.map(count);
        if let Some(seconds) = self.check_interval {
            encoder.int(KEY_UPDATE_CHECK_INTERVAL).unsigned(seconds.into());
        }
        if let Some(format) = self.content_format {
            encoder.int(CONTENT_FORMAT).unsigned(format.into());
        }
    }

    fn decode(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Error> {
        decoder.map(|label, value| {
            match label {
                Label::Int(KEY_UPDATE_CHECK_INTERVAL) => {
                    self.check_interval = Some(u32::try_from(value.unsigned()?).unwrap_or(u32::MAX));
                }
                Label::Int(CONTENT_FORMAT) => {
                    self.content_format = Some(u16::try_from(value.unsigned()?).map_err(|_| Error::Range)?);
                }
                _ => {}
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::{Cipher, Gid, keying::MemberCredential};
    use sedge_crypto::PublicKey;
    use std::vec::Vec;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let gid = Gid::new(&[0, 7]).unwrap();
        let key = GroupKey::new(Cipher::AesCcm16_64_128, &[1; 16], &[2; 13], gid, 4).unwrap();
        let mut point = [9; 65];
        point[0] = 4;
        let (mut first, mut second) = ([0; 128], [0; 128]);
        let first = &*MemberCredential { name: "boiler-7", key: Some(PublicKey::new(point).unwrap()) }
            .encode(&mut first)
            .unwrap();
        let second = &*MemberCredential { name: "boiler-8", key: None }.encode(&mut second).unwrap();
        let members = [(SenderId::new(&[0]).unwrap(), first), (SenderId::new(&[1]).unwrap(), second)];
        let policy = GroupPolicy { signed: true, check_interval: Some(60), content_format: Some(112) };
        let keys = Keys {
            key,
            sender: SenderId::new(&[1]),
            policy,
            expires_in: 86_400,
            members: Members::default(),
        };
        let mut buffer = [0; 512];
        let bytes = keys.encode(Some(members.into_iter()), &mut buffer).unwrap();
        let read = Keys::decode(bytes).unwrap();
        assert_eq!(Keys { members: Members::default(), ..read.clone() }, keys);
        let names: Vec<_> =
            read.members.iter().map(|(id, member)| (id, member.name, member.key.is_some())).collect();
        assert_eq!(names, [(members[0].0, "boiler-7", true), (members[1].0, "boiler-8", false)]);
        for cut in 0..bytes.len() {
            assert!(Keys::decode(&bytes[..cut]).is_err());
        }
        let least = Keys { sender: None, policy: GroupPolicy::default(), ..keys };
        let bytes = least.encode(None::<std::vec::IntoIter<_>>, &mut buffer).unwrap();
        assert_eq!(Keys::decode(bytes), Ok(least));
    }
}
