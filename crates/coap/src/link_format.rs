//! Link format ([RFC 6690](https://www.rfc-editor.org/rfc/rfc6690)): what a server offers, as told under
//! `/.well-known/core`.
//!
//! ```
//! # use sedge_coap::link_format::{Resource, links, write_resources};
//! const RESOURCES: [Resource; 2] = [
//!     Resource { target: "/temp", attributes: &[("rt", "temperature-c"), ("if", "sensor")] },
//!     Resource { target: "/led", attributes: &[("rt", "light"), ("obs", "")] },
//! ];
//! let mut body = String::new();
//! write_resources(&mut body, &RESOURCES, [&b"rt=light*"[..]]).unwrap();
//! assert_eq!(body, "</led>;rt=\"light\";obs");
//! let link = links(&body).next().unwrap().unwrap();
//! assert_eq!(link.target(), "/led");
//! ```

use core::fmt::{self, Write};

use crate::Message;

/// The path segments of the resource that lists all others.
pub const WELL_KNOWN_CORE: [&str; 2] = [".well-known", "core"];

/// Whether a request asks for `/.well-known/core`.
pub fn is_discovery(request: &Message<'_>) -> bool {
    request.uri_path().eq(WELL_KNOWN_CORE.map(str::as_bytes))
}

/// A resource as a constant table lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    /// The path, percent-encoded, such as `/sensors/temp`.
    pub target: &'a str,
    /// Names and values; an empty value makes an attribute without one, such as `obs`.
    pub attributes: &'a [(&'a str, &'a str)],
}

/// Writes those of `resources` that every one of the request's Uri-Query arguments lets pass: the answer to
/// a GET of `/.well-known/core`.
///
/// # Errors
/// `out` does not take it.
pub fn write_resources<'r, 'q>(
    out: &mut impl Write,
    resources: impl IntoIterator<Item = &'r Resource<'r>>,
    query: impl IntoIterator<Item = &'q [u8]> + Clone,
) -> fmt::Result {
    let mut writer = LinkWriter::new(out);
    for resource in resources {
        let passes = query.clone().into_iter().all(|argument| {
            Filter::new(argument)
                .is_some_and(|filter| filter.matches(resource.target, resource.attributes.iter().copied()))
        });
        if passes {
            writer.link(resource.target)?;
            for (name, value) in resource.attributes {
                if value.is_empty() { writer.flag(name)? } else { writer.attribute(name, value)? }
            }
        }
    }
    Ok(())
}

/// Writes links one after the other.
#[derive(Debug)]
pub struct LinkWriter<'w, W> {
    out: &'w mut W,
    is_first: bool,
}

impl<'w, W: Write> LinkWriter<'w, W> {
    /// Writes to `out`: a [`Writer`](crate::Writer), whose payload it appends to, a
    /// [`Window`](crate::block::Window) on one block, or a `String`.
    pub const fn new(out: &'w mut W) -> Self {
        Self { out, is_first: true }
    }

    /// Begins a link to `target`, a URI reference.
    ///
    /// # Errors
    /// `out` does not take it, as with the other methods.
    pub fn link(&mut self, target: &str) -> fmt::Result {
        let separator = if self.is_first { "" } else { "," };
        self.is_first = false;
        write!(self.out, "{separator}<{target}>")
    }

    /// Adds an attribute to the link, with its value quoted.
    ///
    /// # Errors
    /// `out` does not take it.
    pub fn attribute(&mut self, name: &str, value: &str) -> fmt::Result {
        write!(self.out, ";{name}=\"")?;
        for part in value.split_inclusive(['"', '\\']) {
            match part.strip_suffix(['"', '\\']) {
                Some(plain) => {
                    let special = part.get(plain.len()..).unwrap_or("");
                    write!(self.out, "{plain}\\{special}")?;
                }
                None => self.out.write_str(part)?,
            }
        }
        self.out.write_char('"')
    }

