//! Hexadecimal digits, in which records are named.

use alloc::string::String;

pub(crate) fn encode(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Fills `out`, which is as long as the text says; `None` if it is not.
pub(crate) fn decode(text: &str, out: &mut [u8]) -> Option<()> {
    if text.len() != 2 * out.len() || !text.is_ascii() {
        return None;
    }
    let mut digits = text.chars();
    for byte in out {
        let (high, low) = (digits.next()?.to_digit(16)?, digits.next()?.to_digit(16)?);
        *byte = (high << 4 | low) as u8;
    }
    Some(())
}
