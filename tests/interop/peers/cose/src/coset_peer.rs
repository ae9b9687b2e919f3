//! coset.

use coset::iana::{self, EnumI64};
use coset::{
    CborSerializable, CoseEncrypt0, CoseEncrypt0Builder, CoseError, CoseKey, CoseMac0, CoseMac0Builder,
    CoseSign1, CoseSign1Builder, Header, HeaderBuilder, RegisteredLabelWithPrivate, TaggedCborSerializable,
};

use crate::crypto::{decrypt, encrypt, mac, sign, verify};
use crate::{Kind, Make, Outcome, Read};

pub(crate) fn make(make: Make) -> Outcome {
    let Make { kind, algorithm, key, nonce, aad, kid, content } = make;
    let number = iana::Algorithm::from_i64(algorithm.into()).ok_or("no such algorithm")?;
    let protected = HeaderBuilder::new().algorithm(number).build();
    let unprotected = HeaderBuilder::new().key_id(kid);
    match kind {
        Kind::Encrypt0 => CoseEncrypt0Builder::new()
            .protected(protected)
            .unprotected(unprotected.iv(nonce.clone()).build())
            .try_create_ciphertext(&content, &aad, |text, aad| encrypt(algorithm, &key, &nonce, aad, text))?
            .build()
            .to_tagged_vec(),
        Kind::Mac0 => CoseMac0Builder::new()
            .protected(protected)
            .unprotected(unprotected.build())
            .payload(content)
            .try_create_tag(&aad, |data| mac(algorithm, &key, data))?
            .build()
            .to_tagged_vec(),
        Kind::Sign1 => CoseSign1Builder::new()
            .protected(protected)
            .unprotected(unprotected.build())
            .payload(content)
            .try_create_signature(&aad, |data| sign(&key[64..], data))?
            .build()
            .to_tagged_vec(),
    }
    .map_err(why)
}

pub(crate) fn read(read: &Read) -> Outcome {
    let Read { kind, algorithm, key, aad, message } = read;
    let check = |header: &Header| {
        let number = iana::Algorithm::from_i64((*algorithm).into()).map(RegisteredLabelWithPrivate::Assigned);
        if header.alg == number { Ok(()) } else { Err("another algorithm".to_owned()) }
    };
    match kind {
        Kind::Encrypt0 => {
            let message = CoseEncrypt0::from_tagged_slice(message).map_err(why)?;
            check(&message.protected.header)?;
            let nonce = &message.unprotected.iv;
            message.decrypt_ciphertext(
                aad,
                || "no ciphertext".to_owned(),
                |text, aad| decrypt(*algorithm, key, nonce, aad, text),
            )
        }
        Kind::Mac0 => {
            let message = CoseMac0::from_tagged_slice(message).map_err(why)?;
            check(&message.protected.header)?;
            message.verify_payload_tag(
                aad,
                || "no payload".to_owned(),
                |tag, data| {
                    if mac(*algorithm, key, data)? == tag { Ok(()) } else { Err("not authentic".to_owned()) }
                },
            )?;
            message.payload.ok_or("no payload".to_owned())
        }
        Kind::Sign1 => {
            let message = CoseSign1::from_tagged_slice(message).map_err(why)?;
            check(&message.protected.header)?;
            message.verify_signature(aad, |signature, data| verify(&key[..64], signature, data))?;
            message.payload.ok_or("no payload".to_owned())
        }
    }
}

pub(crate) fn key(bytes: &[u8]) -> Outcome {
    CoseKey::from_slice(bytes).and_then(CborSerializable::to_vec).map_err(why)
}

fn why(error: CoseError) -> String {
    error.to_string()
}