    /// Adds an attribute whose value is a number, such as `ct` or `sz`.
    ///
    /// # Errors
    /// `out` does not take it.
    pub fn number(&mut self, name: &str, value: u32) -> fmt::Result {
        write!(self.out, ";{name}={value}")
    }

    /// Adds an attribute without a value, such as `obs`.
    ///
    /// # Errors
    /// `out` does not take it.
    pub fn flag(&mut self, name: &str) -> fmt::Result {
        write!(self.out, ";{name}")
    }
}

/// One argument of a query that selects links
/// ([RFC 6690 section 4.1](https://www.rfc-editor.org/rfc/rfc6690#section-4.1)): `name=value` or
/// `name=prefix*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter<'a> {
    name: &'a str,
    value: &'a str,
    is_prefix: bool,
}

impl<'a> Filter<'a> {
    /// Reads an Uri-Query option; `None` if it is no filter.
    pub fn new(argument: &'a [u8]) -> Option<Self> {
        let (name, value) = core::str::from_utf8(argument).ok()?.split_once('=')?;
        let prefix = value.strip_suffix('*');
        Some(Self { name, value: prefix.unwrap_or(value), is_prefix: prefix.is_some() })
    }

    /// The attribute it asks about; `href` for the target.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Whether a link with this target and these attributes passes. An attribute that lists several values
    /// (`rt`, `if`, `rel`, `ct`) passes with one of them.
    pub fn matches<'l>(
        &self,
        target: &str,
        attributes: impl IntoIterator<Item = (&'l str, &'l str)>,
    ) -> bool {
        if self.name == "href" {
            return self.matches_value(target);
        }
        attributes.into_iter().filter(|(name, _)| *name == self.name).any(|(name, value)| {
            let is_list = matches!(name, "rt" | "if" | "rel" | "rev" | "ct");
            self.matches_value(value) || is_list && value.split(' ').any(|value| self.matches_value(value))
        })
    }

    fn matches_value(&self, value: &str) -> bool {
        if self.is_prefix { value.starts_with(self.value) } else { value == self.value }
    }
}

/// A link as it stands in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    target: &'a str,
    attributes: &'a str,
}

/// The value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    // Without quotes, but with its escapes if it was quoted.
    text: &'a str,
    is_quoted: bool,
}

/// The document is not in link format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLinkFormat;

impl fmt::Display for NotLinkFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not in link format")
    }
}

impl core::error::Error for NotLinkFormat {}

/// The links of a document, up to the first that is not well-formed.
pub fn links(document: &str) -> impl Iterator<Item = Result<Link<'_>, NotLinkFormat>> {
    let mut rest = Some(document).filter(|document| !document.is_empty());
    core::iter::from_fn(move || {
        let link = split_link(rest.take()?);
        link.map(|(link, more)| {
            rest = more;
            link
        })
        .into()
    })
}

/// The first link, checked, and what follows its comma.
fn split_link(text: &str) -> Result<(Link<'_>, Option<&str>), NotLinkFormat> {
    let text = text.trim_ascii_start().strip_prefix('<').ok_or(NotLinkFormat)?;
    let (target, attributes) = text.split_once('>').ok_or(NotLinkFormat)?;
    let mut rest = attributes;
    while let Some(attribute) = rest.strip_prefix(';') {
        (_, rest) = split_attribute(attribute)?;
    }
    let attributes = attributes.strip_suffix(rest).unwrap_or(attributes);
    match rest.strip_prefix(',') {
        Some(more) => Ok((Link { target, attributes }, Some(more))),
        None if rest.is_empty() => Ok((Link { target, attributes }, None)),
        None => Err(NotLinkFormat),
    }
}

type Attribute<'a> = (&'a str, Option<Value<'a>>);

