//! Publishers and subscribers of a group.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails should stop there"
)]

mod generations;
mod messages;
mod replay;
mod signatures;

use sedge_crypto::{PublicKey, RustCrypto};
use sedge_group::{
    Cipher, Forgetful, Gid, GroupKey, OpenError, Opened, Publisher, SenderId, Subscriber, Value,
};

const CRYPTO: RustCrypto = RustCrypto;

type Listener = Subscriber<4, 2>;

fn key(cipher: Cipher, number: u64) -> GroupKey {
    let secret = [number as u8 + 1; 32];
    let gid = Gid::from_number(0x1200 + number as u16);
    GroupKey::new(cipher, &secret[..cipher.aead().key_len()], &[0x5a; 13][..cipher.nonce_len()], gid, number)
        .unwrap()
}

fn sender(number: u32) -> SenderId {
    SenderId::from_number(number)
}

fn publisher(key: GroupKey, number: u32) -> Publisher<Forgetful> {
    let mut publisher = Publisher::new(Forgetful);
    publisher.begin(&CRYPTO, key, sender(number)).unwrap();
    publisher
}

fn listener(key: GroupKey) -> Listener {
    let mut listener = Listener::new();
    let _new = listener.install(key);
    listener
}

fn seal(publisher: &mut Publisher<Forgetful>, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; payload.len() + 120];
    publisher.seal(&CRYPTO, &Value { payload, content_format: None }, &mut out).unwrap().to_vec()
}

/// What came out, without the buffer.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    payload: Vec<u8>,
    sender: SenderId,
    generation: u64,
    repeated: bool,
    verified: bool,
}

fn open_as(
    listener: &mut Listener,
    message: &[u8],
    signed: bool,
    key: impl Fn(SenderId) -> Option<PublicKey>,
) -> Result<Seen, OpenError> {
    let mut out = vec![0; message.len()];
    let Opened { payload, sender, generation, repeated, verified, .. } =
        listener.open(&CRYPTO, message, signed, key, &mut out)?;
    Ok(Seen { payload: payload.to_vec(), sender, generation, repeated, verified })
}

fn open(listener: &mut Listener, message: &[u8]) -> Result<Seen, OpenError> {
    open_as(listener, message, false, |_| None)
}
