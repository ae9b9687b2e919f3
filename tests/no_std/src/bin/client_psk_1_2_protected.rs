//! A whole client: DTLS 1.2 with a pre-shared key and a Connection ID, CoAP, Observe, block-wise
//! transfer, and topics whose values are in COSE_Encrypt0.
#![no_std]
#![no_main]

#[path = "../client.rs"]
mod client;
#[path = "../footprint/protected.rs"]
mod protected;

use sedge_client::{ContentFormat, Psk, Security, Versions};
use sedge_dtls::{Absent, Profile};

struct Device;

impl Profile for Device {
    type Crypto = client::Provider;
    type Flight = [u8; 416];
    type ServerFlight = [u8; 0];
    const SERVER: bool = false;
    type Server = Absent;
    type Inbox = [u8; 192];
    const DTLS_1_2: bool = true;
    const DTLS_1_3: bool = false;
    type Dtls13 = Absent;
    const PSK: bool = true;
    const ECDHE: bool = false;
    type Ephemeral = Absent;
    const CERTIFICATES: bool = false;
    const RESUMPTION: bool = false;
}

impl client::Image for Device {
    type Profile = Self;
    const VERSIONS: Versions = Versions::ONLY_1_2;

    fn security() -> Option<Security<'static>> {
        Some(Security::Psk { identity: b"sensor-7", key: Psk::new(b"sixteen secrets!")? })
    }

    fn protect(reading: &'static [u8]) -> Option<(&'static [u8], ContentFormat)> {
        protected::protect(reading)
    }

    #[cfg(feature = "count")]
    fn protect_again<'b>(reading: &'b [u8], buffer: &'b mut [u8]) -> Option<(&'b [u8], ContentFormat)> {
        protected::protect_again(reading, buffer)
    }
}

client!(Device, 256);