/// The attribute that `text` begins with, and what follows.
fn split_attribute(text: &str) -> Result<(Attribute<'_>, &str), NotLinkFormat> {
    let name_len = text.find(['=', ';', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(name_len).ok_or(NotLinkFormat)?;
    if name.is_empty() || name.contains(['"', '<', '>']) {
        return Err(NotLinkFormat);
    }
    let Some(value) = rest.strip_prefix('=') else { return Ok(((name, None), rest)) };
    let Some(quoted) = value.strip_prefix('"') else {
        let len = value.find([';', ',']).unwrap_or(value.len());
        let (text, rest) = value.split_at_checked(len).ok_or(NotLinkFormat)?;
        if text.contains('"') {
            return Err(NotLinkFormat);
        }
        return Ok(((name, Some(Value { text, is_quoted: false })), rest));
    };
    let mut is_escaped = false;
    let end = quoted.find(|character| {
        let ends = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        ends
    });
    let (text, rest) = end.and_then(|end| quoted.split_at_checked(end)).ok_or(NotLinkFormat)?;
    let rest = rest.strip_prefix('"').ok_or(NotLinkFormat)?;
    Ok(((name, Some(Value { text, is_quoted: true })), rest))
}

impl<'a> Link<'a> {
    /// The target, a URI reference.
    pub const fn target(&self) -> &'a str {
        self.target
    }

    /// The attributes, by name; those like `obs` have no value.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, Option<Value<'a>>)> + use<'a> {
        let mut rest = self.attributes;
        core::iter::from_fn(move || {
            let attribute;
            (attribute, rest) = split_attribute(rest.strip_prefix(';')?).ok()?;
            Some(attribute)
        })
    }

    /// The value of the first attribute `name` that has one.
    pub fn attribute(&self, name: &str) -> Option<Value<'a>> {
        self.attributes().find(|(known, value)| *known == name && value.is_some())?.1
    }
}

impl<'a> Value<'a> {
    /// The characters, escapes resolved.
    pub fn chars(self) -> impl Iterator<Item = char> + use<'a> {
        let mut chars = self.text.chars();
        core::iter::from_fn(move || match chars.next()? {
            '\\' if self.is_quoted => chars.next(),
            character => Some(character),
        })
    }
}

