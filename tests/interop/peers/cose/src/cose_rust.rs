//! cose-rust.

use cose::errors::CoseError;
use cose::keys::{CoseKey, EC2, P_256, SYMMETRIC};
use cose::message::CoseMessage;

use crate::{Kind, Make, Outcome, Read};

pub(crate) fn make(make: Make) -> Outcome {
    let mut message = empty(make.kind);
    message.header.alg(make.algorithm, true, false);
    message.header.kid(make.kid, false, false);
    if make.kind == Kind::Encrypt0 {
        message.header.iv(make.nonce, false, false);
    }
    message.payload(make.content);
    message.key(&key(make.kind, make.algorithm, &make.key)).map_err(why)?;
    message.secure_content(Some(make.aad)).map_err(why)?;
    message.encode(true).map_err(why)?;
    Ok(message.bytes)
}

pub(crate) fn read(read: Read) -> Outcome {
    let mut message = empty(read.kind);
    message.bytes = read.message;
    message.init_decoder(None).map_err(why)?;
    message.key(&key(read.kind, read.algorithm, &read.key)).map_err(why)?;
    message.decode(Some(read.aad), None).map_err(why)
}

fn empty(kind: Kind) -> CoseMessage {
    match kind {
        Kind::Encrypt0 => CoseMessage::new_encrypt(),
        Kind::Mac0 => CoseMessage::new_mac(),
        Kind::Sign1 => CoseMessage::new_sign(),
    }
}

fn key(kind: Kind, algorithm: i32, bytes: &[u8]) -> CoseKey {
    let mut key = CoseKey::new();
    key.alg(algorithm);
    if kind == Kind::Sign1 {
        let mut parts = bytes.chunks(32).map(<[u8]>::to_vec);
        key.kty(EC2);
        key.crv(P_256);
        key.x(parts.next().unwrap_or_default());
        key.y(parts.next().unwrap_or_default());
        if let Some(d) = parts.next() {
            key.d(d);
        }
    } else {
        key.kty(SYMMETRIC);
        key.k(bytes.to_vec());
    }
    key
}

fn why(error: CoseError) -> String {
    format!("{error:?}")
}
