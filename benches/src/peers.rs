//! Servers that others wrote, put under the same load.

pub(crate) mod libcoap;
pub(crate) mod openssl;

/// The names and versions of all of them.
pub(crate) fn versions() -> Vec<String> {
    let openssl = openssl::version().map(|version| format!("{version}, in benches/peers/openssl_server.c"));
    let coap_lite = Some("coap-lite 0.13".to_owned());
    [coap_lite, openssl, libcoap::version()].into_iter().flatten().collect()
}
