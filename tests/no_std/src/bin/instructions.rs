//! Counts the instructions of single operations: parsing a message, each operation of the portable provider, and
//! sealing and opening records of sessions that are handed to it over the serial port.
#![no_std]
#![no_main]

#[path = "../footprint/board.rs"]
#[expect(dead_code, reason = "nothing is sent from here, and no stack measured")]
mod board;

use core::hint::black_box;

use board::{Noise, clock, serial};
use sedge_coap::Message;
use sedge_crypto::{Aead, Crypto, Hash, Mac, NamedGroup, RustCrypto, Secret};
use sedge_dtls::{Content, ContentType, Session};

/// QEMU runs one instruction per nanosecond (`-icount shift=0`), and the machine's clock ticks every 40.
const INSTRUCTIONS_PER_TICK: usize = 40;
const CRYPTO: RustCrypto = RustCrypto;

/// A reading as a device publishes it, `PUT /d/site/7/temp`: 53 bytes with four options and SenML in CBOR.
const PUT: &[u8] = b"\x44\x03\x12\x34\x1a\x2b\x3c\x4d\xb1d\x04site\x017\x04temp\x11\x70\xff\
    \x81\xa3\x21\x71urn:dev:mac:0024:\x00\x61t\x02\xf9\x4d\x60";
const _: () = assert!(PUT.len() == 53);

boot!(run());

fn run() -> ! {
    serial::start();
    let counted = operations();
    serial::report(counted.is_some(), &counted.unwrap_or_default());
    // Then whatever sessions there are: a client's, and its server's.
    let (mut client, mut server) = ([0; Session::EXPORTED_LEN], [0; Session::EXPORTED_LEN]);
    loop {
        let lengths = [serial::receive(&mut client), serial::receive(&mut server)];
        let counted = records(&client, &server).filter(|_| lengths == [Session::EXPORTED_LEN; 2]);
        serial::report(counted.is_some(), &counted.unwrap_or_default());
    }
}

/// Instructions of something, on average over so many times.
fn count<T>(times: usize, mut what: impl FnMut() -> T) -> usize {
    let begun = clock::now();
    for _ in 0..times {
        black_box(what());
    }
    clock::since(begun) as usize * INSTRUCTIONS_PER_TICK / times
}

/// Parsing, and what `sim/profiles/cortex-m4.toml` has, by its names there.
fn operations() -> Option<[(&'static str, usize); 14]> {
    // The loop itself, and what keeps the compiler from seeing through it.
    let nothing = count(1_000, || black_box(PUT).len());
    let parse = count(1_000, || Message::parse(black_box(PUT))) - nothing;
    let ccm = |aad: usize, text: usize| {
        let (mut in_out, aad) = ([7; 512], [9; 30].get(..aad).unwrap_or_default());
        let in_out = in_out.get_mut(..text).unwrap_or_default();
        count(20, || CRYPTO.seal(Aead::Aes128Ccm8, &[1; 16], &[2; 12], aad, in_out))
    };
    let sha256 = |len: usize| {
        count(20, || {
            let mut hash = CRYPTO.sha256();
            hash.update(black_box([3; 448].get(..len).unwrap_or_default()));
            hash.finish()
        })
    };
    let (record, hash) = (ccm(13, 0), sha256(0));
    let mac = count(20, || {
        let mut mac = CRYPTO.hmac_sha256(black_box(&[4; 32]));
        mac.update(&[]);
        mac.finish()
    });
    let block = count(20, || CRYPTO.encrypt_block(black_box(&[5; 16]), black_box(&mut [6; 16])));
    let mut rng = Noise(0x2545_f491_4f6c_dd1d);
    let own = CRYPTO.signing_key(&Secret::new(*include_bytes!("../../pki/client.scalar"))).ok()?;
    let signature = CRYPTO.sign(&own, &[8; 32], &mut rng).ok()?;
    let public = CRYPTO.public_key(&own);
    let mut of_group = |group| {
        let key = CRYPTO.ephemeral_key(group, &mut rng).ok()?;
        let share = CRYPTO.key_share(&CRYPTO.ephemeral_key(group, &mut rng).ok()?);
        let make = count(1, || CRYPTO.ephemeral_key(group, &mut rng));
        let agree = count(1, || CRYPTO.agree(&key, share.as_bytes()));
        Some((make, agree))
    };
    let (key_p256, agree_p256) = of_group(NamedGroup::Secp256r1)?;
    let (key_x25519, agree_x25519) = of_group(NamedGroup::X25519)?;
    Some([
        ("parse", parse),
        ("record", record),
        ("record_block", (ccm(13, 512) - record) / 32),
        ("aad_block", ccm(30, 0) - ccm(14, 0)),
        ("block", block),
        ("hash", hash),
        ("hash_block", (sha256(448) - hash) / 7),
        ("mac", mac),
        ("key_p256", key_p256),
        ("agree_p256", agree_p256),
        ("sign_p256", count(1, || CRYPTO.sign(&own, &[8; 32], &mut rng))),
        ("verify_p256", count(1, || CRYPTO.verify(&public, &[8; 32], &signature))),
        ("key_x25519", key_x25519),
        ("agree_x25519", agree_x25519),
    ])
}

/// Sealing and opening a record of 64 bytes, on average over ten.
fn records(client: &[u8], server: &[u8]) -> Option<[(&'static str, usize); 2]> {
    const TIMES: usize = 10;
    let (mut client, mut server) = (Session::import(client, 0).ok()?, Session::import(server, 0).ok()?);
    let (mut seal, mut open) = (0, 0);
    for _ in 0..TIMES {
        let mut record = [7; 128];
        let begun = clock::now();
        let len = client.seal(&CRYPTO, ContentType::APPLICATION_DATA, &mut record, 64).ok()?;
        seal += clock::since(begun) as usize;
        let record = record.get_mut(..len)?;
        let begun = clock::now();
        let opened = server.open(&CRYPTO, record).ok()?;
        open += clock::since(begun) as usize;
        matches!(opened.content, Content::ApplicationData(content) if content.len() == 64).then_some(())?;
    }
    Some([("seal", seal), ("open", open)].map(|(name, ticks)| (name, ticks * INSTRUCTIONS_PER_TICK / TIMES)))
}
