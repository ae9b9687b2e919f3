//! Reading and writing the presentation language of TLS (RFC 5246 section 4) without copying and without panics.
//!
//! On hosts all of this is inlined, and mostly vanishes. For bare metal it is called, which is slower and some kilobytes
//! smaller.

use core::cell::Cell;
use core::ops::Range;

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

    #[cfg_attr(target_os = "none", inline(never))]
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

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn u24(&mut self) -> Option<u32> {
        self.array::<3>().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn u48(&mut self) -> Option<u64> {
        self.array::<6>().map(|[a, b, c, d, e, f]| u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// `opaque x<0..2^8-1>`
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn vec8(&mut self) -> Option<&'a [u8]> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// `opaque x<0..2^16-1>`
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn vec16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }
}

/// As `contains`, whose search by words takes 200 B on a small target; these lists are short.
#[expect(clippy::manual_contains, reason = "see above")]
pub(crate) fn has(bytes: &[u8], wanted: u8) -> bool {
    bytes.iter().any(|&byte| byte == wanted)
}

/// As `copy_within`, where both places are inside `bytes`. That one's general machinery takes 1.6 kB on a small target.
pub(crate) fn move_within(bytes: &mut [u8], from: Range<usize>, to: usize) {
    let cells = Cell::from_mut(bytes).as_slice_of_cells();
    let upwards = to > from.start;
    let Some(target) = cells.get(to..).and_then(|rest| rest.get(..from.len())) else { return };
    let pairs = target.iter().zip(cells.get(from).unwrap_or_default());
    let copy = |(to, from): (&Cell<u8>, &Cell<u8>)| to.set(from.get());
    match upwards {
        true => pairs.rev().for_each(copy),
        false => pairs.for_each(copy),
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

    #[cfg_attr(target_os = "none", inline(never))]
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

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn u24(&mut self, value: u32) {
        let [_, a, b, c] = value.to_be_bytes();
        self.bytes(&[a, b, c]);
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn u48(&mut self, value: u64) {
        let [_, _, a, b, c, d, e, f] = value.to_be_bytes();
        self.bytes(&[a, b, c, d, e, f]);
    }

    /// `opaque x<0..2^8-1>`, written by `content`.
    pub(crate) fn vec8(&mut self, content: impl FnOnce(&mut Self)) {
        self.vec::<1>(content);
    }

    /// `opaque x<0..2^16-1>`, written by `content`.
    pub(crate) fn vec16(&mut self, content: impl FnOnce(&mut Self)) {
        self.vec::<2>(content);
    }

    /// `opaque x<0..2^24-1>`, written by `content`.
    pub(crate) fn vec24(&mut self, content: impl FnOnce(&mut Self)) {
        self.vec::<3>(content);
    }

    /// What `content` writes, behind its length in `N` bytes.
    #[inline(always)]
    fn vec<const N: usize>(&mut self, content: impl FnOnce(&mut Self)) {
        let at = self.leave(N);
        content(self);
        self.write_len(at, N);
    }

    /// Leaves room for a length of so many bytes, and says where.
    #[cfg_attr(target_os = "none", inline(never))]
    fn leave(&mut self, width: usize) -> usize {
        let at = self.len;
        (0..width).for_each(|_| self.u8(0));
        at
    }

    /// Fills in a length, in so many bytes.
    #[cfg_attr(target_os = "none", inline(never))]
    fn write_len(&mut self, at: usize, width: usize) {
        let len = (self.len.saturating_sub(at + width) as u32).to_be_bytes();
        match len.split_at_checked(len.len() - width) {
            Some((high, low)) if high.iter().all(|byte| *byte == 0) => self.patch(at, low),
            _ => self.overflow = true,
        }
    }

    /// Overwrites bytes that were written before.
    #[cfg_attr(target_os = "none", inline(never))]
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
