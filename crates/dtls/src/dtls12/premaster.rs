//! The premaster secret: what the key exchange yields, in the form that the master secret is made from.

use sedge_crypto::Secret;

use crate::psk::Psk;
use crate::wire::Writer;

/// A premaster secret.
#[derive(Debug)]
pub(crate) struct Premaster {
    bytes: Secret<{ Self::MAX_LEN }>,
    len: usize,
}

impl Premaster {
    /// Two parts, each as long as the longest pre-shared key, each with its length in front.
    const MAX_LEN: usize = 2 * (2 + Psk::MAX_LEN);

    /// RFC 4279 section 2: as many zeros as the key is long, and the key.
    pub(crate) fn psk(psk: &Psk) -> Self {
        let zeros = [0; Psk::MAX_LEN];
        Self::with_psk(zeros.get(..psk.expose().len()).unwrap_or_default(), psk)
    }

    /// RFC 5489 section 2: in place of the zeros what the key agreement yields.
    pub(crate) fn ecdhe_psk(shared: &Secret<32>, psk: &Psk) -> Self {
        Self::with_psk(shared.expose(), psk)
    }

    /// RFC 8422 section 5.10: what the key agreement yields and nothing else.
    pub(crate) fn ecdhe(shared: &Secret<32>) -> Self {
        Self::written(|out| out.bytes(shared.expose()))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.bytes.expose().get(..self.len).unwrap_or_default()
    }

    fn with_psk(other_secret: &[u8], psk: &Psk) -> Self {
        Self::written(|out| {
            out.vec16(|out| out.bytes(other_secret));
            out.vec16(|out| out.bytes(psk.expose()));
        })
    }

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> Self {
        let mut bytes = Secret::zero();
        let mut out = Writer::new(bytes.expose_mut());
        write(&mut out);
        let len = out.len();
        Self { bytes, len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pre_shared_key_has_its_zeros() {
        assert_eq!(Premaster::psk(&Psk::new(b"key").unwrap()).expose(), b"\0\x03\0\0\0\0\x03key");
        assert_eq!(Premaster::psk(&Psk::new(&[1; Psk::MAX_LEN]).unwrap()).expose().len(), 132);
    }

    #[test]
    fn an_agreed_secret_stands_alone_or_in_place_of_the_zeros() {
        let shared = Secret::new([7; 32]);
        assert_eq!(Premaster::ecdhe(&shared).expose(), [7; 32]);
        let psk = Psk::new(b"key").unwrap();
        let premaster = Premaster::ecdhe_psk(&shared, &psk);
        assert_eq!(premaster.expose()[..2], [0, 32]);
        assert_eq!(premaster.expose()[2..34], [7; 32]);
        assert_eq!(premaster.expose()[34..], *b"\0\x03key");
    }
}
