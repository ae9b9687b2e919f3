//! Cryptography that shows the tape what it seals and opens.

use sedge_crypto::{Aead, AeadError, Crypto, RustCrypto, Tag};

use super::Tape;

/// RustCrypto, with a look at every plaintext.
#[derive(Clone, Debug)]
pub(crate) struct TapCrypto {
    pub(crate) tape: Tape,
}

impl Crypto for TapCrypto {
    type Hash = <RustCrypto as Crypto>::Hash;
    type Mac = <RustCrypto as Crypto>::Mac;

    fn seal(
        &self,
        aead: Aead,
        key: &[u8; 16],
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
        key: &[u8; 16],
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadError> {
        let opened = RustCrypto.open(aead, key, nonce, aad, in_out, tag);
        self.tape.opened(opened.is_ok().then_some(&*in_out));
        opened
    }

    fn sha256(&self) -> Self::Hash {
        RustCrypto.sha256()
    }

    fn hmac_sha256(&self, key: &[u8]) -> Self::Mac {
        RustCrypto.hmac_sha256(key)
    }
}
