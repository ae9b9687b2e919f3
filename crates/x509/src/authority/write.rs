//! A writer of DER: each function gives a whole element.

use crate::der;

/// An element of these parts, one behind the other.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(len + 6);
    out.push(tag);
    let digits = len.to_be_bytes();
    let zeros = digits.iter().take_while(|&&digit| digit == 0).count();
    match digits.get(zeros..).unwrap_or_default() {
        [] => out.push(0),
        [len @ 0..0x80] => out.push(*len),
        digits => {
            out.push(0x80 | digits.len() as u8);
            out.extend(digits);
        }
    }
    parts.iter().for_each(|part| out.extend(*part));
    out
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(der::SEQUENCE, parts)
}

pub(super) fn object_identifier(content: &[u8]) -> Vec<u8> {
    element(der::OBJECT_IDENTIFIER, &[content])
}

/// An INTEGER of these digits, big-endian, perhaps with zeros in front.
pub(super) fn unsigned(digits: &[u8]) -> Vec<u8> {
    let zeros = digits.iter().take_while(|&&digit| digit == 0).count();
    match digits.get(zeros..).unwrap_or_default() {
        digits @ ([] | [0x80..=0xff, ..]) => element(der::INTEGER, &[&[0], digits]),
        digits => element(der::INTEGER, &[digits]),
    }
}

pub(super) fn octet_string(content: &[u8]) -> Vec<u8> {
    element(der::OCTET_STRING, &[content])
}

/// A BIT STRING of whole bytes.
pub(super) fn bit_string(content: &[u8]) -> Vec<u8> {
    element(der::BIT_STRING, &[&[0], content])
}

/// A BIT STRING whose bits have names: it ends with the last that is set.
pub(super) fn named_bits(bits: u16) -> Vec<u8> {
    let unused = (bits.trailing_zeros() % 8) as u8;
    match bits.to_be_bytes() {
        [0, 0] => element(der::BIT_STRING, &[&[0]]),
        [high, 0] => element(der::BIT_STRING, &[&[unused, high]]),
        [high, low] => element(der::BIT_STRING, &[&[unused, high, low]]),
    }
}

/// A UTCTime until 2049 and a GeneralizedTime from then on
/// ([RFC 5280 section 4.1.2.5](https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5)); nothing after the year 9999.
pub(super) fn time(seconds: u64) -> Vec<u8> {
    let [year, month, day, hour, minute, second] = civil(seconds.min(crate::Validity::WITHOUT_END));
    let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    match year {
        ..2050 => element(der::UTC_TIME, &[format!("{:02}", year % 100).as_bytes(), rest.as_bytes()]),
        _ => element(der::GENERALIZED_TIME, &[format!("{year:04}").as_bytes(), rest.as_bytes()]),
    }
}

/// Year, month, day, hour, minute and second of a number of seconds since 1970.
pub(super) fn civil(seconds: u64) -> [u64; 6] {
    let (days, seconds) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days: years begin in March, eras have 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    [year, month, day, seconds / 3600, seconds / 60 % 60, seconds % 60]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{OCTET_STRING, Reader, single};

    #[test]
    fn what_is_written_is_read_back() {
        for len in [0, 1, 127, 128, 255, 256, 65_535] {
            let content = vec![9; len];
            assert_eq!(single(OCTET_STRING, &octet_string(&content)).unwrap().content, content);
        }
        for digits in [&[0][..], &[1], &[0x7f], &[0x80], &[0xff, 0], &[1, 0, 0]] {
            let der = unsigned(&[&[0, 0], digits].concat());
            assert_eq!(Reader::new(&der).unsigned().unwrap(), digits);
        }
        assert_eq!(unsigned(&[]), [2, 1, 0]);
        assert_eq!(named_bits(0x8000), [3, 2, 7, 0x80]);
        assert_eq!(named_bits(0x0600), [3, 2, 1, 0x06]);
        assert_eq!(named_bits(0x0080), [3, 3, 7, 0, 0x80]);
        assert_eq!(named_bits(0), [3, 1, 0]);
    }

    #[test]
    fn a_time_changes_its_form_in_2050() {
        assert_eq!(time(0), *b"\x17\x0d700101000000Z");
        assert_eq!(time(2_524_607_999), *b"\x17\x0d491231235959Z");
        assert_eq!(time(2_524_608_000), *b"\x18\x0f20500101000000Z");
        assert_eq!(time(u64::MAX), *b"\x18\x0f99991231235959Z");
    }
}
