//! DTLS 1.3 with a pre-shared key.
#![no_std]
#![no_main]

#[path = "../footprint.rs"]
mod footprint;
#[path = "../footprint/psk.rs"]
mod psk;

use sedge_dtls::{Absent, Credentials, Present, Profile, Versions};

struct Client;

impl Profile for Client {
    type Crypto = footprint::Provider;
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

impl footprint::Image for Client {
    type Profile = Self;
    const VERSIONS: Versions = Versions::ONLY_1_3;

    fn credentials() -> impl Credentials<footprint::Provider> {
        psk::credentials()
    }
}

image!(Client);
