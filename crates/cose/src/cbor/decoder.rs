//! Reading, strictly.
//!
//! On hosts what is short is inlined. For bare metal it is called, which is slower and some kilobytes smaller.

use core::fmt;

use super::head::{ARRAY, BYTES, Head, MAP, NEGATIVE, SIMPLE, TAG, TEXT, UNSIGNED};
use super::{Error, Label, MAX_DEPTH, MAX_UNORDERED, Type};

/// Reads items from bytes, one after the other, and refuses what is not in deterministic form.
///
/// A copy goes on independently. After an error it stands where it stood before.
#[derive(Clone, Copy)]
pub struct Decoder<'b> {
    rest: &'b [u8],
}

impl<'b> Decoder<'b> {
    /// A decoder of these bytes.
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that have not been read.
    pub const fn remaining(&self) -> &'b [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Makes sure that everything has been read.
    ///
    /// # Errors
    /// [`Error::Trailing`] if not.
    pub const fn end(&self) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(Error::Trailing) }
    }

    /// The type of the next item, which is not read.
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn peek(&self) -> Result<Type, Error> {
        let head = Head::read(&mut { self.rest })?;
        Ok(match (head.major, head.info) {
            (UNSIGNED, _) => Type::Unsigned,
            (NEGATIVE, _) => Type::Negative,
            (BYTES, _) => Type::Bytes,
            (TEXT, _) => Type::Text,
            (ARRAY, _) => Type::Array,
            (MAP, _) => Type::Map,
            (TAG, _) => Type::Tag,
            (_, 20 | 21) => Type::Bool,
            (_, 22) => Type::Null,
            (_, 25..=27) => Type::Float,
            _ => Type::Simple,
        })
    }

    /// Reads an integer of zero or more.
    #[inline]
    pub fn unsigned(&mut self) -> Result<u64, Error> {
        self.head(UNSIGNED)
    }

    /// Reads an integer from -2^63 to 2^63 - 1.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn int(&mut self) -> Result<i64, Error> {
        let mut rest = self.rest;
        let head = Head::read(&mut rest)?;
        let number = i64::try_from(head.argument).map_err(|_| Error::Range);
        let number = match head.major {
            UNSIGNED => number?,
            NEGATIVE => -1 - number?,
            _ => return Err(Error::Type),
        };
        self.rest = rest;
        Ok(number)
    }

    /// Reads a byte string.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'b [u8], Error> {
        self.string(BYTES)
    }

    /// Reads a text string.
    pub fn text(&mut self) -> Result<&'b str, Error> {
        let before = *self;
        core::str::from_utf8(self.string(TEXT)?).map_err(|_| {
            *self = before;
            Error::Utf8
        })
    }

    /// Reads the head of an array and returns how many items follow: no more than there are bytes.
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn array(&mut self) -> Result<usize, Error> {
        let before = *self;
        let count = self.head(ARRAY)?;
        usize::try_from(count).ok().filter(|count| *count <= self.rest.len()).ok_or_else(|| {
            *self = before;
            Error::Truncated
        })
    }

    /// Reads a tag; the item that it belongs to follows.
    pub fn tag(&mut self) -> Result<u64, Error> {
        self.head(TAG)
    }

    /// Reads the tag with this number if it comes next, and says whether it did.
    pub fn skip_tag(&mut self, number: u64) -> bool {
        let mut ahead = *self;
        let found = ahead.tag() == Ok(number);
        if found {
            *self = ahead;
        }
        found
    }

    /// Reads `true` or `false`.
    pub fn bool(&mut self) -> Result<bool, Error> {
        self.simple(20..=21).map(|value| value == 21)
    }

    /// Reads `null`.
    pub fn null(&mut self) -> Result<(), Error> {
        self.simple(22..=22).map(|_| ())
    }

    /// Reads a floating-point number of any width.
    pub fn float(&mut self) -> Result<f64, Error> {
        let mut rest = self.rest;
        let head = Head::read(&mut rest)?;
        let number = match (head.major, head.info) {
            (SIMPLE, 25) => half(head.argument as u16),
            (SIMPLE, 26) => f32::from_bits(head.argument as u32).into(),
            (SIMPLE, 27) => f64::from_bits(head.argument),
            _ => return Err(Error::Type),
        };
        self.rest = rest;
        Ok(number)
    }

    /// Reads a label: an integer or a text string.
    pub fn label(&mut self) -> Result<Label<'b>, Error> {
        match self.int() {
            Err(Error::Type) => self.text().map(Label::Text),
            number => number.map(Label::Int),
        }
    }

    /// Reads a map whose keys are labels, and calls `entry` with each label and a decoder of the value that belongs
    /// to it.
    ///
    /// A value that `entry` leaves alone is skipped; everything within it has been checked all the same. When `entry`
    /// fails, the map does.
    ///
    /// # Errors
    /// [`Error::DuplicateKey`] before the entry that repeats a label, [`Error::Trailing`] if `entry` has read a part of
    /// a value only, and those of what is read.
    pub fn map<E: From<Error>>(
        &mut self,
        mut entry: impl FnMut(Label<'b>, &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut entries = self.entries()?;
        while let Some(Entry { key, value }) = entries.next()? {
            let mut inside = Self::new(value);
            entry(Self::new(key).label()?, &mut inside)?;
            if inside.rest.len() != value.len() {
                inside.end()?;
            }
        }
        *self = entries.rest;
        Ok(())
    }

    /// The entries of a map, which follow each other and then end. What is behind them is their `rest`.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn entries(&self) -> Result<Entries<'b>, Error> {
        let mut ahead = *self;
        let count = ahead.head(MAP)?;
        Ok(Entries::new(ahead, count, MAX_DEPTH - 1))
    }

    /// Reads one item of any type, with all that is within it, and returns its bytes.
    pub fn item(&mut self) -> Result<&'b [u8], Error> {
        let mut ahead = *self;
        let item = ahead.checked(MAX_DEPTH)?;
        *self = ahead;
        Ok(item)
    }

    /// Checks and skips one item of any type.
    pub fn skip(&mut self) -> Result<(), Error> {
        self.item().map(|_| ())
    }

    /// Reads a negative integer of any size.
    pub(super) fn negative(&mut self) -> Result<i128, Error> {
        self.head(NEGATIVE).map(|number| -1 - i128::from(number))
    }

    /// Reads the head of a map and returns how many entries it has. Whether a key comes twice is not looked at.
    pub(crate) fn map_head(&mut self) -> Result<u64, Error> {
        self.head(MAP)
    }

    /// Reads a simple value.
    pub(super) fn simple_value(&mut self) -> Result<u8, Error> {
        let mut rest = self.rest;
        let head = Head::read(&mut rest)?;
        let value = u8::try_from(head.argument).ok().filter(|_| head.major == SIMPLE);
        self.rest = rest;
        value.ok_or(Error::Type)
    }

    /// Reads a label: its number, or `None` for one that is text.
    pub(crate) fn number(&mut self) -> Result<Option<i64>, Error> {
        match self.int() {
            Err(Error::Type) => self.string(TEXT).map(|_| None),
            number => number.map(Some),
        }
    }

    /// What lies between here and there.
    pub(crate) fn until(&self, there: &Self) -> &'b [u8] {
        self.rest.get(..self.rest.len() - there.rest.len()).unwrap_or_default()
    }

    /// The argument of an item of this major type.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    fn head(&mut self, major: u8) -> Result<u64, Error> {
        let mut rest = self.rest;
        let head = Head::read(&mut rest)?;
        if head.major != major {
            return Err(Error::Type);
        }
        self.rest = rest;
        Ok(head.argument)
    }

    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    fn string(&mut self, major: u8) -> Result<&'b [u8], Error> {
        let mut ahead = *self;
        let len = ahead.head(major)?;
        let content = ahead.take(len)?;
        *self = ahead;
        Ok(content)
    }

    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    fn take(&mut self, len: u64) -> Result<&'b [u8], Error> {
        let len = usize::try_from(len).map_err(|_| Error::Truncated)?;
        let (content, rest) = self.rest.split_at_checked(len).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(content)
    }

    fn simple(&mut self, values: core::ops::RangeInclusive<u8>) -> Result<u8, Error> {
        let mut rest = self.rest;
        let head = Head::read(&mut rest)?;
        if head.major != SIMPLE || !values.contains(&head.info) {
            return Err(Error::Type);
        }
        self.rest = rest;
        Ok(head.info)
    }

    /// Reads one item that may hold `depth` levels of others, all in deterministic form, and returns its bytes.
    fn checked(&mut self, depth: u8) -> Result<&'b [u8], Error> {
        let start = *self;
        self.check(depth)?;
        Ok(start.until(self))
    }

    fn check(&mut self, depth: u8) -> Result<(), Error> {
        let head = Head::read(&mut self.rest)?;
        let inside = || depth.checked_sub(1).ok_or(Error::TooDeep);
        match head.major {
            BYTES => self.take(head.argument).map(drop),
            TEXT => is_utf8(self.take(head.argument)?).then_some(()).ok_or(Error::Utf8),
            ARRAY => {
                let inside = inside()?;
                (0..head.argument).try_for_each(|_| self.check(inside))
            }
            MAP => {
                let mut entries = Entries::new(*self, head.argument, inside()?);
                while entries.next()?.is_some() {}
                *self = entries.rest;
                Ok(())
            }
            TAG => self.check(inside()?),
            _ => Ok(()),
        }
    }

    /// Whether one of the next `count` entries of a map, which have been checked, has this key.
    pub(crate) fn has_key(mut self, key: &[u8], count: u64) -> Result<bool, Error> {
        for _ in 0..count {
            let start = self;
            self.hop()?;
            if start.until(&self) == key {
                return Ok(true);
            }
            self.hop()?;
        }
        Ok(false)
    }

    /// Skips one item without a look at what is in it, which has been checked or will be.
    pub(crate) fn hop(&mut self) -> Result<(), Error> {
        let mut left = 1u64;
        while left > 0 {
            let head = Head::read(&mut self.rest)?;
            left -= 1;
            match head.major {
                BYTES | TEXT => drop(self.take(head.argument)?),
                // No more than there are bytes, or these end first.
                ARRAY => left = left.saturating_add(head.argument),
                MAP => left = left.saturating_add(head.argument).saturating_add(head.argument),
                TAG => left += 1,
                _ => {}
            }
        }
        Ok(())
    }
}

