//! A group as bytes, before they are sealed.
//!
//! `[version, name, cipher, signed, check interval, content format, key lifetime, [* generation], [* member], [* sender]]`, where a
//! generation is `[made, number, COSE_Key]` and a member `[name, roles, since, Sender ID, credential]`, a sender
//! `[Sender ID, credential]`.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use sedge_cose::cbor::{Decoder, Encoder, Error, Type};
use sedge_group::keying::{GroupPolicy, Roles};
use sedge_group::{Cipher, GroupKey};
use zeroize::Zeroizing;

use super::group::{Generation, Group, GroupSettings, Member};

const VERSION: u64 = 1;

impl Group {
    /// Everything about the group; keys included.
    pub(super) fn encode(&self, name: &str) -> Zeroizing<Vec<u8>> {
        written(|encoder| self.write(name, encoder))
    }

    fn write(&self, name: &str, encoder: &mut Encoder<'_>) {
        let GroupSettings { cipher, policy, key_lifetime } = self.settings;
        encoder.array(10).unsigned(VERSION).text(name).int(cipher.to_cose()).bool(policy.signed);
        option(encoder, policy.check_interval.map(u64::from));
        option(encoder, policy.content_format.map(u64::from));
        encoder.unsigned(key_lifetime).array(self.generations.len());
        for Generation { key, made } in &self.generations {
            encoder.array(3).unsigned(*made).unsigned(key.number());
            key.encode(encoder);
        }
        encoder.array(self.members.len());
        for (name, Member { roles, since, sender, credential }) in &self.members {
            encoder.array(5).text(name).unsigned(roles.bits().into()).unsigned(*since);
            option(encoder, sender.map(u64::from));
            encoder.bytes(credential);
        }
        encoder.array(self.senders.len());
        for (sender, credential) in &self.senders {
            encoder.array(2).unsigned((*sender).into()).bytes(credential);
        }
    }

    /// The group with its name, as [`encode`](Self::encode) wrote them.
    pub(super) fn decode(bytes: &[u8]) -> Result<(String, Self), Error> {
        let mut d = Decoder::new(bytes);
        if d.array()? != 10 || d.unsigned()? != VERSION {
            return Err(Error::Range);
        }
        let name = d.text()?.to_owned();
        let cipher = Cipher::from_cose(d.int()?).ok_or(Error::Range)?;
        let policy = GroupPolicy {
            signed: d.bool()?,
            check_interval: read_option(&mut d)?.map(number).transpose()?,
            content_format: read_option(&mut d)?.map(number).transpose()?,
        };
        let key_lifetime = d.unsigned()?;
        let mut generations = VecDeque::new();
        for _ in 0..d.array()? {
            expect_array(&mut d, 3)?;
            let (made, number) = (d.unsigned()?, d.unsigned()?);
            generations.push_back(Generation { key: GroupKey::decode(&mut d, number)?, made });
        }
        let mut members = BTreeMap::new();
        for _ in 0..d.array()? {
            expect_array(&mut d, 5)?;
            let name = d.text()?.to_owned();
            let member = Member {
                roles: Roles::from_bits(d.unsigned()?).ok_or(Error::Range)?,
                since: d.unsigned()?,
                sender: read_option(&mut d)?.map(number).transpose()?,
                credential: d.bytes()?.to_vec(),
            };
            let _twice = members.insert(name, member);
        }
        let mut senders = BTreeMap::new();
        for _ in 0..d.array()? {
            expect_array(&mut d, 2)?;
            let _twice = senders.insert(number(d.unsigned()?)?, d.bytes()?.to_vec());
        }
        d.end()?;
        if generations.is_empty() {
            return Err(Error::Range);
        }
        Ok((
            name,
            Self {
                settings: GroupSettings { cipher, policy, key_lifetime },
                members,
                generations,
                senders,
                announced: None,
            },
        ))
    }
}

/// What `write` writes, in as many bytes as it takes; erased when it is dropped.
pub(super) fn written(write: impl Fn(&mut Encoder<'_>)) -> Zeroizing<Vec<u8>> {
    let mut counting = Encoder::new(&mut []);
    write(&mut counting);
    let mut bytes = Zeroizing::new(vec![0; counting.len()]);
    let mut encoder = Encoder::new(&mut bytes);
    write(&mut encoder);
    bytes
}

fn option(encoder: &mut Encoder<'_>, number: Option<u64>) {
    let _encoder = match number {
        Some(number) => encoder.unsigned(number),
        None => encoder.null(),
    };
}

fn read_option(d: &mut Decoder<'_>) -> Result<Option<u64>, Error> {
    if d.peek()? == Type::Null { d.null().map(|()| None) } else { d.unsigned().map(Some) }
}

fn number<N: TryFrom<u64>>(number: u64) -> Result<N, Error> {
    N::try_from(number).map_err(|_| Error::Range)
}

fn expect_array(d: &mut Decoder<'_>, count: usize) -> Result<(), Error> {
    if d.array()? == count { Ok(()) } else { Err(Error::Range) }
}
