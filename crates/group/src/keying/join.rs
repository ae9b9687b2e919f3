//! The request of somebody who wants to join.

use core::ops::BitOr;

use sedge_cose::cbor::{Decoder, Encoder, Error, Label, NoRoom, Type};

use super::challenge::{NONCE_LEN, Nonce};
use super::key;

/// What a member does in a group, with the bits of scopes
/// ([section 3.1.1 of the draft](https://datatracker.ietf.org/doc/html/draft-ietf-ace-coap-pubsub-profile#section-3.1.1)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roles(u8);

impl Roles {
    /// It publishes.
    pub const PUBLISHER: Self = Self(1 << 2);
    /// It subscribes, or reads.
    pub const SUBSCRIBER: Self = Self(1 << 3);

    /// The roles of a scope; `None` if there is none, or a bit that is no role.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match bits {
            4 | 8 | 12 => Some(Self(bits as u8)),
            _ => None,
        }
    }

    /// As scopes have them.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `others` are among these.
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether it publishes.
    pub const fn publishes(self) -> bool {
        self.contains(Self::PUBLISHER)
    }
}

impl BitOr for Roles {
    type Output = Self;

    fn bitor(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

/// A request to join
/// ([RFC 9594 section 4.3.1](https://www.rfc-editor.org/rfc/rfc9594#section-4.3.1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join<'b> {
    /// The group.
    pub group: &'b str,
    /// What to be in it.
    pub roles: Roles,
    /// Whether the answer is to say who the publishers are.
    pub members: bool,
    /// The sender's credential; empty if the centre has one already.
    pub credential: Option<&'b [u8]>,
    /// Different in every request.
    pub nonce: Nonce,
    /// The signature that shows that the credential is the sender's: see [`possession`](super::possession).
    pub proof: Option<&'b [u8; 64]>,
}

/// Most bytes that a proof of possession is about: a scope with a name of 255 bytes, and two nonces.
pub(super) const SCOPE_MAX: usize = 300;

impl<'b> Join<'b> {
    /// Writes the request.
    ///
    /// # Errors
    /// The buffer is too short.
    pub fn encode<'o>(&self, buffer: &'o mut [u8]) -> Result<&'o mut [u8], NoRoom> {
        let mut encoder = Encoder::new(buffer);
        let options = [self.members, self.credential.is_some(), self.proof.is_some()];
        encoder.map(2 + options.iter().filter(|given| **given).count());
        encoder.int(key::SCOPE).bytes_of(|scope| self.scope(scope));
        if self.members {
            encoder.int(key::GET_CREDS).null();
        }
        if let Some(credential) = self.credential {
            encoder.int(key::CLIENT_CRED).bytes(credential);
        }
        encoder.int(key::CNONCE).bytes(&self.nonce);
        if let Some(proof) = self.proof {
            encoder.int(key::CLIENT_CRED_VERIFY).bytes(proof);
        }
        encoder.finish()
    }

    /// Writes the scope, which is what a proof of possession begins with.
    pub(super) fn scope(&self, encoder: &mut Encoder<'_>) {
        encoder.array(2).text(self.group).unsigned(self.roles.bits().into());
    }

    /// Reads a request, strictly.
    ///
    /// # Errors
    /// It is none, or has no scope of one group and of roles.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        let (mut scope, mut members, mut credential, mut nonce, mut proof) = (None, false, None, None, None);
        let mut decoder = Decoder::new(bytes);
        decoder.map(|label, value| {
            match label {
                Label::Int(key::SCOPE) => scope = Some(value.bytes()?),
                Label::Int(key::GET_CREDS) => {
                    // A filter by roles makes no difference: only publishers have credentials.
                    members = true;
                    if value.peek()? == Type::Null { value.null()? } else { value.skip()? }
                }
                Label::Int(key::CLIENT_CRED) => credential = Some(value.bytes()?),
                Label::Int(key::CNONCE) => nonce = Some(value.bytes()?),
                Label::Int(key::CLIENT_CRED_VERIFY) => proof = Some(value.bytes()?),
                _ => {}
            }
            Ok::<_, Error>(())
        })?;
        decoder.end()?;
        let (group, roles) = read_scope(scope.ok_or(Error::Range)?)?;
        let nonce = nonce.and_then(|nonce| nonce.first_chunk::<NONCE_LEN>()).ok_or(Error::Range)?;
        let proof = proof.map(|proof| proof.try_into().map_err(|_| Error::Range)).transpose()?;
        Ok(Self { group, roles, members, credential, nonce: *nonce, proof })
    }
}

fn read_scope(scope: &[u8]) -> Result<(&str, Roles), Error> {
    let mut decoder = Decoder::new(scope);
    if decoder.array()? != 2 {
        return Err(Error::Range);
    }
    let (group, bits) = (decoder.text()?, decoder.unsigned()?);
    decoder.end()?;
    Ok((group, Roles::from_bits(bits).ok_or(Error::Range)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let full = Join {
            group: "site/7/temp",
            roles: Roles::PUBLISHER | Roles::SUBSCRIBER,
            members: true,
            credential: Some(b"cred"),
            nonce: [5; 8],
            proof: Some(&[6; 64]),
        };
        let least = Join { roles: Roles::SUBSCRIBER, members: false, credential: None, proof: None, ..full };
        for join in [full, least] {
            let mut buffer = [0; 160];
            let bytes = join.encode(&mut buffer).unwrap();
            assert_eq!(Join::decode(bytes), Ok(join));
            for cut in 0..bytes.len() {
                assert!(Join::decode(&bytes[..cut]).is_err());
            }
        }
    }

    #[test]
    fn a_scope_names_one_group_and_roles() {
        // {3: h'82616700', 6: h'0000000000000000'}: no role; then roles that are none; then a second entry.
        for scope in [
            &b"\x82\x61g\x00"[..],
            b"\x82\x61g\x01",
            b"\x82\x61g\x06",
            b"\x83\x61g\x04\x04",
            b"\x82\x61g\x04\x00",
        ] {
            let mut buffer = [0; 40];
            let mut encoder = Encoder::new(&mut buffer);
            encoder.map(2).int(3).bytes(scope).int(6).bytes(&[0; 8]);
            let bytes = encoder.finish().unwrap();
            assert!(Join::decode(bytes).is_err(), "{scope:?}");
        }
    }
}
