//! Cryptography that shows the tape what it seals and opens.

use sedge_crypto::{Aead, AeadError, Crypto, Layer, RustCrypto, Tag};

use super::Tape;

/// RustCrypto, with a look at every plaintext.
#[derive(Clone, Debug)]
pub(crate) struct TapCrypto {
    pub(crate) tape: Tape,
}

impl Layer for TapCrypto {
    type Inner = RustCrypto;

    fn inner(&self) -> &RustCrypto {
        &RustCrypto
    }

    fn seal(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<Tag, AeadError> {
        self.tape.sealing(in_out);
        RustCrypto.seal(aead, key, nonce, aad, in_out)
    }

    fn open(
        &self,
        aead: Aead,
        key: &[u8],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        let opened = RustCrypto.open(aead, key, nonce, aad, in_out, tag);
        self.tape.opened(opened.is_ok().then_some(&*in_out));
        opened
    }
}
