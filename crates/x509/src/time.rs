//! Times, as seconds since 1970.

use crate::der::{self, Element, Reader};
use crate::error::Error;

/// From when until when a certificate is valid, both inclusive
/// ([RFC 5280 section 4.1.2.5](https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5)).
///
/// In seconds since 1970-01-01 00:00:00 UTC; what lies before that counts as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Validity {
    /// The first second.
    pub not_before: u64,
    /// The last second.
    pub not_after: u64,
}

impl Validity {
    /// The notAfter of a certificate without an end, 9999-12-31 23:59:59: for devices that cannot be given another.
    pub const WITHOUT_END: u64 = 253_402_300_799;

    /// Whether it is valid at this time.
    pub const fn check(&self, now: u64) -> Result<(), Error> {
        if now < self.not_before {
            Err(Error::NotYetValid)
        } else if now > self.not_after {
            Err(Error::Expired)
        } else {
            Ok(())
        }
    }

    pub(crate) fn parse(element: Element<'_>) -> Result<Self, Error> {
        let mut reader = element.reader();
        let not_before = time(&mut reader)?;
        let not_after = time(&mut reader)?;
        reader.end()?;
        Ok(Self { not_before, not_after })
    }
}

/// A UTCTime or a GeneralizedTime, to the second and in UTC.
pub(crate) fn time(reader: &mut Reader<'_>) -> Result<u64, Error> {
    let element = reader.element()?;
    match (element.tag, element.content) {
        // Years from 50 are those of the last century.
        (der::UTC_TIME, [y0, y1, rest @ ..]) => match digits(*y0, *y1)? {
            year @ 50.. => seconds(1900 + year, rest),
            year => seconds(2000 + year, rest),
        },
        (der::GENERALIZED_TIME, digits) => seconds_of_digits(digits),
        _ => Err(Error::Malformed),
    }
}

/// `YYYYMMDDHHMMSSZ`.
pub(crate) fn seconds_of_digits(text: &[u8]) -> Result<u64, Error> {
    match text {
        [y0, y1, y2, y3, rest @ ..] => seconds(100 * digits(*y0, *y1)? + digits(*y2, *y3)?, rest),
        _ => Err(Error::Malformed),
    }
}

/// A year and `MMDDHHMMSSZ`.
fn seconds(year: u32, rest: &[u8]) -> Result<u64, Error> {
    let [m0, m1, d0, d1, h0, h1, n0, n1, s0, s1, b'Z'] = *rest else { return Err(Error::Malformed) };
    let (month, day) = (digits(m0, m1)?, digits(d0, d1)?);
    let (hour, minute, second) = (digits(h0, h1)?, digits(n0, n1)?, digits(s0, s1)?);
    if hour > 23 || minute > 59 || second > 59 {
        return Err(Error::Malformed);
    }
    let days = days_since_1970(year, month, day).ok_or(Error::Malformed)?;
    Ok(days.map_or(0, |days| 86_400 * u64::from(days) + u64::from(3600 * hour + 60 * minute + second)))
}

fn digits(tens: u8, ones: u8) -> Result<u32, Error> {
    if tens.is_ascii_digit() && ones.is_ascii_digit() {
        Ok(u32::from(10 * (tens - b'0') + (ones - b'0')))
    } else {
        Err(Error::Malformed)
    }
}

/// Nothing if there is no such day; nothing inside if it is before 1970.
fn days_since_1970(year: u32, month: u32, day: u32) -> Option<Option<u32>> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if day == 0 || day > last {
        return None;
    }
    // Howard Hinnant's days_from_civil: years begin in March, so that the leap day is their last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.saturating_sub(1), month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year;
    Some(days.checked_sub(719_468))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::vec::Vec;

    fn read(tag: u8, text: &str) -> Result<u64, Error> {
        let der: Vec<u8> = [&[tag, text.len() as u8], text.as_bytes()].concat();
        time(&mut Reader::new(&der))
    }

    #[test]
    fn times_are_what_the_calendar_says() {
        for (text, seconds) in [
            ("700101000000Z", 0),
            ("691231235959Z", 0),
            ("500101000000Z", 0),
            ("000228235959Z", 951_782_399),
            ("000229000000Z", 951_782_400),
            ("261122070000Z", 1_795_330_800),
            ("491231235959Z", 2_524_607_999),
        ] {
            assert_eq!(read(der::UTC_TIME, text), Ok(seconds), "{text}");
        }
        for (text, seconds) in [
            ("20500101000000Z", 2_524_608_000),
            ("20991231235959Z", 4_102_444_799),
            ("21000228000000Z", 4_107_456_000),
            ("00000101000000Z", 0),
            ("99991231235959Z", Validity::WITHOUT_END),
        ] {
            assert_eq!(read(der::GENERALIZED_TIME, text), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut expected = 0;
        for year in 1970..2410 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(days) = days_since_1970(year, month, day) {
                        assert_eq!(days, Some(expected), "{year}-{month}-{day}");
                        expected += 1;
                    }
                }
            }
        }
        // 400 years have 146,097 days.
        assert_eq!(expected, 146_097 + 40 * 365 + 10);
    }

    #[test]
    fn other_forms_are_refused() {
        let utc = [
            "7001010000Z",
            "700101000000",
            "700101000000+0100",
            "700101000000z",
            "700101000060Z",
            "700101006000Z",
            "700101240000Z",
            "700100000000Z",
            "701301000000Z",
            "700001000000Z",
            "010229000000Z",
            "70010100000 Z",
            "70010100000/Z",
            "",
        ];
        for text in utc {
            assert_eq!(read(der::UTC_TIME, text), Err(Error::Malformed), "{text}");
        }
        for text in ["20500101000000.5Z", "20500101000000", "205001010000Z", "21000229000000Z"] {
            assert_eq!(read(der::GENERALIZED_TIME, text), Err(Error::Malformed), "{text}");
        }
        assert_eq!(read(der::OCTET_STRING, "700101000000Z"), Err(Error::Malformed));
        assert!(!format!("{}", Error::Expired).is_empty());
    }

    #[test]
    fn both_ends_are_inside() {
        let validity = Validity { not_before: 10, not_after: 20 };
        assert_eq!(validity.check(9), Err(Error::NotYetValid));
        assert_eq!(validity.check(10), Ok(()));
        assert_eq!(validity.check(20), Ok(()));
        assert_eq!(validity.check(21), Err(Error::Expired));
    }
}
