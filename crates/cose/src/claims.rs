//! What a token says (RFC 8392, and RFC 9200 section 8.14 for those of ACE).

use core::fmt;

use crate::cbor::{Decoder, Encoder, Label, NoRoom, Type};
use crate::confirmation::Confirmation;
use crate::error::Error;

const ISS: i64 = 1;
const SUB: i64 = 2;
const AUD: i64 = 3;
const EXP: i64 = 4;
const NBF: i64 = 5;
const IAT: i64 = 6;
const CTI: i64 = 7;
const CNF: i64 = 8;
const SCOPE: i64 = 9;
const ACE_PROFILE: i64 = 38;
const CNONCE: i64 = 39;
const EXI: i64 = 40;

/// The claims of a CBOR Web Token ([RFC 8392 section 3](https://www.rfc-editor.org/rfc/rfc8392#section-3),
/// [RFC 9200 section 5.10](https://www.rfc-editor.org/rfc/rfc9200#section-5.10)): a view of encoded ones, or some to be
/// written. Claims that are not among them are ignored, as the RFC asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims<'b> {
    /// `iss`: who issued the token.
    pub issuer: Option<&'b str>,
    /// `sub`: whom it is about.
    pub subject: Option<&'b str>,
    /// `aud`: whom it is for.
    pub audience: Option<Audience<'b>>,
    /// `exp`: when it ends.
    pub expires: Option<NumericDate>,
    /// `nbf`: when it begins.
    pub not_before: Option<NumericDate>,
    /// `iat`: when it was issued.
    pub issued_at: Option<NumericDate>,
    /// `cti`: its own number.
    pub id: Option<&'b [u8]>,
    /// `cnf`: which key its presenter has to prove.
    pub confirmation: Option<Confirmation<'b>>,
    /// `scope`: what it allows.
    pub scope: Option<Scope<'b>>,
    /// `ace_profile`: how client and resource server protect what they say.
    pub ace_profile: Option<i64>,
    /// `cnonce`: the nonce that the resource server asked for.
    pub client_nonce: Option<&'b [u8]>,
    /// `exi`: for how many seconds after it was first seen it is valid.
    pub expires_in: Option<u64>,
}

impl<'b> Claims<'b> {
    /// Reads exactly one set of claims.
    ///
    /// # Errors
    /// [`Error::Claim`] for a claim of the wrong type.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        let mut claims = Self::default();
        decoder.map(|label, value| match label {
            Label::Int(number) => claims.read_claim(number, value).map_err(|error| match error {
                Error::Cbor(_) => Error::Claim,
                error => error,
            }),
            Label::Text(_) => Ok(()),
        })?;
        decoder.end()?;
        Ok(claims)
    }

    fn read_claim(&mut self, number: i64, value: &mut Decoder<'b>) -> Result<(), Error> {
        match number {
            ISS => self.issuer = Some(value.text()?),
            SUB => self.subject = Some(value.text()?),
            AUD => self.audience = Some(Audience::read(value)?),
            EXP => self.expires = Some(NumericDate::read(value)?),
            NBF => self.not_before = Some(NumericDate::read(value)?),
            IAT => self.issued_at = Some(NumericDate::read(value)?),
            CTI => self.id = Some(value.bytes()?),
            CNF => self.confirmation = Some(Confirmation::read(value)?),
            SCOPE => self.scope = Some(Scope::read(value)?),
            ACE_PROFILE => self.ace_profile = Some(value.int()?),
            CNONCE => self.client_nonce = Some(value.bytes()?),
            EXI => self.expires_in = Some(value.unsigned()?),
            _ => {}
        }
        Ok(())
    }

    /// Writes the claims at the beginning of `out` and returns them encoded.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o mut [u8], NoRoom> {
        let mut encoder = Encoder::new(out);
        self.write(&mut encoder);
        encoder.finish()
    }

    /// Writes the claims.
    pub fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.map(self.count());
        for (label, text) in [(ISS, self.issuer), (SUB, self.subject)] {
            if let Some(text) = text {
                encoder.int(label).text(text);
            }
        }
        if let Some(audience) = self.audience {
            audience.write(encoder.int(AUD));
        }
        for (label, date) in [(EXP, self.expires), (NBF, self.not_before), (IAT, self.issued_at)] {
            if let Some(date) = date {
                encoder.int(label).int(date.seconds());
            }
        }
        if let Some(id) = self.id {
            encoder.int(CTI).bytes(id);
        }
        if let Some(confirmation) = self.confirmation {
            confirmation.encode(encoder.int(CNF));
        }
        match self.scope {
            Some(Scope::Text(text)) => {
                encoder.int(SCOPE).text(text);
            }
            Some(Scope::Bytes(bytes)) => {
                encoder.int(SCOPE).bytes(bytes);
            }
            None => {}
        }
        if let Some(profile) = self.ace_profile {
            encoder.int(ACE_PROFILE).int(profile);
        }
        if let Some(nonce) = self.client_nonce {
            encoder.int(CNONCE).bytes(nonce);
        }
        if let Some(seconds) = self.expires_in {
            encoder.int(EXI).unsigned(seconds);
        }
    }

    fn count(&self) -> usize {
        let there = [
            self.issuer.is_some(),
            self.subject.is_some(),
            self.audience.is_some(),
            self.expires.is_some(),
            self.not_before.is_some(),
            self.issued_at.is_some(),
            self.id.is_some(),
            self.confirmation.is_some(),
            self.scope.is_some(),
            self.ace_profile.is_some(),
            self.client_nonce.is_some(),
            self.expires_in.is_some(),
        ];
        there.into_iter().filter(|&there| there).count()
    }

    /// Whether the token is for us, and now.
    ///
    /// What an `exi` means depends on when the token was first seen, which its keeper knows; it is not looked at.
    ///
    /// # Errors
    /// The first reason that speaks against it.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), Invalid> {
        let Expected { audience, issuer, now, leeway } = *expected;
        if issuer.is_some() && self.issuer != issuer {
            return Err(Invalid::Issuer);
        }
        match self.audience {
            Some(of) if of.contains(audience) => {}
            _ => return Err(Invalid::Audience),
        }
        let leeway = i64::from(leeway);
        // RFC 8392 section 3.1.4: on or after this time it is over.
        if self.expires.is_some_and(|end| end.seconds().saturating_add(leeway) <= now) {
            return Err(Invalid::Expired);
        }
        if self.not_before.is_some_and(|start| start.rounded_up().saturating_sub(leeway) > now) {
            return Err(Invalid::NotYet);
        }
        Ok(())
    }
}

