//! The `coap` and `coaps` URI schemes, taken apart into options and put together from them
//! ([RFC 7252 section 6](https://www.rfc-editor.org/rfc/rfc7252#section-6)).

use core::fmt::{self, Write as _};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{COAP_PORT, COAPS_PORT, Message, OptionNumber, Writer};

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// CoAP over UDP.
    Coap,
    /// CoAP over DTLS.
    Coaps,
}

impl Scheme {
    /// The scheme's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Coap => "coap",
            Self::Coaps => "coaps",
        }
    }

    /// The port if the URI names none: 5683 or 5684.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Coap => COAP_PORT,
            Self::Coaps => COAPS_PORT,
        }
    }
}

/// The host of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A name to be resolved, percent-encoded as it was.
    Name(Encoded<'a>),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, with the zone of one that is local to a link
    /// ([RFC 6874](https://www.rfc-editor.org/rfc/rfc6874)).
    V6(Ipv6Addr, Option<&'a str>),
}

/// An absolute `coap://` or `coaps://` URI that has been checked.
///
/// ```
/// # use sedge_coap::uri::{Host, Uri};
/// let uri = Uri::parse("coaps://[2001:db8::7]/d/caf%C3%A9?unit=K").unwrap();
/// assert_eq!(uri.host(), Host::V6("2001:db8::7".parse().unwrap(), None));
/// assert_eq!(uri.port(), 5684);
/// assert!(uri.path().nth(1).unwrap().bytes().eq("café".bytes()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    scheme: Scheme,
    host: Host<'a>,
    port: u16,
    path: &'a str,
    query: Option<&'a str>,
}

/// A part of a URI with percent-encoded bytes in it, all well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded<'a>(&'a str);

/// Why a text is no URI that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriError {
    /// It does not begin with `coap://` or `coaps://`.
    Scheme,
    /// The host is missing or is no name or address.
    Host,
    /// The port is no number from 1 to 65535.
    Port,
    /// A `%` is not followed by two hexadecimal digits.
    PercentEncoding,
    /// It contains a character that a URI cannot.
    Character,
    /// A path segment is `.` or `..`.
    DotSegment,
    /// The host, a path segment or a query argument is longer than the 255 bytes that an option holds.
    TooLong,
    /// It has a fragment (`#`), which is no business of a server.
    Fragment,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "a URI begins with coap:// or coaps://",
            Self::Host => "the host is missing or is no name or address",
            Self::Port => "the port is no number from 1 to 65535",
            Self::PercentEncoding => "a % is not followed by two hexadecimal digits",
            Self::Character => "a character must be percent-encoded",
            Self::DotSegment => "a path segment cannot be . or ..",
            Self::TooLong => "the host, a path segment or a query argument is longer than 255 bytes",
            Self::Fragment => "a fragment (#) cannot be asked for",
        })
    }
}

impl core::error::Error for UriError {}

