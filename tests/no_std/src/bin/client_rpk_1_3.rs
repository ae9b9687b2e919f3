//! A whole client: DTLS 1.3 with raw public keys and a Connection ID, CoAP, Observe and block-wise transfer.
#![no_std]
#![no_main]

#[path = "../client.rs"]
mod client;

use sedge_client::{PublicKey, Secret, Security, Versions};
use sedge_dtls::{Absent, Present, Profile};

struct Device;

impl Profile for Device {
    type Crypto = client::Provider;
    type Flight = [u8; 640];
    type ServerFlight = [u8; 0];
    const SERVER: bool = false;
    type Server = Absent;
    type Inbox = [u8; 256];
    const DTLS_1_2: bool = false;
    const DTLS_1_3: bool = true;
    type Dtls13 = Present;
    const PSK: bool = false;
    const ECDHE: bool = true;
    type Ephemeral = Present;
    const CERTIFICATES: bool = true;
    const RESUMPTION: bool = false;
}

impl client::Image for Device {
    type Profile = Self;
    const VERSIONS: Versions = Versions::ONLY_1_3;

    fn security() -> Option<Security<'static>> {
        let key = Secret::new(*include_bytes!("../../pki/client.scalar"));
        Some(Security::raw_public_key(
            key,
            PublicKey::from_bytes(include_bytes!("../../pki/server.point")).ok()?,
        ))
    }
}

client!(Device, 640);
