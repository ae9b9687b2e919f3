//! Keys of proof of possession, as `cnf` carries them
//! ([RFC 8747](https://www.rfc-editor.org/rfc/rfc8747)).

use alloc::vec;
use alloc::vec::Vec;

use sedge_cose::cbor::{Decoder, Encoder};
use sedge_cose::{Confirmation, CoseKey, Material};
use sedge_crypto::PublicKey;

/// A symmetric key: its identifier, and the key itself for those who are to know it.
pub(crate) const fn symmetric<'a>(kid: &'a [u8], key: Option<&'a [u8]>) -> Confirmation<'a> {
    Confirmation::Key(CoseKey { kid: Some(kid), ..CoseKey::new(Material::Symmetric { k: key }) })
}

/// A public key in P-256.
pub(crate) fn public(key: &PublicKey) -> Confirmation<'_> {
    Confirmation::Key(CoseKey::public(key))
}

/// The value of `cnf` by itself.
pub(crate) fn encode(confirmation: &Confirmation<'_>) -> Vec<u8> {
    encoded(|encoder| confirmation.encode(encoder))
}

/// The key that a client names to have its token bound to it.
pub(crate) enum Wanted<'a> {
    PublicKey(PublicKey),
    Kid(&'a [u8]),
}

/// Reads a `cnf`; `None` if it holds anything else than a public key in P-256 or the identifier of a key.
pub(crate) fn wanted(cnf: &[u8]) -> Option<Wanted<'_>> {
    match Confirmation::read(&mut Decoder::new(cnf)).ok()? {
        Confirmation::KeyId(kid) => Some(Wanted::Kid(kid)),
        Confirmation::Key(CoseKey { kid: Some(kid), material: Material::Symmetric { k: None }, .. }) => {
            Some(Wanted::Kid(kid))
        }
        Confirmation::Key(key) => key.public_key().ok().map(Wanted::PublicKey),
        Confirmation::EncryptedKey(_) | Confirmation::Oscore(_) => None,
    }
}

/// What `write` writes.
pub(crate) fn encoded(write: impl Fn(&mut Encoder<'_>)) -> Vec<u8> {
    let mut counting = Encoder::new(&mut []);
    write(&mut counting);
    let mut bytes = vec![0; counting.len()];
    write(&mut Encoder::new(&mut bytes));
    bytes
}