impl<'a> Uri<'a> {
    /// Checks `text` and takes it apart
    /// ([RFC 7252 section 6.4](https://www.rfc-editor.org/rfc/rfc7252#section-6.4)).
    ///
    /// # Errors
    /// It is no absolute URI of the two schemes.
    pub fn parse(text: &'a str) -> Result<Self, UriError> {
        let (scheme, rest) = text.split_once("://").ok_or(UriError::Scheme)?;
        let scheme = [Scheme::Coap, Scheme::Coaps]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(scheme))
            .ok_or(UriError::Scheme)?;
        if rest.contains('#') {
            return Err(UriError::Fragment);
        }
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at_checked(at).unwrap_or((rest, "")),
            None => (rest, ""),
        };
        let (host, port) = parse_authority(authority)?;
        let port = port.unwrap_or(scheme.default_port());
        let uri = Self { scheme, host, port, path, query };
        for segment in uri.path() {
            segment.check(b":@")?;
            if segment.bytes().eq(*b".") || segment.bytes().eq(*b"..") {
                return Err(UriError::DotSegment);
            }
        }
        for argument in uri.query() {
            argument.check(b":@/?&")?;
        }
        Ok(uri)
    }

    /// The scheme.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host.
    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// The port, the scheme's own if the URI names none.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The segments of the path; none for `/`.
    pub fn path(&self) -> impl Iterator<Item = Encoded<'a>> + Clone + use<'a> {
        let segments = self.path.strip_prefix('/').filter(|segments| !segments.is_empty());
        segments.into_iter().flat_map(|segments| segments.split('/')).map(Encoded)
    }

    /// The arguments of the query, which `&` separates.
    pub fn query(&self) -> impl Iterator<Item = Encoded<'a>> + Clone + use<'a> {
        self.query.into_iter().flat_map(|query| query.split('&')).map(Encoded)
    }

    /// Writes the Uri-Host option for a host that is a name. Uri-Port is never needed: the request goes to
    /// the port that the URI names.
    pub fn write_host(&self, writer: &mut Writer<'_>) {
        if let Host::Name(name) = self.host {
            name.write(OptionNumber::URI_HOST, writer, |byte| byte.to_ascii_lowercase());
        }
    }

    /// Writes the Uri-Path options.
    pub fn write_path(&self, writer: &mut Writer<'_>) {
        self.path().for_each(|segment| segment.write(OptionNumber::URI_PATH, writer, |byte| byte));
    }

    /// Writes the Uri-Query options.
    pub fn write_query(&self, writer: &mut Writer<'_>) {
        self.query().for_each(|argument| argument.write(OptionNumber::URI_QUERY, writer, |byte| byte));
    }
}

impl<'a> Encoded<'a> {
    /// The text as it stands in the URI.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The bytes that it stands for.
    pub fn bytes(self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let mut rest = self.0.as_bytes();
        core::iter::from_fn(move || {
            let byte;
            (byte, rest) = match rest {
                [b'%', high, low, rest @ ..] => (hex(*high)? << 4 | hex(*low)?, rest),
                [byte, rest @ ..] => (*byte, rest),
                [] => return None,
            };
            Some(byte)
        })
    }

    fn check(self, also_allowed: &[u8]) -> Result<(), UriError> {
        let mut rest = self.0.as_bytes();
        loop {
            rest = match rest {
                [] => break,
                [b'%', high, low, rest @ ..] if hex(*high).is_some() && hex(*low).is_some() => rest,
                [b'%', ..] => return Err(UriError::PercentEncoding),
                [byte, rest @ ..] if is_plain(*byte) || also_allowed.contains(byte) => rest,
                _ => return Err(UriError::Character),
            };
        }
        if self.bytes().count() > 255 { Err(UriError::TooLong) } else { Ok(()) }
    }

    fn write(self, number: OptionNumber, writer: &mut Writer<'_>, map: fn(u8) -> u8) {
        let mut value = [0; 255];
        let len = value.iter_mut().zip(self.bytes()).map(|(place, byte)| *place = map(byte)).count();
        writer.option(number, value.get(..len).unwrap_or(&[]));
    }
}

/// Unreserved characters and sub-delimiters but `&`, which divides a query
/// ([RFC 3986 section 2](https://www.rfc-editor.org/rfc/rfc3986#section-2)).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$'()*+,;=&".contains(&byte)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

fn parse_authority(authority: &str) -> Result<(Host<'_>, Option<u16>), UriError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => {
            let (literal, port) = literal.split_once(']').ok_or(UriError::Host)?;
            let (address, zone) = match literal.split_once("%25") {
                Some((address, zone)) if !zone.is_empty() => (address, Some(zone)),
                Some(_) => return Err(UriError::Host),
                None => (literal, None),
            };
            (Host::V6(address.parse().map_err(|_| UriError::Host)?, zone), port)
        }
        None => {
            let at = authority.find(':').unwrap_or(authority.len());
            let (name, port) = authority.split_at_checked(at).ok_or(UriError::Host)?;
            let host = match name.parse() {
                Ok(address) => Host::V4(address),
                Err(_) if name.is_empty() || name.contains('@') => return Err(UriError::Host),
                Err(_) => {
                    Encoded(name).check(b"")?;
                    Host::Name(Encoded(name))
                }
            };
            (host, port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some("") => None,
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|&port| port != 0).ok_or(UriError::Port)?)
        }
        _ => return Err(UriError::Port),
    };
    Ok((host, port))
}

