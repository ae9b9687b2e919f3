//! Servers that others wrote, put under the same load.

pub(crate) mod openssl;
