//! DTLS 1.2 and 1.3 with certificates and one pinned issuer.
#![no_std]
#![no_main]

#[path = "../footprint.rs"]
mod footprint;
#[allow(dead_code, reason = "an image is either of its devices")]
#[path = "../footprint/key_pair.rs"]
mod key_pair;

use sedge_dtls::{Absent, Credentials, Present, Profile, Versions};

struct Client;

impl Profile for Client {
    type Crypto = footprint::Provider;
    type Flight = [u8; 1024];
    type ServerFlight = [u8; 0];
    const SERVER: bool = false;
    type Server = Absent;
    type Inbox = [u8; 640];
    const DTLS_1_2: bool = true;
    const DTLS_1_3: bool = true;
    type Dtls13 = Present;
    const PSK: bool = false;
    const ECDHE: bool = true;
    type Ephemeral = Present;
    const CERTIFICATES: bool = true;
    const RESUMPTION: bool = false;
}

impl footprint::Image for Client {
    type Profile = Self;
    const VERSIONS: Versions = Versions::ALL;

    fn credentials() -> impl Credentials<footprint::Provider> {
        key_pair::Certificate::credentials()
    }
}

image!(Client);