/// The entries of a map, all in deterministic form and no key twice.
pub(crate) struct Entries<'b> {
    first: Decoder<'b>,
    /// What is behind those that have been read.
    pub(crate) rest: Decoder<'b>,
    number: u64,
    count: u64,
    greatest: &'b [u8],
    /// How many levels keys and values may have.
    depth: u8,
}

/// One of them, encoded.
pub(crate) struct Entry<'b> {
    pub(crate) key: &'b [u8],
    pub(crate) value: &'b [u8],
}

impl<'b> Entries<'b> {
    const fn new(first: Decoder<'b>, count: u64, depth: u8) -> Self {
        Self { first, rest: first, number: 0, count, greatest: &[], depth }
    }

    /// The next one; `None` behind the last.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn next(&mut self) -> Result<Option<Entry<'b>>, Error> {
        if self.number == self.count {
            return Ok(None);
        }
        let key = self.rest.checked(self.depth)?;
        if key > self.greatest {
            self.greatest = key;
        } else if self.number > MAX_UNORDERED as u64 {
            return Err(Error::Unordered);
        } else if self.first.has_key(key, self.number)? {
            return Err(Error::DuplicateKey);
        }
        self.number += 1;
        self.rest.checked(self.depth).map(|value| Some(Entry { key, value }))
    }
}

