//! Requests and replies as bytes: CBOR, the same over every way. A message is `[version, body]`.

use minicbor::{Decode, Encode};

use super::{AdminReply, AdminRequest, Reason, Refusal};

/// The version of the messages that this crate writes and reads.
///
/// Version 2 knows devices that have no pre-shared key.
pub const VERSION: u8 = 2;

/// The path of the resource that administrators `POST` to, over coaps.
pub const ADMIN_PATH: [&str; 2] = ["sedge", "admin"];

impl AdminRequest {
    /// The request as CBOR.
    pub fn to_cbor(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Reads a request.
    ///
    /// # Errors
    /// What to answer instead of executing it.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        from_cbor(bytes)
    }
}

impl AdminReply {
    /// The reply as CBOR.
    pub fn to_cbor(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Reads a reply.
    ///
    /// # Errors
    /// The bytes are no reply that this version knows.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refusal> {
        from_cbor(bytes)
    }
}

fn to_cbor<T: Encode<()>>(body: &T) -> Vec<u8> {
    // A vector takes everything, and none of the encoders here refuses a value.
    minicbor::to_vec((VERSION, body)).unwrap_or_default()
}

fn from_cbor<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, Refusal> {
    let invalid =
        |error: minicbor::decode::Error| Refusal::new(Reason::Invalid, format!("not understood: {error}"));
    let mut decoder = minicbor::Decoder::new(bytes);
    if decoder.array().map_err(invalid)? != Some(2) {
        return Err(Refusal::new(Reason::Invalid, "not understood: not [version, body]"));
    }
    let version = decoder.u8().map_err(invalid)?;
    if version != VERSION {
        let message =
            format!("version {version} was used where {VERSION} is spoken: use the same release of sedge");
        return Err(Refusal::new(Reason::Version, message));
    }
    let body = decoder.decode().map_err(invalid)?;
    if decoder.position() != bytes.len() {
        return Err(Refusal::new(Reason::Invalid, "not understood: bytes after its end"));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use sedge_access::Grants;
    use sedge_crypto::PublicKey;

    use super::super::{After, NewDevice, Page, SessionInfo, TopicSettings};
    use super::*;
    use crate::Key;

    #[test]
    fn messages_read_back() {
        for request in [
            AdminRequest::DeviceAdd(NewDevice {
                name: "t1".into(),
                identity: Some(vec![0xff]),
                key: Some(Key::random().unwrap()),
                grants: Grants::administrator(),
                public_key: None,
                certificate_name: None,
                roles: vec!["reader".into()],
                segment: Some("north".into()),
                resource_server: true,
            }),
            AdminRequest::DeviceAdd(NewDevice {
                public_key: Some(PublicKey::new([4; 65]).unwrap()),
                certificate_name: Some("t2".into()),
                ..NewDevice::default()
            }),
            AdminRequest::DeviceList(After::default()),
            AdminRequest::TopicCreate(TopicSettings { name: "a".into(), ..TopicSettings::default() }),
            AdminRequest::Status,
        ] {
            assert_eq!(AdminRequest::from_cbor(&request.to_cbor()).unwrap(), request);
        }
        let info = SessionInfo { id: "0.1".into(), device: None, peer: "[::1]:1".into(), idle: 3 };
        for reply in [
            AdminReply::Done,
            AdminReply::Status(Box::default()),
            AdminReply::Sessions(Page { entries: vec![info], next: Some(After("x".into())) }),
            AdminReply::Refused(Refusal::new(Reason::Limit, "no")),
        ] {
            assert_eq!(AdminReply::from_cbor(&reply.to_cbor()).unwrap(), reply);
        }
    }

    #[test]
    fn nothing_else_is_understood() {
        let good = AdminRequest::DeviceShow("t1".into()).to_cbor();
        for cut in 0..good.len() {
            assert_eq!(AdminRequest::from_cbor(&good[..cut]).unwrap_err().reason, Reason::Invalid);
        }
        let mut long = good.clone();
        long.push(0);
        assert_eq!(AdminRequest::from_cbor(&long).unwrap_err().reason, Reason::Invalid);
        let mut later = good;
        later[1] = VERSION + 1;
        assert_eq!(AdminRequest::from_cbor(&later).unwrap_err().reason, Reason::Version);
    }

    #[test]
    fn a_key_in_a_request_does_not_print() {
        let request = AdminRequest::DeviceAdd(NewDevice {
            key: Some(Key::from_bytes(&[0xaa; 16]).unwrap()),
            ..NewDevice::default()
        });
        let text = format!("{request:?}");
        assert!(text.contains("[secret]") && !text.contains("170"), "{text}");
    }
}
