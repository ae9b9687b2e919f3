//! Writing.

use core::fmt;

use super::head::{ARRAY, BYTES, EncodedHead, MAP, NEGATIVE, SIMPLE, TAG, TEXT, UNSIGNED};
use super::{Error, Label};

/// Writes items into a buffer, each in its shortest form.
///
/// Nothing fails before [`finish`](Self::finish), which says how many bytes it would have taken. With an empty buffer
/// it only counts.
pub struct Encoder<'a> {
    buffer: &'a mut [u8],
    /// Of everything, whether there was room for it or not.
    len: usize,
}

/// The buffer is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// How many bytes it takes.
    pub needed: usize,
}

impl<'a> Encoder<'a> {
    /// An encoder that writes from the beginning of the buffer.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// How many bytes everything so far takes, whether there was room for it or not.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been written yet.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes an integer of zero or more.
    pub fn unsigned(&mut self, number: u64) -> &mut Self {
        self.head(UNSIGNED, number)
    }

    /// Writes an integer.
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn int(&mut self, number: i64) -> &mut Self {
        match u64::try_from(number) {
            Ok(number) => self.head(UNSIGNED, number),
            Err(_) => self.head(NEGATIVE, (-1 - number).unsigned_abs()),
        }
    }

    /// Writes a byte string.
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.head(BYTES, bytes.len() as u64).raw(bytes)
    }

    /// Writes the head of a byte string; its `len` bytes have to follow.
    pub fn bytes_head(&mut self, len: usize) -> &mut Self {
        self.head(BYTES, len as u64)
    }

    /// Writes a byte string that holds what `content` writes, which is called twice: to count, and to write.
    pub fn bytes_of(&mut self, content: impl Fn(&mut Encoder<'_>)) -> &mut Self {
        let mut counted = Encoder::new(&mut []);
        content(&mut counted);
        self.bytes_head(counted.len);
        content(self);
        self
    }

    /// Writes a text string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.head(TEXT, text.len() as u64).raw(text.as_bytes())
    }

    /// Writes the head of an array; its items have to follow.
    pub fn array(&mut self, count: usize) -> &mut Self {
        self.head(ARRAY, count as u64)
    }

    /// Writes the head of a map; keys and values have to follow in turn.
    pub fn map(&mut self, count: usize) -> &mut Self {
        self.head(MAP, count as u64)
    }

    /// Writes a tag; the item that it belongs to has to follow.
    pub fn tag(&mut self, number: u64) -> &mut Self {
        self.head(TAG, number)
    }

    /// Writes a label.
    pub fn label(&mut self, label: Label<'_>) -> &mut Self {
        match label {
            Label::Int(number) => self.int(number),
            Label::Text(name) => self.text(name),
        }
    }

    /// Writes `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.head(SIMPLE, if value { 21 } else { 20 })
    }

    /// Writes `null`.
    pub fn null(&mut self) -> &mut Self {
        self.head(SIMPLE, 22)
    }

    /// Writes bytes as they are: items that are encoded already.
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        let end = self.len.saturating_add(bytes.len());
        if let Some(place) = self.buffer.get_mut(self.len..end) {
            place.copy_from_slice(bytes);
        }
        self.len = end;
        self
    }

    /// What has been written so far.
    ///
    /// # Errors
    /// [`NoRoom`] if there was no room for all of it.
    pub fn written(&self) -> Result<&[u8], NoRoom> {
        self.buffer.get(..self.len).ok_or(NoRoom { needed: self.len })
    }

    /// What has been written.
    ///
    /// # Errors
    /// [`NoRoom`] if there was no room for all of it.
    pub fn finish(self) -> Result<&'a mut [u8], NoRoom> {
        self.buffer.get_mut(..self.len).ok_or(NoRoom { needed: self.len })
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn head(&mut self, major: u8, argument: u64) -> &mut Self {
        self.raw(EncodedHead::new(major, argument).as_bytes())
    }
}

impl fmt::Debug for Encoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is written may be a key.
        write!(f, "Encoder({} bytes)", self.len)
    }
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the buffer is too short: it takes {} bytes", self.needed)
    }
}

impl core::error::Error for NoRoom {}

impl From<NoRoom> for Error {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}
