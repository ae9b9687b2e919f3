//! Servers that others wrote, put under the same load.

pub(crate) mod libcoap;
pub(crate) mod openssl;