/// The URI that a request asks for, put together from its options
/// ([RFC 7252 section 6.5](https://www.rfc-editor.org/rfc/rfc7252#section-6.5)). It displays as the URI.
#[derive(Clone, Copy, Debug)]
pub struct RequestUri<'m> {
    request: &'m Message<'m>,
    scheme: Scheme,
    destination: SocketAddr,
}

impl<'m> RequestUri<'m> {
    /// The URI of a `request` that was sent to `destination` in the security that `scheme` stands for.
    pub const fn new(request: &'m Message<'m>, scheme: Scheme, destination: SocketAddr) -> Self {
        Self { request, scheme, destination }
    }
}

impl fmt::Display for RequestUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.as_str())?;
        match (self.request.value(OptionNumber::URI_HOST), self.destination.ip()) {
            // An IP literal keeps its brackets and colons.
            (Some(literal), _) if literal.starts_with(b"[") => encode(f, literal, b"[]:")?,
            (Some(name), _) => encode(f, name, b"")?,
            (None, IpAddr::V4(address)) => write!(f, "{address}")?,
            (None, IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        let port = self.request.uri_port().unwrap_or(self.destination.port());
        if port != self.scheme.default_port() {
            write!(f, ":{port}")?;
        }
        let mut path = self.request.uri_path().peekable();
        if path.peek().is_none() {
            f.write_char('/')?;
        }
        for segment in path {
            f.write_char('/')?;
            encode(f, segment, b":@&")?;
        }
        for (index, argument) in self.request.uri_query().enumerate() {
            f.write_char(if index == 0 { '?' } else { '&' })?;
            encode(f, argument, b":@/?")?;
        }
        Ok(())
    }
}

