//! Pre-shared keys (RFC 4279).

use core::fmt;

use sedge_crypto::Secret;

/// The longest PSK identity in bytes. [RFC 4279 section 5.3](https://www.rfc-editor.org/rfc/rfc4279#section-5.3) asks for
/// 128; an access token in its place ([RFC 9202 section 3.3](https://www.rfc-editor.org/rfc/rfc9202#section-3.3)) is longer.
pub const MAX_IDENTITY: usize = 512;

/// A pre-shared key of 1 to [`MAX_LEN`](Self::MAX_LEN) bytes; erased when dropped, printed as `[secret]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Psk {
    bytes: Secret<{ Self::MAX_LEN }>,
    len: u8,
}

impl Psk {
    /// The longest key in bytes ([RFC 4279 section 5.3](https://www.rfc-editor.org/rfc/rfc4279#section-5.3)).
    pub const MAX_LEN: usize = 64;

    /// The key made of these bytes, or `None` if there are none or too many.
    pub fn new(key: &[u8]) -> Option<Self> {
        if key.is_empty() {
            return None;
        }
        let mut bytes = Secret::zero();
        bytes.expose_mut().get_mut(..key.len())?.copy_from_slice(key);
        Some(Self { bytes, len: u8::try_from(key.len()).ok()? })
    }

    /// The key's bytes.
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose().get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
