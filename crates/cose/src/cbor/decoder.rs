//! Reading, strictly.

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
    pub fn peek(&self) -> Result<Type, Error> {
        let (head, _) = Head::read(self.rest)?;
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
    #[inline]
    pub fn int(&mut self) -> Result<i64, Error> {
        let (head, rest) = Head::read(self.rest)?;
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
        let (head, rest) = Head::read(self.rest)?;
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
        let mut ahead = *self;
        let count = ahead.head(MAP)?;
        ahead.entries(count, MAX_DEPTH - 1, |key, value| {
            let label = Self::new(key).label()?;
            let mut inside = Self::new(value);
            entry(label, &mut inside)?;
            if inside.rest.len() != value.len() {
                inside.end()?;
            }
            Ok::<_, E>(())
        })?;
        *self = ahead;
        Ok(())
    }

    /// Reads one item of any type, with all that is within it, and returns its bytes.
    pub fn item(&mut self) -> Result<&'b [u8], Error> {
        let mut ahead = *self;
        ahead.check(MAX_DEPTH)?;
        let item = self.until(&ahead);
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
    pub(super) fn map_head(&mut self) -> Result<u64, Error> {
        self.head(MAP)
    }

    /// Reads a simple value.
    pub(super) fn simple_value(&mut self) -> Result<u8, Error> {
        let (head, rest) = Head::read(self.rest)?;
        let value = u8::try_from(head.argument).ok().filter(|_| head.major == SIMPLE);
        self.rest = rest;
        value.ok_or(Error::Type)
    }

    /// What lies between here and there.
    fn until(&self, there: &Self) -> &'b [u8] {
        self.rest.get(..self.rest.len() - there.rest.len()).unwrap_or_default()
    }

    /// The argument of an item of this major type.
    #[inline]
    fn head(&mut self, major: u8) -> Result<u64, Error> {
        let (head, rest) = Head::read(self.rest)?;
        if head.major != major {
            return Err(Error::Type);
        }
        self.rest = rest;
        Ok(head.argument)
    }

    #[inline]
    fn string(&mut self, major: u8) -> Result<&'b [u8], Error> {
        let mut ahead = *self;
        let len = ahead.head(major)?;
        let content = ahead.take(len)?;
        *self = ahead;
        Ok(content)
    }

    #[inline]
    fn take(&mut self, len: u64) -> Result<&'b [u8], Error> {
        let len = usize::try_from(len).map_err(|_| Error::Truncated)?;
        let (content, rest) = self.rest.split_at_checked(len).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(content)
    }

    fn simple(&mut self, values: core::ops::RangeInclusive<u8>) -> Result<u8, Error> {
        let (head, rest) = Head::read(self.rest)?;
        if head.major != SIMPLE || !values.contains(&head.info) {
            return Err(Error::Type);
        }
        self.rest = rest;
        Ok(head.info)
    }

    /// Checks one item that may hold `depth` levels of others.
    fn check(&mut self, depth: u8) -> Result<(), Error> {
        let (head, rest) = Head::read(self.rest)?;
        self.rest = rest;
        let inside = || depth.checked_sub(1).ok_or(Error::TooDeep);
        match head.major {
            BYTES => self.take(head.argument).map(|_| ()),
            TEXT => core::str::from_utf8(self.take(head.argument)?).map(|_| ()).map_err(|_| Error::Utf8),
            ARRAY => {
                let inside = inside()?;
                (0..head.argument).try_for_each(|_| self.check(inside))
            }
            MAP => self.entries(head.argument, inside()?, |_, _| Ok::<_, Error>(())),
            TAG => self.check(inside()?),
            _ => Ok(()),
        }
    }

    /// Reads the entries of a map, all in deterministic form and no key twice.
    fn entries<E: From<Error>>(
        &mut self,
        count: u64,
        depth: u8,
        mut entry: impl FnMut(&'b [u8], &'b [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let first = *self;
        let mut greatest: &[u8] = &[];
        for number in 0..count {
            let start = *self;
            self.check(depth)?;
            let key = start.until(self);
            if key > greatest {
                greatest = key;
            } else {
                first.look_for(key, number)?;
            }
            let start = *self;
            self.check(depth)?;
            entry(key, start.until(self))?;
        }
        Ok(())
    }

    /// Makes sure that none of the next `count` entries, which have been checked, has this key.
    fn look_for(mut self, key: &[u8], count: u64) -> Result<(), Error> {
        if count > MAX_UNORDERED as u64 {
            return Err(Error::Unordered);
        }
        for _ in 0..count {
            let start = self;
            self.hop()?;
            if start.until(&self) == key {
                return Err(Error::DuplicateKey);
            }
            self.hop()?;
        }
        Ok(())
    }

    /// Skips one item without a look at what is in it, which has been checked or will be.
    pub(crate) fn hop(&mut self) -> Result<(), Error> {
        let mut left = 1u64;
        while left > 0 {
            let (head, rest) = Head::read(self.rest)?;
            self.rest = rest;
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
