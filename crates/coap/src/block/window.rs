//! One block of a body that is rendered and never held.

use core::fmt;
use core::ops::Range;

/// Takes a whole body as it is rendered and keeps one range of it, so that a server without memory for the
/// body answers each block request by rendering anew.
///
/// ```
/// # use core::fmt::Write;
/// # use sedge_coap::block::Window;
/// let mut block = [0; 4];
/// let mut window = Window::new(&mut block, 6);
/// write!(window, "</temp>;rt=\"{}\"", "temperature").unwrap();
/// assert_eq!((window.kept(), window.total()), (&b">;rt"[..], 24));
/// ```
#[derive(Debug)]
pub struct Window<'b> {
    place: &'b mut [u8],
    start: usize,
    total: usize,
}

impl<'b> Window<'b> {
    /// Keeps in `place` what comes `start` bytes into the body, as much as fits.
    pub const fn new(place: &'b mut [u8], start: usize) -> Self {
        Self { place, start, total: 0 }
    }

    /// The next bytes of the body.
    pub fn push(&mut self, bytes: &[u8]) {
        let range = self.start..self.start.saturating_add(self.place.len());
        let first = self.total.max(range.start);
        let last = self.total.saturating_add(bytes.len()).min(range.end);
        if first < last {
            let from = bytes.get(shifted(first..last, self.total));
            if let (Some(from), Some(to)) = (from, self.place.get_mut(shifted(first..last, self.start))) {
                to.copy_from_slice(from);
            }
        }
        self.total = self.total.saturating_add(bytes.len());
    }

    /// The length of the body so far in bytes, for the M bit and Size2.
    pub const fn total(&self) -> usize {
        self.total
    }

    /// What was kept.
    pub fn kept(&self) -> &[u8] {
        self.place.get(..self.total.saturating_sub(self.start).min(self.place.len())).unwrap_or(&[])
    }
}

fn shifted(range: Range<usize>, by: usize) -> Range<usize> {
    range.start - by..range.end - by
}

impl fmt::Write for Window<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_of_every_rendering_is_kept() {
        let body = std::array::from_fn::<u8, 50, _>(|index| index as u8);
        for piece in [1, 3, 7, 50] {
            for start in 0..60 {
                for size in [0, 1, 16, 64] {
                    let mut place = std::vec![0; size];
                    let mut window = Window::new(&mut place, start);
                    body.chunks(piece).for_each(|bytes| window.push(bytes));
                    let end = (start + size).min(50);
                    assert_eq!(window.kept(), body.get(start..end).unwrap_or(&[]), "{piece} {start} {size}");
                    assert_eq!(window.total(), 50);
                }
            }
        }
    }
}