/// What a token has to agree with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who we are.
    pub audience: &'a str,
    /// Who has to have issued it, if the token has to say.
    pub issuer: Option<&'a str>,
    /// The time in seconds since 1970, UTC.
    pub now: i64,
    /// By how many seconds clocks may differ.
    pub leeway: u32,
}

/// Why a token whose claims are well formed is not valid here or now.
///
/// It is for counters and logs; the wire says at most that the token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Invalid {
    /// Somebody else issued it.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYet,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issuer => "the token is of another issuer",
            Self::Audience => "the token is for another audience",
            Self::Expired => "the token has expired",
            Self::NotYet => "the token is not valid yet",
        })
    }
}

impl core::error::Error for Invalid {}

/// The claim `aud`: one name, or several as in a JSON Web Token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Audience<'b>(Names<'b>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Names<'b> {
    One(&'b str),
    /// An encoded array of text strings, which has been checked.
    Several(&'b [u8]),
}

impl<'b> Audience<'b> {
    /// One name.
    pub const fn one(name: &'b str) -> Self {
        Self(Names::One(name))
    }

    fn read(decoder: &mut Decoder<'b>) -> Result<Self, Error> {
        if decoder.peek()? != Type::Array {
            return Ok(Self::one(decoder.text()?));
        }
        let array = decoder.item()?;
        let mut decoder = Decoder::new(array);
        for _ in 0..decoder.array()? {
            decoder.text()?;
        }
        Ok(Self(Names::Several(array)))
    }

    fn write(&self, encoder: &mut Encoder<'_>) {
        match self.0 {
            Names::One(name) => encoder.text(name),
            Names::Several(array) => encoder.raw(array),
        };
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &'b str> {
        let (one, mut several) = match self.0 {
            Names::One(name) => (Some(name), Decoder::new(&[])),
            Names::Several(array) => (None, Decoder::new(array)),
        };
        let _ = several.array();
        one.into_iter().chain(core::iter::from_fn(move || several.text().ok()))
    }

    /// Whether this is one of the names.
    pub fn contains(&self, name: &str) -> bool {
        self.names().any(|of| of == name)
    }
}

impl fmt::Debug for Audience<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// The claim `scope` ([RFC 9200 section 5.8.1](https://www.rfc-editor.org/rfc/rfc9200#section-5.8.1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'b> {
    /// Words with spaces between them.
    Text(&'b str),
    /// What both sides have agreed on; an encoded AIF, for example.
    Bytes(&'b [u8]),
}

impl<'b> Scope<'b> {
    fn read(decoder: &mut Decoder<'b>) -> Result<Self, Error> {
        match decoder.peek()? {
            Type::Text => Ok(Self::Text(decoder.text()?)),
            _ => Ok(Self::Bytes(decoder.bytes()?)),
        }
    }
}

/// A moment in seconds since 1970, UTC; integer or floating-point
/// ([RFC 8392 section 2](https://www.rfc-editor.org/rfc/rfc8392#section-2)). It is written as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumericDate {
    seconds: i64,
    /// Whether it is later by a part of a second.
    fraction: bool,
}

impl NumericDate {
    /// So many seconds since 1970.
    pub const fn new(seconds: i64) -> Self {
        Self { seconds, fraction: false }
    }

    /// The last whole second that is not later.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// The first whole second that is not earlier.
    const fn rounded_up(self) -> i64 {
        self.seconds.saturating_add(self.fraction as i64)
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        if decoder.peek()? != Type::Float {
            return Ok(Self::new(decoder.int()?));
        }
        let number = decoder.float()?;
        // Far from the ends of an i64, where the conversion is not exact.
        if !(-1e15..1e15).contains(&number) {
            return Err(Error::Claim);
        }
        let towards_zero = number as i64;
        let difference = number - towards_zero as f64;
        let seconds = if difference < 0.0 { towards_zero - 1 } else { towards_zero };
        Ok(Self { seconds, fraction: difference != 0.0 })
    }
}
