//! What the kinds of messages have in common (RFC 9052 section 2).

use crate::algorithm::Algorithm;
use crate::cbor::{self, Decoder, Encoder};
use crate::encrypt0::Encrypt0;
use crate::error::Error;
use crate::header::{Header, Headers};
use crate::mac0::Mac0;
use crate::sign1::Sign1;

/// The tag that says that a message is a CBOR Web Token
/// ([RFC 8392 section 6](https://www.rfc-editor.org/rfc/rfc8392#section-6)).
pub const CWT_TAG: u64 = 61;

pub(crate) const ENCRYPT0_TAG: u64 = 16;
pub(crate) const MAC0_TAG: u64 = 17;
pub(crate) const SIGN1_TAG: u64 = 18;

/// A message of the kind that its tag names
/// ([RFC 9052 section 2](https://www.rfc-editor.org/rfc/rfc9052#section-2)).
#[derive(Debug)]
pub enum Message<'b> {
    /// Encrypted.
    Encrypt0(Encrypt0<'b>),
    /// With an authentication code.
    Mac0(Mac0<'b>),
    /// Signed by one.
    Sign1(Sign1<'b>),
}

impl<'b> Message<'b> {
    /// Reads a message that has a tag, or is a token that has one: [`CWT_TAG`] may stand before it.
    ///
    /// # Errors
    /// [`Error::Structure`] if there is no tag, or another one; and those of the kind that it is.
    pub fn parse(message: &'b mut [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(message);
        decoder.skip_tag(CWT_TAG);
        let start = message.len() - decoder.remaining().len();
        let tag = decoder.tag().map_err(|_| Error::Structure)?;
        let message = message.get_mut(start..).unwrap_or_default();
        match tag {
            ENCRYPT0_TAG => Encrypt0::parse(message).map(Self::Encrypt0),
            MAC0_TAG => Mac0::parse(message).map(Self::Mac0),
            SIGN1_TAG => Sign1::parse(message).map(Self::Sign1),
            _ => Err(Error::Structure),
        }
    }

    /// Its header parameters.
    pub const fn headers(&self) -> &Headers<'b> {
        match self {
            Self::Encrypt0(message) => message.headers(),
            Self::Mac0(message) => message.headers(),
            Self::Sign1(message) => message.headers(),
        }
    }
}

/// What is around the content of a message that is to be made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope<'a> {
    /// Whether the message says by a tag of what kind it is.
    pub tagged: bool,
    /// Whether the content travels elsewhere.
    pub detached: bool,
    /// What is authenticated of the header. The algorithm is added.
    pub protected: Header<'a>,
    /// What is not.
    pub unprotected: Header<'a>,
    /// What is authenticated beside the message, and known to both sides
    /// ([RFC 9052 section 4.3](https://www.rfc-editor.org/rfc/rfc9052#section-4.3)).
    pub external_aad: &'a [u8],
}

impl Envelope<'_> {
    /// Writes everything up to the content.
    pub(crate) fn open(&self, encoder: &mut Encoder<'_>, tag: u64, count: usize, algorithm: Algorithm) {
        if self.tagged {
            encoder.tag(tag);
        }
        encoder.array(count);
        self.protected.encode_protected(algorithm, encoder);
        self.unprotected.encode(encoder);
    }

    /// Writes the payload, or that it is elsewhere.
    pub(crate) fn content(&self, encoder: &mut Encoder<'_>, payload: &[u8]) {
        if self.detached {
            encoder.null();
        } else {
            encoder.bytes(payload);
        }
    }
}

/// Steps into a message of `count` parts, tagged or not.
#[cfg_attr(target_os = "none", inline(never))]
pub(crate) fn enter(decoder: &mut Decoder<'_>, tag: u64, count: usize) -> Result<(), Error> {
    decoder.skip_tag(tag);
    match decoder.array() {
        Ok(found) if found == count => Ok(()),
        Ok(_) => Err(Error::Structure),
        Err(error) => Err(error.into()),
    }
}

/// A byte string, or `null` where the content is elsewhere.
pub(crate) fn content<'b>(decoder: &mut Decoder<'b>) -> Result<Option<&'b [u8]>, Error> {
    match decoder.bytes() {
        Err(cbor::Error::Type) => decoder.null().map(|()| None).map_err(Error::Cbor),
        content => content.map(Some).map_err(Error::Cbor),
    }
}

/// The headers of a message that was just written, which are checked as if somebody else had written it.
pub(crate) fn reread(written: &[u8], tag: u64, count: usize) -> Result<Headers<'_>, Error> {
    let mut decoder = Decoder::new(written);
    enter(&mut decoder, tag, count)?;
    Headers::read(&mut decoder)
}
