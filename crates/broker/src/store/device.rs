//! A device as the store keeps it, as CBOR. Field numbers are never reused, so that a newer broker reads an older store.

use minicbor::{Decode, Encode};
use sedge_access::Grants;

use crate::key::Key;

/// Someone who may connect: a device, or an administrator.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Device {
    /// The name by which administrators call it; unique.
    #[n(0)]
    pub name: String,
    /// The PSK identity it presents in the handshake; unique. The name in UTF-8 unless told otherwise.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub identity: Vec<u8>,
    /// Its pre-shared key.
    #[n(2)]
    pub key: Key,
    /// What it may do on which topics, or that it is an administrator.
    #[n(3)]
    pub grants: Grants,
    /// When it was enrolled, in seconds since 1970.
    #[n(4)]
    pub created: u64,
}

#[cfg(test)]
mod tests {
    use sedge_access::Permissions;

    use super::*;

    #[test]
    fn a_device_reads_back() {
        let device = Device {
            name: "t1".into(),
            identity: vec![0xff, 0],
            key: Key::random().unwrap(),
            grants: Grants::none().with("site/+/temp".parse().unwrap(), Permissions::PUBLISH),
            created: 1_800_000_000,
        };
        let bytes = minicbor::to_vec(&device).unwrap();
        assert_eq!(minicbor::decode::<Device>(&bytes).unwrap(), device);
    }
}
