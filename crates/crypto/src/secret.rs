//! Bytes that must not leak: erased when dropped, compared in constant time, printed as `[secret]`.

use core::fmt;
use subtle::ConstantTimeEq;
use zeroize::optimization_barrier;

/// `N` secret bytes.
///
/// They are erased when the value is dropped, `==` takes the same time wherever the difference is, and
/// `Debug` prints `[secret]`. Every look at the bytes is spelled [`expose`](Self::expose).
#[derive(Clone)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes `N` bytes into custody. The caller's own copy, if it keeps one, is its own to erase.
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// All zero, to be filled in place.
    pub const fn zero() -> Self {
        Self([0; N])
    }

    /// The bytes.
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes, to be filled in place.
    pub const fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    // For bare metal it is called: there are many places where a secret's life ends.
    #[cfg_attr(target_os = "none", inline(never))]
    fn drop(&mut self) {
        // All at once, where `zeroize` would write byte by byte.
        self.0 = [0; N];
        optimization_barrier(&self.0);
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(&self.0, &other.0)
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    #[test]
    fn prints_nothing_of_itself() {
        assert_eq!(format!("{:?}", Secret::new(*b"abcd")), "[secret]");
    }

    #[test]
    fn compares_every_byte_and_the_length() {
        assert_eq!(Secret::new([1, 2, 3]), Secret::new([1, 2, 3]));
        for at in 0..3 {
            let mut other = [1, 2, 3];
            other[at] ^= 0x80;
            assert_ne!(Secret::new([1, 2, 3]), Secret::new(other));
        }
        assert!(!constant_time_eq(b"ab", b"abc"));
        assert!(constant_time_eq(b"", b""));
    }
}
