//! A whole client: DTLS 1.3 with a pre-shared key and a Connection ID, CoAP, Observe and block-wise transfer.
#![no_std]
#![no_main]

#[path = "../client.rs"]
mod client;

use sedge_client::{Psk, Security, Versions};
use sedge_dtls::{Absent, Present, Profile};

struct Device;

impl Profile for Device {
    type Crypto = client::Provider;
    type Flight = [u8; 416];
    type ServerFlight = [u8; 0];
    const SERVER: bool = false;
    type Server = Absent;
    type Inbox = [u8; 192];
    const DTLS_1_2: bool = false;
    const DTLS_1_3: bool = true;
    type Dtls13 = Present;
    const PSK: bool = true;
    const ECDHE: bool = false;
    type Ephemeral = Absent;
    const CERTIFICATES: bool = false;
    const RESUMPTION: bool = false;
}

impl client::Image for Device {
    type Profile = Self;
    const VERSIONS: Versions = Versions::ONLY_1_3;

    fn security() -> Option<Security<'static>> {
        Some(Security::Psk { identity: b"sensor-7", key: Psk::new(b"sixteen secrets!")? })
    }
}

client!(Device, 384);
