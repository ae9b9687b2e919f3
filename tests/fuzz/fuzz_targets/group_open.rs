//! Any bytes as a protected value: what opens was made by a member, and comes out as it went in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_crypto::{PublicKey, RustCrypto};
use sedge_group::{Cipher, Forgetful, Gid, GroupKey, Publisher, SenderId, Subscriber, Value};

fn key(cipher: Cipher) -> GroupKey {
    let (key, iv) = ([7; 32], [9; 13]);
    let (key, iv) = (&key[..cipher.aead().key_len()], &iv[..cipher.nonce_len()]);
    GroupKey::new(cipher, key, iv, Gid::from_number(1), 0).expect("right lengths")
}

fuzz_target!(|input: (u8, bool, Vec<u8>, Vec<(u16, u8)>)| {
    let (choice, signed, payload, changes) = input;
    let cipher = Cipher::ALL[usize::from(choice) % 3];
    let mut subscriber = Subscriber::<4, 2>::new();
    let _new = subscriber.install(key(cipher));
    let mut point = [3; 65];
    point[0] = 4;
    let public = PublicKey::new(point).ok();
    let mut out = vec![0; payload.len() + 64];
    // Noise, and then something that was made by a member and changed by somebody else.
    assert!(subscriber.open(&RustCrypto, &payload, signed, |_| public, &mut out).is_err());
    let mut publisher = Publisher::new(Forgetful);
    publisher.begin(&RustCrypto, key(cipher), SenderId::from_number(choice.into())).expect("a sender");
    let mut message = vec![0; payload.len() + 64];
    let value = Value { payload: &payload, content_format: None };
    let Ok(sealed) = publisher.seal(&RustCrypto, &value, &mut message) else { return };
    let original = sealed.to_vec();
    let mut message = original.clone();
    for (at, with) in changes {
        let at = usize::from(at) % message.len();
        message[at] ^= with;
    }
    match subscriber.open(&RustCrypto, &message, signed, |_| public, &mut out) {
        Ok(opened) => assert_eq!(opened.payload, payload),
        Err(_) => assert!(signed || message != original),
    }
});