impl PartialEq<str> for Value<'_> {
    fn eq(&self, other: &str) -> bool {
        self.chars().eq(other.chars())
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|character| f.write_char(character))
    }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::vec::Vec;

    use super::*;
    use crate::{Code, Token, Type, Writer};

    // RFC 6690 section 5, the second example.
    const DOCUMENT: &str = "</sensors>;ct=40;title=\"Sensor Index\",\
        </sensors/temp>;rt=\"temperature-c\";if=\"sensor\",\
        </sensors/light>;rt=\"light-lux\";if=\"sensor\",\
        <http://www.example.com/sensors/t123>;anchor=\"/sensors/temp\";rel=\"describedby\",\
        </t>;anchor=\"/sensors/temp\";rel=\"alternate\"";

    #[test]
    fn reads_the_rfc_example() {
        let links: Vec<_> = links(DOCUMENT).map(Result::unwrap).collect();
        let targets: Vec<_> = links.iter().map(Link::target).collect();
        assert_eq!(
            targets,
            ["/sensors", "/sensors/temp", "/sensors/light", "http://www.example.com/sensors/t123", "/t"]
        );
        assert_eq!(links[0].attribute("title").unwrap().to_string(), "Sensor Index");
        assert!(links[0].attribute("ct").unwrap() == *"40");
        let names: Vec<_> = links[3].attributes().map(|(name, _)| name).collect();
        assert_eq!(names, ["anchor", "rel"]);
        assert_eq!(links[3].attribute("rt"), None);
    }

    #[test]
    fn reads_what_is_unusual() {
        let one = |text| links(text).next().unwrap().unwrap();
        assert_eq!(one("<>").target(), "");
        assert_eq!(one("</a>;obs;x=1").attributes().next(), Some(("obs", None)));
        assert_eq!(one("</a>;t=\"a,b;c>d\"").attribute("t").unwrap().to_string(), "a,b;c>d");
        assert_eq!(one(r#"</a>;t="\"q\" \\";u"#).attribute("t").unwrap().to_string(), r#""q" \"#);
        assert_eq!(one("</a>;t=\"\"").attribute("t").unwrap().to_string(), "");
        assert_eq!(links("").count(), 0);
        assert_eq!(links("</a>,\n</b>").filter_map(Result::ok).count(), 2);
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        for text in [
            "x",
            "</a",
            "</a>x",
            "</a>;",
            "</a>;=1",
            "</a>;t=\"x",
            "</a>;t=\"x\"y",
            "</a>;t=x\"",
            "</a>,",
            "</a>,,</b>",
        ] {
            assert_eq!(links(text).last(), Some(Err(NotLinkFormat)), "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        let mut buffer = [0; 128];
        let mut message = Writer::new(&mut buffer, Type::Ack, Code::CONTENT, 1, Token::EMPTY);
        let mut writer = LinkWriter::new(&mut message);
        writer.link("/d/a").unwrap();
        writer.attribute("title", r#"say "a\b""#).unwrap();
        writer.number("ct", 112).unwrap();
        writer.flag("obs").unwrap();
        writer.link("/d/b").unwrap();
        let len = message.finish().unwrap();
        let payload = Message::parse(&buffer[..len]).unwrap().payload();
        let text = core::str::from_utf8(payload).unwrap();
        assert_eq!(text, r#"</d/a>;title="say \"a\\b\"";ct=112;obs,</d/b>"#);
        let first = links(text).next().unwrap().unwrap();
        assert_eq!(first.attribute("title").unwrap().to_string(), r#"say "a\b""#);
        // What does not fit is told.
        let mut message = Writer::new(&mut buffer[..10], Type::Ack, Code::CONTENT, 1, Token::EMPTY);
        assert_eq!(LinkWriter::new(&mut message).link("/topics"), Err(fmt::Error));
    }

    /// RFC 6690 section 4.1 and the examples of section 5.
    #[test]
    fn filters_as_asked() {
        let resources = [
            Resource { target: "/sensors", attributes: &[("ct", "40 60")] },
            Resource { target: "/sensors/temp", attributes: &[("rt", "temperature-c x"), ("if", "sensor")] },
            Resource { target: "/led", attributes: &[("rt", "light"), ("title", "a b"), ("obs", "")] },
        ];
        let answer = |query: &[&str]| {
            let mut body = String::new();
            write_resources(&mut body, &resources, query.iter().map(|argument| argument.as_bytes())).unwrap();
            links(&body).map(|link| link.unwrap().target().to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(answer(&[]), "/sensors /sensors/temp /led");
        assert_eq!(answer(&["rt=light"]), "/led");
        assert_eq!(answer(&["rt=x"]), "/sensors/temp");
        assert_eq!(answer(&["rt=temp*"]), "/sensors/temp");
        assert_eq!(answer(&["rt=*"]), "/sensors/temp /led");
        assert_eq!(answer(&["href=/sensors*"]), "/sensors /sensors/temp");
        assert_eq!(answer(&["href=/sensors"]), "/sensors");
        assert_eq!(answer(&["ct=60"]), "/sensors");
        assert_eq!(answer(&["href=/sensors*", "if=sensor"]), "/sensors/temp");
        assert_eq!(answer(&["title=a"]), "");
        assert_eq!(answer(&["obs"]), "");
        assert_eq!(answer(&["nothing=1"]), "");
    }

    #[test]
    fn knows_discovery_when_it_is_asked() {
        let asks = |bytes: &[u8]| is_discovery(&Message::parse(bytes).unwrap());
        assert!(asks(b"\x40\x01\x00\x00\xbb.well-known\x04core"));
        assert!(!asks(b"\x40\x01\x00\x00\xbb.well-known"));
        assert!(!asks(b"\x40\x01\x00\x00\xbb.well-known\x04core\x00"));
    }
}
