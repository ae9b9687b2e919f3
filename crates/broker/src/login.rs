//! The ways in which a device shows who it is.

use std::fmt;

use minicbor::{Decode, Encode};
use sedge_crypto::{Crypto as _, Hash as _, PublicKey, RustCrypto, subject_public_key_info};
use serde::Deserialize;

/// A way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// A pre-shared key.
    Psk,
    /// A raw public key ([RFC 7250](https://www.rfc-editor.org/rfc/rfc7250)).
    Rpk,
    /// An X.509 certificate.
    Cert,
}

impl Auth {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Psk, Self::Rpk, Self::Cert];

    /// The way's name in the configuration and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Psk => "psk",
            Self::Rpk => "rpk",
            Self::Cert => "cert",
        }
    }
}

/// What a device shows when it connects. No two devices show the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Login {
    /// A PSK identity, of 1 to 128 bytes.
    #[n(0)]
    Psk(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// This public key.
    #[n(1)]
    PublicKey(#[cbor(n(0), with = "public_key")] PublicKey),
    /// A certificate that a trust anchor vouches for, with this name
    /// ([`Certificate::peer_name`](sedge_x509::Certificate::peer_name)).
    #[n(2)]
    Certificate(#[n(0)] String),
}

impl Login {
    /// The way to authenticate that it belongs to.
    pub const fn auth(&self) -> Auth {
        match self {
            Self::Psk(_) => Auth::Psk,
            Self::PublicKey(_) => Auth::Rpk,
            Self::Certificate(_) => Auth::Cert,
        }
    }
}

/// As people compare it: an identity or a name as text, a public key as its [`pin`].
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Psk(identity) => f.write_str(&String::from_utf8_lossy(identity)),
            Self::PublicKey(key) => f.write_str(&pin(key)),
            Self::Certificate(name) => f.write_str(name),
        }
    }
}

/// The SHA-256 digest of a key's `SubjectPublicKeyInfo` in hexadecimal digits: by what people compare public keys, and
/// what `openssl pkey -pubin -outform DER | sha256sum` prints.
pub fn pin(key: &PublicKey) -> String {
    let mut hash = RustCrypto.sha256();
    hash.update(&subject_public_key_info(key));
    crate::key::hex_encode(&hash.finish())
}

/// Public keys as CBOR: the `SubjectPublicKeyInfo` in a byte string.
pub(crate) mod public_key {
    use minicbor::encode::Write;
    use minicbor::{Decoder, Encoder};
    use sedge_crypto::{PublicKey, public_key_from_info, subject_public_key_info};

    type Encoded<W> = Result<(), minicbor::encode::Error<<W as Write>::Error>>;
    type Decoded<T> = Result<T, minicbor::decode::Error>;

    pub(crate) fn encode<C, W: Write>(key: &PublicKey, e: &mut Encoder<W>, _: &mut C) -> Encoded<W> {
        e.bytes(&subject_public_key_info(key))?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Decoded<PublicKey> {
        let at = d.position();
        public_key_from_info(d.bytes()?)
            .map_err(|error| minicbor::decode::Error::message(error.to_string()).at(at))
    }

    /// The same for a key that may be missing.
    pub(crate) mod optional {
        use minicbor::data::Type;

        use super::{Decoded, Decoder, Encoded, Encoder, PublicKey, Write};

        pub(crate) fn encode<C, W: Write>(
            key: &Option<PublicKey>,
            e: &mut Encoder<W>,
            cx: &mut C,
        ) -> Encoded<W> {
            match key {
                Some(key) => super::encode(key, e, cx),
                None => e.null()?.ok(),
            }
        }

        pub(crate) fn decode<C>(d: &mut Decoder<'_>, cx: &mut C) -> Decoded<Option<PublicKey>> {
            if d.datatype()? == Type::Null {
                d.null()?;
                return Ok(None);
            }
            super::decode(d, cx).map(Some)
        }

        pub(crate) const fn is_nil(key: &Option<PublicKey>) -> bool {
            key.is_none()
        }

        pub(crate) const fn nil() -> Option<Option<PublicKey>> {
            Some(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_read_back() {
        let key = PublicKey::new([4; 65]).unwrap();
        for login in [Login::Psk(vec![0xff]), Login::PublicKey(key), Login::Certificate("boiler-7".into())] {
            let bytes = minicbor::to_vec(&login).unwrap();
            assert_eq!(minicbor::decode::<Login>(&bytes).unwrap(), login);
        }
        // A key of another form.
        let mut bytes = minicbor::to_vec(Login::PublicKey(key)).unwrap();
        bytes.truncate(bytes.len() - 65);
        bytes.extend([2; 65]);
        assert!(minicbor::decode::<Login>(&bytes).is_err());
    }

    #[test]
    fn a_pin_is_the_digest_of_the_whole_public_key_info() {
        let pin = pin(&PublicKey::new([4; 65]).unwrap());
        assert_eq!(pin.len(), 64);
        assert_eq!(Login::PublicKey(PublicKey::new([4; 65]).unwrap()).to_string(), pin);
    }
}
