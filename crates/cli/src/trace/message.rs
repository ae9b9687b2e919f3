//! A CoAP message in words.

use sedge_coap::{Code, ContentFormat, Format, Message, OptionNumber, Type};

use crate::codec::{format, hex, value};
use crate::output::Style;

/// The first line (type, Message ID, code, token), then one line per option, then the payload.
pub(crate) fn describe(bytes: &[u8], style: Style) -> Vec<String> {
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(error) => return vec![format!("{} h'{}'", style.red(error), hex::encode(bytes))],
    };
    let kind = match message.kind() {
        Type::Con => "CON",
        Type::Non => "NON",
        Type::Ack => "ACK",
        Type::Rst => "RST",
    };
    let token = message.token();
    let token =
        if token.is_empty() { String::new() } else { format!(" token {}", hex::encode(token.as_bytes())) };
    let mut lines =
        vec![format!("{kind} {:#06x} {}{token}", message.message_id(), style.bold(code(message.code())))];
    lines.extend(
        message.options().map(|(number, bytes)| {
            format!("    {} {}", style.dim(format!("{number}:")), option(number, bytes))
        }),
    );
    if !message.payload().is_empty() {
        let size = style.dim(format!("payload, {} B:", message.payload().len()));
        let shown = payload(&message);
        lines.push(format!("    {size} {}", shown.replace('\n', "\n        ")));
    }
    lines
}

/// A code with its name.
pub(crate) fn code(code: Code) -> String {
    match (code.name(), code.is_request()) {
        ("", _) => code.to_string(),
        (name, true) => name.into(),
        (name, false) if code == Code::EMPTY => name.to_lowercase(),
        (name, false) => format!("{code} {name}"),
    }
}

fn payload(message: &Message<'_>) -> String {
    // A block of a larger body cannot be decoded alone.
    let is_part = [message.block1(), message.block2()].into_iter().flatten().any(|b| b.more() || b.num() > 0);
    let payload = message.payload();
    if is_part && str::from_utf8(payload).is_err() {
        return format!("h'{}'", hex::encode(payload));
    }
    // RFC 7252 section 5.5.2: what explains an error without a format is text.
    value::display(message.content_format(), payload)
}

fn option(number: OptionNumber, bytes: &[u8]) -> String {
    let uint = || bytes.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    match number {
        OptionNumber::CONTENT_FORMAT | OptionNumber::ACCEPT if bytes.len() <= 2 => {
            format::describe(ContentFormat(uint() as u16))
        }
        OptionNumber::BLOCK1 | OptionNumber::BLOCK2 if bytes.len() <= 3 => {
            let value = uint();
            let more = if value & 8 == 0 { "the last" } else { "more follow" };
            format!("number {} of {} B, {more}", value >> 4, 16 << (value & 7))
        }
        OptionNumber::MAX_AGE if bytes.len() <= 4 => format!("{} s", uint()),
        _ => match number.definition().map(|definition| definition.format) {
            Some(Format::Uint) if bytes.len() <= 8 => uint().to_string(),
            Some(Format::String) => match str::from_utf8(bytes) {
                Ok(text) => format!("{text:?}"),
                Err(_) => format!("h'{}'", hex::encode(bytes)),
            },
            Some(Format::Empty) => String::new(),
            _ => format!("h'{}'", hex::encode(bytes)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_like_the_rfcs() {
        // RFC 7959 figure 2 in spirit: a block of a text.
        let bytes = b"\x62\x45\x12\x34\xab\xcd\x42\x01\x02\x80\x21\x3c\x91\x0a\xffhello";
        let lines = describe(bytes, Style::stderr());
        assert_eq!(
            lines,
            [
                "ACK 0x1234 2.05 Content token abcd",
                "    ETag: h'0102'",
                "    Content-Format: 0 text/plain; charset=utf-8",
                "    Max-Age: 60 s",
                "    Block2: number 0 of 64 B, more follow",
                "    payload, 5 B: hello",
            ]
        );
        assert_eq!(describe(b"\x70\x00\x00\x07", Style::stderr()), ["RST 0x0007 empty"]);
        assert_eq!(
            describe(b"\x44\x01\x00\x07tokn\xb1a", Style::stderr())[..2],
            ["CON 0x0007 GET token 746f6b6e", "    Uri-Path: \"a\""]
        );
        assert!(describe(b"\xff", Style::stderr())[0].contains("truncated"));
    }
}
