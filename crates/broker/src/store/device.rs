//! A device as the store keeps it, as CBOR. Field numbers are never reused, so that a newer broker reads an older store.

use minicbor::{Decode, Decoder, Encode, Encoder};
use sedge_access::{Grants, Subject};
use sedge_crypto::PublicKey;

use crate::key::Key;
use crate::login::{Login, public_key};

/// Someone who may connect: a device, or an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The name by which administrators call it; unique.
    pub name: String,
    /// How it proves who it is.
    pub credential: DeviceCredential,
    /// What it may do on which topics, or that it is an administrator.
    pub grants: Grants,
    /// When it was enrolled, in seconds since 1970.
    pub created: u64,
    /// The roles that it has.
    pub roles: Vec<String>,
    /// The segment that it is in.
    pub segment: Option<String>,
    /// Whether it is a resource server, for which there are tokens here.
    pub resource_server: bool,
}

impl Device {
    /// The device as the rules see it.
    pub fn subject(&self) -> Subject {
        let roles = self.roles.iter().map(String::as_str);
        Subject::device(&self.name, &self.grants).in_roles(roles).in_segment(self.segment.as_deref())
    }
}

/// How a device proves who it is: what the broker keeps for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceCredential {
    /// By a pre-shared key.
    Psk {
        /// The identity that it presents in the handshake; unique. The name in UTF-8 unless told otherwise.
        identity: Vec<u8>,
        /// The key.
        key: Key,
    },
    /// By holding the private half of this key; unique.
    PublicKey(PublicKey),
    /// By a certificate with this name from an issuer that is trusted; unique.
    Certificate(String),
}

impl DeviceCredential {
    /// What of it is shown in a handshake, and is no secret.
    pub fn login(&self) -> Login {
        match self {
            Self::Psk { identity, .. } => Login::Psk(identity.clone()),
            Self::PublicKey(key) => Login::PublicKey(*key),
            Self::Certificate(name) => Login::Certificate(name.clone()),
        }
    }

    /// The pre-shared key, if that is what it is.
    pub const fn key(&self) -> Option<&Key> {
        match self {
            Self::Psk { key, .. } => Some(key),
            Self::PublicKey(_) | Self::Certificate(_) => None,
        }
    }
}

/// A device as it was first written, when every device had a pre-shared key, and what has come to be instead of one.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Record {
    #[n(0)]
    name: String,
    #[cbor(n(1), with = "minicbor::bytes")]
    identity: Option<Vec<u8>>,
    #[n(2)]
    key: Option<Key>,
    #[n(3)]
    grants: Grants,
    #[n(4)]
    created: u64,
    #[cbor(n(5), with = "public_key::optional", has_nil)]
    public_key: Option<PublicKey>,
    #[n(6)]
    certificate_name: Option<String>,
    #[n(7)]
    roles: Option<Vec<String>>,
    #[n(8)]
    segment: Option<String>,
    #[n(9)]
    resource_server: Option<bool>,
}

impl<C> Encode<C> for Device {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let mut record = Record {
            name: self.name.clone(),
            identity: None,
            key: None,
            grants: self.grants.clone(),
            created: self.created,
            public_key: None,
            certificate_name: None,
            roles: (!self.roles.is_empty()).then(|| self.roles.clone()),
            segment: self.segment.clone(),
            resource_server: self.resource_server.then_some(true),
        };
        match &self.credential {
            DeviceCredential::Psk { identity, key } => {
                record.identity = Some(identity.clone());
                record.key = Some(key.clone());
            }
            DeviceCredential::PublicKey(key) => record.public_key = Some(*key),
            DeviceCredential::Certificate(name) => record.certificate_name = Some(name.clone()),
        }
        record.encode(e, &mut ())
    }
}

impl<'b, C> Decode<'b, C> for Device {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        let record = Record::decode(d, &mut ())?;
        let Record {
            name, identity, key, grants, created, public_key, certificate_name, roles, segment, ..
        } = record;
        let credential = match (identity, key, public_key, certificate_name) {
            (Some(identity), Some(key), None, None) => DeviceCredential::Psk { identity, key },
            (None, None, Some(key), None) => DeviceCredential::PublicKey(key),
            (None, None, None, Some(name)) => DeviceCredential::Certificate(name),
            _ => {
                let what = "a device has neither one key nor one name";
                return Err(minicbor::decode::Error::message(what).at(at));
            }
        };
        let resource_server = record.resource_server.unwrap_or(false);
        Ok(Self {
            name,
            credential,
            grants,
            created,
            roles: roles.unwrap_or_default(),
            segment,
            resource_server,
        })
    }
}

#[cfg(test)]
mod tests {
    use sedge_access::Permissions;

    use super::*;

    fn device(credential: DeviceCredential) -> Device {
        Device {
            name: "t1".into(),
            credential,
            grants: Grants::none().with("site/+/temp".parse().unwrap(), Permissions::PUBLISH),
            created: 1_800_000_000,
            roles: Vec::new(),
            segment: None,
            resource_server: false,
        }
    }

    #[test]
    fn devices_read_back() {
        for credential in [
            DeviceCredential::Psk { identity: vec![0xff, 0], key: Key::random().unwrap() },
            DeviceCredential::PublicKey(PublicKey::new([4; 65]).unwrap()),
            DeviceCredential::Certificate("boiler-7".into()),
        ] {
            let device = Device {
                roles: vec!["reader".into(), "writer".into()],
                segment: Some("north".into()),
                ..device(credential)
            };
            let bytes = minicbor::to_vec(&device).unwrap();
            assert_eq!(minicbor::decode::<Device>(&bytes).unwrap(), device);
        }
    }

    /// What version 0.1.0 wrote for the device above.
    #[test]
    fn a_device_of_the_first_version_reads_and_is_written_the_same() {
        let old = "a500627431014269640250070707070707070707070707070707070382f481826b736974652f2b2f74656d7004041a6b49d200";
        let key = Key::from_bytes(&[7; 16]).unwrap();
        let device = device(DeviceCredential::Psk { identity: b"id".to_vec(), key });
        assert_eq!(minicbor::decode::<Device>(&crate::key::hex_decode(old).unwrap()).unwrap(), device);
        assert_eq!(crate::key::hex_encode(&minicbor::to_vec(&device).unwrap()), old);
    }

    #[test]
    fn a_device_with_two_credentials_or_none_is_refused() {
        let mut bytes = minicbor::to_vec(device(DeviceCredential::Certificate("n".into()))).unwrap();
        // The same map with an identity, and no key, in it.
        bytes[0] += 1;
        bytes.splice(5..5, [1, 0x41, 0]);
        let error = minicbor::decode::<Device>(&bytes).unwrap_err().to_string();
        assert!(error.contains("neither"), "{error}");
    }
}