/// The core library's check is fast and takes 600 bytes; a device meets little text.
fn is_utf8(bytes: &[u8]) -> bool {
    if cfg!(target_os = "none") { is_short_utf8(bytes) } else { core::str::from_utf8(bytes).is_ok() }
}

/// [RFC 3629](https://www.rfc-editor.org/rfc/rfc3629), one code point after the other.
pub(super) fn is_short_utf8(mut bytes: &[u8]) -> bool {
    while let Some((first, rest)) = bytes.split_first() {
        let ones = first.leading_ones();
        let more = ones.saturating_sub(1) as usize;
        let Some((tail, behind)) = rest.split_at_checked(more) else { return false };
        let mut code = u32::from(*first) & (0x7f >> ones);
        for byte in tail {
            if byte >> 6 != 0b10 {
                return false;
            }
            code = code << 6 | u32::from(byte & 0x3f);
        }
        // Neither beyond the last one, nor a surrogate, nor in more bytes than it takes.
        if ones == 1 || char::from_u32(code).is_none_or(|code| code.len_utf8() != 1 + more) {
            return false;
        }
        bytes = behind;
    }
    true
}

impl fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decoder({} bytes left)", self.rest.len())
    }
}

/// The value of a half-precision number (RFC 8949 appendix D).
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (bits >> 10 & 31, f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction / f64::from(1 << 24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        // The exponent's bias is 15; 2^(exponent - 25) as a quotient of two powers that are exact.
        _ => (fraction + 1024.0) * f64::from(1u32 << exponent) / f64::from(1 << 25),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}
