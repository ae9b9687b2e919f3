//! A device with a pre-shared key.

use sedge_dtls::{Credentials, Psk};

use crate::footprint::Provider;

/// One like any other device's.
static KEY: [u8; 16] = *b"sixteen secrets!";

pub fn credentials() -> impl Credentials<Provider> {
    struct Device(Option<Psk>);

    impl Credentials<Provider> for Device {
        fn own_psk(&mut self) -> Option<(&[u8], &Psk)> {
            Some((b"boiler", self.0.as_ref()?))
        }
    }

    Device(Psk::new(&KEY))
}
