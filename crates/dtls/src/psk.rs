//! Pre-shared keys and where a server looks them up (RFC 4279).

use core::fmt;

use sedge_crypto::Secret;

/// The longest PSK identity in bytes ([RFC 4279 section 5.3](https://www.rfc-editor.org/rfc/rfc4279#section-5.3)
/// asks for 128).
pub const MAX_IDENTITY: usize = 128;

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

/// Where a server finds the key of an identity.
///
/// An identity that is not found is not refused: the handshake goes on with a random key and fails exactly like
/// one with a wrong key, so that nobody can probe which identities exist
/// ([RFC 4279 section 2](https://www.rfc-editor.org/rfc/rfc4279#section-2)). The look-up itself should take the
/// same time either way.
pub trait PskLookup {
    /// The identity's key and the caller's own number for whoever holds it, which the finished handshake
    /// repeats in [`Established::principal`](crate::Established::principal).
    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)>;
}

impl<F: FnMut(&[u8]) -> Option<(Psk, u32)>> PskLookup for F {
    fn psk(&mut self, identity: &[u8]) -> Option<(Psk, u32)> {
        self(identity)
    }
}
