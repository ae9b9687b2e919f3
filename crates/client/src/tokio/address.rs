//! From `coaps://host:port` to socket addresses.

use std::borrow::ToOwned as _;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::string::String;
use std::vec::Vec;

use sedge_coap::{COAP_PORT, COAPS_PORT};

use super::ConnectError;

/// Where a server is, and whether DTLS is spoken with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `coaps`, not `coap`.
    pub secure: bool,
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The UDP port.
    pub port: u16,
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(String);

impl Address {
    /// Reads the scheme, host and port of a URI, and nothing after them.
    ///
    /// # Errors
    /// The scheme is neither `coap` nor `coaps`, there is no host, or the port is no number.
    pub fn parse(uri: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(uri.to_owned());
        let (scheme, rest) = uri.split_once("://").ok_or_else(wrong)?;
        let secure = match scheme {
            "coaps" => true,
            "coap" => false,
            _ => return Err(wrong()),
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                (host, port.strip_prefix(':').or(port.is_empty().then_some("")))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let port = match port.ok_or_else(wrong)? {
            "" if secure => COAPS_PORT,
            "" => COAP_PORT,
            digits => digits.parse().map_err(|_| wrong())?,
        };
        if host.is_empty() || host.contains('@') {
            return Err(wrong());
        }
        Ok(Self { secure, host: host.to_owned(), port })
    }

    /// The socket addresses of the host, the preferred first.
    ///
    /// # Errors
    /// [`ConnectError::Resolve`].
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(std::vec![SocketAddr::new(ip, self.port)]);
        }
        match tokio::net::lookup_host((self.host.as_str(), self.port)).await {
            Ok(found) => Ok(found.collect()),
            Err(error) => Err(ConnectError::Resolve(self.host.clone(), error)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secure, host, port } = self;
        let scheme = if *secure { "coaps" } else { "coap" };
        let default = if *secure { COAPS_PORT } else { COAP_PORT };
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{host}{close}")?;
        if *port == default { Ok(()) } else { write!(f, ":{port}") }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no address: write coaps://HOST or coaps://HOST:PORT", self.0)
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn addresses_read_and_print() {
        for (uri, secure, host, port, printed) in [
            ("coaps://a.example", true, "a.example", 5684, "coaps://a.example"),
            ("coap://a:61616/d/x?y", false, "a", 61616, "coap://a:61616"),
            ("coaps://[::1]:5684/", true, "::1", 5684, "coaps://[::1]"),
            ("coap://[2001:db8::1]", false, "2001:db8::1", 5683, "coap://[2001:db8::1]"),
            ("coaps://127.0.0.1:1", true, "127.0.0.1", 1, "coaps://127.0.0.1:1"),
        ] {
            let address = Address::parse(uri).unwrap();
            assert_eq!(address, Address { secure, host: host.into(), port });
            assert_eq!(address.to_string(), printed);
        }
        for wrong in [
            "",
            "a",
            "http://a",
            "coaps://",
            "coaps://:1",
            "coaps://a:b",
            "coaps://[::1",
            "coaps://[::1]x",
            "coaps://a:70000",
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
