//! The record of what a CA has issued: a file of TOML that people can read.

use serde::{Deserialize, Serialize};
use toml::value::Datetime;

use super::issuer::SerialNumber;
use super::write;
use crate::time::{Validity, seconds_of_digits};

/// What a CA has issued, and its lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    /// The number of the last list of revoked certificates; zero if there is none yet.
    pub(super) crl_number: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) issued: Vec<Issued>,
}

/// A certificate that a CA has issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Entry", into = "Entry")]
pub struct Issued {
    /// Its number.
    pub serial: SerialNumber,
    /// Its common name, or else its first other name.
    pub name: String,
    /// What it is for: `client`, `server`, `ca`, or several of these.
    pub uses: Vec<String>,
    /// From when until when it is valid.
    pub validity: Validity,
    /// Since when it is revoked, if it is.
    pub revoked: Option<u64>,
}

impl Index {
    const HEADING: &str = "# What this CA has issued. `sedge ca` keeps this file.\n\n";

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim().replace('\n', " "))
    }

    pub(super) fn to_toml(&self) -> Result<String, String> {
        let text = toml::to_string(self).map_err(|error| error.to_string())?;
        Ok(format!("{}{text}", Self::HEADING))
    }
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    serial: String,
    name: String,
    uses: Vec<String>,
    not_before: Datetime,
    not_after: Datetime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<Datetime>,
}

impl From<Issued> for Entry {
    fn from(issued: Issued) -> Self {
        Self {
            serial: issued.serial.to_string(),
            name: issued.name,
            uses: issued.uses,
            not_before: date(issued.validity.not_before),
            not_after: date(issued.validity.not_after),
            revoked: issued.revoked.map(date),
        }
    }
}

impl TryFrom<Entry> for Issued {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, String> {
        let serial = SerialNumber::from_hex(&entry.serial)
            .ok_or_else(|| format!("`{}` is not a serial number", entry.serial))?;
        let validity =
            Validity { not_before: seconds(&entry.not_before)?, not_after: seconds(&entry.not_after)? };
        let revoked = entry.revoked.as_ref().map(seconds).transpose()?;
        Ok(Self { serial, name: entry.name, uses: entry.uses, validity, revoked })
    }
}

fn date(seconds: u64) -> Datetime {
    let [year, month, day, hour, minute, second] = write::civil(seconds.min(Validity::WITHOUT_END));
    Datetime {
        // Each is within what its type can hold: years end in 9999.
        date: Some(toml::value::Date { year: year as u16, month: month as u8, day: day as u8 }),
        time: Some(toml::value::Time {
            hour: hour as u8,
            minute: minute as u8,
            second: Some(second as u8),
            nanosecond: None,
        }),
        offset: Some(toml::value::Offset::Z),
    }
}

fn seconds(date: &Datetime) -> Result<u64, String> {
    let text = date.to_string();
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'-' | b':' | b'T')).collect();
    seconds_of_digits(&digits).map_err(|_| format!("`{text}` is not a date like 2026-11-22T10:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let issued = Issued {
            serial: SerialNumber::new(&[0x0a, 0xff]),
            name: "boiler \"7\"".into(),
            uses: vec!["client".into()],
            validity: Validity { not_before: 1_795_330_800, not_after: Validity::WITHOUT_END },
            revoked: None,
        };
        let revoked = Issued { revoked: Some(1_795_330_801), ..issued.clone() };
        Index { crl_number: 3, issued: vec![issued, revoked] }
    }

    #[test]
    fn an_index_is_read_as_it_was_written() {
        let text = index().to_toml().unwrap();
        assert!(text.contains("serial = \"0aff\""), "{text}");
        assert!(text.contains("not_before = 2026-11-22T07:00:00Z"), "{text}");
        assert!(text.contains("not_after = 9999-12-31T23:59:59Z"), "{text}");
        assert_eq!(Index::parse(&text), Ok(index()));
        let empty = Index::default();
        assert_eq!(Index::parse(&empty.to_toml().unwrap()), Ok(empty));
    }

    #[test]
    fn what_is_not_an_index_is_told() {
        let text = index().to_toml().unwrap();
        for (from, to) in [
            ("0aff", "zz"),
            ("0aff", "0af"),
            ("0aff", ""),
            ("2026-11-22T07:00:00Z", "2026-11-22"),
            ("2026-11-22T07:00:00Z", "2026-11-22T07:00:00+01:00"),
            ("crl_number", "crl_numbre"),
            ("revoked", "revokde"),
        ] {
            assert!(Index::parse(&text.replacen(from, to, 1)).is_err(), "{from} {to}");
        }
    }
}
