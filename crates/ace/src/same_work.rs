//! Whoever shows a token that is not authentic learns nothing from how long it takes to refuse it.

extern crate std;
use core::cell::RefCell;
use std::vec::Vec;

use sedge_cose::{Encrypt0, Envelope, Header, Mac0, Sign1};
use sedge_crypto::{
    Aead, AeadError, Crypto as _, KeyError, Layer, PublicKey, RustCrypto, Secret, Signature, TryCryptoRng,
    TryRng,
};

use crate::{TokenError, TokenKeys, open_token};

/// What was asked of the provider, and of how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Open(usize),
    Hash,
    Mac,
    Verify,
}

#[derive(Default)]
struct Noting(RefCell<Vec<Work>>);

impl Layer for Noting {
    type Inner = RustCrypto;

    fn inner(&self) -> &RustCrypto {
        &RustCrypto
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
        self.0.borrow_mut().push(Work::Open(aad.len() + in_out.len()));
        RustCrypto.open(aead, key, nonce, aad, in_out, tag)
    }

    fn sha256(&self) -> <RustCrypto as sedge_crypto::Crypto>::Hash {
        self.0.borrow_mut().push(Work::Hash);
        RustCrypto.sha256()
    }

    fn hmac_sha256(&self, key: &[u8]) -> <RustCrypto as sedge_crypto::Crypto>::Mac {
        self.0.borrow_mut().push(Work::Mac);
        RustCrypto.hmac_sha256(key)
    }

    fn verify(&self, key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> Result<(), KeyError> {
        self.0.borrow_mut().push(Work::Verify);
        RustCrypto.verify(key, digest, signature)
    }
}

struct Same;

impl TryRng for Same {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(7)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(7)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.fill(7);
        Ok(())
    }
}

impl TryCryptoRng for Same {}

fn keys(number: u8) -> TokenKeys {
    let signing = RustCrypto.signing_key(&Secret::new([number; 32])).unwrap();
    TokenKeys {
        id: [number; 8],
        encryption: Secret::new([number; 16]),
        mac: Secret::new([number; 32]),
        derivation: Secret::new([number; 32]),
        verification: RustCrypto.public_key(&signing),
    }
}

/// A token of each form under the keys of this number, by this name.
fn tokens(number: u8, id: [u8; 8]) -> [Vec<u8>; 3] {
    let (keys, claims) = (keys(number), [&[0xa1, 0x02, 0x78, 40][..], &[b'x'; 40]].concat());
    let protected = Header { kid: Some(&id), ..Header::default() };
    let envelope = Envelope { tagged: true, protected, ..Envelope::default() };
    let with_nonce = Envelope { protected: Header { iv: Some(&[4; 13]), ..protected }, ..envelope };
    let signing = RustCrypto.signing_key(&Secret::new([number; 32])).unwrap();
    let [mut a, mut b, mut c] = [[0; 256]; 3];
    let encryption = keys.encryption_key().unwrap();
    [
        Encrypt0::seal(&RustCrypto, &encryption, &[4; 13], &with_nonce, &claims, &mut a).unwrap().to_vec(),
        Mac0::create(&RustCrypto, &keys.mac_key().unwrap(), &envelope, &claims, &mut b).unwrap().to_vec(),
        Sign1::sign(&RustCrypto, &signing, &mut Same, &envelope, &claims, &mut c).unwrap().to_vec(),
    ]
}

#[test]
fn every_token_that_is_not_authentic_costs_the_same() {
    let known = [keys(1), keys(2), keys(3)];
    let judge = |token: &[u8]| {
        let crypto = Noting::default();
        let outcome = open_token(&crypto, &known, &mut token.to_vec()).map(|_| ());
        (outcome, crypto.0.into_inner())
    };
    let with_bit = |token: &[u8], from_end: usize| {
        let mut changed = token.to_vec();
        let at = changed.len() - from_end;
        changed[at] ^= 1;
        changed
    };
    for form in 0..3 {
        let token = |number, id| tokens(number, id)[form].clone();
        let good = token(2, [2; 8]);
        let (outcome, work) = judge(&good);
        assert_eq!(outcome, Ok(()));
        assert!(!work.is_empty());
        for (what, token, error) in [
            ("a name that nobody knows", token(2, [9; 8]), TokenError::UnknownKey),
            ("another key", token(7, [2; 8]), TokenError::Forged),
            ("the last byte", with_bit(&good, 1), TokenError::Forged),
            ("the tag's first byte", with_bit(&good, [16, 32, 64][form]), TokenError::Forged),
            ("the claims", with_bit(&good, [30, 50, 80][form]), TokenError::Forged),
            ("the key of another audience", token(3, [1; 8]), TokenError::Forged),
        ] {
            assert_eq!(judge(&token), (Err(error), work.clone()), "{form} {what}");
        }
    }
}