fn encode(f: &mut fmt::Formatter<'_>, bytes: &[u8], also_plain: &[u8]) -> fmt::Result {
    for &byte in bytes {
        let plain = is_plain(byte) && byte != b'&' || also_plain.contains(&byte);
        if plain { f.write_char(byte.into())? } else { write!(f, "%{byte:02X}")? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;
    use crate::{Code, Token, Type};

    fn options(text: &str) -> Vec<(u16, Vec<u8>)> {
        let uri = Uri::parse(text).unwrap();
        let mut buffer = [0; 1024];
        let mut writer = Writer::new(&mut buffer, Type::Con, Code::GET, 1, Token::EMPTY);
        uri.write_host(&mut writer);
        uri.write_path(&mut writer);
        uri.write_query(&mut writer);
        let len = writer.finish().unwrap();
        Message::parse(&buffer[..len]).unwrap().options().map(|(n, v)| (n.0, v.to_vec())).collect()
    }

    #[test]
    fn takes_uris_apart() {
        let option = |number, value: &str| (number, value.as_bytes().to_vec());
        assert_eq!(options("coap://example.net"), [option(3, "example.net")]);
        assert_eq!(options("COAP://EXAMPLE.net/"), [option(3, "example.net")]);
        assert_eq!(options("coap://10.0.0.1/a"), [option(11, "a")]);
        assert_eq!(options("coap://[::1]:61616/?x"), [option(15, "x")]);
        assert_eq!(
            options("coap://h/.well-known/core?rt=a&if=b%26c"),
            [
                option(3, "h"),
                option(11, ".well-known"),
                option(11, "core"),
                option(15, "rt=a"),
                option(15, "if=b&c")
            ]
        );
        assert_eq!(
            options("coap://h/a//%2F/%E2%82%AC/"),
            [
                option(3, "h"),
                option(11, "a"),
                option(11, ""),
                option(11, "/"),
                option(11, "€"),
                option(11, "")
            ]
        );
        assert_eq!(options("coap://h?"), [option(3, "h"), option(15, "")]);
    }

    /// RFC 7252 section 6.3: three spellings of one URI.
    #[test]
    fn equivalent_uris_make_the_same_request() {
        let expected = options("coap://example.com:5683/~sensors/temp.xml");
        assert_eq!(options("coap://EXAMPLE.com/%7Esensors/temp.xml"), expected);
        assert_eq!(options("coap://EXAMPLE.com:/%7esensors/temp.xml"), expected);
    }

    #[test]
    fn tells_host_and_port() {
        let uri = |text| Uri::parse(text).unwrap();
        assert_eq!(
            (uri("coap://h").port(), uri("coaps://h").port(), uri("coaps://h:7").port()),
            (5683, 5684, 7)
        );
        assert_eq!(uri("coap://127.0.0.1:1").host(), Host::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(
            uri("coap://[fe80::1%25eth0]:1/").host(),
            Host::V6("fe80::1".parse().unwrap(), Some("eth0"))
        );
        assert_eq!(uri("coap://256.0.0.1").host(), Host::Name(Encoded("256.0.0.1")));
    }

    #[test]
    fn refuses_what_is_no_uri() {
        for (text, error) in [
            ("", UriError::Scheme),
            ("http://h/", UriError::Scheme),
            ("coap:h", UriError::Scheme),
            ("/d/temp", UriError::Scheme),
            ("coap://", UriError::Host),
            ("coap:///a", UriError::Host),
            ("coap://user@h/", UriError::Host),
            ("coap://[::1", UriError::Host),
            ("coap://[1.2.3.4]/", UriError::Host),
            ("coap://[fe80::1%25]/", UriError::Host),
            ("coap://h:0", UriError::Port),
            ("coap://h:65536", UriError::Port),
            ("coap://h:+5", UriError::Port),
            ("coap://[::1]5", UriError::Port),
            ("coap://h/%4", UriError::PercentEncoding),
            ("coap://h/%4g", UriError::PercentEncoding),
            ("coap://h/a b", UriError::Character),
            ("coap://h/ü", UriError::Character),
            ("coap://h|x/", UriError::Character),
            ("coap://h/a/../b", UriError::DotSegment),
            ("coap://h/%2e", UriError::DotSegment),
            ("coap://h/a#b", UriError::Fragment),
        ] {
            assert_eq!(Uri::parse(text), Err(error), "{text}");
        }
        let long = format!("coap://h/{}", "%41".repeat(256));
        assert_eq!(Uri::parse(&long), Err(UriError::TooLong));
        assert!(Uri::parse(&long[..long.len() - 3]).is_ok());
    }

    #[test]
    fn puts_uris_together() {
        let uri = |text: &str, scheme, destination: &str| {
            let parsed = Uri::parse(text).unwrap();
            let mut buffer = [0; 256];
            let mut writer = Writer::new(&mut buffer, Type::Con, Code::GET, 1, Token::EMPTY);
            parsed.write_host(&mut writer);
            parsed.write_path(&mut writer);
            parsed.write_query(&mut writer);
            let len = writer.finish().unwrap();
            let request = Message::parse(&buffer[..len]).unwrap();
            RequestUri::new(&request, scheme, destination.parse().unwrap()).to_string()
        };
        let coap = |text, destination| uri(text, Scheme::Coap, destination);
        assert_eq!(coap("coap://h/a%20b/%2F/?x=%26&y=?/", "1.2.3.4:5683"), "coap://h/a%20b/%2F/?x=%26&y=?/");
        assert_eq!(coap("coap://1.2.3.4/", "1.2.3.4:5683"), "coap://1.2.3.4/");
        assert_eq!(coap("coap://1.2.3.4/a", "1.2.3.4:5684"), "coap://1.2.3.4:5684/a");
        assert_eq!(uri("coaps://[::1]/a", Scheme::Coaps, "[::1]:5684"), "coaps://[::1]/a");
    }
}
