//! Diagnostic notation (RFC 8949 section 8), for people.

use core::fmt;

use super::decoder::Decoder;
use super::{Error, Type};

/// Prints encoded items in diagnostic notation
/// ([RFC 8949 section 8](https://www.rfc-editor.org/rfc/rfc8949#section-8)).
///
/// Items that follow each other are separated by commas. What is not in deterministic form is printed up to there and
/// then as a comment with the reason. Nothing is hidden: whoever prints a key shows it.
///
/// ```
/// use sedge_cose::cbor::Diagnostic;
///
/// let encoded = [0xa2, 1, 0x64, b'c', b'o', b'a', b'p', 4, 0x82, 0x42, 0xff, 0, 0x20];
/// assert_eq!(Diagnostic::new(&encoded).to_string(), r#"{1: "coap", 4: [h'ff00', -1]}"#);
/// ```
#[derive(Clone, Copy)]
pub struct Diagnostic<'b> {
    bytes: &'b [u8],
    embedded: bool,
}

impl<'b> Diagnostic<'b> {
    /// What these bytes mean.
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, embedded: false }
    }

    /// The same, with byte strings that hold exactly one array, map or tag printed as that, between `<<` and `>>`.
    pub const fn with_embedded(self) -> Self {
        Self { embedded: true, ..self }
    }
}

impl fmt::Display for Diagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut decoder = Decoder::new(self.bytes);
        let mut between = "";
        while !decoder.is_empty() {
            f.write_str(between)?;
            match decoder.item() {
                Ok(item) => self.print(f, &mut Decoder::new(item))?,
                Err(error) => {
                    write!(f, "/ {error} / ")?;
                    return hex(f, decoder.remaining());
                }
            }
            between = ", ";
        }
        Ok(())
    }
}

impl Diagnostic<'_> {
    /// Prints one item, which has been checked.
    fn print(&self, f: &mut fmt::Formatter<'_>, decoder: &mut Decoder<'_>) -> fmt::Result {
        let Ok(kind) = decoder.peek() else { return Err(fmt::Error) };
        match kind {
            Type::Unsigned => write!(f, "{}", known(decoder.unsigned())?),
            Type::Negative => write!(f, "{}", known(decoder.negative())?),
            Type::Bytes => self.print_bytes(f, known(decoder.bytes())?),
            Type::Text => print_text(f, known(decoder.text())?),
            Type::Array => {
                f.write_str("[")?;
                for number in 0..known(decoder.array())? {
                    f.write_str(if number == 0 { "" } else { ", " })?;
                    self.print(f, decoder)?;
                }
                f.write_str("]")
            }
            Type::Map => {
                f.write_str("{")?;
                for number in 0..known(decoder.map_head())? {
                    f.write_str(if number == 0 { "" } else { ", " })?;
                    self.print(f, decoder)?;
                    f.write_str(": ")?;
                    self.print(f, decoder)?;
                }
                f.write_str("}")
            }
            Type::Tag => {
                write!(f, "{}(", known(decoder.tag())?)?;
                self.print(f, decoder)?;
                f.write_str(")")
            }
            Type::Bool => write!(f, "{}", known(decoder.bool())?),
            Type::Null => known(decoder.null()).and_then(|()| f.write_str("null")),
            Type::Float => match known(decoder.float())? {
                number if number.is_nan() => f.write_str("NaN"),
                number if number.is_infinite() => {
                    f.write_str(if number > 0.0 { "Infinity" } else { "-Infinity" })
                }
                number => write!(f, "{number:?}"),
            },
            Type::Simple => match known(decoder.simple_value())? {
                23 => f.write_str("undefined"),
                value => write!(f, "simple({value})"),
            },
        }
    }

    fn print_bytes(&self, f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
        let mut inside = Decoder::new(bytes);
        let holds_one = self.embedded
            && matches!(inside.peek(), Ok(Type::Array | Type::Map | Type::Tag))
            && inside.skip().and_then(|()| inside.end()).is_ok();
        if !holds_one {
            return hex(f, bytes);
        }
        f.write_str("<<")?;
        self.print(f, &mut Decoder::new(bytes))?;
        f.write_str(">>")
    }
}

impl fmt::Debug for Diagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Diagnostic({self})")
    }
}

/// What cannot fail, because the item has been checked.
fn known<T>(read: Result<T, Error>) -> Result<T, fmt::Error> {
    read.map_err(|_| fmt::Error)
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_str("h'")?;
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
    f.write_str("'")
}

/// In quotation marks, escaped as in JSON.
fn print_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for char in text.chars() {
        match char {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            char if char.is_control() => write!(f, "\\u{:04x}", u32::from(char))?,
            char => write!(f, "{char}")?,
        }
    }
    f.write_str("\"")
}
