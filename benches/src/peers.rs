//! Servers that others wrote, put under the same load.

mod c_server;
pub(crate) mod libcoap;
pub(crate) mod mbedtls;
pub(crate) mod openssl;

/// The names and versions of all of them.
pub(crate) fn versions() -> Vec<String> {
    let coap_lite = Some("coap-lite 0.13".to_owned());
    [coap_lite, openssl::version(), mbedtls::version(), libcoap::version()].into_iter().flatten().collect()
}
