//! Handshakes over a link without faults.

use sedge_dtls::*;

use crate::party::*;
use crate::world::*;

#[test]
fn a_pre_shared_key_is_enough() {
    for setup in [Setup::psk(), Setup::psk_dhe()] {
        let mut world = World::established(setup);
        assert_eq!(world.principals, (Some(0), Some(PSK_PRINCIPAL)));
        world.exchange_data();
        assert!(world.client.session().is_dtls_1_3() && world.server.session().is_dtls_1_3());
    }
}
