//! Reading and writing the presentation language of TLS (RFC 5246 section 4) without copying and without panics.

/// A cursor over received bytes. Every read is `None` once the bytes run out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u24(&mut self) -> Option<u32> {
        self.array::<3>().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    pub(crate) fn u48(&mut self) -> Option<u64> {
        self.array::<6>().map(|[a, b, c, d, e, f]| u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// `opaque x<0..2^8-1>`
    pub(crate) fn vec8(&mut self) -> Option<&'a [u8]> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// `opaque x<0..2^16-1>`
    pub(crate) fn vec16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }
}

/// A cursor over bytes to be written. Once something did not fit, everything after it is dropped too and
/// [`finish`](Self::finish) is `None`, so that callers check once, at the end.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    buf: &'a mut [u8],
    len: usize,
    overflow: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(buf: &'a mut [u8]) -> Self {
        Self { buf, len: 0, overflow: false }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let room = self.buf.get_mut(self.len..).unwrap_or_default();
        match room.get_mut(..bytes.len()) {
            Some(room) if !self.overflow => {
                room.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            _ => self.overflow = true,
        }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn u24(&mut self, value: u32) {
        let [_, a, b, c] = value.to_be_bytes();
        self.bytes(&[a, b, c]);
    }

    pub(crate) fn u48(&mut self, value: u64) {
        let [_, _, a, b, c, d, e, f] = value.to_be_bytes();
        self.bytes(&[a, b, c, d, e, f]);
    }

    /// `opaque x<0..2^8-1>`, written by `content`.
    pub(crate) fn vec8(&mut self, content: impl FnOnce(&mut Self)) {
        let at = self.len;
        self.u8(0);
        content(self);
        match u8::try_from(self.len.saturating_sub(at + 1)) {
            Ok(len) => self.patch(at, &[len]),
            Err(_) => self.overflow = true,
        }
    }

    /// `opaque x<0..2^16-1>`, written by `content`.
    pub(crate) fn vec16(&mut self, content: impl FnOnce(&mut Self)) {
        let at = self.len;
        self.u16(0);
        content(self);
        match u16::try_from(self.len.saturating_sub(at + 2)) {
            Ok(len) => self.patch(at, &len.to_be_bytes()),
            Err(_) => self.overflow = true,
        }
    }

    /// `opaque x<0..2^24-1>`, written by `content`.
    pub(crate) fn vec24(&mut self, content: impl FnOnce(&mut Self)) {
        let at = self.len;
        self.u24(0);
        content(self);
        match u32::try_from(self.len.saturating_sub(at + 3)).map(u32::to_be_bytes) {
            Ok([0, a, b, c]) => self.patch(at, &[a, b, c]),
            _ => self.overflow = true,
        }
    }

    /// Overwrites bytes that were written before.
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
        match self.buf.get_mut(at..self.len).and_then(|written| written.get_mut(..bytes.len())) {
            Some(place) => place.copy_from_slice(bytes),
            None => self.overflow = true,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// How many bytes were written, if all of them fitted.
    pub(crate) const fn finish(self) -> Option<usize> {
        if self.overflow { None } else { Some(self.len) }
    }
}
