//! Who publishes in a group: credentials, and the Sender IDs that belong to them.

use sedge_cose::cbor::{Decoder, Encoder, Error, Label, NoRoom};

use super::credential::MemberCredential;
use super::key;
use crate::id::SenderId;

/// Publishers, as the centre lists them: `creds` and `peer_identifiers`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members<'b> {
    credentials: &'b [u8],
    identifiers: &'b [u8],
    count: usize,
}

impl<'b> Members<'b> {
    /// Reads the answer of `/ace-group/GROUPNAME/creds`: the generation's number, and the publishers.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(bytes: &'b [u8]) -> Result<(u64, Self), Error> {
        let (mut number, mut read) = (None, Reader::default());
        let mut decoder = Decoder::new(bytes);
        decoder.map(|label, value| {
            if label == Label::Int(key::NUM) {
                number = Some(value.unsigned()?);
                return Ok(());
            }
            read.entry(label, value)
        })?;
        decoder.end()?;
        Ok((number.ok_or(Error::Range)?, read.finish()?))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The publishers. One whose credential cannot be read is left out.
    pub const fn iter(&self) -> MembersIter<'b> {
        MembersIter {
            credentials: Decoder::new(self.credentials),
            identifiers: Decoder::new(self.identifiers),
            left: self.count,
        }
    }
}

/// Writes the request for the credential of one publisher: `FETCH /ace-group/GROUPNAME/creds`
/// ([RFC 9594 section 4.4.1](https://www.rfc-editor.org/rfc/rfc9594#section-4.4.1)).
///
/// # Errors
/// The buffer is too short.
pub fn ask_for(sender: SenderId, buffer: &mut [u8]) -> Result<&mut [u8], NoRoom> {
    let mut encoder = Encoder::new(buffer);
    encoder.map(1).int(key::GET_CREDS).array(3).bool(true).array(0).array(1).bytes(sender.as_bytes());
    encoder.finish()
}

/// Reads the answer of `/ace-group/GROUPNAME/num`: the number of the newest key.
///
/// # Errors
/// It is none.
pub fn read_number(bytes: &[u8]) -> Result<u64, Error> {
    let mut decoder = Decoder::new(bytes);
    let number = decoder.unsigned()?;
    decoder.end().map(|()| number)
}

/// Collects both lists from a map.
#[derive(Default)]
pub(super) struct Reader<'b> {
    credentials: Option<(&'b [u8], usize)>,
    identifiers: Option<(&'b [u8], usize)>,
}

impl<'b> Reader<'b> {
    pub(super) fn entry(&mut self, label: Label<'b>, value: &mut Decoder<'b>) -> Result<(), Error> {
        let list = match label {
            Label::Int(key::CREDS) => &mut self.credentials,
            Label::Int(key::PEER_IDENTIFIERS) => &mut self.identifiers,
            _ => return Ok(()),
        };
        let count = value.array()?;
        let items = value.remaining();
        for _ in 0..count {
            let _item = value.bytes()?;
        }
        *list = Some((items, count));
        Ok(())
    }

    /// Both have to be there, or neither.
    pub(super) fn finish(self) -> Result<Members<'b>, Error> {
        match (self.credentials, self.identifiers) {
            (None, None) => Ok(Members::default()),
            (Some((credentials, count)), Some((identifiers, other))) if count == other => {
                Ok(Members { credentials, identifiers, count })
            }
            _ => Err(Error::Range),
        }
    }
}

/// See [`Members::iter`].
#[derive(Clone, Debug)]
pub struct MembersIter<'b> {
    credentials: Decoder<'b>,
    identifiers: Decoder<'b>,
    left: usize,
}

impl<'b> Iterator for MembersIter<'b> {
    type Item = (SenderId, MemberCredential<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            self.left -= 1;
            let (credential, identifier) = (self.credentials.bytes().ok()?, self.identifiers.bytes().ok()?);
            if let (Some(id), Ok(credential)) =
                (SenderId::new(identifier), MemberCredential::decode(credential))
            {
                return Some((id, credential));
            }
        }
        None
    }
}
